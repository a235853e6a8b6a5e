/**
 * Owns: one window of an installed browser, without address bar, with a browser profile of its own.
 * Called by: main.ts. Calls: the browser, as a program.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A browser that ends this soon has not shown the window itself. */
const EARLY_MS = 3_000;

/** Where a window goes, and whose it is. */
export interface AppWindowOptions {
  readonly browser: string;
  readonly profile: string;
  readonly url: string;
  /** The browser comes from a snap, which may write to its own folder only. */
  readonly snap?: boolean;
  readonly isRoot?: boolean;
}

/**
 * How a window ended: `closed` by the user; `handed-over` to a copy of the browser that was running already, whose
 * windows we cannot watch; `failed` to open.
 */
export type AppWindowEnd = 'closed' | 'handed-over' | 'failed';

/** The browser's arguments. Nothing but the page itself is to be loaded, reported or asked. */
export function appWindowArguments({ profile, url, snap, isRoot }: AppWindowOptions): string[] {
  const name = createHash('sha256').update(profile).digest('hex').slice(0, 16);
  const folder = snap
    ? join(homedir(), 'snap', 'chromium', 'common', `parley-${name}`)
    : join(profile, 'browser');
  return [
    `--app=${url}`,
    `--user-data-dir=${folder}`,
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-default-apps',
    '--disable-extensions',
    '--disable-sync',
    '--disable-features=Translate,MediaRouter',
    '--password-store=basic',
    '--window-size=1240,780',
    '--class=Parley',
    ...(isRoot ? ['--no-sandbox', '--test-type'] : []),
  ];
}

/** Opens a window; resolves when it has ended. `stop` closes it. */
export function openAppWindow(options: AppWindowOptions): { ended: Promise<AppWindowEnd>; stop: () => void } {
  const began = performance.now();
  const child = spawn(options.browser, appWindowArguments(options), { stdio: 'ignore' });
  const { promise, resolve } = Promise.withResolvers<AppWindowEnd>();
  child.on('error', () => {
    resolve('failed');
  });
  child.on('exit', (code) => {
    const early = performance.now() - began < EARLY_MS;
    if (!early) resolve('closed');
    else resolve(code === 0 ? 'handed-over' : 'failed');
  });
  return { ended: promise, stop: () => child.kill('SIGTERM') };
}
