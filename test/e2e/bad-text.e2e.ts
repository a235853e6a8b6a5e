import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { expect, it } from 'vitest';
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { World } from '../renderer/support/memory-backend.ts';
import { sampleFile } from '../renderer/support/scenarios.ts';
import { painted, ScriptedWindows, tooWide } from '../support/scripted-window.ts';

/** What others send to do harm, or to look like something else, in the layout of a real browser. */
const windows = new ScriptedWindows();

const rightToLeftOverride = '\u202E';
const zalgo = 'He comes'.replace(/\w/g, (letter) => letter + '\u0300\u0323\u0301\u0303'.repeat(20));

/** The last conversation of the world has these messages after a plain one, and a plain one behind each. */
function send(world: World, ...bad: readonly Partial<Message>[]): void {
  const [conversation] = world.conversations;
  const [sample] = world.messages;
  if (conversation === undefined || sample === undefined) throw new Error('nobody to send');
  const plain = { text: 'plain' };
  world.messages = [plain, ...bad.flatMap((message) => [message, plain])].map((message, nth) => ({
    ...sample,
    id: `bad-${nth}` as MessageId,
    position: nth + 1,
    direction: 'in',
    state: 'received',
    sentAtMs: Date.now() - 3_600_000 + nth * 120_000,
    ...message,
  }));
  const last = world.messages.at(-2);
  world.conversations = [
    { ...conversation, unreadCount: 0, readPosition: 1_000, lastMessage: last ?? null },
    ...world.conversations.slice(1),
  ];
  world.composing = [];
}

function open(look: Parameters<ScriptedWindows['openFirst']>[1]): Promise<{ page: Page }> {
  return windows.openFirst('talking', look);
}

/** A font that sets marks one above the other, as those of the systems do. */
async function useHeapingFont(page: Page): Promise<void> {
  const { resolve } = createRequire(import.meta.url);
  const faces = await Promise.all(
    ['vietnamese', 'latin'].map(async (part) => {
      const name = `@fontsource-variable/noto-sans/files/noto-sans-${part}-wght-normal.woff2`;
      const font = await readFile(resolve(name), 'base64');
      return `@font-face { font-family: ${part}; font-weight: 100 900; src: url(data:font/woff2;base64,${font}) }`;
    }),
  );
  await page.addStyleTag({ content: `${faces.join('')} :root { --font: vietnamese, latin }` });
  await page.evaluate(() =>
    Promise.all(
      ['vietnamese', 'latin'].flatMap((name) =>
        [400, 600].map((weight) => document.fonts.load(`${weight} 15px ${name}`)),
      ),
    ),
  );
  await painted(page);
}

