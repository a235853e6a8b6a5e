/**
 * Owns: Parley as a desktop program: the order in which Electron's parts come up and go down.
 * Called by: Electron. Calls: app.ts, window.ts, ipc.ts, app-protocol.ts, content-guard.ts, secrets.ts, menu.ts,
 * desktop.ts.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  app,
  crashReporter,
  dialog,
  ipcMain,
  powerMonitor,
  protocol,
  safeStorage,
  session,
  shell,
} from 'electron';
import { systemClock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import type { Log } from '../../base/log.ts';
import { App } from '../app.ts';
import { openLog } from '../log-file.ts';
import { defaultProfile } from '../profile.ts';
import { readAuthorities } from '../trusted-authorities.ts';
import { takeInstanceLock } from '../single-instance.ts';
import { appScheme, serveAppProtocol } from './app-protocol.ts';
import { guardContents, guardSession } from './content-guard.ts';
import { fileDesktop, serveHandedIn } from './file-calls.ts';
import { IdleWatch } from './idle-watch.ts';
import { serveCalls } from './ipc.ts';
import { Desktop } from './desktop.ts';
import { setMenuBar } from './menu.ts';
import { keyringSecrets } from './secrets.ts';
import { MainWindow } from './window.ts';
import { wordsOf } from './words.ts';

/** Beside this file when it is bundled: out/hosts/electron/main.js. */
const PRELOAD = fileURLToPath(new URL('./preload.cjs', import.meta.url));
const RENDERER = fileURLToPath(new URL('../../renderer', import.meta.url));

interface Options {
  readonly profile: string;
  readonly level: string | undefined;
  /** Settings as `key=value`. */
  readonly set: readonly string[];
  /** Started by the system: no window, when there is an icon to open it from. */
  readonly hidden: boolean;
  /** What else stands on the line: a link among it is opened. */
  readonly rest: readonly string[];
}

/** Electron and Chromium have switches of their own on the same line: what is not ours is not an error. */
function readOptions(): Options {
  const { values, positionals } = parseArgs({
    args: process.argv.slice(app.isPackaged ? 1 : 2),
    options: {
      profile: { type: 'string' },
      log: { type: 'string' },
      set: { type: 'string', multiple: true },
      hidden: { type: 'boolean' },
    },
    strict: false,
    allowPositionals: true,
  });
  return {
    profile: typeof values.profile === 'string' ? resolve(values.profile) : defaultProfile(),
    level: typeof values.log === 'string' ? values.log : undefined,
    set: (values.set ?? []).filter((one) => typeof one === 'string'),
    hidden: values.hidden === true,
    rest: positionals,
  };
}

/** Everything between "ready" and the first window. Rejects with a sentence for the user. */
async function open(
  { profile, set, rest }: Options,
  log: Log,
  lifetime: Lifetime,
): Promise<{ window: MainWindow; desktop: Desktop } | undefined> {
  // Electron's own lock keeps other Electrons out; this one the other hosts, which share the profile.
  const taken = await takeInstanceLock(profile);
  if ('shown' in taken) return undefined;
  const { lock } = taken;
  lifetime.own(lock);
  guardSession(session.defaultSession, log);
  setMenuBar();
  const secrets = keyringSecrets({ safeStorage, log });
  const ca = readAuthorities(undefined);
  const parley = lifetime.own(
    await App.open({ profile, host: 'electron', secrets, log, ca, set, desktop: fileDesktop(shell, dialog) }),
  );
  const files = parley.messenger.transfers;
  serveAppProtocol(protocol, RENDERER, files);
  const resumed = () => {
    parley.messenger.receiveNetworkChange();
  };
  powerMonitor.on('resume', resumed);
  lifetime.defer(() => {
    powerMonitor.off('resume', resumed);
  });
  const { presence } = parley.messenger;
  const receiveActivity = (idleMs: number) => {
    presence.receiveActivity(idleMs);
  };
  lifetime.own(new IdleWatch({ powerMonitor, receiveActivity, clock: systemClock })).start();
  const window = new MainWindow({
    profile,
    preload: PRELOAD,
    api: parley.api,
    log,
    devTools: !app.isPackaged,
    words: () => wordsOf(parley.messenger.settings['appearance.language'], app.getLocale()),
  });
  lifetime.defer(serveCalls({ ipcMain, api: parley.api, log, window: () => window.contents }));
  lifetime.defer(serveHandedIn({ ipcMain, files, log, window: () => window.contents }));
  const show = (): Promise<void> =>
    window.show().catch((error: unknown) => {
      log.error('window.failed', { error });
    });
  const desktop = lifetime.own(new Desktop({ parley, window, show, log }));
  await desktop.start();
  parley.openedLink.receive(rest);
  app.on('second-instance', (_event, argv) => {
    parley.openedLink.receive(argv);
    void show();
  });
  // macOS: never on a command line.
  app.on('open-url', (event, url) => {
    event.preventDefault();
    parley.openedLink.receive([url]);
    void show();
  });
  app.on('activate', () => void show());
  lock.onShow = () => {
    void show();
    return 'shown';
  };
  return { window, desktop };
}

/** Closes calls, connections and the history before the process ends. */
function closeBeforeQuit(lifetime: Lifetime, log: Log, keepsRunning: () => boolean): void {
  let closed = false;
  app.on('will-quit', (event) => {
    if (closed) return;
    event.preventDefault();
    if (lifetime.ended) return;
    lifetime[Symbol.asyncDispose]()
      .catch((error: unknown) => {
        log.error('quit.failed', { error });
      })
      .finally(() => {
        closed = true;
        app.quit();
      });
  });
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin' && !keepsRunning()) app.quit();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      app.quit();
    });
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const { profile, level } = options;
  mkdirSync(profile, { recursive: true, mode: 0o700 });
  const log = openLog(profile, level);
  app.setPath('userData', join(profile, 'electron'));
  app.enableSandbox();
  protocol.registerSchemesAsPrivileged([appScheme]);
  if (!app.requestSingleInstanceLock()) {
    app.exit(0);
    return;
  }
  // What crashes leaves its traces in the profile, and goes nowhere else.
  app.setPath('crashDumps', join(profile, 'crashes'));
  crashReporter.start({ uploadToServer: false });
  guardContents(app, shell, log);
  const lifetime = new Lifetime();
  const started: { desktop?: Desktop } = {};
  closeBeforeQuit(lifetime, log, () => started.desktop?.keepsRunning === true);
  await app.whenReady();
  const opened = await open(options, log, lifetime);
  if (opened === undefined) {
    dialog.showErrorBox(
      'Parley is running already',
      'It runs in another window or without one. End it there first.',
    );
    app.quit();
    return;
  }
  started.desktop = opened.desktop;
  if (!options.hidden || !opened.desktop.keepsRunning) await opened.window.show();
}

// Not awaited: Electron is ready only after this module has been read.
main().catch((error: unknown) => {
  dialog.showErrorBox('Parley cannot start', error instanceof Error ? error.message : String(error));
  app.exit(1);
});
