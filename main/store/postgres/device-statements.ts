/**
 * Owns: statements on the devices of users, and on what waits for each of them, in PostgreSQL. Called by:
 * postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import type { NewCopy, SeenDevice, WaitingCopy } from '../user-devices.ts';
import type { PostgresPool } from './postgres-pool.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

export function deviceStatements(pool: PostgresPool) {
  return {
    registerDevice({ user, instance, nowMs, keptMs, maxDevices }: SeenDevice): Promise<number> {
      return pool.transact(async (run) => {
        const known = await run<{ instance: string; seen_ms: number }>(
          `SELECT instance, seen_ms FROM user_devices WHERE username = $1 AND seen_ms > $2
           ORDER BY seen_ms DESC`,
          [user, nowMs - keptMs],
        );
        const own = known.find((device) => device.instance === instance);
        const others = known.filter((device) => device.instance !== instance);
        if (own === undefined || own.seen_ms < nowMs - DAY_MS) {
          const gone = others.splice(maxDevices - 1).map((device) => device.instance);
          await run(
            'DELETE FROM user_devices WHERE username = $1 AND (seen_ms <= $2 OR instance = ANY($3))',
            [user, nowMs - keptMs, gone],
          );
          await run(
            `INSERT INTO user_devices (username, instance, seen_ms) VALUES ($1, $2, $3)
             ON CONFLICT (username, instance) DO UPDATE SET seen_ms = excluded.seen_ms`,
            [user, instance, nowMs],
          );
        }
        return others.length;
      });
    },
    async forgetDevice({ user, instance }: { user: string; instance: string }): Promise<null> {
      await pool.run('DELETE FROM user_devices WHERE username = $1 AND instance = $2', [user, instance]);
      return null;
    },
    insertCopies(input: NewCopy): Promise<{ instances: string[]; dropped: number }> {
      const { user, from, body, nowMs, keptMs, maxPerDevice, maxBytesPerDevice } = input;
      return pool.transact(async (run) => {
        await run('DELETE FROM device_copies WHERE username = $1 AND expires_ms <= $2', [user, nowMs]);
        const inserted = await run<{ instance: string }>(
          `INSERT INTO device_copies (username, instance, body, expires_ms)
           SELECT username, instance, $3, $5 FROM user_devices
           WHERE username = $1 AND instance <> $2 AND seen_ms > $4
           RETURNING instance`,
          [user, from, Buffer.from(body), nowMs - keptMs, nowMs + keptMs],
        );
        // Counted from the newest on: what lies beyond a ceiling goes.
        const dropped = await run(
          `DELETE FROM device_copies WHERE id IN (SELECT id FROM (
             SELECT id, row_number() OVER newest AS n, sum(length(body)) OVER newest AS bytes
             FROM device_copies WHERE username = $1
             WINDOW newest AS (PARTITION BY instance ORDER BY id DESC)
           ) AS counted WHERE n > $2 OR bytes > $3) RETURNING 1`,
          [user, maxPerDevice, maxBytesPerDevice],
        );
        return { instances: inserted.map(({ instance }) => instance), dropped: dropped.length };
      });
    },
    selectCopies(input: {
      user: string;
      instance: string;
      limit: number;
      nowMs: number;
    }): Promise<WaitingCopy[]> {
      return pool.run<{ id: number; body: Buffer }>(
        `SELECT id, body FROM device_copies WHERE username = $1 AND instance = $2 AND expires_ms > $3
         ORDER BY id LIMIT $4`,
        [input.user, input.instance, input.nowMs, input.limit],
      );
    },
    async deleteCopy({ id }: { id: number }): Promise<null> {
      await pool.run('DELETE FROM device_copies WHERE id = $1', [id]);
      return null;
    },
  };
}
