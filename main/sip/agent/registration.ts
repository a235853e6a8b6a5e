/**
 * Owns: one registration (RFC 3261 §10): register, refresh, retry, unregister.
 * Called by: messenger.ts. Calls: authenticated-request.ts.
 */
import { randomUUID } from 'node:crypto';
import { MESSENGER_LIMITS, type MessengerLimits } from '../../base/limits.ts';
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { silentLog, type Log } from '../../base/log.ts';
import type { DigestClient } from '../digest.ts';
import { parseNameAddr, parseNameAddrList } from '../headers.ts';
import type { SipHeaders } from '../message.ts';
import { addressOfHost, tryParseSipUri } from '../uri.ts';
import type { AgentResponse } from './agent-request.ts';
import type { SipAgent } from './agent.ts';
import { newCallIdentity, sendAuthenticated } from './authenticated-request.ts';

/** `refused` is final until `start` is called again: no retry that could lock the account. */
export type RegistrationStatus =
  | { readonly status: 'stopped' }
  | { readonly status: 'registering' }
  | { readonly status: 'registered'; readonly expiresS: number }
  | { readonly status: 'unreachable'; readonly reason: string; readonly retryMs: number }
  | { readonly status: 'refused'; readonly code: number; readonly reason: string };

export interface RegistrationOptions {
  readonly agent: SipAgent;
  /** Address of record without scheme: `bob@example.org`. */
  readonly address: string;
  readonly displayName?: string;
  /** Contact as a name-addr; `@localhost` in it is replaced by the engine with its own address. */
  readonly contact: string;
  readonly nextHop: string;
  readonly digest: DigestClient;
  /** The same in each run of one profile: a device that comes back replaces itself (RFC 5626 §4.1). Default: new. */
  readonly instanceId?: string;
  readonly expiresS?: number;
  /** Default: `MESSENGER_LIMITS`. */
  readonly limits?: MessengerLimits;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly onChange: (status: RegistrationStatus) => void;
}

