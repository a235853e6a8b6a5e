/**
 * Owns: ceilings and timers of subscriptions to events (RFC 6665), on both sides. Milliseconds unless the name says
 * otherwise. Called by: sip/agent/subscription.ts, sip/agent/notifier.ts. Calls: nothing.
 */
export const EVENT_LIMITS = {
  /** Lifetime of a subscription with us: when nobody names one, at least, and at most. */
  defaultExpiresS: 3_600,
  minExpiresS: 60,
  maxExpiresS: 3_600,
  /** Subscriptions at once, and of one subscriber with all his devices; one more is asked to come later. */
  maxSubscriptions: 10_000,
  maxSubscriptionsPerSubscriber: 1_000,
  /** What it is told then. */
  fullRetryAfterS: 120,
  /** NOTIFYs without answer at once, of all subscriptions: a change that many watch goes out in their turn. */
  maxOpenNotifies: 100,
  /** Lifetime that we ask for, and the longest `Min-Expires` that we go along with. */
  askedExpiresS: 1_800,
  askedExpiresMaxS: 24 * 60 * 60,
  /** First and longest wait before we subscribe again after a failure. */
  retryFirstMs: 2_000,
  retryMaxMs: 15 * 60_000,
  /** The shortest wait after a subscription that the other side has ended: one that always ends is no loop. */
  againMs: 1_000,
  /** Our subscriptions are refreshed after this share of their time. */
  refreshShare: 0.8,
} as const;

/** As injected: tests use smaller ones. */
export type EventLimits = { readonly [K in keyof typeof EVENT_LIMITS]: number };
