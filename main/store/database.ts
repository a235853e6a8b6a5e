/**
 * Owns: opening a database file: driver, pragmas, schema version, migrations. The only import of better-sqlite3-multiple-ciphers.
 * Called by: worker.ts, hosts/single-instance.ts, tests. Calls: better-sqlite3-multiple-ciphers.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type BetterSqlite3 from 'better-sqlite3-multiple-ciphers';
import { wireKey } from './message-keys.ts';

export type Database = BetterSqlite3.Database;

/** One step of the schema; run once, in a transaction, in order of `version`. */
export interface Migration {
  readonly version: number;
  readonly sql: string;
}

/**
 * `STORE_LOCKED`: it is encrypted, and its key is not there; `STORE_WRONG_KEY`: it is another one, or the file is damaged
 * where it begins. Of what is only read: `STORE_NOT_A_HISTORY`, and `STORE_UNFINISHED` for an archive without its end.
 */
export type StoreErrorCode =
  | 'STORE_LOCKED'
  | 'STORE_WRONG_KEY'
  | 'STORE_NOT_A_HISTORY'
  | 'STORE_UNFINISHED'
  | 'STORE_TOO_NEW'
  | 'STORE_DAMAGED'
  | 'STORE_READ_ONLY'
  | 'STORE_FULL'
  | 'STORE_FAILED';

/** The file cannot be used. `message` says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Maps an error of SQLite to what it means for the user. */
export function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const { code = '' } = (error ?? {}) as { code?: string };
  const text = error instanceof Error ? error.message : String(error);
  if (code.startsWith('SQLITE_FULL') || code === 'ENOSPC') {
    return new StoreError(
      'STORE_FULL',
      'The disk is full. Free some space; nothing that was stored is lost.',
      error,
    );
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_CANTOPEN') || code === 'EACCES') {
    return new StoreError(
      'STORE_READ_ONLY',
      'The profile folder cannot be written. Check its permissions.',
      error,
    );
  }
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) {
    return new StoreError('STORE_DAMAGED', 'The history file is damaged. Restore it from a copy.', error);
  }
  return new StoreError('STORE_FAILED', `The history could not be read or written (${text}).`, error);
}

type Driver = typeof BetterSqlite3;

// The driver asks the environment of the process when it is loaded first: only a name that is a URI can say "immutable".
// Every path of ours is absolute, so none is taken for one. In a thread this changes nothing, and need not.
process.env['SQLITE_USE_URI'] = '1';

/** Loads the prebuilt binary of this platform directly: the package's default entry may take hundreds of ms. */
async function loadDriver(): Promise<Driver> {
  const musl =
    process.platform === 'linux' &&
    existsSync(`/lib/ld-musl-${process.arch === 'x64' ? 'x86_64' : 'aarch64'}.so.1`);
  const platform = musl ? 'linuxmusl' : process.platform;
  const module = (await import(`better-sqlite3-multiple-ciphers/${platform}-${process.arch}`)) as {
    default: Driver;
  };
  return module.default;
}

let driver: Driver | undefined;

/** What every file that is not encrypted begins with. */
const PLAIN_HEADER = 'SQLite format 3\0';
const PAGE_BYTES = 8_192;
/** What of a file is kept decrypted: the list of a thousand conversations touches two pages for each. */
const CACHE_KB = 64_000;

/** Three numbers that never change, which the encryption leaves as they are, and where. */
const FIXED_HEADER = Buffer.from([0x40, 0x20, 0x20]);
const FIXED_AT = 21;

function headerOf(path: string): Buffer {
  const header = Buffer.alloc(FIXED_AT + FIXED_HEADER.length);
  if (!existsSync(path)) return header;
  const file = openSync(path, 'r');
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  return header;
}

/** Is it a database that anybody can read? Not there, empty or something else: no. */
export function isPlainDatabase(path: string): boolean {
  return headerOf(path).toString('latin1', 0, PLAIN_HEADER.length) === PLAIN_HEADER;
}

/** Is it a database that nobody can read without its key? */
export function isEncryptedDatabase(path: string): boolean {
  return !isPlainDatabase(path) && headerOf(path).subarray(FIXED_AT).equals(FIXED_HEADER);
}

/** Where a file says how much of each page is kept for its check: that tells which cipher it is, AEGIS keeps 64 bytes. */
const KEPT_AT = 20;
const KEPT_BY_CHACHA20 = 32;

/**
 * AEGIS-256, each page on its own with its check; a file of before stays with ChaCha20-Poly1305. The key is used as it is.
 * Behind it may stand the 16 bytes that the file begins with.
 */
function unlock(database: Database, path: string, key: Uint8Array): void {
  const cipher = headerOf(path)[KEPT_AT] === KEPT_BY_CHACHA20 ? 'chacha20' : 'aegis';
  database.pragma(`cipher = '${cipher}'`);
  database.key(Buffer.from(`raw:${Buffer.from(key).toString('hex')}`));
}

