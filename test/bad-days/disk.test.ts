/**
 * A disk and a program on a bad day: kill -9, power cuts that lose whatever was not forced to the disk, calls that fail.
 * What was answered as stored is there afterwards, once, undamaged and found. `npm run stress` does the same at length.
 */
import { describe, expect, it } from 'vitest';
import {
  cutPower,
  failDisk,
  killWriter,
  seededRandom,
  traceMissing,
  type DiskFault,
} from '../stress/store-crash.ts';

const missing = traceMissing();
if (missing !== undefined) console.log(`skipped: power cuts and failing writes: ${missing}`);

const seed = Math.floor(Math.random() * 2 ** 31);
const random = seededRandom(seed);

it(`kill -9 while messages are stored, 25 times on one history (seed ${seed})`, async () => {
  expect(await killWriter(25, random)).toEqual([]);
}, 240_000);

describe.skipIf(missing !== undefined)('the disk', () => {
  it(`the power goes at 8 moments, each with another part of what was under way (seed ${seed})`, async () => {
    expect(await cutPower(8, 200, random)).toEqual([]);
  }, 180_000);

  const FAULTS: readonly DiskFault[] = [
    { call: 'pwrite64', error: 'EIO', nth: 2, lasts: false },
    { call: 'pwrite64', error: 'EIO', nth: 300, lasts: false },
    { call: 'pwrite64', error: 'ENOSPC', nth: 320, lasts: true },
    { call: 'fsync', error: 'EIO', nth: 3, lasts: true },
    { call: 'fsync', error: 'EIO', nth: 12, lasts: false },
  ];
  it.each(FAULTS)('$call number $nth fails with $error (and all later ones: $lasts)', async (fault) => {
    expect(await failDisk(fault, 60)).toEqual({ happened: true, found: [] });
  });
});
