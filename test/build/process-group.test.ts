import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runInGroup } from '../../build/process-group.mjs';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-group-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Starts another program that stays, says which, and goes on with `rest`. */
const parent = (rest: string) => `
  const { spawn } = require('node:child_process');
  const stays = 'setInterval(() => undefined, 1000)';
  const child = spawn(process.execPath, ['-e', stays], { stdio: 'ignore' });
  require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'child'))}, String(child.pid));
  ${rest}`;

const run = (rest: string, options: Partial<Parameters<typeof runInGroup>[2]> = {}) =>
  runInGroup(process.execPath, ['-e', parent(rest)], {
    cwd: folder,
    env: process.env,
    limitMs: 60_000,
    graceMs: 60_000,
    hasFinished: () => false,
    ...options,
  });

/** A process that has ended is there until its parent has heard of it. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const childRuns = () => isRunning(Number(readFileSync(join(folder, 'child'), 'utf8')));

const isLinux = process.platform === 'linux';
if (!isLinux) console.log('Skipped: groups of processes: what runs is looked up in /proc.');

describe.skipIf(!isLinux)('a program and what it has started', () => {
  it('end together when the program ends by itself', async () => {
    expect(await run('process.exit(3)')).toEqual({ code: 3, ended: 'by itself' });
    await expect.poll(childRuns).toBe(false);
  });

  it('are ended when the work is done and the program does not go', async () => {
    const done = join(folder, 'done');
    writeFileSync(done, '');
    const result = await run('', { hasFinished: () => existsSync(done), graceMs: 0 });
    expect(result).toEqual({ code: null, ended: 'stuck' });
    await expect.poll(childRuns).toBe(false);
  });

  it('are ended when they take too long', async () => {
    // It may not even have begun.
    expect(await run('', { limitMs: 0 })).toEqual({ code: null, ended: 'too late' });
  });

  it('are ended when whoever runs them is', async () => {
    const script = `
      import { runInGroup } from ${JSON.stringify(resolve('build/process-group.mjs'))};
      await runInGroup(process.execPath, ['-e', ${JSON.stringify(parent(''))}], {
        cwd: '.', env: process.env, limitMs: 60_000, graceMs: 0, hasFinished: () => false,
      });`;
    const runner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const ended = new Promise((done) => runner.once('exit', done));
    await expect.poll(() => existsSync(join(folder, 'child')) && childRuns()).toBe(true);
    runner.kill('SIGTERM');
    expect(await ended).toBe(143);
    await expect.poll(childRuns).toBe(false);
  });
});
