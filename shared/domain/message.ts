/**
 * Owns: the shape of a message and the states of its bubble.
 * Called by: contract, messenger, store, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { messageGroupSchema } from './group.ts';
import { conversationIdSchema, messageIdSchema, type SessionId } from './ids.ts';
import { transferSchema } from './transfer.ts';

/**
 * Outgoing: `queued` on our disk only · `waiting` kept by the IM Server until the peer is back ·
 * `sent` the peer's endpoint has it · `delivered` the peer has stored it · `displayed` the peer has seen it ·
 * `failed` it will not be tried again by itself. Incoming: `received`, `read`.
 */
export const messageStateSchema = v.picklist([
  'queued',
  'waiting',
  'sent',
  'delivered',
  'displayed',
  'failed',
  'received',
  'read',
]);
export type MessageState = v.InferOutput<typeof messageStateSchema>;

/** What a message answers: as much of it as is shown above the answer. */
export const quoteSchema = v.object({
  /** Where it lies in the conversation; null: it is not here (any more). */
  position: v.nullable(v.number()),
  direction: v.picklist(['in', 'out']),
  /** Its author in a group. */
  name: v.nullable(v.string()),
  /** Its beginning, or the name of the file that it is. */
  text: v.string(),
});
export type Quote = v.InferOutput<typeof quoteSchema>;

/** One person's reaction to a message. */
export const reactionSchema = v.object({
  emoji: v.string(),
  isOurs: v.boolean(),
  /** In a group: whose it is. */
  name: v.nullable(v.string()),
});
export type Reaction = v.InferOutput<typeof reactionSchema>;

export const messageSchema = v.object({
  id: messageIdSchema,
  conversationId: conversationIdSchema,
  /** Grows with every message stored; the order in which a conversation is shown, and the key of paging. */
  position: v.number(),
  direction: v.picklist(['in', 'out']),
  /** Of a message that is a file: its name. */
  text: v.string(),
  /** The file that this message is. */
  file: v.optional(transferSchema),
  /** In a group: who wrote it, or what has happened. */
  group: v.optional(messageGroupSchema),
  /** It answers another message. */
  reply: v.optional(quoteSchema),
  /** One for each person, the oldest first; absent: none. */
  reactions: v.optional(v.array(reactionSchema)),
  /** Its author has changed its text, milliseconds since 1970. */
  editedAtMs: v.optional(v.number()),
  /** Its author has taken it back: nothing of its text is left. */
  deletedAtMs: v.optional(v.number()),
  /** When its author sent it, milliseconds since 1970. */
  sentAtMs: v.number(),
  state: messageStateSchema,
  /** Set when `state` is `failed`: what happened and what to do, in one sentence each. */
  failure: v.nullable(v.object({ code: v.string(), message: v.string() })),
});
export type Message = v.InferOutput<typeof messageSchema>;

/** When a message came into a state, by the clock of the computer that kept it; the last time, if there were several. */
export interface MessageTime {
  readonly state: MessageState;
  readonly atMs: number;
}

/** What is kept of a message beside what its bubble shows. Times in ms since 1970. */
export interface MessageDetails {
  readonly storedAtMs: number;
  /** What has happened to it since then, in that order; of what was taken in from an export as it says. */
  readonly times: readonly MessageTime[];
  /** Its id between the two messengers: in CPIM, MSRP and IMDN. */
  readonly wireId: string;
  /** The other device of our user that has sent it; null: this one has, or it came from others. */
  readonly device: string | null;
  /** The session of that time; null when there was none. `id`: as long as its ladder can be asked for. */
  readonly session: {
    readonly id: SessionId | null;
    readonly startedMs: number;
    readonly endedMs: number | null;
    readonly mediaPath: 'direct' | 'relay' | null;
    readonly encrypted: boolean | null;
  } | null;
}
