/** The clock that orders what several programs saw of one conversation. */
import { expect, it } from 'vitest';
import { systemClock } from '../../main/base/clock.ts';

it('reads the clock that all processes of the machine share, to the microsecond', () => {
  const sharedUs = () => Number(process.hrtime.bigint() / 1_000n);
  for (let round = 0; round < 1_000; round += 1) {
    const before = sharedUs();
    const read = systemClock.monotonicUs();
    expect(read).toBeGreaterThanOrEqual(before);
    expect(read).toBeLessThanOrEqual(sharedUs());
  }
});
