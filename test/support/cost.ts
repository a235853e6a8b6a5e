/**
 * Owns: how what something costs grows with its input, for tests of what must not be quadratic.
 * Called by: tests of parsers. Calls: nothing.
 */

/** The system counts processor time in steps of some milliseconds: so many of them are a measure. */
const LEAST_US = 40_000;

/** Something else that takes time, a page that was not there or a collection of garbage, does so once, not each time. */
const ROUNDS = 5;
/** What is linear is told from what is quadratic without a second look. */
const CLEARLY_LINEAR = 2.5;

/**
 * How many times as much `work` costs for an input of 64 KB as for one of 32 KB: about 2 when it is linear, 4 when it
 * is quadratic. Both are large: what a list of few takes, memory has at hand. Counted is the processor time of this
 * thread: what else the machine does is no part of it. Each is measured until the answer is clear, and its cheapest
 * round counts.
 */
export function costGrowth<Input>(
  prepare: (length: number) => Input,
  work: (input: Input) => unknown,
): number {
  const [small, large] = [prepare(32 * 1024), prepare(64 * 1024)];
  // Compiled before it is measured.
  costUntil(large, work, (_times, costUs) => costUs >= LEAST_US / 2);
  const { times } = costUntil(small, work, (_times, costUs) => costUs >= LEAST_US);
  const cheapest = { small: Infinity, large: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    const cost = (input: Input): number => costUntil(input, work, (done) => done === times).costUs;
    cheapest.small = Math.min(cheapest.small, cost(small));
    cheapest.large = Math.min(cheapest.large, cost(large));
    if (cheapest.large / cheapest.small < CLEARLY_LINEAR) break;
  }
  return cheapest.large / cheapest.small;
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
