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

export function bundledThreads(): Plugin {
  return {
    name: 'bundled-threads',
    enforce: 'pre',
    transform(code, id) {
      const thread = THREADS.find(([starter]) => id === resolve(ROOT, starter));
      if (thread === undefined) return undefined;
      const [starter, script, built] = thread;
      const parts = code.split(`'${script}'`);
      if (parts.length !== 2) throw new Error(`${starter} no longer starts '${script}' in one place`);
      const url = pathToFileURL(resolve(ROOT, 'out/hosts/headless', built)).href;
      return { code: parts.join(`'${url}'`), map: null };
    },
  };
}
