/**
 * Owns: one page with its isolated preload world. Called by: browser-window.ts. Calls: chromium.ts, over CDP.
 *
 * Emulated: IPC (JSON instead of structured clone), context bridge (an object of functions), will-navigate of the
 * main frame, denied pop-ups, permissions. Not there: frames with preloads, redirects, webviews, downloads.
 */
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import type { WebPreferences } from 'electron';
import type { CDPSession, Page } from 'playwright-core';
import { inChromium, inProgram, openContext } from './chromium.ts';
import { nativeTheme } from './native-theme.ts';
import { ipcMain, permissionHandlers, session } from './parts.ts';

const WORLD = 'Electron Isolated Context';
const source = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

/** Permissions as CDP and as Electron call them. */
const PERMISSIONS = {
  geolocation: 'geolocation',
  notifications: 'notifications',
  camera: 'media',
  microphone: 'media',
  midi: 'midi',
  'clipboard-read': 'clipboard-read',
  'clipboard-write': 'clipboard-sanitized-write',
} as const;

/** Bytes in a message of the preload. */
function decodeBytes(_key: string, value: unknown): unknown {
  const { standInBytes } = (value ?? {}) as { standInBytes?: unknown };
  return typeof standInBytes === 'string' ? new Uint8Array(Buffer.from(standInBytes, 'base64')) : value;
}

interface Message {
  readonly id: number;
  readonly channel: string;
  readonly args: readonly unknown[];
}

export class WebContents extends EventEmitter {
  readonly #preferences: WebPreferences;
  readonly session = session.defaultSession;
  /** Words that were put in the place of others. */
  readonly replaced: string[] = [];
  #zoomLevel: number;
  #page: Page | undefined;
  #opening: Promise<void> | undefined;
  #cdp: CDPSession | undefined;
  #world: number | undefined;
  #decideOpen: ((details: { url: string }) => { action: string }) | undefined;
  readonly mainFrame: { readonly url: string; readonly parent: null };

  constructor(preferences: WebPreferences) {
    super();
    this.#preferences = preferences;
    this.#zoomLevel = Math.log(preferences.zoomFactor ?? 1) / Math.log(1.2);
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- a getter has its own `this`
    const contents = this;
    this.mainFrame = {
      get url() {
        return contents.getURL();
      },
      parent: null,
    };
  }

  isDestroyed(): boolean {
    return this.#page?.isClosed() ?? false;
  }

  getLastWebPreferences(): WebPreferences {
    return this.#preferences;
  }

  getURL(): string {
    return this.#page === undefined ? '' : inProgram(this.#page.url());
  }

  setWindowOpenHandler(decide: (details: { url: string }) => { action: string }): void {
    this.#decideOpen = decide;
  }

  getZoomLevel(): number {
    return this.#zoomLevel;
  }

  /** A number only: the page stays as large as it is. */
  setZoomLevel(level: number): void {
    this.#zoomLevel = level;
  }

  replaceMisspelling(word: string): void {
    this.replaced.push(word);
  }

  send(channel: string, ...args: unknown[]): void {
    void this.#deliver({ channel, args });
  }

