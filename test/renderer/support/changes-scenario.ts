/** Owns: a world in which messages are answered, reacted to, changed and taken back. Called by: scenarios.ts. */
import type { Message } from '../../../shared/domain/message.ts';
import type { World } from './memory-backend.ts';
import { quoteOf } from './memory-changes.ts';

/** Answers, reactions, other texts, what was taken back; with one person and in a group. */
export function addChanges(world: World): World {
  const change = (text: string, to: Partial<Message>): void => {
    world.messages = world.messages.map((message) =>
      message.text.startsWith(text) ? { ...message, ...to } : message,
    );
  };
  const find = (text: string): Message => {
    const found = world.messages.find((message) => message.text.startsWith(text));
    if (found === undefined) throw new Error(`no message ${text}`);
    return found;
  };
  world.conversations = world.conversations.map((each) => ({ ...each, takesChanges: each.kind !== 'group' }));
  change('Yes, installed', { reactions: [{ emoji: '👍', isOurs: true, name: null }] });
  change('All 1 204', { reply: quoteOf(find('Did the new')) });
  change('Good. I am', {
    reply: quoteOf(find('Yes, installed')),
    editedAtMs: find('Good. I am').sentAtMs + 60_000,
    reactions: [
      { emoji: '❤️', isOurs: false, name: null },
      { emoji: '🙏', isOurs: true, name: null },
    ],
  });
  change('They are in', { text: '', deletedAtMs: find('They are in').sentAtMs + 60_000 });
  change('Coming in', { reply: { position: null, direction: 'in', text: '', name: null } });
  const group = world.messages.filter(({ group: marks }) => marks?.notice === null);
  const [first, second] = group;
  if (first !== undefined && second !== undefined) {
    change(second.text, { reply: quoteOf(first) });
    change(first.text, {
      reactions: ['Ana Sørensen', 'Tom Weber', 'Li'].map((name, nth) => ({
        emoji: nth === 2 ? '😂' : '👍',
        isOurs: false,
        name,
      })),
    });
  }
  return world;
}
