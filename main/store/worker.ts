/**
 * Owns: the thread in which SQLite runs: one writer, one request at a time.
 * Called by: store-thread.ts through messages. Calls: database.ts and the procedures of each table.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { applyRestore, BACKUP_FOLDER, listBackups } from './backups.ts';
import { asStoreError, findDamage, openDatabase, StoreError, type Database } from './database.ts';
import { imserverProcedures } from './imserver-tables.ts';
import { messengerProcedures } from './messenger-tables.ts';
import { imserverMigrations } from './migrations/imserver.ts';
import { messengerMigrations } from './migrations/messenger.ts';
import { damageMarkOf, finishRecovery, recoverDatabase, type RecoveryReport } from './recovery.ts';
import {
  BACK_UP,
  type OpenReport,
  type Procedures,
  type WorkerReply,
  type WorkerRequest,
  type WorkerStart,
} from './worker-protocol.ts';

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

/** Says beside a history that it is in use; still there at the next start when the program did not end well. */
const openMark = `${start.path}.open`;

async function openHistory(): Promise<{ database: Database; report: OpenReport }> {
  const { path } = start;
  finishRecovery(path);
  const replaced = applyRestore(path) ?? null;
  const wasOpen = existsSync(openMark);
  const backups = join(dirname(path), BACKUP_FOLDER);
  const repair = () =>
    recoverDatabase(
      path,
      messengerMigrations,
      listBackups(backups).map(({ name }) => join(backups, name)),
    );
  let recovered: RecoveryReport | null = existsSync(damageMarkOf(path)) ? await repair() : null;
  let database: Database;
  try {
    database = await openDatabase(path, messengerMigrations);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORE_DAMAGED' || recovered !== null) throw error;
    recovered = await repair();
    database = await openDatabase(path, messengerMigrations);
  }
  writeFileSync(openMark, '');
  return { database, report: { wasOpen, recovered, replaced } };
}

async function openTables(): Promise<{
  database: Database;
  procedures: Procedures;
  report: OpenReport | null;
}> {
  if (start.kind === 'messenger') {
    const { database, report } = await openHistory();
    const procedures = messengerProcedures(
      database,
      ({ lane, number }) => Atomics.load(start.searches, lane) !== number,
    );
    indexBacklog(procedures.continueIndexing);
    return { database, procedures, report };
  }
  const database = await openDatabase(start.path, imserverMigrations);
  return { database, procedures: imserverProcedures(database), report: null };
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
        // What one has done by half must not stay; and a full disk has undone the whole transaction already.
        if (!reply.ok || !database.inTransaction) throw new StoreError('STORE_FAILED', 'one by one');
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

/** Copies the file while it is in use, a few pages between requests, and gives it its name when it is whole. */
async function backUp(database: Database, { id, input }: WorkerRequest): Promise<WorkerReply> {
  const began = performance.now();
  try {
    const { path } = input as { path: string };
    mkdirSync(dirname(path), { recursive: true });
    rmSync(`${path}.part`, { force: true });
    await database.backup(`${path}.part`);
    renameSync(`${path}.part`, path);
    return { id, ok: true, value: null, tookMs: performance.now() - began };
  } catch (error) {
    const { code, message } = asStoreError(error);
    return { id, ok: false, code, message };
  }
}

async function serve(from: MessagePort): Promise<void> {
  const { database, procedures, report } = await openTables();
  from.on('message', (first: WorkerRequest | 'close') => {
    const { requests, close } = takeBatch(first, from);
    const backups = requests.filter(({ procedure }) => procedure === BACK_UP);
    for (const request of backups) void backUp(database, request).then((reply) => from.postMessage(reply));
    const others = requests.filter(({ procedure }) => procedure !== BACK_UP);
    for (const reply of runBatch(database, procedures, others)) from.postMessage(reply);
    if (!close) return;
    clearImmediate(backlog);
    database.pragma('optimize');
    database.close();
    if (report !== null) rmSync(openMark, { force: true });
    from.close();
  });
  from.postMessage({ id: 0, ok: true, value: report, tookMs: 0 } satisfies WorkerReply);
}

try {
  if (start.kind === 'check') {
    const value = (await findDamage(start.path)) ?? null;
    port.postMessage({ id: 0, ok: true, value, tookMs: 0 } satisfies WorkerReply);
  } else await serve(port);
} catch (error) {
  const { code, message } = asStoreError(error);
  port.postMessage({ id: 0, ok: false, code, message } satisfies WorkerReply);
}
