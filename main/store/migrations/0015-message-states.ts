/**
 * Owns: when a message came into each of its states. Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const messageStatesMigration: Migration = {
  version: 15,
  sql: `
-- state: as in messages. at_ms: by the clock of this computer, when it was written down; the last time, if there were several.
CREATE TABLE message_states (
  position INTEGER NOT NULL REFERENCES messages(position) ON DELETE CASCADE,
  state INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (position, state)
) STRICT, WITHOUT ROWID;
`,
};
