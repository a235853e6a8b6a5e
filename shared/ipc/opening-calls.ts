/**
 * Owns: the part of the contract about opening: what stands before a window has anything to show, its passphrase, and
 * windows that only read. Called by: contract.ts. Calls: valibot.
 */
import * as v from 'valibot';
import { openingSchema, type Opening } from '../domain/opening.ts';
import { historyLockSchema, MIN_PASSPHRASE_CHARS, type HistoryLockStatus } from '../domain/history.ts';
import { readingSchema, type Reading } from '../domain/reading.ts';

const nothing = v.object({});
const passphrase = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000));
/** Fewer signs are guessed in an hour, whatever a guess costs. */
const newPassphrase = v.pipe(v.string(), v.minLength(MIN_PASSPHRASE_CHARS), v.maxLength(1_000));

/** Parts of a copied profile that a window hands in at once. */
const MAX_PARTS = 20_000;

export const openingInputs = {
  /** May be asked before anything is open, as the next one. Every other call is refused with `not-open` until then. */
  'opening.status': nothing,
  /** Answers `locked`. Refused with `wrong-password`, and with `too-many` while it is too early for another attempt. */
  'opening.unlock': v.union([
    v.object({ passphrase }),
    /** Of one's own profile with the passphrase that takes the place of the forgotten one. */
    v.object({ recoveryKey: v.pipe(v.string(), v.maxLength(200)), newPassphrase: v.optional(newPassphrase) }),
  ]),
  /** How the key of the history is protected. */
  'lock.status': nothing,
  /**
   * Sets a passphrase, or changes it: then with the `current` one (or the recovery key, in every place where one is asked
   * for). Refused with `wrong-password`.
   */
  'lock.setPassphrase': v.object({ passphrase: newPassphrase, current: v.optional(passphrase) }),
  'lock.newRecoveryKey': v.object({ current: passphrase }),
  /** Refused with `locked` where a policy wants one. */
  'lock.remove': v.object({ current: passphrase }),
  /** What this window reads; null in a window of the messenger. */
  'reading.status': nothing,
  /**
   * Opens an archive, or a copied profile, in a window of its own, where nothing of it can be changed: what the user has
   * handed in. `name`: of the file, or of the folder; `path`: the place of a part in that folder, empty for a file.
   */
  'reading.open': v.object({
    name: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
    parts: v.pipe(
      v.array(
        v.object({
          fileId: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/)),
          path: v.pipe(v.string(), v.maxLength(1_000)),
        }),
      ),
      v.minLength(1),
      v.maxLength(MAX_PARTS),
    ),
  }),
} as const;

export interface OpeningOutputs {
  'opening.status': Opening;
  'opening.unlock': Opening;
  'lock.status': HistoryLockStatus;
  /** `recoveryKey`: of a first one; it is shown once. */
  'lock.setPassphrase': { readonly recoveryKey: string | null };
  'lock.newRecoveryKey': { readonly recoveryKey: string };
  'lock.remove': null;
  'reading.status': Reading | null;
  /** Where the window has to go for it; null: the program has opened one. */
  'reading.open': { readonly url: string | null };
}

export const openingEvents = {
  'opening.changed': v.object({ opening: openingSchema }),
  'lock.changed': v.object({ lock: historyLockSchema }),
  'reading.changed': v.object({ reading: readingSchema }),
} as const;
