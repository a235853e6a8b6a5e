/**
 * What is only read: archives and histories of copied profiles. Not a byte of them changes, whatever they are.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { openFilledHistory } from '../support/filled-history.ts';
import { eventually } from '../support/eventually.ts';

vi.setConfig({ testTimeout: 60_000 });

const KEY = new Uint8Array(32).fill(7);

let folder: string;
let copy: string;
let scratch: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-opening-'));
  copy = join(folder, 'copy of a profile #1?', 'history.sqlite');
  scratch = join(folder, 'scratch');
  await mkdir(join(folder, 'copy of a profile #1?'));
  await mkdir(scratch);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Names, bytes and times of everything in the folder of the copy. */
async function stateOf(): Promise<unknown[]> {
  const place = join(copy, '..');
  const names = (await readdir(place)).sort();
  return Promise.all(
    names.map(async (name) => {
      const path = join(place, name);
      const { mtimeMs, size } = await stat(path);
      return [
        name,
        size,
        mtimeMs,
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ];
    }),
  );
}

/** Long ago: whatever touches it changes that. */
async function settle(): Promise<void> {
  const place = join(copy, '..');
  for (const name of await readdir(place)) await utimes(join(place, name), 1_000_000_000, 1_000_000_000);
}

async function usedAsByAWindow(store: Store): Promise<void> {
  const conversationId = 'with-tom' as ConversationId;
  expect(await store.call('selectConversations', null)).toHaveLength(3);
  const page = await store.call('selectMessagePage', { conversationId, limit: 200 });
  expect(page.messages).toHaveLength(200);
  expect(await store.search({ text: '今天', limit: 9 })).toHaveLength(3);
  expect(await store.call('selectDays', { conversationId, fromDay: 0, toDay: 99_999 })).toHaveLength(1);
  const refused = store.call('markRead', { conversationId, position: 999 });
  await expect(refused).rejects.toMatchObject({ code: 'STORE_READ_ONLY' });
}

it.each([
  ['plain', undefined],
  ['encrypted', KEY],
])('a copied history is read where it lies: %s', async (_what, key) => {
  const original = await openFilledHistory(folder, key);
  await original[Symbol.asyncDispose]();
  await copyFile(join(folder, 'history.sqlite'), copy);
  await settle();
  const before = await stateOf();
  const store = await Store.openArchive(copy, { folder: scratch, key });
  expect(store.archive).toEqual({ isArchive: false, copy: null });
  await usedAsByAWindow(store);
  expect(await stateOf()).toEqual(before);
  await store[Symbol.asyncDispose]();
  expect(await stateOf()).toEqual(before);
  expect(await readdir(scratch)).toEqual([]);
});

it('a history that was copied while it was in use shows what its log has, and both stay as they are', async () => {
  await using original = await openFilledHistory(folder);
  const conversationId = 'with-tom' as ConversationId;
  await original.insertMessage({
    id: 'newest' as MessageId,
    conversationId,
    direction: 'out',
    wireId: 'newest',
    text: 'only in the log',
    sentAtMs: Date.now(),
    storedAtMs: Date.now(),
    state: 'sent',
    displayReportWanted: false,
  });
  for (const end of ['', '-wal']) await copyFile(join(folder, `history.sqlite${end}`), copy + end);
  await settle();
  const before = await stateOf();
  const store = await Store.openArchive(copy, { folder: scratch });
  expect(store.archive).toEqual({ isArchive: false, copy: join(scratch, 'copy.sqlite') });
  expect(await store.search({ text: 'only log', limit: 9 })).toHaveLength(1);
  await store[Symbol.asyncDispose]();
  expect(await stateOf()).toEqual(before);
});

it('a history of an older program is read all the same, and stays what it is', async () => {
  const old = await openDatabase(copy, messengerMigrations, 6, KEY);
  old.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES ('c', 'a', 'tom@example.org', 'Tom', 'accepted', 1);
    INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state)
      VALUES ('m', 'c', 'in', 'w', 'from long ago', 1, 1, 'read');`);
  old.close();
  await settle();
  const before = await stateOf();
  const store = await Store.openArchive(copy, { folder: scratch, key: KEY });
  await eventually(async () => {
    expect(await store.search({ text: 'long ago', limit: 9 })).toHaveLength(1);
  });
  await store[Symbol.asyncDispose]();
  expect(await stateOf()).toEqual(before);
});

it('says what is wrong with a file, and leaves it alone', async () => {
  const problem = (path = copy, key?: Uint8Array) =>
    Store.openArchive(path, { folder: scratch, key }).then(
      async (store) => {
        await store[Symbol.asyncDispose]();
        return 'opened';
      },
      (error: unknown) => (error as { code: string; message: string }).code,
    );
  expect(await problem(join(folder, 'nowhere.parley'))).toBe('STORE_NOT_A_HISTORY');
  expect(await problem(folder)).toBe('STORE_NOT_A_HISTORY');
  await writeFile(copy, 'a letter to my aunt'.repeat(1_000));
  expect(await problem()).toBe('STORE_NOT_A_HISTORY');
  await rm(copy);
  const stranger = await openDatabase(copy, []);
  stranger.exec('CREATE TABLE recipes (name TEXT); PRAGMA user_version = 3');
  stranger.close();
  expect(await problem()).toBe('STORE_NOT_A_HISTORY');
  await rm(copy);
  const encrypted = await openDatabase(copy, messengerMigrations, undefined, KEY);
  encrypted.close();
  expect(await problem()).toBe('STORE_LOCKED');
  expect(await problem(copy, new Uint8Array(32).fill(8))).toBe('STORE_WRONG_KEY');
  expect(await problem(copy, KEY)).toBe('opened');
  const newer = await openDatabase(copy, messengerMigrations, undefined, KEY);
  newer.pragma('user_version = 999');
  newer.close();
  await settle();
  const before = await stateOf();
  await expect(Store.openArchive(copy, { folder: scratch, key: KEY })).rejects.toThrow(
    /history\.sqlite was written by a newer Parley .* Update Parley to read it/,
  );
  expect(await stateOf()).toEqual(before);
});
