/**
 * Owns: presence and rules of all accounts of one profile: what our user is, whom he knows, what the window is told.
 * Called by: messenger.ts, presence-commands.ts, request-routing.ts. Calls: account-presence.ts, own-presence.ts, the feed.
 */
import type { Contact, Conversation } from '../../../shared/domain/conversation.ts';
import type { AccountId } from '../../../shared/domain/ids.ts';
import type {
  AccountPresence,
  ContactRule,
  OwnPresence,
  SeenPresence,
} from '../../../shared/domain/presence.ts';
import type { EventEnvelope } from '../../../shared/ipc/envelope.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { Settings } from '../../../shared/settings.ts';
import { systemClock, type Clock } from '../../base/clock.ts';
import type { MessengerLimits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { PRESENCE_LIMITS } from '../../base/presence-limits.ts';
import type { Store } from '../../store/store.ts';
import type { AccountLink } from '../account-link.ts';
import type { Feed } from '../feed.ts';
import { AccountPresenceLink } from './account-presence.ts';
import { OwnPresenceState } from './own-presence.ts';

export interface PresenceBookOptions {
  readonly store: Store;
  readonly feed: Feed;
  readonly log: Log;
  readonly limits: MessengerLimits;
  readonly settings: () => Settings;
  readonly accounts: () => readonly AccountLink[];
  readonly clock?: Clock;
}

/** What is known of a person at one account. */
interface Acquaintance {
  readonly isContact: boolean;
  /** Undefined: there is no conversation. */
  readonly standing: Conversation['standing'] | undefined;
  readonly lastActivityMs: number;
}

const RULES = 'rules:';
const NOBODY: Acquaintance = { isContact: false, standing: undefined, lastActivityMs: 0 };

/** Follows the feed from `open` on. */
export class PresenceBook implements AsyncDisposable {
  readonly #options: PresenceBookOptions;
  readonly #clock: Clock;
  readonly #own: OwnPresenceState;
  readonly #links = new Map<
    AccountId,
    { readonly account: AccountLink; readonly presence: AccountPresenceLink }
  >();
  readonly #people = new Map<AccountId, Map<string, Acquaintance>>();
  /** Rules as they lie on disk. */
  readonly #keptRules = new Map<AccountId, string>();
  #unsubscribe: () => void = () => undefined;

  constructor(options: PresenceBookOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#own = new OwnPresenceState({
      clock: this.#clock,
      settings: options.settings,
      receiveChange: () => {
        options.feed.publish('presence.own', this.own);
        for (const { presence } of this.#links.values()) presence.publish(this.#own.published);
      },
    });
  }

  get own(): OwnPresence {
    return this.#own.shown;
  }

  /** Reads what is on disk, before the first account runs. Rejects with StoreError. */
  async open(): Promise<void> {
    const { store, feed } = this.#options;
    for (const [key, text] of Object.entries(await store.call('selectSettings', null))) {
      if (key.startsWith(RULES)) this.#keptRules.set(key.slice(RULES.length) as AccountId, text);
    }
    for (const contact of await store.call('selectContacts', null)) this.#applyContact(contact);
    for (const { accountId, peerAddress, ...known } of await store.call('selectConversationPeers', null)) {
      this.#put(accountId, peerAddress, known);
    }
    this.#unsubscribe = feed.subscribe((event) => {
      this.#receive(event);
    });
    this.#own.start();
  }

  accounts(): AccountPresence[] {
    return [...this.#links.values()].map(({ presence }) => presence.presence);
  }

  seen(): SeenPresence[] {
    return [...this.#links.values()].flatMap(({ presence }) => presence.seen());
  }

  isBlocked(accountId: AccountId, address: string): boolean {
    return this.#links.get(accountId)?.presence.isBlocked(address) ?? false;
  }

  /** Throws CallError when our user has blocked whom this conversation is with. */
  refuseBlocked({ accountId, kind, peerAddress, peerName }: Conversation): void {
    if (kind === 'group' || !this.isBlocked(accountId, peerAddress)) return;
    throw new CallError('not-allowed', `You have blocked ${peerName}. Unblock to talk again.`);
  }

  /** Rejects with CallError or StoreError. */
  decide(accountId: AccountId, address: string, change: Partial<ContactRule>): Promise<AccountPresence> {
    const link = this.#links.get(accountId);
    if (link === undefined) throw new CallError('not-found', 'This account does not exist any more.');
    return link.presence.decide(address, change);
  }

  /** Our user has done something, `idleMs` ago. */
  receiveActivity(idleMs = 0): void {
    this.#own.receiveActivity(idleMs);
  }

  /** The computer goes to sleep, or has woken up. */
  receiveSleep(isAsleep: boolean): void {
    this.#own.receiveSleep(isAsleep);
  }

  /** Takes back what is published. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#own[Symbol.dispose]();
    const links = [...this.#links.values()];
    this.#links.clear();
    const { shutdownByeMs } = this.#options.limits;
    await Promise.all(links.map(({ presence }) => presence.leave(shutdownByeMs)));
  }

  #receive({ event, data }: EventEnvelope): void {
    switch (event) {
      case 'account.changed':
        this.#applyAccount(data.account.id);
        return;
      case 'account.removed':
        this.#forget(data.accountId);
        return;
      case 'conversation.changed':
        if (this.#applyConversation(data.conversation)) this.#receivePeople(data.conversation.accountId);
        return;
      case 'contact.changed':
        if (this.#applyContact(data.contact)) this.#receivePeople(data.contact.accountId);
        return;
      case 'settings.changed':
        this.#own.receiveSettings();
        for (const id of this.#links.keys()) this.#receivePeople(id);
        return;
      default:
    }
  }

  #applyAccount(id: AccountId): void {
    const account = this.#options.accounts().find(({ stored }) => stored.id === id);
    if (account === undefined) return;
    let link = this.#links.get(id);
    if (link?.account !== account) {
      link?.presence.stop();
      link = { account, presence: this.#create(account) };
      this.#links.set(id, link);
      link.presence.publish(this.#own.published);
      link.presence.watch(this.#watchedOf(id));
    }
    if (account.online) link.presence.start();
    else link.presence.stop();
  }

  #create(account: AccountLink): AccountPresenceLink {
    const { store, feed, log } = this.#options;
    const { id: accountId, address } = account.stored;
    return new AccountPresenceLink({
      agent: account.agent,
      ...{ accountId, address, log },
      clock: this.#clock,
      limits: PRESENCE_LIMITS,
      route: () => account.subscriptionRoute(),
      keptRules: this.#keptRules.get(accountId),
      keepRules: async (text) => {
        this.#keptRules.set(accountId, text);
        await store.call('upsertSetting', { key: `${RULES}${accountId}`, value: text });
      },
      verdict: (one) => this.#verdict(accountId, one),
      receiveSeen: (seen) => {
        feed.publish('presence.changed', seen);
      },
      receiveChange: (presence) => {
        feed.publish('presence.account', presence);
      },
    });
  }

  #forget(accountId: AccountId): void {
    this.#links.get(accountId)?.presence.stop();
    this.#links.delete(accountId);
    this.#people.delete(accountId);
    if (!this.#keptRules.delete(accountId)) return;
    const { store, log } = this.#options;
    store.call('deleteSetting', { key: `${RULES}${accountId}` }).catch((error: unknown) => {
      log.warn('rules.not-deleted', { error });
    });
  }

  /** Whoever is asked about already, or was, is not shown a second time. */
  #verdict(accountId: AccountId, address: string): 'allow' | 'show' | 'ignore' {
    const visibleTo = this.#options.settings()['presence.visibleTo'];
    const person = this.#people.get(accountId)?.get(address) ?? NOBODY;
    const isKnown = person.isContact || person.standing === 'accepted';
    if (visibleTo === 'nobody' || (!isKnown && person.standing !== undefined)) return 'ignore';
    return visibleTo === 'known' && isKnown ? 'allow' : 'show';
  }

  #receivePeople(accountId: AccountId): void {
    const presence = this.#links.get(accountId)?.presence;
    presence?.watch(this.#watchedOf(accountId));
    presence?.receivePeople();
  }

  /** Those whom our user talks with, the latest first. */
  #watchedOf(accountId: AccountId): string[] {
    if (!this.#options.settings()['presence.watch']) return [];
    return [...(this.#people.get(accountId) ?? [])]
      .filter(
        ([, { isContact, standing }]) => standing === 'accepted' || (isContact && standing === undefined),
      )
      .sort(([, a], [, b]) => b.lastActivityMs - a.lastActivityMs)
      .map(([address]) => address);
  }

  #applyContact({ accountId, address }: Contact): boolean {
    return this.#put(accountId, address, { isContact: true });
  }

  #applyConversation({ accountId, kind, peerAddress, standing, lastActivityMs }: Conversation): boolean {
    return kind === 'group' ? false : this.#put(accountId, peerAddress, { standing, lastActivityMs });
  }

  /** True: he is known, or known in another way, from now on. */
  #put(accountId: AccountId, address: string, change: Partial<Acquaintance>): boolean {
    const people = this.#people.get(accountId) ?? new Map<string, Acquaintance>();
    this.#people.set(accountId, people);
    const before = people.get(address) ?? NOBODY;
    const now = { ...before, ...change };
    people.set(address, now);
    return now.isContact !== before.isContact || now.standing !== before.standing;
  }
}
