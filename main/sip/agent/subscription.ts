/**
 * Owns: one subscription of ours to an event of somebody else (RFC 6665 §4.1): begun, refreshed, begun anew, ended.
 * Called by: the messenger. Calls: authenticated-request.ts. Its other end is notifier.ts.
 */
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { EVENT_LIMITS, type EventLimits } from '../../base/event-limits.ts';
import { silentLog, type Log } from '../../base/log.ts';
import type { DigestClient } from '../digest.ts';
import type { AgentResponse } from './agent-request.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';
import { newCallIdentity, sendAuthenticated, sendWithCredentials } from './authenticated-request.ts';
import { EngineError, type OutgoingHeaders } from './outgoing.ts';
import type { ServerWay } from './registration-flow.ts';
import { minExpires, secondsOf } from './registration-answer.ts';

/** Where a subscription stands. `refused` is final until `start` is called again. */
export type SubscriptionStatus =
  | { readonly status: 'stopped' | 'subscribing' | 'pending' | 'active' }
  /** Tried again by itself. */
  | { readonly status: 'waiting'; readonly retryMs: number }
  /** `code` 0: the notifier has ended it, for the `reason` in its last NOTIFY. */
  | { readonly status: 'refused'; readonly code: number; readonly reason: string };

/** What a NOTIFY has brought. */
export interface NotifiedState {
  readonly contentType: string;
  readonly body: Buffer;
}

/** How a subscription leaves now. */
export interface SubscriptionRoute {
  readonly from: string;
  readonly contact: string;
  readonly way: ServerWay;
  readonly digest: DigestClient;
}

export interface SubscriptionOptions {
  readonly agent: SipAgent;
  /** As in the Event header. */
  readonly event: string;
  /** Media types that we can read. */
  readonly accept: string;
  /** URI of what is watched. */
  readonly resource: string;
  /** Undefined while we are not signed in: then it is tried again later. */
  readonly route: () => SubscriptionRoute | undefined;
  readonly receiveState: (state: NotifiedState) => void;
  readonly receiveStatus?: (status: SubscriptionStatus) => void;
  readonly headers?: OutgoingHeaders;
  /** Default: `EVENT_LIMITS`. */
  readonly limits?: EventLimits;
  readonly clock?: Clock;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly log?: Log;
}

/** Statuses after which asking again is of no use. */
const FINAL = new Set([400, 401, 403, 404, 405, 406, 407, 410, 415, 416, 420, 485, 489, 501, 603, 604]);
/** Reasons in a last NOTIFY after which it is of no use (RFC 6665 §4.1.3). */
const FINAL_REASONS = new Set(['rejected', 'noresource', 'invariant']);

