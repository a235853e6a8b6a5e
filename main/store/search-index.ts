/**
 * Owns: what stands in the search index: each message's words and labels, and the count of each day.
 * Called by: messages.ts in the transaction of a message, worker.ts in idle time. Calls: search-text.ts, search-labels.ts.
 */
import type { Database } from './database.ts';
import {
  conversationLabel,
  directionLabel,
  personLabel,
  timeLabels,
  traitLabel,
  traitsOf,
} from './search-labels.ts';
import { directionOf, FILE } from './message-rows.ts';
import { toIndexText } from './search-text.ts';

/** What the index takes of a message. */
export interface IndexedMessage {
  readonly position: number;
  /** Its number. */
  readonly conversation: number;
  readonly direction: 'in' | 'out';
  readonly text: string;
  readonly sentAtMs: number;
  readonly isFile: boolean;
  /** Who wrote it in a group. */
  readonly person?: number | null | undefined;
}

interface BacklogRow {
  position: number;
  conversation: number;
  direction: number;
  text: string;
  sent_at_ms: number;
  kind: number;
  person: number | null;
  notice: string | null;
}

/** Indexed words of a message; the rest of a longer text is not searched. */
const MAX_INDEXED_CHARS = 256 * 1024;
const DAY_MS = 86_400_000;

/** The local day of a time, counted from 1970. */
export function dayOf(ms: number): number {
  return Math.floor((ms - new Date(ms).getTimezoneOffset() * 60_000) / DAY_MS);
}

/** Messages on their way into the index. */
export interface IndexBatch {
  insert(message: IndexedMessage): void;
  /** Takes a message out again; as it was put in. */
  remove(message: IndexedMessage): void;
  flush(): void;
}

export function searchIndexProcedures(database: Database) {
  const insert = database.prepare<[number, string]>('INSERT INTO message_words (rowid, words) VALUES (?, ?)');
  // A table without content is told what stood in it.
  const remove = database.prepare<[number, string]>(
    "INSERT INTO message_words (message_words, rowid, words) VALUES ('delete', ?, ?)",
  );
  const countDay = database.prepare(
    `INSERT INTO message_days (conversation, day, first_position, incoming, outgoing) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (conversation, day) DO UPDATE SET first_position = min(first_position, excluded.first_position),
       incoming = incoming + excluded.incoming, outgoing = outgoing + excluded.outgoing`,
  );
  const emptyDay = database.prepare<[number, number]>(
    'DELETE FROM message_days WHERE conversation = ? AND day = ? AND incoming <= 0 AND outgoing <= 0',
  );
  const backlog = database.prepare<[], { below: number }>('SELECT below FROM search_backlog');
  const setBacklog = database.prepare<[number]>('UPDATE search_backlog SET below = ?');
  const older = database.prepare<[number, number], BacklogRow>(
    `SELECT m.position, m.conversation, m.direction, m.text, m.sent_at_ms, m.kind, g.person, g.notice
     FROM messages m LEFT JOIN group_messages g ON g.position = m.position
     WHERE m.position < ? ORDER BY m.position DESC LIMIT ?`,
  );

  function wordsOf(message: IndexedMessage): string {
    const { person = null } = message;
    const marks = [
      conversationLabel(message.conversation),
      directionLabel(message.direction),
      ...timeLabels(message.sentAtMs),
      ...(person === null ? [] : [personLabel(person)]),
      ...traitsOf(message.text, message.isFile).map(traitLabel),
    ];
    return `${toIndexText(message.text.slice(0, MAX_INDEXED_CHARS))} ${marks.join(' ')}`;
  }

  /** Takes messages in, in one transaction: what they share is looked up and counted once. Ends with `flush`. */
  function openBatch(): IndexBatch {
    const days = new Map<string, { args: [number, number, number]; incoming: number; outgoing: number }>();
    const count = ({ conversation, position, sentAtMs, direction }: IndexedMessage, by: 1 | -1): void => {
      const day = dayOf(sentAtMs);
      const key = `${day} ${conversation}`;
      const counts = days.get(key) ?? { args: [conversation, day, position], incoming: 0, outgoing: 0 };
      days.set(key, counts);
      counts.args[2] = Math.min(counts.args[2], position);
      if (direction === 'in') counts.incoming += by;
      else counts.outgoing += by;
    };
    return {
      insert: (message) => {
        insert.run(message.position, wordsOf(message));
        count(message, 1);
      },
      remove: (message) => {
        // What has not been taken in yet is not counted either.
        if (message.position < (backlog.get()?.below ?? 0)) return;
        remove.run(message.position, wordsOf(message));
        count(message, -1);
      },
      flush: () => {
        for (const { args, incoming, outgoing } of days.values()) {
          countDay.run(...args, incoming, outgoing);
          if (incoming < 0 || outgoing < 0) emptyDay.run(args[0], args[1]);
        }
      },
    };
  }

  return {
    openBatch,
    /** Takes in up to so many older messages, newest first. Returns whether there are more. */
    continueIndexing: database.transaction((input: { limit: number }): boolean => {
      const below = backlog.get()?.below ?? 0;
      if (below <= 1) return false;
      const rows = older.all(below, input.limit);
      const batch = openBatch();
      for (const row of rows) {
        if (row.notice !== null) continue;
        batch.insert({
          position: row.position,
          conversation: row.conversation,
          direction: directionOf(row.direction),
          text: row.text,
          sentAtMs: row.sent_at_ms,
          isFile: row.kind === FILE,
          person: row.person,
        });
      }
      batch.flush();
      const isOver = rows.length < input.limit;
      setBacklog.run(isOver ? 0 : (rows.at(-1)?.position ?? 0));
      return !isOver;
    }),
    /** How much of the history is not searched yet: positions below this; 0 for nothing. */
    selectSearchBacklog: (_input: null): number => backlog.get()?.below ?? 0,
  };
}

export type SearchIndex = Pick<ReturnType<typeof searchIndexProcedures>, 'openBatch'>;
