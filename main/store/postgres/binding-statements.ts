/**
 * Owns: statements on registrations in PostgreSQL. Called by: postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import { toBinding, type Binding, type BindingRow } from '../imserver-tables.ts';
import type { PostgresPool } from './postgres-pool.ts';

export function bindingStatements(pool: PostgresPool) {
  return {
    async upsertBinding(binding: Binding): Promise<null> {
      const { user, contact, instance, callId, cseq, source, description, expiresMs } = binding;
      await pool.change(
        `INSERT INTO bindings (username, contact, instance, call_id, cseq, source, description, expires_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (username, contact) DO UPDATE SET instance = excluded.instance, call_id = excluded.call_id,
           cseq = excluded.cseq, source = excluded.source, description = excluded.description,
           expires_ms = excluded.expires_ms`,
        [user, contact, instance, callId, cseq, source, description, expiresMs],
        { kind: 'bindings', user },
      );
      return null;
    },
    async deleteBinding({ user, contact }: { user: string; contact?: string | undefined }): Promise<null> {
      await pool.change(
        'DELETE FROM bindings WHERE username = $1 AND ($2::text IS NULL OR contact = $2)',
        [user, contact ?? null],
        { kind: 'bindings', user },
      );
      return null;
    },
    async selectBindings({ nowMs, user }: { nowMs: number; user?: string }): Promise<Binding[]> {
      if (user === undefined) await pool.run('DELETE FROM bindings WHERE expires_ms <= $1', [nowMs]);
      const rows = await pool.run<BindingRow>(
        `SELECT *, username AS "user" FROM bindings WHERE expires_ms > $1 AND ($2::text IS NULL OR username = $2)
         ORDER BY username, expires_ms`,
        [nowMs, user ?? null],
      );
      return rows.map(toBinding);
    },
  };
}
