/**
 * Owns: windows: what they refuse to be, and their events. Called by: electron.ts. Calls: web-contents.ts.
 */
import { EventEmitter } from 'node:events';
import type { BrowserWindowConstructorOptions, WebPreferences } from 'electron';
import { app } from './application.ts';
import { WebContents } from './web-contents.ts';

/** Points 2, 3, 4, 6, 8, 9, 10 and 11 of Electron's security checklist, as settings of a window. */
const REFUSED: { readonly [Key in keyof WebPreferences]: readonly WebPreferences[Key][] } = {
  nodeIntegration: [true],
  nodeIntegrationInWorker: [true],
  nodeIntegrationInSubFrames: [true],
  contextIsolation: [false],
  sandbox: [false],
  webSecurity: [false],
  allowRunningInsecureContent: [true],
  experimentalFeatures: [true],
  webviewTag: [true],
};

function refuseInsecure(preferences: WebPreferences): void {
  for (const [key, values] of Object.entries(REFUSED)) {
    const value: unknown = preferences[key as keyof WebPreferences];
    if ((values as unknown[]).includes(value))
      throw new Error(`insecure webPreferences: ${key} is ${String(value)}`);
  }
  if (preferences.enableBlinkFeatures !== undefined)
    throw new Error('insecure webPreferences: enableBlinkFeatures');
}

export class BrowserWindow extends EventEmitter {
  static #all: BrowserWindow[] = [];
  readonly webContents: WebContents;
  readonly options: BrowserWindowConstructorOptions;
  backgroundColour: string | undefined;
  #visible: boolean;
  #maximized = false;
  #destroyed = false;

  constructor(options: BrowserWindowConstructorOptions = {}) {
    super();
    refuseInsecure(options.webPreferences ?? {});
    this.options = options;
    this.backgroundColour = options.backgroundColor;
    this.#visible = options.show ?? true;
    this.webContents = new WebContents(options.webPreferences ?? {});
    BrowserWindow.#all.push(this);
    app.emit('web-contents-created', {}, this.webContents);
    this.webContents.once('destroyed', () => {
      this.#destroyed = true;
      BrowserWindow.#all = BrowserWindow.#all.filter((window) => window !== this);
      this.emit('closed');
      if (BrowserWindow.#all.length === 0) app.emit('window-all-closed');
    });
    app.windows.add(this);
  }

  static getAllWindows(): BrowserWindow[] {
    return BrowserWindow.#all;
  }

  async loadURL(url: string): Promise<void> {
    await this.webContents.load(url);
    this.emit('ready-to-show');
  }

  show(): void {
    this.#visible = true;
  }

  hide(): void {
    this.#visible = false;
  }

  focus(): void {
    this.emit('focus');
  }

  /** Nobody looks at it. */
  isFocused(): boolean {
    return false;
  }

  blur(): void {
    // It never has the focus.
  }

  setBackgroundColor(colour: string): void {
    this.backgroundColour = colour;
  }

  flashFrame(): void {
    // There is no taskbar.
  }

  setOverlayIcon(): void {
    // Nor its pictures.
  }

  isVisible(): boolean {
    return this.#visible;
  }

  isMinimized(): boolean {
    return false;
  }

  isMaximized(): boolean {
    return this.#maximized;
  }

  maximize(): void {
    this.#maximized = true;
  }

  isDestroyed(): boolean {
    return this.#destroyed;
  }

  getNormalBounds(): { x: number; y: number; width: number; height: number } {
    const { x = 0, y = 0, width = 800, height = 600 } = this.options;
    return { x, y, width, height };
  }

  close(): void {
    if (this.#destroyed) return;
    this.emit('close', { preventDefault: () => undefined });
    void this.destroy();
  }

  async destroy(): Promise<void> {
    await this.webContents.close();
  }
}
