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

interface DayCount {
  firstPosition: number;
  incoming: number;
  outgoing: number;
}

/** Messages on their way into the index. */
export interface IndexBatch {
  /** A new one, or one that was removed and has changed. */
  insert(message: IndexedMessage): void;
  /** One that has waited for it; it may be counted already. */
  takeIn(message: IndexedMessage): void;
  /** Takes a message out again; as it was put in. */
  remove(message: IndexedMessage): void;
  flush(): void;
}

export function searchIndexProcedures(database: Database) {
  // One row a statement, here and wherever messages come in: with several rows SQLite begins a savepoint, for which FTS5
  // closes the piece of its index that it is about to fill.
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
  const backlog = database.prepare<[], { below: number; uncounted_below: number }>(
    'SELECT below, uncounted_below FROM search_backlog',
  );
  const setBacklog = database.prepare<[number, number]>(
    'UPDATE search_backlog SET below = ?, uncounted_below = min(uncounted_below, ?)',
  );
  const older = database.prepare<[number, number], BacklogRow>(
    `SELECT m.position, m.conversation, m.direction, m.text, m.sent_at_ms, m.kind, g.person, g.notice
     FROM messages m LEFT JOIN group_messages g ON g.position = m.position
     WHERE m.position < ? ORDER BY m.position DESC LIMIT ?`,
  );

  function wordsOf(message: IndexedMessage): string {
    const { person = null } = message;
    let marks = `${conversationLabel(message.conversation)} ${directionLabel(message.direction)} ${timeLabels(message.sentAtMs)}`;
    if (person !== null) marks += ` ${personLabel(person)}`;
    for (const trait of traitsOf(message.text, message.isFile)) marks += ` ${traitLabel(trait)}`;
    return `${marks}${toIndexText(message.text.slice(0, MAX_INDEXED_CHARS))}`;
  }

  /** Takes messages in, in one transaction: what they share is looked up and counted once. Ends with `flush`. */
  function openBatch(): IndexBatch {
    const days = new Map<number, Map<number, DayCount>>();
    const waiting = backlog.get() ?? { below: 0, uncounted_below: 0 };
    const count = ({ conversation, position, sentAtMs, direction }: IndexedMessage, by: 1 | -1): void => {
      const day = dayOf(sentAtMs);
      const ofDay = days.get(day) ?? new Map<number, DayCount>();
      days.set(day, ofDay);
      let counts = ofDay.get(conversation);
      if (counts === undefined) {
        counts = { firstPosition: position, incoming: 0, outgoing: 0 };
        ofDay.set(conversation, counts);
      } else if (position < counts.firstPosition) counts.firstPosition = position;
      if (direction === 'in') counts.incoming += by;
      else counts.outgoing += by;
    };
    return {
      insert: (message) => {
        // One that has changed before it was taken in comes with the others.
        if (message.position >= waiting.below) insert.run(message.position, wordsOf(message));
        if (message.position >= waiting.uncounted_below) count(message, 1);
      },
      takeIn: (message) => {
        insert.run(message.position, wordsOf(message));
        if (message.position < waiting.uncounted_below) count(message, 1);
      },
      remove: (message) => {
        // What has not been taken in yet does not stand there, and may not be counted either.
        if (message.position >= waiting.below) remove.run(message.position, wordsOf(message));
        if (message.position >= waiting.uncounted_below) count(message, -1);
      },
      flush: () => {
        for (const [day, ofDay] of days) {
          for (const [conversation, { firstPosition, incoming, outgoing }] of ofDay) {
            countDay.run(conversation, day, firstPosition, incoming, outgoing);
            if (incoming < 0 || outgoing < 0) emptyDay.run(conversation, day);
          }
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
      // In order: FTS5 closes a piece of its index whenever a row does not follow the one before.
      const rows = older.all(below, input.limit).reverse();
      const batch = openBatch();
      for (const row of rows) {
        if (row.notice !== null) continue;
        batch.takeIn({
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
      const left = isOver ? 0 : (rows[0]?.position ?? 0);
      setBacklog.run(left, left);
      return !isOver;
    }),
    /** How much of the history is not searched yet: positions below this; 0 for nothing. */
    selectSearchBacklog: (_input: null): number => backlog.get()?.below ?? 0,
  };
}

export type SearchIndex = Pick<ReturnType<typeof searchIndexProcedures>, 'openBatch'>;
