import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { scenarios, type ScenarioName } from '../renderer/support/scenarios.ts';
import type { ScriptedBackend } from '../support/scripted-backend.ts';
import { openFirst, painted, ScriptedWindows, tooWide } from '../support/scripted-window.ts';

/** The window over a scripted backend, in a browser: what only a real layout and a real CSP can show. */
const windows = new ScriptedWindows();

/** Place on the screen of the message with this id. */
function topOf(page: Page, id: string): Promise<number> {
  return page.locator(`[data-id="${id}"]`).evaluate((element) => element.getBoundingClientRect().top);
}

describe('a thread of 10 000 messages', () => {
  it('opens at the newest one and has only a window of them in the DOM', async () => {
    const { page } = await windows.open('long');
    await openFirst(page);
    await page.getByText('10000. Done').last().waitFor();
    expect(await page.locator('[data-id]').count()).toBeLessThanOrEqual(100);
  });

  it('keeps what is read in its place while older messages come in above', async () => {
    const { page } = await windows.open('long');
    await openFirst(page);
    await page.getByText('10000. Done').last().waitFor();
    const scroller = page.getByRole('region', { name: 'Messages with Tom Weber' });
    const seen = new Set<string>();
    for (let turn = 0; turn < 60; turn += 1) {
      const [id, before] = await scroller.evaluate((element) => {
        const limit = element.getBoundingClientRect().top + 200;
        const first = [...element.querySelectorAll<HTMLElement>('[data-id]')].find(
          (each) => each.getBoundingClientRect().top > limit,
        )!;
        return [first.dataset['id']!, first.getBoundingClientRect().top] as const;
      });
      seen.add(id);
      await scroller.evaluate((element) => (element.scrollTop -= 300));
      await painted(page);
      expect(Math.abs((await topOf(page, id)) - before - 300)).toBeLessThan(2);
      expect(await page.locator('[data-id]').count()).toBeLessThanOrEqual(100);
    }
    expect(seen.size).toBeGreaterThan(50);
    await page.getByRole('button', { name: 'Jump to latest' }).click();
    await page.getByText('10000. Done').last().waitFor();
  });

  it('stays at the end when messages arrive there, and in its place when the user reads further up', async () => {
    const { page, server } = await windows.open('long');
    await openFirst(page);
    const tom = server.backend.world.conversations[0]!.id;
    server.backend.addMessage(tom, { direction: 'in', text: 'The newest of all', state: 'received' });
    const newest = page.locator('[data-id]').getByText('The newest of all');
    await newest.waitFor();
    expect(await newest.evaluate((element) => element.getBoundingClientRect().bottom)).toBeLessThan(780);

    const scroller = page.getByRole('region', { name: 'Messages with Tom Weber' });
    await scroller.evaluate((element) => (element.scrollTop -= 600));
    await page.getByRole('button', { name: 'Jump to latest' }).waitFor();
    const before = await topOf(page, 'tom-9985');
    server.backend.addMessage(tom, { direction: 'in', text: 'And another', state: 'received' });
    await page.getByRole('button', { name: '1 new message' }).waitFor();
    expect(await topOf(page, 'tom-9985')).toBe(before);
  });
});

