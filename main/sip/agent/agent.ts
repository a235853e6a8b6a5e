/**
 * Owns: the connection to a SIP engine (embedded, or a drachtio server) and the routing of requests.
 * Called by: registration.ts, invite.ts, pager-message.ts, imserver. Calls: drachtio-srf through drachtio.ts.
 *
 * Everything that drachtio-srf calls back runs inside its frame reader, where an exception would replay the frame
 * for ever; so every callback here is guarded, and messages are read with our own parser from their raw text.
 */
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { Lifetime } from '../../base/lifetime.ts';
import { silentLog, type Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { createSrf, type DrachtioRequest, type DrachtioResponse, type DrachtioSrf } from './drachtio.ts';
import { AgentRequest } from './agent-request.ts';
import { AgentServerRequest } from './agent-server-request.ts';
import { EngineError, toDrachtioHeaders, type OutgoingHeaders } from './outgoing.ts';

/** How the agent reaches its engine. */
export type EngineLink =
  /** The embedded engine dials this Unix socket or named pipe. */
  | { readonly kind: 'listen'; readonly path: string; readonly secret: string }
  /** A drachtio server listens there. */
  | { readonly kind: 'connect'; readonly host: string; readonly port: number; readonly secret: string };

/** A request to send. Without `dialogId` it is outside of any dialog and needs `uri`. */
export interface OutgoingRequest {
  readonly method: string;
  readonly uri?: string;
  readonly headers?: OutgoingHeaders;
  readonly body?: string;
  /** Next hop as a SIP URI, while `uri` stays the request-URI. */
  readonly nextHop?: string;
  readonly dialogId?: string;
}

/** Answers a request; a rejection is logged and answered 500. */
export type RequestHandler = (request: AgentServerRequest) => void | Promise<void>;

/** Methods that a drachtio server is asked to route to us. */
const ROUTED = [
  'invite',
  'message',
  'options',
  'info',
  'notify',
  'register',
  'refer',
  'subscribe',
  'publish',
];

/** Requests that may wait for their handlers; a server makes them in far less than a second. */
const MAX_HELD = 1_000;
/** A drachtio server that is away is dialled again at least this often. */
const REDIAL_MAX_MS = 5_000;

/** A SIP user agent: sends requests, hands incoming ones to the handler of their method. */
export class SipAgent implements AsyncDisposable {
  readonly #link: EngineLink;
  readonly #log: Log;
  readonly #lifetime = new Lifetime();
  readonly #handlers = new Map<string, RequestHandler>();
  readonly #dialogHandlers = new Map<string, RequestHandler>();
  readonly #connectionLost = new Set<() => void>();
  readonly #whenIn = new Set<() => void>();
  readonly #srf: DrachtioSrf = createSrf();
  readonly #pending = new Set<AgentRequest>();
  #connection = new AbortController();
  readonly #whenConnected = Promise.withResolvers<void>();
  /** What came before there were handlers; undefined: requests are not held. */
  #held: AgentServerRequest[] | undefined;
  #connected = false;
  #hostports: readonly string[] = [];

  /** `holdsRequests`: requests from outside wait for `releaseRequests`, because who answers them is still being made. */
  constructor(options: { link: EngineLink; log?: Log; holdsRequests?: boolean }) {
    this.#link = options.link;
    this.#held = options.holdsRequests === true ? [] : undefined;
    this.#log = options.log ?? silentLog;
  }

  /** `udp/192.0.2.1:5060`, `tcp/…`: where the engine listens. Empty before it has connected. */
  get hostports(): readonly string[] {
    return this.#hostports;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Resolves when the engine has let us in; at once when it has already. */
  get whenConnected(): Promise<void> {
    return this.#whenConnected.promise;
  }

  /** Answers requests of `method` (upper case, or `*` for the rest) outside of dialogs. */
  handle(method: string, handler: RequestHandler): void {
    this.#handlers.set(method, handler);
  }

  /** All handlers are there: what has waited for them is answered now, in its order. */
  releaseRequests(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const request of held) this.#guard(() => this.#dispatch(request));
  }

  /** Answers requests inside one dialog. Returns the release. */
  handleDialog(dialogId: string, handler: RequestHandler): () => void {
    this.#dialogHandlers.set(dialogId, handler);
    return () => {
      if (this.#dialogHandlers.get(dialogId) === handler) this.#dialogHandlers.delete(dialogId);
    };
  }

  /** `lost` is called when the engine's connection is gone: with it all its dialogs. Returns the release. */
  onConnectionLost(lost: () => void): () => void {
    this.#connectionLost.add(lost);
    return () => this.#connectionLost.delete(lost);
  }

  /** `connected` is called each time that the engine lets us in, also after a loss. Returns the release. */
  onConnected(connected: () => void): () => void {
    this.#whenIn.add(connected);
    return () => this.#whenIn.delete(connected);
  }

  /** Waits for the engine's call (`listen`) or calls the drachtio server (`connect`). Resolves when it may be used. */
  async open(): Promise<void> {
    const srf = this.#srf;
    srf.use((request, response) => {
      this.#receiveRequest(request, response);
    });
    srf.on('error', (error) => this.#log.warn('engine.link-error', { error }));
    srf.on('close', () => {
      this.#receiveConnectionLost();
    });
    srf.on('connect', (error, hostport) => {
      this.#receiveConnect(error, hostport);
    });
    if (this.#link.kind === 'listen') {
      await this.#listen(this.#link.path, this.#link.secret);
      return;
    }
    const { host, port, secret } = this.#link;
    for (const method of ROUTED) srf.use(method, () => undefined);
    const connected = new Promise<void>((resolve, reject) => {
      srf.on('connect', (error) => {
        if (error) reject(new EngineError('ENGINE_REFUSED', 'The drachtio server refused the secret.'));
        else resolve();
      });
    });
    this.#lifetime.defer(() => {
      this.#endLink();
    });
    srf.connect({ host, port, secret, enablePing: true, reconnect: { retryMaxDelay: REDIAL_MAX_MS } });
    await connected;
  }

  /** Sends a request. What became of it is told by the returned object. */
  sendRequest(request: OutgoingRequest): AgentRequest {
    const sent = new AgentRequest(request.method, this.#log);
    this.#pending.add(sent);
    const forget = () => this.#pending.delete(sent);
    sent.final.then(forget, forget);
    try {
      this.#srf.request(
        {
          method: request.method,
          headers: toDrachtioHeaders(request.headers),
          ...(request.uri === undefined ? {} : { uri: request.uri }),
          ...(request.body === undefined ? {} : { body: request.body }),
          ...(request.nextHop === undefined ? {} : { proxy: request.nextHop }),
          ...(request.dialogId === undefined ? {} : { stackDialogId: request.dialogId }),
        },
        (error, echo) => {
          this.#guard(() => {
            if (echo !== undefined) sent.receiveEcho(echo);
            else sent.receiveRefusal(asEngineError(error));
          });
        },
      );
    } catch (error) {
      sent.receiveRefusal(
        error instanceof RangeError ? new EngineError('ENGINE_REFUSED', error.message) : notConnected(),
      );
    }
    return sent;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  async #listen(path: string, secret: string): Promise<void> {
    if (process.platform !== 'win32') await rm(path, { force: true });
    const server: Server = createServer({ noDelay: true });
    this.#lifetime.defer(async () => {
      this.#disconnect();
      await new Promise<void>((done) => server.close(() => done()));
    });
    this.#srf.listen({ server, secret });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    });
  }

  #disconnect(): void {
    if (this.#connected) this.#endLink();
  }

  #endLink(): void {
    try {
      this.#srf.disconnect();
    } catch (error) {
      this.#log.debug('engine.disconnect-failed', { error });
    }
  }

  #receiveConnect(error: unknown, hostport: string): void {
    if (error) {
      this.#log.error('engine.authentication-failed');
      return;
    }
    this.#connected = true;
    this.#connection = new AbortController();
    this.#hostports = hostport.split(',');
    this.#whenConnected.resolve();
    this.#log.debug('engine.connected', { hostport });
    for (const connected of this.#whenIn) this.#guard(connected);
  }

  #receiveConnectionLost(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#dialogHandlers.clear();
    this.#connection.abort();
    for (const request of this.#pending) request.receiveRefusal(notConnected());
    for (const lost of this.#connectionLost) this.#guard(lost);
  }

  #receiveRequest(request: DrachtioRequest, response: DrachtioResponse): void {
    this.#guard(() => {
      const incoming = new AgentServerRequest(request, response, this.#connection.signal, this.#log);
      if (this.#held === undefined) this.#dispatch(incoming);
      else if (this.#held.length < MAX_HELD) this.#held.push(incoming);
      else void incoming.respond(503, { headers: { 'Retry-After': '1' } });
    });
  }

  #dispatch(incoming: AgentServerRequest): void {
    const inDialog =
      incoming.dialogId === undefined ? undefined : this.#dialogHandlers.get(incoming.dialogId);
    if (inDialog !== undefined) {
      this.#run(inDialog, incoming);
      return;
    }
    if (incoming.method === 'ACK') return;
    if (incoming.dialogId !== undefined && incoming.method !== 'INVITE' && incoming.method !== 'SUBSCRIBE') {
      void incoming.respond(481);
      return;
    }
    const handler = this.#handlers.get(incoming.method) ?? this.#handlers.get('*');
    if (handler === undefined) void incoming.respond(405, { headers: { Allow: this.#allowed() } });
    else this.#run(handler, incoming);
  }

  #allowed(): string {
    const methods = [...this.#handlers.keys()].filter((method) => method !== '*');
    return [...methods, ...(methods.includes('INVITE') ? ['ACK', 'BYE', 'CANCEL'] : [])].join(', ');
  }

  #run(handler: RequestHandler, request: AgentServerRequest): void {
    void (async () => {
      try {
        await handler(request);
      } catch (error) {
        const mistake = error instanceof ProtocolError && typeof error.answer === 'number' ? error.answer : 0;
        if (mistake > 0) this.#log.info('request.refused', { method: request.method, error });
        else this.#log.error('request.handler-failed', { method: request.method, error });
        if (!request.answered) await request.respond(mistake || 500);
      }
    })();
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error('engine.callback-failed', { error });
    }
  }
}

function notConnected(): EngineError {
  return new EngineError('ENGINE_NOT_CONNECTED', 'The SIP engine is not connected.');
}

function asEngineError(error: unknown): EngineError {
  const message = error instanceof Error ? error.message : String(error);
  const noDialog = (error as { code?: unknown }).code === 'ENODIALOG';
  return new EngineError(noDialog ? 'NO_DIALOG' : 'ENGINE_REFUSED', message);
}
