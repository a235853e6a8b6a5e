/**
 * Owns: the shape of a file in a conversation and of its way. Called by: contract, messenger, store, renderer.
 * Calls: valibot.
 */
import * as v from 'valibot';

/**
 * `preparing` we read the file once for its hashes · `waiting` it goes on by itself when the other side can be reached ·
 * `offered` the receiving user has not said yes · `transferring` · `paused` by our user · `done` whole and verified ·
 * `declined` by the receiving user · `cancelled` by our user, or taken back by the sender · `failed`.
 */
export const transferStates = [
  'preparing',
  'waiting',
  'offered',
  'transferring',
  'paused',
  'done',
  'declined',
  'cancelled',
  'failed',
] as const;
const transferStateSchema = v.picklist(transferStates);
export type TransferState = v.InferOutput<typeof transferStateSchema>;

/** Why a transfer failed. */
export const transferFailureCodes = [
  'disk-full',
  'not-written',
  'not-read',
  'changed',
  'damaged',
  'too-large',
  'refused',
  'not-supported',
  'gone',
  'server-full',
] as const;
export type TransferFailureCode = (typeof transferFailureCodes)[number];

export const transferSchema = v.object({
  /** Safe as a file name. */
  name: v.string(),
  /** As its sender calls it: `image/png`. */
  type: v.string(),
  /** Bytes; null: not known before the end. */
  size: v.nullable(v.number()),
  state: transferStateSchema,
  /** Bytes that have arrived. */
  bytesDone: v.number(),
  /** Set when `state` is `failed`. */
  failure: v.nullable(v.object({ code: v.picklist(transferFailureCodes), message: v.string() })),
  /** A small JPEG or PNG as base64, made by its sender. */
  preview: v.nullable(v.string()),
  /** The whole file is here and may be shown or opened. */
  available: v.boolean(),
  /** Another device of our user has sent it, and it is not here: nothing but taking it back is up to this one. */
  elsewhere: v.optional(v.literal(true)),
});
export type Transfer = v.InferOutput<typeof transferSchema>;
