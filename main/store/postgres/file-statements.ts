/**
 * Owns: statements on files that wait for their recipients, in PostgreSQL; their bytes lie in a folder. Called by:
 * postgres-procedures.ts. Calls: postgres-pool.ts.
 */
import type { ExpiredFile, KeptFile, KeptFileCeilings, NewKeptFile } from '../kept-files.ts';
import type { PostgresPool, Run } from './postgres-pool.ts';

interface FileRow extends Omit<KeptFile, 'transferId' | 'expiresMs'> {
  transfer_id: string;
  expires_ms: number;
  fetched: boolean;
}

async function hasRoom(
  run: Run,
  { sender, recipient, size }: Pick<KeptFile, 'sender' | 'recipient' | 'size'>,
  ceilings: KeptFileCeilings,
): Promise<boolean> {
  const rows = await run(
    `SELECT 1 WHERE (SELECT coalesce(sum(size), 0) FROM kept_files)
         + (SELECT coalesce(sum(size), 0) FROM room_files) + $3 <= $4
       AND ($1 = $2 OR
         ((SELECT coalesce(sum(size), 0) FROM kept_files WHERE recipient = $1 AND sender <> recipient) + $3 <= $5
         AND (SELECT count(*) FROM deferred_messages WHERE recipient = $1) < $6
         AND (SELECT count(*) FROM deferred_messages WHERE recipient = $1 AND sender = $2) < $7))`,
    [
      ...[recipient, sender, size, ceilings.maxBytes, ceilings.maxBytesPerRecipient],
      ...[ceilings.maxPerRecipient, ceilings.maxPerSender],
    ],
  );
  return rows.length > 0;
}

export function fileStatements(pool: PostgresPool) {
  return {
    hasRoomForFile(input: {
      file: Pick<KeptFile, 'sender' | 'recipient' | 'size'>;
      ceilings: KeptFileCeilings;
    }): Promise<boolean> {
      return hasRoom(pool.run, input.file, input.ceilings);
    },
    /** Several at the same moment do not see each other, as with messages. */
    insertKeptFile({ file, ceilings, notice, nowMs }: NewKeptFile): Promise<'stored' | 'full'> {
      return pool.transact(async (run) => {
        if (!(await hasRoom(run, file, ceilings))) return 'full' as const;
        await run('DELETE FROM kept_files WHERE recipient = $1 AND sender = $2 AND transfer_id = $3', [
          file.recipient,
          file.sender,
          file.transferId,
        ]);
        await run(
          `INSERT INTO kept_files (id, sender, recipient, transfer_id, name, type, size, sha1, sha256, expires_ms)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
          [
            ...[file.id, file.sender, file.recipient, file.transferId, file.name],
            ...[file.type, file.size, file.sha1, file.sha256, file.expiresMs],
          ],
        );
        if (notice === null) return 'stored' as const;
        await run(
          `INSERT INTO deferred_messages (recipient, sender, content_type, body, received_ms, expires_ms)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [
            ...[file.recipient, file.sender, notice.contentType, Buffer.from(notice.body)],
            ...[nowMs, file.expiresMs],
          ],
        );
        return 'stored' as const;
      });
    },
    async dropOldestOwnFiles({ user, maxBytes }: { user: string; maxBytes: number }): Promise<string[]> {
      const rows = await pool.run<{ id: string }>(
        `DELETE FROM kept_files WHERE id IN
           (SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY expires_ms DESC, id) AS total
              FROM kept_files WHERE recipient = $1 AND sender = $1) AS newest WHERE total > $2)
         RETURNING id`,
        [user, maxBytes],
      );
      return rows.map(({ id }) => id);
    },
    async selectKeptFile(input: {
      sender: string;
      recipient: string;
      transferId: string;
      nowMs: number;
    }): Promise<KeptFile | null> {
      const [row] = await pool.run<FileRow>(
        `SELECT * FROM kept_files
         WHERE sender = $1 AND recipient = $2 AND transfer_id = $3 AND expires_ms > $4`,
        [input.sender, input.recipient, input.transferId, input.nowMs],
      );
      if (row === undefined) return null;
      const { transfer_id: transferId, expires_ms: expiresMs, fetched: _fetched, ...rest } = row;
      return { ...rest, transferId, expiresMs };
    },
    async selectKeptFileIds(_input: null): Promise<string[]> {
      const rows = await pool.run<{ id: string }>(
        'SELECT id FROM kept_files UNION ALL SELECT id FROM room_files',
      );
      return rows.map(({ id }) => id);
    },
    async shortenKeptFile({ id, expiresMs }: { id: string; expiresMs: number }): Promise<null> {
      await pool.run(
        'UPDATE kept_files SET fetched = true, expires_ms = least(expires_ms, $1) WHERE id = $2',
        [expiresMs, id],
      );
      return null;
    },
    async deleteKeptFile({ id }: { id: string }): Promise<null> {
      await pool.run('DELETE FROM kept_files WHERE id = $1', [id]);
      return null;
    },
    async expireKeptFiles({ nowMs }: { nowMs: number }): Promise<ExpiredFile[]> {
      const rows = await pool.run<FileRow>('DELETE FROM kept_files WHERE expires_ms <= $1 RETURNING *', [
        nowMs,
      ]);
      return rows.map(({ id, sender, recipient, transfer_id, fetched }) => ({
        ...{ id, sender, recipient, transferId: transfer_id, fetched },
      }));
    },
  };
}
