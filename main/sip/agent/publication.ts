/**
 * Owns: one state of ours that a server tells to others (RFC 3903): published, changed, refreshed, taken back.
 * Called by: the messenger. Calls: authenticated-request.ts. Its other end is imserver/publish-requests.ts.
 */
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { EVENT_LIMITS, type EventLimits } from '../../base/event-limits.ts';
import { silentLog, type Log } from '../../base/log.ts';
import type { AgentResponse } from './agent-request.ts';
import type { SipAgent } from './agent.ts';
import { newCallIdentity, sendAuthenticated } from './authenticated-request.ts';
import { EngineError } from './outgoing.ts';
import { minExpires, secondsOf } from './registration-answer.ts';
import type { SubscriptionRoute } from './subscription.ts';

/** Where a publication stands. `refused` is final until `start` is called again. */
export type PublicationStatus =
  { readonly status: 'none' | 'published' } | { readonly status: 'refused'; readonly code: number };

export interface PublicationOptions {
  readonly agent: SipAgent;
  /** As in the Event header. */
  readonly event: string;
  readonly contentType: string;
  /** URI of whose state it is. */
  readonly resource: string;
  /** Undefined while we are not signed in: then it waits for `start`. */
  readonly route: () => Omit<SubscriptionRoute, 'contact'> | undefined;
  readonly receiveStatus?: (status: PublicationStatus) => void;
  /** Default: `EVENT_LIMITS`. */
  readonly limits?: EventLimits;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly log?: Log;
}

/** Statuses after which asking again is of no use. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 407, 410, 415, 416, 420, 485, 489, 501, 603, 604]);

/** One request at a time; what has changed meanwhile goes out with the next one. */
export class Publication implements AsyncDisposable {
  readonly #options: PublicationOptions;
  readonly #limits: EventLimits;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  #status: PublicationStatus = { status: 'none' };
  #wanted: string | undefined;
  /** What the server has, by its entity-tag. */
  #there: { readonly etag: string; readonly body: string } | undefined;
  #isStarted = false;
  #isBusy = false;
  /** To be sent again although nothing has changed: so that it lives on, or whole, because it may be forgotten there. */
  #due: 'refresh' | 'whole' | undefined;
  #timer: Timer | undefined;
  #expiresS: number;
  #failures = 0;

  constructor(options: PublicationOptions) {
    this.#options = options;
    this.#limits = options.limits ?? EVENT_LIMITS;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = options.log ?? silentLog;
    this.#expiresS = this.#limits.askedExpiresS;
  }

  get status(): PublicationStatus {
    return this.#status;
  }

