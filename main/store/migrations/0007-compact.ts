/**
 * Owns: messages as small as they can be: numbers for conversations and states, bytes for ids, one index for each
 * question. Called by: messenger.ts. Calls: message-keys.ts for the form of ids.
 *
 * `state`: 0 queued, 1 waiting, 2 sent, 3 delivered, 4 displayed, 5 failed, 6 read, 7 received, 8 received and its author
 * wants to know when it is displayed. `direction`: 0 in, 1 out. `kind`: 0 text, 1 file. `id`: 0 when it is the wire id,
 * NULL when it is made of the position. `failure`: its code, a space, its sentence. The search index is filled anew, as
 * after 0005: beginnings of words stand in it as words of their own now, which is smaller than an index of beginnings.
 */
import type { Migration } from '../database.ts';
import { packedSql } from '../message-keys.ts';

export const compactMigration: Migration = {
  version: 7,
  sql: `
DROP TABLE message_words;
DROP TABLE message_days;
DROP INDEX messages_by_conversation;
DROP INDEX messages_outbox;
DROP INDEX messages_unread;
DROP INDEX sessions_by_conversation;
DROP INDEX transfers_open;
ALTER TABLE conversations RENAME TO conversations_6;
ALTER TABLE messages RENAME TO messages_6;
ALTER TABLE transfers RENAME TO transfers_6;
ALTER TABLE sessions RENAME TO sessions_6;

CREATE TABLE conversations (
  key INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  account_id TEXT NOT NULL,
  peer_address TEXT NOT NULL,
  peer_name TEXT NOT NULL,
  standing TEXT NOT NULL,
  read_position INTEGER NOT NULL DEFAULT 0,
  last_activity_ms INTEGER NOT NULL,
  UNIQUE (account_id, peer_address)
) STRICT;
INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, read_position, last_activity_ms)
  SELECT id, account_id, peer_address, peer_name, standing, read_position, last_activity_ms
  FROM conversations_6 ORDER BY last_activity_ms DESC, id;

CREATE TABLE messages (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  direction INTEGER NOT NULL,
  state INTEGER NOT NULL,
  kind INTEGER NOT NULL DEFAULT 0,
  wire_key INTEGER NOT NULL,
  wire_id ANY NOT NULL,
  id ANY,
  text TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  stored_after_ms INTEGER NOT NULL,
  failure TEXT
) STRICT;
INSERT INTO messages
  SELECT m.position, c.key, m.direction = 'out',
    CASE m.state WHEN 'queued' THEN 0 WHEN 'waiting' THEN 1 WHEN 'sent' THEN 2 WHEN 'delivered' THEN 3
      WHEN 'displayed' THEN 4 WHEN 'failed' THEN 5 WHEN 'read' THEN 6 ELSE 7 + (m.display_report_wanted = 1) END,
    m.kind = 'file', wire_key(m.wire_id), ${packedSql('m.wire_id')},
    CASE WHEN m.id = m.wire_id THEN 0 ELSE ${packedSql('m.id')} END,
    m.text, m.sent_at_ms, m.stored_at_ms - m.sent_at_ms,
    m.failure_code || ' ' || coalesce(m.failure_message, '')
  FROM messages_6 m JOIN conversations c ON c.id = m.conversation_id ORDER BY m.position;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'messages_6')
  WHERE name = 'messages' AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'messages_6');

CREATE TABLE transfers (
  position INTEGER PRIMARY KEY REFERENCES messages(position) ON DELETE CASCADE,
  transfer_id TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER,
  sha1 TEXT,
  sha256 TEXT,
  modified_ms INTEGER,
  state TEXT NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0,
  bytes_done INTEGER NOT NULL DEFAULT 0,
  path TEXT,
  part_path TEXT,
  preview BLOB,
  failure_code TEXT,
  failure_message TEXT
) STRICT;
INSERT INTO transfers
  SELECT m.position, transfer_id, t.name, t.type, t.size, t.sha1, t.sha256, t.modified_ms, t.state, t.accepted,
    t.bytes_done, t.path, t.part_path, t.preview, t.failure_code, t.failure_message
  FROM transfers_6 t JOIN messages_6 m ON m.id = t.message_id;

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  direction TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  opened_ms INTEGER,
  ended_ms INTEGER,
  end_code TEXT,
  end_message TEXT,
  media_path TEXT NOT NULL DEFAULT 'direct',
  encrypted INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO sessions
  SELECT s.id, c.key, direction, started_ms, opened_ms, ended_ms, end_code, end_message, media_path, encrypted
  FROM sessions_6 s JOIN conversations c ON c.id = s.conversation_id;

DROP TABLE transfers_6;
DROP TABLE sessions_6;
DROP TABLE messages_6;
DROP TABLE conversations_6;

CREATE INDEX messages_by_conversation ON messages (conversation);
CREATE INDEX messages_by_wire_key ON messages (wire_key);
CREATE UNIQUE INDEX messages_by_id ON messages (id) WHERE id IS NOT NULL AND id <> 0;
CREATE INDEX messages_outbox ON messages (conversation) WHERE state = 0 AND kind = 0;
CREATE INDEX messages_unread ON messages (conversation, position, state) WHERE state >= 7;
CREATE INDEX messages_files ON messages (conversation) WHERE kind = 1;
CREATE INDEX transfers_open ON transfers (state)
  WHERE state IN ('preparing', 'waiting', 'offered', 'transferring');
CREATE INDEX sessions_by_conversation ON sessions (conversation, started_ms);

CREATE TABLE message_days (
  conversation INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  first_position INTEGER NOT NULL,
  incoming INTEGER NOT NULL,
  outgoing INTEGER NOT NULL,
  PRIMARY KEY (conversation, day)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE message_words USING fts5 (
  words, content = '', columnsize = 0, detail = none, tokenize = 'unicode61 remove_diacritics 0'
);
-- A page of the index fits into a page of the file, also where each keeps room for the check of its encryption.
INSERT INTO message_words (message_words, rank) VALUES ('pgsz', 8080);
-- What is taken in at once is one piece: less to merge later.
INSERT INTO message_words (message_words, rank) VALUES ('hashsize', 16777216);
UPDATE search_backlog SET below = (SELECT coalesce(max(position), 0) + 1 FROM messages);
`,
};
