/**
 * Owns: what a user's other devices have to be told, and what they have told us. Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const deviceCopiesMigration: Migration = {
  version: 13,
  sql: `
-- How many other devices of its user want to know what happens here.
ALTER TABLE accounts ADD COLUMN other_devices INTEGER NOT NULL DEFAULT 0;
-- Read on another device up to this message, which has not come here yet.
ALTER TABLE conversations ADD COLUMN read_ahead TEXT;
-- What they have not been told yet, in its order. kind: 0 a message, 1 its state, 2 a change of one, 3 that all up to one is read.
-- target: the position of the message; of a change its key.
CREATE TABLE device_copies (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  target INTEGER NOT NULL
) STRICT;
CREATE INDEX device_copies_by_target ON device_copies(conversation, kind, target);
-- Texts that are too long for one piece, until all pieces have come.
CREATE TABLE copy_parts (
  account_id TEXT NOT NULL,
  wire_id TEXT NOT NULL,
  part INTEGER NOT NULL,
  total INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (account_id, wire_id, part)
) STRICT;
-- From which other device a message of ours came.
CREATE TABLE message_devices (
  position INTEGER PRIMARY KEY REFERENCES messages(position) ON DELETE CASCADE,
  device TEXT NOT NULL
) STRICT;
`,
};
