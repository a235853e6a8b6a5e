/**
 * Owns: the branded identifiers. Called by: every layer. Calls: valibot.
 * A branded id cannot be passed where another kind is expected; on the wire it is a plain string.
 */
import * as v from 'valibot';

const idText = v.pipe(v.string(), v.minLength(1), v.maxLength(200));

export const accountIdSchema = v.pipe(idText, v.brand('AccountId'));
export const conversationIdSchema = v.pipe(idText, v.brand('ConversationId'));
export const messageIdSchema = v.pipe(idText, v.brand('MessageId'));
export const sessionIdSchema = v.pipe(idText, v.brand('SessionId'));

export type AccountId = v.InferOutput<typeof accountIdSchema>;
export type ConversationId = v.InferOutput<typeof conversationIdSchema>;
/** Our own id of a message. For an outgoing one it is also its id on the wire (imdn.Message-ID, MSRP Message-ID). */
export type MessageId = v.InferOutput<typeof messageIdSchema>;
/** One chat session, from its invitation to its end. */
export type SessionId = v.InferOutput<typeof sessionIdSchema>;

/** A SIP address of record without scheme: `user@domain`, domain in lower case. */
export const addressSchema = v.pipe(
  v.string(),
  v.trim(),
  v.maxLength(255),
  v.transform((text) => text.replace(/^(sips?|im):/i, '')),
  v.regex(
    /^[A-Za-z0-9\-_.!~*'()&=+$,;?/%]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/,
    'An address looks like name@domain.',
  ),
  v.transform((text) => {
    const at = text.lastIndexOf('@');
    return `${text.slice(0, at)}@${text.slice(at + 1).toLowerCase()}`;
  }),
);
