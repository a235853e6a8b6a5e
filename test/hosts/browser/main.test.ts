import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { appWindowArguments } from '../../../main/hosts/browser/app-window.ts';
import { openHistory } from '../../support/open-history.ts';

const root = resolve(import.meta.dirname, '../../..');
const LINK = /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/;

let folder: string;
let running: Program[] = [];

class Program {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<number | null>;
  output = '';

  constructor(...args: string[]) {
    const command = [join(root, 'main/hosts/browser/main.ts'), ...args];
    this.#child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.ended = new Promise((done) => this.#child.once('close', done));
    running.push(this);
  }

  stop(): void {
    this.#child.kill('SIGTERM');
  }

  async waitFor(pattern: RegExp): Promise<string> {
    await expect.poll(() => this.output, { timeout: 15_000 }).toMatch(pattern);
    return pattern.exec(this.output)?.[0] ?? '';
  }
}

/** A program that stands in for a browser: it notes its arguments and ends after some seconds. */
function fakeBrowser(seconds: number, code = 0): string {
  const path = join(folder, 'browser.sh');
  writeFileSync(path, `#!/bin/sh\necho "$@" >> "${folder}/opened"\nsleep ${seconds}\nexit ${code}\n`);
  chmodSync(path, 0o755);
  return path;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-browser-'));
  // The page itself is not looked at here.
  mkdirSync(join(root, 'out/renderer'), { recursive: true });
});

afterEach(async () => {
  for (const program of running) program.stop();
  await Promise.all(running.map(({ ended }) => ended));
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

describe('Parley behind a link', () => {
  it('prints one link and the reason, gives a second copy a fresh one, and ends when it is told to', async () => {
    const profile = join(folder, 'profile');
    const first = new Program('--profile', profile, '--because', 'There is no display.');
    const link = await first.waitFor(LINK);
    expect(first.output).toMatch(/^There is no display\.\n/);
    expect(first.output.match(new RegExp(LINK, 'g'))).toHaveLength(1);

    const second = new Program('--profile', profile);
    const other = await second.waitFor(LINK);
    expect(await second.ended).toBe(0);
    expect(other).not.toBe(link);
    expect((await fetch(other, { redirect: 'manual' })).status).toBe(303);

    first.stop();
    expect(await first.ended).toBe(0);
    expect(existsSync(join(profile, 'instance.sock'))).toBe(false);
  });
});

describe('Parley in a browser window', () => {
  it('ends when its window is closed', async () => {
    const program = new Program('--profile', join(folder, 'profile'), '--browser', fakeBrowser(4));
    await program.waitFor(/open in its window/);
    expect(await program.ended).toBe(0);
  });

  it('opens one more window for a second copy, and closes its window when it is told to end', async () => {
    const profile = join(folder, 'profile');
    const browser = fakeBrowser(30);
    const first = new Program('--profile', profile, '--browser', browser);
    await first.waitFor(/open in its window/);
    const second = new Program('--profile', profile, '--browser', browser);
    await second.waitFor(/running already; it has been asked/);
    expect(await second.ended).toBe(0);
    first.stop();
    expect(await first.ended).toBe(0);
  });

  it('falls back to a link when the browser does not work', async () => {
    const program = new Program('--profile', join(folder, 'profile'), '--browser', fakeBrowser(0, 1));
    await program.waitFor(LINK);
    expect(program.output).toContain('could not open a window');
  });

  it('stays when the browser ran already and took the window over', async () => {
    const program = new Program('--profile', join(folder, 'profile'), '--browser', fakeBrowser(0, 0));
    await program.waitFor(/Ctrl C ends Parley/);
  });

  it('has a browser profile of its own, no first-run questions, and no sandbox only as root', () => {
    const options = { browser: 'b', profile: '/p', url: 'http://127.0.0.1:1/' };
    const args = appWindowArguments(options);
    expect(args).toContain('--app=http://127.0.0.1:1/');
    expect(args).toContain('--user-data-dir=/p/browser');
    expect(args).toContain('--no-first-run');
    expect(args).toContain('--no-default-browser-check');
    expect(args).not.toContain('--no-sandbox');
    expect(appWindowArguments({ ...options, isRoot: true })).toContain('--no-sandbox');
    expect(appWindowArguments({ ...options, snap: true }).join(' ')).toMatch(
      /--user-data-dir=\S*\/snap\/chromium\//,
    );
  });
});

describe('a start that cannot be', () => {
  it('says so when a newer program wrote the history', async () => {
    const profile = join(folder, 'profile');
    const first = new Program('--profile', profile);
    await first.waitFor(LINK);
    first.stop();
    await first.ended;
    const newer = await openHistory(profile);
    newer.pragma('user_version = 999');
    newer.close();
    const second = new Program('--profile', profile);
    // The window is there to say so as well.
    await second.waitFor(LINK);
    await second.waitFor(/^This history was written by a newer Parley .*$/m);
    second.stop();
    expect(await second.ended).toBe(1);
  });

  it('says so when the profile is a file', async () => {
    const profile = join(folder, 'file');
    writeFileSync(profile, '');
    const program = new Program('--profile', profile);
    expect(await program.ended).toBe(1);
    expect(program.output).toMatch(/^The profile has to be a folder, and .* is none\.\n$/);
  });

  it('says so when an option is not known', async () => {
    const program = new Program('--colour', 'blue');
    expect(await program.ended).toBe(1);
    expect(program.output).toMatch(/^Unknown option '--colour'/);
  });
});
