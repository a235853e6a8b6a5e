/**
 * Owns: statements on publications in PostgreSQL, by which nodes know what was published at others. They are made anew
 * when a power cut loses the last ones, so nobody waits for the disk. Called by: postgres-store.ts. Calls: postgres-pool.ts.
 */
import type { SharedMemory, StoredPublication } from '../server-store.ts';
import type { PostgresPool } from './postgres-pool.ts';

interface PublicationRow {
  username: string;
  etag: string;
  show: StoredPublication['show'];
  note: string;
  source: string;
  changed_ms: number;
  expires_ms: number;
}

export function publicationStatements(pool: PostgresPool): Omit<SharedMemory, 'things'> {
  return {
    async selectPublications({ nowMs, user }) {
      if (user === undefined) await pool.run('DELETE FROM publications WHERE expires_ms <= $1', [nowMs]);
      const rows = await pool.run<PublicationRow>(
        'SELECT * FROM publications WHERE expires_ms > $1 AND ($2::text IS NULL OR username = $2)',
        [nowMs, user ?? null],
      );
      return rows.map(({ username, changed_ms, expires_ms, ...row }) => ({
        ...row,
        user: username,
        changedMs: changed_ms,
        expiresMs: expires_ms,
      }));
    },
    replacePublication({ user, put, removed, nowMs }) {
      return pool.transact(async (run, tell) => {
        await run('SET LOCAL synchronous_commit TO off');
        await run('DELETE FROM publications WHERE username = $1 AND (etag = ANY($2) OR expires_ms <= $3)', [
          user,
          removed,
          nowMs,
        ]);
        if (put !== undefined) {
          const { etag, show, note, source, changedMs, expiresMs } = put;
          await run('INSERT INTO publications VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING', [
            ...[user, etag, show, note, source],
            ...[changedMs, expiresMs],
          ]);
        }
        await tell({ kind: 'presence', user });
      });
    },
  };
}
