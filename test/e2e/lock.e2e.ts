/**
 * The passphrase of a history in the window: set, asked for at the next start, forgotten. The real program, in a browser.
 */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPage, Program } from '../support/browser-program.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { buildWindow } from '../support/built-window.ts';
import { temporaryFolder } from '../support/window-desk.ts';

const FIRST = 'correct horse battery';
const SECOND = 'staple and rain';

let browser: Browser;

beforeAll(async () => {
  await buildWindow();
  browser = await borrowBrowser();
});

afterAll(() => returnBrowser(browser));

it('it is set, asked for before anything is shown, and forgotten without losing the history', async () => {
  const profile = join(await temporaryFolder(), 'profile');
  const complaints: string[] = [];
  const first = new Program('--profile', profile);
  const page = await openPage(browser, await first.link(), complaints);
  await page.getByRole('button', { name: /Try it/ }).click();
  await page.getByRole('textbox', { name: /^Message/ }).waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Set a passphrase' }).click();
  const form = page.locator('form').filter({ has: page.getByLabel('Once more') });
  await form.getByRole('textbox', { name: 'Passphrase', exact: true }).fill(FIRST);
  await form.getByLabel('Once more').fill(FIRST);
  await form.getByRole('button', { name: 'Save' }).click();
  const card = page.getByRole('region', { name: 'Recovery key of your Parley history' });
  await card.waitFor();
  const groups = await card.locator('.key span').allTextContents();
  expect(groups).toHaveLength(9);
  await card.getByRole('button', { name: 'I have kept it' }).click();
  await page.getByText('Your history has a passphrase').waitFor();
  await first.stop();

  const second = new Program('--profile', profile);
  const locked = await openPage(browser, await second.link(), complaints);
  await locked.getByRole('heading', { name: 'Your history is locked' }).waitFor();
  await locked.keyboard.type('not this one');
  await locked.keyboard.press('Enter');
  await locked.getByText('That is not the passphrase. Nothing is lost: try again.').waitFor();
  await locked.keyboard.type(FIRST);
  await locked.keyboard.press('Enter');
  await locked.locator('nav li button').filter({ hasText: 'Tom' }).waitFor();
  await second.stop();

  const third = new Program('--profile', profile);
  const forgotten = await openPage(browser, await third.link(), complaints);
  await forgotten.getByRole('button', { name: /Passphrase forgotten/ }).click();
  await forgotten.getByLabel('Recovery key').fill(groups.join(' ').toLowerCase());
  await forgotten.getByLabel('New passphrase').fill(SECOND);
  await forgotten.getByLabel('Once more').fill(SECOND);
  await forgotten.getByRole('button', { name: 'Unlock' }).click();
  await forgotten.locator('nav li button').filter({ hasText: 'Tom' }).waitFor();
  expect(complaints.filter((text) => !text.includes('WebSocket'))).toEqual([]);
});