it('markup and scripts are letters, in the thread, in the list, in names and as names of files', async () => {
  const markup = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>&lt;b&gt;`;
  const { page } = await open({
    change: (world) => {
      send(world, { text: markup }, { text: markup, file: sampleFile({ name: markup }) });
      world.conversations = world.conversations.map((each) => ({ ...each, peerName: markup }));
    },
  });
  await page.locator('[data-id] p').getByText(markup).waitFor();
  await page.locator('.card').getByText(markup).waitFor();
  await page.locator('h1').getByText(markup).waitFor();
  expect(await page.locator('nav .name').first().innerText()).toBe(markup);
  expect(await page.locator('#app :is(img, script, b)').count()).toBe(0);
  expect(await page.title()).not.toContain('owned');
  expect(await tooWide(page)).toEqual([]);
});

it('signs that turn the direction turn nothing beside the text and the name that have them', async () => {
  const { page } = await open({
    change: (world) => {
      send(world, { text: `${rightToLeftOverride}turned` });
      world.conversations = world.conversations.map((each) => ({
        ...each,
        peerName: `Tom ${rightToLeftOverride}rebeW`,
      }));
    },
  });
  await page.getByText('turned').first().waitFor();
  // What stands behind a name in the same line is where it would be without: name, then time.
  const row = page.locator('nav li button').first();
  const [name, time] = [await row.locator('.name').boundingBox(), await row.locator('time').boundingBox()];
  expect(name!.x + name!.width).toBeLessThanOrEqual(time!.x);
  const strip = await page.locator('.strip').innerText();
  expect(strip).toContain('direct');
  // Left to right from its first letter to its last.
  const order = await page.locator('.strip').evaluate((element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const lefts: number[] = [];
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const at = (node.textContent ?? '').indexOf('direct');
      if (at < 0) continue;
      for (let letter = at; letter < at + 'direct'.length; letter += 1) {
        const range = document.createRange();
        range.setStart(node, letter);
        range.setEnd(node, letter + 1);
        lefts.push(range.getBoundingClientRect().left);
      }
    }
    return lefts;
  });
  expect(order.length).toBeGreaterThan(5);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

it('letters under heaps of marks stay in their bubble and their row', async () => {
  const { page } = await open({
    bypassCSP: true,
    change: (world) => {
      send(world, { text: zalgo });
      world.conversations = world.conversations.map((each, nth) =>
        nth === 0 ? { ...each, peerName: zalgo } : each,
      );
    },
  });
  const bubble = page.locator('[data-id="bad-1"]');
  await bubble.waitFor();
  await useHeapingFont(page);
  const around = ['[data-id="bad-0"] .bubble', '[data-id="bad-2"] .bubble', '.account', '.who p', '.strip'];
  const picturesOf = async (): Promise<PNG[]> => {
    const pictures: PNG[] = [];
    for (const name of around) pictures.push(PNG.sync.read(await page.locator(name).first().screenshot()));
    return pictures;
  };
  const withMarks = await picturesOf();
  for (const letters of [bubble.locator('p'), page.locator('nav .name').first(), page.locator('h1 bdi')]) {
    await letters.evaluate((element) => (element.style.visibility = 'hidden'));
  }
  await painted(page);
  for (const [nth, { width, height, data }] of (await picturesOf()).entries()) {
    // Fewer than one letter has: edges may be smoothed otherwise.
    const count = pixelmatch(withMarks[nth]!.data, data, undefined, width, height, { threshold: 0.05 });
    expect(count, around[nth]).toBeLessThan(12);
  }
});

it.each([
  { what: 'the widest window', width: 1240, height: 780 },
  { what: 'the smallest window', width: 720, height: 480 },
])(
  'a hundred thousand letters without a space, and names as long as can be, fit into $what',
  async (look) => {
    const endless = 'w'.repeat(100_000);
    const { page } = await open({
      ...look,
      change: (world) => {
        send(
          world,
          { text: endless },
          { text: 'w'.repeat(9_000) },
          { text: 'file', file: sampleFile({ name: `${'w'.repeat(250)}.pdf` }) },
          {
            text: 'offered',
            file: sampleFile({ name: `${'v'.repeat(250)}.mov`, state: 'offered', available: false }),
          },
        );
        world.conversations = world.conversations.map((each) => ({
          ...each,
          peerName: 'n'.repeat(200),
          peerAddress: `${'a'.repeat(200)}@chat.home.arpa`,
          ...(each.lastMessage === null ? {} : { lastMessage: { ...each.lastMessage, text: endless } }),
        }));
      },
    });
    await page.locator('.card').first().waitFor();
    await painted(page);
    expect(await tooWide(page)).toEqual([]);
    await page.getByRole('button', { name: 'Show everything' }).first().scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Show everything' }).first().click();
    await painted(page);
    expect(await tooWide(page)).toEqual([]);
    await page.keyboard.press('Control+i');
    await page.getByRole('complementary', { name: 'Details' }).waitFor();
    expect(await tooWide(page)).toEqual([]);
  },
);

it('a picture that is none, or is a line, takes no more room than one may', async () => {
  const line = Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="2" height="60000"><script>document.title='owned'</script></svg>`,
  ).toString('base64');
  const { page } = await open({
    change: (world) => {
      const offered = { state: 'offered', available: false, type: 'image/png' } as const;
      send(
        world,
        { text: 'broken', file: sampleFile({ ...offered, name: 'broken.png', preview: 'AAAA' }) },
        { text: 'line', file: sampleFile({ ...offered, name: 'line.png', preview: line }) },
      );
    },
  });
  await page.locator('.card').nth(1).waitFor();
  await painted(page);
  for (const card of await page.locator('.card').all()) {
    expect((await card.boundingBox())!.height).toBeLessThan(480);
  }
  expect(await page.title()).not.toContain('owned');
  expect(await tooWide(page)).toEqual([]);
});
