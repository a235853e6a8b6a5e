/**
 * Owns: the messenger's store as its callers see it: asynchronous, in the order of the calls.
 * Called by: main/messenger. Calls: store-thread.ts.
 */
import { writeFile } from 'node:fs/promises';
import type { Log } from '../base/log.ts';
import type { MessengerProcedures } from './messenger-tables.ts';
import { damageMarkOf } from './recovery.ts';
import { StoreThread, type ProcedureInput, type ProcedureOutput } from './store-thread.ts';
import type { OpenReport, Procedures } from './worker-protocol.ts';

/** Everything that a messenger keeps, in one file of its profile. */
export class Store implements AsyncDisposable {
  readonly #thread: StoreThread<MessengerProcedures>;

  readonly #path: string;

  private constructor(thread: StoreThread<MessengerProcedures>, path: string) {
    this.#thread = thread;
    this.#path = path;
  }

  /** Opens or creates the file. Rejects with StoreError. */
  static async open(path: string, log?: Log): Promise<Store> {
    return new Store(await StoreThread.open<MessengerProcedures>({ kind: 'messenger', path }, log), path);
  }

  /** How it was found: closed well or not, damaged and repaired, replaced by a backup. */
  get opened(): OpenReport {
    return this.#thread.opened as OpenReport;
  }

  /** Copies the history to `path` while it is in use. Rejects with StoreError. */
  backUp(path: string): Promise<void> {
    return this.#thread.backUp(path);
  }

  /**
   * Looks through the whole file in a thread of its own, while it is in use. Resolves with what is wrong, in SQLite's
   * words, and then marks the file: the next start repairs it. Undefined when all is well.
   */
  async findDamage(): Promise<string | undefined> {
    const checker = await StoreThread.open<Procedures>({ kind: 'check', path: this.#path });
    const found = checker.opened as string | null;
    if (found === null) return undefined;
    await writeFile(damageMarkOf(this.#path), found);
    return found;
  }

  /** Stores a message; when the promise resolves it is on disk. */
  insertMessage(
    input: ProcedureInput<MessengerProcedures, 'insertMessage'>,
  ): Promise<ProcedureOutput<MessengerProcedures, 'insertMessage'>> {
    return this.#thread.call('insertMessage', input);
  }

  /** Newest first. A search that a newer one of the same `lane` (0 to 63) has overtaken stops and finds nothing. */
  search(
    input: Omit<ProcedureInput<MessengerProcedures, 'searchMessages'>, 'ticket'>,
    lane = 0,
  ): Promise<ProcedureOutput<MessengerProcedures, 'searchMessages'>> {
    return this.#thread.call('searchMessages', { ...input, ticket: this.#thread.nextSearch(lane) });
  }

  /** Any other procedure, by name. */
  call<Name extends keyof MessengerProcedures>(
    procedure: Name,
    input: ProcedureInput<MessengerProcedures, Name>,
  ): Promise<ProcedureOutput<MessengerProcedures, Name>> {
    return this.#thread.call(procedure, input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
