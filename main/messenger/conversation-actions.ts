/**
 * Owns: what a user does in a conversation: open it, send a text, have seen what is there.
 * Called by: commands.ts, hosts/demo-bot.ts. Calls: messenger.ts, store, delivery.ts.
 */

import type { Conversation } from '../../shared/domain/conversation.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { createMessageId } from './message-id.ts';
import type { Messenger } from './messenger.ts';

/**
 * Stores a text, then sends it; `to`: in a group to this member only; `replyTo`: it answers this message. Resolves when it is on disk. Rejects with CallError
 * or StoreError.
 */
export async function sendText(
  messenger: Messenger,
  conversationId: ConversationId,
  text: string,
  { to, replyTo }: { to?: string | undefined; replyTo?: MessageId | undefined } = {},
): Promise<Message> {
  if (Buffer.byteLength(text, 'utf8') > messenger.limits.maxTextBytes) {
    throw new CallError(
      'too-large',
      'This text is too long for one message. Send it in parts, or as a file.',
    );
  }
  const { conversation, account } = await messenger.conversation(conversationId);
  messenger.presence.refuseBlocked(conversation);
  const accepted =
    conversation.standing === 'accepted'
      ? conversation
      : await messenger.setStanding(conversationId, 'accepted');
  const group = await groupMarks(messenger, conversation, to);
  const answered = replyTo === undefined ? null : await messenger.store.call('selectWireId', { id: replyTo });
  if (replyTo !== undefined && answered?.conversationId !== conversationId) {
    throw new CallError('not-found', 'The message that this answers is not here any more.');
  }
  const id = createMessageId();
  const nowMs = Date.now();
  const { message } = await messenger.store.insertMessage({
    id,
    conversationId,
    direction: 'out',
    wireId: id,
    text,
    sentAtMs: nowMs,
    storedAtMs: nowMs,
    state: 'queued',
    displayReportWanted: false,
    ...(group === undefined ? {} : { group }),
    ...(answered === null ? {} : { replyTo: answered.wireId }),
  });
  messenger.feed.publish('message.added', { message });
  await messenger.publishConversation(conversationId);
  account?.link(accepted).messageQueued();
  return message;
}

/**
 * Our user wants to talk to a person. If that one waits for an answer already, this is the yes, unless the user wants to
 * say it to each session. Rejects with StoreError.
 */
export async function openWith(
  messenger: Messenger,
  accountId: AccountId,
  address: string,
): Promise<Conversation> {
  const conversation = await messenger.openConversation(accountId, address);
  if (messenger.settings['sessions.acceptContacts']) {
    const account = messenger.accounts().find(({ stored }) => stored.id === accountId);
    await account?.linkOf(conversation.id)?.answer(true);
  }
  return conversation;
}

/** What a message has in a group. Rejects with CallError when we, or the only one whom it is for, do not belong to it. */
export async function groupMarks(
  messenger: Messenger,
  { id, kind }: Conversation,
  to?: string,
): Promise<MessageGroup | undefined> {
  if (kind !== 'group') return undefined;
  const group = await messenger.store.call('selectGroup', { conversationId: id });
  if (group === null || !['member', 'creating'].includes(group.membership)) {
    throw new CallError('not-allowed', 'You are not in this group any more.');
  }
  if (to === undefined) return { person: null, isPrivate: false, notice: null };
  const member = group.members.find(({ address }) => address === to);
  if (member === undefined) throw new CallError('not-found', 'This person is not in the group.');
  return { person: { address: to, name: member.name }, isPrivate: true, notice: null };
}

/** Everything up to `position`, or all of it, has been seen; authors who asked are told, if the user allows it. */
export async function markRead(
  messenger: Messenger,
  conversationId: ConversationId,
  position?: number,
): Promise<Conversation> {
  const { conversation, account } = await messenger.conversation(conversationId);
  const { messages, reportWireIds } = await messenger.store.call('markRead', { conversationId, position });
  for (const message of messages) messenger.feed.publish('message.changed', { message });
  if (messages.length > 0) await messenger.publishConversation(conversationId);
  if (account !== undefined && reportWireIds.length > 0 && messenger.settings['privacy.sendDisplayed']) {
    const chat = account.linkOf(conversationId)?.chat;
    for (const messageId of reportWireIds) {
      const report = { messageId, kind: 'display', status: 'displayed' } as const;
      void messenger.delivery.sendNotification(account, chat, conversation.peerAddress, report);
    }
  }
  return (await messenger.conversation(conversationId)).conversation;
}
