/**
 * Owns: what each user has decided about others, in memory and on disk. Called by: presence.ts, b2bua.ts,
 * deferred-messages.ts, rules-package.ts. Calls: imserver-store.ts.
 */
import type { ContactRule, ContactRules } from '../sip/contact-rules.ts';
import type { ImServerStore } from './imserver-store.ts';

const NO_RULE: ContactRule = { presence: 'ask', blocked: false };
const NO_RULES: ContactRules = new Map();

/** Users are named by the part before the @, those about whom they decide by address. */
export class ContactRulesBook {
  readonly #store: ImServerStore;
  readonly #rules = new Map<string, ContactRules>();

  constructor(store: ImServerStore) {
    this.#store = store;
  }

  /** Reads what is on disk. Rejects with StoreError. */
  async load(): Promise<void> {
    for (const { user, peer, presence, blocked } of await this.#store.call('selectContactRules', undefined)) {
      const rules = new Map(this.#rules.get(user));
      this.#rules.set(user, rules.set(peer, { presence, blocked }));
    }
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
      await this.#store.call('replaceContactRules', { user, rules: rows });
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
