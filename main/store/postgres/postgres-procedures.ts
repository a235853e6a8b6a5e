/**
 * Owns: everything that an IM Server asks of its store, in PostgreSQL: the same procedures as in SQLite, or it does not
 * compile. Called by: postgres-store.ts. Calls: the statements beside it.
 */
import type { ImServerProcedures } from '../imserver-tables.ts';
import type { ProcedureInput, ProcedureOutput } from '../store-thread.ts';
import { bindingStatements } from './binding-statements.ts';
import { contactStatements } from './contact-statements.ts';
import { deferredStatements } from './deferred-statements.ts';
import { deviceStatements } from './device-statements.ts';
import { fileStatements } from './file-statements.ts';
import type { PostgresPool } from './postgres-pool.ts';
import { roomFileStatements } from './room-file-statements.ts';
import { roomHistoryStatements, roomStatements } from './room-statements.ts';

export type PostgresProcedures = {
  readonly [Name in keyof ImServerProcedures]: (
    input: ProcedureInput<ImServerProcedures, Name>,
  ) => Promise<ProcedureOutput<ImServerProcedures, Name>>;
};

export function postgresProcedures(pool: PostgresPool): PostgresProcedures {
  return {
    ...bindingStatements(pool),
    ...deferredStatements(pool),
    ...contactStatements(pool),
    ...deviceStatements(pool),
    ...fileStatements(pool),
    ...roomFileStatements(pool),
    ...roomStatements(pool),
    ...roomHistoryStatements(pool),
  };
}
