import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { ScenarioName } from '../renderer/support/scenarios.ts';
import { ScriptedBackend } from '../support/scripted-backend.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';
import { samplePicture } from '../support/sample-picture.ts';
import { tooWide } from '../support/scripted-window.ts';
import { buildWindow } from '../support/built-window.ts';

/** Every view as axe-core sees it, in both themes; reduced motion; 200 % zoom. One browser, one page for each world. */
let browser: Browser;
let axe: string;

beforeAll(async () => {
  await buildWindow();
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  browser = await borrowBrowser();
});

afterAll(() => returnBrowser(browser));

async function open(scenario: ScenarioName, width = 1240, height = 780): Promise<Page> {
  const server = new ScriptedBackend(scenario);
  const address = await server.listen();
  const page = await browser.newPage({ viewport: { width, height }, reducedMotion: 'reduce' });
  // As patient as the test is.
  page.setDefaultTimeout(0);
  onTestFinished(async () => {
    await page.close();
    await server.close();
  });
  await page.goto(address);
  await page.evaluate(axe);
  return page;
}

/** What axe-core finds, with all of its rules, in both themes. */
async function check(page: Page, view: string): Promise<void> {
  for (const theme of ['light', 'dark']) {
    const found = await page.evaluate(async (name) => {
      document.documentElement.dataset['theme'] = name;
      const { axe: tool } = window as unknown as {
        axe: { run: (root: Document, options: object) => Promise<AxeResults> };
      };
      const { violations } = await tool.run(document, { resultTypes: ['violations'] });
      return violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, any }) => `${id}: ${help}: ${html.slice(0, 160)} ${any[0]?.message ?? ''}`),
      );
    }, theme);
    expect(found, `${view}, ${theme}`).toEqual([]);
  }
}

const first = 'nav li button';

it('axe-core finds nothing: presence, requests, own presence, menus, a blocked person, the block list', async () => {
  const page = await open('presence');
  await page.getByRole('button', { name: 'Allow kim@chat.home.arpa' }).waitFor();
  await page.getByRole('button', { name: /^Bob/ }).click();
  await page.getByRole('radio', { name: /Do not disturb/ }).waitFor();
  await check(page, 'requests and own presence');
  await page.keyboard.press('Escape');
  const maria = page.getByRole('button', { name: /^Maria Rossi/ });
  await maria.click({ button: 'right' });
  await page.getByRole('menuitem', { name: 'Unblock' }).waitFor();
  await check(page, 'the menu of a conversation');
  await page.keyboard.press('Escape');
  await maria.click();
  await page.getByText('You have blocked Maria Rossi').waitFor();
  await page.keyboard.press('Control+i');
  await page.getByRole('switch', { name: 'Blocked' }).waitFor();
  await check(page, 'a blocked person and details');
  await page.keyboard.press('Control+,');
  await page.getByRole('heading', { name: 'Blocked people' }).waitFor();
  await check(page, 'settings with the block list');
});

it('axe-core finds nothing: list, thread, menu, calendar, details, inspector, search', async () => {
  const page = await open('talking');
  await page.locator(first).first().waitFor();
  await check(page, 'list');
  await page.getByRole('separator').press('Enter');
  await page.locator('[data-list=avatars]').waitFor();
  await check(page, 'list of pictures only');
  await page.getByRole('separator').press('Enter');
  await page.locator(first).first().click();
  await page.locator('[data-menu]').last().focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem').first().waitFor();
  await check(page, 'thread with the menu of a message');
  await page.getByRole('menuitem', { name: 'Details' }).click();
  await page.getByText('Identifier').waitFor();
  await page.keyboard.press('Control+g');
  await page.getByRole('grid').waitFor();
  await check(page, 'calendar and details');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Session with Tom' }).click();
  await page.getByRole('complementary', { name: 'Session inspector' }).waitFor();
  await check(page, 'inspector');
  await page.keyboard.press('Control+k');
  await page.getByText('What you can type').waitFor();
  await check(page, 'search that begins');
  await page.keyboard.type('th');
  await page.getByRole('option').first().waitFor();
  await check(page, 'search with results');
});

