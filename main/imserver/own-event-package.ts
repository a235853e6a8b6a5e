/**
 * Owns: what event packages have in common that a user's devices watch about himself alone. Called by: the packages.
 * Calls: nothing.
 */
import type { NotifierSubscription } from '../sip/agent/notifier-subscription.ts';
import type { EventPackage, IncomingSubscribe, SubscribeVerdict } from '../sip/agent/notifier.ts';

/** Everybody else is refused with 403. */
export abstract class OwnEventPackage implements EventPackage {
  abstract readonly event: string;
  abstract readonly contentType: string;
  abstract readonly minIntervalMs: number;
  readonly #userOfUri: (uri: string) => string | undefined;
  readonly #byUser = new Map<string, Set<NotifierSubscription>>();

  constructor(userOfUri: (uri: string) => string | undefined) {
    this.#userOfUri = userOfUri;
  }

  abstract stateFor(subscription: NotifierSubscription): string | undefined;

  receiveSubscribe({ subscriber, resource }: IncomingSubscribe): Promise<SubscribeVerdict> {
    return Promise.resolve(
      this.#userOfUri(resource) === subscriber ? { kind: 'active' } : { kind: 'refused', status: 403 },
    );
  }

  receiveStart(subscription: NotifierSubscription): void {
    const { subscriber } = subscription;
    const own = this.#byUser.get(subscriber) ?? new Set();
    this.#byUser.set(subscriber, own.add(subscription));
  }

  receiveEnd(subscription: NotifierSubscription): void {
    const { subscriber } = subscription;
    const own = this.#byUser.get(subscriber);
    own?.delete(subscription);
    if (own?.size === 0) this.#byUser.delete(subscriber);
  }

  /** There is something new for the devices of this user. */
  receiveChange(user: string): void {
    for (const subscription of this.#byUser.get(user) ?? []) subscription.notify();
  }
}
