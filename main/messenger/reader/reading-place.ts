/**
 * Owns: what somebody means who names a file or a folder to be read: which file of it is the history, and whose key it has.
 * Called by: reader.ts, hosts (which arguments are files). Calls: node:fs, history/key-file.ts.
 */
import { stat } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { BACKUP_FOLDER } from '../../store/backups.ts';
import { StoreError } from '../../store/database.ts';
import { keyFileOf } from '../history/key-file.ts';
import { historyOf } from '../profile.ts';

const ARCHIVE_END = '.parley';
const HISTORY_END = '.sqlite';

/** Where a history lies that is to be read. */
export interface ReadingPlace {
  /** The database. */
  readonly file: string;
  /** What its user calls it: the name of the file, or of the profile's folder. */
  readonly name: string;
  /** The profile that it belongs to, when its key lies there. */
  readonly profile: string | null;
  /** It is called as archives are. */
  readonly isArchive: boolean;
}

/** Does an argument of a command line name something to be read, and not a switch or a link? */
export function isReadable(argument: string): boolean {
  if (argument.startsWith('-')) return false;
  return [ARCHIVE_END, HISTORY_END].includes(extname(argument).toLowerCase());
}

/** Rejects with StoreError `STORE_NOT_A_HISTORY`. */
export async function findReading(path: string): Promise<ReadingPlace> {
  const name = basename(path);
  const found = await kindOf(path);
  if (found === 'folder') {
    const file = historyOf(path);
    if ((await kindOf(file)) !== 'file') {
      throw new StoreError('STORE_NOT_A_HISTORY', `The folder ${name} has no history of Parley in it.`);
    }
    return { file, name, profile: await profileOf(file), isArchive: false };
  }
  if (found === undefined) throw new StoreError('STORE_NOT_A_HISTORY', `There is no file ${path}.`);
  const isArchive = extname(path).toLowerCase() === ARCHIVE_END;
  return { file: path, name, profile: await profileOf(path), isArchive };
}

/** The folder whose key belongs to a file: beside it, or beside the folder of backups. */
async function profileOf(file: string): Promise<string | null> {
  const folder = dirname(file);
  const folders = basename(folder) === BACKUP_FOLDER ? [folder, dirname(folder)] : [folder];
  for (const each of folders) if ((await kindOf(keyFileOf(each))) === 'file') return each;
  return null;
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return 'folder';
  return found?.isFile() === true ? 'file' : undefined;
}
