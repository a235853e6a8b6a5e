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
import type { ReceiveProgress } from './worker-protocol.ts';

/** Encrypts the file when it is not. Throws StoreError; then it is as it was, perhaps with a newer schema. */
export async function encryptPlain(
  path: string,
  migrations: readonly Migration[],
  key: Uint8Array,
  receiveProgress: ReceiveProgress = () => undefined,
): Promise<void> {
  const copy = `${path}.encrypted`;
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(copy + end, { force: true });
  if (!isPlainDatabase(path)) return;
  receiveProgress('encrypting', 0, null);
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
    copyTables(fresh, (done, total) => receiveProgress('encrypting', done, total));
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

/** Rows that are copied between two reports. */
const STEP_ROWS = 10_000;

/** Every table of our own; what the search index consists of is made anew. `receiveRows`: so many of so many, roughly. */
function copyTables(fresh: Database, receiveRows: (done: number, total: number) => void): void {
  const tables = fresh
    .prepare<[], { name: string; sql: string }>(
      `SELECT name, sql FROM plain.sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'message\\_words\\_%' ESCAPE '\\'`,
    )
    .all()
    .map(({ name, sql }) => ({ name, last: /WITHOUT ROWID/i.test(sql) ? null : lastRow(fresh, name) }));
  const total = tables.reduce((sum, { last }) => sum + (last ?? 0), 0);
  let done = 0;
  fresh.transaction(() => {
    for (const { name, last } of tables) {
      fresh.exec(`DELETE FROM main.${name}`);
      if (last === null) {
        fresh.exec(`INSERT INTO main.${name} SELECT * FROM plain.${name}`);
        continue;
      }
      const copy = fresh.prepare<[number, number]>(
        `INSERT INTO main.${name} SELECT * FROM plain.${name} WHERE rowid > ? AND rowid <= ?`,
      );
      for (let row = 0; row < last; row += STEP_ROWS) {
        copy.run(row, row + STEP_ROWS);
        receiveRows(done + Math.min(row + STEP_ROWS, last), total);
      }
      done += last;
    }
    fresh.exec(
      'DELETE FROM main.sqlite_sequence; INSERT INTO main.sqlite_sequence SELECT * FROM plain.sqlite_sequence',
    );
  })();
}

function lastRow(fresh: Database, table: string): number {
  const row = fresh
    .prepare<[], { last: number | null }>(`SELECT max(rowid) AS last FROM plain.${table}`)
    .get();
  return row?.last ?? 0;
}
