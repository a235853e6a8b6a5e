/**
 * Owns: the shapes of a contact, a conversation and a chat session.
 * Called by: contract, messenger, store, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { messageGroupSchema } from './group.ts';
import {
  accountIdSchema,
  addressSchema,
  conversationIdSchema,
  messageIdSchema,
  sessionIdSchema,
} from './ids.ts';
import { messageStateSchema } from './message.ts';

export const contactSchema = v.object({
  accountId: accountIdSchema,
  address: addressSchema,
  displayName: v.string(),
});
export type Contact = v.InferOutput<typeof contactSchema>;

export const conversationSchema = v.object({
  id: conversationIdSchema,
  accountId: accountIdSchema,
  /** Absent: with one person. A group's `peerAddress` and `peerName` are those of its room. */
  kind: v.optional(v.picklist(['person', 'group'])),
  peerAddress: addressSchema,
  /** The contact's name, else what the peer calls himself, else his address. */
  peerName: v.string(),
  /** `asked`: a stranger has invited us and waits for the user's answer. */
  standing: v.picklist(['accepted', 'asked', 'declined']),
  /** The other side follows when we change or take back a message; others would read a further one. */
  takesChanges: v.optional(v.boolean()),
  unreadCount: v.number(),
  /** Position of the newest message that the user has seen; 0 when none. */
  readPosition: v.number(),
  /** Milliseconds since 1970; the list is sorted by it, newest first. */
  lastActivityMs: v.number(),
  lastMessage: v.nullable(
    v.object({
      id: messageIdSchema,
      direction: v.picklist(['in', 'out']),
      text: v.string(),
      state: messageStateSchema,
      sentAtMs: v.number(),
      group: v.optional(messageGroupSchema),
    }),
  ),
});
export type Conversation = v.InferOutput<typeof conversationSchema>;

/** Why a session ended. */
export const sessionEndCodes = [
  'ended-by-us',
  'ended-by-peer',
  'idle',
  'declined',
  'busy',
  'no-answer',
  'not-registered',
  'unknown-peer',
  'forbidden',
  /** People of the two domains may not talk with each other. */
  'other-domain',
  'server-unreachable',
  'not-signed-in',
  'media-failed',
  'media-lost',
  /** One side wants encryption, the other cannot or will not. */
  'encryption-refused',
  /** Encryption was agreed on or usual, and then it was to be left out. */
  'encryption-downgraded',
  /** Somebody else than announced was at the other end. */
  'wrong-certificate',
  /** We have taken our invitation back. */
  'cancelled',
  /** The peer has taken his back. */
  'taken-back',
  /** Our user has not answered in time. */
  'missed',
  /** Our user has answered on another of his devices. */
  'answered-elsewhere',
  'refused',
  'shutdown',
] as const;
export type SessionEndCode = (typeof sessionEndCodes)[number];

/**
 * One session: a SIP dialog and its MSRP session.
 * `inviting` we wait for the peer · `asked` the peer waits for our user · `opening` answer is under way ·
 * `open` messages flow · `ending` the BYE is under way · `ended`.
 */
export const sessionSchema = v.object({
  id: sessionIdSchema,
  conversationId: conversationIdSchema,
  direction: v.picklist(['outgoing', 'incoming']),
  state: v.picklist(['inviting', 'asked', 'opening', 'open', 'ending', 'ended']),
  mediaPath: v.picklist(['direct', 'relay']),
  /** And whoever reads it on the other end of the line has proven who he is. */
  encrypted: v.boolean(),
  startedMs: v.number(),
  openedMs: v.nullable(v.number()),
  endedMs: v.nullable(v.number()),
  /** Why it ended, or never opened: a stable code of `sessionEndCodes` and one sentence. */
  end: v.nullable(v.object({ code: v.picklist(sessionEndCodes), message: v.string() })),
});
export type Session = v.InferOutput<typeof sessionSchema>;
export type SessionState = Session['state'];

/** How our user wants to have a conversation in the list. Nobody else hears of it. */
export const marksSchema = v.object({
  pinned: v.boolean(),
  muted: v.boolean(),
  archived: v.boolean(),
  /** Shown as if there were something to read, until it is opened. */
  unread: v.optional(v.boolean()),
});
export type Marks = v.InferOutput<typeof marksSchema>;
export const noMarks: Marks = { pinned: false, muted: false, archived: false };

/** What the title and the program's icons count of a conversation: unread messages, or one for the mark alone. */
export function countUnread(
  { standing, unreadCount }: Pick<Conversation, 'standing' | 'unreadCount'>,
  { archived, muted, unread }: Marks,
): number {
  if (standing !== 'accepted' || muted) return 0;
  return Math.max(unreadCount, unread === true && !archived ? 1 : 0);
}
