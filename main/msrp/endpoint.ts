/**
 * Owns: the listener, all connections and all sessions of one MSRP endpoint; which session a request is for.
 * Called by: the messenger. Calls: listener.ts, dialer.ts, connection.ts, then session.ts with each request.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { systemClock, type Clock } from '../base/clock.ts';
import { Lifetime } from '../base/lifetime.ts';
import { MSRP_LIMITS, type MsrpLimits } from '../base/limits.ts';
import { MSRP_NETWORK_LIMITS, type MsrpNetworkLimits } from '../base/msrp-network-limits.ts';
import { silentLog, type Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { WireTap } from '../base/wire-tap.ts';
import { MsrpConnection, type MsrpFrameReceiver, type MsrpFrameSink } from './connection.ts';
import { dialMsrpPeer, type MsrpDialTarget } from './dialer.ts';
import { MsrpListener } from './listener.ts';
import type { MsrpHead } from './message.ts';
import { NICKNAME_METHOD } from './nickname.ts';
import { AnsweredFrame, IGNORED_FRAME } from './receiving.ts';
import { sendResponse } from './reports.ts';
import { sharedConnectionKey, SharedConnections } from './shared-connections.ts';
import {
  MsrpSession,
  type MsrpSessionDelegate,
  type MsrpSessionHost,
  type MsrpSessionRelay,
} from './session.ts';
import { MsrpRelayChunks } from './relay-chunks.ts';
import { MsrpSessionError } from './session-error.ts';
import { MsrpReads } from './reads.ts';
import { trustText, type MsrpTrust } from './tls-client.ts';
import { MsrpTls } from './tls-context.ts';
import type { MsrpIdentity } from './tls-identity.ts';
import { buildMsrpUri, msrpUrisEqual, parseMsrpPath } from './uri.ts';

/** What an endpoint is made of; `limits` replaces single ceilings of `MSRP_LIMITS`. */
export interface MsrpEndpointOptions {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly tap?: WireTap;
  readonly limits?: Partial<MsrpLimits>;
  readonly networkLimits?: Partial<MsrpNetworkLimits>;
  /** Authorities as PEM text that are trusted for relays, beside those of the system. */
  readonly ca?: readonly string[];
}

/** What a new session is to be. */
export interface MsrpCreateSessionOptions {
  /** The address in the local path. */
  readonly advertisedHost: string;
  /** As announced by `a=accept-types`; anything else is answered with 415. */
  readonly acceptTypes: readonly string[];
  readonly delegate: MsrpSessionDelegate;
  /** A smaller ceiling than `MSRP_LIMITS.maxMessageBytes`. */
  readonly maxMessageBytes?: number;
  /** `msrps`: nothing is spoken in the clear. */
  readonly encrypted?: boolean;
  /** Over TLS a peer that announces no fingerprint is taken without proof. */
  readonly unprovenAllowed?: boolean;
  /** A relay of ours, which has let us in. */
  readonly relay?: MsrpSessionRelay;
}

/** 96 random bits (RFC 4975 §14.1 asks for 80). */
const SESSION_ID_BYTES = 12;

/** One MSRP endpoint: a listener and any number of sessions (RFC 4975). */
export class MsrpEndpoint implements MsrpFrameReceiver, MsrpSessionHost, AsyncDisposable {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: MsrpLimits;
  readonly networkLimits: MsrpNetworkLimits;
  readonly relayChunks: MsrpRelayChunks;
  readonly #tls: MsrpTls;
  readonly #tap: WireTap | undefined;
  readonly #lifetime = new Lifetime();
  readonly #sessions = new Map<string, MsrpSession>();
  /** By the text of their URI, for peers that copy it as it is. */
  readonly #sessionsByUri = new Map<string, MsrpSession>();
  readonly #connections = new Set<MsrpConnection>();
  readonly #shared = new SharedConnections();
  readonly #listener: MsrpListener;
  #port: number | undefined;

