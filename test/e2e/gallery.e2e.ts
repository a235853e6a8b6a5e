import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparePictures, lookNames } from '../gallery/photographer.ts';
import { serveGallery, type Site } from '../gallery/site.ts';
import { borrowBrowser, returnBrowser } from '../support/launch-browser.ts';

let browser: Browser;
let site: Site;

beforeAll(async () => {
  // By a program of its own: in this one NODE_ENV says "test", and that would build it for developers.
  await promisify(execFile)(
    process.execPath,
    [resolve(import.meta.dirname, '../gallery/main.ts'), '--build'],
    { env: { ...process.env, NODE_ENV: 'production' } },
  );
  site = await serveGallery();
  browser = await borrowBrowser();
});

afterAll(async () => {
  await returnBrowser(browser);
  await site.close();
});

describe('the gallery', () => {
  it('has every component of renderer/, and each of its states can be seen and goes away again', async () => {
    const page = await browser.newPage();
    // As long as the test may take.
    page.setDefaultTimeout(0);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${site.address}specimen.html?every`);
    await page.locator('html[data-specimen]').waitFor();
    expect(await page.locator('#app').innerText()).toBe('');
    expect(complaints).toEqual([]);
  });

  it.each(lookNames)('has all views look as in the pictures that are kept: %s', async (look) => {
    expect((await comparePictures(browser, site.address, look)).join('\n')).toBe('');
  });
});
