/** Newer versions: a feed that a local server serves, made by the program that publishers use, fetched and installed. */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../../main/base/log.ts';
import { UPDATE_LIMITS } from '../../../main/base/update-limits.ts';
import { addressBeside, isNewer } from '../../../main/hosts/updates/update-feed.ts';
import { findInstaller } from '../../../main/hosts/updates/update-installer.ts';
import { Updates } from '../../../main/hosts/updates/updates.ts';
import type { Update } from '../../../shared/domain/update.ts';
import { initialSettings, type Settings } from '../../../shared/settings.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { NEW, OLD, publish, temporary } from '../../support/update-publisher.ts';

/** An AppImage of 0.1.0 that runs. */
async function program(settings: Partial<Settings>) {
  const home = await temporary();
  const appImage = join(home, 'Parley.AppImage');
  await writeFile(appImage, OLD);
  const clock = new ManualClock();
  const told: Update[] = [];
  const world = { settings: { ...initialSettings(), ...settings }, busy: false, restarts: 0 };
  const updates = new Updates({
    version: '0.1.0',
    platform: 'linux',
    arch: 'x64',
    folder: join(home, 'updates'),
    fetch: (address, init) => fetch(address, init),
    clock,
    log: silentLog,
    findInstaller: () => findInstaller({ platform: 'linux', execPath: '/opt/Parley/parley', appImage }),
    restart: () => (world.restarts += 1),
  });
  onTestFinished(() => {
    updates[Symbol.dispose]();
  });
  updates.start({
    settings: () => world.settings,
    publish: (update) => told.push(update),
    isBusy: () => world.busy,
  });
  return { home, appImage, clock, told, world, updates };
}

const on = ({ url, key }: { url: string; key: string }) =>
  ({ 'updates.mode': 'install', 'updates.url': url, 'updates.key': key }) as const;

it('without a setting nobody looks, however long it runs, and nobody can make it look', async () => {
  const feed = await publish();
  const { updates, clock } = await program({ 'updates.url': feed.url, 'updates.key': feed.key });
  clock.advance(UPDATE_LIMITS.lookEveryMs * 3);
  expect(updates.status().state).toBe('off');
  await expect(updates.check()).rejects.toMatchObject({ code: 'not-allowed' });
  expect(feed.asked).toEqual([]);
});

it('fetches a newer version by itself and puts it in place when the program has ended, not before', async () => {
  const feed = await publish();
  const { updates, clock, appImage, told, home } = await program(on(feed));
  clock.advance(UPDATE_LIMITS.firstLookMs);
  await expect
    .poll(() => updates.status())
    .toMatchObject({ state: 'ready', version: '0.2.0', failure: null });
  expect(told.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['unknown', 'checking', 'downloading', 'ready']),
  );
  expect(await readFile(appImage, 'utf8')).toBe(OLD);
  expect(await updates.install()).toEqual({ restarts: false });
  expect(await readFile(appImage, 'utf8')).toBe(NEW);
  expect((await stat(appImage)).mode & 0o111).toBe(0o111);
  expect((await readdir(home)).sort()).toEqual(['Parley.AppImage', 'updates']);
});

it('does not interrupt a session; without one it starts again', async () => {
  const { updates, world } = await program(on(await publish()));
  await updates.check();
  world.busy = true;
  expect(() => updates.restart()).toThrow(expect.objectContaining({ code: 'busy' }) as Error);
  expect(world.restarts).toBe(0);
  world.busy = false;
  updates.restart();
  expect(world.restarts).toBe(1);
  expect(await updates.install()).toEqual({ restarts: true });
});

