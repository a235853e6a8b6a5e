/** Owns: the browser of the system for tests: which one, and starting it. Called by: browser specs, the stand-in, the gallery. Calls: playwright-core. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
/** The same without windows of its own. */
const HEADLESS = '/usr/bin/chromium-headless-shell';

/** The browser of the tests; `CHROMIUM` names another. */
export const TEST_BROWSER = process.env['CHROMIUM'] ?? (existsSync(HEADLESS) ? HEADLESS : CHROMIUM);

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: TEST_BROWSER,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      // As the one with windows draws letters by itself.
      '--font-render-hinting=slight',
    ],
  });
}

let shared: Promise<Browser> | undefined;

/** The browser of this process, which specs use one after the other; it ends with the process. */
export async function borrowBrowser(): Promise<Browser> {
  const browser = await (shared ??= launchBrowser());
  // One that has crashed is not handed out again.
  if (browser.isConnected()) return browser;
  shared = launchBrowser();
  return shared;
}

/** Closes what was opened in it, for the next spec. */
export async function returnBrowser(browser: Browser): Promise<void> {
  await Promise.all(browser.contexts().map((context) => context.close()));
}
