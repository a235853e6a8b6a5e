/**
 * Owns: what leaves the history: messages that are older than a rule keeps them, and those that the user deletes.
 * Nothing of their text stays in the file. Called by: messenger-tables.ts. Calls: search-index.ts, SQLite.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';
import { messagePositions } from './message-keys.ts';
import { directionOf, FILE, QUEUED, stateNumber } from './message-rows.ts';
import { dayOf, type SearchIndex } from './search-index.ts';

/** What has left one conversation. */
export interface DeletedMessages {
  readonly conversationId: ConversationId;
  readonly positions: readonly number[];
}

interface DeletedRow {
  position: number;
  conversation: number;
  direction: number;
  kind: number;
  text: string;
  sent_at_ms: number;
  person: number | null;
  notice: string | null;
}

const COLUMNS = `m.position, m.conversation, m.direction, m.kind, m.text, m.sent_at_ms,
  (SELECT g.person FROM group_messages g WHERE g.position = m.position) AS person,
  (SELECT g.notice FROM group_messages g WHERE g.position = m.position) AS notice`;
const UNDER_WAY = `EXISTS (SELECT 1 FROM transfers t
  WHERE t.position = m.position AND t.state IN ('preparing', 'waiting', 'offered', 'transferring', 'paused'))`;
/** What still has to leave for its recipient is not old, however long it has waited; nor is a file under way. */
const STAYS = `m.state IN (${QUEUED}, ${stateNumber('waiting')}) OR ${UNDER_WAY}`;