it('axe-core finds nothing: files, export, settings, a new conversation', async () => {
  const page = await open('files');
  await page.locator(first).first().click();
  await page.keyboard.press('Control+i');
  await page.getByText('Files', { exact: true }).click();
  await page.getByRole('button', { name: 'Export this conversation' }).click();
  await page.getByRole('progressbar', { name: 'Progress', exact: true }).waitFor();
  await check(page, 'files, their list, and an export');
  await page.keyboard.press('Control+,');
  await page.getByRole('heading', { name: 'Settings', level: 1 }).waitFor();
  await check(page, 'settings');
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.getByRole('textbox', { name: 'Address', exact: true }).first().waitFor();
  await check(page, 'new conversation');
});

it('axe-core finds nothing: the three doors, a stranger, every state of a message, a server that is gone', async () => {
  const doors = await open('empty');
  await doors.locator('.door').first().waitFor();
  await check(doors, 'doors');
  await doors.locator('.door').first().click();
  await doors.getByLabel('Password').waitFor();
  await check(doors, 'sign in');
  for (const scenario of ['asked', 'states', 'unreachable'] as const) {
    const page = await open(scenario);
    await page.locator(first).first().click();
    await check(page, scenario);
  }
});

it('axe-core finds nothing: answers, reactions, edits and deletions, their menu, an answer being written', async () => {
  const page = await open('changes');
  await page.locator(first).first().click();
  await page.locator('.chip').first().waitFor();
  await check(page, 'changes');
  const line = page.locator('.line', { hasText: 'Good. I am' });
  await line.hover();
  await line.locator('[data-menu]').click();
  await check(page, 'menu with reactions');
  await page.getByRole('menuitem', { name: 'More reactions' }).click();
  await check(page, 'all reactions');
  await page.keyboard.press('Escape');
  await line.hover();
  await line.locator('[data-menu]').click();
  await page.getByRole('menuitem', { name: 'Reply' }).click();
  await page.getByText('Reply to yourself').waitFor();
  await check(page, 'answer');
});

it('axe-core finds nothing: a flood, collapsed and open', async () => {
  const page = await open('flood');
  await page.locator(first).first().click();
  const show = page.getByRole('button', { name: 'Show', exact: true });
  await show.waitFor();
  await check(page, 'a flood that is collapsed');
  await show.click();
  await page.getByText('Build 6 of 5000 is done.').waitFor();
  await check(page, 'a flood that is open');
});

it('axe-core finds nothing: a picture that is shown large; at 200 % all of its controls are there', async () => {
  const page = await open('pictures', 620, 390);
  await page.route('**/files/**', (route) =>
    route.fulfill({ contentType: 'image/png', body: samplePicture(1_600, 1_000) }),
  );
  await page.locator(first).first().click();
  await page.getByRole('button', { name: 'Picture harbour.png' }).click();
  await page.getByRole('dialog').getByRole('img').waitFor();
  await check(page, 'a picture');
  expect(await tooWide(page)).toEqual([]);
  for (const name of ['Larger', 'Save', 'Close', 'Picture after'])
    await page
      .getByRole('button', { name })
      .or(page.getByRole('link', { name }))
      .last()
      .click({ trial: true });
  await page.keyboard.press('PageDown');
  await page.keyboard.press('PageDown');
  await page.keyboard.press('PageDown');
  await page.getByText('is too large to be shown here').waitFor();
  await check(page, 'a picture that is too large');
});

it('axe-core finds nothing: to whom a message is sent on', async () => {
  const page = await open('groups');
  await page.locator(first).first().click();
  await page.locator('.line').last().hover();
  await page.locator('[data-menu]').last().click();
  await page.getByRole('menuitem', { name: 'Forward' }).click();
  await page.getByRole('checkbox', { name: /Ana/ }).check();
  await check(page, 'to whom a message is sent on');
  await page.setViewportSize({ width: 620, height: 390 });
  await page.getByRole('button', { name: 'Send to 1 conversation' }).click({ trial: true });
  expect(await tooWide(page)).toEqual([]);
});

