/**
 * Spelling on Windows and Linux: the built desktop program on the stand-in, which asks for dictionaries as Electron's
 * documentation and Chromium's source say. What the real one does with them is not seen here.
 */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callInPage as call, launchStandIn, type ElectronDriver } from '../support/electron-driver.ts';

describe('spelling of the desktop program on the stand-in (an emulation)', () => {
  let folder: string;
  let driver: ElectronDriver | undefined;
  const profile = () => join(folder, 'profile');

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-spelling-'));
  });
  afterEach(async () => {
    await driver?.quit();
    driver = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function start(...args: string[]): Promise<ElectronDriver> {
    driver = await launchStandIn(profile(), args);
    // The list is answered when the profile is open: its folder has been told by then.
    await expect.poll(() => driver?.page(call('conversation.list'))).toMatchObject({ ok: true });
    return driver;
  }
  const spelling = (running: ElectronDriver) =>
    running.main(({ session }) => {
      const { askedFor, spellCheckerEnabled } = session.defaultSession as unknown as {
        askedFor: string[];
        spellCheckerEnabled: boolean;
      };
      return {
        isOn: spellCheckerEnabled,
        languages: session.defaultSession.getSpellCheckerLanguages(),
        askedFor,
      };
    }, null);
  const fill = async (place: string, names: readonly string[]) => {
    await mkdir(place, { recursive: true });
    for (const name of names) await writeFile(join(place, name), `BDic of ${name}`);
  };
  const kept = () => readdir(join(profile(), 'electron', 'Dictionaries')).catch(() => []);

  it('is off without dictionaries, and asks nobody outside of this computer for one', async () => {
    const running = await start();
    await expect.poll(() => spelling(running)).toMatchObject({ isOn: false, languages: [] });
    const { askedFor } = await spelling(running);
    expect(askedFor.filter((url) => !url.startsWith('http://127.0.0.1:1/'))).toEqual([]);
    expect(await kept()).toEqual([]);
  });

  it('has the dictionaries of the profile’s folder, from the program itself', async () => {
    await fill(join(profile(), 'dictionaries'), ['en-US-10-1.bdic', 'de-DE-3-0.bdic', 'xx-XX-1-0.bdic']);
    await symlink('/etc/hosts', join(profile(), 'dictionaries', 'fr-FR-3-0.bdic'));
    const running = await start();
    await expect.poll(kept).toEqual(['de-DE-3-0.bdic', 'en-US-10-1.bdic']);
    const { isOn, languages, askedFor } = await spelling(running);
    expect([isOn, languages]).toEqual([true, ['de', 'en-US']]);
    expect(askedFor.every((url) => url.startsWith('http://127.0.0.1:'))).toBe(true);
  });

  it('has those of the folder that a policy names, and the newest file of a name after a restart', async () => {
    const named = join(folder, 'of the rollout');
    await fill(join(profile(), 'dictionaries'), ['de-DE-3-0.bdic']);
    await fill(named, ['en-GB-10-1.bdic']);
    const stale = join(profile(), 'electron', 'Dictionaries');
    await fill(stale, ['de-DE-3-0.bdic', 'en-GB-10-1.bdic']);
    const running = await start('--set', `spelling.folder=${named}`);
    await expect.poll(kept).toEqual(['en-GB-10-1.bdic']);
    expect((await spelling(running)).languages).toEqual(['en-GB']);
    expect((await spelling(running)).askedFor.at(-1)).toMatch(/\/[0-9a-f]{64}\/en-gb-10-1\.bdic$/);
  });

  it('lets no window name a folder', async () => {
    const running = await start();
    expect(
      await running.page(call('settings.set', { key: 'spelling.folder', value: '//elsewhere/share' })),
    ).toMatchObject({ ok: false, code: 'locked' });
  });
});
