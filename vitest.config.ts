import { availableParallelism } from 'node:os';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { bundledThreads } from './test/support/bundled-threads.ts';
import { LongestFirst } from './test/support/longest-first.ts';

/** A busy machine is no failure: what never comes is found out all the same. */
const patience = {
  testTimeout: 30_000,
  hookTimeout: 30_000,
  expect: { poll: { timeout: 20_000 } },
};

/** In a process of their own: they measure the process, or put other values in the place of the program's. */
const ALONE = [
  'test/base/cpim.test.ts',
  'test/bad-days/flood.test.ts',
  'test/messenger/text-content.test.ts',
  'test/sip/engine/dialog-memory.test.ts',
  'test/sip/engine/limits.test.ts',
  'test/sip/engine/stream-framing.test.ts',
  'test/sip/message.test.ts',
];

/** `npm test` has built them just now. */
const threads = process.env['PARLEY_TEST_BUNDLED_THREADS'] === '1' ? [bundledThreads()] : [];

/** Tests of the main process and protocols run on plain Node; components run in jsdom. */
export default defineConfig({
  test: {
    reporters: ['default'],
    sequence: { sequencer: LongestFirst },
    // Most tests wait more than they work: one file more at a time than there are processors.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        plugins: threads,
        test: {
          name: 'node',
          environment: 'node',
          include: ['test/**/*.test.ts', 'test/**/*.fuzz.ts'],
          exclude: ['test/renderer/**', 'test/e2e/**', ...ALONE],
          setupFiles: ['test/support/lifetime-check.ts'],
          // Files share processes: to load the program for each again took a quarter of all the work.
          isolate: false,
          ...patience,
        },
      },
      {
        plugins: threads,
        test: {
          name: 'alone',
          environment: 'node',
          include: ALONE,
          setupFiles: ['test/support/lifetime-check.ts'],
          ...patience,
        },
      },
      {
        plugins: threads,
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['test/e2e/**/*.e2e.ts'],
          // They share a browser as well.
          isolate: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
          // As patient as the test is: a busy machine is no failure.
          expect: { poll: { timeout: 60_000 } },
        },
      },
      {
        plugins: [svelte()],
        resolve: { conditions: ['browser'] },
        test: {
          name: 'renderer',
          environment: 'jsdom',
          include: ['test/renderer/**/*.test.ts'],
          isolate: false,
          ...patience,
        },
      },
    ],
  },
});
