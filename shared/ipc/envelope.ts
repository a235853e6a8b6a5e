/**
 * Owns: how a call, its answer and an event look on the wire, as JSON.
 * Called by: api-server, both renderer transports, automation clients. Calls: valibot.
 */
import * as v from 'valibot';
import type { EventData, EventName } from './contract.ts';
import type { ErrorCode } from './error-codes.ts';

/** `{"id":1,"call":"message.send","input":{…}}`; `id` comes back in the answer. */
export const callEnvelopeSchema = v.object({
  id: v.union([v.pipe(v.number(), v.integer()), v.pipe(v.string(), v.maxLength(100))]),
  call: v.pipe(v.string(), v.maxLength(100)),
  input: v.optional(v.unknown()),
});
export type CallEnvelope = v.InferOutput<typeof callEnvelopeSchema>;

export type AnswerEnvelope =
  | { readonly id: number | string; readonly ok: true; readonly value: unknown }
  | { readonly id: number | string; readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** `seq` grows by one with each event; a gap means that the subscriber has to read its state anew. */
export type EventEnvelope = {
  [Name in EventName]: { readonly seq: number; readonly event: Name; readonly data: EventData<Name> };
}[EventName];
