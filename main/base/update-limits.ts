/** Owns: the ceilings and timers of newer versions of the program; limits.ts has all others. Called by: hosts/updates. */

/** Newer versions of the program, where a setting says to look for them. */
export const UPDATE_LIMITS = {
  /** After the start, which has enough to do. */
  firstLookMs: 30_000,
  lookEveryMs: 6 * 60 * 60_000,
  /** The whole of the feed and its signature. */
  feedMs: 30_000,
  maxFeedBytes: 64 * 1024,
  maxSignatureBytes: 1_024,
  /** Slow lines take their time; one that has stopped does not hold anything up for ever. */
  packageMs: 2 * 60 * 60_000,
  maxPackageBytes: 1024 ** 3,
  /** The window hears of a download when it has come on by so much. */
  shareStep: 0.01,
} as const;
