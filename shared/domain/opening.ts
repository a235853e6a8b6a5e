/**
 * Owns: what a window is told while what it shows is being opened: how far it is, what is asked for, why it failed.
 * Called by: contract, messenger, renderer. Calls: valibot.
 */
import * as v from 'valibot';

/**
 * What takes its time: a plain history becomes an encrypted one, one of an older program gets another form, a damaged one
 * is recovered.
 */
export const openingTasks = ['encrypting', 'updating', 'recovering'] as const;
export type OpeningTask = (typeof openingTasks)[number];

/** Why it cannot be opened. */
export const openingFailures = [
  'locked',
  'damaged',
  'too-new',
  'not-a-history',
  'unfinished',
  'not-readable',
  'disk-full',
  'internal',
] as const;
export type OpeningFailure = (typeof openingFailures)[number];

/**
 * `working`: `task` is null until something turns out to take its time; `done` of `total`, null when nobody knows.
 * `locked`: a passphrase is asked for; after wrong ones not before `againAtMs` (ms since 1970). `failed`: `message` is an
 * English sentence that says what to do.
 */
export const openingSchema = v.variant('state', [
  v.object({
    state: v.literal('working'),
    task: v.nullable(v.picklist(openingTasks)),
    done: v.number(),
    total: v.nullable(v.number()),
  }),
  v.object({
    state: v.literal('locked'),
    /** An archive has no recovery key. */
    what: v.picklist(['profile', 'archive']),
    /** How it is called, where its user has chosen it. */
    name: v.nullable(v.string()),
    failures: v.number(),
    againAtMs: v.nullable(v.number()),
  }),
  v.object({
    state: v.literal('failed'),
    code: v.picklist(openingFailures),
    name: v.nullable(v.string()),
    message: v.string(),
  }),
  v.object({ state: v.literal('open') }),
]);
export type Opening = v.InferOutput<typeof openingSchema>;
