/**
 * Owns: the bundles of the programs with a window, and of the one without, in out/hosts: main process, threads, preload.
 * Called by: setup.mjs (npm run build, npm start). Calls: rolldown.
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

/**
 * In the sources a thread is a file beside the one that starts it; in the bundle it is a file beside main.js.
 * @param {string} starter the file, and the script as it stands there
 * @param {string} script
 * @param {string} bundled
 */
const thread = (starter, script, bundled) => ({
  name: bundled,
  transform: {
    filter: { id: new RegExp(`[\\\\/]main[\\\\/]${starter.replaceAll('/', '[\\\\/]')}$`) },
    handler(/** @type {string} */ code) {
      const parts = code.split(`'${script}'`);
      if (parts.length !== 2) throw new Error(`${starter} no longer starts '${script}' in one place`);
      return { code: parts.join(`'${bundled}'`), map: null };
    },
  },
});
const threads = [
  thread('store/store-thread.ts', './worker.ts', './store-worker.js'),
  thread('messenger/history/import-reader.ts', './import-thread.ts', './import-thread.js'),
];

/** Each program with its threads beside it. */
const programs = ['electron', 'browser', 'headless'].flatMap((folder) => [
  { input: `main/hosts/${folder}/main.ts`, folder, name: 'main.js' },
  { input: 'main/store/worker.ts', folder, name: 'store-worker.js' },
  { input: 'main/messenger/history/import-thread.ts', folder, name: 'import-thread.js' },
]);
/** @type {{ input: string, folder: string, name: string, format: 'esm' | 'cjs' }[]} */
const bundles = [
  ...programs.map((program) => ({ ...program, format: /** @type {const} */ ('esm') })),
  { input: 'main/hosts/electron/preload.ts', folder: 'electron', name: 'preload.cjs', format: 'cjs' },
];

rmSync(join(ROOT, 'out/hosts'), { recursive: true, force: true });
for (const { input, folder, name, format } of bundles) {
  if (!existsSync(join(ROOT, input))) throw new Error(`${input} is missing`);
  const bundle = await rolldown({
    cwd: ROOT,
    input,
    platform: 'node',
    external: EXTERNAL,
    plugins: threads,
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
