/**
 * Owns: where the bytes of files come from that belong to messages: the disk, or an archive.
 * Called by: export-parts.ts, archive-export.ts, archive-source.ts. Calls: store.ts, node:fs.
 */
import { createReadStream } from 'node:fs';
import type { Store } from '../../store/store.ts';

/** Reads the file that a message names. Throws an error with `code` ENOENT when it is not there. */
export type Attachments = (path: string) => AsyncIterable<Uint8Array>;

export const filesOnDisk: Attachments = (path) => createReadStream(path) as AsyncIterable<Buffer>;

/** Files that lie in an archive. */
export function filesOfArchive(store: Pick<Store, 'call'>): Attachments {
  return async function* read(path) {
    const file = await store.call('selectArchiveFile', { path });
    if (file === undefined) {
      throw Object.assign(new Error(`${path}: not in this archive`), { code: 'ENOENT' });
    }
    for (let piece = 0; piece < file.pieces; piece += 1) {
      const content = await store.call('selectArchivePiece', { path, piece });
      if (content !== null) yield content;
    }
  };
}
