/**
 * Owns: one archive, or one copied profile, that is read and never changed: opening it, asking for its passphrase, the look
 * through it. Called by: hosts/reading.ts. Calls: reading-place.ts, reading-files.ts, reading-check.ts, store.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Reading, ReadingCheck } from '../../../shared/domain/reading.ts';
import { systemClock, type Clock } from '../../base/clock.ts';
import { OPENING_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { isEncryptedDatabase, StoreError } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { Feed } from '../feed.ts';
import { manifestSchema, type Manifest } from '../history/export-format.ts';
import { openHistoryKey } from '../history/history-key.ts';
import { archiveKeyOf } from '../history/passphrase.ts';
import { Opening } from '../opening.ts';
import type { SecretBox } from '../secrets.ts';
import { checkReading } from './reading-check.ts';
import { ReadingFiles } from './reading-files.ts';
import { findReading, type ReadingPlace } from './reading-place.ts';

export interface ReaderOptions {
  /** A file, or the folder of a copied profile. */
  readonly path: string;
  /** For the key of a copied profile. */
  readonly secrets: SecretBox;
  readonly log: Log;
  readonly clock?: Clock;
}

/** What an opened one consists of. */
export interface OpenReading {
  readonly store: Store;
  readonly files: ReadingFiles;
}

/** Reads one. Nothing of it is written to, and nothing beside it; what is written is in a folder that goes with it. */
export class HistoryReader implements AsyncDisposable {
  readonly path: string;
  readonly feed = new Feed();
  readonly opening: Opening;
  /** Resolves when it is open, with undefined when it cannot be; never rejects. Whoever serves it tells `opening`. */
  readonly opened: Promise<OpenReading | undefined>;
  readonly #options: ReaderOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #scratch: string | undefined;
  #store: Store | undefined;
  #key: Uint8Array | undefined;
  #reading: Reading | null = null;
  #checking: Promise<void> = Promise.resolve();
  #toldUs = 0;

  private constructor(options: ReaderOptions) {
    this.path = options.path;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.opening = new Opening({ feed: this.feed, path: options.path, clock: this.#clock });
    this.opened = this.#open();
  }

  /** Begins to open it. */
  static start(options: ReaderOptions): HistoryReader {
    return new HistoryReader(options);
  }

  /** Null until it is open. */
  get reading(): Reading | null {
    return this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.opening[Symbol.dispose]();
    await this.opened;
    await this.#checking;
    await this.#store?.[Symbol.asyncDispose]();
    if (this.#scratch !== undefined) await rm(this.#scratch, { recursive: true, force: true });
  }

  async #open(): Promise<OpenReading | undefined> {
    try {
      const place = await findReading(this.path);
      this.#scratch = await mkdtemp(join(tmpdir(), 'parley-reading-'));
      const store = await this.#openStore(place);
      this.#store = store;
      const { isArchive } = store.archive;
      this.#reading = await this.#describe(place, store);
      const profile = isArchive ? null : (place.profile ?? join(place.file, '..'));
      const files = new ReadingFiles({ store, profile, scratch: this.#scratch });
      this.#checking = this.#check(store.archive.copy ?? place.file, isArchive);
      return { store, files };
    } catch (error) {
      this.#options.log.warn('reading.not-opened', { error });
      this.opening.receiveFailure(error);
      return undefined;
    }
  }

  /** With the key that lies beside it, or asks for its passphrase. Rejects with StoreError. */
  async #openStore(place: ReadingPlace): Promise<Store> {
    const { file, profile } = place;
    if (!isEncryptedDatabase(file)) return this.#openWith(file);
    if (profile !== null) {
      const key = await openHistoryKey(profile, this.#options.secrets, {
        source: this.opening,
        readOnly: true,
      });
      const store = await this.#try(file, key);
      if (store !== undefined) return store;
    } else if (!place.isArchive) {
      throw new StoreError(
        'STORE_LOCKED',
        `${place.name} is encrypted, and its key does not lie beside it. Open the whole folder of the profile.`,
      );
    }
    return this.opening.ask('archive', async (answer) =>
      'passphrase' in answer ? this.#try(file, await archiveKeyOf(file, answer.passphrase)) : undefined,
    );
  }

  /** Undefined when it is not its key. */
  async #try(file: string, key: Uint8Array): Promise<Store | undefined> {
    try {
      return await this.#openWith(file, key);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'STORE_WRONG_KEY') return undefined;
      throw error;
    }
  }

  async #openWith(file: string, key?: Uint8Array): Promise<Store> {
    const { log } = this.#options;
    const store = await Store.openArchive(file, { key, log, folder: this.#scratch ?? tmpdir() });
    this.#key = key;
    return store;
  }

  async #describe({ name, file }: ReadingPlace, store: Store): Promise<Reading> {
    const manifest = await readManifest(store);
    const conversations = await store.call('selectConversations', null);
    let messages = manifest?.counts.messages;
    if (messages === undefined) {
      messages = 0;
      for (const { id } of conversations) {
        const figures = await store.call('selectFigures', { conversationId: id });
        messages += figures.incoming + figures.outgoing;
      }
    }
    return {
      name,
      path: file,
      kind: store.archive.isArchive ? 'archive' : 'history',
      madeAtMs: manifest === undefined ? null : Date.parse(manifest.madeAt),
      program: manifest?.program ?? null,
      messages,
      conversations: conversations.length,
      check: { state: 'checking', done: 0, total: messages, problems: [] },
    };
  }

  async #check(path: string, isArchive: boolean): Promise<void> {
    const { signal } = this.#closing;
    try {
      const found = await checkReading({
        path,
        key: this.#key,
        isArchive,
        signal,
        receiveProgress: (done, total) => {
          const nowUs = this.#clock.monotonicUs();
          if (nowUs - this.#toldUs < OPENING_LIMITS.progressMs * 1_000) return;
          this.#toldUs = nowUs;
          this.#tell({ done, total });
        },
      });
      this.#tell(found);
    } catch (error) {
      if (signal.aborted) return;
      this.#options.log.warn('reading.not-checked', { error });
      this.#tell({ state: 'broken', problems: [error instanceof Error ? error.message : String(error)] });
    }
  }

  #tell(check: Partial<ReadingCheck>): void {
    const reading = this.#reading;
    if (reading === null || this.#closing.signal.aborted) return;
    this.#reading = { ...reading, check: { ...reading.check, ...check } };
    this.feed.publish('reading.changed', { reading: this.#reading });
  }
}

async function readManifest(store: Store): Promise<Manifest | undefined> {
  const written = await store.call('selectArchiveManifest', null);
  if (written === null) return undefined;
  const parsed = v.safeParse(manifestSchema, JSON.parse(written));
  if (!parsed.success) {
    throw new StoreError('STORE_DAMAGED', 'The manifest of this archive is damaged. Get another copy of it.');
  }
  return parsed.output;
}
