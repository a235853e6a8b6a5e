/**
 * Owns: the messenger's store as its callers see it: asynchronous, in the order of the calls.
 * Called by: main/messenger. Calls: store-thread.ts.
 */
import { writeFile } from 'node:fs/promises';
import type { Log } from '../base/log.ts';
import type { ArchiveReport } from './archive-opening.ts';
import type { MessengerProcedures } from './messenger-tables.ts';
import { damageMarkOf } from './recovery.ts';
import { StoreThread, type ProcedureInput, type ProcedureOutput } from './store-thread.ts';
import type { OpenReport, Procedures, ReceiveProgress } from './worker-protocol.ts';

export interface StoreOptions {
  /** 32 bytes that the file is encrypted with; absent: it is not. */
  readonly key?: Uint8Array | undefined;
  readonly log?: Log;
  /** Hears what takes its time before a history is open. */
  readonly receiveProgress?: ReceiveProgress;
}

/** Everything that a messenger keeps, in one file of its profile. */
export class Store implements AsyncDisposable {
  readonly #thread: StoreThread<MessengerProcedures>;

  readonly #path: string;
  readonly #key: Uint8Array | undefined;

  private constructor(thread: StoreThread<MessengerProcedures>, path: string, key: Uint8Array | undefined) {
    this.#thread = thread;
    this.#path = path;
    this.#key = key;
  }

  /** Opens or creates the file. With a key a file that is not encrypted becomes so. Rejects with StoreError. */
  static async open(path: string, { key, log, receiveProgress }: StoreOptions = {}): Promise<Store> {
    const start = { kind: 'messenger', path, key } as const;
    const thread = await StoreThread.open<MessengerProcedures>(start, log, receiveProgress);
    return new Store(thread, path, key);
  }

  /**
   * Opens an archive, or the history of a copied profile, to be read: nothing is ever written to it or beside it.
   * `folder`: where a copy goes when one is needed. Rejects with StoreError.
   */
  static async openArchive(
    path: string,
    { key, log, folder }: StoreOptions & { readonly folder: string },
  ): Promise<Store> {
    const start = { kind: 'archive', path, key, target: folder } as const;
    return new Store(await StoreThread.open<MessengerProcedures>(start, log), path, key);
  }

  /** Of an archive: what it is. */
  get archive(): ArchiveReport {
    return this.#thread.opened as ArchiveReport;
  }

  get isEncrypted(): boolean {
    return this.#key !== undefined;
  }

  /** How it was found: closed well or not, damaged and repaired, replaced by a backup. */
  get opened(): OpenReport {
    return this.#thread.opened as OpenReport;
  }

  /**
   * Copies the history, as it is now and encrypted as it is, to `path`, while it is in use: in a thread of its own, which
   * sees one moment of the file. Rejects with StoreError.
   */
  async backUp(path: string): Promise<void> {
    await StoreThread.open<Procedures>({ kind: 'backup', path: this.#path, key: this.#key, target: path });
  }

  /** Encrypts another history, a backup of before, in a thread of its own. Rejects with StoreError. */
  async encryptFile(path: string): Promise<void> {
    await StoreThread.open<Procedures>({ kind: 'encrypt', path, key: this.#key });
  }

  /**
   * Looks through the whole file in a thread of its own, while it is in use. Resolves with what is wrong, in SQLite's
   * words, and then marks the file: the next start repairs it. Undefined when all is well.
   */
  async findDamage(): Promise<string | undefined> {
    const checker = await StoreThread.open<Procedures>({
      kind: 'check',
      path: this.#path,
      key: this.#key,
    });
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
