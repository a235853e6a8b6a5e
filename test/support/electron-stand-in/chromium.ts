/**
 * Owns: the real Chromium under the stand-in, and the addresses of custom schemes in it.
 * Called by: web-contents.ts, application.ts, parts.ts. Calls: playwright-core.
 *
 * Chromium cannot be taught a scheme from outside: `app://parley/x` is `https://parley.app.stand-in.invalid/x` there,
 * and every request to it is answered by the handler that the program gave to `protocol.handle`.
 */
import { chromium, type Browser, type BrowserContext, type Route } from 'playwright-core';
import { TEST_BROWSER } from '../launch-browser.ts';

type SchemeHandler = (request: Request) => Response | Promise<Response>;
/** Without `webContentsId` it is no page that asks. */
interface AskedFor {
  readonly url: string;
  readonly webContentsId?: number;
}
interface RequestListener {
  readonly urls: readonly string[];
  readonly decide: (details: AskedFor, answer: (verdict: { cancel?: boolean }) => void) => void;
}

export const schemeHandlers = new Map<string, SchemeHandler>();
export const requestListeners: RequestListener[] = [];
const SUFFIX = 'stand-in.invalid';

let browser: Browser | undefined;
let context: Promise<BrowserContext> | undefined;

/** The address in Chromium of one in the program. */
export function inChromium(url: string): string {
  const [, scheme = '', host = '', rest = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  return schemeHandlers.has(scheme) ? `https://${host}.${scheme}.${SUFFIX}${rest}` : url;
}

/** The address in the program of one in Chromium. */
export function inProgram(url: string): string {
  const [, host, scheme, rest = ''] =
    /^https:\/\/([^/?#]+)\.([a-z0-9+-]+)\.stand-in\.invalid(.*)$/.exec(url) ?? [];
  return host === undefined || scheme === undefined ? url : `${scheme}://${host}${rest}`;
}

export function openContext(): Promise<BrowserContext> {
  context ??= launch();
  return context;
}

const READER = `https://reader.${SUFFIX}/`;

/** What a page has copied: read by one that may. */
export async function readClipboard(): Promise<string> {
  const page = await (await openContext()).newPage();
  try {
    await page.route(READER, (route) => route.fulfill({ body: '' }));
    await page.context().grantPermissions(['clipboard-read'], { origin: READER });
    await page.goto(READER);
    return await page.evaluate(() => navigator.clipboard.readText());
  } finally {
    await page.close();
  }
}

export async function closeChromium(): Promise<void> {
  await browser?.close();
}

async function launch(): Promise<BrowserContext> {
  // Where a spec wants to use the window as its user does, through Playwright as well.
  const port = process.env['STAND_IN_PORT'];
  browser = await chromium.launch({
    executablePath: TEST_BROWSER,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--no-first-run',
      ...(port === undefined ? [] : [`--remote-debugging-port=${port}`]),
    ],
  });
  const created = await browser.newContext({ viewport: null, locale: 'en-GB' });
  await created.route('**/*', (route) => answer(route));
  return created;
}

/** Asks the program's listeners. False: one of them has cancelled it. */
export function decideRequest(details: AskedFor): boolean {
  let isAllowed = true;
  for (const { urls, decide } of requestListeners) {
    if (!urls.some((pattern) => details.url.startsWith(pattern.slice(0, pattern.indexOf('*'))))) continue;
    decide(details, ({ cancel }) => {
      if (cancel === true) isAllowed = false;
    });
  }
  return isAllowed;
}

async function answer(route: Route): Promise<void> {
  const request = route.request();
  const url = inProgram(request.url());
  const handler = schemeHandlers.get(new URL(url).protocol.slice(0, -1));
  if (handler === undefined) {
    decideRequest({ url, webContentsId: 1 });
    // Whatever the program decided: tests never leave this computer.
    await route.abort('blockedbyclient');
    return;
  }
  const response = await handler(new Request(url, { method: request.method(), headers: request.headers() }));
  await route.fulfill({
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: Buffer.from(await response.arrayBuffer()),
  });
}
