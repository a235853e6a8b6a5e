/**
 * Owns: statements on when a message came into each of its states. Called by: messages.ts in the transaction in which it
 * does, messenger-tables.ts. Calls: SQLite.
 *
 * What was taken in from elsewhere has none: its times are those of another computer.
 */
import type { MessageId } from '../../shared/domain/ids.ts';
import type { MessageTime } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';
import { messagePositions } from './message-keys.ts';
import { READ, stateOf, UNREAD } from './message-rows.ts';

const NOW_MS = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";
const AGAIN = 'ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms';

/** By the positions of messages and the numbers of states. */
export function stateKeeper(database: Database) {
  const insert = database.prepare<[number, number]>(
    `INSERT INTO message_states (position, state, at_ms) VALUES (?, ?, ${NOW_MS}) ${AGAIN}`,
  );
  const insertRead = database.prepare<[string, number]>(
    `INSERT INTO message_states (position, state, at_ms)
     SELECT position, ${READ}, ${NOW_MS} FROM messages INDEXED BY messages_unread
     WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND state >= ${UNREAD} AND position <= ? ${AGAIN}`,
  );
  return {
    keepState: (position: number, state: number): void => {
      insert.run(position, state);
    },
    /** Of all that is unread up to there: it is about to be read. */
    keepRead: (conversationId: string, position: number): void => {
      insertRead.run(conversationId, position);
    },
  };
}

export function messageStateProcedures(database: Database) {
  const positionOf = messagePositions(database);
  const times = database.prepare<[number], { state: number; at_ms: number }>(
    'SELECT state, at_ms FROM message_states WHERE position = ? ORDER BY at_ms, state',
  );
  return {
    /** When it came into each of its states after it was stored, the first one first. Empty: none is known. */
    selectMessageTimes({ id }: { id: MessageId }): MessageTime[] {
      const position = positionOf(id);
      if (position === undefined) return [];
      return times.all(position).map(({ state, at_ms: atMs }) => ({ state: stateOf(state), atMs }));
    },
  };
}
