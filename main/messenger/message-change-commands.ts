/**
 * Owns: what a user does to messages that are there: a reaction, another text, taken back, sent on.
 * Called by: commands.ts. Calls: the store, then conversation-link.ts, which tells the other side.
 */
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { MessageChange } from '../store/message-changes.ts';
import type { Commands } from './commands.ts';
import { createMessageId } from './message-id.ts';
import { forwardMessages } from './forwarding.ts';
import type { Messenger } from './messenger.ts';

type Names = 'message.forward' | 'message.react' | 'message.edit' | 'message.takeBack';

export function messageChangeCommands(messenger: Messenger): Pick<Commands, Names> {
  return {
    'message.forward': (input) => forwardMessages(messenger, input),
    'message.react': ({ messageId, emoji }) =>
      change(messenger, messageId, emoji === null ? { kind: 'no-reaction' } : { kind: 'reaction', emoji }),
    'message.edit': async ({ messageId, text }) => {
      if (Buffer.byteLength(text, 'utf8') > messenger.limits.maxTextBytes) {
        throw new CallError('too-large', 'This text is too long for one message.');
      }
      return change(messenger, messageId, { kind: 'edit', text });
    },
    'message.takeBack': ({ messageId }) => change(messenger, messageId, { kind: 'takeBack' }),
  };
}

/** Does it here, and lets the other side know as soon as that can be reached. Rejects with CallError or StoreError. */
async function change(
  messenger: Messenger,
  messageId: MessageId,
  what: MessageChange,
): Promise<{ message: Message }> {
  const { store } = messenger;
  const message = await store.call('selectMessage', { id: messageId });
  const known = await store.call('selectWireId', { id: messageId });
  if (message === null || known === null) {
    throw new CallError('not-found', 'This message is not here any more.');
  }
  const { conversation, account } = await messenger.conversation(message.conversationId);
  messenger.presence.refuseBlocked(conversation);
  const isReaction = what.kind === 'reaction' || what.kind === 'no-reaction';
  if ((message.group?.notice ?? null) !== null) throw notAllowed('This is not a message.');
  if (!isReaction) {
    if (message.direction === 'in' || message.file !== undefined) {
      throw notAllowed('Only texts that you have written can be changed or taken back.');
    }
    if (conversation.kind !== 'group' && conversation.takesChanges !== true) {
      throw notAllowed('The program of the other side would not change it, but show a further message.');
    }
    if (what.kind === 'takeBack' && (message.state === 'queued' || message.state === 'failed')) {
      throw notAllowed('This message has not left: delete it instead.');
    }
  }
  const done = await store.call('applyMessageChange', {
    conversationId: message.conversationId,
    targetWireId: known.wireId,
    change: what,
    direction: 'out',
    person: null,
    atMs: Date.now(),
    wireId: createMessageId(),
    waits: true,
    keepsText: messenger.settings['history.hold'],
  });
  if (done.outcome === 'there') return { message };
  if (done.outcome !== 'changed') throw notAllowed('This message cannot be changed.');
  messenger.feed.publish('message.changed', { message: done.message });
  await messenger.publishConversation(message.conversationId);
  account?.link(conversation).send();
  return { message: done.message };
}

function notAllowed(why: string): CallError {
  return new CallError('not-allowed', why);
}
