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
  {
    // Chat rooms: who belongs to them, what was said, and how far each device has got.
    version: 3,
    sql: `
CREATE TABLE rooms (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  named INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  active_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE room_members (
  room INTEGER NOT NULL REFERENCES rooms(key) ON DELETE CASCADE,
  user TEXT NOT NULL,
  role TEXT NOT NULL,
  state TEXT NOT NULL,
  nickname TEXT NOT NULL,
  invited_by TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE room_places (
  room INTEGER NOT NULL,
  user TEXT NOT NULL,
  device TEXT NOT NULL,
  position INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (room, user, device),
  FOREIGN KEY (room, user) REFERENCES room_members(room, user) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX room_places_by_user ON room_places (user);

CREATE TABLE room_messages (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  room INTEGER NOT NULL REFERENCES rooms(key) ON DELETE CASCADE,
  kind INTEGER NOT NULL,
  sender TEXT NOT NULL,
  device TEXT NOT NULL,
  recipient TEXT,
  message_id TEXT NOT NULL,
  body BLOB NOT NULL,
  stored_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX room_messages_by_room ON room_messages (room, position);
CREATE UNIQUE INDEX room_messages_by_id ON room_messages (room, sender, message_id);
`,
  },
  {
    // What users have decided about others, who asks to see them, and what their devices are called.
    version: 4,
    sql: `
CREATE TABLE contact_rules (
  user TEXT NOT NULL,
  peer TEXT NOT NULL,
  presence TEXT NOT NULL CHECK (presence IN ('ask', 'allow', 'block')),
  blocked INTEGER NOT NULL CHECK (blocked IN (0, 1)),
  PRIMARY KEY (user, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE presence_asks (
  user TEXT NOT NULL,
  watcher TEXT NOT NULL,
  asked_ms INTEGER NOT NULL,
  PRIMARY KEY (user, watcher)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_asks_by_age ON presence_asks (asked_ms);

ALTER TABLE bindings ADD COLUMN description TEXT NOT NULL DEFAULT '';
`,
  },
  {
    // The devices of each user that understand copies, and what waits for them.
    version: 5,
    sql: `
CREATE TABLE user_devices (
  user TEXT NOT NULL,
  instance TEXT NOT NULL,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (user, instance)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_copies (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  user TEXT NOT NULL,
  instance TEXT NOT NULL,
  body BLOB NOT NULL,
  expires_ms INTEGER NOT NULL,
  FOREIGN KEY (user, instance) REFERENCES user_devices(user, instance) ON DELETE CASCADE
) STRICT;
CREATE INDEX device_copies_by_device ON device_copies (user, instance, id);
`,
  },
  {
    // Files that wait for their recipients; their bytes lie beside the database.
    version: 6,
    sql: `
CREATE TABLE kept_files (
  id TEXT PRIMARY KEY,
  sender TEXT NOT NULL,
  recipient TEXT NOT NULL,
  transfer_id TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha1 TEXT,
  sha256 TEXT,
  expires_ms INTEGER NOT NULL,
  UNIQUE (recipient, sender, transfer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_files_by_expiry ON kept_files (expires_ms);
`,
  },
  {
    // Whether one of the recipient's devices has fetched a file: of others the sender hears when their time is over.
    version: 7,
    sql: `ALTER TABLE kept_files ADD COLUMN fetched INTEGER NOT NULL DEFAULT 0 CHECK (fetched IN (0, 1))`,
  },
  {
    // Files that were sent to rooms. A room that ends leaves its rows to whoever takes its files off the disk.
    version: 8,
    sql: `
CREATE TABLE room_files (
  id TEXT PRIMARY KEY,
  room INTEGER NOT NULL,
  sender TEXT NOT NULL,
  transfer_id TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha1 TEXT,
  sha256 TEXT,
  expires_ms INTEGER NOT NULL,
  UNIQUE (room, transfer_id, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX room_files_by_expiry ON room_files (expires_ms);
CREATE INDEX room_files_by_sender ON room_files (sender);
`,
  },
];
