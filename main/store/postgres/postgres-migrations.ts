/**
 * Owns: the schema of an IM Server's store in PostgreSQL: its changes, oldest first, and carrying them out.
 * Called by: postgres-store.ts at the start. Calls: pg.
 * A change that has shipped is never edited: add the next number.
 */
import type { ClientBase } from 'pg';
import { StoreError } from '../database.ts';

/** Of the advisory lock under which one node alone changes the schema. */
const MIGRATION_LOCK = 0x7061726c;

const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE server (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  domain text NOT NULL,
  secret bytea NOT NULL
);

CREATE TABLE users (
  username text PRIMARY KEY,
  display_name text NOT NULL,
  ha1_sha256 text NOT NULL,
  ha1_md5 text NOT NULL,
  disabled boolean NOT NULL DEFAULT false
);

CREATE TABLE bindings (
  username text NOT NULL,
  contact text NOT NULL,
  instance text NOT NULL,
  call_id text NOT NULL,
  cseq bigint NOT NULL,
  source text NOT NULL,
  description text NOT NULL,
  expires_ms bigint NOT NULL,
  PRIMARY KEY (username, contact)
);
CREATE INDEX bindings_by_expiry ON bindings (expires_ms);

CREATE TABLE deferred_messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  recipient text NOT NULL,
  sender text NOT NULL,
  content_type text NOT NULL,
  body bytea NOT NULL,
  received_ms bigint NOT NULL,
  expires_ms bigint NOT NULL
);
CREATE INDEX deferred_by_recipient ON deferred_messages (recipient, id);
CREATE INDEX deferred_by_expiry ON deferred_messages (expires_ms);

CREATE TABLE rooms (
  key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  title text NOT NULL,
  named boolean NOT NULL,
  created_ms bigint NOT NULL,
  active_ms bigint NOT NULL,
  version bigint NOT NULL DEFAULT 0
);

CREATE TABLE room_members (
  room bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  username text NOT NULL,
  role text NOT NULL,
  state text NOT NULL,
  nickname text NOT NULL,
  invited_by text NOT NULL,
  since bigint NOT NULL,
  PRIMARY KEY (room, username)
);

CREATE TABLE room_places (
  room bigint NOT NULL,
  username text NOT NULL,
  device text NOT NULL,
  position bigint NOT NULL,
  seen_ms bigint NOT NULL,
  PRIMARY KEY (room, username, device),
  FOREIGN KEY (room, username) REFERENCES room_members ON DELETE CASCADE
);
CREATE INDEX room_places_by_user ON room_places (username);

CREATE TABLE room_messages (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  room bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  kind smallint NOT NULL,
  sender text NOT NULL,
  device text NOT NULL,
  recipient text,
  message_id text NOT NULL,
  body bytea NOT NULL,
  stored_ms bigint NOT NULL
);
CREATE INDEX room_messages_by_room ON room_messages (room, position);
CREATE UNIQUE INDEX room_messages_by_id ON room_messages (room, sender, message_id);

CREATE TABLE contact_rules (
  username text NOT NULL,
  peer text NOT NULL,
  presence text NOT NULL CHECK (presence IN ('ask', 'allow', 'block')),
  blocked boolean NOT NULL,
  PRIMARY KEY (username, peer)
);

CREATE TABLE presence_asks (
  username text NOT NULL,
  watcher text NOT NULL,
  asked_ms bigint NOT NULL,
  PRIMARY KEY (username, watcher)
);
CREATE INDEX presence_asks_by_age ON presence_asks (asked_ms);
`,
  // The devices of each user that understand copies, and what waits for them.
  `
CREATE TABLE user_devices (
  username text NOT NULL,
  instance text NOT NULL,
  seen_ms bigint NOT NULL,
  PRIMARY KEY (username, instance)
);

CREATE TABLE device_copies (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  username text NOT NULL,
  instance text NOT NULL,
  body bytea NOT NULL,
  expires_ms bigint NOT NULL,
  FOREIGN KEY (username, instance) REFERENCES user_devices ON DELETE CASCADE
);
CREATE INDEX device_copies_by_device ON device_copies (username, instance, id);
`,
  // Files that wait for their recipients; their bytes lie in a folder.
  `
CREATE TABLE kept_files (
  id text PRIMARY KEY,
  sender text NOT NULL,
  recipient text NOT NULL,
  transfer_id text NOT NULL,
  name text NOT NULL,
  type text NOT NULL,
  size bigint NOT NULL,
  sha1 text,
  sha256 text,
  expires_ms bigint NOT NULL,
  UNIQUE (recipient, sender, transfer_id)
);
CREATE INDEX kept_files_by_expiry ON kept_files (expires_ms);
`,
  // What nodes tell each other of what they have in memory; and which files one of their recipient's devices has.
  `
CREATE TABLE publications (
  username text NOT NULL,
  etag text NOT NULL,
  show text NOT NULL,
  note text NOT NULL,
  source text NOT NULL,
  changed_ms bigint NOT NULL,
  expires_ms bigint NOT NULL,
  PRIMARY KEY (username, etag)
);
CREATE INDEX publications_by_expiry ON publications (expires_ms);

CREATE TABLE node_things (
  node text NOT NULL,
  kind text NOT NULL,
  key text NOT NULL,
  content text NOT NULL,
  PRIMARY KEY (node, kind, key)
);
CREATE INDEX node_things_by_key ON node_things (kind, key);

ALTER TABLE kept_files ADD COLUMN fetched boolean NOT NULL DEFAULT false;
`,
  // Files that were sent to rooms. A room that ends leaves its rows to whoever takes its files off the disk.
  `
CREATE TABLE room_files (
  id text PRIMARY KEY,
  room bigint NOT NULL,
  sender text NOT NULL,
  transfer_id text NOT NULL,
  name text NOT NULL,
  type text NOT NULL,
  size bigint NOT NULL,
  sha1 text,
  sha256 text,
  expires_ms bigint NOT NULL,
  UNIQUE (room, transfer_id, sender)
);
CREATE INDEX room_files_by_expiry ON room_files (expires_ms);
CREATE INDEX room_files_by_sender ON room_files (sender);
`,
];

/** Brings the schema up to date. Rejects with StoreError when it is newer than this program; then nothing was touched. */
export async function migrate(client: ClientBase): Promise<void> {
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    await client.query('CREATE TABLE IF NOT EXISTS schema_version (version integer NOT NULL)');
    const { rows } = await client.query<{ version: number }>('SELECT version FROM schema_version');
    const version = rows[0]?.version ?? 0;
    if (version > MIGRATIONS.length) {
      throw new StoreError(
        'STORE_TOO_NEW',
        `The database has been used by a newer IM Server (schema ${version}, this one knows ${MIGRATIONS.length}). Install that version on this node as well.`,
      );
    }
    for (const [index, sql] of MIGRATIONS.entries()) {
      if (index < version) continue;
      await client.query('BEGIN');
      await client.query(sql);
      await client.query('DELETE FROM schema_version');
      await client.query('INSERT INTO schema_version (version) VALUES ($1)', [index + 1]);
      await client.query('COMMIT');
    }
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]).catch(() => undefined);
  }
}
