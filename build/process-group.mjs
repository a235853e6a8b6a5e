/**
 * Owns: a program that ends together with all that it has started: by itself, at a signal, too late, or when it has
 * done its work and does not go.
 * Called by: test.mjs, progress.mjs. Calls: node:child_process.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const LOOK_MS = 1_000;

/** What ends us ends them. @type {NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Ends what is left of a group.
 * @param {import('node:child_process').ChildProcess} child that leads it
 */
export function endGroup(child) {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    child.kill('SIGKILL');
    return;
  }
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/**
 * Runs a program; when it has ended, nothing that it started runs any more (but what has left its group).
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, limitMs: number, graceMs: number, hasFinished: () => boolean }} options
 *   `limitMs`: as long as it may take; `hasFinished`: whether its work is done; `graceMs`: as long as it may stay after that
 * @returns {Promise<{ code: number | null, ended: 'by itself' | 'stuck' | 'too late' }>} `code`: null when it was ended
 */
export async function runInGroup(command, args, { cwd, env, limitMs, graceMs, hasFinished }) {
  const child = spawn(command, args, {
    cwd,
    env,
    // The keyboard stays with us: a group of its own would be stopped for reading it.
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: process.platform !== 'win32',
  });
  /** @type {'by itself' | 'stuck' | 'too late'} */
  let ended = 'by itself';
  const end = (/** @type {typeof ended} */ why) => {
    ended = why;
    endGroup(child);
  };
  const began = Date.now();
  /** @type {number | undefined} */
  let finished;
  const look = setInterval(() => {
    if (hasFinished()) finished ??= Date.now();
    if (finished !== undefined && Date.now() - finished > graceMs) end('stuck');
    else if (Date.now() - began > limitMs) end('too late');
  }, LOOK_MS);
  const leave = (/** @type {NodeJS.Signals} */ signal) => {
    endGroup(child);
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.on(signal, leave);
  try {
    const code = await new Promise((done, reject) => {
      child.on('error', reject);
      child.on('exit', (/** @type {number | null} */ value) => done(value));
    });
    return { code, ended };
  } finally {
    clearInterval(look);
    for (const signal of SIGNALS) process.off(signal, leave);
    endGroup(child);
  }
}
