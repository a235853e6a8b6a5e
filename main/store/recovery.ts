/**
 * Owns: what happens to a history that is damaged: it is set aside, and what can be read of it goes into a new one.
 * Called by: worker.ts, before the file is opened. Calls: database.ts, node:fs.
 *
 * The new file takes the place of the damaged one by two renames; whatever moment the program ends at, the next start
 * goes on where this one stopped, and the damaged file is never deleted.
 */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { fileStamp } from './backups.ts';
import { asStoreError, openDatabase, openDamaged, type Database, type Migration } from './database.ts';
import { indexAnew } from './index-anew.ts';
import type { ReceiveProgress } from './worker-protocol.ts';

/** What was saved of a damaged history. */
export interface RecoveryReport {
  /** Where the damaged file lies now. */
  readonly setAside: string;
  /** What the new one was made of. `nothing`: not even its first page could be read, and there was no backup. */
  readonly source: 'file' | 'backup' | 'nothing';
  /** Messages that were saved, and such that are known to be missing; -1 when nobody can tell. */
  readonly messages: number;
  readonly missing: number;
}

/** In the order in which they refer to each other. What is made of others is made anew. */
const TABLES = [
  'settings',
  'accounts',
  'contacts',
  'conversations',
  'conversation_rules',
  'deletions',
  'header_shapes',
  'messages',
  'groups',
  'group_people',
  'group_messages',
  'transfers',
  'sessions',
];
/** Rows of one transaction. */
const BATCH = 1_000;

const companions = ['', '-wal', '-shm'];

/** Says beside a history that the next start has to repair it. */
export function damageMarkOf(path: string): string {
  return `${path}.damaged`;
}

/** `history.sqlite` → `history-damaged-20260131-120000.sqlite`, a name that is free. */
function nameAside(path: string, now: Date): string {
  const base = `${path.replace(/\.sqlite$/, '')}-damaged-${fileStamp(now)}`;
  for (let count = 1; ; count += 1) {
    const name = `${base}${count === 1 ? '' : `-${count}`}.sqlite`;
    if (!existsSync(name)) return name;
  }
}

/** Puts what an interrupted repair has finished in its place. Called before each opening. */
export function finishRecovery(path: string): void {
  if (!existsSync(path) && existsSync(`${path}.recovered`)) renameSync(`${path}.recovered`, path);
}

/**
 * Repairs. `backups`: the files to fall back on, newest first. `key`: what it and they are encrypted with, and the new one. Throws StoreError when not even a new file can be
 * written; then nothing has been moved.
 */
export async function recoverDatabase(
  path: string,
  migrations: readonly Migration[],
  backups: readonly string[] = [],
  key?: Uint8Array,
  receiveProgress: ReceiveProgress = () => undefined,
  now: Date = new Date(),
): Promise<RecoveryReport> {
  const recovered = `${path}.recovered`;
  for (const end of companions) rmSync(recovered + end, { force: true });
  let source: RecoveryReport['source'] = 'file';
  receiveProgress('recovering', 0, null);
  const receiveMessages = (done: number, total: number | null): void => {
    receiveProgress('recovering', done, total);
  };
  let counts = await copyReadable(path, recovered, migrations, key, receiveMessages);
  if (counts === undefined) {
    source = 'backup';
    for (const backup of backups) {
      counts = await copyReadable(backup, recovered, migrations, key, receiveMessages);
      if (counts !== undefined) break;
    }
  }
  if (counts === undefined) {
    source = 'nothing';
    counts = { messages: 0, missing: -1 };
    (await openDatabase(recovered, migrations, undefined, key)).close();
  }
  const setAside = nameAside(path, now);
  for (const end of ['-wal', '-shm', '']) {
    if (existsSync(path + end)) renameSync(path + end, setAside + end);
  }
  finishRecovery(path);
  rmSync(damageMarkOf(path), { force: true });
  return { setAside, source, ...counts };
}

