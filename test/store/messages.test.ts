/**
 * Messages and conversations in the store, through its thread.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { OutgoingState } from '../../main/store/messages.ts';
import { StoreFixture } from './fixture.ts';

let fixture: StoreFixture;
let conversationId: ConversationId;

beforeEach(async () => {
  fixture = await StoreFixture.open();
  conversationId = await fixture.conversation('0b1e-tom');
});

afterEach(() => fixture[Symbol.asyncDispose]());

describe('a message', () => {
  it('is stored once, however often it comes: same id, same side, same conversation', async () => {
    const first = await fixture.incoming(conversationId, 'once', 'w1');
    const again = await fixture.incoming(conversationId, 'once', 'w1');
    expect(first.duplicate).toBe(false);
    expect(again).toEqual({ message: first.message, duplicate: true });
  });

  it('with the same id in another conversation is another message', async () => {
    const other = await fixture.conversation('other', 'ana');
    await fixture.incoming(conversationId, 'from tom', 'w1');
    const { duplicate } = await fixture.store.insertMessage({
      id: 'second' as MessageId,
      conversationId: other,
      direction: 'in',
      wireId: 'w1',
      text: 'from ana',
      sentAtMs: 1,
      storedAtMs: 1,
      state: 'received',
      displayReportWanted: false,
    });
    expect(duplicate).toBe(false);
  });

  const order: OutgoingState[] = ['queued', 'waiting', 'sent', 'delivered', 'displayed'];

  it.each(
    order.slice(1).flatMap((to, index) => order.slice(0, index + 1).map((from) => [from, to] as const)),
  )('never goes back from %s once it is %s', async (earlier, later) => {
    await fixture.outgoing(conversationId, 'text', 'm1');
    const id = 'm1' as MessageId;
    await fixture.store.call('updateMessageState', { id, state: later });
    expect(await fixture.store.call('updateMessageState', { id, state: earlier })).toBeNull();
    expect((await fixture.store.call('selectMessage', { id }))?.state).toBe(later);
  });

  it('that failed can be queued again, and keeps its place', async () => {
    await fixture.outgoing(conversationId, 'first', 'm1');
    await fixture.outgoing(conversationId, 'second', 'm2');
    const id = 'm1' as MessageId;
    const failure = { code: 'declined', message: 'Tom declined.' };
    const failed = await fixture.store.call('updateMessageState', { id, state: 'failed', failure });
    expect(failed).toMatchObject({ state: 'failed', failure });
    const again = await fixture.store.call('updateMessageState', { id, state: 'queued' });
    expect(again).toMatchObject({ state: 'queued', failure: null });
    const queued = await fixture.store.call('selectQueued', { conversationId, limit: 10 });
    expect(queued.map((message) => message.id)).toEqual(['m1', 'm2']);
  });

  it('of the other side cannot be moved by a report', async () => {
    const { message } = await fixture.incoming(conversationId, 'theirs', 'w1');
    expect(await fixture.store.call('updateMessageState', { id: message.id, state: 'displayed' })).toBeNull();
  });
});

describe('paging', () => {
  const texts = (page: { messages: readonly { text: string }[] }) => page.messages.map(({ text }) => text);
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => `text ${from + index}`);

  beforeEach(async () => {
    const other = await fixture.conversation('other', 'ana');
    const stored = Array.from({ length: 30 }, (_, index) => [
      fixture.incoming(conversationId, `text ${index + 1}`, `w${index + 1}`),
      fixture.incoming(other, `other ${index + 1}`, `o${index + 1}`),
    ]);
    await Promise.all(stored.flat());
  });

  it('begins with the newest', async () => {
    const page = await fixture.store.call('selectMessagePage', { conversationId, limit: 10 });
    expect(texts(page)).toEqual(numbers(21, 30));
    expect(page).toMatchObject({ hasBefore: true, hasAfter: false });
  });

  it('goes back and forth without a gap or an overlap', async () => {
    const newest = await fixture.store.call('selectMessagePage', { conversationId, limit: 10 });
    const older = await fixture.store.call('selectMessagePage', {
      conversationId,
      before: newest.messages[0]!.position,
      limit: 25,
    });
    expect(texts(older)).toEqual(numbers(1, 20));
    expect(older).toMatchObject({ hasBefore: false, hasAfter: true });
    const newer = await fixture.store.call('selectMessagePage', {
      conversationId,
      after: older.messages.at(-1)!.position,
      limit: 5,
    });
    expect(texts(newer)).toEqual(numbers(21, 25));
    expect(newer).toMatchObject({ hasBefore: true, hasAfter: true });
  });

  it('shows a message among those around it', async () => {
    const all = await fixture.store.call('selectMessagePage', { conversationId, limit: 30 });
    const page = await fixture.store.call('selectMessagePage', {
      conversationId,
      around: all.messages[14]!.position,
      limit: 10,
    });
    expect(texts(page)).toEqual(numbers(10, 19));
  });

  it('of an empty conversation has nothing before and after', async () => {
    const empty = await fixture.conversation('empty', 'nobody');
    const page = await fixture.store.call('selectMessagePage', { conversationId: empty, limit: 10 });
    expect(page).toEqual({ messages: [], hasBefore: false, hasAfter: false });
  });
});

describe('reading', () => {
  it('counts what is unread, and tells whose authors want to know', async () => {
    await fixture.incoming(conversationId, 'one', 'w1', true);
    const { message } = await fixture.incoming(conversationId, 'two', 'w2', false);
    await fixture.incoming(conversationId, 'three', 'w3', true);
    const before = await fixture.store.call('selectConversation', { id: conversationId });
    expect(before?.unreadCount).toBe(3);
    const { messages, reportWireIds } = await fixture.store.call('markRead', {
      conversationId,
      position: message.position,
    });
    expect(messages.map(({ text, state }) => [text, state])).toEqual([
      ['one', 'read'],
      ['two', 'read'],
    ]);
    expect(reportWireIds).toEqual(['w1']);
    const after = await fixture.store.call('selectConversation', { id: conversationId });
    expect(after).toMatchObject({ unreadCount: 1, readPosition: message.position });
  });

  it('of everything that is there: what comes later is unread again', async () => {
    await fixture.incoming(conversationId, 'one', 'w1', true);
    const { message } = await fixture.incoming(conversationId, 'two', 'w2', false);
    const { messages } = await fixture.store.call('markRead', { conversationId });
    expect(messages).toHaveLength(2);
    await fixture.incoming(conversationId, 'three', 'w3', false);
    const after = await fixture.store.call('selectConversation', { id: conversationId });
    expect(after).toMatchObject({ unreadCount: 1, readPosition: message.position });
    const empty = await fixture.store.call('markRead', { conversationId: 'with-nobody' as ConversationId });
    expect(empty).toEqual({ messages: [], reportWireIds: [] });
  });

  it('twice changes nothing more', async () => {
    const { message } = await fixture.incoming(conversationId, 'one', 'w1', true);
    await fixture.store.call('markRead', { conversationId, position: message.position });
    const again = await fixture.store.call('markRead', { conversationId, position: message.position });
    expect(again).toEqual({ messages: [], reportWireIds: [] });
  });
});
