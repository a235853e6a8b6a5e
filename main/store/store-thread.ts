/**
 * Owns: one store thread and the requests that wait for it. Called by: store.ts, imserver-store.ts.
 * Calls: worker.ts through messages.
 */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { silentLog, type Log } from '../base/log.ts';
import { StoreError } from './database.ts';
import {
  SEARCH_LANES,
  type Procedures,
  type ReceiveProgress,
  type SearchTicket,
  type WorkerProgress,
  type WorkerReply,
  type WorkerStart,
} from './worker-protocol.ts';

/** Queries that take longer are written to the log. */
const SLOW_QUERY_MS = 40;

/**
 * Run from its sources the program has Node strip their types, which is WebAssembly in each thread. When two threads make
 * the same faster wrapper for it at once, V8 (14, Node 24.21) frees the second one wrongly and the process dies of SIGSEGV in
 * `Runtime_TierUpWasmToJSWrapper`. So none is made in threads of ours: after so many calls no thread gets there. What is
 * packed has no types to strip.
 */
function leaveWasmWrappersAlone(): void {
  setFlagsFromString('--wasm-wrapper-tiering-budget=1000000000');
}

/** What one procedure takes and returns, seen from the caller's thread. */
export type ProcedureInput<P extends Procedures, Name extends keyof P> = Parameters<P[Name]>[0];
export type ProcedureOutput<P extends Procedures, Name extends keyof P> = ReturnType<P[Name]>;

/** The caller's side of a store thread. Requests are carried out in the order in which they were made. */
export class StoreThread<P extends Procedures> implements AsyncDisposable {
  readonly #log: Log;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #names = new Map<number, string>();
  readonly #searches = new Int32Array(new SharedArrayBuffer(SEARCH_LANES * Int32Array.BYTES_PER_ELEMENT));
  #nextId = 0;
  #opened: unknown;
  #closed = false;

  private constructor(start: Omit<WorkerStart, 'searches'>, log: Log, receiveProgress: ReceiveProgress) {
    this.#log = log;
    const script = new URL('./worker.ts', import.meta.url);
    if (script.pathname.endsWith('.ts')) leaveWasmWrappersAlone();
    this.#worker = new Worker(script, {
      workerData: { ...start, searches: this.#searches } satisfies WorkerStart,
      name: `store-${start.kind}`,
    });
    this.#worker.on('message', (message: WorkerReply | WorkerProgress) => {
      if ('task' in message) receiveProgress(message.task, message.done, message.total);
      else this.#receiveReply(message);
    });
    this.#worker.on('error', (error: Error) => {
      this.#fail(
        new StoreError(
          'STORE_FAILED',
          `The store thread stopped (${error.message}). Start Parley again.`,
          error,
        ),
      );
    });
    this.#worker.on('exit', () => {
      this.#fail(new StoreError('STORE_FAILED', 'The store is closed.'));
    });
  }

  /** Starts the thread and opens the file. Rejects with StoreError. */
  static async open<P extends Procedures>(
    start: Omit<WorkerStart, 'searches'>,
    log: Log = silentLog,
    receiveProgress: ReceiveProgress = () => undefined,
  ): Promise<StoreThread<P>> {
    const thread = new StoreThread<P>(start, log, receiveProgress);
    try {
      thread.#opened = await thread.#wait(0, 'open');
      return thread;
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
  }

  /** Runs one procedure. Rejects with StoreError; then nothing of it was stored. */
  call<Name extends keyof P & string>(
    procedure: Name,
    input: ProcedureInput<P, Name>,
  ): Promise<ProcedureOutput<P, Name>> {
    if (this.#closed) return Promise.reject(new StoreError('STORE_FAILED', 'The store is closed.'));
    const id = ++this.#nextId;
    const waiting = this.#wait(id, procedure);
    this.#worker.postMessage({ id, procedure, input });
    return waiting as Promise<ProcedureOutput<P, Name>>;
  }

  /** What the thread said when it was ready. */
  get opened(): unknown {
    return this.#opened;
  }

  /** A ticket for the next search of a lane; those before it stop. */
  nextSearch(lane: number): SearchTicket {
    return { lane, number: Atomics.add(this.#searches, lane, 1) + 1 };
  }

  /** Waits for the requests under way, then closes the file and ends the thread. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const exited = new Promise<void>((done) => this.#worker.once('exit', () => done()));
    this.#worker.postMessage('close');
    await exited;
  }

  #wait(id: number, name: string): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#names.set(id, name);
    return waiting.promise;
  }

  #receiveReply(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id);
    const procedure = this.#names.get(reply.id);
    this.#waiting.delete(reply.id);
    this.#names.delete(reply.id);
    if (reply.ok) {
      if (reply.tookMs > SLOW_QUERY_MS)
        this.#log.warn('store.slow', { procedure, tookMs: Math.round(reply.tookMs) });
      waiting?.resolve(reply.value);
      return;
    }
    this.#log.error('store.failed', { procedure, code: reply.code, reason: reply.message });
    waiting?.reject(new StoreError(reply.code, reply.message));
  }

  #fail(error: StoreError): void {
    this.#closed = true;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#names.clear();
  }
}
