/**
 * Owns: the part of the contract about exports and imports. Called by: contract.ts. Calls: valibot.
 */
import * as v from 'valibot';
import { exportFormats, type HistoryJob } from '../domain/history.ts';
import { conversationIdSchema } from '../domain/ids.ts';

const nothing = v.object({});
const passphrase = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000));

export const jobInputs = {
  /** The export or import that runs, or the last one until it is put away. */
  'job.current': nothing,
  /**
   * Writes one conversation, or all, or (at most the newest thousand messages of) what a search finds. Where to is asked
   * by the host; without dialogs (`app.info`) it is a folder in the profile. `passphrase`: of an archive that nobody else
   * is to read. Null: the user has changed his mind.
   */
  'job.export': v.object({
    conversationId: v.optional(conversationIdSchema),
    search: v.optional(v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(500))),
    format: v.picklist(exportFormats),
    passphrase: v.optional(passphrase),
  }),
  /** What the user has handed in, as a part of an export at this place in it, or as an archive. The first one has `first`. */
  'job.stage': v.object({
    fileId: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
    path: v.pipe(v.string(), v.minLength(1), v.maxLength(1_000)),
    first: v.boolean(),
  }),
  /**
   * Takes an export in: the staged one, or one that the host asks for, a folder or an archive. Null: the user has changed
   * his mind.
   */
  'job.import': v.object({
    staged: v.boolean(),
    kind: v.optional(v.picklist(['folder', 'archive']), 'folder'),
  }),
  'job.stop': nothing,
  /** What was stopped or has failed goes on where it was; an archive that has a passphrase is taken in with it. */
  'job.resume': v.object({ passphrase: v.optional(passphrase) }),
  /** Puts the last one away. */
  'job.dismiss': nothing,
  /** Shows what was written; only where `app.info` says `hasFileDialogs`. */
  'job.reveal': nothing,
} as const;

export interface JobOutputs {
  'job.current': HistoryJob | null;
  'job.export': HistoryJob | null;
  'job.stage': null;
  'job.import': HistoryJob | null;
  'job.stop': HistoryJob | null;
  'job.resume': HistoryJob | null;
  'job.dismiss': null;
  'job.reveal': null;
}