  executeJavaScript(code: string): Promise<unknown> {
    if (this.#page === undefined) throw new Error('nothing is loaded');
    return this.#page.evaluate(code);
  }

  async reload(): Promise<void> {
    await this.#page?.reload();
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    if (this.#page === undefined) this.emit('destroyed');
    else await this.#page.close();
  }

  async load(url: string): Promise<void> {
    this.#opening ??= this.#open();
    await this.#opening;
    await this.#page?.goto(inChromium(url));
    await this.#applyPermissions();
    this.emit('did-finish-load');
  }

  async #open(): Promise<void> {
    const context = await openContext();
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    this.#page = page;
    this.#cdp = cdp;
    const applyTheme = () =>
      void page
        .emulateMedia({ colorScheme: nativeTheme.shouldUseDarkColors ? 'dark' : 'light' })
        // It may be closing.
        .catch(() => undefined);
    nativeTheme.on('updated', applyTheme);
    applyTheme();
    page.on('close', () => {
      nativeTheme.off('updated', applyTheme);
      this.emit('destroyed');
    });
    page.on('pageerror', (error) => {
      process.stderr.write(`page: ${error.stack ?? error.message}\n`);
    });
    cdp.on('Page.windowOpen', ({ url }) => {
      const { action } = this.#decideOpen?.({ url: inProgram(url) }) ?? { action: 'allow' };
      if (action !== 'deny') throw new Error('the stand-in knows denied windows only');
    });
    page.on('popup', (popup) => void popup.close());
    await page.route('**/*', async (route) => {
      const request = route.request();
      const leaves =
        request.isNavigationRequest() && request.frame() === page.mainFrame() && page.url() !== 'about:blank';
      if (leaves && this.#isPrevented(inProgram(request.url()))) await route.abort('aborted');
      else await route.fallback();
    });
    await cdp.send('Page.enable');
    await cdp.send('Runtime.enable');
    await this.#isolate(cdp);
  }

  #isPrevented(url: string): boolean {
    if (url === this.getURL()) return false;
    let prevented = false;
    this.emit('will-navigate', {
      url,
      isMainFrame: true,
      preventDefault: () => {
        prevented = true;
      },
    });
    return prevented;
  }

  async #isolate(cdp: CDPSession): Promise<void> {
    const { preload: path } = this.#preferences;
    if (path === undefined) return;
    cdp.on('Runtime.executionContextCreated', ({ context }) => {
      if (context.name === WORLD) this.#world = context.id;
    });
    cdp.on(
      'Runtime.bindingCalled',
      ({ payload }) => void this.#receive(JSON.parse(payload, decodeBytes) as Message),
    );
    await cdp.send('Runtime.addBinding', { name: 'standInSend', executionContextName: WORLD });
    await cdp.send('Page.addScriptToEvaluateOnNewDocument', { source: source('./page-world.js') });
    const preload = readFileSync(path, 'utf8').replace(/^\/\/# sourceMappingURL.*$/m, '');
    await cdp.send('Page.addScriptToEvaluateOnNewDocument', {
      worldName: WORLD,
      source: `if (window === window.top) { ${source('./preload-world.js')}\n{ ${preload}\n} }`,
    });
  }

  async #receive({ id, channel, args }: Message): Promise<void> {
    try {
      const value = await ipcMain.invoke(channel, { sender: this, senderFrame: this.mainFrame }, args);
      await this.#deliver({ id, value: value ?? null });
    } catch (error) {
      await this.#deliver({ id, error: `Error invoking remote method '${channel}': ${String(error)}` });
    }
  }

  async #deliver(message: object): Promise<void> {
    if (this.#cdp === undefined || this.#world === undefined) return;
    const expression = `standInReceive(${JSON.stringify(JSON.stringify(message))})`;
    // A page that has gone meanwhile misses its message, as in Electron.
    await this.#cdp.send('Runtime.evaluate', { contextId: this.#world, expression }).catch(() => undefined);
  }

  /** Asks the program's handlers once for each permission and tells Chromium what they said. */
  async #applyPermissions(): Promise<void> {
    const target = await this.#cdp?.send('Target.getTargetInfo');
    const { browserContextId } = (target?.targetInfo ?? {}) as { browserContextId?: string };
    if (browserContextId === undefined)
      throw new Error('Chromium does not say to whom the permissions belong');
    for (const [name, asElectron] of Object.entries(PERMISSIONS)) {
      const checked = permissionHandlers.check?.(this, asElectron) ?? true;
      const requested = await new Promise<boolean>((resolve) => {
        if (permissionHandlers.request === undefined) resolve(true);
        else permissionHandlers.request(this, asElectron, resolve);
      });
      await this.#cdp?.send('Browser.setPermission', {
        browserContextId,
        permission: { name },
        setting: checked && requested ? 'granted' : 'denied',
      });
    }
  }
}
