/**
 * Owns: that nobody goes on waiting for the NOTIFYs of a node that is dead: each node notes the dialogs of its
 * subscriptions, and another one ends them in its place, whereupon their subscribers come again (RFC 6665 §4.1.3,
 * `deactivated`). Called by: presence-server.ts, imserver.ts. Calls: store/server-store.ts, sip/agent/agent.ts.
 */
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import type { EventLimits } from '../base/event-limits.ts';
import type { Log } from '../base/log.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { NOTIFIER_CONTACT, NotifyTurns } from '../sip/agent/notifier-subscription.ts';
import type { SubscriptionDialog, SubscriptionDialogs } from '../sip/agent/notifier.ts';
import type { NodeThings } from '../store/server-store.ts';

const KIND = 'subscription';
const MAX_ATTEMPTS = 3;
const AGAIN_MS = 2_000;

/** Notes them among the things of this node. */
export function subscriptionDialogs(things: NodeThings, log: Log): SubscriptionDialogs {
  const logged = (work: Promise<void>): void => {
    work.catch((error: unknown) => {
      log.info('subscription.not-noted', { error });
    });
  };
  return {
    add: (key, dialog) => {
      logged(things.put({ kind: KIND, key, content: JSON.stringify(dialog) }));
    },
    remove: (key) => {
      logged(things.remove({ kind: KIND, key }));
    },
  };
}

/** Ends what dead nodes have left. */
export class OrphanedSubscriptions implements Disposable {
  readonly #agent: SipAgent;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #turns: NotifyTurns;
  readonly #release: () => void;
  readonly #waiting = new Set<Timer>();

  constructor(options: {
    agent: SipAgent;
    things: NodeThings;
    limits: Pick<EventLimits, 'maxOpenNotifies'>;
    log: Log;
    clock?: Clock | undefined;
  }) {
    this.#agent = options.agent;
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#turns = new NotifyTurns(options.limits.maxOpenNotifies);
    this.#release = options.things.onOrphans((things) => {
      for (const { kind, content } of things) {
        if (kind === KIND) this.#end(JSON.parse(content) as SubscriptionDialog, 1);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#release();
    for (const timer of this.#waiting) timer[Symbol.dispose]();
  }

  #end(dialog: SubscriptionDialog, attempt: number): void {
    this.#turns.take(async () => {
      const status = await this.#notify(dialog);
      // 481: its subscriber has given it up; 5xx: perhaps the dead node had counted further than we do.
      if (status < 500 || attempt >= MAX_ATTEMPTS) return;
      const timer = this.#clock.startTimer(AGAIN_MS, () => {
        this.#waiting.delete(timer);
        this.#end(dialog, attempt + 1);
      });
      this.#waiting.add(timer);
    });
  }

  /** The status of the answer; never rejects. */
  async #notify({ callId, from, to, target, routes, event }: SubscriptionDialog): Promise<number> {
    try {
      const { status } = await this.#agent.sendRequest({
        method: 'NOTIFY',
        uri: target,
        headers: {
          'Call-ID': callId,
          From: from,
          To: to,
          ...(routes.length > 0 ? { Route: routes } : {}),
          Contact: NOTIFIER_CONTACT,
          Event: event,
          'Subscription-State': 'terminated;reason=deactivated',
        },
      }).final;
      return status;
    } catch (error) {
      this.#log.info('subscription.not-ended', { error });
      return 503;
    }
  }
}
