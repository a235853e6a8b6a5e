/**
 * Owns: windows that only read: each has a page with an origin of its own. Called by: main.ts, through the calls of the
 * window. Calls: reading.ts, window.ts, ipc.ts.
 */
import { BrowserWindow } from 'electron';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { OPENING_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { ReaderDesk } from '../../messenger/reader/reader-desk.ts';
import type { SecretBox } from '../../messenger/secrets.ts';
import type { FileDesktop } from '../../messenger/transfer-commands.ts';
import { ReadingApp, type ReadingLook } from '../reading.ts';
import type { ShownFiles } from '../shown-files.ts';
import { pageOf, readingHost } from './channels.ts';
import { pushEvents, type CallingWindow } from './ipc.ts';
import { offerTextMenu } from './menu.ts';
import { followTheme, frameOf, reloadAfterCrash } from './window.ts';
import type { Words } from './words.ts';
import { zoomByKeys } from './zoom.ts';

const SIZE = { width: 1_100, height: 740 } as const;

export interface ReaderWindowsOptions {
  readonly profile: string;
  readonly preload: string;
  readonly secrets: SecretBox;
  readonly desktop: FileDesktop;
  readonly log: Log;
  readonly devTools: boolean;
  readonly words: () => Words;
  readonly look: () => ReadingLook;
}

interface ReaderWindow {
  readonly path: string;
  readonly host: string;
  readonly app: ReadingApp;
  readonly frame: BrowserWindow;
}

export class ReaderWindows implements ReaderDesk, AsyncDisposable {
  readonly #options: ReaderWindowsOptions;
  readonly #windows = new Set<ReaderWindow>();
  readonly #closing = new Set<Promise<void>>();
  #lastNumber = 0;

  constructor(options: ReaderWindowsOptions) {
    this.#options = options;
  }

  /** Those that may call now. */
  callers(): CallingWindow[] {
    return [...this.#windows].map(({ host, frame, app }) => ({
      host,
      contents: frame.webContents,
      api: app.api,
    }));
  }

  /** The files behind the window with this host. */
  filesOf(host: string): ShownFiles | undefined {
    return [...this.#windows].find((window) => window.host === host)?.app.files;
  }

  /** Opens a window on it, or brings the one that is open to the front. */
  async open(path: string): Promise<null> {
    const present = [...this.#windows].find((window) => window.path === path);
    if (present !== undefined) {
      if (present.frame.isMinimized()) present.frame.restore();
      present.frame.show();
      present.frame.focus();
      return null;
    }
    if (this.#windows.size >= OPENING_LIMITS.maxReaders) {
      throw new CallError('too-many', 'Too many archives are open. Close one of their windows.');
    }
    const { frame, host } = this.#show(path);
    await frame.loadURL(pageOf(host));
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const window of this.#windows) {
      window.frame.destroy();
      this.#close(window);
    }
    await Promise.all(this.#closing);
  }

  #show(path: string): ReaderWindow {
    const { preload, devTools, log, words, secrets, desktop, profile, look } = this.#options;
    this.#lastNumber += 1;
    const host = readingHost(this.#lastNumber);
    const app = new ReadingApp({ path, host: 'electron', secrets, log, profile, desktop, look });
    const frame = new BrowserWindow({ ...SIZE, ...frameOf(preload, devTools) });
    const window: ReaderWindow = { path, host, app, frame };
    this.#windows.add(window);
    frame.once('ready-to-show', () => {
      frame.show();
    });
    frame.on('closed', () => {
      this.#close(window);
    });
    pushEvents(frame.webContents, app.api);
    offerTextMenu(frame.webContents, words);
    zoomByKeys(frame.webContents);
    followTheme(frame);
    reloadAfterCrash(frame, log);
    return window;
  }

  #close(window: ReaderWindow): void {
    if (!this.#windows.delete(window)) return;
    const closing = window.app[Symbol.asyncDispose]()
      .catch((error: unknown) => {
        this.#options.log.error('reading.not-closed', { error });
      })
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
