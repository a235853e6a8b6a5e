/**
 * Owns: statements of an IM Server on files that were sent to rooms: which there are, and whose share they use up. The bytes
 * lie beside the database. Called by: imserver-tables.ts. Calls: room-tables.ts, SQLite.
 */
import type { Database } from './database.ts';
import { bytesOnDisk, type FileOnDisk } from './kept-files.ts';
import { roomMessageWriter, type NewRoomMessage, type StoredPlace } from './room-tables.ts';

/** A whole file that the members of a room may fetch. */
export interface RoomFile extends FileOnDisk {
  /** Number of the room. */
  readonly room: number;
}

/** Bytes of all files that the server keeps, of those that one user has sent to rooms, and how many these may be. */
export interface RoomFileCeilings {
  readonly maxBytes: number;
  readonly maxBytesPerSender: number;
  readonly maxPerSender: number;
}

/** A file that is whole on the disk, and the message by which its room hears of it. */
export interface NewRoomFile {
  readonly file: RoomFile;
  readonly ceilings: RoomFileCeilings;
  readonly message: NewRoomMessage;
}

/** A row as both engines have it. */
export interface RoomFileRow {
  id: string;
  room: number;
  sender: string;
  transfer_id: string;
  name: string;
  type: string;
  size: number;
  sha1: string | null;
  sha256: string | null;
  expires_ms: number;
}

export function toRoomFile(row: RoomFileRow): RoomFile {
  const { transfer_id: transferId, expires_ms: expiresMs, ...rest } = row;
  return { ...rest, transferId, expiresMs };
}

export function roomFileProcedures(database: Database) {
  const bytes = bytesOnDisk(database);
  const putMessage = roomMessageWriter(database);
  const ofSender = database.prepare<[string], { files: number; bytes: number }>(
    'SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM room_files WHERE sender = ?',
  );
  const roomAt = database.prepare<[number], { key: number }>('SELECT key FROM rooms WHERE key = ?');
  const insert = database.prepare(
    `INSERT OR REPLACE INTO room_files (id, room, sender, transfer_id, name, type, size, sha1, sha256, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const find = database.prepare<[number, string, number], RoomFileRow>(
    'SELECT * FROM room_files WHERE room = ? AND transfer_id = ? AND expires_ms > ?',
  );
  const remove = database.prepare<[string]>('DELETE FROM room_files WHERE id = ?');
  const removeAll = database.prepare<[number], { id: string }>(
    'DELETE FROM room_files WHERE room = ? RETURNING id',
  );
  const expire = database.prepare<[number], { id: string }>(
    'DELETE FROM room_files WHERE expires_ms <= ? RETURNING id',
  );

  function hasRoom({ sender, size }: Pick<RoomFile, 'sender' | 'size'>, ceilings: RoomFileCeilings): boolean {
    if (bytes() + size > ceilings.maxBytes) return false;
    const used = ofSender.get(sender) ?? { files: 0, bytes: 0 };
    return used.files < ceilings.maxPerSender && used.bytes + size <= ceilings.maxBytesPerSender;
  }

  return {
    /** Whether a file of this size may still come. */
    hasRoomForRoomFile(input: {
      file: Pick<RoomFile, 'sender' | 'size'>;
      ceilings: RoomFileCeilings;
    }): boolean {
      return hasRoom(input.file, input.ceilings);
    },
    /**
     * The file is whole on the disk: it counts from now on, and its room is told of it in the order of what is said there.
     * Null: there is no place for it any more, or no such room.
     */
    insertRoomFile: database.transaction(({ file, ceilings, message }: NewRoomFile): StoredPlace | null => {
      if (!hasRoom(file, ceilings) || roomAt.get(file.room) === undefined) return null;
      insert.run(
        ...([file.id, file.room, file.sender, file.transferId, file.name] as const),
        ...([file.type, file.size, file.sha1, file.sha256, file.expiresMs] as const),
      );
      return putMessage(file.room, message);
    }),
    /** Those of a room that somebody has called so; ids come from outside. */
    selectRoomFiles(input: { room: number; transferId: string; nowMs: number }): RoomFile[] {
      return find.all(input.room, input.transferId, input.nowMs).map(toRoomFile);
    },
    deleteRoomFile(input: { id: string }): null {
      remove.run(input.id);
      return null;
    },
    /** All of a room that has ended. Returns their ids. */
    deleteRoomFiles(input: { room: number }): string[] {
      return removeAll.all(input.room).map(({ id }) => id);
    },
    /** Those whose time is over; they are forgotten. Returns their ids. */
    expireRoomFiles(input: { nowMs: number }): string[] {
      return expire.all(input.nowMs).map(({ id }) => id);
    },
  };
}
