/**
 * Owns: SIP MESSAGE through the server: passed on to the present, kept on disk for the absent, delivered on return.
 * Called by: imserver.ts with each MESSAGE and each registration. Calls: registrar.ts, device-way.ts, device-copies.ts, store.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { readCopyRequest } from '../sip/agent/copy-request.ts';
import type { QueueClaim } from '../store/server-store.ts';
import type { ContactRulesBook } from './contact-rules-book.ts';
import type { Credentials } from './credentials.ts';
import { answerOfGuest, sendToGuest } from './guest-way.ts';
import { sendByWays } from './device-way.ts';
import type { DeviceCopies } from './device-copies.ts';
import type { ImServerStore } from './imserver-store.ts';
import { declinedBy } from './kept-file-reports.ts';
import type { KeptFiles } from './kept-files.ts';
import type { ServerMetrics } from './metrics.ts';
import type { Registrar } from './registrar.ts';
import type { Guest, TalkPolicy } from './talk-policy.ts';
import type { Users } from './users.ts';

export interface DeferredMessagesOptions {
  readonly agent: SipAgent;
  readonly credentials: Credentials;
  readonly registrar: Registrar;
  readonly users: Users;
  readonly rules: ContactRulesBook;
  readonly policy: TalkPolicy;
  readonly store: ImServerStore;
  readonly copies: DeviceCopies;
  /** Undefined: the server keeps none. */
  readonly files: () => Pick<KeptFiles, 'receiveDeclined'> | undefined;
  readonly metrics: ServerMetrics;
  readonly log: Log;
  /** Default: `IMSERVER_LIMITS`. */
  readonly limits?: ImServerLimits;
  readonly clock?: Clock;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const DELIVERY_BATCH = 20;

export interface Parcel {
  readonly sender: string;
  readonly recipient: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** One round of delivering to a recipient. */
interface Delivery {
  again: boolean;
  /** The ways that were known when it began. */
  readonly ways: ReadonlySet<string>;
  /** Resolved when another device has come: the old ones are not waited for any longer. */
  readonly arrived: PromiseWithResolvers<'later'>;
  readonly done: PromiseWithResolvers<void>;
}

/** Passes messages on, or keeps them. */
export class DeferredMessages implements Disposable {
  readonly #options: DeferredMessagesOptions;
  readonly #clock: Clock;
  readonly #limits: ImServerLimits;
  /** Recipients to whom we are delivering. */
  readonly #delivering = new Map<string, Delivery>();
  /** Recipients whose devices did not take what waits for them, and when they are asked again. */
  readonly #refused = new Map<string, Timer>();
  #closed = false;

  constructor(options: DeferredMessagesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits ?? IMSERVER_LIMITS;
  }

