/**
 * Owns: our place at a relay: the connection to it, AUTH, the Use-Path, and its renewal (RFC 4976 §5.1).
 * Called by: the messenger, when a session is to go through a relay. Calls: endpoint.ts, relay-auth.ts.
 */
import { randomBytes } from 'node:crypto';
import { monotonicMs, type Timer } from '../base/clock.ts';
import type { MsrpConnection, MsrpConnectionUser } from './connection.ts';
import type { MsrpEndpoint } from './endpoint.ts';
import type { MsrpHead } from './message.ts';
import { chooseChallenge, formatAuthorization, type RelayChallenge } from './relay-auth.ts';
import type { RelayServer } from './relay-servers.ts';
import { MsrpSessionError } from './session-error.ts';
import type { MsrpSessionRelay } from './session-peer.ts';
import { createTransactionId } from './transactions.ts';
import { buildMsrpUri, parseMsrpPath, type MsrpUri } from './uri.ts';

/** What a client of relays is made of. */
export interface MsrpRelayClientOptions {
  readonly endpoint: MsrpEndpoint;
  readonly user: string;
  readonly password: string;
  /** In the order in which they are tried. */
  findServers(): Promise<readonly RelayServer[]>;
  /** Our own address, for the From-Path of AUTH. */
  localHost(): string;
}

/** A relay answered that it does not let us in; asking again with the same password would lock the account. */
const REFUSED = 'MSRP_RELAY_REFUSED';

/** The relays of one account: one binding at a time, made when it is first needed, and renewed until the end. */
export class MsrpRelayClient implements AsyncDisposable {
  readonly #options: MsrpRelayClientOptions;
  readonly #abort = new AbortController();
  readonly #deadUntil = new Map<string, number>();
  #binding: RelayBinding | undefined;
  #pending: Promise<RelayBinding> | undefined;
  /** Why no relay is asked any more. */
  #refused: MsrpSessionError | undefined;

  constructor(options: MsrpRelayClientOptions) {
    this.#options = options;
  }

  /** The relay that we are bound to now. */
  get server(): RelayServer | undefined {
    return this.#binding?.server;
  }

  /** A place at a relay, the one that we have or at the first one that lets us in. Rejects with MsrpSessionError. */
  async bind(): Promise<MsrpSessionRelay> {
    if (this.#binding?.usable === true) return this.#binding.relay;
    this.#pending ??= this.#bindAnew().finally(() => {
      this.#pending = undefined;
    });
    return (await this.#pending).relay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#pending?.catch(() => undefined);
    this.#binding?.[Symbol.dispose]();
  }

  async #bindAnew(): Promise<RelayBinding> {
    if (this.#refused !== undefined) throw this.#refused;
    const { endpoint } = this.#options;
    const now = monotonicMs(endpoint.clock);
    const isDead = ({ uri }: RelayServer): boolean => (this.#deadUntil.get(uri.text) ?? 0) > now;
    const servers = (await this.#options.findServers()).toSorted(
      (a, b) => Number(isDead(a)) - Number(isDead(b)),
    );
    let failure = new MsrpSessionError('MSRP_NO_RELAY', 'no relay is known');
    for (const server of servers) {
      try {
        this.#binding = await RelayBinding.open(this.#options, server, this.#abort.signal, () => {
          this.#receiveLost(server);
        });
        this.#deadUntil.delete(server.uri.text);
        return this.#binding;
      } catch (error) {
        if (!(error instanceof MsrpSessionError)) throw error;
        failure = error;
        endpoint.log.warn('msrp.relay.failed', { relay: server.uri.text, code: error.code });
        if (error.code === REFUSED) {
          this.#refused = error;
          break;
        }
        if (this.#abort.signal.aborted) break;
        this.#deadUntil.set(server.uri.text, now + endpoint.networkLimits.deadRelayMs);
      }
    }
    throw failure;
  }

