import { expect, it } from 'vitest';
import { Feed } from '../../main/messenger/feed.ts';
import { messageDetails } from '../../main/messenger/message-details.ts';
import { noteCommands } from '../../main/messenger/note-commands.ts';
import type { Session } from '../../shared/domain/conversation.ts';
import type { ConversationId, MessageId, SessionId } from '../../shared/domain/ids.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { StoreFixture } from '../store/fixture.ts';

it('drafts and marks are kept by conversation; what is damaged is left out, and strangers to the history are refused', async () => {
  await using fixture = await StoreFixture.open();
  const { store } = fixture;
  const feed = new Feed();
  const told: string[] = [];
  feed.subscribe(({ event }) => told.push(event));
  const conversation = async (id: ConversationId) => {
    const found = await store.call('selectConversation', { id });
    if (found === null) throw new CallError('not-found', '');
    return { conversation: found, account: undefined };
  };
  const notes = noteCommands({ store, feed, conversation });
  const withTom = await fixture.conversation('with-tom');
  const withAna = await fixture.conversation('with-ana', 'ana');
  await notes['draft.set']({ conversationId: withTom, text: 'half a "sentence"\n…' });
  await notes['draft.set']({ conversationId: withAna, text: 'gone soon' });
  await notes['draft.set']({ conversationId: withAna, text: '' });
  await store.call('upsertSetting', { key: 'draft:broken', value: '{' });
  expect(await notes['draft.list']({})).toEqual([{ conversationId: withTom, text: 'half a "sentence"\n…' }]);

  const marks = { pinned: true, muted: false, archived: false };
  await notes['marks.set']({ conversationId: withAna, marks });
  await store.call('upsertSetting', { key: 'marks:with-tom', value: '{"pinned":"yes"}' });
  expect(await notes['marks.list']({})).toEqual([{ conversationId: withAna, marks }]);
  expect(told).toEqual(['marks.changed']);
  await expect(
    notes['draft.set']({ conversationId: 'nobody' as ConversationId, text: 'x' }),
  ).rejects.toMatchObject({ code: 'not-found' });
});

it('a message knows when it was stored, what it is called, and the session of that time', async () => {
  await using fixture = await StoreFixture.open();
  const { store } = fixture;
  const conversationId = await fixture.conversation('with-tom');
  const session = (id: string, startedMs: number, endedMs: number | null): Session => ({
    id: id as SessionId,
    conversationId,
    direction: 'incoming',
    state: endedMs === null ? 'open' : 'ended',
    mediaPath: 'relay',
    encrypted: true,
    startedMs,
    openedMs: startedMs,
    endedMs,
    end: null,
  });
  const old = session('old', 1_000, 2_000);
  const open = session('open', 5_000, null);
  for (const each of [old, open]) await store.call('upsertSession', each);
  // Its author's clock is wrong: what counts is when it came.
  const insert = (id: string, storedAtMs: number) =>
    store.insertMessage({
      id: id as MessageId,
      conversationId,
      direction: 'in',
      wireId: `wire-${id}`,
      text: id,
      sentAtMs: 99,
      storedAtMs,
      state: 'read',
      displayReportWanted: false,
    });
  for (const [id, at] of Object.entries({ first: 1_500, between: 3_000, last: 6_000 })) await insert(id, at);
  const details = (id: string) => messageDetails({ store, sessions: () => [open] }, id as MessageId);
  expect(await details('first')).toEqual({
    storedAtMs: 1_500,
    times: [],
    wireId: 'wire-first',
    device: null,
    session: { id: null, startedMs: 1_000, endedMs: 2_000, mediaPath: null, encrypted: null },
  });
  expect((await details('between')).session).toBeNull();
  expect((await details('last')).session).toEqual({
    id: 'open',
    startedMs: 5_000,
    endedMs: null,
    mediaPath: 'relay',
    encrypted: true,
  });
  await expect(details('nothing')).rejects.toMatchObject({ code: 'not-found' });
});

it('a message knows when it came into each state; what is late changes nothing, and what is deleted leaves nothing', async () => {
  await using fixture = await StoreFixture.open();
  const { store } = fixture;
  const conversationId = await fixture.conversation('with-tom');
  const insert = (id: string, direction: 'in' | 'out') =>
    store.insertMessage({
      id: id as MessageId,
      conversationId,
      direction,
      wireId: `wire-${id}`,
      text: id,
      sentAtMs: 1,
      storedAtMs: 1,
      state: direction === 'in' ? 'received' : 'queued',
      displayReportWanted: false,
    });
  await insert('ours', 'out');
  await insert('theirs', 'in');
  const timesOf = async (id: string) =>
    (await messageDetails({ store, sessions: () => [] }, id as MessageId)).times;
  expect(await timesOf('ours')).toEqual([]);
  const beganMs = Date.now();
  for (const state of ['failed', 'queued', 'sent', 'delivered', 'sent', 'displayed', 'delivered'] as const) {
    await store.call('updateMessageState', { id: 'ours' as MessageId, state });
    const thenMs = Date.now();
    // The next one is later.
    await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(thenMs);
  }
  const times = await timesOf('ours');
  expect(times.map(({ state }) => state)).toEqual(['failed', 'queued', 'sent', 'delivered', 'displayed']);
  const atMs = times.map((one) => one.atMs);
  expect(atMs).toEqual(atMs.toSorted((a, b) => a - b));
  expect(atMs[0]).toBeGreaterThanOrEqual(beganMs);
  expect(atMs.at(-1)).toBeLessThanOrEqual(Date.now());
  const theirs = await store.call('selectMessage', { id: 'theirs' as MessageId });
  await store.call('markRead', { conversationId, position: theirs?.position ?? 0 });
  const [read, ...more] = await timesOf('theirs');
  expect([read?.state, more.length]).toEqual(['read', 0]);
  expect(read?.atMs).toBeGreaterThanOrEqual(atMs.at(-1) ?? 0);

  await store.call('clearConversation', { conversationId, limit: 10 });
  const database = await openDatabase(fixture.path, messengerMigrations);
  expect(database.prepare('SELECT count(*) AS n FROM message_states').get()).toEqual({ n: 0 });
  database.close();
});
