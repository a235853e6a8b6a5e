/**
 * Owns: requests of which many come after each other and none is in a hurry: several share a commit, and whatever else is
 * asked goes before the next of them. Called by: worker.ts. Calls: message-import.ts, SQLite.
 */
import type { Database } from './database.ts';
import type { MessageImporter } from './message-import.ts';
import type { WorkerReply, WorkerRequest } from './worker-protocol.ts';

/** Procedures that may wait. */
const BULK: ReadonlySet<string> = new Set(['importMessages', 'importPrepared']);
/** Requests of one commit: what is asked meanwhile waits for it. */
const MAX_OPEN = 32;
/** Pages in the log before they are copied into the file: many messages in a row write the same pages of the indexes. */
export const LOG_PAGES = 16_000;
/** What SQLite does by itself: a single message never waits for a long copying. */
const USUAL_LOG_PAGES = 1_000;

export function isBulk({ procedure }: WorkerRequest): boolean {
  return BULK.has(procedure);
}

/** The bulk requests of one thread. What is answered is on disk. */
export class BulkWork implements Disposable {
  readonly #database: Database;
  readonly #run: (request: WorkerRequest) => WorkerReply;
  readonly #answer: (reply: WorkerReply) => void;
  readonly #imports: Pick<MessageImporter, 'begin' | 'finish' | 'end'> | undefined;
  readonly #waiting: WorkerRequest[] = [];
  /** Carried out, in the transaction that is open. */
  #open: { request: WorkerRequest; reply: WorkerReply }[] = [];
  #step: NodeJS.Immediate | undefined;

  constructor(
    database: Database,
    run: (request: WorkerRequest) => WorkerReply,
    answer: (reply: WorkerReply) => void,
    imports?: Pick<MessageImporter, 'begin' | 'finish' | 'end'>,
  ) {
    this.#database = database;
    this.#run = run;
    this.#answer = answer;
    this.#imports = imports;
  }

  add(request: WorkerRequest): void {
    this.#waiting.push(request);
    this.#plan();
  }

  /** Brings what has been carried out to the disk, and answers. */
  commit(): void {
    if (this.#open.length === 0) return;
    try {
      this.#imports?.finish();
      this.#database.exec('COMMIT');
    } catch {
      this.#repeat();
      return;
    }
    this.#imports?.end();
    this.#answerOpen();
    if (this.#waiting.length === 0) this.#database.pragma(`wal_autocheckpoint = ${USUAL_LOG_PAGES}`);
  }

  /** Carries out all that waits. */
  finish(): void {
    while (this.#waiting.length > 0) this.#take();
    this.commit();
  }

  [Symbol.dispose](): void {
    clearImmediate(this.#step);
    this.#step = undefined;
  }

  #plan(): void {
    // After what has come in meanwhile.
    this.#step ??= setImmediate(() => {
      this.#step = undefined;
      this.#take();
      if (this.#waiting.length > 0) this.#plan();
    });
  }

  #take(): void {
    const request = this.#waiting.shift();
    if (request === undefined) return;
    if (!this.#database.inTransaction && !this.#begin()) {
      this.#answer(this.#run(request));
      return;
    }
    const reply = this.#run(request);
    this.#open.push({ request, reply });
    // What one has done by half must not stay; and a full disk has undone the whole transaction already.
    if (!reply.ok || !this.#database.inTransaction) this.#repeat();
    else if (this.#waiting.length === 0 || this.#open.length >= MAX_OPEN) this.commit();
  }

  #begin(): boolean {
    try {
      this.#database.pragma(`wal_autocheckpoint = ${LOG_PAGES}`);
      this.#database.exec('BEGIN IMMEDIATE');
      this.#imports?.begin();
      return true;
    } catch {
      return false;
    }
  }

  /** Nothing of the transaction is on disk. One by one, each gets the answer that is its own. */
  #repeat(): void {
    if (this.#database.inTransaction) this.#database.exec('ROLLBACK');
    this.#imports?.end();
    this.#open = this.#open.map(({ request }) => ({ request, reply: this.#run(request) }));
    this.#answerOpen();
  }

  #answerOpen(): void {
    for (const { reply } of this.#open) this.#answer(reply);
    this.#open = [];
  }
}
