/**
 * Opening a history when something is wrong: a migration that fails, a full disk, errors in words.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asStoreError, openDatabase, StoreError, type Database } from '../../main/store/database.ts';
import { imserverMigrations } from '../../main/store/migrations/imserver.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-store-'));
  path = join(folder, 'history.sqlite');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function fill(database: Database): void {
  database.exec(`
    INSERT INTO accounts (id, address, display_name, server, kind, secret, secret_backend, created_ms)
      VALUES ('a1', 'bob@example.org', 'Bob', '', 'server', x'00', 'file-permissions', 1);
    INSERT INTO contacts VALUES ('a1', 'tom@example.org', 'Tom');
    INSERT INTO conversations (key, id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES (1, 'c-1', 'a1', 'tom@example.org', 'Tom', 'accepted', 1);
    INSERT INTO messages (conversation, direction, wire_key, wire_id, text, sent_at_ms, stored_after_ms, state)
      VALUES (1, 1, 1, 'm1', 'Grüße aus Köln', 1, 0, 0), (1, 0, 2, 'w2', 'Thanks', 2, 0, 7);
  `);
}

describe('migrations of a history', () => {
  it('each version in the list is one higher than the one before', () => {
    for (const list of [messengerMigrations, imserverMigrations]) {
      expect(list.map(({ version }) => version)).toEqual(list.map((_migration, index) => index + 1));
    }
  });

  it('a migration that fails leaves the version before it, whole; a new file is made with all of them or stays empty', async () => {
    const broken = [
      ...messengerMigrations,
      {
        version: messengerMigrations.length + 1,
        sql: 'CREATE TABLE extra (x); SELECT nonsense FROM nowhere;',
      },
    ];
    const failure = { name: 'StoreError', code: 'STORE_FAILED' };
    await expect(openDatabase(path, broken)).rejects.toMatchObject(failure);
    const empty = await openDatabase(path, []);
    expect(empty.pragma('user_version', { simple: true })).toBe(0);
    expect(empty.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 });
    empty.close();
    (await openDatabase(path, messengerMigrations, 3)).close();
    await expect(openDatabase(path, broken)).rejects.toMatchObject(failure);
    const database = await openDatabase(path, broken.slice(0, -1), 0);
    expect(database.pragma('user_version', { simple: true })).toBe(messengerMigrations.length);
    expect(database.prepare(`SELECT count(*) AS n FROM sqlite_schema WHERE name = 'extra'`).get()).toEqual({
      n: 0,
    });
    database.close();
  });
});

describe('migrations of an IM Server', () => {
  it('1 to 2: devices that were registered stay, of no known instance', async () => {
    const before = await openDatabase(path, imserverMigrations, 1);
    before.exec(
      `INSERT INTO bindings VALUES ('tom', 'sip:tom@127.0.0.1:5', 'call', 7, 'sip:127.0.0.1:5;transport=udp', 99)`,
    );
    before.close();
    const database = await openDatabase(path, imserverMigrations, 2);
    expect(database.prepare('SELECT * FROM bindings').all()).toEqual([
      {
        user: 'tom',
        contact: 'sip:tom@127.0.0.1:5',
        call_id: 'call',
        cseq: 7,
        source: 'sip:127.0.0.1:5;transport=udp',
        expires_ms: 99,
        instance: '',
      },
    ]);
    database.close();
  });
});

describe('errors', () => {
  it('a full disk is named full, and what was there stays', async () => {
    const database = await openDatabase(path, messengerMigrations);
    fill(database);
    database.pragma(`max_page_count = ${Number(database.pragma('page_count', { simple: true }))}`);
    const insert = database.prepare(
      `INSERT INTO messages (conversation, direction, wire_key, wire_id, text, sent_at_ms, stored_after_ms, state) VALUES (1, 0, 3, 'w3', ?, 1, 0, 7)`,
    );
    let failure: unknown;
    try {
      insert.run('x'.repeat(1_000_000));
    } catch (error) {
      failure = asStoreError(error);
    }
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({
      code: 'STORE_FULL',
      message: 'The disk is full. Free some space; nothing that was stored is lost.',
    });
    expect(database.prepare('SELECT count(*) AS n FROM messages').get()).toEqual({ n: 2 });
    database.close();
  });

  it.each([
    ['SQLITE_FULL', 'STORE_FULL'],
    ['ENOSPC', 'STORE_FULL'],
    ['SQLITE_READONLY_DBMOVED', 'STORE_READ_ONLY'],
    ['SQLITE_CANTOPEN', 'STORE_READ_ONLY'],
    ['EACCES', 'STORE_READ_ONLY'],
    ['SQLITE_CORRUPT_VTAB', 'STORE_DAMAGED'],
    ['SQLITE_NOTADB', 'STORE_DAMAGED'],
    ['SQLITE_BUSY', 'STORE_FAILED'],
  ])('%s is %s', (code, expected) => {
    expect(asStoreError(Object.assign(new Error('x'), { code }))).toMatchObject({ code: expected });
  });
});
