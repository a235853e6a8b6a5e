/**
 * Requests that pile up share one commit: each still gets its own outcome, in order, and is on disk when answered.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { openDatabase } from '../../main/store/database.ts';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

let folder: string;
let store: Store;
const conversationId = 'conversation' as ConversationId;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-batch-'));
  store = await Store.open(join(folder, 'history.sqlite'));
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'account' as AccountId,
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

function insert(index: number, into = conversationId) {
  return store.insertMessage({
    id: `message${index}` as MessageId,
    conversationId: into,
    direction: 'in',
    wireId: `wire${index}`,
    text: `text ${index}`,
    sentAtMs: index,
    storedAtMs: index,
    state: 'received',
    displayReportWanted: false,
  });
}

it('stores a burst in the order of the calls, each on disk when it is answered', async () => {
  const answered = await Promise.all(Array.from({ length: 500 }, (_, index) => insert(index)));
  const positions = answered.map(({ message }) => message.position);
  expect(positions).toEqual([...positions].sort((a, b) => a - b));
  // Another connection sees only what is committed.
  const reader = await openDatabase(join(folder, 'history.sqlite'), messengerMigrations);
  const { n } = reader.prepare('SELECT count(*) AS n FROM messages').get() as { n: number };
  reader.close();
  expect(n).toBe(500);
});

it('lets a request that fails take nothing else with it', async () => {
  const unknown = 'nowhere' as ConversationId;
  const outcomes = await Promise.allSettled(
    Array.from({ length: 60 }, (_, index) => insert(index, index % 10 === 5 ? unknown : conversationId)),
  );
  const failed = outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []));
  expect(failed).toEqual([5, 15, 25, 35, 45, 55]);
  const page = await store.call('selectMessagePage', { conversationId, limit: 200 });
  expect(page.messages).toHaveLength(54);
});

it('answers everything that was asked before it was closed', async () => {
  const pending = Array.from({ length: 200 }, (_, index) => insert(index));
  await store[Symbol.asyncDispose]();
  const outcomes = await Promise.allSettled(pending);
  expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true);
});
