/**
 * Owns: Parley in a window of an installed browser, or behind a link that the user opens.
 * Called by: `npm start`. Calls: changing-door.ts, web-host.ts, reader-windows.ts,
 * app-window.ts, single-instance.ts.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createLog, type LogLevel } from '../../base/log.ts';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { StoreError } from '../../store/database.ts';
import { openLog } from '../log-file.ts';
import { defaultProfile } from '../profile.ts';
import { plainLook } from '../reading.ts';
import { readAuthorities } from '../trusted-authorities.ts';
import { askRunning, takeInstanceLock } from '../single-instance.ts';
import { openAppWindow } from './app-window.ts';
import { ChangingDoor } from './changing-door.ts';
import { ReaderWindows } from './reader-windows.ts';
import { WebHost } from './web-host.ts';

const HELP = `Parley in a browser window.

  main.ts [FILE] [--profile FOLDER] [--browser PROGRAM [--snap]] [--because REASON] [--log debug|info|warn|error]
          [--ca-file FILE] [--set KEY=VALUE]

FILE is an archive (.parley), or the folder or history.sqlite of a copied profile: it is opened in a window of its own, to
be read only; no account and no network are used for it.
Without --browser it prints a link, and why, and runs until it is stopped. Warnings go to parley.log in the profile,
with --log to standard error. --ca-file names authorities (PEM) that TLS trusts beside those of the system; so does
PARLEY_CA_FILE. --set locks a setting for this run, where no policy has decided it.
`;

const RENDERER = fileURLToPath(new URL('../../../out/renderer', import.meta.url));
/** What a second copy is told when the window of the first one has come to it. */
const SHOWN = 'shown';

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function readOptions() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      profile: { type: 'string' },
      browser: { type: 'string' },
      snap: { type: 'boolean', default: false },
      because: { type: 'string' },
      log: { type: 'string' },
      'ca-file': { type: 'string' },
      set: { type: 'string', multiple: true },
      help: { type: 'boolean', default: false },
    },
  });
  return { ...values, files: positionals.map((file) => resolve(file)) };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) {
    say(HELP);
    return;
  }
  if (!existsSync(RENDERER)) throw new Error('The window is not built yet. Run "npm start".');
  const profile = options.profile === undefined ? defaultProfile() : resolve(options.profile);
  if (options.files.length > 0) await read(options, profile);
  else await talk(options, profile);
}

type Options = ReturnType<typeof readOptions>;

/** The messenger of the profile. */
async function talk(options: Options, profile: string): Promise<void> {
  const ca = readAuthorities(options['ca-file']);
  const taken = await takeInstanceLock(profile);
  if ('shown' in taken) {
    sayWhatTheFirstDid(taken.shown, profile);
    return;
  }
  await using lock = taken.lock;
  const log = openLog(profile, options.log);
  await using readers = new ReaderWindows({
    ...{ profile, log },
    rendererFolder: RENDERER,
    look: () => door.app?.messenger ?? plainLook,
  });
  await using door = ChangingDoor.start({
    app: {
      ...{ profile, log, ca },
      host: 'browser',
      secrets: filePermissionSecrets,
      set: options.set ?? [],
      readerDesk: readers,
    },
    receiveFailure: (error) => {
      process.exitCode = 1;
      process.stderr.write(`${explain(error)}\n`);
    },
  });
  await using web = await WebHost.start({
    api: door.api,
    log,
    rendererFolder: RENDERER,
    files: door.files,
  });
  door.onChange = () => {
    web.cut();
  };
  // Beside the opening: whatever comes of that, the window says it.
  const show = showWindow(options, profile, web.issueUrl());
  lock.onShow = async (files) => {
    const [file] = files;
    return show.again(file === undefined ? web.issueUrl() : await readers.open(file));
  };
  await show.ended;
}

/** A window that only reads: of the copy that runs on this profile, else of this one, which leaves the profile alone. */
async function read(options: Options, profile: string): Promise<void> {
  const [file = '', ...others] = options.files;
  if (others.length > 0) throw new Error('One file at a time, please.');
  const answer = await askRunning(profile, [file]);
  if (answer !== undefined) {
    sayWhatTheFirstDid(answer, profile);
    return;
  }
  const log = createLog({
    level: (options.log ?? 'error') as LogLevel,
    sink: (line) => process.stderr.write(`${line}\n`),
  });
  await using readers = new ReaderWindows({
    ...{ profile, log },
    rendererFolder: RENDERER,
    look: () => plainLook,
  });
  const show = showWindow(options, profile, await readers.open(file));
  await show.ended;
}

interface ShownWindow {
  /** Resolves when the window has been closed, or the program is asked to end. */
  readonly ended: Promise<void>;
  /** One more window; returns what whoever has asked for it is told. */
  readonly again: (url: string) => string;
}

/** In the browser that was found, else behind a link. */
function showWindow({ browser, because, snap }: Options, profile: string, url: string): ShownWindow {
  const ending = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      ending.resolve();
    });
  }
  if (browser === undefined) {
    if (because !== undefined) say(because);
    sayLink(url);
    return { ended: ending.promise, again: (link) => link };
  }
  const isRoot = process.getuid?.() === 0;
  const open = (link: string) => openAppWindow({ browser, profile, snap, isRoot, url: link });
  const window = open(url);
  let hasFailed = false;
  void window.ended.then((end) => {
    if (end === 'closed') ending.resolve();
    else if (end === 'handed-over') say('The window is open. Ctrl C ends Parley.');
    else {
      hasFailed = true;
      say(`${browser} could not open a window.`);
      sayLink(url);
    }
  });
  say('Parley is open in its window. Closing the window, or Ctrl C here, ends it.');
  return {
    ended: ending.promise.then(async () => {
      window.stop();
      await window.ended;
    }),
    again: (link) => {
      if (hasFailed) return link;
      // The browser runs already: this only asks it for one more window, which ends with it.
      open(link);
      return SHOWN;
    },
  };
}

function sayLink(url: string): void {
  say(`Open Parley in a browser on this computer: ${url}`);
  say('The link works once. Start Parley again for another one; Ctrl C ends it.');
}

function sayWhatTheFirstDid(shown: string, profile: string): void {
  if (shown.startsWith('http')) say(`Parley is running already. Open it here: ${shown}`);
  else if (shown === SHOWN) say('Parley is running already; it has been asked for its window.');
  else
    say(
      `Parley is running on ${profile} already, without a window. End it first, or give another --profile.`,
    );
}

/** A sentence for what a user can cause; the whole stack for what only we can. */
function explain(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  if (error instanceof StoreError) return error.message;
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') {
    return `The profile folder cannot be written (${path ?? 'unknown'}). Check its permissions, or give another --profile.`;
  }
  if (code === 'ENOSPC') return 'The disk is full. Free some space and start Parley again.';
  if (code === 'ENOTDIR' || code === 'EEXIST') {
    return `The profile has to be a folder, and ${path ?? 'what was given'} is none.`;
  }
  const isSentence = code === undefined || code.startsWith('ERR_PARSE_ARGS');
  return isSentence ? (error as Error).message : String((error as Error).stack);
}

try {
  await main();
  process.exit();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
