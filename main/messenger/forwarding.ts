/**
 * Owns: sending on what is here: texts as new messages of our user, files from where they lie.
 * Called by: message-change-commands.ts. Calls: conversation-actions.ts, transfers.ts, store.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { ForwardRefusal } from '../../shared/ipc/message-change-calls.ts';
import { StoreError } from '../store/database.ts';
import { sendText } from './conversation-actions.ts';
import type { Messenger } from './messenger.ts';
import { beforeFile } from './transfer-commands.ts';

/**
 * Messages in the order in which they stand, to each conversation. No standard has a place for who wrote them first, and
 * none is made up: whoever gets them reads texts and files of ours, without names, times or what they answered.
 * What could not be sent is left out and told of.
 */
export async function forwardMessages(
  messenger: Messenger,
  wanted: { messageIds: readonly MessageId[]; conversationIds: readonly ConversationId[] },
): Promise<{ sent: number; refused: ForwardRefusal[] }> {
  const refused: ForwardRefusal[] = [];
  let sent = 0;
  const messages = await selectInOrder(messenger, wanted.messageIds);
  for (const conversationId of new Set(wanted.conversationIds)) {
    for (const [messageId, message] of messages) {
      try {
        await forward(messenger, conversationId, message);
        sent += 1;
      } catch (error) {
        refused.push({ conversationId, messageId, ...whatIsWrong(error) });
      }
    }
  }
  return { sent, refused };
}

async function selectInOrder(
  { store }: Messenger,
  ids: readonly MessageId[],
): Promise<(readonly [MessageId, Message | null])[]> {
  const found = await Promise.all(
    [...new Set(ids)].map(async (id) => [id, await store.call('selectMessage', { id })] as const),
  );
  return found.sort(([, a], [, b]) => (a?.position ?? 0) - (b?.position ?? 0));
}

async function forward(
  messenger: Messenger,
  conversationId: ConversationId,
  message: Message | null,
): Promise<void> {
  if (message === null || message.deletedAtMs !== undefined)
    throw new CallError('not-found', 'This message is not here any more.');
  if ((message.group?.notice ?? null) !== null) throw new CallError('not-allowed', 'This is not a message.');
  if (message.file === undefined) {
    await sendText(messenger, conversationId, message.text);
    return;
  }
  // Whether it is there, before anything about the conversation changes.
  await messenger.transfers.fileOf(message.id);
  const place = await beforeFile(messenger, conversationId);
  await messenger.transfers.forward(place, message.id);
}

/** As the border says it of a whole call. @throws whatever is a mistake of ours */
function whatIsWrong(error: unknown): Pick<ForwardRefusal, 'code' | 'message'> {
  if (error instanceof CallError) return { code: error.code, message: error.message };
  if (!(error instanceof StoreError)) throw error;
  return { code: error.code === 'STORE_FULL' ? 'disk-full' : 'store-failed', message: error.message };
}
