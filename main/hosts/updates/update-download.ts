/**
 * Owns: a package on its way to the disk, and whether what lies there is what the feed has named.
 * Called by: updates.ts. Calls: update-feed.ts, node:fs.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { addressBeside, openBody, UpdateError, type Feed, type FeedFile, type Fetch } from './update-feed.ts';

export interface Download {
  /** Only packages are in it, and only the newest one stays. */
  readonly folder: string;
  /** Of the feed. */
  readonly url: string;
  readonly feed: Feed;
  readonly file: FeedFile;
  readonly fetch: Fetch;
  readonly signal: AbortSignal;
  readonly receiveShare: (share: number) => void;
}

const extensions: Partial<Record<FeedFile['kind'], string>> = { AppImage: '.AppImage', nsis: '.exe' };

/** Fetches the package, unless it is there; its path. @throws UpdateError */
export async function download({ folder, url, feed, file, ...way }: Download): Promise<string> {
  // Made of what was checked, not of a name that somebody else has chosen.
  const name = `parley-${feed.version}-${file.arch}${extensions[file.kind] ?? ''}`;
  const path = join(folder, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const other of await readdir(folder))
    if (other !== name) await rm(join(folder, other), { force: true });
  if (await isWhole(path, file)) return path;
  const part = `${path}.part`;
  try {
    await fetchInto(part, addressBeside(url, file.name), file, way);
    if (!(await isWhole(part, file)))
      throw new UpdateError('damaged', `${file.name} is not what the feed names.`);
    await rename(part, path);
    return path;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function fetchInto(
  part: string,
  address: string,
  { bytes }: FeedFile,
  { fetch, signal, receiveShare }: Pick<Download, 'fetch' | 'signal' | 'receiveShare'>,
): Promise<void> {
  const body = await openBody(address, fetch, signal);
  const handle = await open(part, 'w', 0o600);
  let done = 0;
  try {
    for await (const piece of body) {
      done += piece.length;
      if (done > bytes) throw new UpdateError('damaged', `${address} is longer than the feed says.`);
      await handle.writeFile(piece);
      receiveShare(done / bytes);
    }
    await handle.sync();
  } catch (error) {
    throw error instanceof UpdateError
      ? error
      : new UpdateError('unreachable', `${address}: ${String(error)}`);
  } finally {
    await handle.close();
  }
}

/** Is it there, as long as it has to be, and with the hash that it has to have? */
export async function isWhole(path: string, { bytes, sha512 }: FeedFile): Promise<boolean> {
  const hash = createHash('sha512');
  let length = 0;
  try {
    for await (const piece of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(piece);
      length += piece.length;
    }
  } catch {
    return false;
  }
  return length === bytes && hash.digest('base64') === sha512;
}
