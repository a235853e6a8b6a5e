/**
 * Owns: answers, reactions and changes of messages, answered from memory. Called by: memory-backend.ts. Calls: nothing.
 */
import type { MessageId } from '../../../shared/domain/ids.ts';
import type { Message, Quote } from '../../../shared/domain/message.ts';
import type { CheckedInput } from '../../../shared/ipc/contract.ts';

type ChangeCall = 'message.react' | 'message.edit' | 'message.takeBack';

export function changeHandlers(change: (id: MessageId, to: (message: Message) => Message) => Message): {
  [Name in ChangeCall]: (input: CheckedInput<Name>) => { message: Message };
} {
  return {
    'message.react': ({ messageId, emoji }) => ({
      message: change(messageId, ({ reactions = [], ...message }) => {
        const left = reactions.filter(({ isOurs }) => !isOurs);
        const now = emoji === null ? left : [...left, { emoji, isOurs: true, name: null }];
        return now.length === 0 ? message : { ...message, reactions: now };
      }),
    }),
    'message.edit': ({ messageId, text }) => ({
      message: change(messageId, (message) => ({ ...message, text, editedAtMs: Date.now() })),
    }),
    'message.takeBack': ({ messageId }) => ({
      message: change(messageId, ({ reactions: _none, ...message }) => ({
        ...message,
        text: '',
        deletedAtMs: Date.now(),
      })),
    }),
  };
}

export function quoteOf({ position, direction, text, group }: Message): Quote {
  return { position, direction, text, name: group?.person?.name ?? null };
}
