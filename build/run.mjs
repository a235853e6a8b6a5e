/**
 * Owns: running a program of this repository, or an installed tool, on a Node that is new enough.
 * Called by: package.json (headless, imserver, engine, flow, bench …). Calls: setup.mjs for where that Node is, server-flags.mjs.
 *
 * `node build/run.mjs main/x/main.ts …`, with `--server` before it for a program that serves many, or
 * `node build/run.mjs --tool vitest …`
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVER_FLAGS } from './server-flags.mjs';
import { environmentFor, findNode, ROOT } from './setup.mjs';

const NODE_MAJOR = 24;

/**
 * The script of an installed tool.
 * @param {string} name of the package, or package/program
 */
export function toolScript(name) {
  const [packageName = name, program = packageName] = name.split(':');
  const folder = join(ROOT, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bin === 'string' ? bin : bin[program]);
}

function main() {
  const given = process.argv.slice(2);
  const isServer = given[0] === '--server';
  const [first = '', ...rest] = isServer ? given.slice(1) : given;
  const node = Number.parseInt(process.versions.node, 10) >= NODE_MAJOR ? process.execPath : findNode();
  if (node === undefined || !existsSync(join(ROOT, 'node_modules', '.package-lock.json'))) {
    process.stderr.write('Run "npm start" or "npm test" once first: they install what is missing.\n');
    process.exit(1);
  }
  const args = first === '--tool' ? [toolScript(rest.shift() ?? ''), ...rest] : [join(ROOT, first), ...rest];
  if (!existsSync(args[0] ?? '')) {
    process.stderr.write(`There is no ${first} in this version of Parley.\n`);
    process.exit(1);
  }
  const child = spawn(node, [...(isServer ? SERVER_FLAGS : []), ...args], {
    stdio: 'inherit',
    env: environmentFor(node),
    cwd: process.cwd(),
  });
  // A terminal sends Ctrl C to both; the child decides when it is done.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) main();
