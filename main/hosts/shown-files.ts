/**
 * Owns: files of messages as a host gives them out, wherever they lie, and who takes in what a window hands in.
 * Called by: browser/file-requests.ts, electron/app-protocol.ts. Calls: messenger/transfers.ts, node:fs.
 */
import { createReadStream } from 'node:fs';
import type { MessageId } from '../../shared/domain/ids.ts';
import type { ReadFile } from '../messenger/reader/reading-files.ts';
import type { Transfers } from '../messenger/transfers.ts';

/** Files that are given out. */
export interface ShownFiles {
  /** Undefined: nothing is open yet. Rejects with CallError when there is no such file. */
  fileOf(messageId: MessageId): Promise<ReadFile | undefined>;
}

/** The same, and files that are taken in. */
export interface FileService extends ShownFiles {
  /** Undefined: nothing is open yet, or nothing is taken in here. */
  handedIn(): Pick<Transfers, 'choose' | 'folder'> | undefined;
}

/** Those of a messenger. */
export function serviceOf(transfers: Transfers): FileService {
  return serviceOnceOpen(() => transfers);
}

/** Those of a messenger that is perhaps not open yet. */
export function serviceOnceOpen(transfers: () => Transfers | undefined): FileService {
  return {
    fileOf: async (messageId) => {
      const file = await transfers()?.fileOf(messageId);
      return file && { ...file, bytes: () => createReadStream(file.path) };
    },
    handedIn: transfers,
  };
}
