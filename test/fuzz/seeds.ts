/**
 * Owns: the seeds with which each fuzzer begins: those that once found a fault, and a few fixed ones; and for how long.
 * Called by: test/fuzz. Calls: fast-check.
 */
import fc from 'fast-check';

/** A fuzzer that fails prints its seed: it is written down here together with the repair. */
const KEPT_SEEDS = {
  'sip-parser': [1, 42, 20_261_122],
  'sip-engine': [1, 42, 20_261_122],
  'control-protocol': [1, 42, 20_261_122],
  'msrp-parser': [1, 42, 20_261_122],
  'msrp-session': [1, 42, 20_261_122],
  imserver: [1, 733_227_725, 733_432_473],
  relay: [1, 42, 20_261_122],
} as const;

export interface FuzzSeed {
  readonly seed: number;
  /** One of those that are kept: a short run is enough. */
  readonly kept: boolean;
}

/** How long a new seed is run, in ms: `FUZZ_MS`, or as usual. */
export function freshMs(usual: number): number {
  return Number(process.env['FUZZ_MS'] ?? usual);
}

/** Seeds in the order in which they are run: the kept ones, then `FUZZ_SEED` or a new one, which is printed. */
export function seedsOf(fuzzer: keyof typeof KEPT_SEEDS): FuzzSeed[] {
  const fresh = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2_147_483_647);
  console.log(`${fuzzer}: FUZZ_SEED=${fresh}`);
  return [...KEPT_SEEDS[fuzzer].map((seed) => ({ seed, kept: true })), { seed: fresh, kept: false }];
}

/** Runs of one seed, after which the clock is looked at. */
const ROUND = 4;

/**
 * Runs a property with a seed, a kept one `runs` times, else for so many ms: seed, seed + 1 and so on. What has begun is
 * waited for: fast-check's own limit leaves it running, beside whatever comes next.
 */
export async function assertWith<T>(
  property: fc.IAsyncProperty<T>,
  { seed, kept }: FuzzSeed,
  { runs, ms }: { readonly runs: number; readonly ms: number },
): Promise<void> {
  if (kept) {
    await fc.assert(property, { seed, numRuns: runs, verbose: true });
    return;
  }
  const ends = performance.now() + ms;
  for (let round = 0; performance.now() < ends; round += 1) {
    await fc.assert(property, { seed: seed + round, numRuns: ROUND, verbose: true });
  }
}
