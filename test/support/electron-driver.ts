/**
 * Owns: the desktop program under test, on the real Electron or on the stand-in, with one face.
 * Called by: test/e2e, desk-program.ts, installed-program.ts. Calls: playwright-core, electron-stand-in/register.ts.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type * as Electron from 'electron';
import { _electron, chromium, type Page } from 'playwright-core';
import { keptPort } from './free-port.ts';
import { TEST_BROWSER } from './launch-browser.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'out/hosts/electron/main.js');
const REGISTER = new URL('./electron-stand-in/register.ts', import.meta.url).href;
const ANSWER_LIMIT_MS = 20_000;
/** The keyring of whoever runs the tests: it outlives a program. */
const KEYRING = randomBytes(32).toString('hex');

export interface ElectronDriver {
  /** Runs a function inside the main process; it may use nothing but its arguments. */
  main<Result, Argument>(
    run: (electron: typeof Electron, argument: Argument) => Result | Promise<Result>,
    argument: Argument,
  ): Promise<Result>;
  /** Evaluates an expression in the world of the window's page. */
  page<Result>(expression: string): Promise<Result>;
  /** The window, to be used as its user does. */
  window(): Promise<Page>;
  /** Asks the program to quit; resolves with its exit code. */
  quit(): Promise<number | null>;
}

/** The real binary, or undefined where it was not fetched. */
export function findElectronBinary(): string | undefined {
  const folder = join(ROOT, 'node_modules/electron');
  try {
    const path = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8'));
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Starts the built program on the real Electron. */
export async function launchElectron(
  binary: string,
  profile: string,
  files: readonly string[] = [],
): Promise<ElectronDriver> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const program = await _electron.launch({
    executablePath: binary,
    args: [...sandbox, '--lang=en-GB', ROOT, '--profile', profile, ...files],
  });
  await program.firstWindow();
  const main: ElectronDriver['main'] = (run, argument) =>
    program.evaluate(run as never, argument) as ReturnType<typeof run> as never;
  return withPage({
    main,
    window: () => program.firstWindow(),
    quit: async () => {
      const child = program.process();
      await program.close();
      return child.exitCode;
    },
  });
}

/** Starts the built program on the stand-in, until its window is there. `main`: another one than that of this tree. */
export async function launchStandIn(
  profile: string,
  files: readonly string[] = [],
  main = MAIN,
): Promise<ElectronDriver> {
  const driver = startStandIn(profile, files, main, await keptPort());
  await waitForPage(driver);
  return driver;
}

/** The same, with or without a window. `port`: where Chromium lets others in, for `window()`. */
export function startStandIn(
  profile: string,
  files: readonly string[] = [],
  main = MAIN,
  port?: number,
): ElectronDriver {
  const child = spawn(process.execPath, ['--import', REGISTER, main, '--profile', profile, ...files], {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      STAND_IN_KEYRING: KEYRING,
      ...(port === undefined ? {} : { STAND_IN_PORT: String(port) }),
    },
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const ended = new Promise<number | null>((done) => child.once('exit', done));
  void ended.then(() => {
    for (const question of waiting.values()) question.reject(new Error(`the program has ended\n${errors}`));
  });
  child.on('message', (message: object) => {
    const { id, value, error } = message as { id: number; value?: unknown; error?: string };
    if (error === undefined) waiting.get(id)?.resolve(value);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  let lastId = 0;
  const inMain: ElectronDriver['main'] = (run, argument) => {
    if (!child.connected) return Promise.reject(new Error(`the program has ended\n${errors}`));
    const question = Promise.withResolvers<unknown>();
    lastId += 1;
    waiting.set(lastId, question);
    child.send({ id: lastId, source: run.toString(), argument });
    return question.promise as ReturnType<typeof run> as never;
  };
  return withPage({
    main: inMain,
    window: async () => {
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
      const pages = browser.contexts().flatMap((context) => context.pages());
      const window = pages.find((page) => page.url().includes('.stand-in.invalid'));
      if (window === undefined) throw new Error('there is no window');
      return window;
    },
    quit: async () => {
      // It may have ended by itself.
      if (child.connected) child.send({ id: 0, source: '({ app }) => app.quit()', argument: null });
      return ended;
    },
  });
}

function withPage(driver: Omit<ElectronDriver, 'page'>): ElectronDriver {
  const { main } = driver;
  return {
    ...driver,
    page: <Result>(expression: string) =>
      main(({ BrowserWindow }, code) => {
        const [window] = BrowserWindow.getAllWindows();
        if (window === undefined) throw new Error('there is no window');
        return window.webContents.executeJavaScript(code) as Promise<Result>;
      }, expression),
  };
}

async function waitForPage(driver: ElectronDriver): Promise<void> {
  const deadline = Date.now() + ANSWER_LIMIT_MS;
  for (;;) {
    try {
      // An empty page is complete as well.
      if (await driver.page<boolean>("document.readyState === 'complete' && window.parley !== undefined"))
        return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** An expression for a page: the answer of a call, or the reason why there is none. */
export const callInPage = (name: string, input: unknown = {}) =>
  `window.parley.invoke(${JSON.stringify(name)}, ${JSON.stringify(input)}).catch((error) => 'refused: ' + error.message)`;

const binary = findElectronBinary();

/** The stand-in, and the real one where it is. */
export const electronHosts = [
  {
    name: 'stand-in (an emulation)',
    missing: existsSync(TEST_BROWSER) ? undefined : `there is no ${TEST_BROWSER} (CHROMIUM names another)`,
    launch: (profile: string, files?: readonly string[]) => launchStandIn(profile, files),
  },
  {
    name: 'real Electron',
    missing: binary === undefined ? 'its binary was not fetched (npm start does)' : undefined,
    launch: (profile: string, files?: readonly string[]) => launchElectron(binary ?? '', profile, files),
  },
];
