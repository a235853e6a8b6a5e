/** The built desktop program starts itself again, over a backup that takes the place of the history, on the stand-in. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { HistoryStatus } from '../../shared/domain/history.ts';
import type { Settings } from '../../shared/settings.ts';
import { callInPage as call, launchStandIn, ROOT, type ElectronDriver } from '../support/electron-driver.ts';
import { temporary } from '../support/update-publisher.ts';

it('ends in order when the window asks, is to start anew with its window, and has the copy then', async () => {
  if (!existsSync(join(ROOT, 'out/hosts/electron/main.js'))) throw new Error('Run "npm run build" first.');
  const home = await temporary();
  const profile = join(home, 'profile');
  const again = join(home, 'again.json');
  process.env['STAND_IN_AGAIN'] = again;
  const first = await launchStandIn(profile, ['--hidden', 'sip:ann@example.org']).finally(
    () => delete process.env['STAND_IN_AGAIN'],
  );
  await expect.poll(async () => answerOf(first, 'app.info')).toMatchObject({ canRestart: true });
  await answerOf(first, 'settings.set', { key: 'appearance.language', value: 'de' });
  const { backups } = await answerOf<HistoryStatus>(first, 'history.backUp');
  await answerOf(first, 'settings.set', { key: 'appearance.language', value: 'zh' });
  await answerOf(first, 'history.restore', { name: backups[0]?.name });
  // Its window may be gone before it has the answer.
  await answerOf(first, 'app.restart').catch(() => null);
  expect(await first.quit()).toBe(0);
  const started = JSON.parse(await readFile(again, 'utf8')) as { args: string[] };
  expect(started.args.slice(1)).toEqual([`--profile=${profile}`]);

  const second = await launchStandIn(profile);
  await expect
    .poll(async () => answerOf<HistoryStatus>(second, 'history.status'))
    .toMatchObject({ notice: { kind: 'restored' }, restoring: null });
  expect((await answerOf<Settings>(second, 'settings.get'))['appearance.language']).toBe('de');
  expect(await second.quit()).toBe(0);
});

async function answerOf<Value>(driver: ElectronDriver, name: string, input: unknown = {}): Promise<Value> {
  return (await driver.page<{ value: Value }>(call(name, input))).value;
}
