/**
 * Owns: one SIP engine: builds, starts and stops its parts.
 * Called by: messenger.ts, imserver.ts, sip/engine/main.ts. Calls: transport.ts, control-server.ts and the cores.
 */
import { networkInterfaces } from 'node:os';
import { systemClock, type Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import { silentLog, type Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { WireTap } from '../../base/wire-tap.ts';
import type { SipMessage } from '../message.ts';
import { hostOfAddress } from '../uri.ts';
import type { Application, ApplicationHandler } from './application.ts';
import { Admission } from './admission.ts';
import { ContactBindings } from './contact-bindings.ts';
import type { EngineContext } from './context.ts';
import type { ControlFrame } from './control-frame.ts';
import { ControlServer } from './control-server.ts';
import { DeadTargets } from './dead-targets.ts';
import { DialogTable } from './dialog-table.ts';
import { CSeqSource } from './ids.ts';
import { InboundRequests } from './inbound-requests.ts';
import { KeepAlives, type LostFlow } from './keep-alive.ts';
import { parseFrameMessage } from './message-builder.ts';
import { OutboundRequests } from './outbound-requests.ts';
import { Resolver } from './resolver.ts';
import type { SipTlsOptions } from './tls-identity.ts';
import { TransactionTable } from './transaction-table.ts';
import { SipTransport, type Listening, type TransportName } from './transport.ts';

export interface SipEngineOptions {
  /** What applications have to show before anything else. */
  readonly secret: string;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Sees every datagram and segment. */
  readonly tap?: WireTap;
  /** Put as User-Agent or Server when the application gave none. */
  readonly userAgent?: string;
  /** Certificates and trust. Without it TLS is possible toward servers that the system trusts. */
  readonly tls?: SipTlsOptions;
  /** DNS servers as `address` or `address:port`; those of the machine unless given. */
  readonly dnsServers?: readonly string[];
  /** Values from 0 up to 1, for the draw among servers and the pauses of keep-alives. */
  readonly random?: () => number;
  /** The addresses that this machine has now; those of its interfaces unless given. */
  readonly ownAddresses?: () => readonly string[];
}

/** How often a port is tried that is free for UDP but perhaps not for TCP. */
const PORT_ATTEMPTS = 20;

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}

function startLineOf(sip: Buffer): string {
  const end = sip.indexOf('\r\n');
  return sip.toString('utf8', 0, end < 0 ? sip.length : end);
}

/**
 * An in-process SIP stack that speaks the server side of the drachtio control protocol. The constructor opens nothing;
 * disposing closes every socket.
 */
export class SipEngine implements AsyncDisposable {
  readonly #lifetime = new Lifetime();
  readonly #context: EngineContext;
  readonly #inbound: InboundRequests;
  readonly #outbound: OutboundRequests;
  readonly #ownAddresses: () => readonly string[];

  constructor(options: SipEngineOptions) {
    const clock = options.clock ?? systemClock;
    const log = (options.log ?? silentLog).with({ part: 'sip.engine' });
    const receiver = {
      receiveMessage: (
        message: SipMessage,
        flow: Parameters<InboundRequests['receiveRequest']>[1],
        bytes: number,
      ) => {
        if (message.kind === 'request') this.#inbound.receiveRequest(message, flow, bytes);
        else this.#inbound.receiveResponse(message, flow, bytes);
      },
      receiveBadRequest: (...bad: Parameters<InboundRequests['receiveBadRequest']>) =>
        this.#inbound.receiveBadRequest(...bad),
      receiveStun: (...answer: Parameters<KeepAlives['receiveStun']>) =>
        this.#context.keepAlives.receiveStun(...answer),
    };
    const transport = this.#lifetime.own(
      new SipTransport({
        clock,
        log,
        receiver,
        ...(options.tap === undefined ? {} : { tap: options.tap }),
        ...(options.tls === undefined ? {} : { tls: options.tls }),
      }),
    );
    const random = options.random ?? Math.random;
    const resolver = this.#lifetime.own(
      new Resolver({
        clock,
        random,
        reaches: (name, address) => transport.reaches(name, address),
        ...(options.dnsServers === undefined ? {} : { servers: options.dnsServers }),
      }),
    );
    const transactions = this.#lifetime.own(new TransactionTable(clock));
    const admission = this.#lifetime.own(new Admission(clock));
    const keepAlives = this.#lifetime.own(new KeepAlives({ clock, log, random, transport, transactions }));
    this.#ownAddresses = options.ownAddresses ?? interfaceAddresses;
    const control = this.#lifetime.own(
      new ControlServer({ secret: options.secret, clock, log, handler: this.#handler() }),
    );
    this.#context = {
      clock,
      log,
      userAgent: options.userAgent,
      transport,
      transactions,
      dialogs: new DialogTable(),
      control,
      cseq: new CSeqSource(clock),
      admission,
      bindings: new ContactBindings(),
      resolver,
      dead: new DeadTargets(clock),
      refusals: new DeadTargets(clock),
      keepAlives,
    };
    this.#inbound = this.#lifetime.own(new InboundRequests(this.#context));
    this.#outbound = this.#lifetime.own(new OutboundRequests(this.#context));
  }

  /**
   * Opens a SIP socket; may be called several times.
   * @throws the error of the operating system (`EADDRINUSE`); Error for TLS without certificate and key
   */
  async listen(where: { transport: TransportName; host: string; port: number }): Promise<Listening> {
    this.#context.admission.start();
    return this.#context.transport.listen(where);
  }

  /** Opens UDP and TCP on the same port. With port 0 a port is chosen that is free on both. */
  async listenBoth(host: string, port: number): Promise<{ host: string; port: number }> {
    this.#context.admission.start();
    for (let attempt = 1; ; attempt += 1) {
      const tcp = await this.#context.transport.listen({ transport: 'tcp', host, port });
      try {
        await this.#context.transport.listen({ transport: 'udp', host, port: tcp.port });
        return { host: tcp.host, port: tcp.port };
      } catch (error) {
        await this.#context.transport.unlisten(tcp);
        if (port !== 0 || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  /** The sockets that are open. */
  get listening(): readonly Listening[] {
    return this.#context.transport.listening;
  }

  /**
   * Outbound mode: connects to the Unix socket or named pipe where an application waits (`srf.listen`), and again
   * whenever that connection ends. Resolves when the application has authenticated, rejects when its secret is wrong.
   */
  async dialApplication(path: string): Promise<void> {
    await this.#context.control.dial(path);
  }

  /** Inbound mode: waits for applications that connect (`srf.connect`). */
  async listenAdmin(where: { host: string; port: number }): Promise<{ host: string; port: number }> {
    return this.#context.control.listen(where);
  }

  /** New certificates: for connections from now on. @throws Error when certificate and key do not fit */
  renewTls(tls: SipTlsOptions): void {
    this.#context.transport.renewTls(tls);
  }

  /**
   * Tells when a flow is gone over which our application had registered: closed by its peer, or without an answer to
   * keep-alives. Returns the unsubscribe.
   */
  onFlowLost(listener: (flow: LostFlow) => void): () => void {
    return this.#context.keepAlives.onFlowLost(listener);
  }

  /**
   * The machine has another network, or has woken up: what is remembered about names and ways is forgotten,
   * connections from an address that is gone are closed, and the others are asked whether they still lead somewhere.
   */
  receiveNetworkChange(): void {
    const { transport, resolver, dead, refusals, keepAlives } = this.#context;
    transport.forgetRoutes();
    resolver.forget();
    dead.clear();
    refusals.clear();
    const own = new Set(this.#ownAddresses());
    for (const connection of transport.connections) {
      const { outgoing, socketAddress } = connection;
      if (outgoing && socketAddress !== undefined && !own.has(socketAddress)) {
        connection.cut(`this machine no longer has the address ${socketAddress}`);
      }
    }
    keepAlives.probe();
  }

  /** How much is going on: for tests, the log and the status view. */
  get load(): {
    readonly clientTransactions: number;
    readonly serverTransactions: number;
    readonly dialogs: number;
  } {
    const { clients, servers } = this.#context.transactions.sizes;
    return { clientTransactions: clients, serverTransactions: servers, dialogs: this.#context.dialogs.size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #handler(): ApplicationHandler {
    const hostports = (): string =>
      this.#context.transport.listening
        .map(({ transport, host, port }) => `${transport}/${hostOfAddress(host)}:${port}`)
        .join(',');
    return {
      get hostports() {
        return hostports();
      },
      receiveAuthenticated: () => this.#context.log.info('control.authenticated'),
      receiveSip: (application, frame, sip) => this.#receiveSip(application, frame, sip),
      receiveProxy: (application, frame) => this.#receiveProxy(application, frame),
      receiveClosed: (application) => {
        if (this.#lifetime.ended) return;
        this.#outbound.abandon(application);
        this.#inbound.abandon(application);
      },
    };
  }

  #receiveSip(application: Application, frame: ControlFrame, sip: Buffer): void {
    let message: SipMessage;
    try {
      message = parseFrameMessage(sip);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      application.sendNok(frame.msgId, `invalid request-uri: ${startLineOf(sip)}`);
      return;
    }
    if (message.kind === 'request') this.#outbound.sendRequest(application, frame, message);
    else this.#inbound.sendResponse(application, frame, message);
  }

  #receiveProxy(application: Application, frame: ControlFrame): void {
    const [transactionId = ''] = frame.tokens;
    const known = this.#inbound.knows(application, transactionId);
    application.sendNok(
      frame.msgId,
      known ? 'proxying is not supported by this engine' : `Unknown transaction id: ${transactionId}`,
    );
  }
}
