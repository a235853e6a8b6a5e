import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { World } from '../renderer/support/memory-backend.ts';
import type { ScenarioName } from '../renderer/support/scenarios.ts';
import { openFirst, painted, ScriptedWindows, type Look } from '../support/scripted-window.ts';

/** Whatever goes away under the keys: the focus is on something that can be seen, and where one goes on. */
const windows = new ScriptedWindows();

const composer = 'Message to ';
const narrow = { width: 720, height: 480 } as const;

async function press(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('button', { name }).last().focus();
  await page.keyboard.press('Enter');
}

interface Case {
  readonly what: string;
  readonly scenario: ScenarioName;
  readonly look?: Look;
  readonly act: (page: Page) => Promise<void>;
  /** How the name of what has the focus then begins. */
  readonly then: string;
}

const cases: readonly Case[] = [
  {
    what: 'the settings are closed',
    scenario: 'talking',
    act: async (page) => {
      await page.keyboard.press('Control+,');
      await press(page, 'Close');
    },
    then: composer,
  },
  {
    what: 'the settings take the place of the field',
    scenario: 'talking',
    act: (page) => page.keyboard.press('Control+,'),
    then: 'Close',
  },
  {
    what: 'the details are closed',
    scenario: 'talking',
    act: async (page) => {
      await page.keyboard.press('Control+i');
      await press(page, 'Close');
    },
    then: composer,
  },
  {
    what: 'the inspector is closed',
    scenario: 'talking',
    act: async (page) => {
      await press(page, /^Session with/);
      await press(page, 'Close');
    },
    then: composer,
  },
  {
    what: 'one goes back to the list where list and thread take turns',
    scenario: 'talking',
    look: narrow,
    act: (page) => press(page, 'Back'),
    then: 'Tom Weber',
  },
  {
    what: 'the conversation that was open is opened again there',
    scenario: 'talking',
    look: narrow,
    act: async (page) => {
      await press(page, 'Back');
      await painted(page);
      await page.keyboard.press('Enter');
    },
    then: composer,
  },
  {
    what: 'the search is left',
    scenario: 'talking',
    act: async (page) => {
      await page.keyboard.press('Control+k');
      await page.keyboard.type('th');
      await page.getByRole('option').first().waitFor();
      await page.keyboard.press('Escape');
    },
    then: composer,
  },
  {
    what: 'what was found is opened',
    scenario: 'talking',
    act: async (page) => {
      await page.keyboard.press('Control+k');
      await page.keyboard.type('contract');
      await page.getByRole('option').first().waitFor();
      await page.keyboard.press('Enter');
      await page.locator('.flash').waitFor();
    },
    then: composer,
  },
  {
    what: 'the message is deleted whose menu was open',
    scenario: 'talking',
    act: async (page) => {
      await press(page, /^More about this message/);
      await page.getByRole('menuitem', { name: 'Delete for me' }).focus();
      await page.keyboard.press('Enter');
      await page.keyboard.press('Enter');
      await page.getByRole('menu').waitFor({ state: 'detached' });
      await page.getByText('Coming in nicely').nth(1).waitFor({ state: 'detached' });
    },
    then: composer,
  },
  {
    what: 'a reaction is taken back',
    scenario: 'changes',
    act: async (page) => {
      const chip = page.locator('.chip[aria-pressed=true]').last();
      await chip.focus();
      const before = await page.locator('.chip').count();
      await page.keyboard.press('Enter');
      await expect.poll(() => page.locator('.chip').count()).toBe(before - 1);
    },
    then: composer,
  },
  {
    what: 'the end is reached to which a button led',
    scenario: 'long',
    act: async (page) => {
      await page.locator('.scroller').evaluate((element) => (element.scrollTop -= 900));
      await press(page, 'Jump to latest');
      await page.getByRole('button', { name: 'Jump to latest' }).waitFor({ state: 'detached' });
    },
    then: composer,
  },
  {
    what: 'a message is sent with the button, which has nothing more to send',
    scenario: 'talking',
    act: async (page) => {
      await page.keyboard.type('By the button');
      await press(page, 'Send');
      await page.locator('[data-id]').filter({ hasText: 'By the button' }).waitFor();
    },
    then: composer,
  },
  {
    what: 'a message is tried again',
    scenario: 'states',
    act: (page) => press(page, 'Retry'),
    then: composer,
  },
  {
    what: 'a request has been answered and others wait',
    scenario: 'presence',
    act: async (page) => {
      await press(page, 'Allow kim@chat.home.arpa');
      await page.getByRole('button', { name: 'Allow kim@chat.home.arpa' }).waitFor({ state: 'detached' });
    },
    then: 'Tom Weber',
  },
  {
    what: 'a new conversation is not begun after all',
    scenario: 'talking',
    act: async (page) => {
      await press(page, 'New conversation');
      await press(page, /^(Cancel|Close|Back)$/);
    },
    then: 'Tom Weber',
  },
  {
    what: 'somebody is let write again',
    scenario: 'presence',
    act: async (page) => {
      await page.getByRole('button', { name: /^Maria Rossi/ }).click();
      await press(page, /^Unblock/);
      await page.getByText('You have blocked Maria Rossi').waitFor({ state: 'detached' });
    },
    then: composer,
  },
  {
    what: 'the last of what was shared is shown',
    scenario: 'long',
    look: { change: addLinks },
    act: async (page) => {
      await page.keyboard.press('Control+i');
      await page.getByRole('radio', { name: 'Links' }).focus();
      await page.keyboard.press('Space');
      await press(page, 'Show more');
      await page.getByRole('button', { name: 'Show more' }).waitFor({ state: 'detached' });
    },
    then: 'https://example.org/9970',
  },
  {
    what: 'another kind of what was shared is chosen, and what had the focus is not among it',
    scenario: 'files',
    act: async (page) => {
      await page.keyboard.press('Control+i');
      await page.getByRole('radio', { name: 'Files' }).focus();
      await page.keyboard.press('Space');
      await page.locator('ul.file button').first().focus();
      await page.locator('label', { hasText: 'Links' }).click();
      await page.locator('ul.file').waitFor({ state: 'detached' });
    },
    then: 'Links',
  },
  {
    what: 'a picture that was shared is shown in its place where list and thread take turns',
    scenario: 'files',
    look: narrow,
    act: async (page) => {
      await page.keyboard.press('Control+i');
      await press(page, /^Show in conversation: sunset/);
      await page.locator('.flash').waitFor();
    },
    then: 'Show in conversation: sunset.png',
  },
];

