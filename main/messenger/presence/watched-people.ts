/**
 * Owns: whose presence one account follows: a subscription for each, begun a few at a time, and what they have said.
 * Called by: account-presence.ts. Calls: sip/agent/subscription.ts, sip/pidf.ts.
 */
import type { PresenceState } from '../../../shared/domain/presence.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PresenceLimits } from '../../base/presence-limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import {
  Subscription,
  type NotifiedState,
  type SubscriptionRoute,
  type SubscriptionStatus,
} from '../../sip/agent/subscription.ts';
import { parsePidf, PIDF_TYPE } from '../../sip/pidf.ts';

export interface WatchedPeopleOptions {
  readonly agent: SipAgent;
  readonly route: () => SubscriptionRoute | undefined;
  readonly limits: PresenceLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** Null: it is not known any more. */
  readonly receiveState: (address: string, state: PresenceState | null) => void;
}

/** Statuses by which a server says that it has no presence at all (RFC 3261 §21.4.6, RFC 6665 §8.3.2). */
const NO_PRESENCE = new Set([405, 489, 501]);

interface Watched {
  readonly subscription: Subscription;
  state: PresenceState | null;
  /** While it holds up the next. */
  beginning: Timer | undefined;
}

/** The people of one account. */
export class WatchedPeople {
  readonly #options: WatchedPeopleOptions;
  readonly #people = new Map<string, Watched>();
  /** Those whose subscription has to be begun, in their order. */
  readonly #waiting = new Set<string>();
  #isStarted = false;

  constructor(options: WatchedPeopleOptions) {
    this.#options = options;
  }

  /** What is known now. */
  seen(): { readonly address: string; readonly state: PresenceState }[] {
    return [...this.#people].flatMap(([address, { state }]) => (state === null ? [] : [{ address, state }]));
  }

  /** These are followed from now on, the first ones first. */
  watch(addresses: readonly string[]): void {
    const wanted = new Set(addresses.slice(0, this.#options.limits.maxWatched));
    for (const address of [...this.#people.keys()].filter((one) => !wanted.has(one))) this.#leave(address);
    for (const address of wanted) {
      if (this.#people.has(address)) continue;
      this.#people.set(address, this.#create(address));
      if (this.#isStarted) this.#waiting.add(address);
    }
    this.#begin();
  }

  /** The server is there, or there anew: it knows nothing of us. */
  start(): void {
    this.#isStarted = true;
    for (const address of this.#people.keys()) this.#waiting.add(address);
    this.#begin();
  }

  /** The server is gone, or has no presence: nothing is known, and nothing is sent until `start`. */
  stop(): void {
    this.#isStarted = false;
    this.#waiting.clear();
    for (const [address, watched] of this.#people) {
      this.#endBeginning(watched);
      watched.subscription.drop();
      this.#put(address, null);
    }
  }

  #create(address: string): Watched {
    const { agent, route, clock, log } = this.#options;
    const subscription = new Subscription({
      ...{ agent, route, clock, log },
      event: 'presence',
      accept: PIDF_TYPE,
      resource: `sip:${address}`,
      receiveState: (state) => {
        this.#receiveState(address, state);
      },
      receiveStatus: (status) => {
        this.#receiveStatus(address, status);
      },
    });
    return { subscription, state: null, beginning: undefined };
  }

  #begin(): void {
    const { limits, clock } = this.#options;
    let open = [...this.#people.values()].filter(({ beginning }) => beginning !== undefined).length;
    for (const address of this.#waiting) {
      if (open >= limits.maxBeginning) return;
      this.#waiting.delete(address);
      const watched = this.#people.get(address);
      if (watched === undefined) continue;
      open += 1;
      watched.beginning = clock.startTimer(limits.beginMs, () => {
        watched.beginning = undefined;
        this.#begin();
      });
      watched.subscription.start();
    }
  }

  #receiveStatus(address: string, status: SubscriptionStatus): void {
    const watched = this.#people.get(address);
    if (watched === undefined || status.status === 'subscribing') return;
    this.#endBeginning(watched);
    if (status.status !== 'active') this.#put(address, null);
    if (status.status === 'refused' && NO_PRESENCE.has(status.code)) this.stop();
    else this.#begin();
  }

  #receiveState(address: string, { contentType, body }: NotifiedState): void {
    if (!contentType.toLowerCase().startsWith(PIDF_TYPE)) return;
    try {
      this.#put(address, parsePidf(body));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.log.info('presence.not-read', { code: error.code });
    }
  }

  #put(address: string, state: PresenceState | null): void {
    const watched = this.#people.get(address);
    if (watched === undefined) return;
    const before = watched.state;
    if (before?.show === state?.show && before?.note === state?.note) return;
    watched.state = state;
    this.#options.receiveState(address, state);
  }

  #leave(address: string): void {
    const watched = this.#people.get(address);
    if (watched === undefined) return;
    this.#endBeginning(watched);
    this.#waiting.delete(address);
    this.#put(address, null);
    this.#people.delete(address);
    if (this.#isStarted) void watched.subscription[Symbol.asyncDispose]();
    else watched.subscription.drop();
  }

  #endBeginning(watched: Watched): void {
    watched.beginning?.[Symbol.dispose]();
    watched.beginning = undefined;
  }
}
