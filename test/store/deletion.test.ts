/** What leaves the history: by age, by hand; and that nothing of it stays in the file. */
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { StoreFixture } from './fixture.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 5, 15, 12);

let fixture: StoreFixture;
let tom: ConversationId;
let eve: ConversationId;

beforeEach(async () => {
  fixture = await StoreFixture.open();
  tom = await fixture.conversation('c-tom');
  eve = await fixture.conversation('c-eve', 'eve');
});
afterEach(async () => {
  await fixture[Symbol.asyncDispose]();
});

async function write(
  conversationId: ConversationId,
  text: string,
  ageDays: number,
  more: { state?: 'received' | 'queued' | 'delivered'; direction?: 'in' | 'out' } = {},
): Promise<MessageId> {
  const { state = 'received', direction = 'in' } = more;
  const { message } = await fixture.store.insertMessage({
    conversationId,
    direction,
    wireId: `wire of ${text}`,
    text,
    sentAtMs: NOW_MS - ageDays * DAY_MS,
    storedAtMs: NOW_MS - ageDays * DAY_MS,
    state,
    displayReportWanted: false,
  });
  return message.id;
}

async function texts(conversationId: ConversationId): Promise<string[]> {
  const page = await fixture.store.call('selectMessagePage', { conversationId, limit: 100 });
  return page.messages.map(({ text }) => text);
}

const found = async (text: string): Promise<string[]> =>
  (await fixture.store.search({ text, limit: 50 })).map(({ message }) => message.text);

async function expire(keepMs: number, limit = 100): Promise<number> {
  for (let count = 0; ;) {
    const deleted = await fixture.store.call('deleteExpired', { nowMs: NOW_MS, keepMs, limit });
    if (deleted === null) return count;
    count += deleted.positions.length;
  }
}

/** Everything on the disk that belongs to the history. */
async function bytesOnDisk(): Promise<Buffer> {
  const files = [fixture.path, `${fixture.path}-wal`];
  return Buffer.concat(await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0)))));
}

describe('by age', () => {
  it('what is older than the setting goes, in pieces; the rest stays, is found and counted', async () => {
    for (let age = 40; age > 20; age -= 1) await write(tom, `old${age} words`, age);
    await write(tom, 'young words', 29.5);
    expect(await expire(30 * DAY_MS, 3)).toBe(10);
    expect((await texts(tom))[0]).toBe('old30 words');
    expect(await found('words')).toHaveLength(11);
    expect(await found('old31')).toEqual([]);
    expect(await found('old25')).toEqual(['old25 words']);
    const { store } = fixture;
    expect(await store.call('selectNextExpiry', { keepMs: 30 * DAY_MS })).toBe(NOW_MS);
    const [conversation] = await store.call('selectConversations', null);
    expect(conversation?.unreadCount).toBe(11);
  });

  it('never, without a rule', async () => {
    await write(tom, 'from long ago', 4_000);
    expect(await expire(0)).toBe(0);
    expect(await fixture.store.call('selectNextExpiry', { keepMs: 0 })).toBeNull();
  });

  it('a rule of the conversation counts before the setting: shorter, longer, for ever', async () => {
    const { store } = fixture;
    for (const conversationId of [tom, eve]) await write(conversationId, 'two days old', 2);
    await store.call('updateRetention', { conversationId: tom, keepMs: DAY_MS });
    expect(await expire(0)).toBe(1);
    expect([await texts(tom), await texts(eve)]).toEqual([[], ['two days old']]);
    await store.call('updateRetention', { conversationId: eve, keepMs: 0 });
    expect(await expire(DAY_MS)).toBe(0);
    await store.call('updateRetention', { conversationId: eve, keepMs: null });
    expect(await store.call('selectRetention', { conversationId: eve })).toBeNull();
    expect(await expire(DAY_MS)).toBe(1);
  });

  it('what still waits to leave is not old', async () => {
    await write(tom, 'he was never there', 90, { state: 'queued', direction: 'out' });
    await write(tom, 'he was there', 90, { state: 'delivered', direction: 'out' });
    expect(await expire(DAY_MS)).toBe(1);
    expect(await texts(tom)).toEqual(['he was never there']);
  });

  it('an hour counts from the hour, not from the day', async () => {
    const hour = 1 / 24;
    for (const [text, age] of [
      ['ninety minutes', 1.5 * hour],
      ['half an hour', 0.5 * hour],
    ] as const)
      await write(tom, text, age);
    await fixture.store.call('updateRetention', { conversationId: tom, keepMs: DAY_MS / 24 });
    await expire(0);
    expect(await texts(tom)).toEqual(['half an hour']);
  });
});

describe('by hand', () => {
  it('single messages: of their own conversation only; unknown ones are no error', async () => {
    const [first, second] = [await write(tom, 'first', 1), await write(tom, 'second', 1)];
    const other = await write(eve, 'of somebody else', 1);
    const ids = [first, other, 'nobody' as MessageId];
    const { positions } = await fixture.store.call('deleteMessages', { conversationId: tom, ids });
    expect(positions).toHaveLength(1);
    expect([await texts(tom), await texts(eve)]).toEqual([['second'], ['of somebody else']]);
    expect(await fixture.store.call('selectMessage', { id: first })).toBeNull();
    expect(await fixture.store.call('selectMessage', { id: second })).not.toBeNull();
  });

  it('a whole conversation, in pieces', async () => {
    for (let index = 0; index < 5; index += 1) await write(tom, `message ${index}`, 1);
    const clear = () => fixture.store.call('clearConversation', { conversationId: tom, limit: 3 });
    expect([(await clear()).positions.length, (await clear()).positions.length]).toEqual([3, 2]);
    expect((await clear()).positions).toEqual([]);
    expect(await texts(tom)).toEqual([]);
    expect(
      await fixture.store.call('selectDays', { conversationId: tom, fromDay: 0, toDay: 99_999 }),
    ).toEqual([]);
  });
});

it('nothing of it is on the disk any more: not in the tables, the index or the log', async () => {
  await write(tom, 'Quetzalcoatlus beside a word that stays', 10);
  await write(tom, 'a word that stays', 1);
  expect((await bytesOnDisk()).includes('uetzalcoatlus')).toBe(true);
  expect(await expire(5 * DAY_MS)).toBe(1);
  await fixture.store.call('forgetDeleted', null);
  const bytes = await bytesOnDisk();
  expect(bytes.includes('uetzalcoatlus')).toBe(false);
  expect(bytes.includes('a word that stays')).toBe(true);
});
