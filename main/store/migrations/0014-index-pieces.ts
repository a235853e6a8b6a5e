/**
 * Owns: how many pieces the search index has before the next message pays for putting them together.
 * Called by: messenger.ts. Calls: nothing.
 *
 * The most that FTS5 allows. Idle time puts them together; in an import nobody waits for the index to be small, though
 * a search looks into each piece.
 */
import type { Migration } from '../database.ts';

export const indexPiecesMigration: Migration = {
  version: 14,
  sql: "INSERT INTO message_words (message_words, rank) VALUES ('automerge', 64);",
};
