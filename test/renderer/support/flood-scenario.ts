/** Owns: a flood of messages in a world. Called by: scenarios.ts, renderer tests. Calls: nothing. */
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import type { World } from './memory-backend.ts';

/** As many messages of Tom in a few seconds, read, and what both say of it a minute later. */
export function addFlood(world: World, count = 5_000): World {
  const conversationId = 'with-tom' as ConversationId;
  const last = world.messages.findLast((message) => message.conversationId === conversationId);
  if (last === undefined) throw new Error('Tom has said nothing');
  const start = last.sentAtMs + 60_000;
  const message = (nth: number, direction: 'in' | 'out', text: string, atMs: number): Message => ({
    id: `flood-${nth}` as MessageId,
    conversationId,
    position: world.messages.length + 1,
    direction,
    text,
    sentAtMs: atMs,
    state: direction === 'in' ? 'read' : 'displayed',
    failure: null,
  });
  for (let nth = 1; nth <= count; nth += 1) {
    world.messages.push(message(nth, 'in', `Build ${nth} of ${count} is done.`, start + nth * 10));
  }
  world.messages.push(message(count + 1, 'out', 'Your script is running wild.', start + 120_000));
  world.messages.push(message(count + 2, 'in', 'Sorry! I have stopped it.', start + 180_000));
  world.composing = [];
  const lastMessage = world.messages.at(-1)!;
  world.conversations = world.conversations.map((each) =>
    each.id === conversationId
      ? {
          ...each,
          unreadCount: 0,
          readPosition: lastMessage.position,
          lastActivityMs: lastMessage.sentAtMs,
          lastMessage,
        }
      : each,
  );
  return world;
}
