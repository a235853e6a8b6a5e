import { expect, it } from 'vitest';
import { browseCommands } from '../../main/messenger/browse-commands.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { StoreFixture } from '../store/fixture.ts';

/** Days of the local calendar from 1970-01-01. */
function dayOf(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}

it('a conversation is found by its days, its first unread message and what was shared', async () => {
  await using fixture = await StoreFixture.open();
  const { store } = fixture;
  const conversationId = await fixture.conversation('with-tom');
  await fixture.conversation('with-ana', 'ana');
  const insert = (text: string, sentAt: Date, state: 'read' | 'received', into: ConversationId) =>
    store.insertMessage({
      id: `${into} ${text}` as MessageId,
      conversationId: into,
      direction: 'in',
      wireId: text,
      text,
      sentAtMs: sentAt.getTime(),
      storedAtMs: sentAt.getTime(),
      state,
      displayReportWanted: false,
    });
  // Both ends of a day in which clocks are set, where they are.
  const early = new Date(2026, 2, 29, 0, 0, 1);
  const late = new Date(2026, 2, 29, 23, 59, 59);
  const june = new Date(2026, 5, 1, 12);
  const { message: first } = await insert('first', early, 'read', conversationId);
  await insert('elsewhere https://example.org/b', early, 'received', 'with-ana' as ConversationId);
  const { message: second } = await insert('see https://example.org/a', late, 'received', conversationId);
  const { message: third } = await insert('https://example.org/c', june, 'received', conversationId);

  const browse = browseCommands({ store });
  const march = { fromDay: dayOf(new Date(2026, 2, 1)), toDay: dayOf(new Date(2026, 2, 31)) };
  expect(await browse['browse.days']({ conversationId, ...march })).toEqual([
    { day: dayOf(early), count: 2 },
  ]);
  const position = (day: number) => browse['browse.positionOfDay']({ conversationId, day });
  expect(await position(dayOf(early))).toBe(first.position);
  expect(await position(dayOf(early) + 1)).toBe(third.position);
  expect(await position(dayOf(june) + 1)).toBeNull();
  expect(await browse['browse.firstUnread']({ conversationId })).toBe(second.position);

  const links = { conversationId, trait: 'link', limit: 1 } as const;
  expect(await browse['browse.withTrait'](links)).toEqual({ messages: [third], hasMore: true });
  expect(await browse['browse.withTrait']({ ...links, before: third.position })).toEqual({
    messages: [second],
    hasMore: false,
  });
  const all = { ...links, limit: 9 };
  expect(await browse['browse.withTrait']({ ...all, after: first.position })).toEqual({
    messages: [second, third],
    hasMore: false,
  });
  expect(await browse['browse.withTrait']({ ...links, after: first.position })).toEqual({
    messages: [second],
    hasMore: true,
  });
  expect(await browse['browse.withTrait']({ ...all, after: third.position })).toEqual({
    messages: [],
    hasMore: false,
  });
  expect(await browse['browse.figures']({ conversationId })).toMatchObject({
    incoming: 3,
    outgoing: 0,
    firstSentAtMs: early.getTime(),
    lastSentAtMs: june.getTime(),
  });
});
