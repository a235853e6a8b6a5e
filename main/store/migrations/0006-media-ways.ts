/**
 * Owns: the way of messages: how each session went, and what an account chooses for itself.
 * Called by: messenger.ts. Calls: nothing.
 *
 * Of sessions of before nothing is known: they count as direct and not encrypted, as they were shown until now.
 */
import type { Migration } from '../database.ts';

export const mediaWaysMigration: Migration = {
  version: 6,
  sql: `
ALTER TABLE sessions ADD COLUMN media_path TEXT NOT NULL DEFAULT 'direct';
ALTER TABLE sessions ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN media_path TEXT NOT NULL DEFAULT 'settings';
ALTER TABLE accounts ADD COLUMN relays TEXT NOT NULL DEFAULT '';
`,
};
