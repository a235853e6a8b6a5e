/**
 * Owns: what SQLite itself needs for the same: the limit that the store is compared with. Called by: measure.ts.
 * Calls: main/store for the file and for the words that the index is asked for.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase, type Database } from '../../../main/store/database.ts';
import { messengerMigrations } from '../../../main/store/migrations/messenger.ts';
import { parseSearchQuery, toMatchQuery } from '../../../main/store/search-query.ts';
import { toIndexText } from '../../../main/store/search-text.ts';
import { summarise } from '../summary.ts';
import type { Corpus } from './corpus.ts';

const ROUNDS = 100;
const ROWS = 48_000;
const ROWS_A_COMMIT = 16_000;

function medianMs(work: (round: number) => unknown, rounds = ROUNDS): number {
  return summarise(
    Array.from({ length: rounds }, (_, round) => {
      const began = performance.now();
      work(round);
      return performance.now() - began;
    }),
  ).p50;
}

/** The bare statements on a file that nobody else uses, in the caller's thread. Times in ms. */
export class RawHistory implements Disposable {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  static async open(path: string, key: Uint8Array | undefined): Promise<RawHistory> {
    return new RawHistory(await openDatabase(path, messengerMigrations, undefined, key));
  }

  /** All rows, the last active first. */
  conversations(): number {
    const rows = this.#database.prepare('SELECT * FROM conversations ORDER BY last_activity_ms DESC').raw();
    return medianMs(() => rows.all());
  }

  /** A month of days. */
  days(from: (round: number) => number): number {
    const rows = this.#database
      .prepare('SELECT * FROM message_days WHERE conversation = ? AND day BETWEEN ? AND ?')
      .raw();
    return medianMs((round) => rows.all(1 + (round % 20), from(round), from(round) + 31));
  }

  firstUnread(): number {
    const row = this.#database.prepare(
      'SELECT min(position) FROM messages INDEXED BY messages_unread WHERE conversation = ? AND state >= 7',
    );
    return medianMs((round) => row.get(1 + (round % 20)));
  }

  /** Fifty rows before a position. */
  page(place: (round: number) => number): number {
    const rows = this.#database
      .prepare(
        `SELECT * FROM messages INDEXED BY messages_by_conversation
         WHERE conversation = ? AND position < ? ORDER BY position DESC LIMIT 50`,
      )
      .raw();
    return medianMs((round) => rows.all(1 + (round % 20), place(round)));
  }

  /** The first fifty rows that the index finds. */
  search(query: (round: number) => string): number {
    const rows = this.#database
      .prepare(
        `SELECT m.* FROM message_words CROSS JOIN messages m ON m.position = message_words.rowid
         WHERE message_words MATCH ? ORDER BY message_words.rowid DESC LIMIT 50`,
      )
      .raw();
    return medianMs((round) => {
      const match = toMatchQuery(parseSearchQuery(query(round)));
      return match === undefined ? [] : rows.all(match);
    });
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** A row of one text and its words a commit (ms), and in bulk (rows a second). */
export async function measureRawInserts(
  folder: string,
  corpus: Corpus,
  key: Uint8Array | undefined,
): Promise<{ singleMs: number; bulkPerSecond: number }> {
  const path = join(folder, 'raw.sqlite');
  const database = await openDatabase(path, [], undefined, key);
  try {
    database.exec(`CREATE TABLE texts (text TEXT);
      CREATE VIRTUAL TABLE text_words USING fts5 (words, content = '', columnsize = 0, detail = none, tokenize = 'ascii');
      INSERT INTO text_words (text_words, rank) VALUES ('pgsz', 8080), ('hashsize', 16777216), ('automerge', 16);`);
    const text = database.prepare('INSERT INTO texts VALUES (?)');
    const words = database.prepare('INSERT INTO text_words (rowid, words) VALUES (?, ?)');
    const insert = (row: { text: string; words: string }) =>
      words.run(text.run(row.text).lastInsertRowid, row.words);
    const insertAll = database.transaction((rows: readonly { text: string; words: string }[]) => {
      for (const row of rows) insert(row);
    });
    let spentMs = 0;
    for (let done = 0; done < ROWS; done += ROWS_A_COMMIT) {
      const rows = Array.from({ length: ROWS_A_COMMIT }, () => {
        const made = corpus.text();
        return { text: made, words: toIndexText(made) };
      });
      const began = performance.now();
      insertAll(rows);
      spentMs += performance.now() - began;
    }
    const one = { text: corpus.text(), words: 'a few words' };
    return {
      singleMs: medianMs(() => {
        insertAll([one]);
      }),
      bulkPerSecond: (ROWS / spentMs) * 1_000,
    };
  } finally {
    database.close();
    rmSync(path);
  }
}
