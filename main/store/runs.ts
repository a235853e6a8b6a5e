/**
 * Owns: how far a run of messages of one person goes. Called by: messenger-tables.ts. Calls: SQLite, shared/domain/flood.ts.
 */
import { isCollapsible, isOneRun, type RunMark } from '../../shared/domain/flood.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';
import { CONVERSATION_KEY, directionOf, VALUE } from './message-rows.ts';

/** A part of a run, as seen from one of its messages. */
export interface RunPart {
  /** The last message of the run in that direction, or of the part when it is as long as the limit. */
  readonly end: number;
  readonly endSentAtMs: number;
  /** Messages of the run behind the one that was asked for. */
  readonly count: number;
}

/** A message as far as runs are concerned. An array: there may be many, and an object for each takes twice as long. */
type RunRow = [
  position: number,
  direction: number,
  sentAtMs: number,
  person: number | null,
  isPrivate: number | null,
  isNotice: number,
];

function markOf([position, direction, sentAtMs, person, isPrivate, isNotice]: RunRow): RunMark {
  return {
    position,
    direction: directionOf(direction),
    sentAtMs,
    person,
    isPrivate: isPrivate === 1,
    isNotice: isNotice === 1,
  };
}

export function runProcedures(database: Database) {
  const walk = (comparison: '<=' | '>=', order: 'DESC' | 'ASC') =>
    database
      .prepare<[string, number, number], RunRow>(
        `SELECT m.position, m.direction, m.sent_at_ms, g.person, g.private, g.notice IS NOT NULL
         FROM messages m INDEXED BY messages_by_conversation LEFT JOIN group_messages g ON g.position = m.position
         WHERE m.conversation = ${CONVERSATION_KEY} AND m.position ${comparison} ${VALUE}
         ORDER BY m.position ${order} LIMIT ?`,
      )
      .raw();
  const older = walk('<=', 'DESC');
  const newer = walk('>=', 'ASC');

  return {
    /** Goes along a run from one of its messages, over at most `limit` others. Null: that message begins or is no run. */
    selectRunPart(input: {
      conversationId: ConversationId;
      from: number;
      towards: 'older' | 'newer';
      limit: number;
    }): RunPart | null {
      const statement = input.towards === 'older' ? older : newer;
      let part: RunPart | null = null;
      let previous: RunMark | undefined;
      for (const row of statement.iterate(input.conversationId, input.from, input.limit + 1)) {
        const mark = markOf(row);
        if (
          previous === undefined ? row[0] !== input.from || !isCollapsible(mark) : !isOneRun(previous, mark)
        )
          break;
        part = { end: row[0], endSentAtMs: mark.sentAtMs, count: part === null ? 0 : part.count + 1 };
        previous = mark;
      }
      return part;
    },
  };
}
