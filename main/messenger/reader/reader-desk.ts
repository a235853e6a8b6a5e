/**
 * Owns: how a window of the messenger gets another window that only reads what its user has handed in.
 * Called by: commands.ts. Calls: the host's windows, node:fs.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { CallOutput, CheckedInput } from '../../../shared/ipc/contract.ts';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import type { ChosenFile, ChosenFiles } from '../chosen-files.ts';
import type { Commands } from '../commands.ts';
import { safeFileName } from '../file-name.ts';

/** A host's windows that only read. */
export interface ReaderDesk {
  /**
   * `own`: a folder of ours that goes with the window. Resolves with the address of the window, null when it is open
   * already. Rejects with CallError `too-many`.
   */
  open(path: string, own?: string): Promise<string | null>;
  /** What a window hands in is a copy, which lies here while it is read; absent: it is the user's own file. */
  readonly folder?: string;
}

/** A host without windows. */
export const noReaderDesk: ReaderDesk = {
  open: () => Promise.reject(new CallError('not-allowed', 'This program has no windows.')),
};

/** Parts of a copied profile that are of use; the rest is left out. */
const PARTS: readonly string[] = ['history.sqlite', 'history.sqlite-wal', 'history.key'];
const FILES = 'files/';

export function readerDeskCommands(
  chosen: ChosenFiles,
  desk: ReaderDesk,
): Pick<Commands, 'reading.status' | 'reading.open'> {
  return {
    'reading.status': () => Promise.resolve(null),
    'reading.open': (input) => open(chosen, desk, input),
  };
}

async function open(
  chosen: ChosenFiles,
  desk: ReaderDesk,
  { name, parts }: CheckedInput<'reading.open'>,
): Promise<CallOutput<'reading.open'>> {
  const taken = parts.map(({ fileId, path }) => ({ file: take(chosen, fileId), path }));
  const [first] = taken;
  if (first === undefined) throw gone();
  if (desk.folder === undefined) return { url: await desk.open(first.file.path) };
  const own = join(desk.folder, randomBytes(8).toString('hex'));
  try {
    const root = join(own, safeFileName(name));
    for (const { file, path } of taken) await keep(file, root, path);
    return { url: await desk.open(root, own) };
  } catch (error) {
    await rm(own, { recursive: true, force: true });
    throw error;
  }
}

/** Each is used once. Throws CallError. */
function take(chosen: ChosenFiles, fileId: string): ChosenFile {
  const file = chosen.get(fileId);
  if (file === undefined) throw gone();
  chosen.delete(fileId);
  return file;
}

async function keep({ path: from }: ChosenFile, root: string, path: string): Promise<void> {
  const target = path === '' ? root : join(root, path);
  const isFile =
    path.startsWith(FILES) && safeFileName(path.slice(FILES.length)) === path.slice(FILES.length);
  if (path !== '' && !isFile && !PARTS.includes(path)) {
    await rm(from, { force: true });
    return;
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  await rename(from, target);
}

function gone(): CallError {
  return new CallError('not-found', 'This file is not there any more. Drop it again.');
}
