/**
 * Owns: the life of the program: ready, quit, paths. Called by: electron.ts, browser-window.ts. Calls: chromium.ts.
 */
import { EventEmitter } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { closeChromium } from './chromium.ts';

interface Closable {
  isDestroyed(): boolean;
  close(): void;
  once(event: 'closed', listener: () => void): unknown;
}

class Application extends EventEmitter {
  readonly isPackaged = false;
  readonly windows = new Set<Closable>();
  readonly #paths = new Map<string, string>();
  readonly #ready = Promise.withResolvers<void>();
  isSandboxEnabled = false;
  #isReady = false;
  #exit: Promise<void> | undefined;

  constructor() {
    super();
    setImmediate(() => {
      this.emit('will-be-ready');
      this.#isReady = true;
      this.emit('ready');
      this.#ready.resolve();
    });
  }

  isReady(): boolean {
    return this.#isReady;
  }

  whenReady(): Promise<void> {
    return this.#ready.promise;
  }

  enableSandbox(): void {
    if (this.#isReady) throw new Error('app.enableSandbox() has to come before ready');
    this.isSandboxEnabled = true;
  }

  /** One process, one lock: what a second Electron does is emulated by emitting `second-instance`. */
  requestSingleInstanceLock(): boolean {
    return true;
  }

  setPath(name: string, path: string): void {
    mkdirSync(path, { recursive: true });
    this.#paths.set(name, path);
  }

  getPath(name: string): string {
    const path = this.#paths.get(name);
    if (path === undefined) throw new Error(`no path ${name}`);
    return path;
  }

  /** What would be started when this one has gone: written down where `STAND_IN_AGAIN` says. */
  relaunch({
    execPath = process.execPath,
    args = process.argv.slice(1),
  }: { readonly execPath?: string; readonly args?: readonly string[] } = {}): void {
    const file = process.env['STAND_IN_AGAIN'];
    if (file !== undefined) writeFileSync(file, JSON.stringify({ execPath, args }));
  }

  getLocale(): string {
    return 'en-US';
  }

  badgeCount = 0;
  setBadgeCount(count: number): boolean {
    this.badgeCount = count;
    return true;
  }

  getBadgeCount(): number {
    return this.badgeCount;
  }

  setLoginItemSettings(): void {
    // Linux has a file instead.
  }

  getLoginItemSettings(): { wasOpenedAtLogin: boolean } {
    return { wasOpenedAtLogin: false };
  }

  quit(): void {
    void this.#quit();
  }

  /** The first code counts: the real one is gone at once. */
  exit(code = 0): void {
    this.#exit ??= closeChromium().finally(() => process.exit(code));
  }

  async #quit(): Promise<void> {
    if (this.#isPrevented('before-quit')) return;
    for (const window of this.windows) {
      if (window.isDestroyed()) continue;
      const closed = new Promise<void>((done) => window.once('closed', done));
      window.close();
      await closed;
    }
    if (!this.#isPrevented('will-quit')) this.exit(0);
  }

  #isPrevented(event: 'before-quit' | 'will-quit'): boolean {
    let prevented = false;
    this.emit(event, {
      preventDefault: () => {
        prevented = true;
      },
    });
    return prevented;
  }
}

export const app = new Application();