/** Undefined when nothing at all can be read. */
async function copyReadable(
  from: string,
  to: string,
  migrations: readonly Migration[],
  key: Uint8Array | undefined,
  receiveMessages: (done: number, total: number | null) => void,
): Promise<{ messages: number; missing: number } | undefined> {
  let old: Database | undefined;
  let fresh: Database | undefined;
  try {
    old = await openDamaged(from, key);
    const version = Number(old.pragma('user_version', { simple: true }));
    if (version < 1 || version > (migrations.at(-1)?.version ?? 0)) return undefined;
    // Throws when it is not even known where they lie: then a backup has more.
    old.prepare('SELECT 1 FROM messages LIMIT 0');
    // The rows are those of that version; what comes after changes them as always.
    for (const end of companions) rmSync(to + end, { force: true });
    fresh = await openDatabase(to, migrations, version, key);
    fresh.pragma('foreign_keys = OFF');
    const expected = expectedMessages(old);
    for (const table of TABLES) {
      copyTable(old, fresh, table, (rows) => {
        if (table === 'messages') receiveMessages(rows, expected > 0 ? expected : null);
      });
    }
    adoptOrphans(fresh);
    const messages = countOf(fresh, 'messages');
    const missing = expected - messages;
    fresh.close();
    fresh = await openDatabase(to, migrations, undefined, key);
    indexAnew(fresh);
    fresh.close();
    return { messages, missing: Math.max(0, missing) };
  } catch (error) {
    fresh?.close();
    const { code } = asStoreError(error);
    if (code === 'STORE_FULL' || code === 'STORE_READ_ONLY') throw asStoreError(error);
    return undefined;
  } finally {
    old?.close();
  }
}

