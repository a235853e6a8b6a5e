/**
 * Owns: the list of procedures that a messenger's store thread carries out. Called by: worker.ts.
 * Calls: the procedures of each table.
 */
import { accountProcedures } from './accounts.ts';
import { archiveReadingProcedures } from './archive-reading.ts';
import { browseProcedures } from './browse.ts';
import { conversationProcedures } from './conversations.ts';
import type { Database } from './database.ts';
import { deviceCopyProcedures } from './device-copies.ts';
import { deletionProcedures } from './deletion.ts';
import { groupProcedures } from './groups.ts';
import { exportProcedures } from './export-rows.ts';
import { messageImporter, type MessageImporter } from './message-import.ts';
import { marksProcedures } from './marks.ts';
import { messageChangeProcedures } from './message-changes.ts';
import { messageProcedures } from './messages.ts';
import { messageStateProcedures } from './message-states.ts';
import { runProcedures } from './runs.ts';
import { searchIndexProcedures } from './search-index.ts';
import { searchProcedures } from './search.ts';
import { sessionProcedures } from './sessions.ts';
import { settingProcedures } from './setting-values.ts';
import type { SearchTicket } from './worker-protocol.ts';
import { transferProcedures } from './transfers.ts';
import { wornIndexProcedures } from './worn-index.ts';

/**
 * `isOvertaken`: whether a newer search of that lane waits behind the one with this ticket. `imports`: whoever begins and
 * ends their transactions has it too.
 */
export function messengerProcedures(
  database: Database,
  isOvertaken: (search: SearchTicket) => boolean = () => false,
  { importMessages, importPrepared }: MessageImporter = messageImporter(database),
) {
  const index = searchIndexProcedures(database);
  return {
    ...accountProcedures(database),
    ...conversationProcedures(database),
    ...messageProcedures(database, index),
    ...messageStateProcedures(database),
    importMessages,
    importPrepared,
    ...messageChangeProcedures(database, index),
    ...deviceCopyProcedures(database),
    ...deletionProcedures(database, index),
    ...groupProcedures(database),
    ...exportProcedures(database),
    ...archiveReadingProcedures(database),
    ...sessionProcedures(database),
    ...settingProcedures(database),
    ...marksProcedures(database),
    ...searchProcedures(database, isOvertaken),
    ...browseProcedures(database),
    ...runProcedures(database),
    continueIndexing: index.continueIndexing,
    selectSearchBacklog: index.selectSearchBacklog,
    ...transferProcedures(database),
    ...wornIndexProcedures(database),
  };
}

export type MessengerProcedures = ReturnType<typeof messengerProcedures>;
