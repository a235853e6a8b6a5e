/**
 * Owns: statements in PostgreSQL about people and each other: rules, and who asks to see whose presence.
 * Called by: postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import type { ContactRuleRow, PresenceAsk } from '../contact-tables.ts';
import type { PostgresPool } from './postgres-pool.ts';

interface RuleRow {
  username: string;
  peer: string;
  presence: ContactRuleRow['presence'];
  blocked: boolean;
}

interface AskRow {
  username: string;
  watcher: string;
  asked_ms: number;
}

export function contactStatements(pool: PostgresPool) {
  return {
    async selectContactRules({ user }: { user?: string }): Promise<ContactRuleRow[]> {
      const rows = await pool.run<RuleRow>(
        'SELECT * FROM contact_rules WHERE $1::text IS NULL OR username = $1',
        [user ?? null],
      );
      return rows.map(({ username, ...rule }) => ({ user: username, ...rule }));
    },
    replaceContactRules({
      user,
      rules,
    }: {
      user: string;
      rules: readonly Omit<ContactRuleRow, 'user'>[];
    }): Promise<null> {
      return pool.transact(async (run, tell) => {
        await run('DELETE FROM contact_rules WHERE username = $1', [user]);
        await run(
          `INSERT INTO contact_rules (username, peer, presence, blocked)
           SELECT $1, * FROM unnest($2::text[], $3::text[], $4::boolean[])`,
          [
            user,
            rules.map(({ peer }) => peer),
            rules.map(({ presence }) => presence),
            rules.map(({ blocked }) => blocked),
          ],
        );
        await tell({ kind: 'rules', user });
        return null;
      });
    },
    async selectPresenceAsks({ sinceMs, user }: { sinceMs: number; user?: string }): Promise<PresenceAsk[]> {
      await pool.run('DELETE FROM presence_asks WHERE asked_ms <= $1', [sinceMs]);
      const rows = await pool.run<AskRow>(
        'SELECT * FROM presence_asks WHERE $1::text IS NULL OR username = $1 ORDER BY asked_ms',
        [user ?? null],
      );
      return rows.map(({ username, watcher, asked_ms }) => ({ user: username, watcher, askedMs: asked_ms }));
    },
    async upsertPresenceAsk({ user, watcher, askedMs }: PresenceAsk): Promise<null> {
      await pool.change(
        `INSERT INTO presence_asks (username, watcher, asked_ms) VALUES ($1, $2, $3)
         ON CONFLICT (username, watcher) DO UPDATE SET asked_ms = excluded.asked_ms`,
        [user, watcher, askedMs],
        { kind: 'asks', user },
      );
      return null;
    },
    async deletePresenceAsks({
      asks,
    }: {
      asks: readonly { user: string; watcher: string }[];
    }): Promise<null> {
      await pool.transact(async (run, tell) => {
        for (const { user, watcher } of asks) {
          await run('DELETE FROM presence_asks WHERE username = $1 AND watcher = $2', [user, watcher]);
        }
        for (const user of new Set(asks.map((ask) => ask.user))) await tell({ kind: 'asks', user });
      });
      return null;
    },
  };
}
