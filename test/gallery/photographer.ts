/**
 * Owns: the pictures of all views in four looks: taking them, keeping them, comparing them.
 * Called by: main.ts (--accept), gallery.e2e.ts. Calls: playwright-core, pngjs, pixelmatch.
 *
 * What could change a picture without a change of ours is fixed: the letters (fonts.css), the clock, the time zone, and
 * movement is off. What is left is the browser: `made-with.json` says which one made them, and holds a hash of each as it
 * came from there, so that what is the same is not compared pixel by pixel.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import pixelmatch from 'pixelmatch';
import type { Browser } from 'playwright-core';
import { PNG } from 'pngjs';
import { encodeIndexed, reduceColours } from './png-file.ts';
import type { Look } from './specimen.ts';

const picturesFolder = join(import.meta.dirname, 'pictures');
const artifacts = resolve(import.meta.dirname, '../.artifacts/views');
const docsFolder = resolve(import.meta.dirname, '../../docs/pictures');
const madeWith = join(picturesFolder, 'made-with.json');

/** All that is said in the views is about this moment, and some days before. */
const now = '2026-11-29T15:00:00Z';

/** A colour that is further off than this, of 1, counts; edges of letters that are smoothed otherwise do not. */
const COLOUR_TOLERANCE = 0.05;
/** As many pixels may differ: less than a letter has. */
const PIXEL_TOLERANCE = 12;

export const looks = {
  light: { width: 1200, height: 600, theme: 'light', language: 'en' },
  dark: { width: 1200, height: 600, theme: 'dark', language: 'en' },
  narrow: { width: 720, height: 480, theme: 'light', language: 'en' },
  'right-to-left': { width: 1200, height: 600, theme: 'light', language: 'ar' },
} as const satisfies Record<string, Look & { width: number; height: number }>;
export type LookName = keyof typeof looks;
export const lookNames = Object.keys(looks) as LookName[];

/** Pictures in docs/ by their names, each a view in a look. */
const docsPictures: Readonly<Record<string, readonly [LookName, string]>> = {
  'conversation-light': ['light', 'thread'],
  'conversation-dark': ['dark', 'thread'],
  welcome: ['light', 'welcome'],
  group: ['light', 'details-group'],
  inspector: ['light', 'inspector'],
  search: ['light', 'search'],
};

/** Takes a picture of each view in this look. `address`: of the site. */
async function* photograph(
  browser: Browser,
  address: string,
  name: LookName,
): AsyncGenerator<{ readonly view: string; readonly shot: Buffer }> {
  const { width, height, ...look } = looks[name];
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: 'reduce',
    colorScheme: look.theme,
    // Of the system, for what is said before the settings are there.
    locale: look.language === 'en' ? 'en-GB' : look.language,
    timezoneId: 'UTC',
  });
  context.setDefaultTimeout(0);
  const page = await context.newPage();
  await page.clock.setFixedTime(now);
  await page.goto(`${address}specimen.html?views`);
  await page.locator('html[data-specimen=ready]').waitFor();
  for (const view of await page.evaluate(() => globalThis.viewNames ?? [])) {
    await page.evaluate(([state, wanted]) => globalThis.showView?.(state, wanted), [view, look] as const);
    yield { view, shot: await page.screenshot() };
  }
  await context.close();
}

function hashOf(shot: Buffer): string {
  return createHash('sha256').update(shot).digest('base64url');
}

function fileOf(look: LookName, view: string): string {
  return join(picturesFolder, look, `${view}.png`);
}

async function write(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}

/** What the views look like now is how they are to look. */
export async function acceptPictures(browser: Browser, address: string): Promise<void> {
  await rm(picturesFolder, { recursive: true, force: true });
  const hashes: Record<string, string> = {};
  for (const look of lookNames) {
    for await (const { view, shot } of photograph(browser, address, look)) {
      await write(fileOf(look, view), encodeIndexed(reduceColours(PNG.sync.read(shot))));
      hashes[`${look}/${view}`] = hashOf(shot);
    }
  }
  await write(madeWith, `${JSON.stringify({ chromium: browser.version(), hashes }, null, 2)}\n`);
}