  /** The relay has died: the next one is there by the time that somebody asks. */
  #receiveLost(server: RelayServer): void {
    const { endpoint } = this.#options;
    this.#binding = undefined;
    this.#deadUntil.set(server.uri.text, monotonicMs(endpoint.clock) + endpoint.networkLimits.deadRelayMs);
    if (this.#abort.signal.aborted) return;
    endpoint.log.warn('msrp.relay.lost', { relay: server.uri.text });
    this.bind().catch(() => undefined);
  }
}

interface Answer {
  readonly status: number;
  readonly header: (name: string) => readonly string[];
}

/** Being let in at one relay, on one connection. */
class RelayBinding implements MsrpConnectionUser, Disposable {
  readonly server: RelayServer;
  readonly #options: MsrpRelayClientOptions;
  readonly #connection: MsrpConnection;
  readonly #receiveLost: () => void;
  readonly #fromPath: MsrpUri;
  readonly #answers = new Map<string, (answer: Answer) => void>();
  #challenge: RelayChallenge | undefined;
  #count = 0;
  #withUri = true;
  /** Asked for only once a relay has named a range: some fall over a lifetime that they did not ask about. */
  #expiresS: number | undefined;
  #usePath: readonly MsrpUri[] = [];
  #refresh: Timer | undefined;
  #ended = false;

