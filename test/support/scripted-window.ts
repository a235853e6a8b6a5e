/**
 * Owns: what every spec of the window over a scripted backend begins with: a browser, pages in any look, and a look at
 * their consoles behind each test. Called by: test/e2e. Calls: launch-browser.ts, scripted-backend.ts, window-desk.ts.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest';
import type { ScenarioName } from '../renderer/support/scenarios.ts';
import type { World } from '../renderer/support/memory-backend.ts';
import { borrowBrowser, returnBrowser } from './launch-browser.ts';
import { ScriptedBackend } from './scripted-backend.ts';
import { buildWindow } from './built-window.ts';

export interface Look {
  readonly width?: number;
  readonly height?: number;
  readonly language?: 'en' | 'de' | 'zh' | 'ar';
  readonly forcedColors?: 'active';
  readonly contrast?: 'more';
  readonly dark?: boolean;
  /** A test puts a style of its own into the page. */
  readonly bypassCSP?: true;
  /** What is different from the scenario, before the window asks for it. */
  readonly change?: (world: World) => unknown;
}

/** The windows of a spec; made once, at the top of its file. */
export class ScriptedWindows {
  /** Errors of all consoles; a test that brings one about takes it out. */
  readonly complaints: string[] = [];
  #browser: Browser | undefined;

  constructor() {
    beforeAll(async () => {
      await buildWindow();
      this.#browser = await borrowBrowser();
    });
    afterAll(async () => {
      if (this.#browser !== undefined) await returnBrowser(this.#browser);
    });
    afterEach(() => {
      expect(this.complaints.splice(0), 'errors in the console').toEqual([]);
    });
  }

  /** Closed with the test. */
  async open(
    scenario: ScenarioName,
    { width = 1240, height = 780, language, dark, change, ...media }: Look = {},
  ): Promise<{ page: Page; server: ScriptedBackend }> {
    if (this.#browser === undefined) throw new Error('the browser is not open yet');
    const server = new ScriptedBackend(scenario);
    const { world } = server.backend;
    if (language !== undefined) world.settings = { ...world.settings, 'appearance.language': language };
    change?.(world);
    const address = await server.listen();
    const page = await this.#browser.newPage({
      viewport: { width, height },
      reducedMotion: 'reduce',
      colorScheme: dark === true ? 'dark' : 'light',
      locale: 'en-GB',
      ...media,
    });
    // As patient as the test is.
    page.setDefaultTimeout(0);
    onTestFinished(async () => {
      await page.close();
      await server.close();
    });
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    await page.goto(address);
    return { page, server };
  }

  /** The same, with its first conversation open. */
  async openFirst(scenario: ScenarioName, look: Look = {}): Promise<{ page: Page; server: ScriptedBackend }> {
    const opened = await this.open(scenario, look);
    await openFirst(opened.page);
    return opened;
  }
}

export async function openFirst(page: Page): Promise<void> {
  await page.locator('nav [data-place] button').first().click();
}

/** Resolves when what was done has been laid out and painted: scrolling is told in one frame, what follows in the next. */
export function painted(page: Page): Promise<void> {
  return page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
  });
}

/** What stands out of the window on a side, as the beginnings of its markup. */
export function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('body *')]
      .filter((element) => element.closest('.visually-hidden, .clipped, textarea, svg') === null)
      .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 0 && (left < -1 || right > window.innerWidth + 1);
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );
}
