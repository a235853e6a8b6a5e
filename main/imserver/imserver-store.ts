/**
 * Owns: which engine keeps what the IM Server knows. Called by: imserver.ts; the type everywhere.
 * Calls: store/sqlite-server-store.ts.
 */
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { ServerStore } from '../store/server-store.ts';
import { SqliteServerStore } from '../store/sqlite-server-store.ts';
import type { ServerConfig } from './server-config.ts';

export type ImServerStore = ServerStore;

/** Rejects with StoreError. */
export function openImServerStore({ data }: ServerConfig, log: Log): Promise<ImServerStore> {
  return SqliteServerStore.open(join(data, 'imserver.sqlite'), log);
}
