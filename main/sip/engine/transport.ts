/**
 * Owns: the UDP and TCP sockets of the engine: listening, sending on a flow, the table of connections (RFC 3261 §18).
 * Called by: engine.ts (listen), transactions and cores (flowTo, send). Calls: stream-connection.ts, sip/message, and
 * the receiver it was given.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { WireTap } from '../../base/wire-tap.ts';
import { parseSipMessage, salvageRequest, type SipMessage, type SipRequest } from '../message.ts';
import { hostOfAddress } from '../uri.ts';
import { LocalAddresses } from './local-addresses.ts';
import type { Target } from './resolver.ts';
import type { Soon } from './soon.ts';
import { StreamConnection, type StreamSink } from './stream-connection.ts';
import type { StreamFault } from './stream-framing.ts';

export type TransportName = 'udp' | 'tcp';

/** A bound socket. */
export interface Listening {
  readonly transport: TransportName;
  readonly host: string;
  readonly port: number;
}

/** The way to a peer or from it: both ends, and the socket. */
export interface Flow {
  readonly transport: TransportName;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  /** The port on which we listen (not the ephemeral port of an outgoing connection). */
  readonly localPort: number;
  readonly connection?: StreamConnection;
  readonly socket?: UdpSocket;
}

/** Who gets what arrives. */
export interface TransportReceiver {
  receiveMessage(message: SipMessage, flow: Flow, bytes: number): void;
  /** A request that does not parse but can be answered with `error.answer`. */
  receiveBadRequest(request: SipRequest, error: ProtocolError, flow: Flow): void;
}

interface UdpListener extends Listening {
  readonly transport: 'udp';
  readonly socket: UdpSocket;
}

interface TcpListener extends Listening {
  readonly transport: 'tcp';
  readonly server: Server;
}

function connectionKey(address: string, port: number): string {
  return `${address} ${port}`;
}

