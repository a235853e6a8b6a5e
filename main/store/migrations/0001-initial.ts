/**
 * Owns: the first schema: accounts, contacts, conversations, messages, sessions, settings.
 * Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const initialMigration: Migration = {
  version: 1,
  sql: `
CREATE TABLE accounts (
  id TEXT PRIMARY KEY,
  address TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL,
  server TEXT NOT NULL,
  kind TEXT NOT NULL,
  secret BLOB NOT NULL,
  secret_backend TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
  account_id TEXT NOT NULL REFERENCES accounts(id) ON DELETE CASCADE,
  address TEXT NOT NULL,
  display_name TEXT NOT NULL,
  PRIMARY KEY (account_id, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  peer_address TEXT NOT NULL,
  peer_name TEXT NOT NULL,
  standing TEXT NOT NULL,
  read_position INTEGER NOT NULL DEFAULT 0,
  last_activity_ms INTEGER NOT NULL,
  UNIQUE (account_id, peer_address)
) STRICT;

CREATE TABLE messages (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  direction TEXT NOT NULL CHECK (direction IN ('in', 'out')),
  wire_id TEXT NOT NULL,
  text TEXT NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  stored_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  failure_code TEXT,
  failure_message TEXT,
  display_report_wanted INTEGER NOT NULL DEFAULT 0,
  UNIQUE (conversation_id, direction, wire_id)
) STRICT;

CREATE INDEX messages_by_conversation ON messages (conversation_id, position);
CREATE INDEX messages_outbox ON messages (conversation_id, position) WHERE state = 'queued';
CREATE INDEX messages_unread ON messages (conversation_id, position) WHERE direction = 'in' AND state = 'received';

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
  direction TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  opened_ms INTEGER,
  ended_ms INTEGER,
  end_code TEXT,
  end_message TEXT
) STRICT;
CREATE INDEX sessions_by_conversation ON sessions (conversation_id, started_ms);

CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`,
};
