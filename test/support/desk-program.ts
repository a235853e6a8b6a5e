/**
 * Owns: the program at a desk, with its window: in this process behind a page of a browser, or the built desktop program.
 * Called by: window-desk.ts, desks.ts. Calls: hosts/app, browser/web-host, electron-driver.ts, playwright-core.
 */
import { existsSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { CallInput, CallName, CallOutput } from '../../shared/ipc/contract.ts';
import { silentLog } from '../../main/base/log.ts';
import { App, type AppOptions } from '../../main/hosts/app.ts';
import { WebHost } from '../../main/hosts/browser/web-host.ts';
import { serviceOf } from '../../main/hosts/shown-files.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { builtWindow } from './built-window.ts';
import { callInPage, type ElectronDriver } from './electron-driver.ts';

/** How a window looks when it opens. */
export interface WindowLook {
  readonly width: number;
  readonly height: number;
  readonly dark: boolean;
}

export interface DeskProgram {
  start(): Promise<void>;
  /** Its window, with nothing in it yet. */
  openWindow(look: WindowLook): Promise<Page>;
  /** Shows what the program has to show now. */
  load(page: Page): Promise<void>;
  call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>>;
  /** What its user has copied. */
  copied(page: Page): Promise<string>;
  /** `save`: what its user does in the window; he chooses `path`, which is there then. Resolves with the name he is offered. */
  saveAs(page: Page, save: () => Promise<void>, path: string): Promise<string>;
  /** The window first, as a user does it: a program that has gone is another spec's business. */
  close(): Promise<void>;
  /** Nothing is left of it. */
  leave(): Promise<void>;
}

/** How a program in a browser differs from others. */
export type ProgramOptions = Pick<AppOptions, 'tap' | 'ca' | 'limits' | 'set'>;

/** The browser host, in this process. */
export class BrowserDeskProgram implements DeskProgram {
  readonly #browser: Browser;
  readonly #profile: string;
  readonly #options: ProgramOptions;
  #context: BrowserContext | undefined;
  #app: App | undefined;
  #web: WebHost | undefined;
  #page: Page | undefined;

  constructor(browser: Browser, profile: string, options: ProgramOptions = {}) {
    this.#browser = browser;
    this.#profile = profile;
    this.#options = options;
  }

  get web(): WebHost {
    if (this.#web === undefined) throw new Error('this program is closed');
    return this.#web;
  }

  async start(): Promise<void> {
    this.#app = await App.open({
      profile: this.#profile,
      host: 'browser',
      secrets: filePermissionSecrets,
      log: silentLog,
      ...this.#options,
    });
    this.#web = await WebHost.start({
      api: this.#app.api,
      log: silentLog,
      rendererFolder: builtWindow,
      files: serviceOf(this.#app.messenger.transfers),
    });
  }

  async openWindow({ width, height, dark }: WindowLook): Promise<Page> {
    this.#context ??= await this.#browser.newContext({
      viewport: { width, height },
      reducedMotion: 'reduce',
      colorScheme: dark ? 'dark' : 'light',
      locale: 'en-GB',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    // As patient as the test is.
    this.#context.setDefaultTimeout(0);
    this.#page = await this.#context.newPage();
    return this.#page;
  }

  async load(page: Page): Promise<void> {
    await page.goto(this.web.issueUrl());
  }

  async call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.#app?.api.receiveCall({ id: 1, call: name, input });
    if (!answer?.ok) throw new Error(`${name}: ${answer?.message ?? 'closed'}`);
    return answer.value as CallOutput<Name>;
  }

  copied(page: Page): Promise<string> {
    return page.evaluate(() => navigator.clipboard.readText());
  }

  async saveAs(page: Page, save: () => Promise<void>, path: string): Promise<string> {
    const [download] = await Promise.all([page.waitForEvent('download'), save()]);
    await download.saveAs(path);
    return download.suggestedFilename();
  }

  async close(): Promise<void> {
    await this.#page?.close();
    await this.#web?.[Symbol.asyncDispose]();
    await this.#app?.[Symbol.asyncDispose]();
    this.#page = this.#web = this.#app = undefined;
  }

  async leave(): Promise<void> {
    await this.#context?.close();
  }
}

/** The built desktop program, on the real Electron or on the stand-in. */
export class DesktopDeskProgram implements DeskProgram {
  readonly #launch: (profile: string) => Promise<ElectronDriver>;
  readonly #profile: string;
  #driver: ElectronDriver | undefined;

  constructor(launch: (profile: string) => Promise<ElectronDriver>, profile: string) {
    this.#launch = launch;
    this.#profile = profile;
  }

  async start(): Promise<void> {
    const driver = await this.#launch(this.#profile);
    this.#driver = driver;
    // The window is there before the history is open.
    await expect.poll(() => driver.page(callInPage('account.list'))).toMatchObject({ ok: true });
  }

  async openWindow({ width, height, dark }: WindowLook): Promise<Page> {
    const page = await this.#running.window();
    page.setDefaultTimeout(0);
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ reducedMotion: 'reduce', colorScheme: dark ? 'dark' : 'light' });
    return page;
  }

  async load(page: Page): Promise<void> {
    await page.reload();
    // The program hears of the new page by a way of its own: until then its calls would go to the one that has gone.
    const began = await page.evaluate(() => performance.timeOrigin);
    await expect.poll(() => this.#running.page('performance.timeOrigin')).toBe(began);
  }

  async call<Name extends CallName>(name: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.#running.page<{ ok: boolean; value: unknown; message?: string } | string>(
      callInPage(name, input),
    );
    if (typeof answer === 'string' || !answer.ok)
      throw new Error(`${name}: ${typeof answer === 'string' ? answer : answer.message}`);
    return answer.value as CallOutput<Name>;
  }

  /** A page may write to the clipboard and not read it; the program may. */
  copied(): Promise<string> {
    return this.#running.main(({ clipboard }) => clipboard.readText(), null);
  }

  async saveAs(_page: Page, save: () => Promise<void>, path: string): Promise<string> {
    await this.#running.main(({ dialog }, filePath) => {
      dialog.showSaveDialog = (...args: unknown[]) => {
        const { defaultPath } = args.at(-1) as Electron.SaveDialogOptions;
        Object.assign(globalThis, { offered: defaultPath });
        return Promise.resolve({ canceled: false, filePath });
      };
    }, path);
    await save();
    await expect.poll(() => existsSync(path)).toBe(true);
    return this.#running.main(() => (globalThis as unknown as { offered: string }).offered, null);
  }

  async close(): Promise<void> {
    const driver = this.#driver;
    this.#driver = undefined;
    await driver?.quit();
  }

  leave(): Promise<void> {
    return Promise.resolve();
  }

  get #running(): ElectronDriver {
    if (this.#driver === undefined) throw new Error('this program is closed');
    return this.#driver;
  }
}
