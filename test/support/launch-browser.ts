/** Owns: starting the browser of the system, for tests. Called by: browser specs, the gallery. Calls: playwright-core. */
import { chromium, type Browser } from 'playwright-core';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
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
