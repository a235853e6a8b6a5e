import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { establishInbound, establishOutbound, startBench, type Bench } from './bench.ts';

const DIALOGS = 300;
const MAX_BYTES = 8 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Bytes in use when the transactions are over and the peers have forgotten what they saw. */
async function usedBytes(): Promise<number> {
  const { app, clock, peer, port } = bench;
  clock.advance(40_000);
  await peer.fence(port);
  clock.advance(40_000);
  await app.ask(['ping']);
  peer.log.length = 0;
  app.log.length = 0;
  const waiting = [...peer.messages.waiting, ...app.frames.waiting].length;
  for (let left = peer.messages.waiting.length; left > 0; left -= 1) await peer.messages.next(() => true, '');
  for (let left = app.frames.waiting.length; left > 0; left -= 1) await app.frames.next(() => true, '');
  expect(waiting).toBeGreaterThanOrEqual(0);
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

it.each([
  ['called', establishInbound],
  ['calling', establishOutbound],
] as const)(
  'an idle dialog (%s) takes less than 8 KB: it holds no message and no transaction',
  async (_what, make) => {
    for (let count = 0; count < 20; count += 1) await make(bench);
    const before = await usedBytes();
    for (let count = 0; count < DIALOGS; count += 1) await make(bench);
    const after = await usedBytes();
    expect(bench.engine.load).toMatchObject({ clientTransactions: 0, dialogs: DIALOGS + 20 });
    expect((after - before) / DIALOGS).toBeLessThan(MAX_BYTES);
  },
);
