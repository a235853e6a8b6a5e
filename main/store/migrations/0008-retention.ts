/**
 * Owns: how long the messages of a conversation are kept, where that differs from the setting; how many were deleted; what
 * is deleted from the search index leaves nothing behind. Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const retentionMigration: Migration = {
  version: 8,
  sql: `
CREATE TABLE conversation_rules (
  conversation INTEGER PRIMARY KEY REFERENCES conversations(key) ON DELETE CASCADE,
  -- Milliseconds; 0: for ever.
  keep_ms INTEGER
) STRICT;
-- How many messages were deleted on purpose; no row: none.
CREATE TABLE deletions (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  messages INTEGER NOT NULL
) STRICT;
INSERT INTO message_words (message_words, rank) VALUES ('secure-delete', 1);
`,
};