  /** This is our state from now on; undefined: none is published. */
  publish(body: string | undefined): void {
    if (body === this.#wanted) return;
    this.#wanted = body;
    if (this.#status.status !== 'refused') this.#send();
  }

  /** Publishes now, as a change of what may be there: also after the way to the server has changed. */
  start(): void {
    this.#isStarted = true;
    this.#due = 'whole';
    this.#failures = 0;
    this.#change({ status: 'none' });
    this.#send();
  }

  /** Sends nothing more until `start`: the server has gone. What it has is remembered. */
  stop(): void {
    this.#isStarted = false;
    this.#stopTimer();
    this.#change({ status: 'none' });
  }

  /** Takes back what is published. Resolves when the server has answered, or was not reached. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    const there = this.#there;
    this.#there = undefined;
    if (there === undefined) return;
    await this.#sendPublish({ etag: there.etag, expiresS: 0 }).catch((error: unknown) => {
      if (!(error instanceof EngineError)) throw error;
    });
  }

  #send(): void {
    if (!this.#isStarted || this.#isBusy) return;
    this.#stopTimer();
    void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isBusy = true;
    try {
      while (this.#isStarted && (this.#due !== undefined || this.#wanted !== this.#there?.body)) {
        if (!(await this.#sendOne())) break;
      }
    } finally {
      this.#isBusy = false;
    }
  }

  /** True: there may be more to send now. */
  async #sendOne(): Promise<boolean> {
    const body = this.#wanted;
    const { etag } = this.#there ?? {};
    // A refresh needs no body (RFC 3903 §4.1).
    const isRefresh = this.#due === 'refresh' && etag !== undefined && body === this.#there?.body;
    this.#due = undefined;
    if (body === undefined && etag === undefined) return false;
    const expiresS = body === undefined ? 0 : this.#expiresS;
    try {
      const response = await this.#sendPublish({ etag, expiresS, body: isRefresh ? undefined : body });
      if (response !== undefined) return this.#receiveAnswer(response, body);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#log.info('publication.not-sent', { event: this.#options.event, error });
    }
    this.#sendLater();
    return false;
  }

  /** Undefined: we are not signed in. Rejects with EngineError. */
  async #sendPublish(request: {
    readonly etag: string | undefined;
    readonly expiresS: number;
    readonly body?: string | undefined;
  }): Promise<AgentResponse | undefined> {
    const { agent, event, contentType, resource } = this.#options;
    const route = this.#options.route();
    if (route === undefined) return undefined;
    const { etag, expiresS, body } = request;
    return sendAuthenticated(
      agent,
      {
        method: 'PUBLISH',
        uri: resource,
        from: route.from,
        to: `<${resource}>`,
        ...route.way,
        digest: route.digest,
        headers: {
          Event: event,
          Expires: String(expiresS),
          ...(etag === undefined ? {} : { 'SIP-If-Match': etag }),
          ...(body === undefined ? {} : { 'Content-Type': contentType }),
        },
        ...(body === undefined ? {} : { body }),
      },
      newCallIdentity(),
    );
  }

  /** True: there may be more to send now. */
  #receiveAnswer({ status, message }: AgentResponse, body: string | undefined): boolean {
    if (status >= 200 && status < 300) {
      this.#failures = 0;
      const etag = message.headers.get('sip-etag');
      this.#there = body === undefined || etag === undefined ? undefined : { etag, body };
      this.#change({ status: body === undefined ? 'none' : 'published' });
      if (body !== undefined) this.#refreshLater(secondsOf(message.headers.get('expires')));
      // Without an entity-tag it can only be published anew, when its time is over.
      return body === undefined || etag !== undefined;
    }
    // RFC 3903 §4.1: the server does not have it any more, so it is published as a first one.
    if (status === 412 && this.#there !== undefined) {
      this.#there = undefined;
      this.#due = 'whole';
      return true;
    }
    const wantedS = status === 423 ? (minExpires(message.headers) ?? 0) : 0;
    if (wantedS > this.#expiresS && wantedS <= this.#limits.askedExpiresMaxS) {
      this.#expiresS = wantedS;
      this.#due = 'whole';
      return true;
    }
    if (FINAL.has(status)) {
      this.stop();
      this.#there = undefined;
      this.#change({ status: 'refused', code: status });
    } else this.#sendLater(secondsOf(message.headers.get('retry-after')));
    return false;
  }

  #refreshLater(grantedS: number | undefined): void {
    const expiresS = Math.min(grantedS ?? this.#expiresS, this.#expiresS);
    // A little earlier each, so that many that began together do not refresh together.
    const share = this.#limits.refreshShare - this.#random() * 0.1;
    this.#again('refresh', Math.max(1_000, expiresS * 1_000 * share));
  }

  #sendLater(askedS?: number): void {
    const { retryFirstMs, retryMaxMs } = this.#limits;
    const ownMs = Math.min(retryFirstMs * 2 ** this.#failures, retryMaxMs);
    this.#failures += 1;
    const waitMs = askedS === undefined ? ownMs : Math.min(Math.max(askedS * 1_000, ownMs), retryMaxMs);
    this.#again('whole', Math.round(waitMs * (1 + this.#random() / 2)));
  }

  #again(due: 'refresh' | 'whole', afterMs: number): void {
    this.#stopTimer();
    this.#timer = this.#clock.startTimer(afterMs, () => {
      this.#due = due;
      this.#send();
    });
  }

  #stopTimer(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  #change(status: PublicationStatus): void {
    if (status.status === this.#status.status) return;
    this.#status = status;
    this.#options.receiveStatus?.(status);
  }
}