describe('a flood that arrives', () => {
  const say = ({ backend }: ScriptedBackend, from: number, to: number): void => {
    const tom = backend.world.conversations[0]!.id;
    for (let nth = from; nth <= to; nth += 1) {
      backend.addMessage(tom, { direction: 'in', text: `spam ${nth}.`, state: 'received' });
    }
  };

  it('leaves what is read further up in its place', async () => {
    const { page, server } = await windows.open('long');
    await openFirst(page);
    await page.getByText('10000. Done').last().waitFor();
    const scroller = page.getByRole('region', { name: 'Messages with Tom Weber' });
    await scroller.evaluate((element) => (element.scrollTop -= 600));
    await page.getByRole('button', { name: 'Jump to latest' }).waitFor();
    const before = await topOf(page, 'tom-9985');
    say(server, 1, 300);
    await page.getByText('295 more messages from Tom Weber').waitFor();
    expect(await topOf(page, 'tom-9985')).toBe(before);
    await page.getByRole('button', { name: '300 new messages' }).click();
    await page.getByRole('button', { name: '300 new messages' }).waitFor({ state: 'detached' });
    const { bottom } = await page
      .getByText('295 more messages')
      .evaluate((element) => element.getBoundingClientRect());
    expect(bottom).toBeLessThan(712);
  });

  it('puts its row where the messages were that are read while they are collapsed', async () => {
    const { page, server } = await windows.open('long', { height: 480 });
    await openFirst(page);
    say(server, 1, 20);
    await page.getByText('spam 20.').last().waitFor();
    const scroller = page.getByRole('region', { name: 'Messages with Tom Weber' });
    await scroller.evaluate((element) => (element.scrollTop -= 120));
    await page.getByRole('button', { name: 'Jump to latest' }).waitFor();
    say(server, 21, 40);
    const row = page.getByText('35 more messages from Tom Weber');
    await row.waitFor();
    await painted(page);
    const { top, bottom } = await row.evaluate((element) => element.getBoundingClientRect());
    expect(top).toBeGreaterThan(64);
    expect(bottom).toBeLessThan(412);
  });
});

it('has of a thousand conversations in the DOM what can be seen, and keys reach all of them', async () => {
  const { page, server } = await windows.open('talking');
  const { world } = server.backend;
  const first = world.conversations[0]!;
  const many = Array.from({ length: 1_000 }, (_, nth) => ({
    ...first,
    id: `many-${nth}` as typeof first.id,
    peerName: `Person ${nth}`,
    lastActivityMs: 1_000_000 - nth,
  }));
  world.conversations.splice(0, world.conversations.length, ...many);
  await page.reload();
  const row = (name: string) => page.getByRole('button', { name: new RegExp(`^${name}\\b`) });
  await row('Person 0').focus();
  expect(await page.locator('nav li').count()).toBeLessThan(60);
  await page.keyboard.press('End');
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('Person 999');
  await page.keyboard.press('ArrowUp');
  await expect.poll(() => page.evaluate(() => document.activeElement?.textContent)).toContain('Person 998');
  // The focus stays where it is when the list is moved away under it.
  await page.locator('nav').evaluate((list) => (list.scrollTop = 0));
  await row('Person 3').waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toContain('Person 998');
  expect(await page.locator('nav li').count()).toBeLessThan(60);
});

