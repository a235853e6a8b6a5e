/**
 * Owns: the seeds with which each fuzzer begins: those that once found a fault, and a few fixed ones; and for how long.
 * Called by: test/fuzz. Calls: nothing.
 */

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
