/**
 * Owns: what each user has decided about others, in memory and on disk. Called by: presence.ts, b2bua.ts,
 * deferred-messages.ts, rules-package.ts. Calls: imserver-store.ts.
 */
import { systemClock, type Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { formatContactRules, type ContactRule, type ContactRules } from '../sip/contact-rules.ts';
import type { ContactRuleRow } from '../store/contact-tables.ts';
import type { ImServerStore } from './imserver-store.ts';
import { Mirror } from './mirror.ts';

const NO_RULE: ContactRule = { presence: 'ask', blocked: false };
const NO_RULES: ContactRules = new Map();

/** Users are named by the part before the @, those about whom they decide by address. */
export class ContactRulesBook implements Disposable {
  readonly #store: ImServerStore;
  readonly #rules = new Map<string, ContactRules>();
  readonly #mirror: Mirror<ContactRuleRow>;
  /** Another node has written other rules of a user. */
  onElsewhere: (user: string) => void = () => undefined;

  constructor({ store, log, clock = systemClock }: { store: ImServerStore; log: Log; clock?: Clock }) {
    this.#store = store;
    this.#mirror = new Mirror({
      read: (user) => store.call('selectContactRules', user === undefined ? {} : { user }),
      apply: (user, rows) => {
        const before = formatContactRules(this.of(user));
        this.#set(user, new Map(rows.map(({ peer, presence, blocked }) => [peer, { presence, blocked }])));
        if (formatContactRules(this.of(user)) !== before) this.onElsewhere(user);
      },
      users: () => this.#rules.keys(),
      ...{ log, clock },
    });
  }

  /** Reads what is on disk. Rejects with StoreError. */
  load(): Promise<void> {
    return this.#mirror.load();
  }

  /** Another node has changed the rules of a user; undefined: of anybody. */
  receiveNews(user?: string): void {
    this.#mirror.receiveNews(user);
  }

  [Symbol.dispose](): void {
    this.#mirror[Symbol.dispose]();
  }

  of(user: string): ContactRules {
    return this.#rules.get(user) ?? NO_RULES;
  }

  rule(user: string, peer: string): ContactRule {
    return this.of(user).get(peer) ?? NO_RULE;
  }

  isBlocked(user: string, peer: string): boolean {
    return this.rule(user, peer).blocked;
  }

  /** These are his rules from now on. Resolves when they are on disk; rejects with StoreError, and nothing has changed. */
  async replace(user: string, rules: ContactRules): Promise<void> {
    const before = this.of(user);
    // Known at once: another device of this user may write while these are being written.
    this.#set(user, rules);
    const rows = [...rules].map(([peer, rule]) => ({ peer, ...rule }));
    try {
      await this.#mirror.write(user, () => this.#store.call('replaceContactRules', { user, rules: rows }));
    } catch (error) {
      this.#set(user, before);
      throw error;
    }
  }

  #set(user: string, rules: ContactRules): void {
    if (rules.size === 0) this.#rules.delete(user);
    else this.#rules.set(user, rules);
  }
}
