/**
 * Owns: opening what is only read: an archive, or the history of a copied profile. Nothing is written to it or beside it.
 * Called by: worker.ts. Calls: database.ts, archive-tables.ts, search-index.ts, node:fs.
 *
 * A history that was not closed has its newest messages in a log beside it, one of an older program has other tables: such
 * a one is copied into a folder of its own first, and brought up to date there.
 */
import { copyFileSync, constants, existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ARCHIVE_MARK, hasArchiveTables } from './archive-tables.ts';
import {
  asStoreError,
  isEncryptedDatabase,
  isPlainDatabase,
  openDamaged,
  openDatabase,
  openImmutable,
  StoreError,
  type Database,
  type Migration,
} from './database.ts';

/** What was opened. */
export interface ArchiveReport {
  /** Made by an export; else it is the history of a profile. */
  readonly isArchive: boolean;
  /** It had to be copied first: this is the copy. */
  readonly copy: string | null;
}

/** `folder`: where a copy goes, when one is needed. Throws StoreError. */
export async function openArchive(
  path: string,
  migrations: readonly Migration[],
  folder: string,
  key?: Uint8Array,
): Promise<{ database: Database; report: ArchiveReport }> {
  const name = basename(path);
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new StoreError('STORE_NOT_A_HISTORY', `There is no file ${path}.`);
  }
  if (!isPlainDatabase(path) && !isEncryptedDatabase(path)) {
    throw new StoreError('STORE_NOT_A_HISTORY', `${name} is neither an archive nor a history of Parley.`);
  }
  if (isEncryptedDatabase(path) && key === undefined) {
    throw new StoreError('STORE_LOCKED', `${name} is encrypted, and its key was not given.`);
  }
  const wanted = isPlainDatabase(path) ? undefined : key;
  let database: Database | undefined;
  try {
    // What is in the log is seen by who may write beside it only: not here, but in the copy.
    const copied = hasLog(path) ? copyInto(folder, path) : undefined;
    database = await (copied === undefined ? openImmutable(path, wanted) : openDamaged(copied, wanted));
    const facts = readFacts(database, name, migrations);
    if (facts.isCurrent && copied === undefined) {
      return { database, report: { isArchive: facts.isArchive, copy: null } };
    }
    database.close();
    const copy = copied ?? copyInto(folder, path);
    database = await openDatabase(copy, migrations, undefined, wanted);
    return { database, report: { isArchive: facts.isArchive, copy } };
  } catch (error) {
    database?.close();
    throw explainArchive(error, path, wanted !== undefined);
  }
}

/** Throws StoreError when it is none of ours, of a newer program, or unfinished. */
function readFacts(
  database: Database,
  name: string,
  migrations: readonly Migration[],
): { isArchive: boolean; isCurrent: boolean } {
  const version = Number(database.pragma('user_version', { simple: true }));
  const newest = migrations.at(-1)?.version ?? 0;
  const isArchive = Number(database.pragma('application_id', { simple: true })) === ARCHIVE_MARK;
  const table = database.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'conversations'",
  );
  if (version < 1 || table.get() === undefined) {
    throw new StoreError('STORE_NOT_A_HISTORY', `${name} is neither an archive nor a history of Parley.`);
  }
  if (version > newest) {
    throw new StoreError(
      'STORE_TOO_NEW',
      `${name} was written by a newer Parley (schema ${version}, this one knows ${newest}). Update Parley to read it.`,
    );
  }
  if (isArchive && !isFinished(database)) {
    throw new StoreError('STORE_UNFINISHED', `${name} was not written to its end. Export it again.`);
  }
  return { isArchive, isCurrent: version === newest && isIndexed(database) };
}

function isFinished(database: Database): boolean {
  if (!hasArchiveTables(database)) return false;
  const row = database.prepare('SELECT manifest FROM archive').get() as
    { manifest: string | null } | undefined;
  return (row?.manifest ?? null) !== null;
}

/** Every message can be found. */
function isIndexed(database: Database): boolean {
  const row = database.prepare('SELECT below FROM search_backlog').get() as { below: number } | undefined;
  return (row?.below ?? 0) <= 1;
}

function hasLog(path: string): boolean {
  const log = `${path}-wal`;
  return existsSync(log) && statSync(log).size > 0;
}

/** A file system that can shares the bytes between both. */
function copyInto(folder: string, path: string): string {
  const copy = join(folder, 'copy.sqlite');
  copyFileSync(path, copy, constants.COPYFILE_FICLONE);
  if (hasLog(path)) copyFileSync(`${path}-wal`, `${copy}-wal`, constants.COPYFILE_FICLONE);
  return copy;
}

/** An error of SQLite about a file that is only read. */
export function explainArchive(error: unknown, path: string, isEncrypted = false): StoreError {
  const name = basename(path);
  const known = asStoreError(error);
  if (isEncrypted && (error as { code?: unknown }).code === 'SQLITE_NOTADB') {
    return new StoreError(
      'STORE_WRONG_KEY',
      `${name} cannot be read with this passphrase or key: it is another one, or the file is damaged.`,
      error,
    );
  }
  if (known.code !== 'STORE_DAMAGED') return known;
  return new StoreError('STORE_DAMAGED', `${name} is damaged. Get another copy of it.`, error);
}
