/** Owns: whether a message can be deleted for everybody. Called by: MessageMenu, SelectionBar. Calls: nothing. */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Message } from '../../../shared/domain/message.ts';

/** The other side follows changes; a group is told in words as well. */
export function followsChanges({ kind, takesChanges }: Conversation): boolean {
  return kind === 'group' || takesChanges === true;
}

/** It is a text of ours that has left, and the other side understands. */
export function canTakeBack(message: Message, conversation: Conversation): boolean {
  const { deletedAtMs, direction, file, state } = message;
  const isOwnText = direction === 'out' && file === undefined && deletedAtMs === undefined;
  return isOwnText && followsChanges(conversation) && state !== 'queued' && state !== 'failed';
}
