/**
 * Owns: one line of progress for each step, and running a program whose output goes to a file.
 * Called by: setup.mjs, check.mjs, test.mjs. Calls: node:child_process, process-group.mjs.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { endGroup } from './process-group.mjs';

const TAIL_LINES = 30;
const TICK_MS = 1_000;

/** A step that went wrong, as a sentence for the user; `tail` is the end of what the program wrote. */
export class StepError extends Error {
  /**
   * @param {string} message
   * @param {string} [tail]
   */
  constructor(message, tail = '') {
    super(message);
    this.name = 'StepError';
    this.tail = tail;
  }
}

/**
 * The environment without what npm adds to it: an npm inside an npm script would work on the wrong folder.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function cleanEnv(env = process.env) {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^npm_(?!config_(registry|cafile))/i.test(name)),
  );
}

/** @param {number} ms */
export function inSeconds(ms) {
  return ms < 9_950 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 1_000)} s`;
}

/**
 * Shows "Installing dependencies … 12 s" while `work` runs; on a terminal the seconds count up.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @param {NodeJS.WriteStream} [out]
 * @returns {Promise<T>}
 */
export async function step(title, work, out = process.stdout) {
  const began = Date.now();
  const live = out.isTTY === true;
  const draw = (/** @type {string} */ end) => out.write(`${live ? '\r\u001b[K' : ''}${title} … ${end}`);
  if (live) draw('');
  const timer = live ? setInterval(() => draw(inSeconds(Date.now() - began)), TICK_MS) : undefined;
  try {
    const result = await work();
    draw(`${inSeconds(Date.now() - began)}\n`);
    return result;
  } catch (error) {
    draw(`failed after ${inSeconds(Date.now() - began)}\n`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a program to its end; rejects with StepError when it fails or takes longer than `timeoutMs`.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, log: string, failure: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} options
 * @returns {Promise<void>}
 */
export async function runLogged(command, args, { cwd, log, failure, env = process.env, timeoutMs = 0 }) {
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, 'w');
  const group = process.platform !== 'win32' && timeoutMs > 0;
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', output, output], detached: group });
  let late = false;
  const timer =
    timeoutMs === 0
      ? undefined
      : setTimeout(() => {
          late = true;
          // What the program started itself has to go as well.
          endGroup(child);
        }, timeoutMs);
  try {
    await new Promise((resolve, reject) => {
      child.on('error', (error) => reject(new StepError(`${failure} (${error.message})`)));
      child.on('close', (code) => {
        if (code === 0) resolve(undefined);
        else if (late)
          reject(new StepError(`${failure} (no end after ${inSeconds(timeoutMs)})`, tailOf(log)));
        else reject(new StepError(failure, tailOf(log)));
      });
    });
  } finally {
    clearTimeout(timer);
    closeSync(output);
  }
}

/** @param {string} log */
export function tailOf(log) {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return lines.slice(-TAIL_LINES).join('\n');
}

/**
 * Where the output of a step is kept.
 * @param {string} root
 * @param {string} name
 */
export function logFile(root, name) {
  return join(root, '.parley', 'logs', `${name}.log`);
}

/**
 * Ends a command with the sentence of what went wrong.
 * @param {unknown} error
 * @returns {never}
 */
export function fail(error) {
  if (error instanceof StepError) {
    if (error.tail !== '') process.stderr.write(`${error.tail}\n\n`);
    process.stderr.write(`${error.message}\n`);
  } else {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  }
  process.exit(1);
}
