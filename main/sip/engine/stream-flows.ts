/**
 * Owns: the TCP and TLS side of the transport: listeners, connections in both directions, the flow to a hop
 * (RFC 3261 §18, RFC 5923, RFC 8305). Called by: transport.ts. Calls: stream-listener.ts, stream-dialer.ts,
 * connection-table.ts.
 */
import { isIPv6 } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { ConnectionTable } from './connection-table.ts';
import type { LocalAddresses } from './local-addresses.ts';
import type { Soon } from './soon.ts';
import { StreamConnection, type StreamOpening, type StreamSink } from './stream-connection.ts';
import { dialTcp, dialTls, interleave, raceConnections } from './stream-dialer.ts';
import { StreamListener, type Arrived } from './stream-listener.ts';
import { createSipContext, type SipTlsOptions } from './tls-identity.ts';
import type { Flow, Hop, Listening } from './transport.ts';

interface Dial {
  readonly transport: 'tcp' | 'tls';
  readonly address: string;
  readonly port: number;
  readonly domain: string;
  /** `undefined`: as the socket says when it is connected. */
  readonly localAddress: string | undefined;
}

/** Addresses that this engine itself is reached at are never dialled. */
export type IsOwnPlace = (
  transport: 'tcp' | 'tls',
  address: string,
  port: number,
  localAddress: string,
) => boolean;

