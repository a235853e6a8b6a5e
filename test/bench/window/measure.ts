/**
 * Owns: how the window behaves over a long history, in a real browser: start, opening conversations, scrolling, typing
 * while a file runs, memory, and how long the program behind it is held up meanwhile.
 * Called by: ../main.ts. Calls: the browser host as a process, playwright-core, history/generate.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { introduce, startPlayer, startServer } from '../../../main/hosts/headless/flow-conversation.ts';
import { openHistoryKey } from '../../../main/messenger/history/history-key.ts';
import { historyOf } from '../../../main/messenger/profile.ts';
import { filePermissionSecrets } from '../../../main/messenger/secrets.ts';
import { openDatabase } from '../../../main/store/database.ts';
import { messengerMigrations } from '../../../main/store/migrations/messenger.ts';
import { Corpus } from '../history/corpus.ts';
import { generate } from '../history/generate.ts';
import { summarise, type Figure, type Summary } from '../summary.ts';
import { emptyPage, keyTimes, noteAnswers, openConversation, scrollUp, watchKeys } from './in-page.ts';
import { typeSearches } from './search-typing.ts';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** As "npm start" starts it. */
const HOST = fileURLToPath(new URL('../../../out/hosts/browser/main.js', import.meta.url));
const DELAYS = new URL('loop-delay.mjs', import.meta.url).href;
const WINDOW = fileURLToPath(new URL('../../../out/renderer', import.meta.url));
const OPENED = 200;
const FRAMES = 300;
const KEYS = 150;
const KEY_MS = 40;
const VIEW = { viewport: { width: 1240, height: 780 } };
/** Words that are looked for: common ones and rare ones. */
const SEARCHED_RANKS = [0, 3, 10, 25, 60, 100, 200, 300, 700, 1_500, 4_000, 9_000, 12_000, 20_000];
const FILE_BYTES = 5120 * 1024 ** 2;

/** Why this part cannot be measured here, or `undefined`. */
export const windowMissing = !existsSync(CHROMIUM)
  ? 'The window is not measured: there is no Chromium (Debian package chromium)'
  : existsSync(join(WINDOW, 'index.html')) && existsSync(HOST)
    ? undefined
    : 'The window is not measured: it is not built ("npm run build")';

/** The browser host over a profile, with a link to its window. */
export class Host implements AsyncDisposable {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #delays: string;

  private constructor(url: string, process: ChildProcess, delays: string) {
    this.url = url;
    this.#process = process;
    this.#delays = delays;
  }

