/**
 * Owns: ceilings and timers of presence, of the rules for who sees it, and of its watchers. Milliseconds unless the name
 * says otherwise. Called by: imserver, messenger, sip/pidf.ts and its neighbours. Calls: nothing.
 */
export const PRESENCE_LIMITS = {
  /** A presence document. */
  maxPidfBytes: 16 * 1024,
  /** Lifetime of a publication: when nobody names one, at least, and at most (RFC 3903 §6). */
  defaultPublishS: 600,
  minPublishS: 60,
  maxPublishS: 3_600,
  /** Publications of one user, one for each of his devices, and of all; one more is refused. */
  maxPublicationsPerUser: 20,
  maxPublications: 50_000,
  /** The shortest time between two NOTIFYs of one subscription (RFC 3856 §6.10). */
  notifyMs: 5_000,
  watcherInfoMs: 2_000,
  deviceListMs: 2_000,
  /** People about whom one user has rules, and the document that says them. */
  maxRules: 1_000,
  maxRulesBytes: 256 * 1024,
  maxRulesElements: 4_000,
  /** People who have asked one user and wait for his answer, and for how long they do. The oldest are forgotten. */
  maxAsks: 100,
  askDays: 30,
  /** People whom one user asks and who have not answered. */
  maxAsksByWatcher: 200,
  /** People in a list of watchers: who waits first. */
  maxWatchersTold: 200,
  /** A list of watchers or devices, as we read it. */
  maxListBytes: 128 * 1024,
  maxListElements: 4_000,
  /** People whose presence one of our accounts follows, those with the newest messages. */
  maxWatched: 200,
  /** How many of these subscriptions are begun at once, and how long one that is not answered holds up the next. */
  maxBeginning: 4,
  beginMs: 5_000,
  /** First and longest wait before rules are written again that the server did not take. */
  rulesRetryFirstMs: 2_000,
  rulesRetryMaxMs: 15 * 60_000,
} as const;

/** As injected: tests use smaller ones. */
export type PresenceLimits = { readonly [K in keyof typeof PRESENCE_LIMITS]: number };
