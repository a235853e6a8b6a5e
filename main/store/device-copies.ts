/**
 * Owns: statements on what a user's other devices have to be told. Rows name what is meant and hold none of it: what
 * leaves is what counts by then. Called by: messenger-tables.ts. Calls: SQLite.
 */
import * as v from 'valibot';
import { marksSchema, type Marks } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { MessageState } from '../../shared/domain/message.ts';
import { CHANGE, FILE_END, MARKS, MESSAGE, STATE } from './copy-keeper.ts';
import type { Database } from './database.ts';
import { MARKS_KEY } from './marks.ts';
import { messagePositions, packId, unpackId, wireKey, type PackedId } from './message-keys.ts';
import { directionOf, IN, OUT, QUEUED, stateOf, TEXT, wantsDisplayReport } from './message-rows.ts';
import { transferReader, type PlacedTransfer } from './transfers.ts';
import { toChange, type MessageChange } from './message-changes.ts';

/** Pieces of long texts that wait for the rest, of one account; the oldest are given up. */
const MAX_PARTS = 512;

interface CopyOf {
  readonly key: number;
  readonly conversationId: ConversationId;
  readonly peerAddress: string;
  readonly peerName: string;
  readonly takesChanges: boolean;
  /** Our user talks with this person. */
  readonly isAccepted: boolean;
}

/** Something that the other devices have to be told. */
export type DeviceCopy =
  | (CopyOf & {
      readonly kind: 'message';
      readonly wireId: string;
      readonly direction: 'in' | 'out';
      readonly text: string;
      readonly sentAtMs: number;
      readonly state: MessageState;
      readonly displayReportWanted: boolean;
      /** The wire id of the message that it answers. */
      readonly replyTo: string | null;
      /** The message is a file: over, or one that somebody has still to answer. */
      readonly file: PlacedTransfer | null;
    })
  | (CopyOf & { readonly kind: 'state'; readonly wireId: string; readonly state: MessageState })
  | (CopyOf & {
      readonly kind: 'change';
      readonly wireId: string;
      readonly direction: 'in' | 'out';
      readonly targetWireId: string;
      readonly change: MessageChange;
      readonly atMs: number;
    })
  | (CopyOf & { readonly kind: 'read'; readonly wireId: string })
  | (CopyOf & {
      readonly kind: 'marks';
      readonly wireId: string;
      readonly marks: Marks;
      readonly atMs: number;
    });

interface CopyRow {
  key: number;
  kind: number;
  conversation_id: string;
  peer_address: string;
  peer_name: string;
  takes_changes: number;
  standing: string;
  position: number | null;
  wire_id: PackedId | null;
  direction: number | null;
  state: number | null;
  text: string | null;
  sent_at_ms: number | null;
  message_kind: number | null;
  reply_to: string | null;
  change_kind: number | null;
  change_direction: number | null;
  change_text: string | null;
  change_at_ms: number | null;
  change_wire_id: string | null;
  marks: string | null;
}

