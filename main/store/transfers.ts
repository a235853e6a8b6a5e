/**
 * Owns: statements on the way of files. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Transfer, TransferFailureCode, TransferState } from '../../shared/domain/transfer.ts';
import type { Database } from './database.ts';
import { directionOf } from './message-kinds.ts';
import {
  messageIdOf,
  messagePositions,
  packId,
  wireKey,
  type IdColumns,
  type PackedId,
} from './message-keys.ts';

/** A file of a message, with what only this computer knows of it. */
export interface StoredTransfer {
  readonly messageId: MessageId;
  /** Between the two sides: the same in each attempt (RFC 5547 `file-transfer-id`). */
  readonly transferId: string;
  readonly name: string;
  readonly type: string;
  readonly size: number | null;
  /** Lower-case hexadecimal. */
  readonly sha1: string | null;
  readonly sha256: string | null;
  readonly modifiedMs: number | null;
  readonly state: TransferState;
  /** Incoming: our user, or a rule, has said yes. Outgoing: another device of his has sent it, see `isFromElsewhere`. */
  readonly accepted: boolean;
  /** Incoming: bytes from the beginning that survive a power cut. Outgoing: bytes that the peer has answered. */
  readonly bytesDone: number;
  /** The whole file: outgoing where it is read, incoming where it was put. */
  readonly path: string | null;
  /** Incoming: where it grows. */
  readonly partPath: string | null;
  readonly preview: Uint8Array | null;
  readonly failure: { readonly code: TransferFailureCode; readonly message: string } | null;
}

/** With the message that it belongs to. */
export interface PlacedTransfer extends StoredTransfer {
  readonly conversationId: ConversationId;
  readonly direction: 'in' | 'out';
  readonly position: number;
}

/** The columns that a message row brings along when it is a file. */
export interface TransferColumns {
  transfer_id: string | null;
  file_name: string | null;
  file_type: string | null;
  file_size: number | null;
  file_state: string | null;
  file_bytes_done: number | null;
  file_path: string | null;
  file_preview: Buffer | null;
  file_failure_code: string | null;
  file_failure_message: string | null;
  file_accepted: number | null;
}

/** After `messages m`: what `toShownTransfer` reads. */
export const TRANSFER_COLUMNS = `t.transfer_id, t.name AS file_name, t.type AS file_type, t.size AS file_size,
  t.state AS file_state, t.bytes_done AS file_bytes_done, t.path AS file_path, t.preview AS file_preview,
  t.failure_code AS file_failure_code, t.failure_message AS file_failure_message,
  t.accepted AS file_accepted`;
export const TRANSFER_JOIN = 'LEFT JOIN transfers t ON t.position = m.position';

/** The file of a message as the window shows it; null when it has none. */
export function toShownTransfer(row: TransferColumns & { readonly direction: number }): Transfer | null {
  if (row.transfer_id === null || row.file_state === null) return null;
  return shownTransfer({
    name: row.file_name ?? '',
    type: row.file_type ?? '',
    size: row.file_size,
    state: row.file_state as TransferState,
    bytesDone: row.file_bytes_done ?? 0,
    path: row.file_path,
    preview: row.file_preview,
    failure: toFailure(row.file_failure_code, row.file_failure_message),
    direction: directionOf(row.direction),
    accepted: row.file_accepted === 1,
  });
}

/** Whether another device of our user has sent it. While it is `offered` there, it is here as well. */
export function isFromElsewhere({
  direction,
  accepted,
}: Pick<PlacedTransfer, 'direction' | 'accepted'>): boolean {
  return direction === 'out' && accepted;
}

/** Whether it was sent by another device of our user, and is on its way here. */
export function isFetched(stored: Pick<PlacedTransfer, 'direction' | 'accepted' | 'state'>): boolean {
  return isFromElsewhere(stored) && (stored.state === 'waiting' || stored.state === 'transferring');
}

/** A stored file as the window shows it. */
export function shownTransfer(
  stored: Pick<
    PlacedTransfer,
    | 'name'
    | 'type'
    | 'size'
    | 'state'
    | 'bytesDone'
    | 'path'
    | 'preview'
    | 'failure'
    | 'direction'
    | 'accepted'
  >,
): Transfer {
  const { name, type, size, bytesDone, path, preview, failure } = stored;
  // That it comes here as well is not what our user has to know: it has been sent.
  const isSent = isFetched(stored);
  return {
    name,
    type,
    size,
    state: isSent ? 'done' : stored.state,
    bytesDone: isSent ? (size ?? 0) : bytesDone,
    failure,
    preview: preview === null ? null : Buffer.from(preview).toString('base64'),
    available: path !== null,
    ...(isFromElsewhere(stored) && !isSent && stored.state !== 'done' ? { elsewhere: true } : {}),
  };
}

