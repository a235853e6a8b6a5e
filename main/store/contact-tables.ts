/**
 * Owns: statements of an IM Server's store about people and each other: rules, and who asks to see whose presence.
 * Called by: imserver-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** What `user` has decided about `peer`, an address. */
export interface ContactRuleRow {
  readonly user: string;
  readonly peer: string;
  readonly presence: 'ask' | 'allow' | 'block';
  readonly blocked: boolean;
}

/** `watcher` wants to see the presence of `user` and waits for the answer. */
export interface PresenceAsk {
  readonly user: string;
  readonly watcher: string;
  readonly askedMs: number;
}

interface RuleRow {
  user: string;
  peer: string;
  presence: ContactRuleRow['presence'];
  blocked: number;
}

interface AskRow {
  user: string;
  watcher: string;
  asked_ms: number;
}

export function contactProcedures(database: Database) {
  const rules = database.prepare<[], RuleRow>('SELECT user, peer, presence, blocked FROM contact_rules');
  const insertRule = database.prepare<[string, string, string, number]>(
    'INSERT INTO contact_rules (user, peer, presence, blocked) VALUES (?, ?, ?, ?)',
  );
  const deleteRules = database.prepare<[string]>('DELETE FROM contact_rules WHERE user = ?');
  const asks = database.prepare<[], AskRow>(
    'SELECT user, watcher, asked_ms FROM presence_asks ORDER BY asked_ms',
  );
  const upsertAsk = database.prepare<[string, string, number]>(
    `INSERT INTO presence_asks (user, watcher, asked_ms) VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET asked_ms = excluded.asked_ms`,
  );
  const deleteAsk = database.prepare<[string, string]>(
    'DELETE FROM presence_asks WHERE user = ? AND watcher = ?',
  );
  const expireAsks = database.prepare<[number]>('DELETE FROM presence_asks WHERE asked_ms <= ?');

  return {
    /** Of all users, or of one. */
    selectContactRules(input: { user?: string }): ContactRuleRow[] {
      const all = rules.all().map((row) => ({ ...row, blocked: row.blocked === 1 }));
      return input.user === undefined ? all : all.filter(({ user }) => user === input.user);
    },
    /** The rules of a user are these from now on. */
    replaceContactRules: database.transaction(
      (input: { user: string; rules: readonly Omit<ContactRuleRow, 'user'>[] }): null => {
        deleteRules.run(input.user);
        for (const { peer, presence, blocked } of input.rules) {
          insertRule.run(input.user, peer, presence, blocked ? 1 : 0);
        }
        return null;
      },
    ),
    /** Those who have asked after `sinceMs` (one user, or anybody), oldest first; older questions are deleted. */
    selectPresenceAsks(input: { sinceMs: number; user?: string }): PresenceAsk[] {
      expireAsks.run(input.sinceMs);
      const all = asks.all().map((row) => ({ user: row.user, watcher: row.watcher, askedMs: row.asked_ms }));
      return input.user === undefined ? all : all.filter(({ user }) => user === input.user);
    },
    upsertPresenceAsk({ user, watcher, askedMs }: PresenceAsk): null {
      upsertAsk.run(user, watcher, askedMs);
      return null;
    },
    deletePresenceAsks: database.transaction(
      (input: { asks: readonly { user: string; watcher: string }[] }): null => {
        for (const { user, watcher } of input.asks) deleteAsk.run(user, watcher);
        return null;
      },
    ),
  };
}
