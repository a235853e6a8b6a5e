/**
 * Owns: the sockets of the engine: listening, the flow to a hop, sending on a flow (RFC 3261 §18).
 * Called by: engine.ts (listen), transactions and cores (flowTo, send). Calls: udp-socket.ts, stream-flows.ts,
 * sip/message, and the receiver it was given.
 */
import { isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { WireTap } from '../../base/wire-tap.ts';
import { parseSipMessage, salvageRequest, type SipMessage, type SipRequest } from '../message.ts';
import { hostOfAddress } from '../uri.ts';
import { LocalAddresses } from './local-addresses.ts';
import type { Soon } from './soon.ts';
import type { StreamConnection } from './stream-connection.ts';
import { StreamFlows } from './stream-flows.ts';
import type { StreamFault } from './stream-framing.ts';
import type { StreamListener } from './stream-listener.ts';
import type { StunMessage } from './stun.ts';
import type { SipTlsOptions } from './tls-identity.ts';
import { UdpFlows } from './udp-flows.ts';
import { UdpSocket } from './udp-socket.ts';

export type TransportName = 'udp' | 'tcp' | 'tls';

/** A bound socket. */
export interface Listening {
  readonly transport: TransportName;
  readonly host: string;
  readonly port: number;
}

/** Where a message may go: numeric addresses that serve the same name, any of which will do. */
export interface Hop {
  readonly transport: TransportName;
  readonly addresses: readonly string[];
  readonly port: number;
  /** The host that was looked up: over TLS its certificate has to speak for it. */
  readonly domain: string;
}

/** The way to a peer or from it: both ends, and the socket. */
export interface Flow {
  readonly transport: TransportName;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /**
   * The port on which we listen. Over TLS without a listener it is the port of the connection itself: nobody could
   * open another one to us, and a peer that looks for address and port of our Contact finds the one that is there.
   */
  readonly localPort: number;
  readonly connection?: StreamConnection;
  readonly socket?: UdpSocket;
}

/** Who gets what arrives. */
export interface TransportReceiver {
  receiveMessage(message: SipMessage, flow: Flow, bytes: number): void;
  /** A request that does not parse but can be answered with `error.answer`. */
  receiveBadRequest(request: SipRequest, error: ProtocolError, flow: Flow): void;
  /** An answer to a STUN binding request. */
  receiveStun(answer: StunMessage, remoteAddress: string, remotePort: number): void;
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function noSocket(transport: TransportName, address: string): never {
  throw new ProtocolError('SIP_TRANSPORT', 503, `no ${transport} socket for ${address}`);
}

/** All sockets that speak SIP. */
export class SipTransport implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tap: WireTap | undefined;
  readonly #receiver: TransportReceiver;
  readonly #lifetime = new Lifetime();
  readonly #addresses: LocalAddresses;
  readonly #udp: UdpSocket[] = [];
  readonly #udpFlows = new UdpFlows();
  readonly #streams: StreamFlows;

  constructor(options: {
    clock: Clock;
    log: Log;
    tap?: WireTap;
    tls?: SipTlsOptions;
    receiver: TransportReceiver;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#tap = options.tap;
    this.#receiver = options.receiver;
    this.#addresses = this.#lifetime.own(new LocalAddresses());
    this.#streams = this.#lifetime.own(
      new StreamFlows({
        clock: options.clock,
        log: options.log,
        tls: options.tls ?? {},
        addresses: this.#addresses,
        isOwnPlace: (...place) => this.#isOwnPlace(...place),
        sink: {
          receiveMessage: (connection, message, bytes) =>
            this.#receiver.receiveMessage(message, this.#streams.flowOf(connection), bytes),
          receiveFault: (connection, fault) => this.#receiveFault(connection, fault),
          closed: () => undefined,
          tap: (connection, direction, bytes) => {
            const flow = { ...this.#streams.flowOf(connection), localPort: connection.socketPort };
            this.#show(direction, flow, bytes);
          },
        },
      }),
    );
  }

  /**
   * Binds one socket.
   * @throws the error of the operating system (`EADDRINUSE`, `EACCES`); Error for TLS without certificate and key
   */
  async listen(where: Listening): Promise<Listening> {
    const { transport, host, port } = where;
    if (transport === 'udp') {
      const socket = this.#lifetime.own(
        await UdpSocket.open(where, this.#log, {
          receiveDatagram: (...datagram) => this.#receiveDatagram(...datagram),
          receiveStun: (...answer) => this.#receiver.receiveStun(...answer),
        }),
      );
      this.#udp.push(socket);
      return { transport, host: socket.host, port: socket.port };
    }
    const listener = await this.#streams.listen(transport, host, port);
    return { transport, host: listener.host, port: listener.port };
  }

  /** Closes a listening TCP or TLS socket again. */
  async unlisten(where: Listening): Promise<void> {
    await this.#streams.unlisten(where);
  }

  /** New certificates: for connections from now on. @throws Error when certificate and key do not fit */
  renewTls(tls: SipTlsOptions): void {
    this.#streams.renewTls(tls);
  }

  /** What is bound, streams first, as drachtio lists it. */
  get listening(): Listening[] {
    return [...this.#streams.listeners, ...this.#udp].map(({ transport, host, port }) => ({
      transport,
      host,
      port,
    }));
  }

  /** Is the engine closing? Then nothing new is begun. */
  get ended(): boolean {
    return this.#lifetime.ended;
  }

  /** All stream connections, in either direction. */
  get connections(): readonly StreamConnection[] {
    return this.#streams.connections;
  }

  /** Can a message leave by that transport to an address of that family? */
  reaches(transport: TransportName, address: string): boolean {
    return transport === 'tls' || this.#listenerToward(transport, address) !== undefined;
  }

  /**
   * The flow to a hop. For streams an open connection to one of its addresses is taken, whoever opened it
   * (RFC 5923 §4), else a new one is begun. With one address over TCP messages may be sent at once and wait for it;
   * with several of them, and over TLS, the flow comes when the connection is usable.
   * @throws ProtocolError `SIP_TRANSPORT` when no socket of that transport and address family is bound. Rejects with
   * Unreachable when no address answers.
   */
  flowTo(hop: Hop): Soon<Flow> {
    this.#checkOpen();
    if (hop.port === 0) throw new ProtocolError('SIP_TRANSPORT', 503, 'port 0');
    const addresses = hop.addresses.filter((address) => this.reaches(hop.transport, address));
    const [first] = addresses;
    if (first === undefined) noSocket(hop.transport, hop.addresses[0] ?? hop.domain);
    if (hop.transport === 'udp') return this.#udpFlow(addresses, first, hop.port);
    const listener = this.#listenerToward(hop.transport, first);
    const stream = listener instanceof UdpSocket ? undefined : listener;
    return this.#streams.flowTo(hop, hop.transport, addresses, stream);
  }

  /** Would a message on this flow arrive at our own socket? */
  isOwn(flow: Flow): boolean {
    const { transport, remoteAddress, remotePort, localAddress } = flow;
    return this.#isOwnPlace(transport, remoteAddress, remotePort, localAddress);
  }

  /** Sends one message. `fail` is called later, never from within, when the bytes cannot leave. */
  send(flow: Flow, bytes: Buffer, fail?: (error: Error) => void): void {
    if (this.#lifetime.ended) return;
    if (flow.connection !== undefined) {
      const lost =
        fail === undefined ? undefined : () => fail(new Error('the peer has closed the connection'));
      flow.connection.send(bytes, lost);
      return;
    }
    if (flow.remotePort !== 0) this.#show('out', flow, bytes);
    flow.socket?.send(bytes, flow.remotePort, flow.remoteAddress, fail);
  }

  /** The network has changed: what is remembered about ways may be wrong. */
  forgetRoutes(): void {
    this.#addresses.forget();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #checkOpen(): void {
    if (this.#lifetime.ended) throw new ProtocolError('SIP_TRANSPORT', 503, 'engine closed');
  }

  #listenerToward(transport: TransportName, address: string): UdpSocket | StreamListener | undefined {
    const listeners: readonly (UdpSocket | StreamListener)[] =
      transport === 'udp' ? this.#udp : this.#streams.listeners.filter((one) => one.transport === transport);
    const ofFamily = listeners.filter(({ host }) => isIPv6(host) === isIPv6(address));
    return ofFamily.find(({ host }) => isLoopback(host) === isLoopback(address)) ?? ofFamily[0];
  }

  #isOwnPlace(transport: TransportName, address: string, port: number, localAddress: string): boolean {
    return this.listening.some((own) => {
      const isAny = own.host === '0.0.0.0' || own.host === '::';
      const same = own.host === address || (isAny && address === localAddress);
      return own.transport === transport && same && port === own.port;
    });
  }

  #udpFlow(addresses: readonly string[], first: string, port: number): Soon<Flow> {
    const toward = (address: string): Soon<Flow> => {
      const socket = this.#listenerToward('udp', address);
      if (!(socket instanceof UdpSocket)) noSocket('udp', address);
      const from = (local: string): Flow => this.#udpFlows.flow(socket, address, port, local);
      const local = this.#addresses.toward(address, socket.host);
      return local instanceof Promise ? local.then(from) : from(local);
    };
    if (addresses.length === 1) return toward(first);
    return this.#firstWithRoute(addresses, first).then(toward);
  }

  async #firstWithRoute(addresses: readonly string[], first: string): Promise<string> {
    for (const address of addresses) if (await this.#addresses.hasRoute(address)) return address;
    return first;
  }

  #receiveDatagram(socket: UdpSocket, bytes: Buffer, remoteAddress: string, remotePort: number): void {
    const local = this.#addresses.toward(remoteAddress, socket.host);
    const receive = (localAddress: string): void => {
      const flow = this.#udpFlows.flow(socket, remoteAddress, remotePort, localAddress);
      this.#show('in', flow, bytes);
      if (!this.#lifetime.ended) this.#receivePacket(flow, bytes);
    };
    if (local instanceof Promise) void local.then(receive, () => receive(socket.host));
    else receive(local);
  }

  #receivePacket(flow: Flow, bytes: Buffer): void {
    // Line ends keep a NAT's binding and want no answer; what is this short is no SIP.
    if (bytes.length < 8 || (bytes[0] ?? 0) <= 0x0a) return;
    let message: SipMessage;
    try {
      message = parseSipMessage(bytes);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#log.debug('sip.udp.bad-message', { code: error.code, remote: flow.remoteAddress });
      this.#salvage(bytes, error, flow);
      return;
    }
    this.#receiver.receiveMessage(message, flow, bytes.length);
  }

  #receiveFault(connection: StreamConnection, fault: StreamFault): void {
    if (fault.head !== undefined) this.#salvage(fault.head, fault.error, this.#streams.flowOf(connection));
  }

  #salvage(bytes: Buffer, error: ProtocolError, flow: Flow): void {
    if (error.answer === 'close') return;
    const request = salvageRequest(bytes);
    if (request !== undefined) this.#receiver.receiveBadRequest(request, error, flow);
  }

  #show(direction: 'in' | 'out', flow: Flow, bytes: Buffer): void {
    this.#tap?.({
      timeUs: this.#clock.monotonicUs(),
      direction,
      protocol: 'sip',
      transport: flow.transport,
      local: `${hostOfAddress(flow.localAddress)}:${flow.localPort}`,
      remote: `${hostOfAddress(flow.remoteAddress)}:${flow.remotePort}`,
      bytes,
    });
  }
}
