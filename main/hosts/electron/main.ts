/**
 * Owns: Parley as a desktop program: the order in which Electron's parts come up and go down.
 * Called by: Electron. Calls: program.ts, content-guard.ts, spelling.ts, menu.ts.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { app, crashReporter, dialog, protocol, session, shell } from 'electron';
import type { Log } from '../../base/log.ts';
import { openLog } from '../log-file.ts';
import { appScheme } from './app-protocol.ts';
import { guardContents, guardSession } from './content-guard.ts';
import { isStartedAtLogin } from './login-item.ts';
import { setMenuBar } from './menu.ts';
import { readOptions } from './options.ts';
import { Program } from './program.ts';
import { forgetDictionaries, keepSpellingHere, Spelling } from './spelling.ts';
import { wordsOf, type Words } from './words.ts';

/** Beside this file when it is bundled: out/hosts/electron/main.js. */
const PRELOAD = fileURLToPath(new URL('./preload.cjs', import.meta.url));
const RENDERER = fileURLToPath(new URL('../../renderer', import.meta.url));

/** Closes calls, connections and the history before the process ends. */
function closeBeforeQuit(program: () => Program | undefined, log: Log): void {
  let closing = false;
  let closed = false;
  app.on('will-quit', (event) => {
    const running = program();
    if (closed || running === undefined) return;
    event.preventDefault();
    if (closing) return;
    closing = true;
    running[Symbol.asyncDispose]()
      .catch((error: unknown) => {
        log.error('quit.failed', { error });
      })
      .finally(() => {
        closed = true;
        app.quit();
      });
  });
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin' && program()?.keepsRunning !== true) app.quit();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      app.quit();
    });
  }
}

/** A fault of ours ends the program: what it would do then nobody has thought of. What is on disk stays. */
function endAtFaults(log: Log, profile: string): void {
  let ending = false;
  const end = (error: unknown): void => {
    log.error('program.fault', { error });
    if (ending) return;
    ending = true;
    const words = systemWords();
    dialog.showErrorBox(words.hasToEnd, words.hasFault(join(profile, 'parley.log')));
    app.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

/** Before the settings are known. */
function systemWords(): Words {
  return wordsOf('system', app.getLocale());
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(app.isPackaged ? 1 : 2));
  const { profile, level } = options;
  mkdirSync(profile, { recursive: true, mode: 0o700 });
  const log = openLog(profile, level);
  endAtFaults(log, profile);
  const userData = join(profile, 'electron');
  app.setPath('userData', userData);
  app.enableSandbox();
  keepSpellingHere(app);
  protocol.registerSchemesAsPrivileged([appScheme]);
  if (!app.requestSingleInstanceLock()) {
    app.exit(0);
    return;
  }
  forgetDictionaries(userData);
  // What crashes leaves its traces in the profile, and goes nowhere else.
  app.setPath('crashDumps', join(profile, 'crashes'));
  crashReporter.start({ uploadToServer: false });
  guardContents(app, shell, log);
  const started: { program?: Program } = {};
  closeBeforeQuit(() => started.program, log);
  // macOS: files are never on a command line, and the first come before Electron is ready.
  const early: string[] = [];
  app.on('open-file', (event, file) => {
    event.preventDefault();
    if (started.program === undefined) early.push(file);
    else void started.program.receiveWords([file], '/');
  });
  await app.whenReady();
  const spelling = new Spelling({ session: session.defaultSession, log });
  guardSession(session.defaultSession, log, (request) => spelling.asks(request));
  setMenuBar();
  const { set, rest } = options;
  const hidden = options.hidden || isStartedAtLogin(app);
  const program = new Program({ profile, preload: PRELOAD, renderer: RENDERER, set, log, spelling });
  started.program = program;
  program.serve();
  await program.receiveWords([...early, ...rest], process.cwd(), hidden);
}

// Not awaited: Electron is ready only after this module has been read.
main().catch((error: unknown) => {
  dialog.showErrorBox(systemWords().cannotStart, error instanceof Error ? error.message : String(error));
  app.exit(1);
});
