import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { buildWindow } from '../support/built-window.ts';
import { addressOf, Desk, Office, temporaryFolder } from '../support/window-desk.ts';

/** The window over the real program, by keys alone, and a history that leaves one program and comes into another. */
let browser: Browser;

beforeAll(async () => {
  await buildWindow();
  browser = await borrowBrowser();
});

afterAll(() => returnBrowser(browser));

it('Bob writes, attaches, searches, goes to a date and changes a setting without a mouse', async () => {
  const office = await Office.open('bob', 'tom');
  const bob = await Desk.open(browser, {
    person: { name: 'Bob', server: office.address, contacts: ['Tom'] },
  });
  const { page } = bob;
  const { keyboard } = page;
  /** What has the focus, by its role and name; the Tab key goes on until it is this. */
  const tabTo = async (name: RegExp): Promise<void> => {
    for (let nth = 0; nth < 40; nth += 1) {
      const found = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === document.body) return '';
        const { labels } = element as HTMLInputElement;
        return `${element?.ariaLabel ?? ''} ${labels?.[0]?.textContent ?? ''} ${element?.textContent ?? ''}`;
      });
      if (name.test(found)) return;
      await keyboard.press('Tab');
    }
    throw new Error(`the Tab key does not reach ${String(name)}`);
  };
  await tabTo(/Tom/);
  await keyboard.press('Enter');
  await page.getByRole('textbox', { name: /^Message to Tom/ }).waitFor();
  // The composer has the focus by itself.
  await keyboard.type('Where is the harbour plan? https://example.org/harbour');
  await keyboard.press('Enter');
  await bob.bubble('harbour plan').waitFor();

  const plan = join(await temporaryFolder(), 'Harbour.txt');
  await writeFile(plan, 'quay');
  // Before the key: the browser has to know that somebody listens.
  const chooser = page.waitForEvent('filechooser');
  await keyboard.press('Shift+Tab');
  await keyboard.press('Enter');
  await (await chooser).setFiles(plan);
  await bob.bubble('Harbour.txt').waitFor();

  await keyboard.press('Control+k');
  await keyboard.type('harb has:link');
  // What was found before the last key stands there until its answer has come.
  await expect
    .poll(() => page.getByRole('option').allInnerTexts())
    .toEqual([expect.stringContaining('harbour plan')]);
  await keyboard.press('Enter');
  await page.locator('.flash').filter({ hasText: 'harbour plan' }).waitFor();
  await keyboard.press('Control+k');
  await keyboard.press('Escape');
  await bob.row('Tom').waitFor();

  await keyboard.press('Control+g');
  await page
    .getByRole('gridcell')
    .locator('button:focus')
    .and(page.locator('[aria-disabled="false"]'))
    .waitFor();
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await keyboard.press('Control+i');
  await page.getByText('2 messages').waitFor();
  await keyboard.press('Control+,');
  await tabTo(/Dark|Light|System/);
  await keyboard.press('ArrowRight');
  await expect.poll(async () => (await bob.call('settings.get', {}))['appearance.theme']).not.toBe('system');

  // A draft is there again when the program is.
  await keyboard.press('Escape');
  await bob.row('Tom').click();
  await bob.composer.fill('to be continued');
  await expect
    .poll(async () => (await bob.call('draft.list', {})).map(({ text }) => text))
    .toEqual(['to be continued']);
  await bob.close();
  await bob.start();
  await bob.row('Tom').getByText('to be continued').waitFor();
  expect(bob.complaints).toEqual([]);
});

it('everything is exported, and another program takes it in: once', async () => {
  const office = await Office.open('bob');
  const bob = await Desk.open(browser, {
    person: { name: 'Bob', server: office.address, contacts: ['Tom', 'Ana'] },
  });
  for (const { id, peerName } of await bob.call('conversation.list', {})) {
    for (let nth = 1; nth <= 30; nth += 1) {
      await bob.call('message.send', { conversationId: id, text: `${nth} to ${peerName}` });
    }
  }
  await bob.page.keyboard.press('Control+,');
  await bob.page.getByText('JSON Lines', { exact: true }).click();
  await bob.page.getByRole('button', { name: 'Export everything' }).click();
  await bob.page.getByText('60 messages were written to').waitFor();
  await bob.page.getByRole('button', { name: 'Copy the path' }).click();
  const folder = await bob.page.evaluate(() => navigator.clipboard.readText());
  expect(folder.startsWith(join(bob.profile, 'exports'))).toBe(true);
  expect((await verifyExport(folder)).problems).toEqual([]);
  expect(await readFile(join(folder, 'messages.jsonl'), 'utf8')).toContain('30 to Tom');

  const other = await Desk.open(browser, { person: { name: 'Bob', server: office.address } });
  const take = async (words: RegExp): Promise<void> => {
    const chooser = other.page.waitForEvent('filechooser');
    await other.page.getByRole('button', { name: 'Choose a folder' }).click();
    await (await chooser).setFiles(folder);
    await other.page.getByText(words).waitFor();
  };
  await other.page.keyboard.press('Control+,');
  await take(/^60 messages were new, 0 were known already/);
  await other.row('Tom').click();
  await other.bubble('30 to Tom').waitFor();
  await other.page.keyboard.press('Control+Home');
  await other.bubble('1 to Tom').first().waitFor();
  await other.page.keyboard.press('Control+,');
  await take(/^0 messages were new, 60 were known already/);
  expect([...bob.complaints, ...other.complaints]).toEqual([]);
  expect(addressOf('Bob')).toBe((await other.call('account.list', {}))[0]?.address);
});
