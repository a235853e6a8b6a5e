/**
 * Owns: the history of a profile, opened beside the program that uses it. Called by: tests that look into it or spoil it.
 * Calls: main/store, main/messenger/history.
 */
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { historyOf } from '../../main/messenger/profile.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { openDatabase, type Database } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';

/** With the key that lies beside it. */
export async function openHistory(profile: string): Promise<Database> {
  const key = await openHistoryKey(profile, filePermissionSecrets);
  return openDatabase(historyOf(profile), messengerMigrations, undefined, key);
}
