/**
 * Owns: `npm start`: brings everything up to date, chooses the window, starts Parley in it.
 * Called by: package.json. Calls: setup.mjs, choose-host.mjs, debian.mjs, Electron or the built main/hosts/browser/main.ts.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { chooseHost, findBrowser, hasDisplay, isSnap, mayFetchElectron } from './choose-host.mjs';
import { mayInstallPackages, offerPackages } from './debian.mjs';
import { cleanEnv, fail, logFile, runLogged, step, StepError } from './progress.mjs';
import { ROOT, setUp } from './setup.mjs';
import { isStamped, writeStamp } from './stamp.mjs';

const HELP = `npm start -- [options] [FILE]

  FILE                an archive (.parley) or a copied profile: opened in a window of its own, to be read only

  --profile FOLDER    where accounts and history are kept (default: your own profile)
  --host HOST         electron, browser or url (default: the first of them that is possible)
  --yes               agree to installing missing system packages
  --retry-electron    try to fetch Electron although it failed within the last week
`;

const ELECTRON_LIMIT_MS = 10_000;
/** An Electron that ends this soon with an error did not work here. */
const EARLY_MS = 8_000;
const ELECTRON_FAILED = join(ROOT, '.parley', 'electron-failed');

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        profile: { type: 'string' },
        host: { type: 'string' },
        yes: { type: 'boolean', default: false },
        'retry-electron': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    return { ...values, files: positionals.map((file) => resolve(file)) };
  } catch (error) {
    throw new StepError(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
  }
}

/** The Electron binary, if its download is there and whole. */
function findElectron() {
  const folder = join(ROOT, 'node_modules', 'electron');
  try {
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const path = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8'));
    return existsSync(path) && isStamped(join(folder, 'dist', 'version'), version) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** When the last fetch failed, in ms since 1970. */
function lastFailure() {
  try {
    const at = Date.parse(readFileSync(ELECTRON_FAILED, 'utf8'));
    return Number.isNaN(at) ? undefined : at;
  } catch {
    return undefined;
  }
}

/** @param {string} node */
async function fetchElectron(node) {
  try {
    await step('Fetching Electron', () =>
      runLogged(node, [join('node_modules', 'electron', 'install.js')], {
        cwd: ROOT,
        env: cleanEnv(),
        log: logFile(ROOT, 'electron'),
        failure: 'Electron could not be fetched',
        timeoutMs: ELECTRON_LIMIT_MS,
      }),
    );
    rmSync(ELECTRON_FAILED, { force: true });
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    writeStamp(ELECTRON_FAILED, new Date().toISOString());
    process.stdout.write(
      `${error.message}. Parley opens in a browser window instead; "npm start -- --retry-electron" tries again.\n`,
    );
  }
}

/**
 * Runs the program until it ends; resolves with its exit code.
 * @param {string} command
 * @param {string[]} args
 */
function run(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' });
  const stop = () => child.kill('SIGTERM');
  // A terminal sends Ctrl C to both; the child decides when it is done.
  const wait = () => undefined;
  process.on('SIGINT', wait);
  process.on('SIGTERM', stop);
  return new Promise((done, reject) => {
    child.on('error', (error) =>
      reject(new StepError(`${command} could not be started (${error.message}).`)),
    );
    child.on('exit', (code) => {
      process.off('SIGINT', wait);
      process.off('SIGTERM', stop);
      done(code ?? 1);
    });
  });
}

async function main() {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const missing = options.files.find((file) => !existsSync(file));
  if (missing !== undefined) throw new StepError(`There is no file ${missing}.`);
  const wanted = options.host;
  const display = hasDisplay(process.platform, process.env);
  const checked = chooseHost({ wanted, display, electron: true, browser: 'any' });
  if ('error' in checked) throw new StepError(checked.error);
  // Built: read from hundreds of files it would be up half a second later.
  const node = await setUp({ builds: ['renderer', 'main'] });

  let electron = findElectron();
  const mayTry = checked.host === 'electron' && (wanted === undefined || wanted === 'electron');
  const retry = options['retry-electron'] || wanted === 'electron';
  if (
    mayTry &&
    mayFetchElectron({
      installed: electron !== undefined,
      failedAtMs: lastFailure(),
      nowMs: Date.now(),
      retry,
    })
  ) {
    await fetchElectron(node);
    electron = findElectron();
  }
  let browser = findBrowser();
  const needsBrowser = wanted === 'browser' || (wanted === undefined && electron === undefined);
  if (display && needsBrowser && browser === undefined && mayInstallPackages()) {
    await offerPackages(['chromium'], 'A browser is needed for the window.', options.yes);
    browser = findBrowser();
  }

  let choice = chooseHost({ wanted, display, electron: electron !== undefined, browser });
  const profile = options.profile === undefined ? [] : ['--profile', resolve(options.profile)];
  if ('host' in choice && choice.host === 'electron' && electron !== undefined) {
    const began = Date.now();
    const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    const code = await run(electron, [...asRoot, ROOT, ...profile, ...options.files]);
    if (code === 0 || wanted === 'electron' || Date.now() - began > EARLY_MS) return code;
    process.stdout.write('Electron does not work on this computer. Parley opens in another way.\n');
    choice = chooseHost({ wanted, display, electron: false, browser });
  }
  if ('error' in choice) throw new StepError(choice.error);
  const args = [join(ROOT, 'out/hosts/browser/main.js'), ...profile, ...options.files];
  if (choice.host === 'browser')
    args.push('--browser', choice.path, ...(isSnap(choice.path) ? ['--snap'] : []));
  else if (choice.host === 'url' && choice.reason !== '') args.push('--because', choice.reason);
  return run(node, args);
}

try {
  process.exitCode = await main();
} catch (error) {
  fail(error);
}
