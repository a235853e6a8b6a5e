/**
 * Owns: how what something costs grows with its input, for tests of what must not be quadratic.
 * Called by: tests of parsers. Calls: nothing.
 */

/** The system counts processor time in steps of some milliseconds: so many of them are a measure. */
const LEAST_US = 40_000;

/**
 * How many times as much `work` costs for an input of 64 KB as for one of 16 KB: about 4 when it is linear, 16 when it
 * is quadratic. Counted is the processor time of this thread: what else the machine does is no part of it.
 */
export function costGrowth<Input>(
  prepare: (length: number) => Input,
  work: (input: Input) => unknown,
): number {
  const [small, large] = [prepare(16 * 1024), prepare(64 * 1024)];
  // Compiled before it is measured.
  costUntil(small, work, (_times, costUs) => costUs >= LEAST_US / 2);
  const { times, costUs } = costUntil(small, work, (_times, spentUs) => spentUs >= LEAST_US);
  return costUntil(large, work, (done) => done === times).costUs / costUs;
}

/** Repeats the work until `isEnough`; µs. */
function costUntil<Input>(
  input: Input,
  work: (input: Input) => unknown,
  isEnough: (times: number, costUs: number) => boolean,
): { times: number; costUs: number } {
  const before = process.threadCpuUsage();
  for (let times = 1; ; times += 1) {
    work(input);
    const { user, system } = process.threadCpuUsage(before);
    if (isEnough(times, user + system)) return { times, costUs: user + system };
  }
}
