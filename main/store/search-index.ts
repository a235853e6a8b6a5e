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

/** Within a quarter of an hour (UTC) no zone has two offsets; messages come in order, so the last one is at hand. */
const QUARTER_MS = 900_000;
let lastQuarter = { number: Number.NaN, offsetMs: 0 };

/** The local day of a time, counted from 1970. */
export function dayOf(ms: number): number {
  const number = Math.floor(ms / QUARTER_MS);
  if (number !== lastQuarter.number) {
    lastQuarter = { number, offsetMs: new Date(ms).getTimezoneOffset() * 60_000 };
  }
  return Math.floor((ms - lastQuarter.offsetMs) / DAY_MS);
}

/** What the index has of a message that its text and itself tell; the labels of conversation and person stand before it. */
export function wordsOf({
  text,
  sentAtMs,
  direction,
  isFile,
}: Pick<IndexedMessage, 'text' | 'sentAtMs' | 'direction' | 'isFile'>): string {
  let marks = `${directionLabel(direction)} ${timeLabels(sentAtMs)}`;
  for (const trait of traitsOf(text, isFile)) marks += ` ${traitLabel(trait)}`;
  return `${marks}${toIndexText(text.slice(0, MAX_INDEXED_CHARS))}`;
}

/** The labels of numbers that only this history knows. */
function labelsOf(conversation: number, person: number | null | undefined): string {
  const label = conversationLabel(conversation);
  return person === null || person === undefined ? label : `${label} ${personLabel(person)}`;
}

interface DayCount {
  firstPosition: number;
  incoming: number;
  outgoing: number;
}

/** A message whose words are there already. */
export interface PreparedForIndex extends Pick<
  IndexedMessage,
  'position' | 'conversation' | 'direction' | 'person'
> {
  readonly words: Uint8Array;
  readonly day: number;
}

/** Messages on their way into the index. */
export interface IndexBatch {
  /** A new one, or one that was removed and has changed. */
  insert(message: IndexedMessage): void;
  /** The same with {@link wordsOf} in UTF-8 and its local day. */
  insertPrepared(message: PreparedForIndex): void;
  /** One that has waited for it; it may be counted already. */
  takeIn(message: IndexedMessage): void;
  /** Takes a message out again; as it was put in. */
  remove(message: IndexedMessage): void;
  flush(): void;
}

/** Used again for each message: the driver copies what it is given. */
let joined = Buffer.allocUnsafeSlow(8 * 1024);

function joinBytes(before: Uint8Array, words: Uint8Array, behind: string): Uint8Array {
  const needed = before.length + words.length + behind.length * 3;
  if (needed > joined.length) joined = Buffer.allocUnsafeSlow(2 * needed);
  joined.set(before);
  joined.set(words, before.length);
  let end = before.length + words.length;
  if (behind !== '') end += joined.write(behind, end);
  return joined.subarray(0, end);
}

export function searchIndexProcedures(database: Database) {
  // One row a statement, here and wherever messages come in: with several rows SQLite begins a savepoint, for which FTS5
  // closes the piece of its index that it is about to fill.
  const insert = database.prepare<[number, string | Uint8Array]>(
    'INSERT INTO message_words (rowid, words) VALUES (?, ?)',
  );
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

  const allWordsOf = (message: IndexedMessage): string =>
    `${labelsOf(message.conversation, message.person)} ${wordsOf(message)}`;

  /** Takes messages in, in one transaction: what they share is looked up and counted once. Ends with `flush`. */
  function openBatch(): IndexBatch {
    const days = new Map<number, Map<number, DayCount>>();
    const labelBytes = new Map<number, Buffer>();
    const waiting = backlog.get() ?? { below: 0, uncounted_below: 0 };
    const count = (
      { conversation, position, direction }: Pick<IndexedMessage, 'conversation' | 'position' | 'direction'>,
      day: number,
      by: 1 | -1,
    ): void => {
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
        if (message.position >= waiting.below) insert.run(message.position, allWordsOf(message));
        if (message.position >= waiting.uncounted_below) count(message, dayOf(message.sentAtMs), 1);
      },
      insertPrepared: (message) => {
        const { position, conversation, person, words } = message;
        if (position >= waiting.below) {
          let labels = labelBytes.get(conversation);
          if (labels === undefined) {
            labels = Buffer.from(`${labelsOf(conversation, null)} `);
            labelBytes.set(conversation, labels);
          }
          const behind = person === null || person === undefined ? '' : ` ${personLabel(person)}`;
          // FTS5 reads the bytes as the text that they are.
          insert.run(position, joinBytes(labels, words, behind));
        }
        if (position >= waiting.uncounted_below) count(message, message.day, 1);
      },
      takeIn: (message) => {
        insert.run(message.position, allWordsOf(message));
        if (message.position < waiting.uncounted_below) count(message, dayOf(message.sentAtMs), 1);
      },
      remove: (message) => {
        // What has not been taken in yet does not stand there, and may not be counted either.
        if (message.position >= waiting.below) remove.run(message.position, allWordsOf(message));
        if (message.position >= waiting.uncounted_below) count(message, dayOf(message.sentAtMs), -1);
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
