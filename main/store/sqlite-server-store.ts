/**
 * Owns: an IM Server's store in one file of its own, for a server of one node. Called by: imserver-store.ts.
 * Calls: store-thread.ts.
 */
import { randomBytes } from 'node:crypto';
import type { Log } from '../base/log.ts';
import type { ImServerProcedures } from './imserver-tables.ts';
import type { QueueClaim, ServerStore } from './server-store.ts';
import { StoreThread, type ProcedureInput, type ProcedureOutput } from './store-thread.ts';

const SECRET_BYTES = 32;

/** Nobody else uses the file: there is no news, and every claim is granted. */
export class SqliteServerStore implements ServerStore {
  readonly isShared = false;
  readonly shared = undefined;
  readonly secret = randomBytes(SECRET_BYTES);
  readonly #thread: StoreThread<ImServerProcedures>;

  private constructor(thread: StoreThread<ImServerProcedures>) {
    this.#thread = thread;
  }

  /** Rejects with StoreError. */
  static async open(path: string, log: Log): Promise<SqliteServerStore> {
    return new SqliteServerStore(await StoreThread.open<ImServerProcedures>({ kind: 'imserver', path }, log));
  }

  call<Name extends keyof ImServerProcedures>(
    procedure: Name,
    input: ProcedureInput<ImServerProcedures, Name>,
  ): Promise<ProcedureOutput<ImServerProcedures, Name>> {
    return this.#thread.call(procedure, input);
  }

  onNews(): () => void {
    return () => undefined;
  }

  claimQueue(): Promise<QueueClaim> {
    return Promise.resolve({
      isHeld: () => true,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