export function deviceCopyProcedures(database: Database) {
  const positionOf = messagePositions(database);
  const waiting = database.prepare<[string, number], CopyRow>(
    `SELECT d.key, d.kind, c.id AS conversation_id, c.peer_address, c.peer_name, c.takes_changes, c.standing,
       m.position, m.wire_id, m.direction, m.state, m.text, m.sent_at_ms, m.kind AS message_kind, r.wire_id AS reply_to,
       x.kind AS change_kind, x.direction AS change_direction, x.text AS change_text, x.at_ms AS change_at_ms,
       x.wire_id AS change_wire_id, s.value AS marks
     FROM device_copies d CROSS JOIN conversations c ON c.key = d.conversation
     LEFT JOIN message_changes x ON d.kind = ${CHANGE} AND x.key = d.target
     LEFT JOIN messages m ON m.position = CASE d.kind WHEN ${CHANGE} THEN x.target ELSE d.target END
     LEFT JOIN replies r ON r.position = m.position
     LEFT JOIN settings s ON d.kind = ${MARKS} AND s.key = '${MARKS_KEY}' || c.id
     LEFT JOIN transfers t ON d.kind IN (${MESSAGE}, ${FILE_END}) AND t.position = m.position
     WHERE c.account_id = ?
       AND NOT (d.kind IN (${MESSAGE}, ${FILE_END}) AND m.state IS NOT NULL AND m.direction = ${OUT} AND m.state = ${QUEUED}
         AND (t.state IS NULL OR t.state = 'done'))
       AND NOT (t.state IS NOT NULL AND t.state IN ('preparing', 'waiting', 'offered', 'transferring', 'paused')
         AND NOT (d.kind = ${MESSAGE} AND (m.direction = ${IN} AND t.state = 'offered'
           OR m.direction = ${OUT} AND t.state <> 'preparing' AND NOT EXISTS (SELECT 1 FROM messages q
             WHERE q.conversation = m.conversation AND q.state = ${QUEUED} AND q.kind = ${TEXT} AND q.position < m.position))))
       AND d.key < coalesce((SELECT min(e.key) FROM transfers u
         JOIN device_copies e ON e.conversation = d.conversation AND e.kind = ${MESSAGE} AND e.target = u.position
         WHERE u.state = 'preparing'), d.key + 1)
     ORDER BY d.key LIMIT ?`,
  );
  const fileAt = transferReader(database);
  const forget = database.prepare<[number]>('DELETE FROM device_copies WHERE key = ?');
  const keepEnd = database.prepare<[number]>(
    `UPDATE device_copies SET kind = ${FILE_END} WHERE key = ? AND kind = ${MESSAGE}`,
  );
  const forgetAll = database.prepare<[string]>(
    'DELETE FROM device_copies WHERE conversation IN (SELECT key FROM conversations WHERE account_id = ?)',
  );
  const setOthers = database.prepare<[number, string]>('UPDATE accounts SET other_devices = ? WHERE id = ?');
  const insertPart = database.prepare<[string, string, number, number, Uint8Array]>(
    'INSERT OR REPLACE INTO copy_parts (account_id, wire_id, part, total, content) VALUES (?, ?, ?, ?, ?)',
  );
  const parts = database.prepare<[string, string], { part: number; total: number; content: Uint8Array }>(
    'SELECT part, total, content FROM copy_parts WHERE account_id = ? AND wire_id = ? ORDER BY part',
  );
  const forgetParts = database.prepare<[string, string]>(
    'DELETE FROM copy_parts WHERE account_id = ? AND wire_id = ?',
  );
  const forgetOldParts = database.prepare<[string, string]>(
    `DELETE FROM copy_parts WHERE account_id = ? AND rowid NOT IN
       (SELECT rowid FROM copy_parts WHERE account_id = ? ORDER BY rowid DESC LIMIT ${MAX_PARTS})`,
  );
  const setDevice = database.prepare<[number, string]>(
    'INSERT OR REPLACE INTO message_devices (position, device) VALUES (?, ?)',
  );
  const device = database.prepare<[number], { device: string }>(
    'SELECT device FROM message_devices WHERE position = ?',
  );
  const incoming = database.prepare<[number, PackedId, string], { position: number }>(
    `SELECT m.position FROM messages m JOIN conversations c ON c.key = m.conversation
     WHERE m.wire_key = ? AND m.wire_id = ? AND c.id = ? AND m.direction = ${IN}`,
  );
  const setReadAhead = database.prepare<[string, string]>(
    'UPDATE conversations SET read_ahead = ? WHERE id = ?',
  );

  return {
    /** How many other devices want to be told; when there are none, nothing waits for them. */
    updateOtherDevices: database.transaction((input: { id: AccountId; count: number }): null => {
      setOthers.run(input.count, input.id);
      if (input.count === 0) forgetAll.run(input.id);
      return null;
    }),
    /**
     * The oldest that may leave, in order: behind a file that is still read nothing of its conversation does, and no file
     * that is not over behind a text that waits. What is not here any more is forgotten.
     */
    selectDeviceCopies: database.transaction(
      (input: { accountId: AccountId; limit: number }): DeviceCopy[] => {
        const rows = waiting.all(input.accountId, input.limit);
        return rows.flatMap((row) => {
          const copy = toCopy(row, row.position === null ? null : fileAt(row.position));
          if (copy === undefined) forget.run(row.key);
          return copy ?? [];
        });
      },
    ),
    /** The others have been told. */
    deleteDeviceCopy(input: { key: number }): null {
      forget.run(input.key);
      return null;
    },
    /** The others have been told of the offer of a file: what is left to be told is how it ends. */
    keepFileEnd(input: { key: number }): null {
      keepEnd.run(input.key);
      return null;
    },
    /** One piece of a long text. Returns the whole when all pieces are here. */
    insertCopyPart: database.transaction(
      (input: {
        accountId: AccountId;
        wireId: string;
        part: number;
        total: number;
        content: Uint8Array;
      }): Uint8Array | null => {
        const { accountId, wireId, part, total, content } = input;
        insertPart.run(accountId, wireId, part, total, content);
        forgetOldParts.run(accountId, accountId);
        const all = parts.all(accountId, wireId).filter((row) => row.total === total);
        if (all.length < total) return null;
        forgetParts.run(accountId, wireId);
        return Buffer.concat(all.map((row) => row.content));
      },
    ),
    /** Which other device has sent a message of ours. */
    upsertMessageDevice(input: { id: MessageId; device: string }): null {
      const position = positionOf(input.id);
      if (position !== undefined) setDevice.run(position, input.device);
      return null;
    },
    selectMessageDevice(input: { id: MessageId }): string | null {
      const position = positionOf(input.id);
      return (position === undefined ? undefined : device.get(position)?.device) ?? null;
    },
    /** Where a message lies that was read elsewhere. Null: it has not come here yet; it will be read when it comes. */
    selectReadPosition(input: { conversationId: ConversationId; wireId: string }): number | null {
      const { conversationId, wireId } = input;
      const row = incoming.get(wireKey(wireId), packId(wireId), conversationId);
      if (row === undefined) setReadAhead.run(wireId, conversationId);
      return row?.position ?? null;
    },
  };
}

