/**
 * Owns: how a history that anybody could read becomes an encrypted one. Called by: worker.ts. Calls: database.ts, node:fs.
 *
 * Everything is copied into a new, encrypted file beside it, which takes its place in one rename when it is on the disk:
 * whatever moment the program ends at, the file is there, as it was or encrypted.
 */
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isPlainDatabase, openDatabase, StoreError, type Database, type Migration } from './database.ts';
import { indexAnew } from './index-anew.ts';
import { syncPath } from './sync-path.ts';

/** Encrypts the file when it is not. Throws StoreError; then it is as it was, perhaps with a newer schema. */
export async function encryptPlain(
  path: string,
  migrations: readonly Migration[],
  key: Uint8Array,
): Promise<void> {
  const copy = `${path}.encrypted`;
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(copy + end, { force: true });
  if (!isPlainDatabase(path)) return;
  const plain = await openDatabase(path, migrations);
  plain.pragma('wal_checkpoint(TRUNCATE)');
  plain.close();
  if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0) {
    throw new StoreError('STORE_FAILED', 'Another program uses this history. End it first.');
  }
  const fresh = await openDatabase(copy, migrations, undefined, key);
  try {
    // Until it has its name nobody misses it: no journal, and one wait for the disk at the end.
    fresh.pragma('journal_mode = OFF');
    fresh.pragma('synchronous = OFF');
    fresh.pragma('foreign_keys = OFF');
    fresh.prepare("ATTACH ? AS plain KEY ''").run(path);
    copyTables(fresh);
    fresh.exec('DETACH plain');
    indexAnew(fresh);
  } finally {
    fresh.close();
  }
  syncPath(copy);
  for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
  renameSync(copy, path);
  syncPath(dirname(path));
}

/** Every table of our own; what the search index consists of is made anew. */
function copyTables(fresh: Database): void {
  const tables = fresh
    .prepare<[], { name: string }>(
      `SELECT name FROM plain.sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'message\\_words\\_%' ESCAPE '\\'`,
    )
    .all();
  fresh.transaction(() => {
    for (const { name } of tables) {
      fresh.exec(`DELETE FROM main.${name}; INSERT INTO main.${name} SELECT * FROM plain.${name}`);
    }
    fresh.exec(
      'DELETE FROM main.sqlite_sequence; INSERT INTO main.sqlite_sequence SELECT * FROM plain.sqlite_sequence',
    );
  })();
}
