/**
 * Owns: which files of a folder are dictionaries for the spelling, and reading one of them. The folder is filled by others:
 * only well-named regular files below a ceiling count, whatever else lies there.
 * Called by: spelling.ts, dictionary-server.ts. Calls: the file system.
 */
import { constants } from 'node:fs';
import { lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface Dictionary {
  /** As Chromium asks for it: in small letters, such as `en-us-10-1.bdic`. */
  readonly name: string;
  /** Language and region, in small letters: `en-us`. */
  readonly region: string;
  readonly path: string;
}

export const DICTIONARY_LIMITS = {
  /** Of one file; Chromium's largest has 5 MB. */
  maxBytes: 16 * 1024 * 1024,
  /** Files that are offered: each word is looked up in all of them. */
  maxFiles: 16,
  /** Names that are read of a folder. */
  maxEntries: 1_000,
} as const;

/** Language, region and the two numbers of the version, as in Chromium's `spellcheck_common.cc`. */
const NAME = /^([a-z]{2,3}(?:-[a-z0-9]{2,8}){0,2})-\d{1,3}-\d{1,3}\.bdic$/;
/** What every dictionary begins with; Chromium looks at it as well. */
const MAGIC = Buffer.from('BDic', 'latin1');
/** Neither through a link nor into a pipe that nobody writes to; Windows has no such flags, which counts as 0. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Those in `folder`, by name; none when it is not there or cannot be read. Never rejects. */
export async function findDictionaries(folder: string): Promise<readonly Dictionary[]> {
  const found = new Map<string, Dictionary>();
  for (const file of await namesIn(folder)) {
    const name = file.toLowerCase();
    const region = NAME.exec(name)?.[1];
    const path = join(folder, file);
    if (region === undefined || found.has(name) || !(await isDictionaryFile(path))) continue;
    found.set(name, { name, region, path });
    if (found.size >= DICTIONARY_LIMITS.maxFiles) break;
  }
  return [...found.values()];
}

/** The bytes of a dictionary; undefined when the file is none, or none any more. Never rejects. */
export async function readDictionary(path: string): Promise<Buffer | undefined> {
  try {
    if (!(await isDictionaryFile(path))) return undefined;
    await using file = await open(path, OPEN_FLAGS);
    // Whatever has taken its place since.
    const stats = await file.stat();
    const { size } = stats;
    if (!stats.isFile() || size > DICTIONARY_LIMITS.maxBytes) return undefined;
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytesRead === size && bytes.subarray(0, MAGIC.length).equals(MAGIC) ? bytes : undefined;
  } catch {
    return undefined;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of await opendir(folder)) {
      names.push(name);
      if (names.length >= DICTIONARY_LIMITS.maxEntries) break;
    }
  } catch {
    return [];
  }
  return names.sort();
}

async function isDictionaryFile(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats?.isFile() === true && stats.size > 0 && stats.size <= DICTIONARY_LIMITS.maxBytes;
}
