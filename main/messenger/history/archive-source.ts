/**
 * Owns: an archive as the lines that it was made of, and whether it is still what was written.
 * Called by: export-source.ts, verify.ts. Calls: store.ts, export-parts.ts, passphrase.ts.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import { isEncryptedDatabase, StoreError } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { filesOfArchive, type Attachments } from './attachments.ts';
import { ExportError } from './export-error.ts';
import { FIRST_CHAIN, manifestSchema, nextChain, type ExportLine, type Manifest } from './export-format.ts';
import { accountAddresses, conversationLine, messageLine, sessionLine } from './export-parts.ts';
import { archiveKeyOf } from './passphrase.ts';

const PAGE = 500;

/** An archive that is read from end to end. Nothing of it is changed. */
export class ArchiveSource implements AsyncDisposable {
  readonly manifest: Manifest;
  readonly store: Store;
  readonly attachments: Attachments;
  readonly #folder: string;

  private constructor(store: Store, manifest: Manifest, folder: string) {
    this.store = store;
    this.manifest = manifest;
    this.attachments = filesOfArchive(store);
    this.#folder = folder;
  }

  /** Rejects with ExportError; `locked` when it needs a passphrase, or another one. */
  static async open(path: string, passphrase?: string): Promise<ArchiveSource> {
    const isLocked = passphrase !== undefined && isEncryptedDatabase(path);
    return ArchiveSource.openWithKey(path, isLocked ? await archiveKeyOf(path, passphrase) : undefined);
  }

  /** The same with its key. */
  static async openWithKey(path: string, key?: Uint8Array): Promise<ArchiveSource> {
    const folder = await mkdtemp(join(tmpdir(), 'parley-archive-'));
    try {
      const store = await Store.openArchive(path, { key, folder });
      const written = await store.call('selectArchiveManifest', null);
      if (written !== null) {
        const manifest = v.safeParse(manifestSchema, JSON.parse(written));
        if (manifest.success) return new ArchiveSource(store, manifest.output, folder);
      }
      await store[Symbol.asyncDispose]();
      throw new ExportError(`${path} is the history of a profile, and no archive of one.`);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (!(error instanceof StoreError)) throw error;
      const isLocked = error.code === 'STORE_LOCKED' || error.code === 'STORE_WRONG_KEY';
      throw new ExportError(error.message, isLocked ? 'locked' : 'wrong');
    }
  }

  /** Every line, checked against the chain. `receiveProblem` decides whether it goes on; without one it does not. */
  async *lines(
    receiveProblem: (problem: string) => void = (problem) => {
      throw new ExportError(problem);
    },
  ): AsyncGenerator<ExportLine> {
    const { madeAt, program, chain: lastChain } = this.manifest;
    let chain = FIRST_CHAIN;
    const carry = (line: ExportLine): ExportLine => {
      chain = nextChain(chain, JSON.stringify(line));
      return line;
    };
    yield carry({ type: 'export', version: 1, madeAt, program });
    for await (const line of this.#conversationLines()) yield carry(line);
    let mark = await this.store.call('selectArchiveMark', { after: 0 });
    let since = 0;
    for (let after: number | null = 0; after !== null;) {
      const page: Awaited<ReturnType<typeof readPage>> = await readPage(this.store, after);
      for (const { conversationId, message } of page.messages) {
        const { position } = message;
        yield carry(messageLine(conversationId, message, message.file?.path ?? null));
        while (mark !== null && mark.position <= position) {
          if (mark.position < position || mark.chain !== chain) {
            receiveProblem(`messages ${since + 1} to ${mark.position}: changed, or some are missing`);
            ({ chain } = mark);
          }
          since = mark.position;
          mark = await this.store.call('selectArchiveMark', { after: since });
        }
      }
      after = page.last;
    }
    if (mark !== null || chain !== lastChain) receiveProblem(`its end is missing after message ${since}`);
  }

  /** What is wrong with files and pages. */
  async *damage(signal?: AbortSignal): AsyncGenerator<string> {
    const found = await this.store.call('selectDamage', null).catch((error: unknown) => String(error));
    if (found !== null) {
      yield `the file is damaged (${found})`;
      return;
    }
    let count = 0;
    for (let after = 0; ;) {
      const files = await this.store.call('selectArchiveFiles', { after, limit: PAGE });
      for (const { path, bytes, sha256 } of files) {
        const hash = createHash('sha256');
        let size = 0;
        for await (const piece of this.attachments(path)) {
          signal?.throwIfAborted();
          hash.update(piece);
          size += piece.length;
        }
        if (hash.digest('hex') !== sha256) {
          yield `${path}: was changed (${size} bytes instead of ${bytes}, or others)`;
        }
      }
      count += files.length;
      const last = files.at(-1);
      if (last === undefined) break;
      after = last.position;
    }
    const { files } = this.manifest.counts;
    if (count !== files) yield `${count} files instead of ${files}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async *#conversationLines(): AsyncGenerator<ExportLine> {
    const addressOf = await accountAddresses(this.store);
    for (const id of await this.store.call('selectConversationOrder', null)) {
      const conversation: Conversation | null = await this.store.call('selectConversation', { id });
      if (conversation === null) continue;
      yield conversationLine(conversation, addressOf(conversation.accountId));
      for (const session of await this.store.call('selectSessions', { conversationId: id })) {
        yield sessionLine(id, { ...session, endCode: session.end?.code ?? null });
      }
    }
  }
}

function readPage(store: Store, after: number) {
  return store.call('selectHistoryPage', { after, upTo: Number.MAX_SAFE_INTEGER, limit: PAGE });
}