/** The last forty messages are links. */
function addLinks({ messages }: World): void {
  for (const message of messages.slice(-40)) {
    message.text = `https://example.org/${message.text.split('.')[0] ?? ''}`;
  }
}

it.each(cases)('when $what', async ({ scenario, look, act, then }) => {
  const { page } = await windows.open(scenario, look);
  await openFirst(page);
  await page.getByRole('textbox', { name: /^Message to/ }).waitFor();
  await act(page);
  await expect
    .poll(() =>
      page.evaluate(() => {
        const element = document.activeElement;
        const isSeen =
          element instanceof HTMLElement && element !== document.body && element.checkVisibility();
        return isSeen
          ? (element.ariaLabel ??
              (element as HTMLInputElement).labels?.[0]?.innerText ??
              element.querySelector('.name')?.textContent ??
              element.innerText)
          : '';
      }),
    )
    .toMatch(new RegExp(`^${then}`));
});

it('while a conversation opens, also when its messages take their time', async () => {
  const { page, server } = await windows.openFirst('talking');
  await page.getByRole('textbox', { name: 'Message to Tom Weber' }).waitFor();
  await page.evaluate(() => {
    const watched = document.body.dataset;
    let frames = 0;
    const look = (): void => {
      frames = document.activeElement === document.body ? frames + 1 : 0;
      watched['lost'] = String(Math.max(frames, Number(watched['lost'] ?? 0)));
      requestAnimationFrame(look);
    };
    look();
  });
  let release = (): void => undefined;
  server.backend.hold = new Promise((done) => (release = done));
  await page.getByRole('button', { name: /^Maria Rossi/ }).focus();
  await page.keyboard.press('Enter');
  const field = page.getByRole('textbox', { name: 'Message to Maria Rossi' });
  await expect.poll(() => field.evaluate((element) => element === document.activeElement)).toBe(true);
  await page.keyboard.type('At once');
  release();
  await page.locator('[data-id]', { hasText: 'The contract is signed.' }).waitFor();
  await painted(page);
  expect(await field.inputValue()).toBe('At once');
  expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
  // What goes away leaves the focus to what comes before the next frame but one.
  expect(Number(await page.evaluate(() => document.body.dataset['lost']))).toBeLessThanOrEqual(1);
});
