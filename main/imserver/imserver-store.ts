/**
 * Owns: which engine keeps what the IM Server knows, its users included. Called by: imserver.ts, user-commands.ts; the
 * type everywhere. Calls: store/sqlite-server-store.ts, store/postgres.
 */
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { ServerStore } from '../store/server-store.ts';
import { SqliteServerStore } from '../store/sqlite-server-store.ts';
import type { ServerConfig } from './server-config.ts';
import { UserFile } from './user-file.ts';
import { UserTable } from './user-table.ts';
import type { Users } from './users.ts';

export type ImServerStore = ServerStore;

/** What one server keeps. */
export interface ImServerStorage {
  readonly store: ImServerStore;
  readonly users: Users;
  /** Reads users that other nodes have changed. */
  readonly renewUsers: () => Promise<void>;
}

/** Rejects with StoreError. */
export async function openStorage(config: ServerConfig, log: Log): Promise<ImServerStorage> {
  const { data, domain, storage } = config;
  if (storage.engine === 'sqlite') {
    const store = await SqliteServerStore.open(join(data, 'imserver.sqlite'), log);
    return { store, users: new UserFile(data, domain), renewUsers: () => Promise.resolve() };
  }
  // The desktop program has no such package, and needs none.
  const { PostgresStore } = await import('../store/postgres/postgres-store.ts');
  const { url = '', connections } = storage;
  const store = await PostgresStore.open({ url, connections }, domain, log);
  const users = new UserTable(store.users, domain);
  try {
    await users.load();
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
  return { store, users, renewUsers: () => users.load() };
}

/** The users alone, for a command. Rejects with StoreError. */
export async function openUsers(
  config: ServerConfig,
  log: Log,
): Promise<{ readonly users: Users } & AsyncDisposable> {
  const { data, domain, storage } = config;
  if (storage.engine === 'sqlite') {
    return { users: new UserFile(data, domain), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const { store, users } = await openStorage(config, log);
  return { users, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}
