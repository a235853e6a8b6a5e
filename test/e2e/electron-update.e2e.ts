/** The built desktop program fetches a newer version and puts it in its place when it ends, on the stand-in. */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Update } from '../../shared/domain/update.ts';
import { callInPage as call, launchStandIn, ROOT } from '../support/electron-driver.ts';
import { NEW, OLD, publish, temporary } from '../support/update-publisher.ts';

it('is off until a setting says otherwise; then it is told in About and installed at the end', async () => {
  if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');
  const feed = await publish();
  const home = await temporary();
  const appImage = join(home, 'Parley.AppImage');
  await writeFile(appImage, OLD);
  process.env['APPIMAGE'] = appImage;
  // All but the last comes from a policy, as in a rollout; the last is what a user may decide then.
  const driver = await launchStandIn(join(home, 'profile'), [
    ...['--set', `updates.url=${feed.url}`],
    ...['--set', `updates.key=${feed.key}`],
  ]).finally(() => delete process.env['APPIMAGE']);
  const status = async () => (await driver.page<{ value: Update }>(call('update.status'))).value;
  await expect.poll(async () => (await driver.page<{ ok: boolean }>(call('app.info'))).ok).toBe(true);
  expect(await status()).toMatchObject({ state: 'off' });
  expect(await driver.page(call('update.check'))).toMatchObject({ ok: false, code: 'not-allowed' });
  expect(feed.asked).toEqual([]);

  await driver.page(call('settings.set', { key: 'updates.mode', value: 'install' }));
  expect(await driver.page(call('update.check'))).toMatchObject({
    ok: true,
    value: { state: 'ready', version: '0.2.0' },
  });
  expect(await driver.page(call('settings.set', { key: 'updates.url', value: '' }))).toMatchObject({
    ok: false,
    code: 'locked',
  });
  await driver.page("void document.querySelector('.door')?.click()");
  expect(await readFile(appImage, 'utf8')).toBe(OLD);
  expect(await driver.quit()).toBe(0);
  expect(await readFile(appImage, 'utf8')).toBe(NEW);
});
