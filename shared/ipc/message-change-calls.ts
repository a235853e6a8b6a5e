/**
 * Owns: the calls that answer, mark and change messages: input schemas and output types.
 * Called by: contract.ts. Calls: valibot.
 */
import * as v from 'valibot';
import { messageIdSchema } from '../domain/ids.ts';
import type { Message } from '../domain/message.ts';

/** One emoji, however many code points it is made of; long ones are families with tones of skin. */
export const MAX_EMOJI_CHARS = 32;

export const messageChangeInputs = {
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

export interface MessageChangeOutputs {
  'message.react': { message: Message };
  'message.edit': { message: Message };
  'message.takeBack': { message: Message };
}
