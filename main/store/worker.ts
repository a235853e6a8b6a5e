/**
 * Owns: the thread in which SQLite runs: one writer, one request at a time.
 * Called by: store-thread.ts through messages. Calls: database.ts and the procedures of each table.
 */
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { asStoreError, openDatabase, StoreError, type Database } from './database.ts';
import { imserverProcedures } from './imserver-tables.ts';
import { messengerProcedures } from './messenger-tables.ts';
import { imserverMigrations } from './migrations/imserver.ts';
import { messengerMigrations } from './migrations/messenger.ts';
import type { Procedures, WorkerReply, WorkerRequest, WorkerStart } from './worker-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('the store worker runs as a thread only');
const start = workerData as WorkerStart;

/** Messages that are indexed before the store counts as open, and in each step in idle time after that. */
const BACKLOG_AT_ONCE = 2_000;
const BACKLOG_STEP = 200;

/** Takes older messages into the search index, between requests. */
function indexBacklog(continueIndexing: (input: { limit: number }) => boolean): void {
  if (!continueIndexing({ limit: BACKLOG_AT_ONCE })) return;
  const step = (): void => {
    // A full disk, or a file that is being closed: the rest is taken in with the next start.
    try {
      if (continueIndexing({ limit: BACKLOG_STEP })) backlog = setImmediate(step);
    } catch {
      backlog = undefined;
    }
  };
  backlog = setImmediate(step);
}

let backlog: NodeJS.Immediate | undefined;

async function openTables(): Promise<{ database: Database; procedures: Procedures }> {
  if (start.kind === 'messenger') {
    const database = await openDatabase(start.path, messengerMigrations);
    const procedures = messengerProcedures(
      database,
      ({ lane, number }) => Atomics.load(start.searches, lane) !== number,
    );
    indexBacklog(procedures.continueIndexing);
    return { database, procedures };
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

/** Requests that share one commit: as many as have piled up while the last one was forced to the disk. */
const MAX_BATCH = 64;

/**
 * Runs what has piled up in one transaction and answers after its commit: forcing the disk once for many messages is
 * what makes a burst fast, and "answered" still means "on disk". A request that fails takes nothing else with it.
 */
function runBatch(
  database: Database,
  procedures: Procedures,
  requests: readonly WorkerRequest[],
): WorkerReply[] {
  if (requests.length === 1) return requests.map((request) => run(procedures, request));
  const replies: WorkerReply[] = [];
  try {
    database.transaction(() => {
      for (const request of requests) {
        const reply = run(procedures, request);
        // A full disk or a broken file undoes the whole transaction, not the one request.
        if (!database.inTransaction)
          throw new StoreError('STORE_FULL', reply.ok ? 'The disk failed.' : reply.message);
        replies.push(reply);
      }
    })();
    return replies;
  } catch {
    // Nothing of the batch is on disk. One by one, each gets the answer that is its own.
    if (database.inTransaction) database.exec('ROLLBACK');
    return requests.map((request) => run(procedures, request));
  }
}

/** The request at hand and those that wait behind it; `close` ends the thread after them. */
function takeBatch(
  first: WorkerRequest | 'close',
  from: MessagePort,
): { requests: WorkerRequest[]; close: boolean } {
  const requests: WorkerRequest[] = [];
  let next: WorkerRequest | 'close' | undefined = first;
  while (next !== undefined) {
    if (next === 'close') return { requests, close: true };
    requests.push(next);
    if (requests.length >= MAX_BATCH) break;
    next = (receiveMessageOnPort(from) as { message: WorkerRequest | 'close' } | undefined)?.message;
  }
  return { requests, close: false };
}

try {
  const { database, procedures } = await openTables();
  port.on('message', (first: WorkerRequest | 'close') => {
    const { requests, close } = takeBatch(first, port);
    for (const reply of runBatch(database, procedures, requests)) port.postMessage(reply);
    if (!close) return;
    clearImmediate(backlog);
    database.pragma('optimize');
    database.close();
    port.close();
  });
  port.postMessage({ id: 0, ok: true, value: null, tookMs: 0 } satisfies WorkerReply);
} catch (error) {
  const { code, message } = asStoreError(error);
  port.postMessage({ id: 0, ok: false, code, message } satisfies WorkerReply);
}
