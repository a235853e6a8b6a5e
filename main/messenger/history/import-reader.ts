/**
 * Owns: an export that is read in a thread of its own, seen from the thread that takes it in.
 * Called by: import.ts. Calls: import-thread.ts through messages.
 */
import { Worker } from 'node:worker_threads';
import { ExportError } from './export-error.ts';
import type { ImportPart, ImportPiece, ImportStart } from './import-protocol.ts';

/** Reads ahead of whoever asks; of parts only as many as are not settled yet. */
export class ImportReader implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #pieces: ImportPiece[] = [];
  #wake: (() => void) | undefined;
  #error: Error | undefined;
  readonly #exited: Promise<void>;

  constructor(start: ImportStart) {
    this.#worker = new Worker(new URL('./import-thread.ts', import.meta.url), {
      workerData: start,
      name: 'import',
    });
    this.#worker.on('message', (piece: ImportPiece) => {
      this.#pieces.push(piece);
      this.#wake?.();
    });
    this.#worker.on('error', (error: Error) => {
      this.#error = error;
      this.#wake?.();
    });
    this.#exited = new Promise((done) => {
      this.#worker.on('exit', () => {
        this.#error ??= new Error('the thread that reads the export has stopped');
        this.#wake?.();
        done();
      });
    });
  }

  /** Everything in order. Rejects with ExportError when the export is wrong, or with the error of the system. */
  async *parts(): AsyncGenerator<ImportPart> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece === undefined) {
        if (this.#error !== undefined) throw this.#error;
        await new Promise<void>((done) => {
          this.#wake = done;
        });
        continue;
      }
      if (piece.type === 'end') return;
      if (piece.type === 'failed') throw asError(piece);
      yield piece;
    }
  }

  /** A part is on the disk: there is room for another one. */
  settle(): void {
    this.#worker.postMessage('settled');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It closes what it has open.
    this.#worker.postMessage('stop');
    await this.#exited;
  }
}

function asError({ kind, code, message }: Extract<ImportPiece, { type: 'failed' }>): Error {
  if (kind !== null) return new ExportError(message, kind);
  return Object.assign(new Error(message), code === null ? {} : { code });
}
