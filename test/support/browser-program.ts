/**
 * Owns: the program with a window in a browser, as a process of its own, and pages behind its links.
 * Called by: test/e2e. Calls: the built main/hosts/browser/main.ts, playwright-core.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';

const MAIN = resolve(import.meta.dirname, '../../out/hosts/browser/main.js');
const LINK = /http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]+/;

/** Ends with the test. */
export class Program {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<unknown>;
  output = '';

  constructor(...args: string[]) {
    this.#child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.ended = new Promise((done) => this.#child.once('close', done));
    onTestFinished(async () => {
      await this.stop();
    });
  }

  stop(): Promise<unknown> {
    this.#child.kill('SIGTERM');
    return this.ended;
  }

  /** The first link that it has printed. */
  async link(): Promise<string> {
    await expect.poll(() => this.output).toMatch(LINK);
    return LINK.exec(this.output)?.[0] ?? '';
  }
}

/** A page behind a link, with cookies of its own; closed with the test. `complaints`: errors of its console. */
export async function openPage(browser: Browser, link: string, complaints: string[] = []): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1240, height: 780 }, locale: 'en-GB' });
  // As patient as the test is.
  context.setDefaultTimeout(0);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text()))
      complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(link);
  return page;
}
