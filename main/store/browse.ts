/**
 * Owns: finding one's way in a conversation: its days, its first unread message, its files and links, its figures.
 * Called by: messenger-tables.ts. Calls: message-rows.ts, search-index.ts, search-labels.ts.
 */
import type { ConversationFigures, MessageDay } from '../../shared/domain/history.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';
import {
  CONVERSATION_KEY,
  FILE,
  MESSAGE_COLUMNS,
  MESSAGE_JOIN,
  toMessage,
  UNREAD,
  type MessageRow,
} from './message-rows.ts';
import { dayOf } from './search-index.ts';
import { conversationLabel, traitLabel } from './search-labels.ts';
import type { SearchTrait } from './search-query.ts';

interface DayRow {
  day: number;
  first_position: number;
  incoming: number;
  outgoing: number;
}

export function browseProcedures(database: Database) {
  const conversationKey = database.prepare<[string], { key: number }>(
    'SELECT key FROM conversations WHERE id = ?',
  );
  const days = database.prepare<[string, number, number], DayRow>(
    `SELECT * FROM message_days WHERE conversation = ${CONVERSATION_KEY} AND day BETWEEN ? AND ? AND incoming + outgoing > 0 ORDER BY day`,
  );
  const dayFrom = database.prepare<[string, number], DayRow>(
    `SELECT * FROM message_days WHERE conversation = ${CONVERSATION_KEY} AND day >= ? AND incoming + outgoing > 0 ORDER BY day LIMIT 1`,
  );
  const counts = database.prepare<[string], { incoming: number | null; outgoing: number | null }>(
    `SELECT sum(incoming) AS incoming, sum(outgoing) AS outgoing FROM message_days WHERE conversation = ${CONVERSATION_KEY}`,
  );
  const first = database.prepare<[string], { sent_at_ms: number }>(
    `SELECT sent_at_ms FROM messages INDEXED BY messages_by_conversation WHERE conversation = ${CONVERSATION_KEY} ORDER BY position LIMIT 1`,
  );
  const last = database.prepare<[string], { sent_at_ms: number }>(
    `SELECT sent_at_ms FROM messages INDEXED BY messages_by_conversation WHERE conversation = ${CONVERSATION_KEY} ORDER BY position DESC LIMIT 1`,
  );
  const files = database.prepare<[string], { count: number; bytes: number | null }>(
    `SELECT count(*) AS count, sum(t.size) AS bytes FROM messages m INDEXED BY messages_files JOIN transfers t ON t.position = m.position
     WHERE m.conversation = ${CONVERSATION_KEY} AND m.kind = ${FILE}`,
  );
  const firstUnread = database.prepare<[string], { position: number | null }>(
    `SELECT min(position) AS position FROM messages INDEXED BY messages_unread WHERE conversation = ${CONVERSATION_KEY} AND state >= ${UNREAD}`,
  );
  const withLabels = database.prepare<[string, number, number], MessageRow>(
    `SELECT ${MESSAGE_COLUMNS} FROM message_words CROSS JOIN messages m ON m.position = message_words.rowid
     ${MESSAGE_JOIN} WHERE message_words MATCH ? AND message_words.rowid < ?
     ORDER BY message_words.rowid DESC LIMIT ?`,
  );
  const withLabelsAfter = database.prepare<[string, number, number], MessageRow>(
    `SELECT ${MESSAGE_COLUMNS} FROM message_words CROSS JOIN messages m ON m.position = message_words.rowid
     ${MESSAGE_JOIN} WHERE message_words MATCH ? AND message_words.rowid > ?
     ORDER BY message_words.rowid LIMIT ?`,
  );
  const totals = database.prepare<[], { incoming: number | null; outgoing: number | null }>(
    'SELECT sum(incoming) AS incoming, sum(outgoing) AS outgoing FROM message_days',
  );

  return {
    /** The days with messages from one day to another. */
    selectDays(input: { conversationId: ConversationId; fromDay: number; toDay: number }): MessageDay[] {
      return days
        .all(input.conversationId, input.fromDay, input.toDay)
        .map(({ day, incoming, outgoing }) => ({ day, count: incoming + outgoing }));
    },
    /** The position of the first message of the day of that time, or of the next day that has one; null: none. */
    selectPositionAt(input: { conversationId: ConversationId; sentAtMs: number }): number | null {
      return dayFrom.get(input.conversationId, dayOf(input.sentAtMs))?.first_position ?? null;
    },
    selectFirstUnread(input: { conversationId: ConversationId }): number | null {
      return firstUnread.get(input.conversationId)?.position ?? null;
    },
    /** Messages with a file, a picture or a link: newest first, before a position, or oldest first after one. */
    selectWithTrait(input: {
      conversationId: ConversationId;
      trait: SearchTrait;
      before?: number | undefined;
      after?: number | undefined;
      limit: number;
    }): Message[] {
      const { key = 0 } = conversationKey.get(input.conversationId) ?? {};
      const match = `"${conversationLabel(key)}" AND "${traitLabel(input.trait)}"`;
      const rows =
        input.after === undefined
          ? withLabels.all(match, input.before ?? Number.MAX_SAFE_INTEGER, input.limit)
          : withLabelsAfter.all(match, input.after, input.limit);
      return rows.filter((row) => row.conversation_id === input.conversationId).map(toMessage);
    },
    /** Messages of all conversations, as the days count them. */
    selectTotals(_input: null): { incoming: number; outgoing: number } {
      const { incoming, outgoing } = totals.get() ?? {};
      return { incoming: incoming ?? 0, outgoing: outgoing ?? 0 };
    },
    selectFigures(input: { conversationId: ConversationId }): ConversationFigures {
      const { incoming, outgoing } = counts.get(input.conversationId) ?? { incoming: 0, outgoing: 0 };
      const { count, bytes } = files.get(input.conversationId) ?? { count: 0, bytes: 0 };
      return {
        incoming: incoming ?? 0,
        outgoing: outgoing ?? 0,
        firstSentAtMs: first.get(input.conversationId)?.sent_at_ms ?? null,
        lastSentAtMs: last.get(input.conversationId)?.sent_at_ms ?? null,
        files: count,
        fileBytes: bytes ?? 0,
      };
    },
  };
}
