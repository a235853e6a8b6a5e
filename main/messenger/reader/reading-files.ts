/**
 * Owns: files of messages in what is only read: inside an archive, or in the folder of a copied profile.
 * Called by: reader.ts, reader-commands.ts, hosts. Calls: store.ts, attachments.ts, node:fs.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { MessageId } from '../../../shared/domain/ids.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { Store } from '../../store/store.ts';
import { safeFileName } from '../file-name.ts';
import { filesOfArchive, filesOnDisk, type Attachments } from '../history/attachments.ts';

/** A file of a message and how to read it. */
export interface ReadFile {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly bytes: () => Readable;
}

export interface ReadingFilesOptions {
  readonly store: Store;
  /** Of a copied profile: its folder. Null: an archive, which has its files inside. */
  readonly profile: string | null;
  /** Where a copy goes that another program is to open. */
  readonly scratch: string;
}

export class ReadingFiles {
  readonly #options: ReadingFilesOptions;
  /** For exports. */
  readonly attachments: Attachments;

  constructor(options: ReadingFilesOptions) {
    this.#options = options;
    const { profile, store } = options;
    this.attachments =
      profile === null
        ? filesOfArchive(store)
        : async function* read(path) {
            yield* filesOnDisk((await placeOf(profile, path)) ?? path);
          };
  }

  /** Rejects with CallError `not-found`. */
  async fileOf(messageId: MessageId): Promise<ReadFile> {
    const { profile, store } = this.#options;
    const stored = await store.call('selectTransfer', { messageId });
    const path = stored?.path ?? null;
    if (stored === null || path === null) throw gone();
    const { name, type } = stored;
    if (profile === null) {
      const file = await store.call('selectArchiveFile', { path });
      if (file === undefined) throw gone();
      return { name, type, size: file.bytes, bytes: () => Readable.from(this.attachments(path)) };
    }
    const place = await placeOf(profile, path);
    if (place === undefined) throw gone();
    const { size } = await stat(place);
    return { name, type, size, bytes: () => createReadStream(place) };
  }

  /** A copy that another program may open, whatever it does with it. Rejects with CallError. */
  async copyOf(messageId: MessageId): Promise<{ path: string; name: string }> {
    const file = await this.fileOf(messageId);
    const folder = join(this.#options.scratch, 'opened', messageId.replace(/[^\w-]/g, '_'));
    const name = safeFileName(file.name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    try {
      await pipeline(file.bytes(), createWriteStream(path, { mode: 0o600 }));
    } catch (error) {
      const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
      if (isFull) throw new CallError('disk-full', 'The disk is full. Make room, then try again.');
      throw error;
    }
    return { path, name };
  }
}

/** Where a file of a copied profile lies: in the copy, else where it lay. Undefined: nowhere. */
async function placeOf(profile: string, path: string): Promise<string | undefined> {
  for (const place of [join(profile, 'files', basename(path.replaceAll('\\', '/'))), path]) {
    if ((await stat(place).catch(() => undefined))?.isFile() === true) return place;
  }
  return undefined;
}

function gone(): CallError {
  return new CallError('not-found', 'This file is not in it.');
}
