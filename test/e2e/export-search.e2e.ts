import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import type { Store } from '../../main/store/store.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { openFilledHistory } from '../support/filled-history.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';

/** An exported folder, opened from the disk in a browser: every message of every conversation is found from its first page. */
let browser: Browser;
let folder: string;
let store: Store;

beforeAll(async () => {
  browser = await borrowBrowser();
  folder = await mkdtemp(join(tmpdir(), 'parley-pages-'));
  store = await openFilledHistory(folder);
  const conversationId = 'with-zoe' as ConversationId;
  const messages = Array.from({ length: 1_200 }, (_, nth) => ({
    conversationId,
    direction: 'in' as const,
    wireId: `more-${nth}`,
    text: nth === 700 ? 'Das Ölfaß am Café im Überseehafen' : `wörd${nth % 7} und 天気予報 ${nth}`,
    sentAtMs: 1_750_000_000_000 + nth * 60_000,
    storedAtMs: 1_750_000_000_000 + nth * 60_000,
    state: 'read' as const,
    displayReportWanted: false,
  }));
  await store.call('importMessages', messages);
});

afterAll(async () => {
  await returnBrowser(browser);
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function openPages(
  name: string,
  more = {},
): Promise<{ page: Page; complaints: string[]; out: string }> {
  const out = join(folder, name);
  await exportHistory({ store, folder: out, format: 'html', program: 'test', ...more });
  expect((await verifyExport(out)).problems).toEqual([]);
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(pathToFileURL(join(out, 'index.html')).href);
  return { page, complaints, out };
}

/** To the end. Returns what is said then. */
async function searchOn(page: Page): Promise<string> {
  const said = page.getByRole('status');
  for (;;) {
    const before = await said.innerText();
    if (!before.endsWith('so far')) return before;
    await page.getByRole('button', { name: 'Search on' }).click();
    await expect.poll(() => said.innerText()).not.toMatch(new RegExp(`^${before}$|Searching`));
  }
}

it('finds words, beginnings, accents and scripts without spaces in all pages, and leads to the message', async () => {
  const { page, complaints } = await openPages('all');
  const field = page.getByRole('searchbox', { name: 'Search all conversations' });
  const said = page.getByRole('status');
  const found = page.locator('#found li');
  const seek = async (text: string, words: string): Promise<void> => {
    await field.fill(text);
    await said.filter({ hasText: words }).waitFor();
  };
  await seek('uberseeh olfass', '1 found');
  expect(await found.innerText()).toContain('Das Ölfaß am Café');
  await seek('気予', 'found so far');
  expect(await searchOn(page)).toBe('1199 found');
  // Newest first.
  expect(await found.first().innerText()).toContain('予報 1199');
  await seek('number 299', '3 found');
  await seek('numbers', 'Nothing found');
  // Whatever was written is shown as text.
  await seek('alert(1)', '3 found');
  expect(await found.first().innerText()).toContain('<script>alert(1)</script>');
  await seek('plan', '1 found');
  await found.getByRole('link').click();
  await page.getByRole('link', { name: 'All conversations' }).waitFor();
  expect(await page.locator(':target').innerText()).toContain('plan.txt');
  await page.getByRole('link', { name: 'All conversations' }).click();
  await page.getByText('ana (ana@example.org)').waitFor();
  expect(complaints).toEqual([]);
  await page.close();
});

it('an export that was stopped has, when it is finished, each message in its search once', async () => {
  const stop = new AbortController();
  const stopped = exportHistory({
    store,
    folder: join(folder, 'again'),
    format: 'html',
    program: 'test',
    signal: stop.signal,
    receiveProgress: ({ messages }) => {
      if (messages >= 1_200) stop.abort(new Error('stopped by the test'));
    },
  });
  await expect(stopped).rejects.toThrow('stopped by the test');
  const { page, complaints } = await openPages('again');
  await page.getByRole('searchbox').fill('天');
  await page.getByRole('status').filter({ hasText: 'found so far' }).waitFor();
  expect(await searchOn(page)).toBe('1202 found');
  expect(complaints).toEqual([]);
  await page.close();
});

it('what a search has found is a folder of the same kind', async () => {
  const { page, complaints } = await openPages('found', { search: 'Überseehafen' });
  await page.getByText('zoe (zoe@example.org)').waitFor();
  expect(await page.getByText('ana (ana@example.org)').count()).toBe(0);
  await page.getByRole('searchbox').fill('cafe');
  await page.getByRole('status').filter({ hasText: '1 found' }).waitFor();
  expect(complaints).toEqual([]);
  await page.close();
});

it('is readable in the dark: axe-core finds nothing on the first page and on that of a conversation', async () => {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  const { page } = await openPages('dark');
  await page.emulateMedia({ colorScheme: 'dark' });
  const found = async (): Promise<string[]> => {
    await page.evaluate(axe);
    return page.evaluate(async () => {
      const { axe: tool } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
      const { violations } = await tool.run();
      return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
    });
  };
  expect(await found()).toEqual([]);
  await page.locator('#all a').first().click();
  await page.locator('.m.out').first().waitFor();
  expect(await found()).toEqual([]);
});
