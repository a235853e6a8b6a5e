/**
 * Owns: files in a conversation: the kind of a message, and the way of each file.
 * Called by: messenger.ts. Calls: nothing.
 *
 * The text of such a message is the name of the file: so it is found by search like any text.
 */
import type { Migration } from '../database.ts';

export const transfersMigration: Migration = {
  version: 4,
  sql: `
ALTER TABLE messages ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';

CREATE TABLE transfers (
  message_id TEXT PRIMARY KEY REFERENCES messages(id) ON DELETE CASCADE,
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
) STRICT, WITHOUT ROWID;
CREATE INDEX transfers_open ON transfers (state)
  WHERE state IN ('preparing', 'waiting', 'offered', 'transferring');

DROP INDEX messages_outbox;
CREATE INDEX messages_outbox ON messages (conversation_id, position) WHERE state = 'queued' AND kind = 'text';
`,
};
