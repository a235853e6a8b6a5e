/**
 * Owns: the shape of a session's ladder diagram. Called by: contract, ladder reader, renderer. Calls: valibot.
 */
import * as v from 'valibot';

/** The three lifelines of the flow. */
export const ladderPartySchema = v.picklist(['bob', 'server', 'tom']);
export type LadderParty = v.InferOutput<typeof ladderPartySchema>;

/** One SIP or MSRP message as an arrow. */
export const ladderEntrySchema = v.object({
  /** Microseconds since the first entry. */
  timeUs: v.number(),
  from: ladderPartySchema,
  to: ladderPartySchema,
  protocol: v.picklist(['sip', 'msrp']),
  /** Request or status line. */
  firstLine: v.string(),
  /** The step of the flow (2 to 18) that this message is, or null. */
  step: v.nullable(v.number()),
  /** The message as text; credentials and message bodies are redacted. */
  text: v.string(),
});
export type LadderEntry = v.InferOutput<typeof ladderEntrySchema>;

export const ladderSchema = v.object({
  /** What the lifelines are called: host, server, participant. */
  names: v.object({ bob: v.string(), server: v.string(), tom: v.string() }),
  entries: v.array(ladderEntrySchema),
});
export type Ladder = v.InferOutput<typeof ladderSchema>;
