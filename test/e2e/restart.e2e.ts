/** A copy takes the place of the history at once: the program starts again behind the window that has asked for it. */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPage, Program } from '../support/browser-program.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { buildWindow } from '../support/built-window.ts';
import { temporaryFolder } from '../support/window-desk.ts';

let browser: Browser;

beforeAll(async () => {
  await buildWindow();
  browser = await borrowBrowser();
});

afterAll(() => returnBrowser(browser));

it('the window comes back by itself, with the copy, and goes on', async () => {
  const complaints: string[] = [];
  const program = new Program('--profile', join(await temporaryFolder(), 'profile'));
  const page = await openPage(browser, await program.link(), complaints);
  await page.getByRole('button', { name: /Try it/ }).click();
  const field = page.getByRole('textbox', { name: /^Message/ });
  const write = async (text: string): Promise<void> => {
    await field.fill(text);
    await field.press('Enter');
    const bubble = page.locator('[data-id]').filter({ hasText: text });
    await bubble.getByRole('img', { name: 'Read', exact: true }).waitFor();
  };
  await write('In the copy');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Make one now' }).click();
  await page.getByRole('button', { name: /^Restore the copy of/ }).waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await write('Not in the copy');

  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('button', { name: /^Restore the copy of/ }).click();
  await page.getByRole('button', { name: 'Restore', exact: true }).click();
  await page.getByRole('button', { name: 'Restart now' }).click();
  await page.getByText('A copy has taken the place of the history.').waitFor();
  await page.locator('nav li button').filter({ hasText: 'Tom' }).click();
  await page.locator('[data-id]').filter({ hasText: 'In the copy' }).first().waitFor();
  expect(await page.getByText('Not in the copy').count()).toBe(0);
  await write('We go on');
  expect(complaints.filter((text) => !text.includes('WebSocket'))).toEqual([]);
  await program.stop();
  expect(program.output).not.toMatch(/Error/);
});
