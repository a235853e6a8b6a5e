/**
 * Owns: bytes that a window hands in as a file: written to disk as they come, under a safe name.
 * Called by: browser/file-requests.ts, electron/file-calls.ts. Calls: the file system.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { placeFile, safeFileName } from '../messenger/file-name.ts';

/** Resolves with the path of the whole file. Rejects with the system's error; then nothing is left of it. */
export async function keepHandedIn(
  folder: string,
  name: string,
  bytes: Readable,
  signal?: AbortSignal,
): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const part = join(folder, `${randomBytes(16).toString('hex')}.part`);
  try {
    const target = createWriteStream(part, { flags: 'wx', mode: 0o600 });
    await pipeline(bytes, target, signal === undefined ? {} : { signal });
    return await placeFile(part, folder, safeFileName(name));
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Pictures that the window shows itself; whatever else there is, it is only saved. */
const SHOWN_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/bmp',
]);

export function isShownType(type: string): boolean {
  return SHOWN_TYPES.has(type);
}
