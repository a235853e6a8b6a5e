import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { buildWindow } from '../support/built-window.ts';
import { addressOf, Desk, Office } from '../support/window-desk.ts';

/** Two people at their windows, with a real server between them. */
let browser: Browser;

beforeAll(async () => {
  await buildWindow();
  browser = await borrowBrowser();
});
afterAll(() => returnBrowser(browser));

it('a stranger asks, sees what he is let see, is blocked and comes back', async () => {
  const office = await Office.open('tom', 'bob');
  const tom = await Desk.open(browser, { person: { name: 'Tom', server: office.address } });
  const bob = await Desk.open(browser, {
    person: { name: 'Bob', server: office.address, contacts: ['Tom'] },
  });
  await tom.page.getByRole('button', { name: `Allow ${addressOf('Bob')}` }).click();
  await bob.row('Tom').filter({ hasText: 'Available' }).waitFor();
  await bob.row('Tom').click();

  await tom.page.locator('[aria-controls=account-menu]').click();
  await tom.page.getByRole('radio', { name: /Do not disturb/ }).check({ force: true });
  await tom.page.getByRole('textbox', { name: 'Note for others' }).fill('Writing');
  await tom.page.getByRole('button', { name: 'Save note' }).click();
  await tom.page.keyboard.press('Escape');
  await bob.sees('Do not disturb · Writing');

  await bob.write('Are you there?');
  await tom.row('bob').click();
  await tom.page.getByRole('button', { name: 'Accept', exact: true }).click();
  await tom.sees('Are you there?');
  await tom.page.getByRole('button', { name: 'More about bob' }).click();
  await tom.page.getByRole('menuitem', { name: 'Block' }).click();
  await tom.sees('You have blocked bob');
  await bob.row('Tom').filter({ hasText: 'Offline' }).waitFor();
  await bob.write('Hello?');
  await bob.sees('Tom declined.');

  await tom.page.getByRole('button', { name: 'Unblock bob' }).click();
  await bob.row('Tom').filter({ hasText: 'Do not disturb' }).waitFor();
  await bob.write('There you are');
  await tom.sees('There you are');
  expect([...tom.complaints, ...bob.complaints]).toEqual([]);
});