it('axe-core finds nothing: messages that are selected', async () => {
  const page = await open('changes');
  await page.locator(first).first().click();
  const line = page.locator('.line', { hasText: 'Good. I am' });
  await line.hover();
  await line.locator('[data-menu]').click();
  await page.getByRole('menuitem', { name: 'Select' }).click();
  const box = page.getByRole('checkbox', { name: /^You, .*Good\. I am/ });
  await expect.poll(() => box.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.press('Shift+ArrowUp');
  await page.getByText('2 messages chosen').waitFor();
  await check(page, 'messages that are selected');
  await page.setViewportSize({ width: 620, height: 390 });
  await page.getByRole('button', { name: 'Delete for me' }).click({ trial: true });
  expect(await tooWide(page)).toEqual([]);
});

it('nothing moves where motion is not wanted, and at 200 % everything is there and nothing stands out', async () => {
  const page = await open('files', 620, 390);
  await page.locator(first).first().click();
  const moving = (): Promise<number> => page.evaluate(() => document.getAnimations().length);
  expect(await tooWide(page)).toEqual([]);
  const composer = page.getByRole('textbox', { name: /^Message to/ });
  expect(((await composer.boundingBox())?.y ?? 0) + 20).toBeLessThan(390);
  const keys = [
    ['Control+g', page.getByRole('grid'), 'visible'],
    ['Escape', page.getByRole('grid'), 'detached'],
    ['Control+i', page.getByRole('complementary', { name: 'Details' }), 'visible'],
    ['Control+k', page.getByText('What you can type'), 'visible'],
    ['Control+,', page.getByRole('heading', { name: 'Settings', level: 1 }), 'visible'],
  ] as const;
  for (const [key, seen, state] of keys) {
    await page.keyboard.press(key);
    await seen.waitFor({ state });
    expect(await tooWide(page), key).toEqual([]);
    expect(await moving(), key).toBe(0);
  }
});

it('axe-core finds nothing: a group, its members, a message to one of them, a new group', async () => {
  const page = await open('groups');
  await page.locator('nav li button', { hasText: 'Sea trip' }).click();
  await page.getByText('You renamed the group to Sea trip').waitFor();
  const field = page.getByRole('textbox', { name: /^Message to/ });
  await field.pressSequentially('Ask @');
  await page.getByRole('option').first().waitFor();
  await check(page, 'naming a member');
  await field.fill('');
  await check(page, 'thread of a group');
  await page.getByRole('button', { name: 'Details' }).first().click();
  await page.getByRole('button', { name: 'Tom Weber' }).last().click();
  await page.getByRole('button', { name: 'Write privately' }).waitFor();
  await check(page, 'members of a group');
  await page.getByRole('button', { name: 'Write privately' }).click();
  await page.getByRole('button', { name: 'Write to everybody again' }).waitFor();
  await check(page, 'message to one member');
  await page.getByRole('button', { name: 'New conversation' }).click();
  await page.getByRole('radiogroup').getByText('Group').click();
  await page.getByRole('group', { name: 'People' }).waitFor();
  await check(page, 'new group');
});

it('axe-core finds nothing: a history that is opened, its passphrase, a window that only reads', async () => {
  const converting = await open('converting');
  await converting.getByRole('progressbar').waitFor();
  await check(converting, 'converting');
  const locked = await open('locked');
  await locked.getByRole('button', { name: 'Unlock' }).waitFor();
  await locked.keyboard.type('wrong');
  await locked.keyboard.press('Enter');
  await locked.getByRole('alert').waitFor();
  await check(locked, 'locked');
  await locked.getByRole('button', { name: /Passphrase forgotten/ }).click();
  await check(locked, 'recovery key');
  const reading = await open('reading');
  await reading.locator(first).first().click();
  await reading.getByRole('button', { name: 'Take it with you' }).click();
  await reading.getByRole('button', { name: 'Details of this conversation' }).click();
  await check(reading, 'reading');
  const talking = await open('talking');
  await talking.getByRole('button', { name: 'Settings' }).click();
  await talking.getByRole('button', { name: 'Set a passphrase' }).click();
  const form = talking.locator('form').filter({ has: talking.getByLabel('Once more') });
  await form.getByRole('textbox', { name: 'Passphrase', exact: true }).fill('a long one here');
  await form.getByLabel('Once more').fill('a long one here');
  await form.getByRole('button', { name: 'Save' }).click();
  await talking.getByRole('button', { name: 'I have kept it' }).waitFor();
  await check(talking, 'recovery card');
});
