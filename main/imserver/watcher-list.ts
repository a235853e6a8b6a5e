/**
 * Owns: the event package by which a user's own devices hear who watches him or asks to (RFC 3857). Called by:
 * sip/agent/notifier.ts, presence-server.ts. Calls: presence.ts.
 */
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { NotifierSubscription } from '../sip/agent/notifier-subscription.ts';
import {
  formatWatcherInfo,
  WATCHER_INFO_EVENT,
  WATCHER_INFO_TYPE,
  type Watcher,
} from '../sip/watcher-info.ts';
import { OwnEventPackage } from './own-event-package.ts';
import type { Presence } from './presence.ts';

/** The list of watchers of each user, for himself. */
export class WatcherList extends OwnEventPackage {
  readonly event = WATCHER_INFO_EVENT;
  readonly contentType = WATCHER_INFO_TYPE;
  readonly minIntervalMs: number;
  readonly #presence: Presence;
  readonly #limits: PresenceLimits;

  constructor(options: {
    presence: Presence;
    limits: PresenceLimits;
    userOfUri: (uri: string) => string | undefined;
  }) {
    super(options.userOfUri);
    this.#presence = options.presence;
    this.#limits = options.limits;
    this.minIntervalMs = options.limits.watcherInfoMs;
  }

  stateFor({ resource, subscriber, version }: NotifierSubscription): string {
    const { pending, active } = this.#presence.watchersOf(subscriber);
    const watchers: Watcher[] = [
      ...pending.map((address) => ({ address, status: 'pending' }) as const),
      ...active.map((address) => ({ address, status: 'active' }) as const),
    ];
    return formatWatcherInfo(resource, version, watchers.slice(0, this.#limits.maxWatchersTold));
  }
}
