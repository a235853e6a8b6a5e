/**
 * Owns: what one device of a user tells his others: kept on disk for each of them until it has taken it, in order.
 * Called by: deferred-messages.ts with a MESSAGE to oneself, registrar.ts with each device. Calls: registrar.ts,
 * device-way.ts, the store.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { COPY_LIMITS, type CopyLimits } from '../base/copy-limits.ts';
import { CPIM_TYPE } from '../base/cpim.ts';
import type { Log } from '../base/log.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { COPIES_FEATURE, copyRequestHeaders, OTHER_DEVICES_HEADER } from '../sip/agent/copy-request.ts';
import type { NameAddr } from '../sip/headers.ts';
import type { Binding } from '../store/imserver-tables.ts';
import type { QueueClaim } from '../store/server-store.ts';
import { sendByWays } from './device-way.ts';
import type { ImServerStore } from './imserver-store.ts';

export interface DeviceCopiesOptions {
  readonly agent: SipAgent;
  readonly store: ImServerStore;
  readonly domain: string;
  readonly log: Log;
  /** The ways of each device of a user that is there. */
  readonly waysTo: (user: string) => readonly (readonly Binding[])[];
  /** Default: `COPY_LIMITS`. */
  readonly limits?: Partial<CopyLimits> | undefined;
  readonly clock?: Clock;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const BATCH = 20;

/** A device to which copies are going out. */
interface Delivery {
  again: boolean;
  waitMs: number;
}

/** The copies of all users. */
export class DeviceCopies implements Disposable {
  readonly #options: DeviceCopiesOptions;
  readonly #clock: Clock;
  readonly #limits: CopyLimits;
  readonly #keptMs: number;
  readonly #delivering = new Map<string, Delivery>();
  /** Devices that did not take what waits for them, and when they are asked again. */
  readonly #refused = new Map<string, Timer>();
  #closed = false;

  constructor(options: DeviceCopiesOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...COPY_LIMITS, ...options.limits };
    this.#keptMs = this.#limits.keptDays * DAY_MS;
  }

  /** A device registers. Resolves with how many others of its user understand copies; undefined: this one does not. */
  async receiveDevice(user: string, contact: NameAddr): Promise<number | undefined> {
    const instance = (contact.params.get('+sip.instance') ?? '').slice(0, 200);
    if (instance === '') return undefined;
    const { store } = this.#options;
    if (!contact.params.has(COPIES_FEATURE)) {
      // It may have understood them until now.
      await store.call('forgetDevice', { user, instance });
      return undefined;
    }
    return store.call('registerDevice', {
      ...{ user, instance, nowMs: this.#clock.now(), keptMs: this.#keptMs },
      maxDevices: this.#limits.maxDevices,
    });
  }

  /** One of the user's devices, which the server has authenticated, tells the others. */
  async receiveCopy(request: AgentServerRequest, user: string, from: string): Promise<void> {
    const { store, log } = this.#options;
    const { body } = request.message;
    if (body.length > this.#limits.maxCopyBytes) {
      await request.respond(413);
      return;
    }
    const { maxPerDevice, maxBytesPerDevice } = this.#limits;
    const { instances, dropped } = await store.call('insertCopies', {
      ...{ user, from, body, maxPerDevice, maxBytesPerDevice },
      ...{ nowMs: this.#clock.now(), keptMs: this.#keptMs },
    });
    if (dropped > 0) log.info('copies.dropped', { user, dropped });
    await request.respond(instances.length > 0 ? 202 : 200, {
      headers: { [OTHER_DEVICES_HEADER]: String(instances.length) },
    });
    for (const instance of instances) this.#deliver(user, instance);
  }

  /** Devices of the user are there: what waits for them goes out, oldest first, one after the other. */
  receivePresent(user: string): void {
    for (const [way] of this.#options.waysTo(user)) {
      const [instance = ''] = way?.instance.split(' ') ?? [];
      if (instance !== '') this.#deliver(user, instance);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of this.#refused.values()) timer[Symbol.dispose]();
    this.#refused.clear();
  }

  #deliver(user: string, instance: string, waitMs = this.#limits.redeliverFirstMs): void {
    const key = `copies ${user} ${instance}`;
    const running = this.#delivering.get(key);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    this.#refused.get(key)?.[Symbol.dispose]();
    this.#refused.delete(key);
    const delivery: Delivery = { again: false, waitMs };
    this.#delivering.set(key, delivery);
    void this.#deliverAlone(user, instance, key)
      .catch((error: unknown) => {
        this.#options.log.error('copies.failed', { user, error });
        return 'later' as const;
      })
      .then((outcome) => {
        this.#delivering.delete(key);
        if (delivery.again) this.#deliver(user, instance);
        else if (outcome === 'later') this.#askAgain(user, instance, waitMs);
      });
  }

  /** It is there and did not take it: it is starting, or its disk is full. */
  #askAgain(user: string, instance: string, waitMs: number): void {
    if (this.#closed || this.#waysOf(user, instance) === undefined) return;
    const key = `copies ${user} ${instance}`;
    const timer = this.#clock.startTimer(waitMs, () => {
      this.#refused.delete(key);
      this.#deliver(user, instance, Math.min(2 * waitMs, this.#limits.redeliverMaxMs));
    });
    this.#refused.set(key, timer);
  }

  /** Only one node of the server delivers to a device. */
  async #deliverAlone(user: string, instance: string, key: string): Promise<'done' | 'later'> {
    if (this.#waysOf(user, instance) === undefined) return 'later';
    await using claim = await this.#options.store.claimQueue(key);
    return claim === undefined ? 'later' : await this.#deliverAll(user, instance, claim);
  }

  async #deliverAll(user: string, instance: string, claim: QueueClaim): Promise<'done' | 'later'> {
    const { store, log } = this.#options;
    while (!this.#closed) {
      const nowMs = this.#clock.now();
      if (this.#waysOf(user, instance) === undefined) return 'later';
      const waiting = await store.call('selectCopies', { user, instance, limit: BATCH, nowMs });
      if (waiting.length === 0) return 'done';
      for (const { id, body } of waiting) {
        if (!claim.isHeld()) return 'later';
        const status = await this.#send(user, instance, Buffer.from(body));
        const isUseless = status === 400 || status === 413 || status === 415;
        if (isUseless) log.info('copy.useless', { user, status });
        if (!isUseless && (status < 200 || status >= 300)) return 'later';
        await store.call('deleteCopy', { id });
      }
    }
    return 'later';
  }

  #waysOf(user: string, instance: string): readonly Binding[] | undefined {
    return this.#options.waysTo(user).find(([way]) => way?.instance.split(' ')[0] === instance);
  }

  /** Resolves with the SIP status; 503 when it is not there. */
  async #send(user: string, instance: string, body: Buffer): Promise<number> {
    const { agent, domain, log } = this.#options;
    const ways = this.#waysOf(user, instance);
    if (ways === undefined) return 503;
    const address = `<sip:${user}@${domain}>`;
    const message = { from: address, to: address, contentType: CPIM_TYPE, body: body.toString('utf8') };
    const headers = { 'Accept-Contact': copyRequestHeaders('')['Accept-Contact'] ?? '' };
    return sendByWays(agent, ways, { ...message, headers }, log);
  }
}
