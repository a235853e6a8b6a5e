/**
 * Owns: the subscriptions of others with us (RFC 6665 §4.2): by event package, from SUBSCRIBE to the last NOTIFY.
 * Called by: imserver/imserver.ts with each SUBSCRIBE. Calls: notifier-subscription.ts.
 */
import { systemClock, type Clock } from '../../base/clock.ts';
import { EVENT_LIMITS, type EventLimits } from '../../base/event-limits.ts';
import { silentLog, type Log } from '../../base/log.ts';
import { parseNameAddr } from '../headers.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';
import { NOTIFIER_CONTACT, NotifierSubscription, NotifyTurns } from './notifier-subscription.ts';
import type { OutgoingHeaders } from './outgoing.ts';
import { secondsOf } from './registration-answer.ts';

/** What somebody asks for. */
export interface IncomingSubscribe {
  readonly request: AgentServerRequest;
  /** Who asks, as the owner of the notifier has made sure. */
  readonly subscriber: string;
  /** URI of what is to be watched. */
  readonly resource: string;
}

/** Whether he gets it. `pending`: he is told of nothing until the subscription is activated. */
export type SubscribeVerdict =
  | { readonly kind: 'active' | 'pending' }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly reason?: string;
      readonly headers?: OutgoingHeaders;
    };

/** One event package: what may be watched by whom, and what there is to tell. */
export interface EventPackage {
  /** As in the Event header: `presence`, `conference`. */
  readonly event: string;
  /** Media type of the bodies of its NOTIFYs. */
  readonly contentType: string;
  /** The shortest time between two NOTIFYs of one subscription; what changes meanwhile is told together. */
  readonly minIntervalMs: number;
  receiveSubscribe(subscribe: IncomingSubscribe): Promise<SubscribeVerdict>;
  /** A subscription has begun; its first NOTIFY follows. One that only fetches ends at once. */
  receiveStart(subscription: NotifierSubscription): void;
  /** It is over, whoever has ended it. */
  receiveEnd(subscription: NotifierSubscription): void;
  /** The whole state at this moment, as this subscription may see it; undefined: no body. */
  stateFor(subscription: NotifierSubscription): string | undefined;
}

/** What anybody needs to speak in the dialog of a subscription (RFC 6665 §4.4.1). */
export interface SubscriptionDialog {
  readonly callId: string;
  /** Our side and the other one, with their tags. */
  readonly from: string;
  readonly to: string;
  readonly target: string;
  readonly routes: readonly string[];
  readonly event: string;
}

/** Where the dialogs of subscriptions are noted for others, who end them when we cannot. Neither throws nor waits. */
export interface SubscriptionDialogs {
  add(id: string, dialog: SubscriptionDialog): void;
  remove(id: string): void;
}

export interface NotifierOptions {
  readonly dialogs?: SubscriptionDialogs;
  readonly agent: SipAgent;
  /** Who has sent this request; undefined: it has been answered. */
  readonly authenticate: (request: AgentServerRequest) => Promise<string | undefined>;
  /** Where a request comes from, as `receiveLeft` names it; default: who has sent it (`sourceUri`). */
  readonly sourceOf?: (request: AgentServerRequest) => string;
  /** Default: `EVENT_LIMITS`. */
  readonly limits?: EventLimits;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** All subscriptions to all packages. */
export class Notifier implements Disposable {
  readonly #options: NotifierOptions;
  readonly #limits: EventLimits;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #packages = new Map<string, EventPackage>();
  readonly #subscriptions = new Set<NotifierSubscription>();
  readonly #bySource = new Map<string, Set<NotifierSubscription>>();
  readonly #perSubscriber = new Map<string, number>();
  readonly #turns: NotifyTurns;
  #ended = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#limits = options.limits ?? EVENT_LIMITS;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#turns = new NotifyTurns(this.#limits.maxOpenNotifies);
  }

  add(eventPackage: EventPackage): void {
    this.#packages.set(eventPackage.event, eventPackage);
  }

