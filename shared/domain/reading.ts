/**
 * Owns: what a window is told about the archive or the copied profile that it reads. Called by: contract, messenger,
 * renderer. Calls: valibot.
 */
import * as v from 'valibot';

/**
 * Whether it is still what was written. `checking`: `done` of `total` messages and files. `whole`: an archive whose manifest,
 * files and chain are right. `sound`: a history, which has no manifest, without damage. `broken`: `problems` are English
 * sentences, at most twenty.
 */
export const readingCheckSchema = v.object({
  state: v.picklist(['checking', 'whole', 'sound', 'broken']),
  done: v.number(),
  total: v.number(),
  problems: v.array(v.string()),
});
export type ReadingCheck = v.InferOutput<typeof readingCheckSchema>;

export const readingSchema = v.object({
  /** The name of the file, or of the folder of a profile. */
  name: v.string(),
  path: v.string(),
  kind: v.picklist(['archive', 'history']),
  /** When an archive was made, in ms since 1970, and what has made it. */
  madeAtMs: v.nullable(v.number()),
  program: v.nullable(v.string()),
  messages: v.number(),
  conversations: v.number(),
  check: readingCheckSchema,
});
export type Reading = v.InferOutput<typeof readingSchema>;
