/**
 * Owns: statements of an IM Server on files that wait for their recipients: which there are, and whose share they use up.
 * The bytes lie beside the database. Called by: imserver-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** A whole file on the disk of a server, and how it is announced. */
export interface FileOnDisk {
  /** Of its place on the disk: made by the server. */
  readonly id: string;
  readonly sender: string;
  /** What both sides call it (RFC 5547 `file-transfer-id`). */
  readonly transferId: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly sha1: string | null;
  readonly sha256: string | null;
  readonly expiresMs: number;
}

/** One that waits for a user. */
export interface KeptFile extends FileOnDisk {
  readonly recipient: string;
}

/** One whose time is over. */
export type ExpiredFile = Pick<KeptFile, 'id' | 'sender' | 'recipient' | 'transferId'> & {
  /** One of the recipient's devices has it. */
  readonly fetched: boolean;
};

/** Bytes of all files, of those for one recipient, and messages that wait for him. */
export interface KeptFileCeilings {
  readonly maxBytes: number;
  readonly maxBytesPerRecipient: number;
  readonly maxPerRecipient: number;
  readonly maxPerSender: number;
}

/** A file that is whole on the disk, and the message by which its recipient hears of it. */
export interface NewKeptFile {
  readonly file: KeptFile;
  readonly ceilings: KeptFileCeilings;
  /** Null: it is for other devices of its sender, who tells them himself. */
  readonly notice: { readonly contentType: string; readonly body: Uint8Array } | null;
  readonly nowMs: number;
}

interface KeptFileRow {
  id: string;
  sender: string;
  recipient: string;
  transfer_id: string;
  name: string;
  type: string;
  size: number;
  sha1: string | null;
  sha256: string | null;
  expires_ms: number;
  fetched: number;
}

function toFile(row: KeptFileRow): KeptFile {
  const { transfer_id: transferId, expires_ms: expiresMs, fetched: _fetched, ...rest } = row;
  return { ...rest, transferId, expiresMs };
}

/** Of all files that the server keeps, for people and for rooms. */
export function bytesOnDisk(database: Database): () => number {
  const bytes = database.prepare<[], { n: number }>(
    `SELECT (SELECT coalesce(sum(size), 0) FROM kept_files) + (SELECT coalesce(sum(size), 0) FROM room_files) AS n`,
  );
  return () => bytes.get()?.n ?? 0;
}

export function keptFileProcedures(database: Database) {
  const find = database.prepare<[string, string, string, number], KeptFileRow>(
    'SELECT * FROM kept_files WHERE sender = ? AND recipient = ? AND transfer_id = ? AND expires_ms > ?',
  );
  const insert = database.prepare(
    `INSERT OR REPLACE INTO kept_files (id, sender, recipient, transfer_id, name, type, size, sha1, sha256, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const notice = database.prepare<[string, string, string, Uint8Array, number, number]>(
    `INSERT INTO deferred_messages (recipient, sender, content_type, body, received_ms, expires_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const bytes = bytesOnDisk(database);
  const bytesFor = database.prepare<[string], { n: number }>(
    'SELECT coalesce(sum(size), 0) AS n FROM kept_files WHERE recipient = ? AND sender <> recipient',
  );
  const waitingFor = database.prepare<[string], { n: number }>(
    'SELECT count(*) AS n FROM deferred_messages WHERE recipient = ?',
  );
  const waitingFrom = database.prepare<[string, string], { n: number }>(
    'SELECT count(*) AS n FROM deferred_messages WHERE recipient = ? AND sender = ?',
  );
  const dropOldest = database.prepare<[string, string, number], { id: string }>(
    `DELETE FROM kept_files WHERE id IN
       (SELECT id FROM (SELECT id, sum(size) OVER (ORDER BY expires_ms DESC, id) AS total
          FROM kept_files WHERE recipient = ? AND sender = ?) WHERE total > ?)
     RETURNING id`,
  );
  const all = database.prepare<[], { id: string }>(
    'SELECT id FROM kept_files UNION ALL SELECT id FROM room_files',
  );
  const remove = database.prepare<[string]>('DELETE FROM kept_files WHERE id = ?');
  const shorten = database.prepare<[number, string]>(
    'UPDATE kept_files SET fetched = 1, expires_ms = min(expires_ms, ?) WHERE id = ?',
  );
  const expire = database.prepare<[number], KeptFileRow>(
    'DELETE FROM kept_files WHERE expires_ms <= ? RETURNING *',
  );

  function hasRoom(
    { sender, recipient, size }: Pick<KeptFile, 'sender' | 'recipient' | 'size'>,
    ceilings: KeptFileCeilings,
  ): boolean {
    if (bytes() + size > ceilings.maxBytes) return false;
    // For his other devices: `dropOldestOwnFiles` makes room.
    if (sender === recipient) return true;
    return (
      (bytesFor.get(recipient)?.n ?? 0) + size <= ceilings.maxBytesPerRecipient &&
      (waitingFor.get(recipient)?.n ?? 0) < ceilings.maxPerRecipient &&
      (waitingFrom.get(recipient, sender)?.n ?? 0) < ceilings.maxPerSender
    );
  }

  return {
    /** Whether a file of this size may still come. */
    hasRoomForFile(input: {
      file: Pick<KeptFile, 'sender' | 'recipient' | 'size'>;
      ceilings: KeptFileCeilings;
    }): boolean {
      return hasRoom(input.file, input.ceilings);
    },
    /** The file is whole on the disk: it counts from now on, and its recipient is told of it in the order of messages. */
    insertKeptFile: database.transaction((input: NewKeptFile): 'stored' | 'full' => {
      const { file, nowMs } = input;
      if (!hasRoom(file, input.ceilings)) return 'full';
      insert.run(
        ...([file.id, file.sender, file.recipient, file.transferId, file.name] as const),
        ...([file.type, file.size, file.sha1, file.sha256, file.expiresMs] as const),
      );
      if (input.notice !== null) {
        const { contentType, body } = input.notice;
        notice.run(file.recipient, file.sender, contentType, body, nowMs, file.expiresMs);
      }
      return 'stored';
    }),
    /** Of the files that a user's devices keep for each other, which are the oldest beyond so many bytes: forgotten. */
    dropOldestOwnFiles(input: { user: string; maxBytes: number }): string[] {
      return dropOldest.all(input.user, input.user, input.maxBytes).map(({ id }) => id);
    },
    selectKeptFile(input: {
      sender: string;
      recipient: string;
      transferId: string;
      nowMs: number;
    }): KeptFile | null {
      const row = find.get(input.sender, input.recipient, input.transferId, input.nowMs);
      return row === undefined ? null : toFile(row);
    },
    /** What lies on the disk by right, files of rooms included. */
    selectKeptFileIds(_input: null): string[] {
      return all.all().map(({ id }) => id);
    },
    /** One device of its recipient has it; for others it does not stay longer than that. */
    shortenKeptFile(input: { id: string; expiresMs: number }): null {
      shorten.run(input.expiresMs, input.id);
      return null;
    },
    deleteKeptFile(input: { id: string }): null {
      remove.run(input.id);
      return null;
    },
    /** Those whose time is over; they are forgotten. */
    expireKeptFiles(input: { nowMs: number }): ExpiredFile[] {
      return expire.all(input.nowMs).map(({ id, sender, recipient, transfer_id, fetched }) => ({
        ...{ id, sender, recipient, transferId: transfer_id },
        fetched: fetched === 1,
      }));
    },
  };
}
