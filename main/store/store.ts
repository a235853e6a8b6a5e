/**
 * Owns: the messenger's store as its callers see it: asynchronous, in the order of the calls.
 * Called by: main/messenger. Calls: store-thread.ts.
 */
import type { Log } from '../base/log.ts';
import type { MessengerProcedures } from './messenger-tables.ts';
import { StoreThread, type ProcedureInput, type ProcedureOutput } from './store-thread.ts';

/** Everything that a messenger keeps, in one file of its profile. */
export class Store implements AsyncDisposable {
  readonly #thread: StoreThread<MessengerProcedures>;

  private constructor(thread: StoreThread<MessengerProcedures>) {
    this.#thread = thread;
  }

  /** Opens or creates the file. Rejects with StoreError. */
  static async open(path: string, log?: Log): Promise<Store> {
    return new Store(await StoreThread.open<MessengerProcedures>({ kind: 'messenger', path }, log));
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