it('only tells where it is asked to tell, or the program is not its own to replace', async () => {
  const feed = await publish();
  const telling = await program({ ...on(feed), 'updates.mode': 'tell' });
  expect(await telling.updates.check()).toMatchObject({ state: 'available', version: '0.2.0' });
  const { appImage, ...system } = {
    platform: 'linux',
    execPath: '/opt/Parley/parley',
    appImage: undefined,
  } as const;
  expect(await findInstaller({ ...system, appImage })).toBeNull();
  expect(await findInstaller({ ...system, appImage: '/no/such/folder/Parley.AppImage' })).toBeNull();
  const installed = join(await temporary(), 'parley.exe');
  expect(await findInstaller({ platform: 'win32', execPath: installed, appImage })).toMatchObject({
    kind: 'nsis',
  });
  expect(
    await findInstaller({ platform: 'win32', execPath: '/no/such/folder/parley.exe', appImage }),
  ).toBeNull();
  expect(feed.asked.some((path) => path.includes('AppImage'))).toBe(false);
});

it('takes nothing from a feed that is not signed with the key of the settings, or is read on the way', async () => {
  const feed = await publish();
  const other = await publish();
  const { updates } = await program({ ...on(feed), 'updates.key': other.key });
  expect(await updates.check()).toMatchObject({ state: 'failed', failure: 'not-trusted' });
  const without = await program({ ...on(feed), 'updates.key': '' });
  expect(await without.updates.check()).toMatchObject({ failure: 'not-trusted' });
  const signed = await readFile(join(feed.folder, 'stable.json'), 'utf8');
  await writeFile(join(feed.folder, 'stable.json'), signed.replace('0.2.0', '9.2.0'));
  const changed = await program(on(feed));
  expect(await changed.updates.check()).toMatchObject({ failure: 'not-trusted', version: null });
  expect(() => addressBeside('http://updates.example/', 'stable.json')).toThrow(/https/);
  expect(addressBeside('https://updates.example/parley', 'stable.json')).toBe(
    'https://updates.example/parley/stable.json',
  );
});

it('installs nothing that is not what the feed names: changed, shorter, longer, or changed once it was here', async () => {
  const feed = await publish();
  const place = join(feed.folder, 'Parley-0.2.0-x64.AppImage');
  for (const text of ['the bad program', 'short', `${NEW} and more`]) {
    await writeFile(place, text);
    const { updates, home } = await program(on(feed));
    expect(await updates.check()).toMatchObject({ state: 'failed', failure: 'damaged' });
    expect(await readdir(join(home, 'updates'))).toEqual([]);
  }
  await writeFile(place, NEW);
  const { updates, home, appImage } = await program(on(feed));
  expect(await updates.check()).toMatchObject({ state: 'ready' });
  const [name = ''] = await readdir(join(home, 'updates'));
  await writeFile(join(home, 'updates', name), 'another');
  expect(await updates.install()).toEqual({ restarts: false });
  expect(await readFile(appImage, 'utf8')).toBe(OLD);
});

it('says so when there is nobody, and finds it the next time; a feed over the limit is not read on', async () => {
  const feed = await publish();
  const json = join(feed.folder, 'stable.json');
  const signed = await readFile(json);
  await rm(json);
  const { updates, clock } = await program(on(feed));
  expect(await updates.check()).toMatchObject({ state: 'failed', failure: 'unreachable' });
  await writeFile(json, Buffer.alloc(UPDATE_LIMITS.maxFeedBytes + 1, 0x20));
  expect(await updates.check()).toMatchObject({ state: 'failed', failure: 'damaged' });
  // As long as it may be: only its signature is wrong then.
  await writeFile(json, Buffer.alloc(UPDATE_LIMITS.maxFeedBytes, 0x20));
  expect(await updates.check()).toMatchObject({ state: 'failed', failure: 'not-trusted' });
  await writeFile(json, signed);
  clock.advance(UPDATE_LIMITS.lookEveryMs);
  await expect.poll(() => updates.status().state).toBe('ready');
});

it('never goes back to an older version', async () => {
  const feed = await publish();
  await writeFile(join(feed.folder, 'Parley-0.0.9.AppImage'), OLD);
  await feed.write('0.0.9');
  const { updates } = await program(on(feed));
  expect(await updates.check()).toMatchObject({ state: 'current', version: null });
  expect(isNewer('0.10.0', '0.9.9')).toBe(true);
  expect(isNewer('1.0.0', '1.0.0')).toBe(false);
  expect(isNewer('0.9.10', '1.0.0')).toBe(false);
});
