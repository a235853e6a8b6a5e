/**
 * Owns: the bundles of the desktop program in out/hosts/electron: main process, store thread, preload.
 * Called by: setup.mjs (npm run build). Calls: rolldown.
 */
import { existsSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Native code, and what is loaded as a package beside the bundle. */
const EXTERNAL = [
  /^node:/,
  /^electron(\/|$)/,
  /^better-sqlite3-multiple-ciphers(\/|$)/,
  /^drachtio-srf(\/|$)/,
  // For a server alone, which runs from its sources: what is packed keeps its server's things in files.
  /[\\/]store[\\/]postgres[\\/]/,
];

/** In the sources the store thread is `./worker.ts` beside store-thread.ts; in the bundle it is a file beside main.js. */
const storeThread = {
  name: 'store-thread',
  transform: {
    filter: { id: /[\\/]main[\\/]store[\\/]store-thread\.ts$/ },
    handler(/** @type {string} */ code) {
      const parts = code.split("'./worker.ts'");
      if (parts.length !== 2) throw new Error("store-thread.ts no longer starts './worker.ts' in one place");
      return { code: parts.join("'./store-worker.js'"), map: null };
    },
  },
};

/** @type {{ input: string, folder: string, name: string, format: 'esm' | 'cjs' }[]} */
const bundles = [
  { input: 'main/hosts/electron/main.ts', folder: 'electron', name: 'main.js', format: 'esm' },
  { input: 'main/store/worker.ts', folder: 'electron', name: 'store-worker.js', format: 'esm' },
  { input: 'main/hosts/electron/preload.ts', folder: 'electron', name: 'preload.cjs', format: 'cjs' },
  { input: 'main/hosts/headless/main.ts', folder: 'headless', name: 'main.js', format: 'esm' },
  { input: 'main/store/worker.ts', folder: 'headless', name: 'store-worker.js', format: 'esm' },
];

rmSync(join(ROOT, 'out/hosts'), { recursive: true, force: true });
for (const { input, folder, name, format } of bundles) {
  if (!existsSync(join(ROOT, input))) throw new Error(`${input} is missing`);
  const bundle = await rolldown({
    cwd: ROOT,
    input,
    platform: 'node',
    external: EXTERNAL,
    plugins: [storeThread],
    logLevel: 'warn',
  });
  await bundle.write({
    file: join(ROOT, 'out/hosts', folder, name),
    format,
    sourcemap: true,
    codeSplitting: false,
  });
  await bundle.close();
}
