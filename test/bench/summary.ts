/**
 * Owns: many measurements as few numbers. Called by: main.ts, raw-limits.ts, msrp/figures.ts. Calls: nothing.
 */

/** In the unit of what was measured. */
export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** One line of the table. `ratio` is to the raw limit that it names. */
export interface Figure {
  readonly name: string;
  readonly unit: 'ms' | 'messages/s' | 'calls' | 'calls/s' | 'REGISTERs/s' | 'bytes' | 'MB/s' | 'µs' | '×';
  readonly p50: number;
  readonly p99?: number;
  readonly ratio?: { readonly of: string; readonly value: number };
}
