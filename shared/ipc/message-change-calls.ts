/**
 * Owns: the calls that answer, mark, change and send on messages: input schemas and output types.
 * Called by: contract.ts. Calls: valibot.
 */
import * as v from 'valibot';
import { conversationIdSchema, messageIdSchema, type ConversationId, type MessageId } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';
import type { ErrorCode } from './error-codes.ts';

/** One emoji, however many code points it is made of; long ones are families with tones of skin. */
export const MAX_EMOJI_CHARS = 32;

/** So many messages are sent on at once, or chosen for anything else. */
export const maxChosenMessages = 100;
/** And to so many conversations. */
export const maxForwardTargets = 20;

export const messageChangeInputs = {
  /** The same texts and files again, as messages of ours, to other conversations. What has no file here any more is refused. */
  'message.forward': v.object({
    messageIds: v.pipe(v.array(messageIdSchema), v.minLength(1), v.maxLength(maxChosenMessages)),
    conversationIds: v.pipe(v.array(conversationIdSchema), v.minLength(1), v.maxLength(maxForwardTargets)),
  }),
  /** Our reaction to a message, instead of the one before; null takes it back. */
  'message.react': v.object({
    messageId: messageIdSchema,
    emoji: v.nullable(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_EMOJI_CHARS))),
  }),
  /** Another text for a message of ours, also on the other side. */
  'message.edit': v.object({ messageId: messageIdSchema, text: v.pipe(v.string(), v.minLength(1)) }),
  /** Takes a message of ours back, also on the other side. */
  'message.takeBack': v.object({ messageId: messageIdSchema }),
} as const;

/** One message that was not sent to one conversation. */
export interface ForwardRefusal {
  readonly conversationId: ConversationId;
  readonly messageId: MessageId;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface MessageChangeOutputs {
  /** `sent`: messages that are on disk, one for each conversation. */
  'message.forward': { readonly sent: number; readonly refused: readonly ForwardRefusal[] };
  'message.react': { message: Message };
  'message.edit': { message: Message };
  'message.takeBack': { message: Message };
}
