/**
 * What is told while a history takes its time to open: one that is encrypted, brought up to date, recovered.
 */
import { open, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { OpeningTask } from '../../shared/domain/opening.ts';
import { openFilledHistory } from '../support/filled-history.ts';

vi.setConfig({ testTimeout: 60_000 });

const KEY = new Uint8Array(32).fill(7);
let folder: string;
let path: string;
let told: { task: OpeningTask; done: number; total: number | null }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-progress-'));
  path = join(folder, 'history.sqlite');
  told = [];
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const opened = (key?: Uint8Array) =>
  Store.open(path, { key, receiveProgress: (task, done, total) => told.push({ task, done, total }) });

it('a history that is as it should be says nothing', async () => {
  await (await openFilledHistory(folder, KEY))[Symbol.asyncDispose]();
  await using store = await opened(KEY);
  expect(store.opened.wasOpen).toBe(false);
  expect(told).toEqual([]);
});

it('a plain one that is encrypted says how far it is', async () => {
  const plain = await openDatabase(path, messengerMigrations);
  plain.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES ('c', 'a', 'tom@example.org', 'Tom', 'accepted', 1);`);
  plain.close();
  const filled = await Store.open(path);
  await Promise.all(
    Array.from({ length: 25_000 }, (_, at) =>
      filled.insertMessage({
        id: `m${at}` as never,
        conversationId: 'c' as never,
        direction: 'out',
        wireId: `m${at}`,
        text: `number ${at}`,
        sentAtMs: at,
        storedAtMs: at,
        state: 'sent',
        displayReportWanted: false,
      }),
    ),
  );
  await filled[Symbol.asyncDispose]();
  await using store = await opened(KEY);
  const { messages } = await store.call('selectMessagePage', { conversationId: 'c' as never, limit: 1 });
  expect(messages[0]?.text).toBe('number 24999');
  expect(new Set(told.map(({ task }) => task))).toEqual(new Set(['encrypting']));
  const steps = told.map(({ done }) => done);
  expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  expect(steps.length).toBeGreaterThan(5);
  expect(told.at(-1)?.done).toBe(told.at(-1)?.total);
});

it('one of an older program says which step of how many', async () => {
  const old = await openDatabase(path, messengerMigrations, 6, KEY);
  old.close();
  await using store = await opened(KEY);
  expect(await store.call('selectConversations', null)).toEqual([]);
  const total = messengerMigrations.filter(({ version }) => version > 6).length;
  expect(told).toEqual(Array.from({ length: total }, (_, done) => ({ task: 'updating', done, total })));
});

it('a damaged one says that it is being recovered', async () => {
  await (await openFilledHistory(folder, KEY))[Symbol.asyncDispose]();
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  await file.write(Buffer.alloc(8_192, 0x55), 0, 8_192, Math.floor(size / 16_384) * 8_192);
  await file.close();
  await open(`${path}.damaged`, 'w').then((mark) => mark.close());
  await using store = await opened(KEY);
  expect(store.opened.recovered?.source).toBe('file');
  expect(told[0]).toEqual({ task: 'recovering', done: 0, total: null });
});