  constructor(options: MsrpEndpointOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.log = options.log ?? silentLog;
    this.limits = { ...MSRP_LIMITS, ...options.limits };
    this.networkLimits = { ...MSRP_NETWORK_LIMITS, ...options.networkLimits };
    this.relayChunks = new MsrpRelayChunks(this.networkLimits, this.limits.sendChunkBytes);
    this.#tls = new MsrpTls(options.ca);
    this.#tap = options.tap;
    this.#listener = this.#lifetime.own(
      new MsrpListener({
        clock: this.clock,
        limits: { ...this.limits, ...this.networkLimits },
        tls: () => this.#tls.listening(),
        receiveSocket: (socket) => this.#receiveSocket(socket),
      }),
    );
    this.#lifetime.defer(() => this.#closeConnections());
    this.#lifetime.defer(() => this.#closeSessions());
  }

  /** Starts to listen; port 0 takes any free port. Rejects with the system's error. */
  async listen(where: { host: string; port: number }): Promise<{ host: string; port: number }> {
    const bound = await this.#listener.listen(where);
    this.#port = bound.port;
    return bound;
  }

  /** Where it listens. Throws `MSRP_BAD_STATE` before `listen`. */
  get port(): number {
    if (this.#port === undefined)
      throw new MsrpSessionError('MSRP_BAD_STATE', 'the endpoint does not listen');
    return this.#port;
  }

  /** Open connections, accepted and opened. */
  get connectionCount(): number {
    return this.#connections.size;
  }

  /** The certificate that this endpoint shows; made when it is first asked for. */
  identity(): Promise<MsrpIdentity> {
    return this.#tls.identity();
  }

  /** Allocates a session-id and a local path with the listener's port. Throws `MSRP_BAD_STATE` before `listen`. */
  createSession(options: MsrpCreateSessionOptions): MsrpSession {
    if (this.#port === undefined || this.#lifetime.ended) {
      throw new MsrpSessionError('MSRP_BAD_STATE', 'the endpoint does not listen');
    }
    const sessionId = randomBytes(SESSION_ID_BYTES).toString('hex');
    const { maxMessageBytes = this.limits.maxMessageBytes, relay } = options;
    const uri = buildMsrpUri({
      scheme: options.encrypted === true ? 'msrps' : 'msrp',
      host: options.advertisedHost,
      port: this.#port,
      sessionId,
    });
    const session = new MsrpSession(this, {
      sessionId,
      localPath: [...(relay?.usePath ?? []), uri],
      relay,
      unprovenAllowed: options.unprovenAllowed ?? false,
      acceptTypes: options.acceptTypes,
      delegate: options.delegate,
      limits: {
        ...this.limits,
        maxMessageBytes: Math.min(maxMessageBytes, this.limits.maxMessageBytes),
      },
    });
    this.#sessions.set(sessionId, session);
    this.#sessionsByUri.set(uri.text, session);
    return session;
  }

  async dial(
    target: MsrpDialTarget,
    { localHost, trust, signal, alone }: Parameters<MsrpSessionHost['dial']>[1],
  ): Promise<MsrpConnection> {
    if (alone) return this.connect(target, { localHost, trust, signal });
    const secure = target.scheme === 'msrps';
    // Whom the far end proved to be belongs to the key: a connection is shared by what expects the same of it.
    const key = `${sharedConnectionKey(target, localHost)} ${trustText(secure ? trust : undefined)}`;
    const open = this.#shared.find(key, this.limits.maxSharingSessions);
    if (open !== undefined) return open;
    const connection = await this.connect(target, { localHost, trust, signal });
    this.#shared.add(key, connection);
    return connection;
  }

  /** Opens a connection that nobody else uses. Rejects with MsrpSessionError. */
  async connect(
    target: MsrpDialTarget,
    options: { localHost: string; trust: MsrpTrust; signal: AbortSignal | undefined },
  ): Promise<MsrpConnection> {
    const { localHost, trust, signal } = options;
    const { signal: ours } = this.#lifetime;
    const context =
      target.scheme === 'msrp'
        ? undefined
        : trust.kind === 'authority'
          ? this.#tls.authorities()
          : await this.#tls.direct();
    const reads = new MsrpReads();
    const socket = await dialMsrpPeer(target, {
      reads,
      clock: this.clock,
      timeoutMs: this.limits.connectTimeoutMs,
      preferredLocalHost: localHost,
      signal: signal === undefined ? ours : AbortSignal.any([signal, ours]),
      ...(context === undefined ? {} : { tls: { context, trust } }),
    });
    return this.#openConnection(socket, reads);
  }

  forget(session: MsrpSession): void {
    this.#sessions.delete(session.sessionId);
    this.#sessionsByUri.delete(session.uri.text);
  }

  /** A frame begins (step 3 of the way of a SEND). */
  receiveHead(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink | undefined {
    if (head.method === '') {
      this.#receiveResponse(connection, head);
      return IGNORED_FRAME;
    }
    try {
      return this.#receiveRequest(connection, head);
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.answer === 'close') throw error;
      return new AnsweredFrame(connection, head, error.answer);
    }
  }

  /** To whose request this is an answer: the session that it names, else whoever knows its transaction. */
  #receiveResponse(connection: MsrpConnection, head: MsrpHead): void {
    const named = this.#sessionsByUri.get(head.toPath ?? '');
    if (named !== undefined && connection.users.has(named) && named.receiveResponse(head)) return;
    for (const user of connection.users) if (user.receiveResponse(head)) return;
  }

  receiveFault(connection: MsrpConnection, error: ProtocolError, head: MsrpHead | undefined): void {
    this.log.warn('msrp.connection.fault', { remote: connection.remote, code: error.code });
    if (error.answer !== 'close' && head !== undefined) sendResponse(connection, head, error.answer);
  }

  receiveBug(connection: MsrpConnection, error: unknown): void {
    this.log.error('msrp.connection.bug', { remote: connection.remote, error });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #receiveRequest(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink | undefined {
    if (head.fromPath === undefined) throw new ProtocolError('MSRP_NO_FROM_PATH', 'close', 'no From-Path');
    if (head.fault !== undefined) throw head.fault;
    if (head.toPath === undefined) throw new ProtocolError('MSRP_NO_TO_PATH', 400, 'no To-Path');
    const isNickname = head.method === NICKNAME_METHOD;
    if (!isNickname && head.method !== 'SEND' && head.method !== 'VISIT' && head.method !== 'REPORT') {
      return new AnsweredFrame(connection, head, 501);
    }
    const session = this.#findSession(head.toPath);
    if (session === undefined) return new AnsweredFrame(connection, head, 481);
    if (isNickname) return session.receiveNickname(connection, head);
    if (connection.users.size >= this.limits.maxSessionsPerConnection && !connection.users.has(session)) {
      return new AnsweredFrame(connection, head, 403);
    }
    const sink = session.receiveRequest(connection, head);
    if (connection.users.size > 0) connection.confirm();
    return sink;
  }

  /** The session that a To-Path names (RFC 4975 §5.4, §6.1): exactly one URI, equal to the session's. */
  #findSession(toPath: string): MsrpSession | undefined {
    const exact = this.#sessionsByUri.get(toPath);
    if (exact !== undefined) return exact;
    const [uri, ...further] = parseMsrpPath(toPath, this.limits.maxPathUris);
    if (uri?.sessionId === undefined || further.length > 0) return undefined;
    const session = this.#sessions.get(uri.sessionId);
    return session !== undefined && msrpUrisEqual(session.uri, uri) ? session : undefined;
  }

  #receiveSocket(socket: Socket | TLSSocket): void {
    if (this.#lifetime.ended) socket.destroy();
    else this.#openConnection(socket);
  }

  /** `reads` are those of a socket that we opened. */
  #openConnection(socket: Socket | TLSSocket, reads?: MsrpReads): MsrpConnection {
    const { clock, limits } = this;
    const security =
      'getPeerX509Certificate' in socket ? { certificate: socket.getPeerX509Certificate()?.raw } : undefined;
    const connection = new MsrpConnection(socket, {
      receiver: this,
      clock,
      limits,
      tap: this.#tap,
      inbound: reads === undefined,
      security,
      reads,
    });
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    return connection;
  }

  async #closeSessions(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
  }

  async #closeConnections(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection[Symbol.asyncDispose]()));
  }
}
