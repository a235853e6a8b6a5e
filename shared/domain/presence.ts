/**
 * Owns: whether somebody is there, as the window and the network say it. Called by: contract, messenger, sip, imserver,
 * renderer. Calls: valibot.
 */
import * as v from 'valibot';

/** `dnd`: there, and not to be disturbed. */
export const presenceShows = ['available', 'away', 'dnd', 'offline'] as const;
export type PresenceShow = (typeof presenceShows)[number];

/** Characters of the words that somebody adds. */
export const MAX_NOTE_CHARS = 140;

/** What somebody lets others know of himself. */
export const presenceStateSchema = v.object({
  show: v.picklist(presenceShows),
  /** Words of his own; empty: none. */
  note: v.string(),
});
export type PresenceState = v.InferOutput<typeof presenceStateSchema>;