/** All stream sockets of an engine. */
export class StreamFlows implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #log: Log;
  #tls: SipTlsOptions;
  readonly #addresses: LocalAddresses;
  readonly #isOwnPlace: IsOwnPlace;
  readonly #sink: StreamSink;
  readonly #lifetime = new Lifetime();
  readonly #listeners: StreamListener[] = [];
  readonly #connections = new ConnectionTable();
  /** Connections that several requests wait for, by hop. */
  readonly #dials = new Map<string, Promise<Flow>>();
  #clientContext: SecureContext | undefined;
  /** What TLS listeners show to whoever comes next. */
  #listenContext: SecureContext | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly tls: SipTlsOptions;
    readonly addresses: LocalAddresses;
    readonly isOwnPlace: IsOwnPlace;
    readonly sink: StreamSink;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#tls = options.tls;
    this.#addresses = options.addresses;
    this.#isOwnPlace = options.isOwnPlace;
    const { sink } = options;
    this.#sink = {
      receiveMessage: (...message) => sink.receiveMessage(...message),
      receiveFault: (...fault) => sink.receiveFault(...fault),
      tap: (...bytes) => sink.tap(...bytes),
      closed: (connection) => {
        this.#connections.remove(connection);
        sink.closed(connection);
      },
    };
    this.#lifetime.defer(() => this.#cutAll());
  }

  get listeners(): readonly StreamListener[] {
    return this.#listeners;
  }

  /** All connections, in either direction. */
  get connections(): readonly StreamConnection[] {
    return this.#connections.all;
  }

  /** Binds. @throws the error of the operating system; Error for TLS without certificate and key */
  async listen(transport: 'tcp' | 'tls', host: string, port: number): Promise<StreamListener> {
    const listener = await StreamListener.open({
      host,
      port,
      context: transport === 'tls' ? this.#showCertificate() : undefined,
      log: this.#log,
      admit: (address) => this.#admit(address),
      receive: (...arrived) => this.#receiveConnection(...arrived),
    });
    this.#lifetime.defer(async () => {
      const closed = listener.close();
      // A server is closed only when its connections are.
      this.#cutAll();
      await closed;
    });
    this.#listeners.push(listener);
    return listener;
  }

  /** Closes a listening socket again. */
  async unlisten(where: Listening): Promise<void> {
    const index = this.#listeners.findIndex(
      ({ transport, host, port }) =>
        transport === where.transport && host === where.host && port === where.port,
    );
    const [listener] = index < 0 ? [] : this.#listeners.splice(index, 1);
    await listener?.close();
  }

  /**
   * The flow to one of these addresses: on an open connection, else on a new one. `listener` is the one through which
   * others reach us. Rejects with Unreachable when no address answers.
   */
  flowTo(
    hop: Hop,
    transport: 'tcp' | 'tls',
    addresses: readonly string[],
    listener: StreamListener | undefined,
  ): Soon<Flow> {
    const known = this.#connections.find(transport, addresses, hop.port, hop.domain);
    if (known !== undefined) {
      return known.usable || transport === 'tcp' ? this.flowOf(known) : this.#flowOnceUsable(known);
    }
    return this.#newFlow(hop, transport, addresses, listener);
  }

  /** The flow of an existing connection. */
  flowOf(connection: StreamConnection): Flow {
    const { transport, remoteAddress, remotePort, localAddress, localPort } = connection;
    return { transport, remoteAddress, remotePort, localAddress, localPort, connection };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #cutAll(): void {
    for (const connection of this.#connections.all) connection[Symbol.dispose]();
  }

  /** New certificates: for connections from now on. @throws Error when certificate and key do not fit */
  renewTls(tls: SipTlsOptions): void {
    const context = this.#listenContext === undefined ? undefined : createSipContext('server', tls);
    this.#tls = tls;
    this.#listenContext = context;
    this.#clientContext = undefined;
  }

  #showCertificate(): () => SecureContext {
    const first = this.#serverContext();
    this.#listenContext ??= first;
    return () => this.#listenContext ?? first;
  }

  #serverContext(): SecureContext {
    const { cert, key } = this.#tls;
    if (cert === undefined || key === undefined) {
      throw new Error('listening with TLS needs a certificate and its key (options tls.cert and tls.key)');
    }
    return createSipContext('server', this.#tls);
  }

  #newFlow(
    hop: Hop,
    transport: 'tcp' | 'tls',
    addresses: readonly string[],
    listener: StreamListener | undefined,
  ): Soon<Flow> {
    const { port, domain } = hop;
    const [first = ''] = addresses;
    const local = this.#addresses.toward(first, listener?.host ?? '0.0.0.0');
    if (transport === 'tcp' && addresses.length === 1) {
      const dial = (localAddress: string): Flow => {
        const again = this.#connections.find(transport, addresses, port, domain);
        if (again !== undefined) return this.flowOf(again);
        // Never dial ourselves: the caller refuses such a flow.
        const probe: Flow = {
          transport,
          remoteAddress: first,
          remotePort: port,
          localAddress,
          localPort: listener?.port ?? 0,
        };
        if (this.#isOwnPlace(transport, first, port, localAddress)) return probe;
        return this.flowOf(
          this.#connect({ transport, address: first, port, domain, localAddress }, listener),
        );
      };
      return local instanceof Promise ? local.then(dial) : dial(local);
    }
    const key = `${transport} ${domain.toLowerCase()} ${port} ${addresses.join(' ')}`;
    const shared = this.#dials.get(key);
    if (shared !== undefined) return shared;
    const dialled = this.#race(transport, addresses, hop, local, listener).finally(() =>
      this.#dials.delete(key),
    );
    this.#dials.set(key, dialled);
    return dialled;
  }

  async #race(
    transport: 'tcp' | 'tls',
    addresses: readonly string[],
    { port, domain }: Hop,
    local: Soon<string>,
    listener: StreamListener | undefined,
  ): Promise<Flow> {
    const localAddress = await local;
    const strangers = addresses.filter(
      (address) =>
        !this.#isOwnPlace(
          transport,
          address,
          port,
          isIPv6(address) === isIPv6(localAddress) ? localAddress : '',
        ),
    );
    const [own = ''] = addresses;
    if (strangers.length === 0)
      return { transport, remoteAddress: own, remotePort: port, localAddress, localPort: port };
    const connection = await raceConnections(this.#clock, interleave(strangers), (address) =>
      this.#connect({ transport, address, port, domain, localAddress: undefined }, listener),
    );
    return this.flowOf(connection);
  }

  async #flowOnceUsable(connection: StreamConnection): Promise<Flow> {
    return this.flowOf(await connection.whenUsable());
  }

  /** @throws ProtocolError when the engine has closed meanwhile */
  #connect(
    { transport, address, port, domain, localAddress }: Dial,
    listener: StreamListener | undefined,
  ): StreamConnection {
    if (this.#lifetime.ended) throw new ProtocolError('SIP_TRANSPORT', 503, 'engine closed');
    this.#clientContext ??= transport === 'tls' ? createSipContext('client', this.#tls) : undefined;
    const context = this.#clientContext;
    const { socket, opening } =
      transport === 'tls' && context !== undefined
        ? dialTls({ address, port, domain }, context, this.#tls.checkPeer !== false)
        : dialTcp(address, port);
    const ends = { remoteAddress: address, remotePort: port, localAddress, localPort: listener?.port };
    return this.#adopt(socket, opening, {
      transport,
      outgoing: true,
      domain: transport === 'tls' ? domain : '',
      ...ends,
    });
  }

  #adopt(
    socket: ConstructorParameters<typeof StreamConnection>[0]['socket'],
    opening: StreamOpening,
    ends: {
      readonly transport: 'tcp' | 'tls';
      readonly outgoing: boolean;
      readonly domain: string;
      readonly remoteAddress: string;
      readonly remotePort: number;
      readonly localAddress: string | undefined;
      readonly localPort: number | undefined;
    },
  ): StreamConnection {
    const connection = new StreamConnection({
      socket,
      opening,
      ...ends,
      clock: this.#clock,
      log: this.#log,
      sink: this.#sink,
    });
    this.#connections.add(connection);
    return connection;
  }

  #admit(address: string): boolean {
    const admitted = !this.#lifetime.ended && this.#connections.admits(address);
    if (!admitted) this.#log.warn('sip.listener.too-many-connections', { remote: address });
    return admitted;
  }

  #receiveConnection(listener: StreamListener, arrived: Arrived): void {
    const { socket, opening, ...ends } = arrived;
    const { transport, port: localPort } = listener;
    this.#adopt(socket, opening, { transport, outgoing: false, domain: '', ...ends, localPort });
  }
}
