/**
 * Owns: the shape of a group: a chat room at the server, and what its messages have beside those of others.
 * Called by: contract, message.ts, messenger, store, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { addressSchema, conversationIdSchema } from './ids.ts';

/** Somebody, with the name that he had there. */
export const groupPersonSchema = v.object({ address: addressSchema, name: v.string() });
export type GroupPerson = v.InferOutput<typeof groupPersonSchema>;

/** Something that has happened in a group. `ended`: the room is not there any more. */
export const groupNoticeKinds = [
  'invited',
  'joined',
  'left',
  'declined',
  'removed',
  'owner',
  'renamed',
  'ended',
] as const;
export type GroupNoticeKind = (typeof groupNoticeKinds)[number];

export const groupNoticeSchema = v.object({
  kind: v.picklist(groupNoticeKinds),
  /** Who did it; null: nobody, or nobody says. */
  by: v.nullable(groupPersonSchema),
  /** Whom it is about. */
  who: v.nullable(groupPersonSchema),
  /** `renamed`: what it is called from then on. */
  title: v.nullable(v.string()),
});
export type GroupNotice = v.InferOutput<typeof groupNoticeSchema>;

/** What a message of a group has. */
export const messageGroupSchema = v.object({
  /** Incoming: who wrote it. Outgoing: whom alone it is for; null: everybody. */
  person: v.nullable(groupPersonSchema),
  /** Between the two only. */
  isPrivate: v.boolean(),
  /** It is no message, but a line that says what has happened. */
  notice: v.nullable(groupNoticeSchema),
});
export type MessageGroup = v.InferOutput<typeof messageGroupSchema>;

export const groupMemberSchema = v.object({
  address: addressSchema,
  /** What our user reads as his name: the one that he has for him, else what the others read. */
  name: v.string(),
  /** What the others read; absent: the same. */
  roomName: v.optional(v.string()),
  /** Empty: none. */
  nickname: v.string(),
  role: v.picklist(['owner', 'member']),
  /** `invited`: has not come yet. */
  state: v.picklist(['here', 'away', 'invited']),
});
export type GroupMember = v.InferOutput<typeof groupMemberSchema>;

/**
 * `creating` not at the server yet · `member` · `left` by our user · `removed` by its owner · `ended` there is no such room
 * any more.
 */
export const groupMemberships = ['creating', 'member', 'left', 'removed', 'ended'] as const;
export type GroupMembership = (typeof groupMemberships)[number];

export const groupSchema = v.object({
  conversationId: conversationIdSchema,
  membership: v.picklist(groupMemberships),
  /** Whoever knows its address may join. */
  isOpen: v.boolean(),
  /** Everybody who belongs to it, as last heard of, ourselves included. */
  members: v.array(groupMemberSchema),
});
export type Group = v.InferOutput<typeof groupSchema>;
