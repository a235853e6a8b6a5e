/**
 * Owns: that the search index of an older program leaves the file, in steps that hold up nobody.
 * Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** The name that 0011 has given it. */
const WORN = 'message_words_10';

export function wornIndexProcedures(database: Database) {
  const find = database.prepare<[string], { name: string }>('SELECT name FROM sqlite_schema WHERE name = ?');
  let isGone = false;

  /** Pages of the index itself. SQLite guards the tables of an index against everybody but FTS5. */
  function dropPages(limit: number): number {
    database.unsafeMode(true);
    try {
      return database
        .prepare<[number]>(
          `DELETE FROM ${WORN}_data WHERE id IN (SELECT id FROM ${WORN}_data WHERE id > 10 LIMIT ?)`,
        )
        .run(limit).changes;
    } finally {
      database.unsafeMode(false);
    }
  }

  return {
    /** Takes up to so many pages of the old index away. Returns whether there is more of it. */
    dropWornIndex: database.transaction((input: { limit: number }): boolean => {
      isGone ||= find.get(WORN) === undefined;
      if (isGone) return false;
      if (dropPages(input.limit) === input.limit) return true;
      database.exec(`DROP TABLE ${WORN}`);
      return false;
    }),
  };
}