/** `::ffff:127.0.0.1` is 127.0.0.1. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** All sockets that speak SIP. */
export class SipTransport implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #tap: WireTap | undefined;
  readonly #receiver: TransportReceiver;
  readonly #lifetime = new Lifetime();
  readonly #addresses: LocalAddresses;
  readonly #udp: UdpListener[] = [];
  readonly #tcp: TcpListener[] = [];
  /** By remote address and port: where the next message to it goes. */
  readonly #connections = new Map<string, StreamConnection>();
  readonly #open = new Set<StreamConnection>();
  readonly #perAddress = new Map<string, number>();
  readonly #sink: StreamSink;

  constructor(options: { clock: Clock; log: Log; tap?: WireTap; receiver: TransportReceiver }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#tap = options.tap;
    this.#receiver = options.receiver;
    this.#addresses = this.#lifetime.own(new LocalAddresses());
    this.#sink = {
      receiveMessage: (connection, message, bytes) =>
        this.#receiver.receiveMessage(message, this.flowOf(connection), bytes),
      receiveFault: (connection, fault) => this.#receiveFault(connection, fault),
      closed: (connection) => this.#forget(connection),
      tap: (connection, direction, bytes) =>
        this.#show(direction, { ...this.flowOf(connection), localPort: connection.socketPort }, bytes),
    };
    this.#lifetime.defer(() => this.#cutAll());
  }

  /** Binds one socket. @throws the error of the operating system (`EADDRINUSE`, `EACCES`). */
  async listen(where: Listening): Promise<Listening> {
    return where.transport === 'udp' ? this.#listenUdp(where) : this.#listenTcp(where);
  }

  /** Closes a listening TCP socket again. */
  async unlisten(where: Listening): Promise<void> {
    const index = this.#tcp.findIndex(({ host, port }) => host === where.host && port === where.port);
    const [listener] = index < 0 ? [] : this.#tcp.splice(index, 1);
    if (listener !== undefined) await new Promise<void>((done) => listener.server.close(() => done()));
  }

  /** What is bound, TCP first, as drachtio lists it. */
  get listening(): Listening[] {
    return [...this.#tcp, ...this.#udp].map(({ transport, host, port }) => ({ transport, host, port }));
  }

  /**
   * The flow to a numeric address. For TCP an open connection to that address and port is taken, whoever opened it
   * (RFC 5923 §4), else a new one is begun: messages may be sent at once and wait for it.
   * @throws ProtocolError `SIP_TRANSPORT` when no socket of that transport and address family is bound.
   */
  flowTo(target: Target): Soon<Flow> {
    if (this.#lifetime.ended) throw new ProtocolError('SIP_TRANSPORT', 503, 'engine closed');
    const listener = this.#listenerToward(target);
    const local = this.#addresses.toward(target.address, listener.host);
    if (local instanceof Promise) return local.then((address) => this.#flow(target, listener, address));
    return this.#flow(target, listener, local);
  }

  /** The flow of an existing connection. */
  flowOf(connection: StreamConnection): Flow {
    const { remoteAddress, remotePort, localAddress, localPort } = connection;
    return { transport: 'tcp', remoteAddress, remotePort, localAddress, localPort, connection };
  }

  /** An open connection to that address and port. */
  connectionTo(address: string, port: number): StreamConnection | undefined {
    return this.#connections.get(connectionKey(address, port));
  }

  /** Would a message on this flow arrive at our own socket? */
  isOwn(flow: Flow): boolean {
    const listeners: readonly Listening[] = flow.transport === 'udp' ? this.#udp : this.#tcp;
    return listeners.some(({ host, port }) => {
      const same =
        host === flow.remoteAddress ||
        ((host === '0.0.0.0' || host === '::') && flow.remoteAddress === flow.localAddress);
      return same && port === flow.remotePort;
    });
  }

  /** Sends one message. `fail` is called later, never from within, when the bytes cannot leave. */
  send(flow: Flow, bytes: Buffer, fail?: (error: Error) => void): void {
    if (this.#lifetime.ended) return;
    if (flow.connection !== undefined) {
      flow.connection.send(bytes);
      return;
    }
    if (flow.remotePort === 0) {
      // Port 0 comes from a peer's Via or Contact; the socket would throw.
      queueMicrotask(() => fail?.(new Error('port 0')));
      return;
    }
    this.#show('out', flow, bytes);
    flow.socket?.send(bytes, flow.remotePort, flow.remoteAddress, (error) => {
      if (error === null || this.#lifetime.ended) return;
      this.#log.info('sip.udp.send-failed', { error, remote: flow.remoteAddress });
      fail?.(error);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #cutAll(): void {
    for (const connection of [...this.#open]) connection[Symbol.dispose]();
  }

  #listenerToward(target: Target): UdpListener | TcpListener {
    const v6 = isIPv6(target.address);
    const listeners = (target.transport === 'udp' ? this.#udp : this.#tcp).filter(
      ({ host }) => isIPv6(host) === v6,
    );
    const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';
    const exact = listeners.find(({ host }) => isLoopback(host) === isLoopback(target.address));
    const listener = exact ?? listeners[0];
    if (listener === undefined) {
      throw new ProtocolError('SIP_TRANSPORT', 503, `no ${target.transport} socket for ${target.address}`);
    }
    return listener;
  }

  #flow(target: Target, listener: UdpListener | TcpListener, localAddress: string): Flow {
    const { address, port } = target;
    if (listener.transport === 'udp') {
      const { socket, port: localPort } = listener;
      return { transport: 'udp', remoteAddress: address, remotePort: port, localAddress, localPort, socket };
    }
    const known = this.#connections.get(connectionKey(address, port));
    if (known?.open === true) return this.flowOf(known);
    const flow = { transport: 'tcp' as const, remoteAddress: address, remotePort: port, localAddress };
    // Never dial ourselves: the caller refuses such a flow.
    const probe: Flow = { ...flow, localPort: listener.port };
    if (this.isOwn(probe)) return probe;
    return this.flowOf(this.#connect(target, localAddress, listener.port));
  }

  /** @throws ProtocolError when the engine has closed meanwhile */
  #connect(target: Target, localAddress: string, localPort: number): StreamConnection {
    if (this.#lifetime.ended) throw new ProtocolError('SIP_TRANSPORT', 503, 'engine closed');
    const socket = connect({ host: target.address, port: target.port });
    return this.#adopt(socket, {
      remoteAddress: target.address,
      remotePort: target.port,
      localAddress,
      localPort,
      connecting: true,
    });
  }

  #adopt(
    socket: Socket,
    ends: Pick<StreamConnection, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'> & {
      readonly connecting: boolean;
    },
  ): StreamConnection {
    const connection = new StreamConnection({
      socket,
      ...ends,
      clock: this.#clock,
      log: this.#log,
      sink: this.#sink,
    });
    this.#open.add(connection);
    this.#connections.set(connectionKey(ends.remoteAddress, ends.remotePort), connection);
    this.#perAddress.set(ends.remoteAddress, (this.#perAddress.get(ends.remoteAddress) ?? 0) + 1);
    return connection;
  }

  #forget(connection: StreamConnection): void {
    this.#open.delete(connection);
    const { remoteAddress, remotePort } = connection;
    const key = connectionKey(remoteAddress, remotePort);
    if (this.#connections.get(key) === connection) this.#connections.delete(key);
    const count = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(remoteAddress);
    else this.#perAddress.set(remoteAddress, count);
  }

  async #listenUdp(where: Listening): Promise<Listening> {
    const v6 = isIPv6(where.host);
    const socket = createSocket({
      type: v6 ? 'udp6' : 'udp4',
      recvBufferSize: SIP_LIMITS.datagramBufferBytes,
      ipv6Only: v6,
    });
    try {
      const bound = once(socket, 'listening');
      socket.bind(where.port, where.host);
      await bound;
    } catch (error) {
      socket.close();
      throw error;
    }
    this.#lifetime.defer(() => new Promise((done) => socket.close(done)));
    const { address, port } = socket.address();
    const listener: UdpListener = { transport: 'udp', host: address, port, socket };
    socket.on('error', (error) => this.#log.warn('sip.udp.error', { error }));
    socket.on('message', (bytes, from) => this.#receiveDatagram(listener, bytes, from));
    this.#udp.push(listener);
    return { transport: 'udp', host: address, port };
  }

  async #listenTcp(where: Listening): Promise<Listening> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    server.maxConnections = SIP_LIMITS.maxConnections;
    const bound = once(server, 'listening');
    server.listen({ port: where.port, host: where.host, ipv6Only: isIPv6(where.host) });
    await bound;
    this.#lifetime.defer(async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      // A server is closed only when its connections are.
      this.#cutAll();
      await closed;
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('TCP server without an address');
    const listener: TcpListener = { transport: 'tcp', host: address.address, port: address.port, server };
    server.on('error', (error) => this.#log.warn('sip.tcp.error', { error }));
    server.on('connection', (socket) => this.#receiveConnection(listener, socket));
    this.#tcp.push(listener);
    return { transport: 'tcp', host: address.address, port: address.port };
  }

  #receiveConnection(listener: TcpListener, socket: Socket): void {
    const { remoteAddress, remotePort, localAddress } = socket;
    if (remoteAddress === undefined || remotePort === undefined || localAddress === undefined) {
      socket.destroy();
      return;
    }
    const from = plainAddress(remoteAddress);
    if ((this.#perAddress.get(from) ?? 0) >= SIP_LIMITS.maxConnectionsPerAddress) {
      this.#log.warn('sip.tcp.too-many-connections', { remote: from });
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const ends = { remoteAddress: from, remotePort, localAddress: plainAddress(localAddress) };
    this.#adopt(socket, { ...ends, localPort: listener.port, connecting: false });
  }

  #receiveDatagram(listener: UdpListener, bytes: Buffer, from: RemoteInfo): void {
    const remoteAddress = plainAddress(from.address);
    const local = this.#addresses.toward(remoteAddress, listener.host);
    const receive = (localAddress: string): void => {
      const flow: Flow = {
        transport: 'udp',
        remoteAddress,
        remotePort: from.port,
        localAddress,
        localPort: listener.port,
        socket: listener.socket,
      };
      this.#show('in', flow, bytes);
      if (!this.#lifetime.ended) this.#receivePacket(flow, bytes);
    };
    if (local instanceof Promise) void local.then(receive, () => receive(listener.host));
    else receive(local);
  }

  #receivePacket(flow: Flow, bytes: Buffer): void {
    // Keep-alives and probes on UDP are ignored (RFC 5626 §4.4.2 knows STUN only).
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
    if (fault.head !== undefined) this.#salvage(fault.head, fault.error, this.flowOf(connection));
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