interface TransferRow extends IdColumns {
  transfer_id: string;
  name: string;
  type: string;
  size: number | null;
  sha1: string | null;
  sha256: string | null;
  modified_ms: number | null;
  state: string;
  accepted: number;
  bytes_done: number;
  path: string | null;
  part_path: string | null;
  preview: Buffer | null;
  failure_code: string | null;
  failure_message: string | null;
  conversation_id: string;
  direction: number;
}

function toFailure(code: string | null, message: string | null): StoredTransfer['failure'] {
  return code === null ? null : { code: code as TransferFailureCode, message: message ?? '' };
}

function toPlaced(row: TransferRow): PlacedTransfer {
  return {
    messageId: messageIdOf(row),
    transferId: row.transfer_id,
    name: row.name,
    type: row.type,
    size: row.size,
    sha1: row.sha1,
    sha256: row.sha256,
    modifiedMs: row.modified_ms,
    state: row.state as TransferState,
    accepted: row.accepted === 1,
    bytesDone: row.bytes_done,
    path: row.path,
    partPath: row.part_path,
    preview: row.preview,
    failure: toFailure(row.failure_code, row.failure_message),
    conversationId: row.conversation_id as ConversationId,
    direction: directionOf(row.direction),
    position: row.position,
  };
}

const PLACED = `SELECT t.*, c.id AS conversation_id, m.direction, m.wire_id, m.id AS own_id
  FROM transfers t JOIN messages m ON m.position = t.position JOIN conversations c ON c.key = m.conversation`;

/** Reads the file of the message at a position; null when it has none. */
export function transferReader(database: Database): (position: number) => PlacedTransfer | null {
  const byPosition = database.prepare<[number], TransferRow>(`${PLACED} WHERE t.position = ?`);
  return (position) => {
    const row = byPosition.get(position);
    return row === undefined ? null : toPlaced(row);
  };
}

export function transferProcedures(database: Database) {
  const positionOf = messagePositions(database);
  const upsert = database.prepare(
    `INSERT INTO transfers (position, transfer_id, name, type, size, sha1, sha256, modified_ms, state, accepted,
       bytes_done, path, part_path, preview, failure_code, failure_message)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (position) DO UPDATE SET name = excluded.name, type = excluded.type, size = excluded.size,
       sha1 = excluded.sha1, sha256 = excluded.sha256, modified_ms = excluded.modified_ms, state = excluded.state,
       accepted = excluded.accepted, bytes_done = excluded.bytes_done, path = excluded.path,
       part_path = excluded.part_path, preview = excluded.preview, failure_code = excluded.failure_code,
       failure_message = excluded.failure_message`,
  );
  const byPosition = transferReader(database);
  const byWireId = database.prepare<[number, PackedId, string, number], TransferRow>(
    `${PLACED} WHERE m.wire_key = ? AND m.wire_id = ? AND c.id = ? AND m.direction = ?`,
  );
  const open = database.prepare<[], TransferRow>(
    `${PLACED} WHERE t.state IN ('preparing', 'waiting', 'offered', 'transferring') ORDER BY t.position`,
  );

  function put(position: number, transfer: Omit<StoredTransfer, 'messageId'>): void {
    upsert.run(
      position,
      transfer.transferId,
      transfer.name,
      transfer.type,
      transfer.size,
      transfer.sha1,
      transfer.sha256,
      transfer.modifiedMs,
      transfer.state,
      transfer.accepted ? 1 : 0,
      transfer.bytesDone,
      transfer.path,
      transfer.partPath,
      transfer.preview,
      transfer.failure?.code ?? null,
      transfer.failure?.message ?? null,
    );
  }

  return {
    /** Stores the file of the message at that position. */
    insertTransfer(input: { position: number; transfer: Omit<StoredTransfer, 'messageId'> }): null {
      put(input.position, input.transfer);
      return null;
    },
    /** Stores what has become of a file. */
    upsertTransfer(transfer: StoredTransfer): null {
      const position = positionOf(transfer.messageId);
      if (position === undefined) throw new Error(`no message ${transfer.messageId}`);
      put(position, transfer);
      return null;
    },
    selectTransfer(input: { messageId: MessageId }): PlacedTransfer | null {
      const position = positionOf(input.messageId);
      return position === undefined ? null : byPosition(position);
    },
    /** By what both sides call it: the wire id of its message. */
    selectTransferByWireId(input: {
      conversationId: ConversationId;
      direction: 'in' | 'out';
      wireId: string;
    }): PlacedTransfer | null {
      const { conversationId, direction, wireId } = input;
      const row = byWireId.get(wireKey(wireId), packId(wireId), conversationId, direction === 'out' ? 1 : 0);
      return row === undefined ? null : toPlaced(row);
    },
    /** Those that are not over, oldest first. */
    selectOpenTransfers(_input: null): PlacedTransfer[] {
      return open.all().map(toPlaced);
    },
  };
}
