/**
 * Archives and copied profiles in windows that only read: the real program, in a browser.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportArchive } from '../../main/messenger/history/archive-export.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { openFilledHistory } from '../support/filled-history.ts';
import { openPage, Program } from '../support/browser-program.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { buildWindow } from '../support/built-window.ts';
import { temporaryFolder } from '../support/window-desk.ts';

const PASSPHRASE = 'correct horse';

let browser: Browser;

beforeAll(async () => {
  await buildWindow();
  browser = await borrowBrowser();
});

afterAll(() => returnBrowser(browser));

async function writeArchive(folder: string, passphrase?: string): Promise<string> {
  const path = join(folder, 'Our archive.parley');
  await using store = await openFilledHistory(folder);
  await exportArchive({ store, path, passphrase, selection: { conversations: null }, program: 'test' });
  return path;
}

async function stateOf(path: string): Promise<string> {
  const { mtimeMs } = await stat(path);
  return `${mtimeMs} ${createHash('sha256')
    .update(await readFile(path))
    .digest('hex')}`;
}

it('an archive on the command line opens in a window that only reads, and no profile is made', async () => {
  const folder = await temporaryFolder();
  const archive = await writeArchive(folder);
  const before = await stateOf(archive);
  const profile = join(folder, 'profile');
  const complaints: string[] = [];
  const page = await openPage(browser, await new Program(archive, '--profile', profile).link(), complaints);

  const bar = page.getByRole('region', { name: 'What this window reads' });
  await bar.getByText('Our archive.parley').waitFor();
  await bar.getByText('Complete and unchanged').waitFor();
  expect(await page.title()).toContain('Our archive.parley');
  await page.locator('nav li button').filter({ hasText: 'ana' }).click();
  await page.locator('[data-id]').filter({ hasText: 'number 299' }).first().waitFor();
  // Nothing to write in, to add, to delete, or to set.
  expect(await page.getByRole('textbox', { name: /^Message/ }).count()).toBe(0);
  expect(await page.getByRole('button', { name: 'New conversation' }).count()).toBe(0);
  expect(await page.getByRole('button', { name: 'Settings' }).count()).toBe(0);
  await page.keyboard.press('Control+,');
  expect(await page.getByRole('heading', { name: 'Settings' }).count()).toBe(0);

  await page.keyboard.press('Control+k');
  await page.keyboard.type('plan has:file');
  await page.getByRole('option').filter({ hasText: 'plan.txt' }).click();
  const saved = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Save: plan.txt' }).click();
  expect(await readFile(await (await saved).path(), 'utf8')).toBe('the plan');

  await page.keyboard.press('Control+i');
  await page.getByText('304 messages').waitFor();
  expect(await page.getByText('Pinned').count()).toBe(0);
  await page.getByRole('button', { name: 'Export this conversation' }).click();
  await page.getByText(/304 messages were written to/).waitFor();

  expect(complaints).toEqual([]);
  expect(await stateOf(archive)).toBe(before);
  expect(existsSync(join(profile, 'history.sqlite'))).toBe(false);
  expect((await readdir(folder)).filter((name) => name.startsWith('Our archive'))).toEqual([
    'Our archive.parley',
  ]);
});

it('a protected archive is opened with its passphrase only', async () => {
  const folder = await temporaryFolder();
  const archive = await writeArchive(folder, PASSPHRASE);
  const page = await openPage(
    browser,
    await new Program(archive, '--profile', join(folder, 'profile')).link(),
  );
  await page.getByRole('heading', { name: 'Our archive.parley is protected' }).waitFor();
  await page.keyboard.type('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('That is not its passphrase, or the file is damaged.').waitFor();
  await page.keyboard.type(PASSPHRASE);
  await page.keyboard.press('Enter');
  await page.getByText('Complete and unchanged').waitFor();
  await page.locator('nav li button').filter({ hasText: 'zoe' }).waitFor();
});

it('a program that runs takes over what a second one was started with, and what is dropped on its window', async () => {
  const folder = await temporaryFolder();
  const archive = await writeArchive(folder);
  const profile = join(folder, 'profile');
  const first = new Program('--profile', profile);
  const page = await openPage(browser, await first.link());
  await page.getByRole('heading', { level: 1 }).first().waitFor();

  const link = await new Program(archive, '--profile', profile).link();
  const second = await openPage(browser, link);
  await second.getByText('Complete and unchanged').waitFor();
  // Its own door, and its own cookie.
  expect(new URL(link).origin).not.toBe(new URL(page.url()).origin);

  const data = await page.evaluateHandle(
    (base64) => {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], 'Dropped.parley'));
      return transfer;
    },
    (await readFile(archive)).toString('base64'),
  );
  const popup = page.context().waitForEvent('page');
  await page.dispatchEvent('body', 'dragenter', { dataTransfer: data });
  await page.getByText('Drop an archive or a copied profile here to read it').waitFor();
  await page.dispatchEvent('body', 'drop', { dataTransfer: data });
  const dropped = await popup;
  await dropped.getByRole('region', { name: 'What this window reads' }).getByText('Dropped.parley').waitFor();
  await dropped.getByText('Complete and unchanged').waitFor();
  expect(await readdir(join(profile, 'reading'))).toHaveLength(1);
});

it('the folder of a copied profile is read with the key that lies in it', async () => {
  const folder = await temporaryFolder();
  const original = join(folder, 'original');
  const copy = join(folder, 'copy');
  await mkdir(original);
  const key = await openHistoryKey(original, filePermissionSecrets);
  await (await openFilledHistory(original, key))[Symbol.asyncDispose]();
  await cp(original, copy, { recursive: true });
  const page = await openPage(browser, await new Program(copy, '--profile', join(folder, 'profile')).link());
  await page.getByText('History of a copied profile').waitFor();
  await page.getByText('No damage found').waitFor();
  await page.locator('nav li button').filter({ hasText: 'ana' }).waitFor();
});
