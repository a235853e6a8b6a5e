/** What happens to messages after they were stored, as it lies on the disk. */
import { expect, it } from 'vitest';
import type { MessageChange } from '../../main/store/message-changes.ts';
import { StoreFixture } from './fixture.ts';

it('of what is taken back nothing is shown, and nothing said that still waits to be said of it', async () => {
  await using fixture = await StoreFixture.open();
  const { store } = fixture;
  const conversationId = await fixture.conversation('a-1');
  await fixture.incoming(conversationId, 'Shall we go?', 'wire-1');
  const apply = (direction: 'in' | 'out', change: MessageChange, wireId: string) =>
    store.call('applyMessageChange', {
      ...{ conversationId, direction, change, wireId, targetWireId: 'wire-1' },
      ...{ person: null, atMs: 2, waits: direction === 'out', keepsText: false },
    });
  const shown = async () =>
    (await store.call('selectMessagePage', { conversationId, limit: 1 })).messages.at(-1);
  await apply('out', { kind: 'reaction', emoji: '👍' }, 'reaction-1');
  expect((await shown())?.reactions).toEqual([{ emoji: '👍', isOurs: true, name: null }]);
  expect(await apply('in', { kind: 'takeBack' }, 'change-1')).toMatchObject({ outcome: 'changed' });
  expect(await shown()).toMatchObject({ text: '', deletedAtMs: 2 });
  expect((await shown())?.reactions).toBeUndefined();
  expect(await store.call('selectWaitingChanges', { conversationId, limit: 9 })).toEqual([]);
});
