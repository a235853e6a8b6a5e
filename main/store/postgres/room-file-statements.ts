/**
 * Owns: statements on files that were sent to rooms, in PostgreSQL; their bytes lie in a folder. Called by:
 * postgres-procedures.ts. Calls: postgres-pool.ts, room-statements.ts.
 */
import {
  toRoomFile,
  type NewRoomFile,
  type RoomFile,
  type RoomFileCeilings,
  type RoomFileRow,
} from '../room-files.ts';
import type { StoredPlace } from '../room-tables.ts';
import type { PostgresPool, Run } from './postgres-pool.ts';
import { putMessage } from './room-statements.ts';

async function hasRoom(
  run: Run,
  { sender, size }: Pick<RoomFile, 'sender' | 'size'>,
  ceilings: RoomFileCeilings,
): Promise<boolean> {
  const rows = await run(
    `SELECT 1 WHERE (SELECT coalesce(sum(size), 0) FROM kept_files)
         + (SELECT coalesce(sum(size), 0) FROM room_files) + $2 <= $3
       AND (SELECT coalesce(sum(size), 0) FROM room_files WHERE sender = $1) + $2 <= $4
       AND (SELECT count(*) FROM room_files WHERE sender = $1) < $5`,
    [sender, size, ceilings.maxBytes, ceilings.maxBytesPerSender, ceilings.maxPerSender],
  );
  return rows.length > 0;
}

function ids(rows: readonly { id: string }[]): string[] {
  return rows.map(({ id }) => id);
}

export function roomFileStatements(pool: PostgresPool) {
  return {
    hasRoomForRoomFile(input: {
      file: Pick<RoomFile, 'sender' | 'size'>;
      ceilings: RoomFileCeilings;
    }): Promise<boolean> {
      return hasRoom(pool.run, input.file, input.ceilings);
    },
    /** Several at the same moment do not see each other, as with messages. */
    insertRoomFile({ file, ceilings, message }: NewRoomFile): Promise<StoredPlace | null> {
      return pool.transact(async (run) => {
        // It is held until the file is on disk: a room that ends waits for that.
        const rooms = await run('SELECT 1 FROM rooms WHERE key = $1 FOR NO KEY UPDATE', [file.room]);
        if (rooms.length === 0 || !(await hasRoom(run, file, ceilings))) return null;
        await run('DELETE FROM room_files WHERE room = $1 AND sender = $2 AND transfer_id = $3', [
          file.room,
          file.sender,
          file.transferId,
        ]);
        await run(
          `INSERT INTO room_files (id, room, sender, transfer_id, name, type, size, sha1, sha256, expires_ms)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
          [
            ...[file.id, file.room, file.sender, file.transferId, file.name],
            ...[file.type, file.size, file.sha1, file.sha256, file.expiresMs],
          ],
        );
        return putMessage(run, pool.node, file.room, message);
      });
    },
    async selectRoomFiles(input: { room: number; transferId: string; nowMs: number }): Promise<RoomFile[]> {
      const rows = await pool.run<RoomFileRow>(
        'SELECT * FROM room_files WHERE room = $1 AND transfer_id = $2 AND expires_ms > $3',
        [input.room, input.transferId, input.nowMs],
      );
      return rows.map(toRoomFile);
    },
    async deleteRoomFile({ id }: { id: string }): Promise<null> {
      await pool.run('DELETE FROM room_files WHERE id = $1', [id]);
      return null;
    },
    async deleteRoomFiles({ room }: { room: number }): Promise<string[]> {
      return ids(await pool.run('DELETE FROM room_files WHERE room = $1 RETURNING id', [room]));
    },
    async expireRoomFiles({ nowMs }: { nowMs: number }): Promise<string[]> {
      return ids(await pool.run('DELETE FROM room_files WHERE expires_ms <= $1 RETURNING id', [nowMs]));
    },
  };
}
