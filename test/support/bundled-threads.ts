/**
 * Owns: threads of the store as they are packed, in place of their sources: each of hundreds that tests start would find,
 * read and strip a hundred files. Called by: vitest.config.ts, for `npm test`, which has built them. Calls: nothing.
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'vitest/config';

const ROOT = resolve(import.meta.dirname, '../..');

/** The file that starts a thread, its script as it stands there, and the one that was built. */
const THREADS = [
  ['main/store/store-thread.ts', './worker.ts', 'store-worker.js'],
  ['main/messenger/history/import-reader.ts', './import-thread.ts', 'import-thread.js'],
] as const;

/** The source of a file that starts a thread, with the built one in place of the script; undefined for any other file. */
export function startBuilt(code: string, id: string): string | undefined {
  const thread = THREADS.find(([starter]) => id === resolve(ROOT, starter));
  if (thread === undefined) return undefined;
  const [starter, script, built] = thread;
  const parts = code.split(`'${script}'`);
  if (parts.length !== 2) throw new Error(`${starter} no longer starts '${script}' in one place`);
  return parts.join(`'${pathToFileURL(resolve(ROOT, 'out/hosts/headless', built)).href}'`);
}

export function bundledThreads(): Plugin {
  return {
    name: 'bundled-threads',
    enforce: 'pre',
    transform(code, id) {
      const changed = startBuilt(code, id);
      return changed === undefined ? undefined : { code: changed, map: null };
    },
  };
}
