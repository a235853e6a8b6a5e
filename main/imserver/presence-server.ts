/**
 * Owns: everything of one server that its users subscribe to and publish, put together: presence, its watchers, rules,
 * devices. Called by: imserver.ts. Calls: presence.ts and its neighbours, sip/agent/notifier.ts.
 */
import { systemClock, type Clock } from '../base/clock.ts';
import { EVENT_LIMITS, type EventLimits } from '../base/event-limits.ts';
import type { Log } from '../base/log.ts';
import { PRESENCE_LIMITS, type PresenceLimits } from '../base/presence-limits.ts';
import type { SipAgent } from '../sip/agent/agent.ts';
import { Notifier } from '../sip/agent/notifier.ts';
import { clientBehind } from './device-way.ts';
import { subscriptionDialogs } from './orphaned-subscriptions.ts';
import { ContactRulesBook } from './contact-rules-book.ts';
import type { Credentials } from './credentials.ts';
import type { StoreNews } from '../store/server-store.ts';
import type { ImServerStore } from './imserver-store.ts';
import { PresenceAsks } from './presence-asks.ts';
import { Presence } from './presence.ts';
import { Publications } from './publications.ts';
import { PublishRequests } from './publish-requests.ts';
import type { Registrar } from './registrar.ts';
import { RegistrationEvents } from './registration-events.ts';
import { RulesPackage } from './rules-package.ts';
import type { Users } from './users.ts';
import { WatcherList } from './watcher-list.ts';

export interface PresenceServerOptions {
  readonly agent: SipAgent;
  readonly credentials: Credentials;
  readonly registrar: Registrar;
  readonly users: Users;
  readonly store: ImServerStore;
  readonly rules: ContactRulesBook;
  readonly domain: string;
  readonly log: Log;
  /** What holds for people about whom a user has no rule. */
  readonly permission: () => 'ask' | 'allow';
  /** Default: `PRESENCE_LIMITS` and `EVENT_LIMITS`. */
  readonly presenceLimits?: Partial<PresenceLimits>;
  readonly eventLimits?: Partial<EventLimits>;
  readonly clock?: Clock;
}

/** Built when the server's other parts are; `load` before the first request. */
export class PresenceServer implements Disposable {
  /** Further event packages are added to it. */
  readonly notifier: Notifier;
  readonly publish: PublishRequests;
  readonly presence: Presence;
  readonly publications: Publications;
  readonly rules: ContactRulesBook;
  readonly #asks: PresenceAsks;
  readonly #devices: RegistrationEvents;

  constructor(options: PresenceServerOptions) {
    const { agent, credentials, registrar, users, store, domain, log, permission } = options;
    const clock = options.clock ?? systemClock;
    const limits = { ...PRESENCE_LIMITS, ...options.presenceLimits };
    const userOfUri = (uri: string): string | undefined => credentials.userOfUri(uri);
    this.rules = options.rules;
    this.#asks = new PresenceAsks({
      ...{ store, limits, clock, log },
      receiveElsewhere: (user) => {
        watcherList.receiveChange(user);
      },
    });
    this.publications = new Publications({
      ...{ limits, clock, log },
      shared: store.shared,
      receiveChange: (user) => {
        this.presence.receiveChange(user);
      },
    });
    this.presence = new Presence({
      ...{ credentials, users, registrar, domain, limits, permission },
      publications: this.publications,
      rules: this.rules,
      asks: this.#asks,
      receiveWatchers: (user) => {
        watcherList.receiveChange(user);
      },
    });
    const watcherList = new WatcherList({ presence: this.presence, limits, userOfUri });
    const rulesPackage = new RulesPackage({
      ...{ limits, userOfUri },
      rules: this.rules,
      receiveRules: (user) => {
        this.presence.receiveRules(user);
      },
    });
    this.rules.onElsewhere = (user) => {
      this.presence.receiveRules(user);
      rulesPackage.receiveChange(user);
    };
    this.#devices = new RegistrationEvents({ registrar, limits, clock, userOfUri });
    const { shared } = store;
    this.notifier = new Notifier({
      ...{ agent, clock, log },
      ...(shared ? { dialogs: subscriptionDialogs(shared.things, log) } : {}),
      limits: { ...EVENT_LIMITS, ...options.eventLimits },
      authenticate: (request) => credentials.authenticate(request),
      // Behind a proxy many clients have its address.
      sourceOf: (request) => credentials.clientOf(request).uri,
    });
    for (const one of [this.presence, watcherList, rulesPackage, this.#devices]) this.notifier.add(one);
    this.publish = new PublishRequests({ credentials, limits });
    this.publish.add(this.publications);
    this.publish.add(rulesPackage);
  }

  /** Reads what the last run of the server knew. Rejects with StoreError. */
  async load(): Promise<void> {
    await this.rules.load();
    await this.#asks.load();
    await this.publications.load();
  }

  /** Another node has changed something. */
  receiveNews(news: StoreNews): void {
    if (news.kind === 'everything') {
      this.rules.receiveNews();
      this.#asks.receiveNews();
      this.publications.receiveNews();
    } else if (news.kind === 'rules') this.rules.receiveNews(news.user);
    else if (news.kind === 'asks') this.#asks.receiveNews(news.user);
    else if (news.kind === 'presence') this.publications.receiveNews(news.user);
  }

  /** Nobody of this user is registered from there any more: signed off, expired, or come back elsewhere. */
  receiveLeft(source: string, user: string): void {
    const client = clientBehind(source);
    this.notifier.receiveLeft(client);
    this.publications.receiveLeft(user, client);
  }

  /** A user has come, or is gone. */
  receiveChange(user: string): void {
    this.presence.receiveChange(user);
  }

  /** A user has other devices. */
  receiveDevices(user: string): void {
    this.#devices.receiveChange(user);
  }

  [Symbol.dispose](): void {
    this.notifier[Symbol.dispose]();
    this.publications[Symbol.dispose]();
    this.rules[Symbol.dispose]();
    this.#asks[Symbol.dispose]();
  }
}
