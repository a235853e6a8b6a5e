/**
 * Owns: putting the pieces of the search index together, in steps. Called by: worker.ts, archive-writing.ts. Calls: SQLite.
 *
 * Every commit adds a piece to the index; a search looks into each of them.
 */
import type { Database } from './database.ts';

/** Pages that are written in a step: a request that comes waits for no more than these. */
const STEP_PAGES = 64;

/** Returns a step that says whether there is more to do. Pieces that are few for their size are left alone. */
export function indexMerger(database: Database, pages = STEP_PAGES): () => boolean {
  const changes = database.prepare<[], { n: number }>('SELECT total_changes() AS n');
  const merge = database.prepare(
    `INSERT INTO message_words (message_words, rank) VALUES ('merge', ${pages})`,
  );
  return () => {
    const before = changes.get()?.n ?? 0;
    merge.run();
    // FTS5 counts one change when it has had nothing to do.
    return (changes.get()?.n ?? 0) - before >= 2;
  };
}
