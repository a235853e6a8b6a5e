/**
 * Owns: a search index that is to be filled anew from the messages. Called by: recovery.ts, encryption.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** Empties it; search-index.ts fills it while the store is in use. */
export function indexAnew(database: Database): void {
  database.exec(`
    DELETE FROM message_days;
    INSERT INTO message_words (message_words) VALUES ('delete-all');
    UPDATE search_backlog SET below = (SELECT coalesce(max(position), 0) + 1 FROM messages);
    UPDATE search_backlog SET uncounted_below = below;
  `);
}
