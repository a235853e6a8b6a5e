/**
 * Owns: the search index in its second form: words that the program prepares, and labels beside them.
 * Called by: messenger.ts. Calls: nothing.
 *
 * The index holds words only, no text and no places of words: half the size, and what has to stand side by side is
 * looked up in the message itself. It is filled by search-index.ts, in the transaction of each message; what was stored
 * before waits in `search_backlog` and is taken in newest first.
 */
import type { Migration } from '../database.ts';

export const searchWordsMigration: Migration = {
  version: 5,
  sql: `
DROP TRIGGER messages_search_insert;
DROP TRIGGER messages_search_delete;
DROP TRIGGER messages_search_update;
DROP TABLE message_search;
DROP VIEW message_search_source;

CREATE VIRTUAL TABLE message_words USING fts5 (
  words, content = '', columnsize = 0, detail = none, prefix = '2 3 4', tokenize = 'unicode61 remove_diacritics 0'
);

CREATE TABLE search_backlog (id INTEGER PRIMARY KEY CHECK (id = 1), below INTEGER NOT NULL) STRICT;
INSERT INTO search_backlog VALUES (1, (SELECT coalesce(max(position), 0) + 1 FROM messages));

ALTER TABLE conversations ADD COLUMN label INTEGER;
UPDATE conversations SET label = (SELECT count(*) FROM conversations o WHERE o.id < conversations.id) + 1;
CREATE UNIQUE INDEX conversations_by_label ON conversations (label);

CREATE TABLE message_days (
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  first_position INTEGER NOT NULL,
  incoming INTEGER NOT NULL,
  outgoing INTEGER NOT NULL,
  PRIMARY KEY (conversation_id, day)
) STRICT, WITHOUT ROWID;
`,
};
