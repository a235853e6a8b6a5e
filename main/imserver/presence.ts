/**
 * Owns: the event package of presence (RFC 3856): who watches whom, what each may see, and when he is told.
 * Called by: sip/agent/notifier.ts, presence-server.ts. Calls: publications.ts, contact-rules-book.ts, presence-asks.ts.
 */
import type { PresenceState } from '../../shared/domain/presence.ts';
import type { PresenceLimits } from '../base/presence-limits.ts';
import type { NotifierSubscription } from '../sip/agent/notifier-subscription.ts';
import type { EventPackage, IncomingSubscribe, SubscribeVerdict } from '../sip/agent/notifier.ts';
import { formatPidf, PIDF_TYPE } from '../sip/pidf.ts';
import { tryParseSipUri } from '../sip/uri.ts';
import type { ContactRulesBook } from './contact-rules-book.ts';
import type { Credentials } from './credentials.ts';
import type { PresenceAsks } from './presence-asks.ts';
import type { Publications } from './publications.ts';
import type { Registrar } from './registrar.ts';
import type { Users } from './users.ts';

export interface PresenceOptions {
  readonly credentials: Pick<Credentials, 'userOfUri'>;
  readonly users: Users;
  readonly registrar: Pick<Registrar, 'isOnline'>;
  readonly publications: Publications;
  readonly rules: ContactRulesBook;
  readonly asks: PresenceAsks;
  readonly domain: string;
  readonly limits: PresenceLimits;
  /** What holds for people about whom a user has no rule. */
  readonly permission: () => 'ask' | 'allow';
  /** Somebody watches, asks, or does not any more. */
  readonly receiveWatchers: (user: string) => void;
}

/**
 * What a watcher sees. `offline`: nothing, and he is not told that it is for him alone. `nothing`: he has to wait for an
 * answer.
 */
type View = 'all' | 'offline' | 'nothing';

const OFFLINE: PresenceState = { show: 'offline', note: '' };

/** Presence of the users of one server, for users of the same server. */
export class Presence implements EventPackage {
  readonly event = 'presence';
  readonly contentType = PIDF_TYPE;
  readonly minIntervalMs: number;
  readonly #options: PresenceOptions;
  /** By watched user. */
  readonly #watchers = new Map<string, Set<NotifierSubscription>>();
  /** What the watchers of a user were told last. */
  readonly #told = new Map<string, string>();

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.minIntervalMs = options.limits.notifyMs;
  }

  /** A user is what his devices say, as long as one of them is registered. */
  stateOf(user: string): PresenceState {
    return this.#options.registrar.isOnline(user) ? this.#options.publications.composed(user) : OFFLINE;
  }

  /** Addresses of those who are told of a user, and of those who wait for his answer, the latter first. */
  watchersOf(user: string): { readonly pending: readonly string[]; readonly active: readonly string[] } {
    const active = [...(this.#watchers.get(user) ?? [])]
      .filter(({ state, subscriber }) => state === 'active' && subscriber !== user)
      .map(({ subscriber }) => this.#addressOf(subscriber))
      .filter((address) => !this.#options.rules.isBlocked(user, address));
    return { pending: this.#options.asks.of(user), active: [...new Set(active)] };
  }

  async receiveSubscribe({ subscriber, resource }: IncomingSubscribe): Promise<SubscribeVerdict> {
    const { credentials, users, asks } = this.#options;
    const watched = credentials.userOfUri(resource);
    // Of people of other domains nothing is known here, whatever the policy.
    if (watched === undefined && tryParseSipUri(resource)?.user !== undefined)
      return { kind: 'refused', status: 403 };
    if (watched === undefined || (await users.find(watched)) === undefined) {
      return { kind: 'refused', status: 404 };
    }
    if (this.#viewOf(watched, subscriber) !== 'nothing') return { kind: 'active' };
    if (this.#mayAsk(watched, subscriber) && asks.add(watched, this.#addressOf(subscriber))) {
      this.#options.receiveWatchers(watched);
    }
    return { kind: 'pending' };
  }

  receiveStart(subscription: NotifierSubscription): void {
    const watched = this.#watchedBy(subscription);
    const watchers = this.#watchers.get(watched) ?? new Set();
    this.#watchers.set(watched, watchers.add(subscription));
    if (!this.#told.has(watched)) this.#told.set(watched, this.#textOf(watched));
    this.#options.receiveWatchers(watched);
  }

  receiveEnd(subscription: NotifierSubscription): void {
    const watched = this.#watchedBy(subscription);
    const watchers = this.#watchers.get(watched);
    watchers?.delete(subscription);
    if (watchers?.size === 0) {
      this.#watchers.delete(watched);
      this.#told.delete(watched);
    }
    this.#options.receiveWatchers(watched);
  }

  stateFor(subscription: NotifierSubscription): string | undefined {
    if (subscription.state === 'pending') return undefined;
    const watched = this.#watchedBy(subscription);
    const view = this.#viewOf(watched, subscription.subscriber);
    if (view === 'nothing' && subscription.state === 'terminated') return undefined;
    return this.#document(watched, view === 'all' ? this.stateOf(watched) : OFFLINE);
  }

  /** Devices have come or gone, or have said something else. */
  receiveChange(user: string): void {
    const watchers = this.#watchers.get(user);
    if (watchers === undefined) return;
    const now = this.#textOf(user);
    if (this.#told.get(user) === now) return;
    this.#told.set(user, now);
    for (const watcher of watchers) if (watcher.state === 'active') watcher.notify();
  }

  /** A user has other rules: his watchers see what they may see now, and questions are answered. */
  receiveRules(user: string): void {
    const { asks, rules } = this.#options;
    asks.remove(
      user,
      asks.of(user).filter((watcher) => {
        const { presence, blocked } = rules.rule(user, watcher);
        return presence !== 'ask' || blocked;
      }),
    );
    for (const watcher of this.#watchers.get(user) ?? []) {
      const view = this.#viewOf(user, watcher.subscriber);
      if (view === 'nothing') watcher.suspend();
      else if (watcher.state === 'pending') watcher.activate();
      else watcher.notify();
    }
    this.#options.receiveWatchers(user);
  }

  #viewOf(watched: string, watcher: string): View {
    if (watched === watcher) return 'all';
    const { presence, blocked } = this.#options.rules.rule(watched, this.#addressOf(watcher));
    const permission = presence === 'ask' ? this.#options.permission() : presence;
    if (permission !== 'allow') return 'nothing';
    return blocked ? 'offline' : 'all';
  }

  /** Who has been answered, or is blocked, waits like one who has not: he is not told. */
  #mayAsk(watched: string, watcher: string): boolean {
    const { presence, blocked } = this.#options.rules.rule(watched, this.#addressOf(watcher));
    return presence === 'ask' && !blocked;
  }

  #textOf(user: string): string {
    const { show, note } = this.stateOf(user);
    return `${show} ${note}`;
  }

  #watchedBy({ resource }: NotifierSubscription): string {
    return this.#options.credentials.userOfUri(resource) ?? '';
  }

  #addressOf(user: string): string {
    return `${user}@${this.#options.domain}`;
  }

  #document(user: string, state: PresenceState): string {
    return formatPidf(`sip:${this.#addressOf(user)}`, state);
  }
}
