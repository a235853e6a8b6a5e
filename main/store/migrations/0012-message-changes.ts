/**
 * Owns: answers to messages, and what has happened to them afterwards: reactions, other texts, taken back.
 * Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const messageChangesMigration: Migration = {
  version: 12,
  sql: `
ALTER TABLE conversations ADD COLUMN takes_changes INTEGER NOT NULL DEFAULT 0;
-- A message that answers another one, by that one's id on the wire; target: where it lies, NULL when it is not here (any more).
CREATE TABLE replies (
  position INTEGER PRIMARY KEY REFERENCES messages(position) ON DELETE CASCADE,
  wire_id TEXT NOT NULL,
  target INTEGER REFERENCES messages(position) ON DELETE SET NULL
) STRICT;
CREATE INDEX replies_by_target ON replies(target) WHERE target IS NOT NULL;
-- What somebody has done to a message, in its order. kind: 0 reaction, 1 no reaction, 2 another text, 3 taken back.
CREATE TABLE message_changes (
  key INTEGER PRIMARY KEY,
  target INTEGER NOT NULL REFERENCES messages(position) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  direction INTEGER NOT NULL,
  -- Who, in a group; NULL: the other person, or ourselves.
  person INTEGER,
  -- Of a reaction the emoji; of another text the one before it.
  text TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  wire_id TEXT NOT NULL,
  -- It is what counts now: 0 when a later one of the same kind by the same person has taken its place.
  live INTEGER NOT NULL,
  -- Of ours: 0 waits, 1 has left, 2 was refused. NULL: it came from others.
  state INTEGER
) STRICT;
CREATE INDEX message_changes_by_target ON message_changes(target);
CREATE INDEX message_changes_waiting ON message_changes(target) WHERE state = 0;
`,
};
