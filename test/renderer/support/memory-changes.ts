/**
 * Owns: answers, reactions and changes of messages, answered from memory. Called by: memory-backend.ts. Calls: nothing.
 */
import type { MessageId } from '../../../shared/domain/ids.ts';
import type { Message, Quote } from '../../../shared/domain/message.ts';
import type { CallOutput, CheckedInput } from '../../../shared/ipc/contract.ts';
import type { MemoryBackend } from './memory-backend.ts';
import { sentFile } from './sent-file.ts';

type ChangeCall = 'message.forward' | 'message.react' | 'message.edit' | 'message.takeBack';

export function changeHandlers(
  backend: MemoryBackend,
  change: (id: MessageId, to: (message: Message) => Message) => Message,
): { [Name in ChangeCall]: (input: CheckedInput<Name>) => CallOutput<Name> } {
  return {
    'message.forward': ({ messageIds, conversationIds }) => {
      const messages = backend.world.messages.filter(({ id }) => messageIds.includes(id));
      const refused = [];
      for (const conversationId of conversationIds)
        for (const { id, text, file } of messages) {
          const refusal = backend.refusals.get(`message.forward ${id}`);
          if (refusal !== undefined) refused.push({ conversationId, messageId: id, ...refusal });
          else
            backend.addMessage(conversationId, {
              ...{ direction: 'out', text, state: 'queued' },
              ...(file === undefined ? {} : { file: { ...sentFile, name: text } }),
            });
        }
      return { sent: messages.length * conversationIds.length - refused.length, refused };
    },
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