  /** Names of the packages, as Allow-Events has them. */
  get events(): readonly string[] {
    return [...this.#packages.keys()];
  }

  get count(): number {
    return this.#subscriptions.size;
  }

  /** Answers a SUBSCRIBE that belongs to no subscription of ours. */
  async receiveSubscribe(request: AgentServerRequest): Promise<void> {
    if (parseNameAddr(request.message.headers.get('to') ?? '').params.has('tag')) {
      // A refresh: we have been started again, or have given it up (RFC 6665 §4.2.1.2).
      await request.respond(481);
      return;
    }
    const subscriber = await this.#options.authenticate(request);
    if (subscriber === undefined) return;
    const { headers } = request.message;
    const [event = ''] = (headers.get('event') ?? '').split(';');
    const known = this.#packages.get(event.trim().toLowerCase());
    if (known === undefined) {
      await request.respond(489, { headers: { 'Allow-Events': this.events.join(', ') } });
      return;
    }
    if (!takes(headers.list('accept'), known.contentType)) {
      await request.respond(406, { headers: { Accept: known.contentType } });
      return;
    }
    const expiresS = await this.#lifetime(request);
    if (expiresS === undefined) return;
    const resource = request.message.uri;
    const verdict = await known.receiveSubscribe({ request, subscriber, resource });
    if (verdict.kind === 'refused') {
      const { status, reason, headers: more } = verdict;
      await request.respond(status, { ...(reason ? { reason } : {}), ...(more ? { headers: more } : {}) });
      return;
    }
    const isFull =
      this.#subscriptions.size >= this.#limits.maxSubscriptions ||
      (this.#perSubscriber.get(subscriber) ?? 0) >= this.#limits.maxSubscriptionsPerSubscriber;
    if (isFull) {
      const later = { 'Retry-After': String(this.#limits.fullRetryAfterS) };
      await request.respond(503, { reason: 'Too many subscriptions', headers: later });
      return;
    }
    await this.#begin(request, known, { subscriber, resource, begins: verdict.kind, expiresS });
  }

  /** Ends, without a word, what was subscribed to from there (`sourceOf` the SUBSCRIBE): nobody is there any more. */
  receiveLeft(source: string): void {
    for (const subscription of [...(this.#bySource.get(source) ?? [])]) subscription.drop();
  }

  /** What is noted of them stays: others tell the subscribers. */
  [Symbol.dispose](): void {
    this.#ended = true;
    for (const subscription of this.#subscriptions) subscription.drop();
  }

  async #begin(
    request: AgentServerRequest,
    eventPackage: EventPackage,
    parts: {
      readonly subscriber: string;
      readonly resource: string;
      readonly begins: 'active' | 'pending';
      readonly expiresS: number;
    },
  ): Promise<void> {
    const { headers } = request.message;
    const { event, contentType, minIntervalMs } = eventPackage;
    let begun = false;
    const fromTag = parseNameAddr(headers.get('from') ?? '').params.get('tag') ?? '';
    const dialogId = `${headers.get('call-id') ?? ''};from-tag=${fromTag}`;
    const subscription: NotifierSubscription = new NotifierSubscription({
      ...parts,
      agent: this.#options.agent,
      // As the engine will call it: a refresh may come as soon as the 200 has left.
      dialogId,
      event,
      contentType,
      minIntervalMs,
      eventHeader: eventOf(headers.get('event') ?? ''),
      state: (one) => eventPackage.stateFor(one),
      source: this.#options.sourceOf?.(request) ?? request.sourceUri,
      clock: this.#clock,
      turns: this.#turns,
      log: this.#log,
      receiveSubscribe: (again) => this.#refresh(subscription, again),
      receiveEnd: () => {
        this.#forget(subscription);
        if (!this.#ended) this.#options.dialogs?.remove(dialogId);
        if (begun) eventPackage.receiveEnd(subscription);
      },
    });
    this.#subscriptions.add(subscription);
    const { source } = subscription;
    this.#bySource.set(source, (this.#bySource.get(source) ?? new Set()).add(subscription));
    this.#perSubscriber.set(parts.subscriber, (this.#perSubscriber.get(parts.subscriber) ?? 0) + 1);
    const sent = await request.respond(200, {
      headers: { Contact: NOTIFIER_CONTACT, Expires: String(parts.expiresS) },
    });
    if (sent?.dialogId === undefined) {
      subscription.drop();
      return;
    }
    begun = true;
    this.#options.dialogs?.add(dialogId, {
      callId: headers.get('call-id') ?? '',
      from: sent.message.headers.get('to') ?? '',
      to: headers.get('from') ?? '',
      target: parseNameAddr(headers.list('contact')[0] ?? '').uri,
      routes: headers.list('record-route'),
      event: eventOf(headers.get('event') ?? ''),
    });
    eventPackage.receiveStart(subscription);
    subscription.refresh(parts.expiresS);
  }

  async #refresh(subscription: NotifierSubscription, request: AgentServerRequest): Promise<void> {
    const subscriber = await this.#options.authenticate(request);
    if (subscriber === undefined) return;
    if (subscriber !== subscription.subscriber) {
      await request.respond(403);
      return;
    }
    const expiresS = await this.#lifetime(request);
    if (expiresS === undefined) return;
    await request.respond(200, { headers: { Contact: NOTIFIER_CONTACT, Expires: String(expiresS) } });
    subscription.refresh(expiresS);
  }

  /** Seconds that are granted; undefined: refused, and answered (RFC 6665 §4.2.1.1). */
  async #lifetime(request: AgentServerRequest): Promise<number | undefined> {
    const { defaultExpiresS, minExpiresS, maxExpiresS } = this.#limits;
    const asked = request.message.headers.get('expires');
    const seconds = asked === undefined ? defaultExpiresS : secondsOf(asked);
    if (seconds === undefined) {
      await request.respond(400, { reason: 'Expires is no number of seconds' });
      return undefined;
    }
    if (seconds > 0 && seconds < minExpiresS) {
      await request.respond(423, { headers: { 'Min-Expires': String(minExpiresS) } });
      return undefined;
    }
    return Math.min(seconds, maxExpiresS);
  }

  #forget(subscription: NotifierSubscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    const { subscriber, source } = subscription;
    const ofSource = this.#bySource.get(source);
    ofSource?.delete(subscription);
    if (ofSource?.size === 0) this.#bySource.delete(source);
    const left = (this.#perSubscriber.get(subscriber) ?? 1) - 1;
    if (left === 0) this.#perSubscriber.delete(subscriber);
    else this.#perSubscriber.set(subscriber, left);
  }
}

/** The Event of NOTIFYs: the package and the `id` of the SUBSCRIBE, nothing else (RFC 6665 §8.2.1). */
function eventOf(header: string): string {
  const [event = '', ...params] = header.split(';').map((part) => part.trim());
  const id = params.find((param) => /^id=[\w.!%*+`'~-]{1,64}$/i.test(param));
  return id === undefined ? event : `${event};${id}`;
}

/** RFC 6665 §3.1.3: without Accept the package's own type is meant. */
function takes(accept: readonly string[], contentType: string): boolean {
  if (accept.length === 0) return true;
  const [kind = ''] = contentType.split('/');
  return accept.some((value) => {
    const type = (value.split(';')[0] ?? '').trim().toLowerCase();
    return type === contentType || type === '*/*' || type === `${kind}/*`;
  });
}