/**
 * Opens or creates `path` and brings it to the newest schema. Throws StoreError; a file of a newer program is left
 * as it is. `upTo` stops at an older schema (for tests of migrations). `key`: 32 bytes; absent: it is not encrypted.
 * `receiveStep`: before each step of an older file to the newest schema, how many are done, of how many.
 */
export async function openDatabase(
  path: string,
  migrations: readonly Migration[],
  upTo = Number.MAX_SAFE_INTEGER,
  key?: Uint8Array,
  receiveStep: (done: number, total: number) => void = () => undefined,
): Promise<Database> {
  driver ??= await loadDriver();
  let database: Database | undefined;
  try {
    database = new driver(path, { timeout: 5_000 });
    if (key !== undefined) unlock(database, path, key);
    const found = Number(database.pragma('user_version', { simple: true }));
    const newest = migrations.at(-1)?.version ?? 0;
    if (found > newest) {
      throw new StoreError(
        'STORE_TOO_NEW',
        `This history was written by a newer Parley (schema ${found}, this one knows ${newest}). Update Parley; nothing was changed.`,
      );
    }
    // Of a new file. Fewer rows lie across the end of a page, and less is lost to the check of each.
    database.pragma(`page_size = ${PAGE_BYTES}`);
    // Empty pages go back when the store is idle.
    database.pragma('auto_vacuum = INCREMENTAL');
    // WAL with FULL: a commit that has returned survives a power cut.
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    database.pragma('trusted_schema = OFF');
    database.pragma('temp_store = MEMORY');
    database.pragma(`cache_size = -${CACHE_KB}`);
    addFunctions(database);
    migrate(database, migrations, { found, upTo }, receiveStep);
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error);
  }
}

/**
 * Opens a file that nobody writes to, and writes nothing: not to it, not beside it. What a log beside it has is not read.
 * Throws the error of SQLite.
 */
export async function openImmutable(path: string, key?: Uint8Array): Promise<Database> {
  driver ??= await loadDriver();
  const database = new driver(`${pathToFileURL(path).href}?immutable=1&mode=ro`, {
    readonly: true,
    fileMustExist: true,
  });
  try {
    if (key !== undefined) unlock(database, path, key);
    database.pragma('trusted_schema = OFF');
    database.pragma('temp_store = MEMORY');
    database.pragma(`cache_size = -${CACHE_KB}`);
    addFunctions(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Opens a file that may be damaged, to read what can be read, also when its end is missing. Throws the error of SQLite. */
export async function openDamaged(path: string, key?: Uint8Array): Promise<Database> {
  driver ??= await loadDriver();
  const database = new driver(path, { fileMustExist: true });
  try {
    if (key !== undefined && !isPlainDatabase(path)) unlock(database, path, key);
    database.pragma('trusted_schema = OFF');
    // A file that is shorter than it says is refused otherwise.
    database.unsafeMode(true);
    database.pragma('writable_schema = ON');
    database.pragma('query_only = ON');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Looks through a whole file, in the thread of the caller. Returns what is wrong, in the words of SQLite. */
export async function findDamage(path: string, key?: Uint8Array): Promise<string | undefined> {
  let database: Database | undefined;
  try {
    database = await openDamaged(path, key);
    const rows = database.pragma('quick_check(1)') as { quick_check: string }[];
    const found = rows[0]?.quick_check ?? 'no answer';
    return found === 'ok' ? undefined : found;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    database?.close();
  }
}

/**
 * A lock on a file that the system takes back when the program ends, however it ends. Undefined while somebody else has
 * it. Throws StoreError when the file cannot be used.
 */
export async function takeFileLock(path: string): Promise<Disposable | undefined> {
  driver ??= await loadDriver();
  let database: Database | undefined;
  try {
    const held = new driver(path, { timeout: 0 });
    database = held;
    held.exec('BEGIN EXCLUSIVE');
    return { [Symbol.dispose]: () => held.close() };
  } catch (error) {
    database?.close();
    if (String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY')) return undefined;
    throw asStoreError(error);
  }
}

/** What statements of ours use. */
function addFunctions(database: Database): void {
  database.function('wire_key', { deterministic: true }, (wireId: unknown) => wireKey(String(wireId)));
}

function migrate(
  database: Database,
  migrations: readonly Migration[],
  { found, upTo }: { readonly found: number; readonly upTo: number },
  receiveStep: (done: number, total: number) => void,
): void {
  const steps = migrations.filter(({ version }) => version > found && version <= upTo);
  const take = ({ version, sql }: Migration): void => {
    database.exec(sql);
    database.pragma(`user_version = ${version}`);
  };
  // A new file has nothing that could take its time: it is there with all steps or with none.
  if (found === 0) {
    database.transaction(() => {
      for (const step of steps) take(step);
    })();
    return;
  }
  for (const [done, step] of steps.entries()) {
    receiveStep(done, steps.length);
    database.transaction(() => {
      take(step);
    })();
  }
}