  private constructor(
    options: MsrpRelayClientOptions,
    server: RelayServer,
    connection: MsrpConnection,
    receiveLost: () => void,
  ) {
    this.#options = options;
    this.server = server;
    this.#connection = connection;
    this.#receiveLost = receiveLost;
    this.#fromPath = buildMsrpUri({
      scheme: server.uri.scheme,
      host: options.localHost(),
      port: options.endpoint.port,
      sessionId: randomBytes(12).toString('hex'),
    });
    connection.users.add(this);
  }

  static async open(
    options: MsrpRelayClientOptions,
    server: RelayServer,
    signal: AbortSignal,
    receiveLost: () => void,
  ): Promise<RelayBinding> {
    const { endpoint } = options;
    const connection = await endpoint.connect(server.uri, {
      localHost: options.localHost(),
      trust:
        server.fingerprint === undefined
          ? { kind: 'authority', name: server.name }
          : { kind: 'fingerprint', announced: [server.fingerprint] },
      signal,
    });
    const binding = new RelayBinding(options, server, connection, receiveLost);
    try {
      await binding.#authenticate();
      return binding;
    } catch (error) {
      binding[Symbol.dispose]();
      throw error;
    }
  }

  get usable(): boolean {
    return !this.#ended && this.#connection.writable;
  }

  get relay(): MsrpSessionRelay {
    return { usePath: this.#usePath, connection: this.#connection };
  }

  receiveResponse(head: MsrpHead): boolean {
    const answer = this.#answers.get(head.transactionId);
    this.#answers.delete(head.transactionId);
    answer?.({
      status: head.status,
      header: (name) =>
        head.others.filter((one) => one.name.toLowerCase() === name).map(({ value }) => value),
    });
    return answer !== undefined;
  }

  receiveConnectionEnd(): void {
    const wasBound = this.#usePath.length > 0 && !this.#ended;
    this[Symbol.dispose]();
    if (wasBound) this.#receiveLost();
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#refresh?.[Symbol.dispose]();
    for (const answer of this.#answers.values()) answer({ status: 0, header: () => [] });
    this.#answers.clear();
    this.#connection.leave(this);
  }

  /** AUTH until the relay says yes, or no for good. */
  async #authenticate(): Promise<void> {
    const { networkLimits } = this.#options.endpoint;
    let fresh = false;
    for (let round = 0; round < networkLimits.maxRelayAuths; round++) {
      const answer = await this.#ask();
      switch (answer.status) {
        case 200:
          this.#receiveAccepted(answer);
          return;
        case 401: {
          const challenge = chooseChallenge(answer.header('www-authenticate'));
          if (challenge === undefined)
            throw this.#failure('asks for a kind of password that is not known here');
          // The second time with a nonce that was not too old: it is the password (RFC 7616 §3.3).
          if (fresh && !challenge.stale) {
            throw this.#failure(`does not take the password of ${this.#options.user}`, REFUSED);
          }
          fresh = true;
          this.#challenge = challenge;
          this.#count = 0;
          break;
        }
        case 403:
          throw this.#failure(`does not let ${this.#options.user} in`, REFUSED);
        case 423:
          this.#receiveOutOfBounds(answer);
          break;
        case 408:
          // One relay never answers when there is a `uri` in the Authorization.
          if (this.#challenge === undefined || !this.#withUri) throw this.#failure('does not answer');
          this.#withUri = false;
          break;
        default:
          throw this.#failure(answer.status === 0 ? 'has gone' : `answers ${answer.status}`);
      }
    }
    throw this.#failure('asks again and again');
  }

  #receiveAccepted(answer: Answer): void {
    const { clock, limits, networkLimits } = this.#options.endpoint;
    const [usePath = ''] = answer.header('use-path');
    try {
      this.#usePath = parseMsrpPath(usePath, limits.maxPathUris - 1);
    } catch {
      throw this.#failure('names no Use-Path');
    }
    const expiresS =
      clampExpires(Number(answer.header('expires')[0]), networkLimits) ??
      this.#expiresS ??
      networkLimits.relayExpiresS;
    this.#refresh?.[Symbol.dispose]();
    this.#refresh = clock.startTimer(expiresS * 1_000 * networkLimits.relayRefreshShare, () => {
      this.#authenticate().catch(() => {
        // What goes through this relay may go on until it says otherwise; the next session asks another one.
        this.receiveConnectionEnd();
      });
    });
  }

  /** RFC 4976 §5.1: 423 says in which range a lifetime has to be. */
  #receiveOutOfBounds(answer: Answer): void {
    const { networkLimits } = this.#options.endpoint;
    const least = clampExpires(Number(answer.header('min-expires')[0]), networkLimits);
    const most = clampExpires(Number(answer.header('max-expires')[0]), networkLimits);
    const wanted = Math.min(
      most ?? Infinity,
      Math.max(least ?? 0, this.#expiresS ?? networkLimits.relayExpiresS),
    );
    if (wanted === this.#expiresS) throw this.#failure('agrees to no lifetime');
    this.#expiresS = wanted;
  }

  #ask(): Promise<Answer> {
    const { user, password, endpoint } = this.#options;
    const id = createTransactionId();
    const uri = this.server.uri.text;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    if (!this.usable) return Promise.resolve({ status: 0, header: () => [] });
    const challenge = this.#challenge;
    const authorization =
      challenge === undefined
        ? ''
        : `Authorization: ${formatAuthorization(challenge, { user, password }, { uri, count: ++this.#count, withUri: this.#withUri })}\r\n`;
    const expires = this.#expiresS === undefined ? '' : `Expires: ${this.#expiresS}\r\n`;
    const timer = endpoint.clock.startTimer(endpoint.networkLimits.relayAnswerMs, () => {
      this.#answers.delete(id);
      resolve({ status: 408, header: () => [] });
    });
    this.#answers.set(id, (answer) => {
      timer[Symbol.dispose]();
      resolve(answer);
    });
    this.#connection.sendFrame(
      `MSRP ${id} AUTH\r\nTo-Path: ${uri}\r\nFrom-Path: ${this.#fromPath.text}\r\n${expires}${authorization}-------${id}$\r\n`,
    );
    return promise;
  }

  #failure(what: string, code: `MSRP_${string}` = 'MSRP_RELAY_FAILED'): MsrpSessionError {
    return new MsrpSessionError(code, `the relay ${this.server.uri.host} ${what}`);
  }
}

function clampExpires(
  seconds: number,
  { relayExpiresMinS, relayExpiresMaxS }: { relayExpiresMinS: number; relayExpiresMaxS: number },
): number | undefined {
  if (!Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(relayExpiresMaxS, Math.max(relayExpiresMinS, Math.floor(seconds)));
}
