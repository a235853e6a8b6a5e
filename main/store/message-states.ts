/**
 * Owns: statements on when a message came into each of its states. Called by: messages.ts in the transaction in which it
 * does, messenger-tables.ts, export-rows.ts, message-import.ts, archive-writing.ts. Calls: SQLite.
 *
 * What is taken in from an export keeps the times that it has there, by the clock of that computer.
 */
import type { MessageId } from '../../shared/domain/ids.ts';
import type { MessageTime } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';
import { messagePositions } from './message-keys.ts';
import { stateOf } from './message-rows.ts';

/** By the position of a message and the number of its state. */
export function stateKeeper(database: Database): (position: number, state: number) => void {
  const insert = database.prepare<[number, number]>(
    `INSERT INTO message_states (position, state, at_ms) VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))
     ON CONFLICT DO UPDATE SET at_ms = excluded.at_ms`,
  );
  return (position, state) => {
    insert.run(position, state);
  };
}

/** After `messages m`: what `toMessageTimes` reads. */
export const TIME_COLUMN = `(SELECT json_group_array(json_array(s.state, s.at_ms) ORDER BY s.at_ms, s.state)
  FROM message_states s WHERE s.position = m.position) AS state_times`;

/** The first one first. Empty: none is known. */
export function toMessageTimes(json: string | null): MessageTime[] {
  if (json === null || json === '[]') return [];
  const times = JSON.parse(json) as [number, number][];
  return times.map(([state, atMs]) => ({ state: stateOf(state), atMs }));
}

/** Puts back when a message that comes from elsewhere came into a state: by its position and the number of the state. */
export function timeKeeper(database: Database): (position: number, state: number, atMs: number) => void {
  const insert = database.prepare<[number, number, number]>(
    'INSERT OR REPLACE INTO message_states (position, state, at_ms) VALUES (?, ?, ?)',
  );
  return (position, state, atMs) => {
    insert.run(position, state, atMs);
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