describe('the window', () => {
  it('finds a message far back, shows it in its context and flashes it', async () => {
    const { page } = await windows.open('long');
    await page.getByText('Tom Weber').first().waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('4321. ');
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('Enter');
    const found = page.locator('[data-id="tom-4320"]');
    await found.waitFor();
    const { top, bottom } = await found.evaluate((element) => element.getBoundingClientRect());
    expect(top).toBeGreaterThan(106);
    expect(bottom).toBeLessThan(712);
    expect(await found.locator('.flash').count()).toBe(1);
  });

  it('says that the connection is lost and takes the notice away when it is back', async () => {
    const { page, server } = await windows.open('talking');
    await openFirst(page);
    const port = Number(new URL(page.url()).port);
    await server.close();
    await page.getByText('has lost its connection').waitFor();
    await server.listen(port);
    await page.getByText('has lost its connection').waitFor({ state: 'detached' });
    windows.complaints.length = 0;
  });

  it('has the number of unread messages in its title', async () => {
    const { page } = await windows.open('talking');
    await page.getByText('Tom Weber').first().waitFor();
    expect(await page.title()).toBe('(2) Parley');
  });

  it('lets list and thread take turns in a narrow window', async () => {
    const { page } = await windows.open('talking', { width: 720, height: 480 });
    await openFirst(page);
    expect(await page.locator('nav').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Back' }).click();
    expect(await page.locator('nav').isVisible()).toBe(true);
    expect(await page.locator('textarea').isVisible()).toBe(false);
  });

  it('is whole in the smallest window at 200 %, list and thread, and a message can be written and sent', async () => {
    // 720 by 480 points at the level of zoom next to it (WCAG 1.4.4).
    const { page, server } = await windows.open('talking', { width: 348, height: 232 });
    expect(await tooWide(page)).toEqual([]);
    await openFirst(page);
    expect(await tooWide(page)).toEqual([]);
    await page.locator('textarea').fill('still room');
    const { y, height } = (await page.locator('textarea').boundingBox())!;
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y + height).toBeLessThanOrEqual(232);
    await page.locator('textarea').press('Enter');
    await expect
      .poll(() => server.backend.calls.filter(({ call }) => call === 'message.send'))
      .toHaveLength(1);
  });

  it('has a list that is drawn, keyed and clicked down to its pictures, and stays so; a search has room', async () => {
    const { page, server } = await windows.open('talking', { width: 1000 });
    await openFirst(page);
    const list = page.getByRole('complementary', { name: 'Search and conversations' });
    const widthOf = async (): Promise<number> => (await list.boundingBox())?.width ?? 0;
    const handle = page.getByRole('separator', { name: 'Width of the list' });
    const draw = async (to: number): Promise<void> => {
      const { x, width } = (await handle.boundingBox())!;
      await page.mouse.move(x + width / 2, 400);
      await page.mouse.down();
      await page.mouse.move(to, 400, { steps: 3 });
      await page.mouse.up();
    };
    await draw(345);
    expect(await widthOf()).toBe(345);
    await draw(120);
    expect(await widthOf()).toBe(72);
    const kept = (): unknown => server.backend.world.settings['appearance.listWidth'];
    await expect.poll(kept).toBe(72);
    // Names are said still, and the count of unread messages is seen.
    await page.getByRole('button', { name: /^Tom Weber/ }).waitFor();
    expect(await page.locator('nav .badge').first().isVisible()).toBe(true);
    expect(
      await page
        .locator('nav .name')
        .first()
        .evaluate((name) => name.getBoundingClientRect().width),
    ).toBeLessThan(2);

    await page.keyboard.press('Control+k');
    await page.getByText('What you can type').waitFor();
    expect(await widthOf()).toBe(280);
    await page.keyboard.press('Escape');
    await page.getByText('What you can type').waitFor({ state: 'detached' });
    expect(await widthOf()).toBe(72);

    await page.reload();
    await page.locator('nav li button').first().waitFor();
    expect(await widthOf()).toBe(72);
    await handle.focus();
    await page.keyboard.press('ArrowRight');
    expect(await widthOf()).toBe(280);
    await page.keyboard.press('ArrowLeft');
    expect(await widthOf()).toBe(72);
    await page.getByRole('button', { name: 'Show names in the list' }).click();
    expect(await widthOf()).toBe(280);
    await handle.dblclick();
    await expect.poll(kept).toBe(72);

    // Where list and thread take turns there is room for words.
    await page.setViewportSize({ width: 720, height: 480 });
    await page.getByRole('button', { name: 'Back' }).or(page.locator('nav')).first().waitFor();
    if (await page.getByRole('button', { name: 'Back' }).isVisible())
      await page.getByRole('button', { name: 'Back' }).click();
    expect(await widthOf()).toBe(720);
    expect(
      await page
        .locator('nav .name')
        .first()
        .evaluate((name) => name.getBoundingClientRect().width),
    ).toBeGreaterThan(40);
  });

  const languages = ['de', 'ar'] as const;
  const names = Object.keys(scenarios) as ScenarioName[];
  it.each(names.flatMap((scenario) => languages.map((language) => ({ scenario, language }))))(
    'has nothing wider than itself: $scenario in $language',
    async ({ scenario, language }) => {
      const { page } = await windows.open(scenario, { width: 720, height: 480, language });
      // Where something is asked or said before there is a list, that is what is looked at.
      if (scenario === 'locked' || scenario === 'converting') await page.locator('main.opening').waitFor();
      else await page.locator('nav li button, .door').first().click();
      await painted(page);
      expect(await tooWide(page)).toEqual([]);
    },
  );
});
