/**
 * Owns: windows of a browser that only read: each has a port, a link and a cookie of its own, and goes when nobody looks any
 * more. Called by: main.ts, through the calls of the window. Calls: reading.ts, web-host.ts.
 */
import { join } from 'node:path';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { OPENING_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { ReaderDesk } from '../../messenger/reader/reader-desk.ts';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { ReadingApp, type ReadingLook } from '../reading.ts';
import { LINK_LIFE_MS } from './access.ts';
import { WebHost } from './web-host.ts';

export interface ReaderWindowsOptions {
  /** Exports go there, and what a window has handed in while it is read. */
  readonly profile: string;
  readonly rendererFolder: string;
  readonly log: Log;
  readonly look: () => ReadingLook;
  readonly clock?: Clock;
}

interface ReaderWindow {
  readonly app: ReadingApp;
  web: WebHost | undefined;
  timer: Timer | undefined;
}

export class ReaderWindows implements ReaderDesk, AsyncDisposable {
  readonly folder: string;
  readonly #options: ReaderWindowsOptions;
  readonly #clock: Clock;
  readonly #windows = new Set<ReaderWindow>();

  constructor(options: ReaderWindowsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.folder = join(options.profile, 'reading');
  }

  /** A link that opens a window on it. */
  async open(path: string, own?: string): Promise<string> {
    if (this.#windows.size >= OPENING_LIMITS.maxReaders) {
      throw new CallError('too-many', 'Too many archives are open. Close one of their windows.');
    }
    const { log, look, profile, rendererFolder } = this.#options;
    const app = new ReadingApp({
      ...{ path, own, log, look, profile },
      host: 'browser',
      secrets: filePermissionSecrets,
      receiveWindows: (count) => {
        window.timer?.[Symbol.dispose]();
        if (count === 0) window.timer = this.#closeAfter(window, OPENING_LIMITS.readerIdleMs);
      },
    });
    const window: ReaderWindow = { app, web: undefined, timer: undefined };
    this.#windows.add(window);
    try {
      window.web = await WebHost.start({ api: app.api, log, rendererFolder, files: app.files });
    } catch (error) {
      await this.#close(window);
      throw error;
    }
    window.timer?.[Symbol.dispose]();
    window.timer = this.#closeAfter(window, LINK_LIFE_MS);
    return window.web.issueUrl();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#windows].map((window) => this.#close(window)));
  }

  #closeAfter(window: ReaderWindow, ms: number): Timer {
    return this.#clock.startTimer(ms, () => {
      this.#close(window).catch((error: unknown) => this.#options.log.error('reading.not-closed', { error }));
    });
  }

  async #close(window: ReaderWindow): Promise<void> {
    if (!this.#windows.delete(window)) return;
    window.timer?.[Symbol.dispose]();
    await window.web?.[Symbol.asyncDispose]();
    window.timer?.[Symbol.dispose]();
    await window.app[Symbol.asyncDispose]();
  }
}
