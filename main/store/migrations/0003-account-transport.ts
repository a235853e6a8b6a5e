/**
 * Owns: how an account reaches its server: transport, outbound proxies, and what worked last.
 * Called by: messenger.ts. Calls: nothing.
 */
import type { Migration } from '../database.ts';

export const accountTransportMigration: Migration = {
  version: 3,
  sql: `
ALTER TABLE accounts ADD COLUMN transport TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE accounts ADD COLUMN proxies TEXT NOT NULL DEFAULT '';
ALTER TABLE accounts ADD COLUMN last_transport TEXT NOT NULL DEFAULT '';
`,
};
