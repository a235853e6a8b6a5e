/**
 * Owns: waiting until something holds, as patient as a test is: a busy machine is no failure.
 * Called by: tests of things that come by themselves. Calls: vitest.
 */
import { vi } from 'vitest';

const PATIENCE_MS = 20_000;
const INTERVAL_MS = 20;

/** Resolves when `assertion` has passed; rejects with its last failure. */
export function eventually<T>(assertion: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(assertion, { timeout: PATIENCE_MS, interval: INTERVAL_MS });
}
