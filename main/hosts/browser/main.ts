/**
 * Owns: Parley in a window of an installed browser, or behind a link that the user opens.
 * Called by: `npm start`. Calls: app.ts, web-host.ts, app-window.ts, single-instance.ts.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { filePermissionSecrets } from '../../messenger/secrets.ts';
import { StoreError } from '../../store/database.ts';
import { App } from '../app.ts';
import { openLog } from '../log-file.ts';
import { defaultProfile } from '../profile.ts';
import { readAuthorities } from '../trusted-authorities.ts';
import { takeInstanceLock } from '../single-instance.ts';
import { openAppWindow } from './app-window.ts';
import { WebHost } from './web-host.ts';

const HELP = `Parley in a browser window.

  main.ts [--profile FOLDER] [--browser PROGRAM [--snap]] [--because REASON] [--log debug|info|warn|error]
          [--ca-file FILE] [--set KEY=VALUE]

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
  return parseArgs({
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
  }).values;
}

async function main(): Promise<void> {
  const { profile: folder, browser, snap, because, log: level, help, 'ca-file': caFile, set } = readOptions();
  if (help) {
    say(HELP);
    return;
  }
  if (!existsSync(RENDERER)) throw new Error('The window is not built yet. Run "npm start".');
  const ca = readAuthorities(caFile);
  const profile = folder === undefined ? defaultProfile() : resolve(folder);
  const taken = await takeInstanceLock(profile);
  if ('shown' in taken) {
    sayWhatTheFirstDid(taken.shown, profile);
    return;
  }
  await using lock = taken.lock;
  const log = openLog(profile, level);
  await using app = await App.open({
    profile,
    host: 'browser',
    secrets: filePermissionSecrets,
    log,
    ca,
    set: set ?? [],
  });
  await using web = await WebHost.start({
    api: app.api,
    log,
    rendererFolder: RENDERER,
    files: app.messenger.transfers,
  });

  const ending = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      ending.resolve();
    });
  }
  if (browser === undefined) {
    lock.onShow = () => web.issueUrl();
    if (because !== undefined) say(because);
    sayLink(web);
    await ending.promise;
    return;
  }
  const isRoot = process.getuid?.() === 0;
  const open = () => openAppWindow({ browser, profile, snap, isRoot, url: web.issueUrl() });
  const window = open();
  lock.onShow = () => {
    // The browser runs already: this only asks it for one more window, which ends with it.
    open();
    return SHOWN;
  };
  void window.ended.then((end) => {
    if (end === 'closed') ending.resolve();
    else if (end === 'handed-over') say('The window is open. Ctrl C ends Parley.');
    else {
      lock.onShow = () => web.issueUrl();
      say(`${browser} could not open a window.`);
      sayLink(web);
    }
  });
  say('Parley is open in its window. Closing the window, or Ctrl C here, ends it.');
  await ending.promise;
  window.stop();
  await window.ended;
}

function sayLink(web: WebHost): void {
  say(`Open Parley in a browser on this computer: ${web.issueUrl()}`);
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
  process.exit(0);
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