/** Keeps one address registered. */
export class Registration implements AsyncDisposable {
  readonly #options: RegistrationOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #call = newCallIdentity();
  readonly #instance: string;
  readonly #limits: MessengerLimits;
  #status: RegistrationStatus = { status: 'stopped' };
  #timer: Timer | undefined;
  #expiresS: number;
  #retryMs: number;
  #generation = 0;
  #registered = false;
  /** A REGISTER is under way. */
  #asking = false;
  /** Our Contact as the engine wrote it. */
  #contactUri: string | undefined;
  #serverAddress: string | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#limits = options.limits ?? MESSENGER_LIMITS;
    this.#instance = `urn:uuid:${options.instanceId ?? randomUUID()}`;
    this.#expiresS = options.expiresS ?? this.#limits.registrationExpiresS;
    this.#retryMs = this.#limits.registrationRetryFirstMs;
  }

  get status(): RegistrationStatus {
    return this.#status;
  }

  /** Our own address on the way to the server, as the engine wrote it into the Contact; undefined before. */
  get localHost(): string | undefined {
    const host = tryParseSipUri(this.#contactUri ?? '')?.host;
    return host === undefined ? undefined : addressOfHost(host);
  }

  /** Where the server's answers come from; undefined before the first one. */
  get serverAddress(): string | undefined {
    return this.#serverAddress;
  }

  /** Registers now, and stays registered. Also used to try at once after a network change. */
  start(): void {
    this.#retryMs = this.#limits.registrationRetryFirstMs;
    void this.#register();
  }

  /** Something did not reach the server: asks at once whether it is there, instead of at the next refresh. */
  check(): void {
    if (this.#status.status === 'registered' && !this.#asking) void this.#register();
  }

  /** The server has refused our credentials for another request: nothing more is tried with them. */
  receiveRefusal(code: number, reason: string): void {
    if (this.#status.status !== 'registered' && this.#status.status !== 'registering') return;
    this.#generation += 1;
    this.#timer?.[Symbol.dispose]();
    this.#refuse(code, reason);
  }

  /** Takes the registration back and stops. Resolves when the server has answered or cannot be reached. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#generation += 1;
    this.#timer?.[Symbol.dispose]();
    const { agent } = this.#options;
    // One that is under way may yet be granted: it is taken back as well.
    if ((this.#registered || this.#asking) && agent.connected) {
      this.#registered = false;
      const answered = this.#send(0).catch(() => undefined);
      const waited = Promise.withResolvers<undefined>();
      using _limit = this.#clock.startTimer(UNREGISTER_MS, () => {
        waited.resolve(undefined);
      });
      await Promise.race([answered, waited.promise]);
    }
    this.#change({ status: 'stopped' });
  }

  async #register(): Promise<void> {
    const generation = ++this.#generation;
    this.#timer?.[Symbol.dispose]();
    if (!this.#registered) this.#change({ status: 'registering' });
    let response: AgentResponse | undefined;
    let failure = '';
    this.#asking = true;
    try {
      response = await this.#send(this.#expiresS);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (generation === this.#generation) this.#asking = false;
    if (generation !== this.#generation) return;
    if (response === undefined) this.#retryLater(failure);
    else this.#receiveAnswer(response);
  }

  #send(expiresS: number): Promise<AgentResponse> {
    const { agent, address, displayName, contact, nextHop, digest } = this.#options;
    const name =
      displayName === undefined || displayName === '' ? '' : `"${displayName.replace(/["\\\r\n]/g, '')}" `;
    const aor = `${name}<sip:${address}>`;
    return sendAuthenticated(
      agent,
      {
        method: 'REGISTER',
        uri: `sip:${address.slice(address.lastIndexOf('@') + 1)}`,
        from: aor,
        to: aor,
        nextHop,
        digest,
        headers: {
          Contact: `${contact};expires=${expiresS};+sip.instance="<${this.#instance}>";reg-id=1`,
          Expires: String(expiresS),
          Supported: 'path, outbound',
        },
      },
      this.#call,
      (sent) => {
        void sent.sent.then((request) => {
          const contact = request.headers.get('contact');
          if (contact !== undefined) this.#contactUri = parseNameAddr(contact).uri;
        }, ignore);
      },
    );
  }

  #receiveAnswer(response: AgentResponse): void {
    const { status, reason, message } = response;
    if (response.source.address !== '') this.#serverAddress = response.source.address;
    if (status >= 200 && status < 300) {
      this.#registered = true;
      this.#retryMs = this.#limits.registrationRetryFirstMs;
      const expiresS = grantedSeconds(message.headers, this.#contactUri, this.#expiresS);
      // Refresh at half of the time, so that one lost refresh costs nothing.
      this.#again(Math.max(1_000, expiresS * 500));
      this.#change({ status: 'registered', expiresS });
      return;
    }
    if (status === 423 && this.#lengthen(message.headers)) {
      void this.#register();
      return;
    }
    const retryable = status === 408 || status === 480 || (status >= 500 && status < 600);
    if (retryable) {
      this.#retryLater(`${status} ${reason}`);
      return;
    }
    this.#refuse(status, reason);
  }

  /** RFC 3261 §10.2.8: the server wants a longer lifetime. False when it asks for none, or for too much. */
  #lengthen(headers: SipHeaders): boolean {
    const wanted = Number(headers.get('min-expires') ?? NaN);
    if (!Number.isInteger(wanted) || wanted <= this.#expiresS) return false;
    if (wanted > this.#limits.registrationExpiresMaxS) return false;
    this.#expiresS = wanted;
    return true;
  }

  #refuse(code: number, reason: string): void {
    this.#registered = false;
    this.#log.warn('registration.refused', { status: code, reason });
    this.#change({ status: 'refused', code, reason });
  }

  #retryLater(reason: string): void {
    const retryMs = this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, this.#limits.registrationRetryMaxMs);
    this.#registered = false;
    this.#log.info('registration.unreachable', { reason, retryMs });
    this.#again(retryMs);
    this.#change({ status: 'unreachable', reason, retryMs });
  }

  #again(delayMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.startTimer(delayMs, () => void this.#register());
  }

  #change(status: RegistrationStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.status === 'registered' && status.status === 'registered') return;
    this.#options.onChange(status);
  }
}

/** How long we wait for the answer to the unregistering REGISTER at shutdown. */
const UNREGISTER_MS = 1_000;

function ignore(): void {
  // The failure is told by the final response.
}

/** The lifetime that the server granted: our Contact's expires, else Expires, else what we asked for. */
function grantedSeconds(headers: SipHeaders, ours: string | undefined, asked: number): number {
  const granted: number[] = [];
  try {
    const contacts = headers.getAll('contact').flatMap(parseNameAddrList);
    // The other Contacts are other devices'; a server that writes ours in another way shows it among all.
    const own = contacts.filter(({ uri }) => uri === ours);
    for (const contact of own.length > 0 ? own : contacts) {
      const expires = Number(contact.params.get('expires'));
      if (Number.isInteger(expires) && expires > 0) granted.push(expires);
    }
  } catch {
    // A Contact that cannot be read says nothing about the lifetime.
  }
  const header = Number(headers.get('expires') ?? NaN);
  if (granted.length > 0) return Math.min(...granted, asked);
  return Number.isInteger(header) && header > 0 ? Math.min(header, asked) : asked;
}
