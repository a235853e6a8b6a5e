/**
 * Owns: what is done for a file while nobody asks for anything: the pieces of its search index are put together, and empty
 * pages are given back. Called by: worker.ts. Calls: SQLite.
 */
import type { Database } from './database.ts';

/** Nobody has asked for anything for so long. */
const IDLE_MS = 2_000;
/** Empty pages that are kept for what comes: so many, and so large a share of the file. */
const SPARE_PAGES = 128;
const SPARE_SHARE = 0.01;
/** Pages of one step: a request that comes waits for no more than these. */
const STEP_PAGES = 32;

/** Looks after one open file. Owned by its thread. */
export class IdleUpkeep implements Disposable {
  readonly #database: Database;
  /** Puts pieces of the index together; whether there was anything to do. */
  readonly #mergeIndex: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #step: NodeJS.Immediate | undefined;

  constructor(database: Database, mergeIndex: () => boolean = () => false) {
    this.#database = database;
    this.#mergeIndex = mergeIndex;
  }

  /** Somebody has asked for something: not now, but in a while. */
  postpone(): void {
    this[Symbol.dispose]();
    this.#timer = setTimeout(() => {
      this.#run();
    }, IDLE_MS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#step);
  }

  #run(): void {
    // A full disk: everything stays as it is.
    try {
      if (!this.#mergeIndex() && !this.#vacuum()) return;
    } catch {
      return;
    }
    this.#step = setImmediate(() => {
      this.#run();
    });
  }

  /** Whether it has given back anything. */
  #vacuum(): boolean {
    const free = Number(this.#database.pragma('freelist_count', { simple: true }));
    const pages = Number(this.#database.pragma('page_count', { simple: true }));
    if (free <= SPARE_PAGES + pages * SPARE_SHARE) return false;
    this.#database.pragma(`incremental_vacuum(${STEP_PAGES})`);
    return Number(this.#database.pragma('freelist_count', { simple: true })) !== free;
  }
}
