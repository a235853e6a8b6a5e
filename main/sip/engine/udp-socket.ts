/**
 * Owns: one bound UDP socket: datagrams in and out, and the answers to STUN binding requests (RFC 5389, RFC 5626 §8).
 * Called by: transport.ts. Calls: node:dgram, stun.ts and the receiver it was given.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { plainAddress } from '../uri.ts';
import { answerStun, isStun, parseStun, type StunMessage } from './stun.ts';

/** Who gets what arrives. */
export interface UdpReceiver {
  receiveDatagram(socket: UdpSocket, bytes: Buffer, remoteAddress: string, remotePort: number): void;
  /** An answer to a binding request. */
  receiveStun(answer: StunMessage, remoteAddress: string, remotePort: number): void;
}

interface Datagram {
  readonly bytes: Buffer;
  readonly port: number;
  readonly address: string;
  readonly fail: ((error: Error) => void) | undefined;
}

/** A bound socket. */
export class UdpSocket implements AsyncDisposable {
  readonly transport = 'udp';
  readonly host: string;
  readonly port: number;
  readonly #socket: Socket;
  readonly #log: Log;
  readonly #receiver: UdpReceiver;
  #closed = false;
  /** Datagrams of this turn of the event loop. */
  #unsent: Datagram[] = [];

  private constructor(socket: Socket, log: Log, receiver: UdpReceiver) {
    const { address, port } = socket.address();
    this.host = address;
    this.port = port;
    this.#socket = socket;
    this.#log = log;
    this.#receiver = receiver;
    socket.on('error', (error) => log.warn('sip.udp.error', { error }));
    socket.on('message', (bytes, from) => this.#receive(bytes, from));
  }

  /** Binds. @throws the error of the operating system (`EADDRINUSE`) */
  static async open(
    where: { host: string; port: number },
    log: Log,
    receiver: UdpReceiver,
  ): Promise<UdpSocket> {
    const v6 = isIPv6(where.host);
    const socket = createSocket({
      type: v6 ? 'udp6' : 'udp4',
      recvBufferSize: SIP_LIMITS.datagramBufferBytes,
      ipv6Only: v6,
      // Addresses are numeric here: nothing is looked up, and no turn of the event loop is spent on it.
      lookup: (address, _options, found) => {
        found(null, address, v6 ? 6 : 4);
      },
    });
    try {
      const bound = once(socket, 'listening');
      socket.bind(where.port, where.host);
      await bound;
    } catch (error) {
      socket.close();
      throw error;
    }
    return new UdpSocket(socket, log, receiver);
  }

  /**
   * Sends one datagram at the end of this turn of the event loop: to a peer that sleeps each one is a call to wake it,
   * those that follow each other find it awake. `fail` is called later, never from within, when it cannot leave.
   */
  send(bytes: Buffer, port: number, address: string, fail?: (error: Error) => void): void {
    if (this.#closed) return;
    if (port === 0) {
      // Port 0 comes from a peer's Via or Contact; the socket would throw.
      queueMicrotask(() => fail?.(new Error('port 0')));
      return;
    }
    if (this.#unsent.length === 0) setImmediate(() => this.#flush());
    this.#unsent.push({ bytes, port, address, fail });
  }

  #flush(): void {
    const datagrams = this.#unsent;
    this.#unsent = [];
    if (this.#closed) return;
    for (const { bytes, port, address, fail } of datagrams) {
      this.#socket.send(bytes, port, address, (error) => {
        if (error === null || this.#closed) return;
        this.#log.info('sip.udp.send-failed', { error, remote: address });
        fail?.(error);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    await new Promise<void>((done) => this.#socket.close(done));
  }

  #receive(bytes: Buffer, from: RemoteInfo): void {
    const remoteAddress = plainAddress(from.address);
    if (!isStun(bytes)) {
      this.#receiver.receiveDatagram(this, bytes, remoteAddress, from.port);
      return;
    }
    const message = parseStun(bytes);
    if (message === undefined) return;
    const answer = answerStun(message, remoteAddress, from.port);
    if (answer !== undefined) this.send(answer, from.port, from.address);
    else if (message.kind !== 'request') this.#receiver.receiveStun(message, remoteAddress, from.port);
  }
}
