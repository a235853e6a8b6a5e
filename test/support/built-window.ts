/**
 * Owns: the window as it is built: where it lies, and that it is built from the code as it is now.
 * Called by: browser specs. Calls: vite.
 */
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
export const builtWindow = resolve(root, 'out/renderer');

async function newestMs(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const times = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).mtimeMs),
  );
  return Math.max(...times);
}

/** Builds the window into out/renderer, unless what is there is newer than all of its code. */
export async function buildWindow(): Promise<void> {
  const builtMs = await stat(join(builtWindow, 'index.html')).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  const code = await Promise.all(['renderer', 'shared', 'docs'].map((name) => newestMs(resolve(root, name))));
  if (Math.max(...code) < builtMs) return;
  // By a program of its own: in this one NODE_ENV says "test", and that would build the window for developers.
  await promisify(execFile)(
    process.execPath,
    [resolve(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error'],
    { cwd: root, env: { ...process.env, NODE_ENV: 'production' }, timeout: 60_000 },
  );
}
