/**
 * Owns: the order in which SRV records are used: priority, and within it a draw by weight (RFC 2782).
 * Called by: resolver.ts. Calls: the random source it was given.
 */

export interface Weighted {
  readonly priority: number;
  readonly weight: number;
}

/** One after the other is drawn, each with the chance of its weight among those that are left. */
function drawAll<T extends Weighted>(records: readonly T[], random: () => number): T[] {
  // RFC 2782: those of weight 0 come first, so that they have a small chance and not none.
  const left = [...records].sort((a, b) => Number(a.weight !== 0) - Number(b.weight !== 0));
  const drawn: T[] = [];
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0);
    const mark = Math.floor(random() * (total + 1));
    let sum = 0;
    const index = left.findIndex(({ weight }) => {
      sum += weight;
      return sum >= mark;
    });
    drawn.push(...left.splice(Math.max(0, index), 1));
  }
  return drawn;
}

/** All records in the order in which they are to be tried. `random` gives values from 0 up to but not including 1. */
export function orderSrv<T extends Weighted>(records: readonly T[], random: () => number): T[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.flatMap((priority) =>
    drawAll(
      records.filter((record) => record.priority === priority),
      random,
    ),
  );
}
