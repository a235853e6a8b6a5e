/**
 * Owns: one flow of a registration (RFC 5626 §4.2): register over one way, refresh, try again, unregister.
 * Called by: registration.ts. Calls: authenticated-request.ts, registration-retry.ts, registration-answer.ts.
 */
import type { MessengerLimits } from '../../base/limits.ts';
import { monotonicMs, type Clock, type Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { DigestClient } from '../digest.ts';
import { parseNameAddr, parseVia } from '../headers.ts';
import type { SipHeaders, SipRequest } from '../message.ts';
import { addressOfHost, tryParseSipUri } from '../uri.ts';
import type { AgentResponse } from './agent-request.ts';
import type { SipAgent } from './agent.ts';
import { newCallIdentity, sendAuthenticated } from './authenticated-request.ts';
import { otherDevicesOf } from './copy-request.ts';
import { contactAt, seenAt, type SeenAt } from './learned-contact.ts';
import {
  grantedSeconds,
  isCertificateFault,
  isNobodyThere,
  isUnsent,
  minExpires,
  reasonOf,
  FACTORY_HEADER,
  RELAY_HEADER,
  returnWindowMs,
  secondsOf,
} from './registration-answer.ts';
import { askedWaitMs, earlyWaitMs, lostWaitMs, outboundWaitMs, type Random } from './registration-retry.ts';

/** Refusals that pass: who takes a REGISTER may be being set up just now, as with a proxy that starts (405). */
const PASSING: ReadonlySet<number> = new Set([405, 408, 430, 480]);

/**
 * `refused` by a status is final until `start` is called again: no retry that could lock the account. A certificate is
 * looked at again and again, without a word, until it is right.
 */
export type RegistrationStatus =
  | { readonly status: 'stopped' }
  | { readonly status: 'registering' }
  | { readonly status: 'registered'; readonly expiresS: number }
  | { readonly status: 'unreachable'; readonly reason: string; readonly retryMs: number }
  /** `code` 0: not a status of the server, but its certificate. */
  | { readonly status: 'refused'; readonly code: number; readonly reason: string };

/** One way to the server. */
export interface ServerWay {
  /** Next hop as a SIP URI. */
  readonly nextHop: string;
  /** Route header, when an outbound proxy lies before the server (RFC 3261 §8.1.2). */
  readonly route?: string;
}

/** What a flow has of its registration. */
export interface FlowOptions {
  readonly agent: SipAgent;
  readonly address: string;
  readonly displayName?: string;
  readonly contact: string;
  readonly digest: DigestClient;
  readonly instance: string;
  readonly regId: number;
  readonly features?: () => string;
  readonly onOtherDevices?: (count: number | undefined) => void;
  /** Ways to the same server, the preferred one first: the next is tried when nobody is there at all. */
  readonly ways: readonly ServerWay[];
  readonly limits: MessengerLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly expiresS: number;
  /** The engine sends no keep-alives: the registration itself keeps the flow open (RFC 5626 §4.4, Flow-Timer). */
  readonly keepsAlive?: boolean;
  /** Another flow of the account works. */
  readonly othersWork: () => boolean;
  readonly onChange: (flow: RegistrationFlow, status: RegistrationStatus) => void;
}

/** First Hop Lacks Outbound Support (RFC 5626 §11.6). */
const NO_OUTBOUND = 439;
const LEARN_AGAIN_MS = 10_000;

/** One flow. */
export class RegistrationFlow {
  readonly #options: FlowOptions;
  readonly #limits: MessengerLimits;
  readonly #call = newCallIdentity();
  #status: RegistrationStatus = { status: 'stopped' };
  #timer: Timer | undefined;
  /** The network has changed, and the attempt after that is due. */
  #hurried = false;
  #way = 0;
  #expiresS: number;
  #generation = 0;
  #registered = false;
  /** A REGISTER is under way. */
  #asking = false;
  #outbound = true;
  /** Since when nothing has worked, how often nobody answered, and how often it failed after the first minute. */
  #outage: { readonly sinceMs: number; early: number; failures: number } | undefined;
  /** Where the server sees us, when that is not where we think that we are. */
  #learned: SeenAt | undefined;
  #learnedMs = -Infinity;
  /** The Contact before that, which has to be taken back. */
  #outdated: string | undefined;
  #windowMs = 0;
  #relay: string | undefined;
  #roomFactory: string | undefined;
  #sent: SipRequest | undefined;
  #server: { readonly address: string; readonly port: number } | undefined;

  constructor(options: FlowOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#expiresS = options.expiresS;
  }

  get status(): RegistrationStatus {
    return this.#status;
  }

  /** The way that works, or is tried. */
  get way(): ServerWay {
    return this.#options.ways[this.#way] ?? { nextHop: '' };
  }

  /** Our Contact for this way, as it goes into requests. */
  get contact(): string {
    return contactAt(this.#options.contact, transportOf(this.way), this.#learned);
  }

  /** Our own address on the way to the server; undefined before the first request. */
  get localHost(): string | undefined {
    const via = this.#sent?.headers.list('via')[0];
    return via === undefined ? undefined : addressOfHost(parseVia(via).host);
  }

  /** Where the server's answers come from; undefined before the first one. */
  get serverAddress(): string | undefined {
    return this.#server?.address;
  }

  /** The address that makes chat rooms, as the server has said it; undefined: it has none. */
  get roomFactory(): string | undefined {
    return this.#roomFactory;
  }

  /** What the server has said of its MSRP relay. */
  get relay(): string | undefined {
    return this.#relay;
  }

  /** True when this connection is the flow's. */
  runsOver(flow: { readonly remoteAddress: string; readonly remotePort: number }): boolean {
    return this.#server?.address === flow.remoteAddress && this.#server.port === flow.remotePort;
  }

  /** Registers now, and stays registered. */
  start(): void {
    this.#outage = undefined;
    void this.#register();
  }

  /** Asks at once whether the server is there. */
  check(): void {
    if (this.#status.status === 'registered' && !this.#asking) void this.#register();
  }

  /** The connection is gone (RFC 5626 §4.5): at once, or spread when many have lost theirs. */
  receiveLost(reason: string): void {
    if (this.#status.status === 'refused' || this.#status.status === 'stopped' || this.#asking) return;
    const { clock, random } = this.#options;
    this.#registered = false;
    this.#outage ??= { sinceMs: monotonicMs(clock), early: 0, failures: 0 };
    // After a change of the network nobody else comes back with us: that attempt is not put off.
    if (this.#hurried) return;
    const retryMs = lostWaitMs(this.#windowMs, this.#limits, random);
    this.#again(retryMs);
    this.#change({ status: 'unreachable', reason, retryMs });
  }

  /** Another network: what the server has told us of our address is not true any more. */
  receiveNetworkChange(): void {
    const { status } = this.#status;
    // The certificate of a hotel's network is not the server's: with another network it may be.
    const isFinal = status === 'refused' && !this.#isDistrusted;
    if (status === 'stopped' || isFinal) return;
    this.#learned = undefined;
    this.#learnedMs = -Infinity;
    this.#outage = undefined;
    this.#generation += 1;
    this.#hurried = true;
    this.#again(this.#limits.networkChangeMs * this.#options.random());
  }

  /** The server has refused our credentials: nothing more is tried with them. */
  refuse(code: number, reason: string): void {
    this.#generation += 1;
    this.#asking = false;
    this.#timer?.[Symbol.dispose]();
    this.#registered = false;
    this.#options.log.warn('registration.refused', { status: code, reason });
    this.#change({ status: 'refused', code, reason });
  }

  /** Takes the registration back and stops. Resolves when the server has answered or cannot be reached. */
  async stop(withinMs: number): Promise<void> {
    this.#generation += 1;
    this.#timer?.[Symbol.dispose]();
    const { agent, clock } = this.#options;
    // One that is under way may yet be granted: it is taken back as well.
    if ((this.#registered || this.#asking) && agent.connected) {
      this.#registered = false;
      const answered = this.#send(0).catch(() => undefined);
      const waited = Promise.withResolvers<undefined>();
      using _limit = clock.startTimer(withinMs, () => {
        waited.resolve(undefined);
      });
      await Promise.race([answered, waited.promise]);
    }
    this.#change({ status: 'stopped' });
  }

  async #register(): Promise<void> {
    const generation = ++this.#generation;
    this.#timer?.[Symbol.dispose]();
    this.#hurried = false;
    if (!this.#registered && !this.#isDistrusted) this.#change({ status: 'registering' });
    this.#asking = true;
    let response: AgentResponse | undefined;
    let failure = '';
    try {
      response = await this.#tryWays(generation);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    if (generation !== this.#generation) return;
    this.#asking = false;
    if (response === undefined) this.#retryLater(failure, 'nobody');
    else this.#receiveAnswer(response);
  }

  /**
   * The way that worked last, then the others: each only when nobody is there at the one before. When nobody is
   * anywhere, the answer is that of the first.
   */
  async #tryWays(generation: number): Promise<AgentResponse> {
    const { ways, log } = this.#options;
    const first = this.#way;
    let firstAnswer: AgentResponse | undefined;
    for (let tried = 0; tried < ways.length; tried += 1) {
      this.#way = (first + tried) % ways.length;
      const response = await (tried === 0 ? this.#send(this.#expiresS) : this.#sendTrial());
      if (response !== undefined) {
        if (generation !== this.#generation || !isNobodyThere(response)) return response;
        log.info('registration.next-way', { reason: reasonOf(response) });
      }
      firstAnswer ??= response;
    }
    // The next attempt begins with the preferred way again.
    this.#way = first;
    if (firstAnswer === undefined) throw new Error('no answer');
    return firstAnswer;
  }

  /** Over UDP nobody says that nobody is there: an attempt is not waited for as long as a request that may be lost. */
  async #sendTrial(): Promise<AgentResponse | undefined> {
    const sent = this.#send(this.#expiresS);
    if (transportOf(this.way) !== 'udp') return sent;
    const late = Promise.withResolvers<undefined>();
    using _limit = this.#options.clock.startTimer(this.#limits.udpTrialMs, () => {
      late.resolve(undefined);
    });
    sent.catch(() => undefined);
    return await Promise.race([sent, late.promise]);
  }

  #send(expiresS: number): Promise<AgentResponse> {
    const { agent, address, displayName, digest, instance, regId, features } = this.#options;
    const name =
      displayName === undefined || displayName === '' ? '' : `"${displayName.replace(/["\\\r\n]/g, '')}" `;
    const aor = `${name}<sip:${address}>`;
    const outbound = this.#outbound ? `;reg-id=${regId}` : '';
    const feature = features?.() ?? '';
    const contact = `${this.contact};expires=${expiresS};+sip.instance="<${instance}>"${outbound}${feature === '' ? '' : `;${feature}`}`;
    const outdated = this.#outdated;
    return sendAuthenticated(
      agent,
      {
        method: 'REGISTER',
        uri: `sip:${address.slice(address.lastIndexOf('@') + 1)}`,
        from: aor,
        to: aor,
        ...this.way,
        digest,
        headers: {
          Contact: outdated === undefined ? contact : [contact, `<${outdated}>;expires=0`],
          Expires: String(expiresS),
          Supported: this.#outbound ? 'path, outbound' : 'path',
        },
      },
      this.#call,
      (sent) => {
        void sent.sent.then((request) => {
          this.#sent = request;
        }, ignore);
      },
    );
  }

  #receiveAnswer(response: AgentResponse): void {
    const { status, reason, message } = response;
    if (response.source.address !== '') this.#server = response.source;
    if (status >= 200 && status < 300) {
      this.#receiveGranted(response);
      return;
    }
    if (status === 423 && this.#lengthen(minExpires(message.headers))) {
      void this.#register();
      return;
    }
    if (status === NO_OUTBOUND && this.#outbound) {
      this.#outbound = false;
      void this.#register();
      return;
    }
    if (isCertificateFault(response)) {
      this.#distrust(reasonOf(response));
      return;
    }
    if (!PASSING.has(status) && (status < 500 || status >= 600)) {
      this.refuse(status, reason);
      return;
    }
    const askedS = secondsOf(message.headers.get('retry-after'));
    this.#retryLater(reasonOf(response), isUnsent(response) ? 'nobody' : 'server', askedS);
  }

  #receiveGranted({ message }: AgentResponse): void {
    const { headers } = message;
    this.#registered = true;
    this.#outage = undefined;
    this.#outdated = undefined;
    const window = returnWindowMs(headers, this.#limits.registrationWindowMaxMs);
    this.#windowMs = window ?? this.#windowMs;
    this.#relay = headers.get(RELAY_HEADER);
    this.#roomFactory = headers.get(FACTORY_HEADER);
    const contact = this.#contactUri;
    const expiresS = grantedSeconds(headers, contact, this.#expiresS);
    // Refresh at half of the time, so that one lost refresh costs nothing.
    this.#again(Math.max(1_000, Math.min(expiresS * 500, this.#keepAliveMs(headers))));
    this.#change({ status: 'registered', expiresS });
    this.#options.onOtherDevices?.(otherDevicesOf(headers));
    if (this.#learn(message)) void this.#register();
  }

  /** RFC 5626 §4.4.1: 80 to 100 % of the time after which the server gives a silent flow up. */
  #keepAliveMs(headers: SipHeaders): number {
    const flowTimerS = this.#options.keepsAlive === true ? secondsOf(headers.get('flow-timer')) : undefined;
    return flowTimerS === undefined ? Infinity : flowTimerS * 1_000 * (0.8 + 0.2 * this.#options.random());
  }

  /** True when the server sees us elsewhere than our Contact says, and does not look at the Contact's address anyhow. */
  #learn(message: AgentResponse['message']): boolean {
    const seen = seenAt(message);
    const contact = this.#contactUri;
    const uri = tryParseSipUri(contact ?? '');
    if (seen === undefined || uri === undefined || !seen.overUdp) return false;
    // RFC 5626 §6: this server goes back the way that we came.
    if (message.headers.list('require').some((tag) => tag.toLowerCase() === 'outbound')) return false;
    if (addressOfHost(uri.host) === seen.address && (uri.port ?? 5_060) === seen.port) return false;
    // A NAT that gives us another port each time would have us register for ever.
    const nowMs = monotonicMs(this.#options.clock);
    if (nowMs - this.#learnedMs < LEARN_AGAIN_MS) return false;
    this.#learnedMs = nowMs;
    this.#learned = { address: seen.address, port: seen.port };
    this.#outdated = contact;
    this.#options.log.info('registration.seen-elsewhere', {});
    return true;
  }

  /** Our Contact as the engine wrote it. */
  get #contactUri(): string | undefined {
    const contact = this.#sent?.headers.list('contact')[0];
    return contact === undefined ? undefined : parseNameAddr(contact).uri;
  }

  /** RFC 3261 §10.2.8: the server wants a longer lifetime. False when it asks for none, or for too much. */
  #lengthen(wantedS: number | undefined): boolean {
    if (wantedS === undefined || wantedS <= this.#expiresS) return false;
    if (wantedS > this.#limits.registrationExpiresMaxS) return false;
    this.#expiresS = wantedS;
    return true;
  }

  /** The server does not prove who it is: nothing goes there until it does. An expired certificate gets renewed. */
  #distrust(reason: string): void {
    const retryMs = Math.round(this.#waitMs('server', undefined));
    this.refuse(0, reason);
    this.#again(retryMs);
  }

  get #isDistrusted(): boolean {
    return this.#status.status === 'refused' && this.#status.code === 0;
  }

  #retryLater(reason: string, who: 'nobody' | 'server', askedS?: number): void {
    const retryMs = Math.round(this.#waitMs(who, askedS));
    this.#registered = false;
    this.#options.log.info('registration.unreachable', { reason, retryMs });
    this.#again(retryMs);
    this.#change({ status: 'unreachable', reason, retryMs });
  }

  #waitMs(who: 'nobody' | 'server', askedS: number | undefined): number {
    const { clock, random, othersWork } = this.#options;
    const outage = (this.#outage ??= { sinceMs: monotonicMs(clock), early: 0, failures: 0 });
    if (askedS !== undefined) return askedWaitMs(askedS, this.#limits, random);
    if (who === 'nobody' && monotonicMs(clock) - outage.sinceMs < this.#limits.registrationEarlyMs) {
      return earlyWaitMs(outage.early++, this.#windowMs, this.#limits, random);
    }
    outage.failures += 1;
    return outboundWaitMs(outage.failures, othersWork(), this.#limits, random);
  }

  #again(delayMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#options.clock.startTimer(delayMs, () => void this.#register());
  }

  #change(status: RegistrationStatus): void {
    this.#status = status;
    this.#options.onChange(this, status);
  }
}

function transportOf({ nextHop }: ServerWay): string {
  return tryParseSipUri(nextHop)?.params.get('transport')?.toLowerCase() ?? 'udp';
}

function ignore(): void {
  // The failure is told by the final response.
}
