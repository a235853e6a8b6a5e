/**
 * Owns: presence and rules at the server of one account: what we publish, whom we follow, who asks to follow us.
 * Called by: presence-book.ts. Calls: sip/agent/publication.ts, watched-people.ts, rule-book.ts, sip/watcher-info.ts.
 */
import type { AccountId } from '../../../shared/domain/ids.ts';
import type {
  AccountPresence,
  ContactRule,
  PresenceState,
  SeenPresence,
} from '../../../shared/domain/presence.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { PresenceLimits } from '../../base/presence-limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { SipAgent } from '../../sip/agent/agent.ts';
import { Publication } from '../../sip/agent/publication.ts';
import { Subscription, type SubscriptionRoute } from '../../sip/agent/subscription.ts';
import { formatPidf, PIDF_TYPE } from '../../sip/pidf.ts';
import { parseWatcherInfo, WATCHER_INFO_EVENT, WATCHER_INFO_TYPE } from '../../sip/watcher-info.ts';
import { RuleBook } from './rule-book.ts';
import { WatchedPeople } from './watched-people.ts';

export interface AccountPresenceOptions {
  readonly agent: SipAgent;
  /** The rules as `keepRules` got them the last time. */
  readonly keptRules: string | undefined;
  readonly keepRules: (text: string) => Promise<void>;
  readonly accountId: AccountId;
  readonly address: string;
  /** Undefined while it is not signed in. */
  readonly route: () => SubscriptionRoute | undefined;
  readonly limits: PresenceLimits;
  readonly clock: Clock;
  readonly log: Log;
  /** What our user wants to do with somebody who asks to see him. */
  readonly verdict: (address: string) => 'allow' | 'show' | 'ignore';
  readonly receiveSeen: (seen: SeenPresence) => void;
  readonly receiveChange: (presence: AccountPresence) => void;
}

/** One account, as long as it runs on one network. */
export class AccountPresenceLink {
  readonly #options: AccountPresenceOptions;
  readonly #publication: Publication;
  readonly #watched: WatchedPeople;
  readonly #watchers: Subscription;
  readonly #rules: RuleBook;
  #isStarted = false;
  /** Those who may be followed, the first ones first. */
  #people: readonly string[] = [];
  #asks: readonly string[] = [];
  #told = '';

  constructor(options: AccountPresenceOptions) {
    this.#options = options;
    const { agent, accountId, address, route, limits, clock, log } = options;
    const resource = `sip:${address}`;
    const shared = { agent, resource, route, clock, log };
    this.#publication = new Publication({
      ...shared,
      event: 'presence',
      contentType: PIDF_TYPE,
      receiveStatus: () => {
        this.#tell();
      },
    });
    this.#watched = new WatchedPeople({
      ...{ agent, route, limits, clock, log },
      receiveState: (one, state) => {
        options.receiveSeen({ accountId, address: one, state });
      },
    });
    this.#watchers = new Subscription({
      ...shared,
      event: WATCHER_INFO_EVENT,
      accept: WATCHER_INFO_TYPE,
      receiveState: ({ contentType, body }) => {
        if (contentType.toLowerCase().startsWith(WATCHER_INFO_TYPE)) this.#receiveWatchers(body);
      },
    });
    this.#rules = new RuleBook({
      ...{ ...shared, limits },
      kept: options.keptRules,
      keep: options.keepRules,
      receiveChange: () => {
        this.#follow();
        this.#tell();
      },
    });
  }

  get presence(): AccountPresence {
    return {
      accountId: this.#options.accountId,
      isPublished: this.#publication.status.status === 'published',
      rulesAt: this.#rules.at,
      rules: [...this.#rules.rules].map(([address, rule]) => ({ address, ...rule })),
      asks: this.#asks.filter(
        (address) => this.#isOpen(address) && this.#options.verdict(address) === 'show',
      ),
    };
  }

  seen(): SeenPresence[] {
    const { accountId } = this.#options;
    return this.#watched.seen().map((one) => ({ accountId, ...one }));
  }

  isBlocked(address: string): boolean {
    return this.#rules.rule(address).blocked;
  }

  /** The account has signed in. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#publication.start();
    this.#rules.start();
    this.#watchers.start();
    this.#watched.start();
  }

  /** The account is not signed in any more. */
  stop(): void {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    this.#publication.stop();
    this.#rules.stop();
    this.#watchers.drop();
    this.#watched.stop();
  }

  publish(state: PresenceState | undefined): void {
    const { address, accountId } = this.#options;
    // RFC 3863 §4.2.5: an xs:ID, so it begins with a letter; another one on each device.
    const tupleId = `t${accountId.slice(0, 8)}`;
    this.#publication.publish(state && formatPidf(`sip:${address}`, state, tupleId));
  }

  /** These may be followed, the first ones first. */
  watch(people: readonly string[]): void {
    this.#people = people;
    this.#follow();
  }

  /** Rejects with CallError or StoreError. */
  async decide(address: string, change: Partial<ContactRule>): Promise<AccountPresence> {
    await this.#rules.set(address, change);
    return this.presence;
  }

  /** Whom our user knows, or whom he lets see him, has changed. */
  receivePeople(): void {
    for (const address of this.#asks) {
      if (!this.#isOpen(address) || this.#options.verdict(address) !== 'allow') continue;
      this.#rules.set(address, { presence: 'allow' }).catch((error: unknown) => {
        this.#options.log.warn('presence.not-allowed', { error });
      });
    }
    this.#tell();
  }

  /** Takes back what is published, at most for `withinMs`; the rest the server forgets when we sign off. */
  async leave(withinMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    using _limit = this.#options.clock.startTimer(withinMs, () => {
      late.resolve();
    });
    this.#rules.stop();
    this.#watchers.drop();
    this.#watched.stop();
    await Promise.race([this.#publication[Symbol.asyncDispose](), late.promise]);
  }

  /** He has not been answered yet. */
  #isOpen(address: string): boolean {
    const { presence, blocked } = this.#rules.rule(address);
    return presence === 'ask' && !blocked;
  }

  #follow(): void {
    this.#watched.watch(this.#people.filter((address) => !this.isBlocked(address)));
  }

  #receiveWatchers(body: Buffer): void {
    try {
      this.#asks = parseWatcherInfo(body)
        .filter(({ status }) => status !== 'active')
        .map(({ address }) => address);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.log.warn('presence.watchers-not-read', { code: error.code });
      return;
    }
    this.receivePeople();
  }

  #tell(): void {
    const { presence } = this;
    const text = JSON.stringify(presence);
    if (text === this.#told) return;
    this.#told = text;
    this.#options.receiveChange(presence);
  }
}