/** One dialog at a time: when it is lost the next one is begun. */
export class Subscription implements AsyncDisposable {
  readonly #options: SubscriptionOptions;
  readonly #limits: EventLimits;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Log;
  #status: SubscriptionStatus = { status: 'stopped' };
  #dialog: { readonly id: string; readonly release: () => void } | undefined;
  #timer: Timer | undefined;
  #expiresS: number;
  #failures = 0;
  /** Counts attempts: what an older one hears does not count. */
  #attempt = 0;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#limits = options.limits ?? EVENT_LIMITS;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = options.log ?? silentLog;
    this.#expiresS = this.#limits.askedExpiresS;
  }

  get status(): SubscriptionStatus {
    return this.#status;
  }

  /** Subscribes now, anew when there was a subscription: also after the way to the server has changed. */
  start(): void {
    this.#failures = 0;
    void this.#subscribe();
  }

  /** Forgets it without a word: the server has gone, or is about to forget us. */
  drop(): void {
    this.#leave();
    this.#change({ status: 'stopped' });
  }

  /** Ends it (RFC 6665 §4.1.2.3). Resolves when the other side has answered, or was not reached. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { id } = this.#dialog ?? {};
    this.drop();
    const route = this.#options.route();
    if (id === undefined || route === undefined) return;
    await this.#sendInDialog(id, route, 0).catch(() => undefined);
  }

  #leave(): void {
    this.#attempt += 1;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#dialog?.release();
    this.#dialog = undefined;
  }

  async #subscribe(): Promise<void> {
    this.#leave();
    const attempt = this.#attempt;
    const { agent, event, accept, resource, headers } = this.#options;
    const route = this.#options.route();
    if (route === undefined) {
      this.#retryLater();
      return;
    }
    const call = newCallIdentity();
    const id = `${call.callId};from-tag=${call.fromTag}`;
    // The first NOTIFY may be faster than the 2xx (RFC 6665 §4.1.2.4).
    const release = agent.handleDialog(id, (request) => this.#receive(request, attempt));
    this.#dialog = { id, release };
    this.#change({ status: 'subscribing' });
    try {
      const response = await sendAuthenticated(
        agent,
        {
          method: 'SUBSCRIBE',
          uri: resource,
          from: route.from,
          to: `<${resource}>`,
          ...route.way,
          digest: route.digest,
          headers: {
            ...headers,
            Event: event,
            Accept: accept,
            Contact: route.contact,
            Expires: String(this.#expiresS),
          },
        },
        call,
      );
      if (attempt === this.#attempt) this.#receiveAnswer(response);
    } catch (error) {
      if (attempt === this.#attempt) this.#receiveFailure(error);
    }
  }

  async #refresh(): Promise<void> {
    const attempt = this.#attempt;
    const route = this.#options.route();
    if (this.#dialog === undefined || route === undefined) {
      this.#retryLater();
      return;
    }
    try {
      const response = await this.#sendInDialog(this.#dialog.id, route, this.#expiresS);
      if (attempt === this.#attempt) this.#receiveAnswer(response);
    } catch (error) {
      if (attempt === this.#attempt) this.#receiveFailure(error);
    }
  }

  #sendInDialog(dialogId: string, route: SubscriptionRoute, expiresS: number): Promise<AgentResponse> {
    const { agent, event, accept } = this.#options;
    return sendWithCredentials(route.digest, { method: 'SUBSCRIBE' }, (authorization) =>
      agent.sendRequest({
        method: 'SUBSCRIBE',
        dialogId,
        headers: { Event: event, Accept: accept, Expires: String(expiresS), ...authorization },
      }),
    );
  }

  #receiveAnswer({ status, reason, message }: AgentResponse): void {
    if (status < 300) {
      const granted = secondsOf(message.headers.get('expires')) ?? this.#expiresS;
      this.#refreshLater(Math.min(granted, this.#expiresS));
      return;
    }
    const wantedS = status === 423 ? (minExpires(message.headers) ?? 0) : 0;
    if (wantedS > this.#expiresS && wantedS <= this.#limits.askedExpiresMaxS) {
      this.#expiresS = wantedS;
      void this.#subscribe();
    } else if (FINAL.has(status)) {
      this.#refuse(status, reason);
    } else if (status === 481) {
      // It is forgotten there (RFC 6665 §4.1.2.2).
      this.#retryLater(undefined, this.#limits.againMs);
    } else this.#retryLater(secondsOf(message.headers.get('retry-after')));
  }

  #receiveFailure(error: unknown): void {
    if (!(error instanceof EngineError)) throw error;
    this.#log.info('subscription.not-sent', { event: this.#options.event, error });
    this.#retryLater(undefined, error.code === 'NO_DIALOG' ? this.#limits.againMs : undefined);
  }

  async #receive(request: AgentServerRequest, attempt: number): Promise<void> {
    if (request.method !== 'NOTIFY') {
      await request.respond(405, { headers: { Allow: 'NOTIFY' } });
      return;
    }
    const { headers, body } = request.message;
    const [event = ''] = (headers.get('event') ?? '').split(';');
    if (event.trim().toLowerCase() !== this.#options.event) {
      await request.respond(489, { headers: { 'Allow-Events': this.#options.event } });
      return;
    }
    if (attempt !== this.#attempt) {
      await request.respond(481);
      return;
    }
    const [state = '', ...rest] = (headers.get('subscription-state') ?? '').split(';');
    const params = new Map(rest.map((param) => splitParam(param)));
    // Answered first: an end of ours that follows from it goes behind.
    await request.respond(200);
    if (attempt !== this.#attempt) return;
    if (body.length > 0) this.#options.receiveState({ contentType: headers.get('content-type') ?? '', body });
    switch (state.trim().toLowerCase()) {
      case 'terminated':
        this.#receiveEnd(params.get('reason') ?? '', secondsOf(params.get('retry-after')));
        return;
      case 'pending':
        this.#receiveLife('pending', secondsOf(params.get('expires')));
        return;
      default:
        this.#receiveLife('active', secondsOf(params.get('expires')));
    }
  }

  #receiveLife(status: 'pending' | 'active', expiresS: number | undefined): void {
    this.#failures = 0;
    this.#change({ status });
    if (expiresS !== undefined) this.#refreshLater(Math.min(expiresS, this.#expiresS));
  }

  #receiveEnd(reason: string, retryAfterS: number | undefined): void {
    if (FINAL_REASONS.has(reason)) this.#refuse(0, reason);
    // RFC 6665 §4.1.3: these two invite us to come again at once.
    else if (reason === 'deactivated' || reason === 'timeout')
      this.#retryLater(undefined, this.#limits.againMs);
    else this.#retryLater(retryAfterS);
  }

  #refreshLater(expiresS: number): void {
    this.#timer?.[Symbol.dispose]();
    // A little earlier each, so that many that began together do not refresh together.
    const share = this.#limits.refreshShare - this.#random() * 0.1;
    this.#timer = this.#clock.startTimer(Math.max(1_000, expiresS * 1_000 * share), () => {
      void this.#refresh();
    });
  }

  #retryLater(askedS?: number, soonMs?: number): void {
    this.#leave();
    const { retryFirstMs, retryMaxMs } = this.#limits;
    const ownMs = soonMs ?? Math.min(retryFirstMs * 2 ** this.#failures, retryMaxMs);
    this.#failures += 1;
    const waitMs = askedS === undefined ? ownMs : Math.min(Math.max(askedS * 1_000, ownMs), retryMaxMs);
    const retryMs = Math.round(waitMs * (1 + this.#random() / 2));
    this.#timer = this.#clock.startTimer(retryMs, () => {
      void this.#subscribe();
    });
    this.#change({ status: 'waiting', retryMs });
  }

  #refuse(code: number, reason: string): void {
    this.#leave();
    this.#change({ status: 'refused', code, reason });
  }

  #change(status: SubscriptionStatus): void {
    if (status.status === this.#status.status && status.status !== 'waiting') return;
    this.#status = status;
    this.#options.receiveStatus?.(status);
  }
}

function splitParam(param: string): [string, string] {
  const [name = '', value = ''] = param.split('=');
  return [name.trim().toLowerCase(), value.trim()];
}
