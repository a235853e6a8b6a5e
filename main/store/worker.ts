/**
 * Owns: the thread in which SQLite runs: one writer, one request at a time.
 * Called by: store-thread.ts through messages. Calls: database.ts and the procedures of each table.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { explainArchive, openArchive, type ArchiveReport } from './archive-opening.ts';
import { archiveWritingProcedures } from './archive-writing.ts';
import { applyRestore, BACKUP_FOLDER, listBackups } from './backups.ts';
import { BulkWork, isBulk, LOG_PAGES } from './bulk-work.ts';
import {
  asStoreError,
  findDamage,
  isEncryptedDatabase,
  openDatabase,
  StoreError,
  type Database,
} from './database.ts';
import { encryptPlain } from './encryption.ts';
import { IdleUpkeep } from './idle-upkeep.ts';
import { indexMerger } from './index-merging.ts';
import { imserverProcedures } from './imserver-tables.ts';
import { messageImporter, type MessageImporter } from './message-import.ts';
import { messengerProcedures, type MessengerProcedures } from './messenger-tables.ts';
import { imserverMigrations } from './migrations/imserver.ts';
import { messengerMigrations } from './migrations/messenger.ts';
import { damageMarkOf, finishRecovery, recoverDatabase, type RecoveryReport } from './recovery.ts';
import { syncPath } from './sync-path.ts';
import {
  type OpenReport,
  type Procedures,
  type ReceiveProgress,
  type SearchTicket,
  type WorkerProgress,
  type WorkerReply,
  type WorkerRequest,
  type WorkerStart,
} from './worker-protocol.ts';

const port = parentPort;
if (port === null) throw new Error('the store worker runs as a thread only');
const start = workerData as WorkerStart;

/** Messages that are indexed before the store counts as open, and in each step in idle time after that. */
const BACKLOG_AT_ONCE = 2_000;
const BACKLOG_STEP = 500;
/** Pages of an old index that leave the file in a step. */
const WORN_PAGES_STEP = 32;

/** Takes older messages into the search index, and the index of an older program out of the file, between requests. */
function renewIndex({
  continueIndexing,
  dropWornIndex,
}: Pick<MessengerProcedures, 'continueIndexing' | 'dropWornIndex'>): void {
  let isBehind = continueIndexing({ limit: BACKLOG_AT_ONCE });
  const step = (): void => {
    // A full disk, or a file that is being closed: the rest is taken in with the next start.
    try {
      isBehind &&= continueIndexing({ limit: BACKLOG_STEP });
      if (dropWornIndex({ limit: WORN_PAGES_STEP }) || isBehind) backlog = setImmediate(step);
    } catch {
      backlog = undefined;
    }
  };
  backlog = setImmediate(step);
}

let backlog: NodeJS.Immediate | undefined;

/** Tells whoever waits for the opening. */
const tellProgress: ReceiveProgress = (task, done, total) => {
  port.postMessage({ task, done, total } satisfies WorkerProgress);
};

/** Says beside a history that it is in use; still there at the next start when the program did not end well. */
const openMark = `${start.path}.open`;

interface MessengerTables {
  readonly database: Database;
  readonly procedures: MessengerProcedures;
  readonly imports: MessageImporter;
}

/** Throws the error of SQLite, as when a page that is read here is damaged. */
function openMessengerTables(database: Database): MessengerTables {
  const imports = messageImporter(database);
  const procedures = messengerProcedures(database, isOvertaken, imports);
  renewIndex(procedures);
  return { database, procedures, imports };
}

async function openHistory(): Promise<MessengerTables & { report: OpenReport }> {
  const { path, key } = start;
  if (key === undefined && isEncryptedDatabase(path)) {
    throw new StoreError(
      'STORE_LOCKED',
      'The history is encrypted, and its key was not given. Nothing was changed.',
    );
  }
  finishRecovery(path);
  const replaced = applyRestore(path) ?? null;
  const wasOpen = existsSync(openMark);
  const backups = join(dirname(path), BACKUP_FOLDER);
  const repair = () =>
    recoverDatabase(
      path,
      messengerMigrations,
      listBackups(backups).map(({ name }) => join(backups, name)),
      key,
      tellProgress,
    );
  const open = async (): Promise<MessengerTables> => {
    if (key !== undefined) await encryptPlain(path, messengerMigrations, key, tellProgress);
    const database = await openDatabase(path, messengerMigrations, undefined, key, (done, total) => {
      tellProgress('updating', done, total);
    });
    try {
      return openMessengerTables(database);
    } catch (error) {
      database.close();
      throw asStoreError(error);
    }
  };
  let recovered: RecoveryReport | null = existsSync(damageMarkOf(path)) ? await repair() : null;
  let tables: MessengerTables;
  try {
    tables = await open();
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'STORE_DAMAGED' || recovered !== null) throw error;
    recovered = await repair();
    tables = await open();
  }
  writeFileSync(openMark, '');
  return { ...tables, report: { wasOpen, recovered, replaced } };
}

