/**
 * Owns: ceilings and timers of what the devices of one user tell each other, on the server and in the messenger.
 * Called by: imserver/device-copies.ts, messenger/devices. Calls: nothing.
 */
export const COPY_LIMITS = {
  /** What has happened is gathered so long before it leaves: a message and its reports, or what is read in one go. */
  gatherMs: 100,
  /** A longer text leaves in pieces of so many bytes, as many as a text may have (`maxTextBytes`). */
  maxPartBytes: 40 * 1024,
  maxParts: 32,
  /** The server: one copy, and devices of one user that it keeps copies for; the one that was away longest goes first. */
  maxCopyBytes: 64 * 1024,
  maxDevices: 10,
  /** What waits for one device; the oldest go first. */
  maxPerDevice: 5_000,
  maxBytesPerDevice: 32 * 1024 * 1024,
  /** What a device has not fetched by then is not kept any longer, and a device that was away so long is forgotten. */
  keptDays: 30,
  /** A device that is there and did not take a copy is asked again: first and longest wait. */
  redeliverFirstMs: 5_000,
  redeliverMaxMs: 60_000,
} as const;

/** As injected: tests use smaller ones. */
export type CopyLimits = { readonly [K in keyof typeof COPY_LIMITS]: number };