export function deletionProcedures(database: Database, index: Pick<SearchIndex, 'openBatch'>) {
  // What was deleted is overwritten, in the tables as in the index of words (0008).
  database.pragma('secure_delete = ON');
  const positionOf = messagePositions(database);
  const ruled = database.prepare<[number], { key: number; id: string; keep_ms: number }>(
    `SELECT key, id, keep_ms FROM (
       SELECT c.key, c.id, coalesce(r.keep_ms, ?) AS keep_ms
       FROM conversations c LEFT JOIN conversation_rules r ON r.conversation = c.key)
     WHERE keep_ms > 0`,
  );
  const oldestDay = database.prepare<[number, number], { first_position: number }>(
    'SELECT min(first_position) AS first_position FROM message_days WHERE conversation = ? AND day <= ? HAVING count(*) > 0',
  );
  const expired = database.prepare<[number, number, number, number], DeletedRow>(
    `SELECT ${COLUMNS} FROM messages m INDEXED BY messages_by_conversation
     WHERE m.conversation = ? AND m.position >= ? AND m.sent_at_ms + m.stored_after_ms < ? AND NOT (${STAYS})
     ORDER BY m.position LIMIT ?`,
  );
  const oldest = database.prepare<[number], { stored_at_ms: number | null }>(
    `SELECT sent_at_ms + stored_after_ms AS stored_at_ms FROM messages INDEXED BY messages_by_conversation
     WHERE conversation = ? ORDER BY position LIMIT 1`,
  );
  const byKey = database.prepare<[string], { key: number }>('SELECT key FROM conversations WHERE id = ?');
  const ofConversation = database.prepare<[number, number], DeletedRow>(
    `SELECT ${COLUMNS} FROM messages m INDEXED BY messages_by_conversation
     WHERE m.conversation = ? AND NOT ${UNDER_WAY} LIMIT ?`,
  );
  const byPosition = database.prepare<[number], DeletedRow>(
    `SELECT ${COLUMNS} FROM messages m WHERE m.position = ? AND NOT ${UNDER_WAY}`,
  );
  const remove = database.prepare<[number]>('DELETE FROM messages WHERE position = ?');
  const countDeleted = database.prepare<[number]>(
    'INSERT INTO deletions (id, messages) VALUES (1, ?) ON CONFLICT DO UPDATE SET messages = messages + excluded.messages',
  );
  const setRule = database.prepare<[number, number | null]>(
    'INSERT INTO conversation_rules (conversation, keep_ms) VALUES (?, ?) ON CONFLICT DO UPDATE SET keep_ms = excluded.keep_ms',
  );
  const rule = database.prepare<[string], { keep_ms: number | null }>(
    'SELECT r.keep_ms FROM conversation_rules r JOIN conversations c ON c.key = r.conversation WHERE c.id = ?',
  );

  function removeRows(rows: readonly DeletedRow[]): number[] {
    const batch = index.openBatch();
    for (const row of rows) {
      const { position, conversation, text, sent_at_ms: sentAtMs, person } = row;
      const direction = directionOf(row.direction);
      const isFile = row.kind === FILE;
      if (row.notice === null)
        batch.remove({ position, conversation, direction, text, sentAtMs, isFile, person });
      remove.run(position);
    }
    batch.flush();
    if (rows.length > 0) countDeleted.run(rows.length);
    return rows.map(({ position }) => position);
  }

  function keyOf(id: ConversationId): number | undefined {
    return byKey.get(id)?.key;
  }

  return {
    /**
     * Deletes up to `limit` messages of one conversation that have been here longer than its rule says, or the setting
     * `keepMs` where it has none (0: for ever). Null when nothing is due.
     */
    deleteExpired: database.transaction(
      (input: { nowMs: number; keepMs: number; limit: number }): DeletedMessages | null => {
        for (const { key, id, keep_ms: keepMs } of ruled.all(input.keepMs)) {
          const before = input.nowMs - keepMs;
          const from = oldestDay.get(key, dayOf(before))?.first_position;
          if (from === undefined) continue;
          const positions = removeRows(expired.all(key, from, before, input.limit));
          if (positions.length > 0) return { conversationId: id as ConversationId, positions };
        }
        return null;
      },
    ),

    /** When the next message is due by the rules of conversations or by `keepMs`; null for never. */
    selectNextExpiry(input: { keepMs: number }): number | null {
      let next: number | null = null;
      for (const { key, keep_ms: keepMs } of ruled.all(input.keepMs)) {
        const storedAtMs = oldest.get(key)?.stored_at_ms ?? null;
        if (storedAtMs !== null) next = Math.min(next ?? Infinity, storedAtMs + keepMs);
      }
      return next;
    },

    /** Deletes these messages of one conversation; those that are unknown, of another one, or a file under way stay. */
    deleteMessages: database.transaction(
      (input: { conversationId: ConversationId; ids: readonly MessageId[] }): DeletedMessages => {
        const { conversationId } = input;
        const key = keyOf(conversationId);
        const rows = input.ids.flatMap((id) => {
          const position = positionOf(id);
          const row = position === undefined ? undefined : byPosition.get(position);
          return row !== undefined && row.conversation === key ? [row] : [];
        });
        return { conversationId, positions: removeRows(rows) };
      },
    ),

    /** Deletes up to `limit` messages of a conversation, all but files under way. Empty when none is left. */
    clearConversation: database.transaction(
      (input: { conversationId: ConversationId; limit: number }): DeletedMessages => {
        const key = keyOf(input.conversationId);
        const rows = key === undefined ? [] : ofConversation.all(key, input.limit);
        return { conversationId: input.conversationId, positions: removeRows(rows) };
      },
    ),

    /** `keepMs`: 0 for ever, null as the setting says. */
    updateRetention(input: { conversationId: ConversationId; keepMs: number | null }): null {
      const key = keyOf(input.conversationId);
      if (key !== undefined) setRule.run(key, input.keepMs);
      return null;
    },
    selectRetention: (input: { conversationId: ConversationId }): number | null =>
      rule.get(input.conversationId)?.keep_ms ?? null,

    /** Deleted pages lie in the log until they are copied back: then nothing of them is on the disk. */
    forgetDeleted(_input: null): null {
      database.pragma('wal_checkpoint(TRUNCATE)');
      return null;
    },
  };
}
