/**
 * Owns: groups: conversations with a chat room at the server, who belongs to them, and who wrote which message.
 * Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const groupsMigration: Migration = {
  version: 10,
  sql: `
-- A conversation that is a group has a row here.
CREATE TABLE groups (
  conversation INTEGER PRIMARY KEY REFERENCES conversations(key) ON DELETE CASCADE,
  membership TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  -- Addresses that are to be invited when the room is there, as JSON.
  pending TEXT NOT NULL
) STRICT;
-- Members, and whoever was one when he wrote what is here. state: here, away, invited, gone.
CREATE TABLE group_people (
  key INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL REFERENCES conversations(key) ON DELETE CASCADE,
  address TEXT NOT NULL,
  name TEXT NOT NULL,
  nickname TEXT NOT NULL,
  role TEXT NOT NULL,
  state TEXT NOT NULL,
  UNIQUE (conversation, address)
) STRICT;
CREATE TABLE group_messages (
  position INTEGER PRIMARY KEY REFERENCES messages(position) ON DELETE CASCADE,
  -- Who wrote it, or to whom alone it went.
  person INTEGER,
  private INTEGER NOT NULL,
  -- What has happened, as JSON; NULL: it is a message.
  notice TEXT
) STRICT;
`,
};
