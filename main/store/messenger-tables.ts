/**
 * Owns: the list of procedures that a messenger's store thread carries out. Called by: worker.ts.
 * Calls: the procedures of each table.
 */
import { accountProcedures } from './accounts.ts';
import { conversationProcedures } from './conversations.ts';
import type { Database } from './database.ts';
import { messageProcedures } from './messages.ts';
import { searchProcedures } from './search.ts';
import { sessionProcedures } from './sessions.ts';
import { settingProcedures } from './setting-values.ts';
import { transferProcedures } from './transfers.ts';

export function messengerProcedures(database: Database) {
  return {
    ...accountProcedures(database),
    ...conversationProcedures(database),
    ...messageProcedures(database),
    ...sessionProcedures(database),
    ...settingProcedures(database),
    ...searchProcedures(database),
    ...transferProcedures(database),
  };
}

export type MessengerProcedures = ReturnType<typeof messengerProcedures>;
