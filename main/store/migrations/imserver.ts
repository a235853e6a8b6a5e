/**
 * Owns: the list of schema changes of an IM Server's store, oldest first. Called by: database.ts. Calls: nothing.
 * A change that has shipped is never edited: add the next number.
 */
import type { Migration } from '../database.ts';

export const imserverMigrations: readonly Migration[] = [
  {
    version: 1,
    sql: `
CREATE TABLE bindings (
  user TEXT NOT NULL,
  contact TEXT NOT NULL,
  call_id TEXT NOT NULL,
  cseq INTEGER NOT NULL,
  source TEXT NOT NULL,
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY (user, contact)
) STRICT, WITHOUT ROWID;

CREATE TABLE deferred_messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  recipient TEXT NOT NULL,
  sender TEXT NOT NULL,
  content_type TEXT NOT NULL,
  body BLOB NOT NULL,
  received_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX deferred_by_recipient ON deferred_messages (recipient, id);
`,
  },
  {
    // RFC 5626: which device a contact belongs to, so that one that comes back replaces itself.
    version: 2,
    sql: `ALTER TABLE bindings ADD COLUMN instance TEXT NOT NULL DEFAULT ''`,
  },
];
