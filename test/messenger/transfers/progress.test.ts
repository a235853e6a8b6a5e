/** How often the window is told of the bytes of a file. */
import { expect, it } from 'vitest';
import { MESSENGER_LIMITS } from '../../../main/base/limits.ts';
import { Feed } from '../../../main/messenger/feed.ts';
import { TransferRecord, type TransferHost } from '../../../main/messenger/transfer-record.ts';
import type { PlacedTransfer } from '../../../main/store/transfers.ts';
import { ManualClock } from '../../support/manual-clock.ts';

it('at most ten times a second, and the last bytes as well', () => {
  const clock = new ManualClock();
  const feed = new Feed();
  const told: number[] = [];
  feed.subscribe(({ event, data }) => {
    if (event === 'transfer.changed') told.push(data.transfer.bytesDone);
  });
  const host = { clock, feed, limits: MESSENGER_LIMITS } as unknown as TransferHost;
  const record = new TransferRecord(host, { bytesDone: 0, preview: null } as PlacedTransfer);
  for (let ms = 1; ms <= 1_000; ms += 1) {
    record.receiveProgress(ms * 64 * 1024);
    clock.advance(1);
  }
  expect(told.length).toBeGreaterThanOrEqual(9);
  expect(told.length).toBeLessThanOrEqual(11);
  clock.advance(100);
  expect(told.at(-1)).toBe(1_000 * 64 * 1024);
  expect(clock.pending).toBe(0);
});
