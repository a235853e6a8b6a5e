/**
 * Owns: how long a registration waits after a failure. Called by: registration-flow.ts. Calls: nothing.
 * The reasons for the numbers are in DECISIONS.md.
 */
import type { MessengerLimits } from '../../base/limits.ts';

/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * RFC 5626 §4.5: between half and all of W = min(max-time, base-time * 2^failures), where base-time is longer while
 * another flow of the account works. `failures` counts from 1. Milliseconds.
 */
export function outboundWaitMs(
  failures: number,
  othersWork: boolean,
  limits: MessengerLimits,
  random: Random,
): number {
  const baseMs = othersWork ? limits.registrationBaseSomeFailedMs : limits.registrationBaseAllFailedMs;
  const upperMs = Math.min(limits.registrationMaxMs, baseMs * 2 ** failures);
  return upperMs * (0.5 + random() / 2);
}

/**
 * In the first minute of an outage, when nobody answers at all: short waits that double, from `attempt` 0 on. A server
 * with many people has said how widely they shall spread (`windowMs`): then never denser than that. Milliseconds.
 */
export function earlyWaitMs(
  attempt: number,
  windowMs: number,
  limits: MessengerLimits,
  random: Random,
): number {
  const firstMs = limits.registrationRetryFirstMs * 2 ** attempt;
  const upperMs = Math.max(windowMs, Math.min(firstMs, limits.registrationRetryMaxMs));
  return upperMs * (0.5 + random() / 2);
}

/** The server has said when (Retry-After): not earlier, and up to half as long again, or all would come at once. */
export function askedWaitMs(retryAfterS: number, limits: MessengerLimits, random: Random): number {
  return Math.min(retryAfterS * 1_000 * (1 + random() / 2), limits.registrationMaxMs);
}

/** The first attempt after a flow was lost: at once, or spread over the server's window. Milliseconds. */
export function lostWaitMs(windowMs: number, limits: MessengerLimits, random: Random): number {
  return Math.max(windowMs, limits.registrationLostMs) * random();
}
