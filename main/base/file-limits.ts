/**
 * Owns: ceilings and timers of files that a server keeps, for people who are away and for rooms; sizes and days are
 * configuration. Called by: imserver/file-desk.ts. Calls: nothing.
 */
export const KEPT_FILE_LIMITS = {
  /** Files that come or go at once, of all users and of one. */
  maxCalls: 256,
  maxCallsPerUser: 8,
  /** A file that has not come or gone by then is given up; its sender, or recipient, tries again. */
  callMs: 10 * 60_000,
  /** Whoever has been answered has to come so soon. */
  visitMs: 15_000,
  /** A user with several devices: a file that one has fetched stays so long for the others. */
  othersMs: 7 * 24 * 60 * 60_000,
  /** Files whose time is over are looked for so often. */
  sweepMs: 10 * 60_000,
  /** Room that is left on the disk. */
  spareDiskBytes: 256 * 1024 * 1024,
  byeMs: 5_000,
  /** Files that one user may have sent to rooms, as long as they are there: many tiny ones fill a folder as well. */
  maxRoomFilesPerSender: 2_000,
  /** The thumbnail that a room passes on with a file; a larger one is left out. */
  maxIconBytes: 32 * 1024,
  /** Whoever finds too many files under way is told to come again so soon. */
  busyRetryS: 5,
  /** The same of a sender for whose file there is no place. */
  fullRetryS: 3_600,
} as const;

/** As injected: tests use smaller ones. */
export type KeptFileLimits = { readonly [K in keyof typeof KEPT_FILE_LIMITS]: number };
