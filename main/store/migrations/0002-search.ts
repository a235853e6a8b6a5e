/**
 * Owns: the search index over message text, kept by triggers in the same transaction as the message.
 * Called by: messenger.ts. Calls: nothing.
 *
 * The conversation is a token of its own in the index: a common word inside a small conversation is then an
 * intersection of two lists instead of a filter over every match.
 */
import type { Migration } from '../database.ts';

export const searchMigration: Migration = {
  version: 2,
  sql: `
CREATE VIEW message_search_source AS
  SELECT position, text, 'c' || replace(conversation_id, '-', '') AS conversation FROM messages;

CREATE VIRTUAL TABLE message_search USING fts5 (
  text, conversation,
  content = 'message_search_source', content_rowid = 'position',
  prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TRIGGER messages_search_insert AFTER INSERT ON messages BEGIN
  INSERT INTO message_search (rowid, text, conversation)
  VALUES (new.position, new.text, 'c' || replace(new.conversation_id, '-', ''));
END;

CREATE TRIGGER messages_search_delete AFTER DELETE ON messages BEGIN
  INSERT INTO message_search (message_search, rowid, text, conversation)
  VALUES ('delete', old.position, old.text, 'c' || replace(old.conversation_id, '-', ''));
END;

CREATE TRIGGER messages_search_update AFTER UPDATE OF text ON messages BEGIN
  INSERT INTO message_search (message_search, rowid, text, conversation)
  VALUES ('delete', old.position, old.text, 'c' || replace(old.conversation_id, '-', ''));
  INSERT INTO message_search (rowid, text, conversation)
  VALUES (new.position, new.text, 'c' || replace(new.conversation_id, '-', ''));
END;

INSERT INTO message_search (message_search) VALUES ('rebuild');
`,
};
