/**
 * Owns: what the desktop program has open: the messenger with its window, once it is wanted, and windows that only read.
 * Called by: main.ts. Calls: app-door.ts, window.ts, reader-windows.ts, desktop.ts, ipc.ts, app-protocol.ts, spelling.ts,
 * updates.ts.
 */
import { join } from 'node:path';
import { app, dialog, ipcMain, net, powerMonitor, protocol, safeStorage, shell } from 'electron';
import { initialSettings, type Settings } from '../../../shared/settings.ts';
import { systemClock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import { AppDoor } from '../app-door.ts';
import type { App } from '../app.ts';
import { filesAmong } from '../named-files.ts';
import { plainLook } from '../reading.ts';
import { takeInstanceLock } from '../single-instance.ts';
import { readAuthorities } from '../trusted-authorities.ts';
import { findInstaller } from '../updates/update-installer.ts';
import { Updates } from '../updates/updates.ts';
import { VERSION } from '../version.ts';
import { serveAppProtocol } from './app-protocol.ts';
import { APP_HOST } from './channels.ts';
import { Desktop } from './desktop.ts';
import { fileDesktop, serveHandedIn } from './file-calls.ts';
import { IdleWatch } from './idle-watch.ts';
import { serveCalls } from './ipc.ts';
import { argumentsAgain, readOptions } from './options.ts';
import { ReaderWindows } from './reader-windows.ts';
import { keyringSecrets } from './secrets.ts';
import type { Spelling } from './spelling.ts';
import { MainWindow } from './window.ts';
import { wordsOf, type Words } from './words.ts';

export interface ProgramOptions {
  readonly profile: string;
  readonly preload: string;
  /** Folder of the built window. */
  readonly renderer: string;
  /** Settings as `key=value`. */
  readonly set: readonly string[];
  readonly log: Log;
  /** Closed with the program. */
  readonly spelling: Spelling;
}

/** After Electron is ready. The constructor opens nothing. */
export class Program implements AsyncDisposable {
  readonly #options: ProgramOptions;
  readonly #lifetime = new Lifetime();
  readonly #secrets: ReturnType<typeof keyringSecrets>;
  readonly #readers: ReaderWindows;
  readonly #updates: Updates;
  #talking: Promise<boolean> | undefined;
  #door: AppDoor | undefined;
  /** The messenger is open and the desktop follows it, or it could not be opened. */
  #started: Promise<void> | undefined;
  #window: MainWindow | undefined;
  #startsAgain = false;
  #desktop: Desktop | undefined;
  /** Links that came before there was somebody to take them. */
  #links: readonly string[] = [];

  constructor(options: ProgramOptions) {
    this.#options = options;
    const { log, profile, preload } = options;
    this.#secrets = keyringSecrets({ safeStorage, log });
    this.#readers = new ReaderWindows({
      ...{ profile, preload, log },
      secrets: this.#secrets,
      desktop: fileDesktop(shell, dialog),
      devTools: !app.isPackaged,
      words: () => this.#words(),
      look: () => this.#door?.app?.messenger ?? plainLook,
    });
    this.#lifetime.own(this.#readers);
    this.#lifetime.own(options.spelling);
    this.#updates = this.#lifetime.own(
      new Updates({
        version: VERSION,
        platform: process.platform,
        arch: process.arch,
        folder: join(profile, 'updates'),
        fetch: (url, init) => net.fetch(url, init),
        clock: systemClock,
        log,
        findInstaller: () =>
          findInstaller({
            platform: process.platform,
            execPath: process.execPath,
            appImage: process.env['APPIMAGE'],
          }),
        restart: () => {
          app.quit();
        },
      }),
    );
  }

  /** May it go on when its last window is closed? */
  get keepsRunning(): boolean {
    return this.#desktop?.keepsRunning === true;
  }

  /** Answers pages, and starts of a second copy. */
  serve(): void {
    const { log, renderer } = this.#options;
    serveAppProtocol(protocol, renderer, (host) =>
      host === APP_HOST ? this.#door?.files : this.#readers.filesOf(host),
    );
    const caller = () => this.#window?.caller;
    this.#lifetime.defer(
      serveCalls({ ipcMain, log, windows: () => [caller() ?? [], this.#readers.callers()].flat() }),
    );
    const handedIn = () => this.#door?.files.handedIn();
    this.#lifetime.defer(serveHandedIn({ ipcMain, handedIn, log, window: caller }));
    app.on(
      'second-instance',
      (_event, argv, folder) => void this.receiveWords(readOptions(argv.slice(1)).rest, folder),
    );
    // macOS: never on a command line.
    app.on('open-url', (event, url) => {
      event.preventDefault();
      void this.receiveWords([url], '/');
    });
    app.on('activate', () => void this.receiveWords([], '/'));
  }

  /** What stands on a command line: a file is read, everything else asks for the messenger. Never rejects. */
  async receiveWords(words: readonly string[], folder: string, hidden = false): Promise<void> {
    const files = filesAmong(words, folder);
    try {
      if (files.length > 0) await this.#read(files);
      else await this.#talk(words, hidden);
    } catch (error) {
      this.#options.log.error('window.failed', { error });
      dialog.showErrorBox(this.#words().cannotStart, error instanceof Error ? error.message : String(error));
      this.#quitWhenNothingIsOpen();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
    // Only now is nothing of it in use.
    const { restarts } = await this.#updates.install();
    const program = process.env['APPIMAGE'];
    if (!restarts && !this.#startsAgain) return;
    const args = argumentsAgain(process.argv.slice(1), app.isPackaged);
    app.relaunch({ args, ...(program === undefined ? {} : { execPath: program }) });
  }

  async #read(files: readonly string[]): Promise<void> {
    for (const file of files) await this.#readers.open(file);
  }

  async #talk(words: readonly string[], hidden: boolean): Promise<void> {
    this.#links = words;
    this.#talking ??= this.#openMessenger();
    let isOurs: boolean;
    try {
      isOurs = await this.#talking;
    } catch (error) {
      // Another attempt begins anew.
      this.#talking = undefined;
      throw error;
    }
    if (!isOurs) {
      const { runsAlready, runsElsewhere } = this.#words();
      dialog.showErrorBox(runsAlready, runsElsewhere);
      this.#talking = undefined;
      this.#quitWhenNothingIsOpen();
      return;
    }
    this.#handLinks();
    if (hidden) await this.#settled();
    if (!hidden || !this.keepsRunning) await this.#window?.show();
  }

  /** Whether it may run without its window is known, or its user is needed. Never rejects. */
  async #settled(): Promise<void> {
    await this.#door?.ready().catch(() => undefined);
    if (this.#door?.app !== undefined) await this.#started;
  }

  /** False: another program has the profile. Rejects when that cannot be found out; what else goes wrong the window says. */
  async #openMessenger(): Promise<boolean> {
    const { profile, log, set, preload } = this.#options;
    // Electron's own lock keeps other Electrons out; this one the other hosts, which share the profile.
    const taken = await takeInstanceLock(profile);
    if ('shown' in taken) return false;
    const { lock } = taken;
    this.#lifetime.own(lock);
    const door = this.#lifetime.own(
      AppDoor.start({
        ...{ profile, log, set },
        host: 'electron',
        secrets: this.#secrets,
        ca: readAuthorities(undefined),
        desktop: fileDesktop(shell, dialog),
        readerDesk: this.#readers,
        updates: this.#updates,
        restart: () => {
          this.#startsAgain = true;
          app.quit();
        },
      }),
    );
    this.#door = door;
    const window = new MainWindow({
      ...{ profile, preload, log },
      api: door.api,
      devTools: !app.isPackaged,
      words: () => this.#words(),
    });
    this.#window = window;
    lock.onShow = (files) => {
      void this.receiveWords(files, '/');
      return 'shown';
    };
    // Beside the window, which comes up meanwhile and says what comes of it.
    this.#started = door.opened
      .then((parley) => this.#receiveOpened(parley, window))
      .catch((error: unknown) => {
        log.error('profile.not-opened', { error });
      });
    return true;
  }

  async #receiveOpened(parley: App, window: MainWindow): Promise<void> {
    const { log } = this.#options;
    if (this.#lifetime.ended) return;
    const { messenger } = parley;
    const { presence } = messenger;
    const suspended = () => {
      presence.receiveSleep(true);
    };
    const resumed = () => {
      presence.receiveSleep(false);
      messenger.receiveNetworkChange();
    };
    powerMonitor.on('suspend', suspended).on('resume', resumed);
    this.#lifetime.defer(() => {
      powerMonitor.off('suspend', suspended).off('resume', resumed);
    });
    const moving = new Set<string>();
    this.#lifetime.defer(
      messenger.feed.subscribe(({ event, data }) => {
        if (event === 'settings.changed') {
          this.#updates.receiveSettings();
          this.#applySpelling(messenger.settings);
        }
        if (event !== 'transfer.changed') return;
        if (data.transfer.state === 'transferring') moving.add(data.messageId);
        else moving.delete(data.messageId);
      }),
    );
    this.#updates.start({
      settings: () => messenger.settings,
      publish: (update) => {
        messenger.feed.publish('update.changed', { update });
      },
      isBusy: () => moving.size > 0 || messenger.sessions().some(({ state }) => state === 'open'),
    });
    this.#applySpelling(messenger.settings);
    const receiveActivity = (idleMs: number) => {
      presence.receiveActivity(idleMs);
    };
    this.#lifetime.own(new IdleWatch({ powerMonitor, receiveActivity, clock: systemClock })).start();
    const show = (): Promise<void> =>
      window.show().catch((error: unknown) => {
        log.error('window.failed', { error });
      });
    const desktop = this.#lifetime.own(new Desktop({ parley, window, show, log }));
    await desktop.start();
    this.#desktop = desktop;
    this.#handLinks();
  }

  /** A folder in the profile is its user's; a policy may name another one. */
  #applySpelling({ 'spelling.folder': folder }: Settings): void {
    const { spelling, profile } = this.#options;
    void spelling.apply(folder === '' ? join(profile, 'dictionaries') : folder);
  }

  #quitWhenNothingIsOpen(): void {
    if (this.#window === undefined && this.#readers.callers().length === 0) app.quit();
  }

  #handLinks(): void {
    if (this.#door?.app?.openedLink.receive(this.#links) !== undefined) this.#links = [];
  }

  #words(): Words {
    const { 'appearance.language': language } = this.#door?.app?.messenger.settings ?? initialSettings();
    return wordsOf(language, app.getLocale());
  }
}
