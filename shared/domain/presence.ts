/**
 * Owns: whether somebody is there, as the window and the network say it, and what our user has decided about people.
 * Called by: contract, messenger, sip, imserver, renderer. Calls: valibot.
 */
import * as v from 'valibot';
import { accountIdSchema } from './ids.ts';

/** `dnd`: there, and not to be disturbed. */
export const presenceShows = ['available', 'away', 'dnd', 'offline'] as const;
export type PresenceShow = (typeof presenceShows)[number];

/** What our user may choose to be. `invisible`: there, and offline for everybody else. */
export const presenceChoices = ['available', 'away', 'dnd', 'invisible'] as const;
export type PresenceChoice = (typeof presenceChoices)[number];

/** Characters of the words that somebody adds. */
export const MAX_NOTE_CHARS = 140;

/** What somebody lets others know of himself. */
export const presenceStateSchema = v.object({
  show: v.picklist(presenceShows),
  /** Words of his own; empty: none. */
  note: v.string(),
});
export type PresenceState = v.InferOutput<typeof presenceStateSchema>;

/** Somebody as he lets one of our accounts see him. Null: we do not know. */
export const seenPresenceSchema = v.object({
  accountId: accountIdSchema,
  address: v.string(),
  state: v.nullable(presenceStateSchema),
});
export type SeenPresence = v.InferOutput<typeof seenPresenceSchema>;

export const contactRuleKinds = ['ask', 'allow', 'block'] as const;

/** Of one other person. No rule at all is the same as `{ presence: 'ask', blocked: false }`. */
export const contactRuleSchema = v.object({
  /** May he see our user's presence? `ask`: he has to ask. */
  presence: v.picklist(contactRuleKinds),
  /** Nothing of his reaches our user, and he is not told so. */
  blocked: v.boolean(),
});
export type ContactRule = v.InferOutput<typeof contactRuleSchema>;

/** Presence and rules at the server of one account. */
export const accountPresenceSchema = v.object({
  accountId: accountIdSchema,
  /** Others see there what our user lets them see. */
  isPublished: v.boolean(),
  /** Where the rules hold: `device` when the server keeps none; null: it has not said yet. */
  rulesAt: v.nullable(v.picklist(['server', 'device'])),
  rules: v.array(v.object({ address: v.string(), ...contactRuleSchema.entries })),
  /** Addresses of people who want to see our user and wait for his answer, longest first. */
  asks: v.array(v.string()),
});
export type AccountPresence = v.InferOutput<typeof accountPresenceSchema>;

/** Our user as he has chosen to be, or as he is because he has not done anything for a while. */
export const ownPresenceSchema = v.object({ show: v.picklist(presenceShows), isIdle: v.boolean() });
export type OwnPresence = v.InferOutput<typeof ownPresenceSchema>;