/** Undefined: it is not here any more, or nothing that a device could show. */
function toCopy(row: CopyRow, file: PlacedTransfer | null): DeviceCopy | undefined {
  const of = {
    key: row.key,
    conversationId: row.conversation_id as ConversationId,
    peerAddress: row.peer_address,
    peerName: row.peer_name,
    takesChanges: row.takes_changes === 1,
    isAccepted: row.standing === 'accepted',
  };
  if (row.kind === MARKS) return toMarks(of, row.marks);
  if (row.wire_id === null || row.direction === null || row.state === null) return undefined;
  const wireId = unpackId(row.wire_id);
  const state = stateOf(row.state);
  switch (row.kind) {
    case MESSAGE:
    case FILE_END:
      if (row.message_kind !== TEXT && file === null) return undefined;
      return {
        ...of,
        kind: 'message',
        wireId,
        direction: directionOf(row.direction),
        text: row.text ?? '',
        sentAtMs: row.sent_at_ms ?? 0,
        state,
        displayReportWanted: wantsDisplayReport(row.state),
        replyTo: row.reply_to,
        file,
      };
    case STATE:
      return { ...of, kind: 'state', wireId, state };
    case CHANGE:
      return {
        ...of,
        kind: 'change',
        wireId: row.change_wire_id ?? '',
        direction: directionOf(row.change_direction ?? IN),
        targetWireId: wireId,
        change: toChange(row.change_kind ?? 0, row.change_text ?? '', row.text ?? ''),
        atMs: row.change_at_ms ?? 0,
      };
    default:
      return { ...of, kind: 'read', wireId };
  }
}

const storedMarks = v.object({ ...marksSchema.entries, changedAtMs: v.number() });

function toMarks(of: CopyOf, text: string | null): DeviceCopy | undefined {
  const parsed = v.safeParse(storedMarks, JSON.parse(text ?? 'null'));
  if (!parsed.success) return undefined;
  const { changedAtMs, ...marks } = parsed.output;
  // What is told is how they are: an id for each time that they were changed.
  return { ...of, kind: 'marks', wireId: `marks-${of.key}-${changedAtMs}`, marks, atMs: changedAtMs };
}