  async receiveMessage(request: AgentServerRequest): Promise<void> {
    const { credentials, users, policy } = this.#options;
    const sender = await policy.senderOf(request);
    if (sender === undefined) return;
    const guest = policy.guestOf(request.message.uri);
    if (guest !== undefined) {
      await this.#passOn(request, sender, guest);
      return;
    }
    const recipient =
      credentials.userOfUri(request.message.uri) ?? credentials.userOf(request.message.headers.get('to'));
    if (recipient === undefined || (await users.find(recipient)) === undefined) {
      await request.respond(404);
      return;
    }
    const copy = sender === recipient ? readCopyRequest(request.message.headers) : undefined;
    if (copy !== undefined) {
      await this.#options.copies.receiveCopy(request, sender, copy.from);
      return;
    }
    if (this.#isBlocked({ sender, recipient })) {
      this.#options.metrics.messages.refused++;
      await request.respond(603);
      return;
    }
    const { body } = request.message;
    if (body.length > this.#limits.maxDeferredBytes) {
      await request.respond(413);
      return;
    }
    const contentType = request.message.headers.get('content-type') ?? 'text/plain';
    await this.#receiveDeclined({ sender, recipient, contentType, body });
    const parcel = { sender, recipient, contentType, body };
    // One that comes while the last older ones are going out may still be told how it went itself.
    if (this.#delivering.has(recipient)) await this.#untilDelivered([recipient]);
    // While older ones wait, a new one waits behind them: order is kept.
    const outcome = (await this.#hasWaiting(recipient)) ? 'later' : await this.#deliver(parcel);
    const { messages } = this.#options.metrics;
    if (outcome === 'taken') {
      messages.delivered++;
      await request.respond(200);
    } else if (outcome === 'useless') {
      messages.refused++;
      await request.respond(415);
    } else await this.#keep(request, parcel);
  }

  /** What the server says for one user to another, as if his program had said it. Never rejects. */
  async pass(parcel: Parcel): Promise<void> {
    try {
      const outcome = (await this.#hasWaiting(parcel.recipient)) ? 'later' : await this.#deliver(parcel);
      if (outcome === 'later') await this.#insert(parcel);
    } catch (error) {
      this.#options.log.error('deferred.failed', { user: parcel.recipient, error });
    }
  }

  /**
   * Resolves when what waits for these users has gone out to them, as far as it can now: a session that is set up
   * afterwards does not overtake it. Not longer than `holdMs`.
   */
  async settled(users: readonly string[]): Promise<void> {
    const waiting = await Promise.all(
      users.map(
        async (user) =>
          this.#options.registrar.isOnline(user) &&
          // A session has not to wait for a store that does not answer.
          (await this.#hasWaiting(user).catch(() => false)),
      ),
    );
    const busy = users.filter((_user, index) => waiting[index]);
    if (busy.length === 0) return;
    for (const user of busy) this.receivePresent(user);
    await this.#untilDelivered(busy);
  }

  /** Resolves when nothing is going out to these users, at the latest after `holdMs`. */
  async #untilDelivered(users: readonly string[]): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _limit = this.#clock.startTimer(this.#limits.holdMs, () => {
      late.resolve();
    });
    await Promise.race([late.promise, Promise.all(users.map((user) => this.#untilIdle(user)))]);
  }

  /** One delivery may follow another: the device that is back has come while its old place was still being tried. */
  async #untilIdle(user: string): Promise<void> {
    for (;;) {
      const running = this.#delivering.get(user);
      if (running === undefined) return;
      await running.done.promise;
    }
  }

  /** A device of the user is there: what waited goes out, oldest first, one after the other. */
  receivePresent(user: string): void {
    this.#refused.get(user)?.[Symbol.dispose]();
    this.#refused.delete(user);
    this.#begin(user, this.#limits.redeliverFirstMs);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of this.#refused.values()) timer[Symbol.dispose]();
    this.#refused.clear();
  }

  #begin(user: string, waitMs: number): void {
    const running = this.#delivering.get(user);
    if (running !== undefined) {
      running.again = true;
      if (this.#waysOf(user).some((way) => !running.ways.has(way))) running.arrived.resolve('later');
      return;
    }
    const delivery: Delivery = {
      again: false,
      ways: new Set(this.#waysOf(user)),
      arrived: Promise.withResolvers(),
      done: Promise.withResolvers(),
    };
    this.#delivering.set(user, delivery);
    void this.#deliverAll(user, delivery)
      .catch((error: unknown) => {
        this.#options.log.error('deferred.failed', { user, error });
        return 'later' as const;
      })
      .then((outcome) => {
        this.#delivering.delete(user);
        delivery.done.resolve();
        if (delivery.again) this.receivePresent(user);
        else if (outcome === 'later') this.#askAgain(user, waitMs);
      });
  }

  /** A device that is there may refuse for a moment: it is starting, or its disk is full. */
  #askAgain(user: string, waitMs: number): void {
    if (this.#closed || !this.#options.registrar.isOnline(user)) return;
    const timer = this.#clock.startTimer(waitMs, () => {
      this.#refused.delete(user);
      this.#begin(user, Math.min(2 * waitMs, this.#limits.redeliverMaxMs));
    });
    this.#refused.set(user, timer);
  }

  /** To somebody of another domain: his server keeps it for him, or it is not accepted. */
  async #passOn(request: AgentServerRequest, sender: string, guest: Guest): Promise<void> {
    const { agent, policy, metrics, log } = this.#options;
    const refusal = policy.refusalOutwards(sender, guest);
    if (refusal !== undefined) {
      metrics.messages.refused++;
      await request.respond(403, refusal);
      return;
    }
    const { body, headers } = request.message;
    if (body.length > this.#limits.maxDeferredBytes) {
      await request.respond(413);
      return;
    }
    const from = `<sip:${policy.addressOf(sender)}>`;
    const contentType = headers.get('content-type') ?? 'text/plain';
    const response = await sendToGuest(agent, guest, { from, contentType, body: body.toString('utf8') }, log);
    const status = response?.status ?? 503;
    if (status >= 200 && status < 300) metrics.messages.delivered++;
    else metrics.messages.refused++;
    // 408 and 5xx: nobody has it, so whoever sent it keeps it and comes again. 6xx is a no for good.
    if (response === undefined || status === 408 || (status >= 500 && status < 600)) {
      const later = { 'Retry-After': String(this.#limits.storeRetryAfterS) };
      await request.respond(503, { reason: `${guest.domain} does not answer`, headers: later });
    } else if (status < 300) await request.respond(status);
    else await request.respond(...answerOfGuest(response));
  }

  /** A file that waits here for the one who says that he does not want it. Rejects with StoreError: then he says it again. */
  async #receiveDeclined({ sender, recipient, contentType, body }: Parcel): Promise<void> {
    const transferId = declinedBy(contentType, body);
    if (transferId === undefined) return;
    await this.#options.files()?.receiveDeclined({ sender: recipient, recipient: sender, transferId });
  }

  /** The recipient wants nothing of this sender. */
  #isBlocked({ sender, recipient }: Pick<Parcel, 'sender' | 'recipient'>): boolean {
    const { rules, policy } = this.#options;
    return rules.isBlocked(recipient, policy.addressOf(sender));
  }

  #waysOf(user: string): string[] {
    return this.#options.registrar.devicesOf(user).map(({ contact, source }) => `${contact} ${source}`);
  }

  #hasWaiting(recipient: string): Promise<boolean> {
    if (this.#delivering.has(recipient)) return Promise.resolve(true);
    return this.#options.store.call('hasDeferred', { recipient, nowMs: this.#clock.now() });
  }

  async #keep(request: AgentServerRequest, parcel: Parcel): Promise<void> {
    const outcome = await this.#insert(parcel);
    this.#options.metrics.messages[outcome === 'full' ? 'refused' : 'deferred']++;
    if (outcome === 'full') await request.respond(480, { reason: 'Too many messages wait for this user' });
    else await request.respond(202);
    if (outcome === 'stored' && this.#options.registrar.isOnline(parcel.recipient))
      this.receivePresent(parcel.recipient);
  }

  async #insert(parcel: Parcel): Promise<'stored' | 'full'> {
    const receivedMs = this.#clock.now();
    return this.#options.store.call('insertDeferred', {
      ...parcel,
      receivedMs,
      expiresMs: receivedMs + this.#limits.deferredDays * DAY_MS,
      maxPerRecipient: this.#limits.maxDeferredPerUser,
      maxPerSender: this.#limits.maxDeferredPerSender,
    });
  }

  async #deliverAll(user: string, { arrived }: Delivery): Promise<'done' | 'later'> {
    const { store } = this.#options;
    if (!(await store.call('hasDeferred', { recipient: user, nowMs: this.#clock.now() }))) return 'done';
    // One node alone, so that each message goes out once and in its order.
    await using claim = await store.claimQueue(user);
    return claim === undefined ? 'later' : await this.#deliverQueue(user, claim, arrived);
  }

  async #deliverQueue(
    user: string,
    claim: QueueClaim,
    arrived: Delivery['arrived'],
  ): Promise<'done' | 'later'> {
    const { store } = this.#options;
    for (;;) {
      const waiting = await store.call('selectDeferred', {
        recipient: user,
        limit: DELIVERY_BATCH,
        nowMs: this.#clock.now(),
      });
      if (waiting.length === 0) return 'done';
      for (const message of waiting) {
        if (this.#isBlocked(message)) {
          await store.call('deleteDeferred', { id: message.id });
          continue;
        }
        if (!claim.isHeld()) return 'later';
        const sent = this.#deliver({ ...message, body: Buffer.from(message.body) });
        const outcome = await Promise.race([sent, arrived.promise]);
        if (outcome === 'later') return outcome;
        await store.call('deleteDeferred', { id: message.id });
      }
    }
  }

  /** To each device; the first that takes it is enough. `useless`: none will ever take it (400, 415). */
  async #deliver(parcel: Parcel): Promise<'taken' | 'useless' | 'later'> {
    const devices = this.#options.registrar.waysTo(parcel.recipient);
    if (devices.length === 0) return 'later';
    const taken = Promise.withResolvers<'taken'>();
    const { agent, policy, log } = this.#options;
    const message = {
      from: `<sip:${policy.addressOf(parcel.sender)}>`,
      to: `<sip:${policy.addressOf(parcel.recipient)}>`,
      contentType: parcel.contentType,
      body: parcel.body.toString('utf8'),
    };
    const sent = devices.map(async (ways) => {
      const status = await sendByWays(agent, ways, message, log);
      if (status >= 200 && status < 300) taken.resolve('taken');
      return status;
    });
    const all = Promise.all(sent).then((statuses) =>
      statuses.every((status) => status === 400 || status === 415) ? 'useless' : 'later',
    );
    return Promise.race([taken.promise, all]);
  }
}
