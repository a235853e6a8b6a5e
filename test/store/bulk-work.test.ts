/**
 * Many imports after each other share commits: each gets its own answer when it is on disk, and whatever else is asked does
 * not wait for all of them.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import type { NewMessage } from '../../main/store/messages.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';

let folder: string;
let store: Store;
const conversationId = 'c1' as ConversationId;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-bulk-'));
  store = await Store.open(join(folder, 'history.sqlite'));
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'a1' as AccountId,
    peerAddress: 'tom@example.org',
    peerName: 'Tom',
    standing: 'accepted',
    nowMs: 1,
  });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function message(wireId: string, into = conversationId): NewMessage {
  return {
    conversationId: into,
    direction: 'in',
    wireId,
    text: `text of ${wireId}`,
    sentAtMs: 1,
    storedAtMs: 1,
    state: 'read',
    displayReportWanted: false,
  };
}

function part(number: number, into = conversationId, length = 20): NewMessage[] {
  return Array.from({ length }, (_, index) => message(`${number}-${index}`, into));
}

it('answers each when it is on disk', async () => {
  const reader = await openDatabase(join(folder, 'history.sqlite'), messengerMigrations);
  const count = reader.prepare<[], { n: number }>('SELECT count(*) AS n FROM messages');
  const onDisk = await Promise.all(
    Array.from({ length: 40 }, async (_, number) => {
      const added = await store.call('importMessages', part(number));
      return { added, n: count.get()?.n ?? 0 };
    }),
  );
  reader.close();
  for (const [number, { added, n }] of onDisk.entries()) {
    expect(added).toBe(20);
    expect(n).toBeGreaterThanOrEqual((number + 1) * 20);
  }
  expect(await store.call('importMessages', [...part(3), message('new')])).toBe(1);
});

it('lets what is asked meanwhile go first', async () => {
  const order: string[] = [];
  const imports = Array.from({ length: 60 }, async (_, number) => {
    await store.call('importMessages', part(number, conversationId, 200));
    order.push('import');
  });
  const urgent = store.insertMessage({ ...message('urgent'), state: 'received' }).then(() => {
    order.push('urgent');
  });
  await Promise.all([...imports, urgent]);
  // What had been begun when it came is answered before it, and most of them were not.
  expect(order.indexOf('urgent')).toBeLessThan(40);
  const found = await store.search({ text: 'urgent', limit: 9 });
  expect(found).toHaveLength(1);
});

it('lets one that fails take nothing else with it', async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 30 }, (_, number) =>
      store.call(
        'importMessages',
        part(number, number === 7 ? ('nowhere' as ConversationId) : conversationId),
      ),
    ),
  );
  expect(outcomes.flatMap(({ status }, number) => (status === 'rejected' ? [number] : []))).toEqual([7]);
  const figures = await store.call('selectFigures', { conversationId });
  expect(figures.incoming).toBe(29 * 20);
});

it('answers everything that was asked before it was closed', async () => {
  const pending = Array.from({ length: 50 }, (_, number) => store.call('importMessages', part(number)));
  await store[Symbol.asyncDispose]();
  expect(await Promise.all(pending)).toEqual(Array.from({ length: 50 }, () => 20));
});

it('kill -9: what was answered is there, and the import can be done again', async () => {
  await store[Symbol.asyncDispose]();
  const path = join(folder, 'killed.sqlite');
  const child = spawn(process.execPath, [
    fileURLToPath(new URL('./import-forever.ts', import.meta.url)),
    path,
  ]);
  const answered: number[] = [];
  for await (const line of createInterface(child.stdout)) {
    answered.push(Number(line));
    if (answered.length >= 60) child.kill('SIGKILL');
  }
  store = await Store.open(path);
  const before = await store.call('selectFigures', { conversationId });
  expect(before.incoming).toBeGreaterThanOrEqual(answered.length * 20);
  const again = await Promise.all(
    Array.from({ length: 200 }, (_, number) => store.call('importMessages', part(number))),
  );
  for (const number of answered) if (number < 200) expect(again[number]).toBe(0);
  // Every one is there once, and found once.
  expect(
    (await store.search({ text: '"text of 17 3"', limit: 9 })).map(({ message: { text } }) => text),
  ).toEqual(['text of 17-3']);
  const total = again.reduce((sum, added) => sum + added, before.incoming);
  expect((await store.call('selectFigures', { conversationId })).incoming).toBe(total);
});