function hasTable(database: Database, table: string): boolean {
  return (
    database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?`).get(table) !== undefined
  );
}

function columnsOf(database: Database, table: string): string[] {
  return (database.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name);
}

function countOf(database: Database, table: string): number {
  return (database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
}

/** The number that the file itself says was given out last, without what was deleted: else there are no gaps. */
function expectedMessages(old: Database): number {
  try {
    const row = old.prepare(`SELECT seq FROM sqlite_sequence WHERE name = 'messages'`).get();
    return ((row as { seq: number } | undefined)?.seq ?? 0) - deletedMessages(old);
  } catch {
    return 0;
  }
}

function deletedMessages(old: Database): number {
  if (!hasTable(old, 'deletions')) return 0;
  const row = old.prepare('SELECT messages FROM deletions').get() as { messages: number } | undefined;
  return row?.messages ?? 0;
}

function copyTable(old: Database, fresh: Database, table: string, receiveRows: (done: number) => void): void {
  let columns: string[];
  try {
    if (!hasTable(old, table) || !hasTable(fresh, table)) return;
    const known = new Set(columnsOf(fresh, table));
    columns = columnsOf(old, table).filter((name) => known.has(name));
  } catch {
    return;
  }
  const insert = fresh.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  const write = fresh.transaction((rows: unknown[][]) => {
    for (const row of rows) {
      try {
        insert.run(...row);
      } catch (error) {
        // A row whose bytes are damaged no longer has the types of its columns.
        if (asStoreError(error).code === 'STORE_FULL') throw error;
      }
    }
  });
  let batch: unknown[][] = [];
  let done = 0;
  for (const row of readableRows(old, table, columns)) {
    batch.push(row);
    if (batch.length < BATCH) continue;
    write(batch);
    done += batch.length;
    receiveRows(done);
    batch = [];
  }
  write(batch);
}

/** Every row that can be read: from the beginning, behind each damaged place, and back from the end. */
function* readableRows(old: Database, table: string, columns: readonly string[]): Generator<unknown[]> {
  const list = columns.join(', ');
  const isRowidTable = !/WITHOUT ROWID/i.test(schemaOf(old, table));
  if (!isRowidTable) {
    for (const order of ['', ` ORDER BY ${columns[0] ?? '1'} DESC`]) {
      const rows = old.prepare(`SELECT ${list} FROM ${table}${order}`).raw();
      if ((yield* untilDamage(rows.iterate() as Iterator<unknown[]>)) === 'end') return;
    }
    return;
  }
  const forward = old.prepare(`SELECT rowid, ${list} FROM ${table} WHERE rowid > ? ORDER BY rowid`).raw();
  let last = 0;
  let gap = 1;
  while (gap < 2 ** 40) {
    const before = last;
    let isOver = true;
    try {
      for (const [rowid, ...row] of forward.iterate(last + gap - 1) as Iterable<unknown[]>) {
        last = Number(rowid);
        yield row;
      }
    } catch {
      isOver = false;
    }
    if (isOver) return;
    gap = last > before ? 1 : gap * 2;
  }
  const backward = old
    .prepare(`SELECT rowid, ${list} FROM ${table} WHERE rowid > ? ORDER BY rowid DESC`)
    .raw();
  try {
    for (const [, ...row] of backward.iterate(last) as Iterable<unknown[]>) yield row;
  } catch {
    // What lies between is lost.
  }
}

function* untilDamage(rows: Iterator<unknown[]>): Generator<unknown[], 'end' | 'damage'> {
  for (;;) {
    let next: IteratorResult<unknown[]>;
    try {
      next = rows.next();
    } catch {
      return 'damage';
    }
    if (next.done === true) return 'end';
    yield next.value;
  }
}

function schemaOf(database: Database, table: string): string {
  const row = database.prepare('SELECT sql FROM sqlite_schema WHERE name = ?').get(table);
  return (row as { sql: string } | undefined)?.sql ?? '';
}

/** Messages whose conversation is lost get one that says so. */
function adoptOrphans(fresh: Database): void {
  if (columnsOf(fresh, 'messages').includes('conversation_id')) adoptByText(fresh);
  else adoptByNumber(fresh);
  fresh.exec('DELETE FROM contacts WHERE account_id NOT IN (SELECT id FROM accounts)');
}

/** Up to schema 6 the conversation of a message is its id. */
function adoptByText(fresh: Database): void {
  fresh.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      SELECT m.conversation_id, coalesce((SELECT id FROM accounts LIMIT 1), ''), m.conversation_id,
        'Recovered messages', 'accepted', max(m.stored_at_ms)
      FROM messages m WHERE m.conversation_id NOT IN (SELECT id FROM conversations) GROUP BY m.conversation_id;
    DELETE FROM sessions WHERE conversation_id NOT IN (SELECT id FROM conversations);
  `);
  if (hasTable(fresh, 'transfers')) {
    fresh.exec('DELETE FROM transfers WHERE message_id NOT IN (SELECT id FROM messages)');
  }
}

function adoptByNumber(fresh: Database): void {
  fresh.exec(`
    INSERT INTO conversations (key, id, account_id, peer_address, peer_name, standing, last_activity_ms)
      SELECT m.conversation, 'recovered-' || m.conversation, coalesce((SELECT id FROM accounts LIMIT 1), ''),
        'recovered-' || m.conversation, 'Recovered messages', 'accepted', max(m.sent_at_ms + m.stored_after_ms)
      FROM messages m WHERE m.conversation NOT IN (SELECT key FROM conversations) GROUP BY m.conversation;
    DELETE FROM sessions WHERE conversation NOT IN (SELECT key FROM conversations);
    DELETE FROM transfers WHERE position NOT IN (SELECT position FROM messages);
  `);
  if (!hasTable(fresh, 'groups')) return;
  fresh.exec(`
    DELETE FROM groups WHERE conversation NOT IN (SELECT key FROM conversations);
    DELETE FROM group_people WHERE conversation NOT IN (SELECT key FROM conversations);
    DELETE FROM group_messages WHERE position NOT IN (SELECT position FROM messages);
  `);
}
