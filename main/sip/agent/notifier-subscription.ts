/**
 * Owns: one subscription of somebody with us: its state, its time, its NOTIFYs one after the other and not too often.
 * Called by: notifier.ts, the event packages. Calls: agent.ts. Sources: RFC 6665 §4.2.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { AgentServerRequest } from './agent-server-request.ts';
import type { SipAgent } from './agent.ts';

/** Why a subscription is ended by us (RFC 6665 §4.1.3). */
export type TerminationReason =
  'deactivated' | 'probation' | 'rejected' | 'timeout' | 'giveup' | 'noresource';

/** Every NOTIFY has a Contact (RFC 6665 §8.1.2); the engine writes its address into it. */
export const NOTIFIER_CONTACT = '<sip:events@localhost>';

/** Lets so many send at once; the others wait in the order in which they came. */
export class NotifyTurns {
  readonly #max: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  #running = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** `send` never rejects. */
  take(send: () => Promise<void>): void {
    if (this.#running >= this.#max) {
      this.#waiting.push(send);
      return;
    }
    this.#running += 1;
    void send().finally(() => {
      this.#running -= 1;
      const next = this.#waiting.shift();
      if (next !== undefined) this.take(next);
    });
  }
}

/** What a subscription is made of. */
export interface NotifierSubscriptionParts {
  readonly agent: SipAgent;
  readonly dialogId: string;
  /** Name of the package, and the Event header of NOTIFYs. */
  readonly event: string;
  readonly eventHeader: string;
  readonly contentType: string;
  /** The shortest time between two NOTIFYs of changes. */
  readonly minIntervalMs: number;
  readonly subscriber: string;
  readonly resource: string;
  /** Where its SUBSCRIBE has come from. */
  readonly source: string;
  readonly begins: 'pending' | 'active';
  readonly clock: Clock;
  readonly turns: NotifyTurns;
  readonly log: Log;
  /** The whole state as this subscription may see it now; undefined: no body. */
  readonly state: (subscription: NotifierSubscription) => string | undefined;
  readonly receiveSubscribe: (request: AgentServerRequest) => Promise<void>;
  readonly receiveEnd: () => void;
}

/** Until it ends it tells its subscriber each newest state, never a state twice at once. */
export class NotifierSubscription {
  readonly subscriber: string;
  readonly resource: string;
  readonly source: string;
  readonly event: string;
  readonly #parts: NotifierSubscriptionParts;
  readonly #release: () => void;
  readonly #releaseLost: () => void;
  #state: 'pending' | 'active' | 'terminated';
  #reason: string | undefined;
  #expiresMs = 0;
  #expiry: Timer | undefined;
  #wait: Timer | undefined;
  /** There is something to tell. `now`: whatever the interval says. */
  #due: 'no' | 'soon' | 'now' = 'no';
  #sending = false;
  #sentMs = -Infinity;
  #version = -1;
  #over = false;

  constructor(parts: NotifierSubscriptionParts) {
    this.#parts = parts;
    this.subscriber = parts.subscriber;
    this.resource = parts.resource;
    this.source = parts.source;
    this.event = parts.event;
    this.#state = parts.begins;
    this.#release = parts.agent.handleDialog(parts.dialogId, (request) => this.#receive(request));
    this.#releaseLost = parts.agent.onConnectionLost(() => {
      this.drop();
    });
  }

  get state(): 'pending' | 'active' | 'terminated' {
    return this.#state;
  }

  /** Number of the NOTIFY that is being made, from 0: for formats that count their documents. */
  get version(): number {
    return this.#version;
  }

  /** Something has changed: it is told, together with what changes until then. */
  notify(): void {
    if (this.#state === 'terminated') return;
    if (this.#due === 'no') this.#due = 'soon';
    this.#send();
  }

  /** A pending one gets what it wanted. */
  activate(): void {
    if (this.#state === 'pending') this.#state = 'active';
    if (this.#state === 'active') this.#sendNow();
  }

  /** It is not allowed (any more) to see anything, but not told so. */
  suspend(): void {
    if (this.#state !== 'active') return;
    this.#state = 'pending';
    this.#sendNow();
  }

  /** Ends it, and says why. */
  terminate(reason: TerminationReason, retryAfterS?: number): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#reason = retryAfterS === undefined ? reason : `${reason};retry-after=${retryAfterS}`;
    this.#stopTimers();
    this.#sendNow();
  }

  /** Lives so much longer, 0: ends; its subscriber is told at once (RFC 6665 §4.2.1.2). */
  refresh(expiresS: number): void {
    if (this.#state === 'terminated') return;
    this.#expiry?.[Symbol.dispose]();
    if (expiresS === 0) {
      this.terminate('timeout');
      return;
    }
    const { clock } = this.#parts;
    this.#expiresMs = clock.now() + expiresS * 1_000;
    this.#expiry = clock.startTimer(expiresS * 1_000, () => {
      this.terminate('timeout');
    });
    this.#sendNow();
  }

  /** Forgets it: nobody is there any more who could be told. */
  drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#state = 'terminated';
    this.#stopTimers();
    this.#release();
    this.#releaseLost();
    this.#parts.receiveEnd();
  }

  #stopTimers(): void {
    this.#expiry?.[Symbol.dispose]();
    this.#wait?.[Symbol.dispose]();
    this.#wait = undefined;
  }

  async #receive(request: AgentServerRequest): Promise<void> {
    if (request.method !== 'SUBSCRIBE') await request.respond(405, { headers: { Allow: 'SUBSCRIBE' } });
    else if (this.#state === 'terminated') await request.respond(481);
    else await this.#parts.receiveSubscribe(request);
  }

  #sendNow(): void {
    this.#due = 'now';
    this.#send();
  }

  #send(): void {
    if (this.#due === 'no' || this.#sending || this.#over) return;
    const { clock, minIntervalMs, turns } = this.#parts;
    const waitMs = this.#due === 'now' ? 0 : this.#sentMs + minIntervalMs - clock.now();
    if (waitMs > 0) {
      this.#wait ??= clock.startTimer(waitMs, () => {
        this.#wait = undefined;
        this.#send();
      });
      return;
    }
    this.#sending = true;
    turns.take(() => this.#sendNotify());
  }

  /** Never rejects. */
  async #sendNotify(): Promise<void> {
    if (this.#over) return;
    const { agent, clock, contentType, dialogId, eventHeader, log } = this.#parts;
    this.#due = 'no';
    this.#sentMs = clock.now();
    this.#version += 1;
    const isLast = this.#state === 'terminated';
    try {
      const body = this.#parts.state(this);
      const { status } = await agent.sendRequest({
        method: 'NOTIFY',
        dialogId,
        headers: {
          Contact: NOTIFIER_CONTACT,
          Event: eventHeader,
          'Subscription-State': this.#stateHeader(),
          ...(body === undefined ? {} : { 'Content-Type': contentType }),
        },
        ...(body === undefined ? {} : { body }),
      }).final;
      // RFC 6665 §4.2.2: nobody takes it; the subscriber finds that out with his next refresh.
      if (isLast || status >= 300) this.drop();
    } catch (error) {
      log.info('notify.not-sent', { event: this.event, error });
      this.drop();
    }
    this.#sending = false;
    this.#send();
  }

  #stateHeader(): string {
    if (this.#state === 'terminated') return `terminated;reason=${this.#reason ?? 'timeout'}`;
    const leftMs = this.#expiresMs - this.#parts.clock.now();
    return `${this.#state};expires=${Math.max(0, Math.round(leftMs / 1_000))}`;
  }
}