/** What made the pictures, and the hash of each by look/view. */
interface MadeWith {
  readonly chromium: string;
  readonly hashes: Readonly<Record<string, string>>;
}

async function readMadeWith(): Promise<MadeWith> {
  return JSON.parse(await readFile(madeWith, 'utf8')) as MadeWith;
}

/** The pictures of the documentation, anew. */
export async function writeDocsPictures(browser: Browser, address: string): Promise<void> {
  for (const look of lookNames) {
    const wanted = Object.entries(docsPictures).filter(([, [name]]) => name === look);
    if (wanted.length === 0) continue;
    for await (const { view, shot } of photograph(browser, address, look)) {
      for (const [name] of wanted.filter(([, [, one]]) => one === view)) {
        await write(join(docsFolder, `${name}.png`), encodeIndexed(reduceColours(PNG.sync.read(shot))));
      }
    }
  }
}

async function readPicture(path: string): Promise<PNG | undefined> {
  const content = await readFile(path).catch(() => undefined);
  return content === undefined ? undefined : PNG.sync.read(content);
}

/** Empty, when it is as it was; else what is different, with the pictures of it in test/.artifacts. */
async function compare(look: LookName, view: string, shot: Buffer): Promise<string> {
  const expected = await readPicture(fileOf(look, view));
  const place = join(artifacts, look, view);
  const actual = reduceColours(PNG.sync.read(shot));
  if (expected === undefined) {
    await write(`${place}.actual.png`, encodeIndexed(actual));
    return `${view}: there is no picture of it`;
  }
  const { width, height } = actual;
  if (expected.width !== width || expected.height !== height) return `${view}: it has another size`;
  const diff = new PNG({ width, height });
  const count = pixelmatch(expected.data, actual.data, diff.data, width, height, {
    threshold: COLOUR_TOLERANCE,
  });
  if (count <= PIXEL_TOLERANCE) return '';
  await write(`${place}.expected.png`, encodeIndexed(expected));
  await write(`${place}.actual.png`, encodeIndexed(actual));
  await write(`${place}.diff.png`, PNG.sync.write(diff));
  return `${view}: ${count} pixels differ`;
}

function howToGoOn(chromium: string, present: string): string[] {
  return [
    ...(chromium === present
      ? []
      : [`The pictures were made with Chromium ${chromium}, this is ${present}: it may draw otherwise.`]),
    `Look at the pictures in ${artifacts}: expected, actual, and what differs in red.`,
    'If it is meant to look so: npm run gallery -- --accept',
  ];
}

/** Lines about every view of this look that is not as it was; none: all are. */
export async function comparePictures(browser: Browser, address: string, look: LookName): Promise<string[]> {
  await rm(join(artifacts, look), { recursive: true, force: true });
  const problems: string[] = [];
  const left = new Set(await readdir(join(picturesFolder, look)).catch(() => []));
  const { chromium, hashes } = await readMadeWith();
  const views = new Map<string, string>();
  for await (const { view, shot } of photograph(browser, address, look)) {
    const alike = views.get(hashOf(shot));
    views.set(hashOf(shot), view);
    // What was to be brought about is not on the picture.
    if (alike !== undefined) problems.push(`${view}: it looks like ${alike}`);
    const isKept = left.delete(`${view}.png`);
    if (isKept && hashes[`${look}/${view}`] === hashOf(shot)) continue;
    problems.push(await compare(look, view, shot));
  }
  problems.push(...[...left].map((name) => `${name}: there is no such view any more`));
  const found = problems.filter((line) => line !== '');
  return found.length === 0 ? [] : [...found, ...howToGoOn(chromium, browser.version())];
}
