/** Owns: a world in which pictures are sent. Called by: scenarios.ts. Calls: nothing. */
import type { MessageId } from '../../../shared/domain/ids.ts';
import type { Transfer } from '../../../shared/domain/transfer.ts';
import type { World } from './memory-backend.ts';

/** Names of pictures with what they claim to have; the gallery draws them by their ids. */
const pictures = [
  { text: 'harbour.png', id: 'picture-1600x1000', direction: 'in', size: 1_840_000 },
  { text: 'map of the coast.png', id: 'picture-9000x9000', direction: 'in', size: 140_000 },
  { text: 'lighthouse.png', id: 'picture-800x1200', direction: 'out', size: 962_000 },
  { text: 'survey 2026.png', id: 'picture-12x12', direction: 'in', size: 64_000_000 },
] as const;

/** In the last minutes Tom and we have sent each other pictures, two of them too large to be shown. */
export function addPictures(world: World): World {
  const last = world.messages.findLast(({ conversationId }) => conversationId === 'with-tom');
  if (last === undefined) throw new Error('there is no conversation with Tom');
  const first = Math.max(...world.messages.map(({ position }) => position)) + 1;
  const added = pictures.map(({ text, id, direction, size }, nth) => {
    const file: Transfer = {
      name: text,
      type: 'image/png',
      size,
      state: 'done',
      bytesDone: size,
      failure: null,
      preview: null,
      available: true,
    };
    const state = direction === 'in' ? ('read' as const) : ('displayed' as const);
    return {
      ...{ id: id as MessageId, conversationId: last.conversationId, position: first + nth, direction, text },
      ...{ file, state, failure: null, sentAtMs: last.sentAtMs + (nth + 1) * 60_000 },
    };
  });
  world.messages.push(...added);
  const { text, direction, state, sentAtMs, id } = added.at(-1)!;
  world.conversations = world.conversations.map((each) =>
    each.id === last.conversationId
      ? {
          ...each,
          unreadCount: 0,
          readPosition: first + 9,
          lastMessage: { id, direction, text, state, sentAtMs },
        }
      : each,
  );
  return world;
}
