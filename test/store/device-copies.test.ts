/** What the other devices of a user have to be told, as it lies on the disk. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import type { DeviceCopy } from '../../main/store/device-copies.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { TransferState } from '../../shared/domain/transfer.ts';

const accountId = 'account' as AccountId;
const conversationId = 'a-1' as ConversationId;

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-copies-'));
  store = await Store.open(join(folder, 'history.sqlite'));
  await store.call('insertAccount', {
    id: accountId,
    address: 'bob@example.org',
    displayName: '',
    server: '',
    kind: 'server',
    secret: new Uint8Array(),
    secretBackend: 'none',
    createdMs: 1,
  });
  await store.call('openConversation', {
    id: conversationId,
    accountId,
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

function put(direction: 'in' | 'out', wireId: string, isCopy = false) {
  return store.insertMessage({
    ...(direction === 'out' ? { id: wireId as MessageId } : {}),
    conversationId,
    direction,
    wireId,
    text: `text of ${wireId}`,
    sentAtMs: 1,
    storedAtMs: 1,
    state: direction === 'out' ? 'queued' : 'received',
    displayReportWanted: false,
    isCopy,
  });
}

async function waiting(): Promise<string[]> {
  const copies = await store.call('selectDeviceCopies', { accountId, limit: 100 });
  return copies.map((copy: DeviceCopy) =>
    `${copy.kind} ${copy.wireId} ${'state' in copy ? copy.state : ''}`.trim(),
  );
}

function move(id: string, state: 'waiting' | 'delivered' | 'displayed') {
  return store.call('updateMessageState', { id: id as MessageId, state });
}

it('nothing is written down for nobody, nor what another device has told us', async () => {
  await put('in', 'w1');
  expect(await waiting()).toEqual([]);
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  await put('in', 'w2', true);
  expect(await waiting()).toEqual([]);
});

it('a message waits until it has left, and is told with the state that it has by then; later ones are told once', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  await put('out', 'm1');
  await put('in', 'w1');
  expect(await waiting()).toEqual(['message w1 received']);
  await move('m1', 'waiting');
  expect(await waiting()).toEqual(['message m1 waiting', 'message w1 received']);
  for (const { key } of await store.call('selectDeviceCopies', { accountId, limit: 9 })) {
    await store.call('deleteDeviceCopy', { key });
  }
  await move('m1', 'delivered');
  await move('m1', 'displayed');
  expect(await waiting()).toEqual(['state m1 displayed']);
  await store.call('updateOtherDevices', { id: accountId, count: 0 });
  expect(await waiting()).toEqual([]);
});

it('of what was read only the newest is told; what was deleted meanwhile is not', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  const first = await put('in', 'w1');
  const second = await put('in', 'w2');
  await store.call('markRead', { conversationId, position: first.message.position });
  await store.call('markRead', { conversationId, position: second.message.position });
  await store.call('deleteMessages', { conversationId, ids: [first.message.id] });
  expect(await waiting()).toEqual(['message w2 read', 'read w2']);
});

it('what was read elsewhere before it came here is read when it comes, with all that is older', async () => {
  await put('in', 'w1');
  expect(await store.call('selectReadPosition', { conversationId, wireId: 'w2' })).toBeNull();
  const late = await put('in', 'w2');
  expect(late.message.state).toBe('read');
  const next = await put('in', 'w3');
  expect(next.message.state).toBe('received');
  const conversation = await store.call('selectConversation', { id: conversationId });
  expect(conversation).toMatchObject({ unreadCount: 1, readPosition: late.message.position });
});

function putFile(
  wireId: string,
  more: {
    direction?: 'in' | 'out';
    state?: TransferState;
    isCopy?: boolean;
    isOpenOffer?: boolean;
  } = {},
) {
  const { direction = 'in', state = 'offered', ...copied } = more;
  const file = {
    ...{ transferId: wireId, name: wireId, type: 'text/plain', size: 1, sha1: null, sha256: null },
    ...{ modifiedMs: null, state, accepted: false, bytesDone: 0, path: null },
    ...{ partPath: null, preview: null, failure: null },
  };
  return store
    .insertMessage({
      ...{ conversationId, direction, wireId, text: wireId, sentAtMs: 1, storedAtMs: 1 },
      state: direction === 'in' ? 'received' : 'queued',
      ...{ displayReportWanted: false, file, ...copied },
    })
    .then(({ message }) => ({ ...file, messageId: message.id }));
}

async function files(): Promise<string[]> {
  const copies = await store.call('selectDeviceCopies', { accountId, limit: 100 });
  return copies.map((copy) => `${copy.wireId} ${copy.kind === 'message' ? (copy.file?.state ?? '') : ''}`);
}

it('an offer of a file is told of, and how it ends as well, by whoever knows of it', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  const ours = await putFile('f1');
  await putFile('f2', { isCopy: true, isOpenOffer: true });
  expect(await files()).toEqual(['f1 offered']);
  for (const { key } of await store.call('selectDeviceCopies', { accountId, limit: 9 })) {
    await store.call('keepFileEnd', { key });
  }
  expect(await files()).toEqual([]);
  await store.call('upsertTransfer', { ...ours, state: 'transferring' });
  expect(await files()).toEqual([]);
  await store.call('upsertTransfer', { ...ours, state: 'done' });
  const theirs = await putFile('f2');
  await store.call('upsertTransfer', { ...theirs, state: 'declined' });
  expect(await files()).toEqual(['f1 done', 'f2 declined']);
  // Another device has told of the end: nobody has to be told of it from here.
  await putFile('f2', { isCopy: true });
  expect(await files()).toEqual(['f1 done']);
});

it('a file of ours is told of when it can be offered, and how it ends; tried again, it is told of anew', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  const ours = await putFile('f1', { direction: 'out', state: 'preparing' });
  expect(await files()).toEqual([]);
  for (const state of ['waiting', 'offered', 'transferring', 'paused'] as const) {
    await store.call('upsertTransfer', { ...ours, state });
    expect(await files()).toEqual([`f1 ${state}`]);
  }
  const [copy] = await store.call('selectDeviceCopies', { accountId, limit: 9 });
  await store.call('keepFileEnd', { key: copy?.key ?? 0 });
  expect(await files()).toEqual([]);
  await store.call('upsertTransfer', { ...ours, state: 'done' });
  // Whole, and its message does not say so yet.
  expect(await files()).toEqual([]);
  await store.call('updateMessageState', { id: ours.messageId, state: 'failed' });
  await store.call('upsertTransfer', { ...ours, state: 'failed' });
  const [end] = await store.call('selectDeviceCopies', { accountId, limit: 9 });
  expect(end).toMatchObject({ wireId: 'f1', state: 'failed' });
  await store.call('deleteDeviceCopy', { key: end?.key ?? 0 });
  await store.call('updateMessageState', { id: ours.messageId, state: 'queued' });
  await store.call('upsertTransfer', { ...ours, state: 'offered' });
  expect(await files()).toEqual(['f1 offered']);
});

it('nothing is told of before a file that is still read, nor a file before a text that has not left', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  const large = await putFile('f1', { direction: 'out', state: 'preparing' });
  await put('in', 'w1');
  await put('out', 'm1');
  const small = await putFile('f2', { direction: 'out', state: 'waiting' });
  expect(await waiting()).toEqual([]);
  await store.call('upsertTransfer', { ...large, state: 'offered' });
  expect(await waiting()).toEqual(['message f1 queued', 'message w1 received']);
  await move('m1', 'waiting');
  expect((await waiting()).slice(2)).toEqual(['message m1 waiting', 'message f2 queued']);
  await put('out', 'm2');
  await store.call('updateMessageState', { id: small.messageId, state: 'delivered' });
  await store.call('upsertTransfer', { ...small, state: 'done' });
  expect((await waiting()).slice(2)).toEqual(['message m1 waiting', 'message f2 delivered']);
});

it('a text that could not be sent and is sent again is told of anew when it has left', async () => {
  await store.call('updateOtherDevices', { id: accountId, count: 1 });
  await put('out', 'm1');
  await store.call('updateMessageState', { id: 'm1' as MessageId, state: 'failed' });
  const [copy] = await store.call('selectDeviceCopies', { accountId, limit: 9 });
  expect(copy).toMatchObject({ kind: 'message', state: 'failed' });
  await store.call('deleteDeviceCopy', { key: copy?.key ?? 0 });
  await store.call('updateMessageState', { id: 'm1' as MessageId, state: 'queued' });
  expect(await waiting()).toEqual([]);
  await move('m1', 'delivered');
  expect(await waiting()).toEqual(['message m1 delivered']);
});

it('a text in pieces is whole when all are here, in whatever order', async () => {
  const piece = (part: number, text: string) =>
    store.call('insertCopyPart', { accountId, wireId: 'w1', part, total: 3, content: Buffer.from(text) });
  expect(await piece(3, 'c')).toBeNull();
  expect(await piece(1, 'a')).toBeNull();
  expect(await piece(1, 'a')).toBeNull();
  expect(Buffer.from((await piece(2, 'b')) ?? []).toString()).toBe('abc');
  expect(await piece(2, 'b')).toBeNull();
});

it('0013: a history of before tells nobody, and what waits is found by an index', async () => {
  const path = join(folder, 'before.sqlite');
  const before = await openDatabase(path, messengerMigrations, 12);
  before.exec(`INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
    VALUES ('a-1', 'account', 'tom@example.org', 'Tom', 'accepted', 1)`);
  before.close();
  const after = await openDatabase(path, messengerMigrations);
  expect(after.prepare('SELECT read_ahead FROM conversations').all()).toEqual([{ read_ahead: null }]);
  const plan = after
    .prepare(
      'EXPLAIN QUERY PLAN DELETE FROM device_copies WHERE conversation = 1 AND kind = 1 AND target = 9',
    )
    .all() as { detail: string }[];
  expect(plan.map(({ detail }) => detail).join()).toMatch(/device_copies_by_target/);
  after.close();
});
