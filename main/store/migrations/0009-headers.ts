/**
 * Owns: the header block that a message had on the wire (RFC 3862). Called by: messenger.ts. Calls: nothing.
 *
 * `headers` of a message: NULL when it had none, else the number of its shape, and behind it in lines of its own what the
 * shape leaves open (header-shapes.ts).
 */
import type { Migration } from '../database.ts';

export const headersMigration: Migration = {
  version: 9,
  sql: `
ALTER TABLE messages ADD COLUMN headers ANY;
CREATE TABLE header_shapes (
  key INTEGER PRIMARY KEY,
  hash INTEGER NOT NULL,
  shape TEXT NOT NULL
) STRICT;
CREATE INDEX header_shapes_by_hash ON header_shapes (hash);
`,
};
