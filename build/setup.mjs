/**
 * Owns: what has to be there before anything runs: dependencies, Node 24, the built window and main process.
 * Called by: start.mjs, test.mjs, build.mjs, run.mjs. Calls: progress.mjs, stamp.mjs, npm, vite, bundle.mjs.
 *
 * Plain JavaScript for Node 20, with nothing installed: it is what installs the rest.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnv, logFile, runLogged, step, StepError } from './progress.mjs';
import { hashOfContents, hashOfFiles, isStamped, writeStamp } from './stamp.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const NODE_MAJOR = 24;
const INSTALL_LIMIT_MS = 15 * 60_000;
const WINDOWS = process.platform === 'win32';

/** What each build is made of, and what carries out the build. */
const BUILDS = {
  renderer: {
    title: 'Building the window',
    sources: ['renderer', 'shared', 'docs', 'vite.config.ts', 'svelte.config.js', 'package-lock.json'],
    result: 'out/renderer/index.html',
    stamp: 'out/renderer.stamp',
    args: ['node_modules/vite/bin/vite.js', 'build', '--logLevel', 'warn'],
  },
  main: {
    title: 'Building the desktop program',
    sources: ['main', 'shared', 'build/bundle.mjs', 'package.json', 'package-lock.json'],
    result: 'out/hosts/electron/main.js',
    stamp: 'out/main.stamp',
    args: ['build/bundle.mjs'],
  },
};

/** @typedef {keyof typeof BUILDS} BuildName */

/**
 * Brings everything up to date that is missing or older than its sources. Returns the path of a Node that is new enough.
 * @param {{ builds?: readonly BuildName[], root?: string }} [options]
 * @returns {Promise<string>}
 */
export async function setUp({ builds = [], root = ROOT } = {}) {
  await installDependencies(root);
  const node = await provideNode(root);
  for (const name of builds) await build(name, node, root);
  return node;
}

/**
 * True when what the lock file asks for is in node_modules, whoever has put it there.
 * @param {{ packages?: Record<string, { version?: string, optional?: boolean, devOptional?: boolean, peer?: boolean }> }} wanted
 * @param {{ packages?: Record<string, { version?: string }> }} installed
 */
export function isInstalled(wanted, installed) {
  return Object.entries(wanted.packages ?? {}).every(([path, { version, optional, devOptional, peer }]) => {
    if (path === '' || optional || devOptional || peer) return true;
    return installed.packages?.[path]?.version === version;
  });
}

/** @param {string} root */
async function installDependencies(root) {
  const stampFile = join(root, 'node_modules', '.parley-stamp');
  const stamp = hashOfContents(root, ['package-lock.json']);
  if (isStamped(stampFile, stamp)) return;
  const hidden = join(root, 'node_modules', '.package-lock.json');
  if (existsSync(hidden) && isInstalled(readJson(join(root, 'package-lock.json')), readJson(hidden))) {
    writeStamp(stampFile, stamp);
    return;
  }
  leaveInstalledNode(root);
  await step('Installing dependencies', async () => {
    const { command, args } = npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    await runLogged(command, args, {
      cwd: root,
      env: cleanEnv(),
      log: logFile(root, 'install'),
      failure: 'The dependencies could not be installed. Is the npm registry reachable? Then run this again.',
      timeoutMs: INSTALL_LIMIT_MS,
    });
  });
  writeStamp(stampFile, stamp);
}

/**
 * An installed Node cannot replace the folder in which it runs: the machine's own one takes over.
 * @param {string} root
 */
function leaveInstalledNode(root) {
  if (!process.execPath.startsWith(join(root, 'node_modules') + sep)) return;
  const own = process.env['npm_node_execpath'];
  if (own === undefined || own === process.execPath) return;
  const { status } = spawnSync(own, process.argv.slice(1), { stdio: 'inherit', env: cleanEnv() });
  process.exit(status ?? 1);
}

/** @param {readonly string[]} args */
function npm(args) {
  const cli = process.env['npm_execpath'];
  if (cli !== undefined && /npm-cli\.[cm]?js$/.test(cli)) {
    return { command: process.env['npm_node_execpath'] ?? process.execPath, args: [cli, ...args] };
  }
  return WINDOWS ? { command: 'cmd.exe', args: ['/c', 'npm', ...args] } : { command: 'npm', args };
}

/**
 * The Node that the program runs on: this one if it is new enough, else the one of the npm package `node`.
 * @param {string} root
 */
async function provideNode(root) {
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) return process.execPath;
  const installed = findNode(root);
  if (installed !== undefined) return installed;
  const folder = join(root, 'node_modules', 'node');
  const failure = `Parley needs Node ${NODE_MAJOR} or newer; this is ${process.version}, and a newer one could not be fetched. Install it from https://nodejs.org and run this again.`;
  if (!existsSync(join(folder, 'installArchSpecificPackage.js'))) throw new StepError(failure);
  await step(`Fetching Node ${NODE_MAJOR}`, () =>
    runLogged(process.execPath, ['installArchSpecificPackage.js'], {
      cwd: folder,
      env: cleanEnv(),
      log: logFile(root, 'node'),
      failure,
      timeoutMs: INSTALL_LIMIT_MS,
    }),
  );
  linkNode(root);
  const fetched = findNode(root);
  if (fetched === undefined) throw new StepError(failure);
  return fetched;
}

/**
 * The Node of the npm package, or undefined when it is not there, too old or does not run on this system.
 * @param {string} root
 */
export function findNode(root = ROOT) {
  const path = join(root, 'node_modules', 'node', 'bin', WINDOWS ? 'node.exe' : 'node');
  if (!existsSync(path)) return undefined;
  try {
    const version = execFileSync(path, ['--version'], { encoding: 'utf8' });
    return Number.parseInt(version.slice(1), 10) >= NODE_MAJOR ? path : undefined;
  } catch {
    return undefined;
  }
}

/**
 * npm links programs while it installs; this one comes later.
 * @param {string} root
 */
function linkNode(root) {
  const folder = join(root, 'node_modules', '.bin');
  mkdirSync(folder, { recursive: true });
  if (WINDOWS) {
    writeFileSync(join(folder, 'node.cmd'), '@"%~dp0\\..\\node\\bin\\node.exe" %*\r\n');
    return;
  }
  const link = join(folder, 'node');
  rmSync(link, { force: true });
  symlinkSync('../node/bin/node', link);
  chmodSync(join(root, 'node_modules', 'node', 'bin', 'node'), 0o755);
}

/**
 * @param {BuildName} name
 * @param {string} node
 * @param {string} root
 */
async function build(name, node, root) {
  const { title, sources, result, stamp: stampFile, args } = BUILDS[name];
  const stamp = hashOfFiles(root, sources);
  if (existsSync(join(root, result)) && isStamped(join(root, stampFile), stamp)) return;
  await step(title, () =>
    runLogged(node, args, {
      cwd: root,
      log: logFile(root, name),
      failure: `${title} failed. The lines above say where.`,
    }),
  );
  writeStamp(join(root, stampFile), stamp);
}

/**
 * The environment in which `node` and the installed tools are found first.
 * @param {string} node
 * @param {string} [root]
 */
export function environmentFor(node, root = ROOT) {
  const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env['PATH'] ?? ''].join(delimiter);
  // Each process and each thread would read and compile all of our TypeScript anew.
  const cache = process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules', '.cache', 'compiled');
  return { ...process.env, PATH: path, NODE_COMPILE_CACHE: cache };
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
