/**
 * Owns: how long the event loop of a program is held up, told when it is asked by a signal. Called by: measure.ts, which
 * loads it into the browser host before anything else. Calls: node:perf_hooks.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delays = monitorEventLoopDelay({ resolution: 1 });
delays.enable();

/** SIGUSR2: what was since the last one is written where PARLEY_BENCH_DELAYS says, in ms; the timer's own is in it. */
process.on('SIGUSR2', () => {
  const path = process.env['PARLEY_BENCH_DELAYS'];
  if (path === undefined) return;
  const [p50, p99, max] = [delays.percentile(50), delays.percentile(99), delays.max].map((ns) => ns / 1e6);
  writeFileSync(path, JSON.stringify({ p50, p99, max }));
  delays.reset();
});
