/**
 * Fails any test file that leaves a socket, server or worker alive: what was running before the first test of the
 * file is the baseline, and within two seconds after the last one nothing more than that may be left.
 */
import { afterAll, beforeAll, expect } from 'vitest';

const WATCHED = /TCP|UDP|Pipe|Worker|MessagePort|TLS|ChildProcess|ProcessWrap/;
const SETTLE_MS = 2_000;

function countResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of process.getActiveResourcesInfo()) {
    if (WATCHED.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

let baseline = new Map<string, number>();

function leftovers(): string[] {
  return [...countResources()]
    .filter(([name, count]) => count > (baseline.get(name) ?? 0))
    .map(([name, count]) => `${name}: ${baseline.get(name) ?? 0} before, ${count} after`);
}

beforeAll(() => {
  baseline = countResources();
});

afterAll(async () => {
  const deadline = Date.now() + SETTLE_MS;
  while (leftovers().length > 0 && Date.now() < deadline) await new Promise((done) => setImmediate(done));
  expect(leftovers(), 'a test left something alive').toEqual([]);
});
