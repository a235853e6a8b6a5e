/**
 * Owns: Parley in the notification area: there while its setting says so. Called by: desktop.ts. Calls: Electron's Tray.
 */
import type { Menu, Tray } from 'electron';
import type { Words } from './words.ts';

export interface TrayIconOptions {
  readonly create: () => Tray;
  readonly buildMenu: typeof Menu.buildFromTemplate;
  readonly open: () => void;
  readonly quit: () => void;
}

/** The icon, its menu, and how many messages are unread. */
export class TrayIcon implements Disposable {
  readonly #options: TrayIconOptions;
  #tray: Tray | undefined;

  constructor(options: TrayIconOptions) {
    this.#options = options;
  }

  /** Is there one, so that the program may go on without a window? */
  get shown(): boolean {
    return this.#tray !== undefined;
  }

  apply(state: { readonly wanted: boolean; readonly words: Words; readonly unread: number }): void {
    const { wanted, words, unread } = state;
    if (!wanted) {
      this[Symbol.dispose]();
      return;
    }
    const { create, buildMenu, open, quit } = this.#options;
    if (this.#tray === undefined) {
      this.#tray = create();
      this.#tray.on('click', open);
    }
    this.#tray.setToolTip(unread > 0 ? words.unread(unread) : 'Parley');
    // Some Linux desktops show a changed menu only when it is set anew.
    this.#tray.setContextMenu(
      buildMenu([
        { label: unread > 0 ? words.unread(unread) : 'Parley', enabled: false },
        { label: words.open, click: open },
        { type: 'separator' },
        { label: words.quit, click: quit },
      ]),
    );
  }

  [Symbol.dispose](): void {
    this.#tray?.destroy();
    this.#tray = undefined;
  }
}