function isOvertaken({ lane, number }: SearchTicket): boolean {
  return Atomics.load(start.searches, lane) !== number;
}

async function openReadOnly(): Promise<{
  database: Database;
  procedures: Procedures;
  report: ArchiveReport;
}> {
  const { path, key, target = '' } = start;
  const { database, report } = await openArchive(path, messengerMigrations, target, key);
  const procedures = messengerProcedures(database, isOvertaken);
  if (report.copy !== null) renewIndex(procedures);
  return { database, procedures, report };
}

async function openTables(): Promise<{
  database: Database;
  procedures: Procedures;
  report: OpenReport | ArchiveReport | null;
  imports?: MessageImporter;
}> {
  if (start.kind === 'archive') return openReadOnly();
  if (start.kind === 'archive-writer') {
    const database = await openDatabase(start.path, messengerMigrations, undefined, start.key);
    // What a power cut takes is written again: each page notes how far it is.
    database.pragma('synchronous = NORMAL');
    database.pragma(`wal_autocheckpoint = ${LOG_PAGES}`);
    return { database, procedures: archiveWritingProcedures(database), report: null };
  }
  if (start.kind === 'messenger') return openHistory();
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
    const { code, message } =
      start.kind === 'archive' ? explainArchive(error, start.path) : asStoreError(error);
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

/** Copies the file while others use it, and gives the copy its name when it is on the disk. */
async function backUp(target: string): Promise<void> {
  const database = await openDatabase(start.path, messengerMigrations, undefined, start.key);
  try {
    mkdirSync(dirname(target), { recursive: true });
    rmSync(`${target}.part`, { force: true });
    database.prepare('VACUUM INTO ?').run(`${target}.part`);
  } finally {
    database.close();
  }
  syncPath(`${target}.part`);
  renameSync(`${target}.part`, target);
}

async function serve(from: MessagePort): Promise<void> {
  const { database, procedures, report, imports } = await openTables();
  const isWritten = start.kind === 'messenger' || start.kind === 'imserver';
  const mergeIndex = start.kind === 'messenger' ? indexMerger(database) : undefined;
  const upkeep = isWritten ? new IdleUpkeep(database, mergeIndex) : undefined;
  upkeep?.postpone();
  const answer = (reply: WorkerReply): void => {
    from.postMessage(reply);
  };
  const bulk = new BulkWork(database, (request) => run(procedures, request), answer, imports);
  from.on('message', (first: WorkerRequest | 'close') => {
    const { requests, close } = takeBatch(first, from);
    for (const request of requests) if (isBulk(request)) bulk.add(request);
    const urgent = requests.filter((request) => !isBulk(request));
    if (urgent.length > 0) {
      bulk.commit();
      runBatch(database, procedures, urgent).forEach(answer);
    }
    if (!close) {
      upkeep?.postpone();
      return;
    }
    bulk.finish();
    bulk[Symbol.dispose]();
    upkeep?.[Symbol.dispose]();
    clearImmediate(backlog);
    if (isWritten) database.pragma('optimize');
    database.close();
    if (start.kind === 'messenger') rmSync(openMark, { force: true });
    from.close();
  });
  from.postMessage({ id: 0, ok: true, value: report, tookMs: 0 } satisfies WorkerReply);
}

/** What is done once, in a thread of its own. Returns what it has found. */
async function doOnce(): Promise<unknown> {
  const { kind, path, key, target } = start;
  if (kind === 'check') return (await findDamage(path, key)) ?? null;
  if (kind === 'backup' && target !== undefined) await backUp(target);
  else if (kind === 'encrypt' && key !== undefined) await encryptPlain(path, messengerMigrations, key);
  return null;
}

try {
  if (['messenger', 'imserver', 'archive', 'archive-writer'].includes(start.kind)) await serve(port);
  else {
    const value = await doOnce();
    port.postMessage({ id: 0, ok: true, value, tookMs: 0 } satisfies WorkerReply);
  }
} catch (error) {
  const { code, message } = asStoreError(error);
  port.postMessage({ id: 0, ok: false, code, message } satisfies WorkerReply);
}
