/**
 * Owns: statements on messages for the absent in PostgreSQL. Called by: postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import { toDeferred, type DeferredMessage, type DeferredRow } from '../imserver-tables.ts';
import type { PostgresPool } from './postgres-pool.ts';

export function deferredStatements(pool: PostgresPool) {
  return {
    /** Several at the same moment do not see each other: a share may be exceeded by as many as there are connections. */
    async insertDeferred(
      input: Omit<DeferredMessage, 'id'> & { maxPerRecipient: number; maxPerSender: number },
    ): Promise<'stored' | 'full'> {
      const { recipient, sender, contentType, body, receivedMs, expiresMs } = input;
      const rows = await pool.run(
        `INSERT INTO deferred_messages (recipient, sender, content_type, body, received_ms, expires_ms)
         SELECT $1, $2, $3, $4, $5, $6
         WHERE (SELECT count(*) FROM deferred_messages WHERE recipient = $1 AND expires_ms > $5) < $7
           AND (SELECT count(*) FROM deferred_messages
                WHERE recipient = $1 AND sender = $2 AND expires_ms > $5) < $8
         RETURNING 1`,
        [
          recipient,
          sender,
          contentType,
          Buffer.from(body),
          receivedMs,
          expiresMs,
          input.maxPerRecipient,
          input.maxPerSender,
        ],
      );
      return rows.length > 0 ? 'stored' : 'full';
    },
    async selectDeferred(input: {
      recipient: string;
      limit: number;
      nowMs: number;
    }): Promise<DeferredMessage[]> {
      const rows = await pool.run<DeferredRow>(
        'SELECT * FROM deferred_messages WHERE recipient = $1 AND expires_ms > $2 ORDER BY id LIMIT $3',
        [input.recipient, input.nowMs, input.limit],
      );
      return rows.map(toDeferred);
    },
    async selectExpired(input: { limit: number; nowMs: number }): Promise<DeferredMessage[]> {
      const rows = await pool.run<DeferredRow>(
        'SELECT * FROM deferred_messages WHERE expires_ms <= $1 ORDER BY id LIMIT $2',
        [input.nowMs, input.limit],
      );
      return rows.map(toDeferred);
    },
    async hasDeferred(input: { recipient: string; nowMs: number }): Promise<boolean> {
      const rows = await pool.run(
        'SELECT 1 FROM deferred_messages WHERE recipient = $1 AND expires_ms > $2 LIMIT 1',
        [input.recipient, input.nowMs],
      );
      return rows.length > 0;
    },
    async countDeferred(): Promise<number> {
      const [row] = await pool.run<{ n: number }>('SELECT count(*) AS n FROM deferred_messages');
      return row?.n ?? 0;
    },
    async deleteDeferred(input: { id: number }): Promise<null> {
      await pool.run('DELETE FROM deferred_messages WHERE id = $1', [input.id]);
      return null;
    },
  };
}
