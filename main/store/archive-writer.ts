/**
 * Owns: an archive that is being written, as its callers see it. Called by: messenger/history/archive-export.ts.
 * Calls: store-thread.ts.
 */
import type { ArchiveWritingProcedures } from './archive-writing.ts';
import { StoreThread, type ProcedureInput, type ProcedureOutput } from './store-thread.ts';

/** One file on its way. */
export class ArchiveWriter implements AsyncDisposable {
  readonly #thread: StoreThread<ArchiveWritingProcedures>;

  private constructor(thread: StoreThread<ArchiveWritingProcedures>) {
    this.#thread = thread;
  }

  /** Begins the file, or opens one that was begun. `key`: 48 bytes, its key and what it begins with. Rejects with StoreError. */
  static async open(path: string, key?: Uint8Array): Promise<ArchiveWriter> {
    return new ArchiveWriter(await StoreThread.open({ kind: 'archive-writer', path, key }));
  }

  call<Name extends keyof ArchiveWritingProcedures>(
    procedure: Name,
    input: ProcedureInput<ArchiveWritingProcedures, Name>,
  ): Promise<ProcedureOutput<ArchiveWritingProcedures, Name>> {
    return this.#thread.call(procedure, input);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }
}