  static async start(profile: string, delays: string): Promise<Host> {
    const args = ['--import', DELAYS, HOST, '--profile', profile];
    const env = { ...process.env, PARLEY_BENCH_DELAYS: delays };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env });
    for await (const line of createInterface({ input: child.stdout })) {
      const url = /https?:\/\/\S+/.exec(line)?.[0];
      if (url !== undefined) return new Host(url, child, delays);
    }
    throw new Error('the browser host ended before it had a link');
  }

  /** Of its event loop since it was asked last. */
  async delays(): Promise<{ readonly p50: number; readonly p99: number; readonly max: number }> {
    await rm(this.#delays, { force: true });
    this.#process.kill('SIGUSR2');
    while (!existsSync(this.#delays)) await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => setTimeout(done, 50));
    return JSON.parse(await readFile(this.#delays, 'utf8')) as Awaited<ReturnType<Host['delays']>>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await ended;
  }
}

/** A profile with so many messages. `keep`: where one lies, or is put, that is not to be made again. */
async function fillProfile(profile: string, messages: number, keep: string | undefined): Promise<void> {
  const kept = keep === undefined ? undefined : join(keep, `window-${messages}`);
  const place = kept ?? profile;
  if (!existsSync(join(place, 'made'))) {
    await rm(place, { recursive: true, force: true });
    await mkdir(place, { recursive: true });
    await generate(historyOf(place), messages, await openHistoryKey(place, filePermissionSecrets));
    await writeFile(join(place, 'made'), '');
  }
  if (kept !== undefined) await cp(kept, profile, { recursive: true });
}

/** Bob's profile with so many messages, and Tom as one of his contacts, at a server that runs. */
export async function prepare(folder: string, profile: string, messages: number, keep: string | undefined) {
  await fillProfile(profile, messages, keep);
  const key = await openHistoryKey(profile, filePermissionSecrets);
  const { program, sip } = await startServer(folder, { bob: 'bench-bob', tom: 'bench-tom' });
  const uri = sip.find((one) => one.endsWith('transport=tcp')) ?? '';
  const tom = await startPlayer(folder, 'tom', 'bench-tom', uri, [
    '--set',
    `files.autoAcceptBytes=${FILE_BYTES}`,
  ]);
  let account: string;
  {
    await using bob = await startPlayer(folder, 'bob', 'bench-bob', uri);
    account = bob.account.id;
    await introduce(bob, tom);
  }
  const database = await openDatabase(historyOf(profile), messengerMigrations, undefined, key);
  database.prepare("UPDATE conversations SET account_id = ? WHERE account_id = 'bench'").run(account);
  database.close();
  return { program, tom };
}

/** Gzip bytes of the code that the window loads at its start. */
async function bundleBytes(): Promise<number> {
  const folder = join(WINDOW, 'assets');
  const scripts = (await readdir(folder)).filter((name) => /\.(?:js|css)$/.test(name));
  const html = await readFile(join(WINDOW, 'index.html'), 'utf8');
  let bytes = 0;
  for (const name of scripts) {
    if (html.includes(name)) bytes += gzipSync(await readFile(join(folder, name))).length;
  }
  return bytes;
}

async function heapBytes(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  await session.send('Performance.enable');
  const { metrics } = await session.send('Performance.getMetrics');
  // What follows is measured without anybody who looks on.
  await session.detach();
  return metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? NaN;
}

/** Types into the field of a page; ms from each key to the frame that shows it. */
async function typeInto(page: Page): Promise<Summary> {
  await page.bringToFront();
  await page.evaluate(watchKeys);
  await page.getByRole('textbox', { name: /^Message to/ }).focus();
  for (let key = 0; key < KEYS; key += 1) {
    await page.keyboard.press('abcdefgh '.charAt(key % 9));
    await page.waitForTimeout(KEY_MS);
  }
  return summarise(await page.evaluate(keyTimes));
}

export function launchChromium(...more: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
      ...more,
    ],
  });
}

async function warnIfOver(page: Page): Promise<void> {
  const isRunning = (await page.locator('progress, [role=progressbar]').count()) > 0;
  if (!isRunning) process.stderr.write('  The file was through before the typing was.\n');
}

/** The same in a browser that paints at once and not with the next beat of a display of 60 Hz: what the work takes. */
async function typeWithoutClock(from: BrowserContext, url: string): Promise<Summary> {
  const browser = await launchChromium('--disable-frame-rate-limit', '--disable-gpu-vsync');
  try {
    const context = await browser.newContext({ ...VIEW, storageState: await from.storageState() });
    const page = await context.newPage();
    await page.goto(new URL('/', url).href);
    await page.locator('nav li button', { hasText: 'Tom' }).first().click();
    await page.getByRole('textbox', { name: /^Message to/ }).waitFor();
    const keys = await typeInto(page);
    await warnIfOver(page);
    return keys;
  } finally {
    await browser.close();
  }
}

/** All figures of the window over a history of so many messages. */
export async function measureWindow(folder: string, messages: number, keep?: string): Promise<Figure[]> {
  // The players' profiles lie beside each other, by their names.
  const profile = join(folder, 'bob');
  const { program, tom } = await prepare(folder, profile, messages, keep);
  await using _server = program;
  await using _tom = tom;
  const browser = await launchChromium();
  try {
    const page = await browser.newPage(VIEW);
    await page.addInitScript(noteAnswers);
    const began = performance.now();
    await using host = await Host.start(profile, join(folder, 'delays.json'));
    const linked = performance.now();
    await page.goto(host.url);
    await page.locator('nav li button').first().waitFor();
    const shown = performance.now();
    await host.delays();

    const opened: number[] = [];
    for (let nth = 0; nth < OPENED; nth += 1) opened.push(await page.evaluate(openConversation, nth));
    const heap = await heapBytes(page);

    // The conversation with most messages.
    await page.evaluate(openConversation, 1);
    await page.waitForTimeout(500);
    const frames = await page.evaluate(scrollUp, FRAMES);
    const browsing = await host.delays();
    const corpus = new Corpus();
    const searches = await typeSearches(
      page,
      SEARCHED_RANKS.map((rank) => corpus.word(rank)),
    );

    const file = join(folder, 'large.bin');
    await writeFile(file, '');
    await truncate(file, FILE_BYTES);
    await page.locator('nav li button', { hasText: 'Tom' }).first().click();
    await page.getByRole('textbox', { name: /^Message to/ }).waitFor();
    await page.locator('input[type=file]').setInputFiles(file);
    const field = await browser.newPage(VIEW);
    await field.setContent(emptyPage);
    await page.bringToFront();
    // Only then it moves: before, it is handed in and read for its hashes.
    await page
      .getByText(/ left$/)
      .first()
      .waitFor({ timeout: 200_000 });
    // He would sit at a machine of his own: here he has what is left of this one.
    setPriority(tom.program.process.pid ?? 0, constants.priority.PRIORITY_LOW);
    await host.delays();
    const keys = await typeInto(page);
    const carrying = await host.delays();
    const raw = await typeInto(field);
    await warnIfOver(page);
    const unclocked = await typeWithoutClock(page.context(), host.url);
    return figuresOf({
      start: shown - began,
      window: shown - linked,
      opened,
      heap,
      frames,
      keys,
      searches,
      raw,
      unclocked,
    }).concat([
      { name: 'program held up, browsing', unit: 'ms', p50: browsing.p50, p99: browsing.p99 },
      { name: 'program held up, beside a file', unit: 'ms', p50: carrying.p50, p99: carrying.p99 },
      { name: 'code of the window, gzip', unit: 'bytes', p50: await bundleBytes() },
    ]);
  } finally {
    await browser.close();
  }
}

function figuresOf(all: {
  readonly start: number;
  readonly window: number;
  readonly opened: readonly number[];
  readonly heap: number;
  readonly frames: readonly number[];
  readonly keys: Summary;
  readonly searches: Summary;
  /** Of a page with a field and nothing else, beside the same file. */
  readonly raw: Summary;
  /** As `keys`, of a browser that waits for no display. */
  readonly unclocked: Summary;
}): Figure[] {
  const opened = summarise(all.opened.filter((ms) => !Number.isNaN(ms)));
  const frames = summarise(all.frames);
  return [
    { name: 'window: program started to list shown', unit: 'ms', p50: all.start },
    { name: 'window: link opened to list shown', unit: 'ms', p50: all.window },
    { name: 'window: conversation opened to painted', unit: 'ms', p50: opened.p50, p99: opened.p99 },
    { name: 'window: frames while scrolling', unit: 'ms', p50: frames.p50, p99: frames.p99 },
    { name: 'window: longest frame while scrolling', unit: 'ms', p50: Math.max(...all.frames) },
    {
      name: 'window: key to paint beside a file (p50, p95)',
      unit: 'ms',
      p50: all.keys.p50,
      p99: all.keys.p95,
      ratio: { of: 'a bare field, p95', value: all.keys.p95 / all.raw.p95 },
    },
    {
      name: 'window: the same without waiting for a display of 60 Hz (p50, p95)',
      unit: 'ms',
      p50: all.unclocked.p50,
      p99: all.unclocked.p95,
    },
    {
      name: 'window: key to results painted (p50, p95)',
      unit: 'ms',
      p50: all.searches.p50,
      p99: all.searches.p95,
    },
    { name: 'raw: key to paint in a bare field (p50, p95)', unit: 'ms', p50: all.raw.p50, p99: all.raw.p95 },
    { name: `window: heap after ${OPENED} conversations`, unit: 'bytes', p50: all.heap },
  ];
}
