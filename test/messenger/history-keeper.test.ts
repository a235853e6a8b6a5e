/**
 * The care for the history, through a real messenger's store on a real disk.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { HistoryKeeper } from '../../main/messenger/history-keeper.ts';
import { Store } from '../../main/store/store.ts';
import type { HistoryStatus } from '../../shared/domain/history.ts';
import { ManualClock } from '../support/manual-clock.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let profile: string;
let path: string;

beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'parley-keeper-'));
  path = join(profile, 'history.sqlite');
});

afterEach(async () => {
  await rm(profile, { recursive: true, force: true });
});

/** A keeper whose changes can be awaited, with the clock in the test's hand. */
function keeperOf(store: Store, clock: ManualClock, counts = { daily: 7, weekly: 4 }) {
  const changes: HistoryStatus[] = [];
  let next = Promise.withResolvers<HistoryStatus>();
  const keeper = new HistoryKeeper({
    store,
    path,
    profile,
    log: silentLog,
    clock,
    settings: () => ({ 'history.dailyBackups': counts.daily, 'history.weeklyBackups': counts.weekly }),
    receiveChange: (status) => {
      changes.push(status);
      next.resolve(status);
      next = Promise.withResolvers();
    },
  });
  return { keeper, changes, changed: () => next.promise };
}

describe('backups', () => {
  it('one a day comes by itself, and the old ones go', async () => {
    const clock = new ManualClock();
    await using store = await Store.open(path);
    const { keeper, changed } = keeperOf(store, clock, { daily: 2, weekly: 0 });
    await using _keeper = keeper;
    keeper.start();
    let change = changed();
    clock.advance(10_000);
    expect((await change).backups).toHaveLength(1);
    for (const expected of [2, 2, 2]) {
      change = changed();
      clock.advance(DAY_MS);
      expect((await change).backups).toHaveLength(expected);
    }
    expect(await readdir(join(profile, 'backups'))).toHaveLength(2);
  });

  it('none comes by itself when none is wanted; one that is asked for is made', async () => {
    const clock = new ManualClock();
    await using store = await Store.open(path);
    const { keeper, changes } = keeperOf(store, clock, { daily: 0, weekly: 0 });
    await using _keeper = keeper;
    keeper.start();
    clock.advance(10_000 + 30 * HOUR_MS);
    expect(changes).toEqual([]);
    expect((await keeper.backUp()).backups).toHaveLength(1);
  });

  it('that cannot be made is told, and told no more when one can', async () => {
    const clock = new ManualClock();
    await using store = await Store.open(path);
    await writeFile(join(profile, 'backups'), 'in the way');
    const { keeper, changed } = keeperOf(store, clock);
    await using _keeper = keeper;
    keeper.start();
    const change = changed();
    clock.advance(10_000);
    expect((await change).notice).toMatchObject({ kind: 'backup-failed' });
    await expect(keeper.backUp()).rejects.toMatchObject({ code: 'store-failed' });
    await rm(join(profile, 'backups'));
    expect(await keeper.backUp()).toMatchObject({ notice: null, backups: [expect.anything()] });
  });

  it('one is chosen for the next start, or not after all', async () => {
    await using store = await Store.open(path);
    const { keeper } = keeperOf(store, new ManualClock());
    await using _keeper = keeper;
    const [backup] = (await keeper.backUp()).backups;
    const name = backup?.name ?? '';
    await expect(keeper.restore('../history.sqlite')).rejects.toMatchObject({ code: 'not-found' });
    expect((await keeper.restore(name)).restoring).toBe(name);
    expect((await keeper.restore(null)).restoring).toBeNull();
    await keeper.restore(name);
    await store[Symbol.asyncDispose]();
    await using again = await Store.open(path);
    const { keeper: next } = keeperOf(again, new ManualClock());
    expect(next.status).toMatchObject({ restoring: null, notice: { kind: 'restored' } });
    expect(next.dismissNotice().notice).toBeNull();
  });
});

describe('after a bad end', () => {
  it('the file is looked through, and nothing is said when it is whole', async () => {
    {
      await using _store = await Store.open(path);
    }
    await writeFile(`${path}.open`, '');
    const clock = new ManualClock();
    await using store = await Store.open(path);
    const { keeper, changed } = keeperOf(store, clock);
    await using _keeper = keeper;
    keeper.start();
    const change = changed();
    clock.advance(10_000);
    // The look comes before the backup, which is what is told of here.
    expect((await change).notice).toBeNull();
  });
});
