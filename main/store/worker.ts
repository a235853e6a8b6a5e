/**
 * Owns: the thread in which SQLite runs: one writer, one request at a time.
 * Called by: store-thread.ts through messages. Calls: database.ts and the procedures of each table.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { asStoreError, openDatabase, type Database } from './database.ts';
import { imserverProcedures } from './imserver-tables.ts';
import { messengerProcedures } from './messenger-tables.ts';
import { imserverMigrations } from './migrations/imserver.ts';
import { messengerMigrations } from './migrations/messenger.ts';
import type { Procedures, WorkerReply, WorkerRequest, WorkerStart } from './worker-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('the store worker runs as a thread only');
const start = workerData as WorkerStart;

async function openTables(): Promise<{ database: Database; procedures: Procedures }> {
  if (start.kind === 'messenger') {
    const database = await openDatabase(start.path, messengerMigrations);
    return { database, procedures: messengerProcedures(database) };
  }
  const database = await openDatabase(start.path, imserverMigrations);
  return { database, procedures: imserverProcedures(database) };
}

function run(procedures: Procedures, { id, procedure, input }: WorkerRequest): WorkerReply {
  const began = performance.now();
  try {
    const known = Object.hasOwn(procedures, procedure) ? procedures[procedure] : undefined;
    if (known === undefined) throw new Error(`no procedure ${procedure}`);
    return { id, ok: true, value: known(input as never), tookMs: performance.now() - began };
  } catch (error) {
    const { code, message } = asStoreError(error);
    return { id, ok: false, code, message };
  }
}

try {
  const { database, procedures } = await openTables();
  port.on('message', (request: WorkerRequest | 'close') => {
    if (request === 'close') {
      database.pragma('optimize');
      database.close();
      port.close();
      return;
    }
    port.postMessage(run(procedures, request));
  });
  port.postMessage({ id: 0, ok: true, value: null, tookMs: 0 } satisfies WorkerReply);
} catch (error) {
  const { code, message } = asStoreError(error);
  port.postMessage({ id: 0, ok: false, code, message } satisfies WorkerReply);
}
