/**
 * Owns: the search index in its third form: fewer words, which the program has separated already.
 * Called by: messenger.ts. Calls: nothing.
 *
 * The index of before is emptied in idle time (worn-index.ts): to drop it here would take a long history minutes. The new
 * one is filled as after 0005, newest messages first. Days are counted already: of positions from `uncounted_below` on.
 */
import type { Migration } from '../database.ts';

export const leanIndexMigration: Migration = {
  version: 11,
  sql: `
ALTER TABLE message_words RENAME TO message_words_10;
CREATE VIRTUAL TABLE message_words USING fts5 (
  words, content = '', columnsize = 0, detail = none, tokenize = 'ascii'
);
INSERT INTO message_words (message_words, rank) VALUES ('pgsz', 8080);
INSERT INTO message_words (message_words, rank) VALUES ('hashsize', 16777216);
INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);
-- Pieces are put together in idle time; while messages come only when there are many, and never all at once.
INSERT INTO message_words (message_words, rank) VALUES ('automerge', 16);
INSERT INTO message_words (message_words, rank) VALUES ('crisismerge', 1000);
ALTER TABLE search_backlog ADD COLUMN uncounted_below INTEGER NOT NULL DEFAULT 0;
UPDATE search_backlog SET uncounted_below = below, below = (SELECT coalesce(max(position), 0) + 1 FROM messages);
`,
};
