/**
 * Owns: the type of the IM Server's store. Called by: imserver.ts, registrar.ts, deferred-messages.ts.
 * Calls: store/store-thread.ts.
 */
import type { ImServerProcedures } from '../store/imserver-tables.ts';
import type { StoreThread } from '../store/store-thread.ts';

export type ImServerStore = StoreThread<ImServerProcedures>;
