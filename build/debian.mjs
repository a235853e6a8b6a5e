/**
 * Owns: installing packages of the system where that is possible: Debian and its relatives, as root.
 * Called by: start.mjs, test.mjs. Calls: apt-get.
 */
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { logFile, runLogged, step, StepError } from './progress.mjs';
import { ROOT } from './setup.mjs';

const LIMIT_MS = 10 * 60_000;

/** apt-get is here and may be used. */
export function mayInstallPackages() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/**
 * The command that installs them, for a person to type.
 * @param {readonly string[]} packages
 */
export function installCommand(packages) {
  return `apt-get install ${packages.join(' ')}`;
}

/**
 * Asks, then installs. Without a terminal it only says how. True when they were installed.
 * @param {readonly string[]} packages
 * @param {string} why
 * @param {boolean} agreed
 */
export async function offerPackages(packages, why, agreed) {
  if (!agreed) {
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
      process.stdout.write(`${why} "${installCommand(packages)}" installs it, or start with --yes.\n`);
      return false;
    }
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const answer = await terminal.question(`${why} Run "${installCommand(packages)}" now? [y/N] `);
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim())) return false;
  }
  try {
    await installPackages(packages);
    return true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stdout.write(`${error.message}\n`);
    return false;
  }
}

/**
 * Installs without asking. Rejects with StepError.
 * @param {readonly string[]} packages
 */
export async function installPackages(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const failure = `The packages ${packages.join(', ')} could not be installed.`;
  await step(`Installing ${packages.join(', ')}`, async () => {
    const options = { cwd: ROOT, env, failure, timeoutMs: LIMIT_MS };
    await runLogged('apt-get', ['update'], { ...options, log: logFile(ROOT, 'apt-update') });
    await runLogged('apt-get', ['install', '--yes', '--no-install-recommends', ...packages], {
      ...options,
      log: logFile(ROOT, 'apt-install'),
    });
  });
}
