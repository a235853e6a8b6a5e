/**
 * Owns: the one window: its safety settings, its place on the screen, its return when its process dies.
 * Called by: main.ts, reader-windows.ts. Calls: window-state.ts, menu.ts, zoom.ts, ipc.ts (events).
 */
import { join } from 'node:path';
import { BrowserWindow, nativeTheme, screen, type BrowserWindowConstructorOptions } from 'electron';
import type { Log } from '../../base/log.ts';
import type { ApiServer } from '../api-server.ts';
import { APP_HOST, pageOf } from './channels.ts';
import { pushEvents, type CallingWindow } from './ipc.ts';
import { offerTextMenu } from './menu.ts';
import { zoomByKeys, zoomFactor } from './zoom.ts';
import { fitToScreens, MIN_HEIGHT, MIN_WIDTH, readWindowState, writeWindowState } from './window-state.ts';
import type { Words } from './words.ts';

/** As `--bg` of renderer/styles/tokens.css: what is seen until the page has painted. */
const BACKGROUND = { light: '#fbfaf7', dark: '#191714' } as const;
const MAX_RELOADS = 3;

export interface MainWindowOptions {
  readonly profile: string;
  readonly preload: string;
  readonly api: ApiServer;
  readonly log: Log;
  /** A build for users has no developer tools. */
  readonly devTools: boolean;
  readonly words: () => Words;
}

function background(): string {
  return nativeTheme.shouldUseDarkColors ? BACKGROUND.dark : BACKGROUND.light;
}

/** Its edge, and what is behind its page, are as dark as the system or the setting is, now and later. */
export function followTheme(window: BrowserWindow): void {
  const update = (): void => {
    window.setBackgroundColor(background());
  };
  nativeTheme.on('updated', update);
  window.once('closed', () => {
    nativeTheme.off('updated', update);
  });
}

/** What every window of ours is like; each safety setting is set on purpose. */
export function frameOf(preload: string, devTools: boolean): BrowserWindowConstructorOptions {
  return {
    minWidth: MIN_WIDTH,
    minHeight: MIN_HEIGHT,
    show: false,
    title: 'Parley',
    backgroundColor: background(),
    webPreferences: {
      preload,
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      experimentalFeatures: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      // Outside of macOS it is the session's, which checks nothing until it has dictionaries (spelling.ts).
      spellcheck: true,
      devTools,
    },
  };
}

/** A page whose process died is loaded again; one that keeps dying is not. */
export function reloadAfterCrash({ webContents }: BrowserWindow, log: Log): void {
  let reloads = 0;
  webContents.on('render-process-gone', (_event, { reason, exitCode }) => {
    log.error('window.crashed', { reason, exitCode });
    if (reason === 'clean-exit' || reloads >= MAX_RELOADS) return;
    reloads += 1;
    webContents.reload();
  });
}

/** Opens at most one window at a time. */
export class MainWindow {
  readonly #options: MainWindowOptions;
  readonly #stateFile: string;
  /** It is on the screen, where it was not a moment ago. */
  onShown: () => void = () => undefined;
  #window: BrowserWindow | undefined;

  constructor(options: MainWindowOptions) {
    this.#options = options;
    this.#stateFile = join(options.profile, 'window.json');
  }

  /** What may call the contract now. */
  get caller(): CallingWindow | undefined {
    const window = this.#window;
    return window && { contents: window.webContents, host: APP_HOST, api: this.#options.api };
  }

  /** The window itself, while there is one. */
  get frame(): BrowserWindow | undefined {
    return this.#window;
  }

  /** Does its user look at it? */
  get isFocused(): boolean {
    return this.#window?.isFocused() === true;
  }

  /** Windows and Linux: the taskbar shows that something has come. Until its user looks. */
  flash(): void {
    if (process.platform !== 'darwin' && this.#window?.isFocused() === false) this.#window.flashFrame(true);
  }

  /** Brings the window to the front; opens it when there is none. Resolves when its page is there. */
  async show(): Promise<void> {
    const existing = this.#window;
    if (existing !== undefined) {
      if (existing.isMinimized()) existing.restore();
      existing.show();
      existing.focus();
      return;
    }
    const window = this.#create();
    this.#window = window;
    await window.loadURL(pageOf(APP_HOST)).catch((error: unknown) => {
      // It may have been closed while it was loading.
      if (!window.isDestroyed()) throw error;
    });
  }

  #create(): BrowserWindow {
    const { preload, api, devTools, words } = this.#options;
    const screens = screen.getAllDisplays().map(({ workArea }) => workArea);
    const { maximized, zoomLevel, theme, ...bounds } = fitToScreens(
      readWindowState(this.#stateFile),
      screens,
    );
    if (nativeTheme.themeSource === 'system') nativeTheme.themeSource = theme;
    const frame = frameOf(preload, devTools);
    const webPreferences = { ...frame.webPreferences, zoomFactor: zoomFactor(zoomLevel) };
    const window = new BrowserWindow({ ...bounds, ...frame, webPreferences });
    window.once('ready-to-show', () => {
      if (maximized) window.maximize();
      window.show();
      this.onShown();
    });
    window.on('focus', () => {
      window.flashFrame(false);
    });
    window.on('close', () => {
      writeWindowState(this.#stateFile, {
        ...window.getNormalBounds(),
        maximized: window.isMaximized(),
        zoomLevel: window.webContents.getZoomLevel(),
        theme: nativeTheme.themeSource,
      });
    });
    window.on('closed', () => {
      this.#window = undefined;
    });
    pushEvents(window.webContents, api);
    offerTextMenu(window.webContents, words);
    zoomByKeys(window.webContents);
    followTheme(window);
    reloadAfterCrash(window, this.#options.log);
    return window;
  }
}
