/**
 * Owns: what the desktop program shows outside of its page: announcements, icon, badge, theme, shortcut, start at
 * login.
 * Called by: main.ts. Calls: notifications.ts, tray.ts, badge.ts, shortcut.ts, login-item.ts, messenger/announcements.ts.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { app, globalShortcut, Menu, nativeImage, nativeTheme, Notification, Tray } from 'electron';
import { areAnnounced } from '../../../shared/settings.ts';
import { systemClock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import { Announcements } from '../../messenger/announcements.ts';
import type { App as Parley } from '../app.ts';
import { showBadge } from './badge.ts';
import { setLoginItem } from './login-item.ts';
import { Notifications } from './notifications.ts';
import { Shortcut } from './shortcut.ts';
import { TrayIcon } from './tray.ts';
import type { MainWindow } from './window.ts';
import { wordsOf, type Words } from './words.ts';

/** Beside the page, which has them for itself. */
const ICON = fileURLToPath(new URL('../../renderer/icon-32.png', import.meta.url));
const DOT = fileURLToPath(new URL('../../renderer/unread-16.png', import.meta.url));

export interface DesktopOptions {
  readonly parley: Pick<Parley, 'api' | 'messenger' | 'commands'>;
  readonly window: MainWindow;
  /** Brings the window to the front; never rejects. */
  readonly show: () => Promise<void>;
  readonly log: Log;
}

/** Follows the settings and the feed for as long as the program runs. */
export class Desktop implements AsyncDisposable {
  readonly #options: DesktopOptions;
  readonly #lifetime = new Lifetime();
  readonly #tray: TrayIcon;
  readonly #shortcut: Shortcut;
  readonly #notifications: Notifications;
  #unread = 0;
  #startsAtLogin: boolean | undefined;

  constructor(options: DesktopOptions) {
    this.#options = options;
    const { parley, show, log } = options;
    this.#tray = this.#lifetime.own(
      new TrayIcon({
        create: () => new Tray(nativeImage.createFromPath(ICON)),
        buildMenu: (template) => Menu.buildFromTemplate(template),
        open: () => void show(),
        quit: () => {
          app.quit();
        },
      }),
    );
    this.#shortcut = this.#lifetime.own(new Shortcut({ globalShortcut, open: () => void show(), log }));
    this.#notifications = this.#lifetime.own(
      new Notifications({
        create: (wanted) => new Notification(wanted),
        isSupported: () => Notification.isSupported(),
        hasReply: process.platform === 'darwin',
        words: () => this.#words,
        showsText: () => parley.messenger.settings['notifications.text'],
        open: (conversationId) => {
          void show().then(() => parley.messenger.feed.publish('conversation.shown', { conversationId }));
        },
        reply: (conversationId, text) => {
          parley.commands['message.send']({ conversationId, text }).catch((error: unknown) => {
            log.warn('reply.failed', { error });
          });
        },
      }),
    );
  }

  /** May the program go on when its window is closed? */
  get keepsRunning(): boolean {
    return this.#tray.shown;
  }

  async start(): Promise<void> {
    const { messenger, commands } = this.#options.parley;
    this.#apply();
    // A window that was not there has nothing over its icon yet (Windows), and remembers the theme of before.
    this.#options.window.onShown = () => {
      this.#apply();
    };
    this.#lifetime.defer(
      messenger.feed.subscribe(({ event }) => {
        if (event === 'settings.changed') this.#apply();
      }),
    );
    const announcements = new Announcements({
      feed: messenger.feed,
      commands,
      clock: systemClock,
      announce: (announcement) => {
        if (!areAnnounced(messenger.settings) || this.#options.window.isFocused) return;
        this.#notifications.show(announcement);
        this.#options.window.flash();
      },
      withdraw: (conversationId) => this.#notifications.withdraw(conversationId),
      receiveUnread: (count) => {
        this.#unread = count;
        this.#showUnread();
      },
    });
    this.#lifetime.defer(await announcements.start());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  get #words(): Words {
    return wordsOf(this.#options.parley.messenger.settings['appearance.language'], app.getLocale());
  }

  #apply(): void {
    const { settings } = this.#options.parley.messenger;
    this.#showUnread();
    // Title bar, menus and the page's own question about it.
    nativeTheme.themeSource = settings['appearance.theme'];
    this.#shortcut.apply(settings['desktop.shortcut']);
    this.#applyLoginItem(settings['desktop.startAtLogin']);
  }

  /** Only what has been changed: whoever never asked for it has nothing of ours in his session. */
  #applyLoginItem(wanted: boolean): void {
    const before = this.#startsAtLogin;
    this.#startsAtLogin = wanted;
    if (before === wanted || (before === undefined && !wanted)) return;
    setLoginItem(wanted, {
      app,
      platform: process.platform,
      program: process.env['APPIMAGE'] ?? process.execPath,
      configFolder: process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'),
    }).catch((error: unknown) => {
      this.#options.log.warn('login-item.failed', { error });
    });
  }

  #showUnread(): void {
    const { parley, window } = this.#options;
    const words = this.#words;
    this.#tray.apply({ wanted: parley.messenger.settings['desktop.tray'], words, unread: this.#unread });
    showBadge(this.#unread, words, {
      app,
      platform: process.platform,
      window: () => window.frame,
      overlay: () => nativeImage.createFromPath(DOT),
    });
  }
}
