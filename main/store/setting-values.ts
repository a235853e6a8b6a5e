/**
 * Owns: statements on settings, as JSON by key. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

export function settingProcedures(database: Database) {
  const all = database.prepare<[], { key: string; value: string }>('SELECT key, value FROM settings');
  const upsert = database.prepare<[string, string]>(
    'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  const remove = database.prepare<[string]>('DELETE FROM settings WHERE key = ?');
  return {
    /** Raw values: the caller checks them against the schema of each key. */
    selectSettings(_input: null): Record<string, string> {
      return Object.fromEntries(all.all().map(({ key, value }) => [key, value]));
    },
    upsertSetting(input: { key: string; value: string }): null {
      upsert.run(input.key, input.value);
      return null;
    },
    deleteSetting(input: { key: string }): null {
      remove.run(input.key);
      return null;
    },
  };
}
