/**
 * Owns: statements on the marks of conversations, kept as JSON beside the settings. Called by: messenger-tables.ts.
 * Calls: SQLite, copy-keeper.ts.
 */
import type { Marks } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { copyKeeper } from './copy-keeper.ts';
import type { Database } from './database.ts';

/** Keys of marks in `settings` begin so; the id of the conversation follows. */
export const MARKS_KEY = 'marks:';

export function marksProcedures(database: Database) {
  const copies = copyKeeper(database);
  const conversationKey = database.prepare<[string], { key: number }>(
    'SELECT key FROM conversations WHERE id = ?',
  );
  const changedAt = database.prepare<[string], { at: number | null }>(
    `SELECT iif(json_valid(value), value ->> '$.changedAtMs', NULL) AS at FROM settings WHERE key = ?`,
  );
  const upsert = database.prepare<[string, string]>(
    'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
  );
  return {
    /** False: another device has told of them, and those that are here are newer. */
    upsertMarks: database.transaction(
      (input: {
        conversationId: ConversationId;
        marks: Marks;
        changedAtMs: number;
        isCopy?: boolean | undefined;
      }): boolean => {
        const { conversationId, marks, changedAtMs, isCopy = false } = input;
        const key = `${MARKS_KEY}${conversationId}`;
        if (isCopy && (changedAt.get(key)?.at ?? 0) > changedAtMs) return false;
        upsert.run(key, JSON.stringify({ ...marks, changedAtMs }));
        const conversation = conversationKey.get(conversationId);
        if (!isCopy && conversation !== undefined) copies.receiveMarks(conversation.key);
        return true;
      },
    ),
  };
}
