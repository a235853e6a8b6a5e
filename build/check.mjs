/**
 * Owns: `npm run check`: format, lint, types, layer rules and dead code, two at a time, one line each.
 * Called by: package.json, test.mjs. Calls: the installed tools.
 */
import { spawn } from 'node:child_process';
import { availableParallelism, constants, setPriority } from 'node:os';
import { fail, inSeconds } from './progress.mjs';
import { toolScript } from './run.mjs';
import { environmentFor, ROOT, setUp } from './setup.mjs';

/** Longer than any machine should take, for a check or for all tests of one run. */
export const LIMIT_MS = 40 * 60_000;
const CANARY = 'Canary.svelte';

/** All .svelte files are read into one program: else each is put into a new one, and all types are found out anew. */
const SVELTE_AT_ONCE = { SVELTE_ESLINT_PARSER_EXPERIMENTAL_TS_SYS_HOOK: '1' };

/**
 * `expectError`: the tool has to fail, with this in its output.
 * @typedef {{ name: string, tool: string, args: string[], env?: Record<string, string>, expectError?: string }} Check
 */

/** The slowest first. @type {Check[]} */
const CHECKS = [
  { name: 'lint', tool: 'eslint', args: ['.', '--max-warnings', '0'], env: SVELTE_AT_ONCE },
  { name: 'types of the tests', tool: 'typescript:tsc', args: ['-p', 'tsconfig.test.json'] },
  {
    name: 'types of the window',
    tool: 'svelte-check',
    args: ['--tsconfig', './tsconfig.renderer.json', '--output', 'human', '--fail-on-warnings'],
  },
  { name: 'format', tool: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'types of the main process', tool: 'typescript:tsc', args: ['-p', 'tsconfig.main.json'] },
  {
    name: 'the window check bites',
    tool: 'svelte-check',
    args: ['--tsconfig', './test/canary/tsconfig.json', '--output', 'machine'],
    expectError: CANARY,
  },
  {
    name: 'layers',
    tool: 'dependency-cruiser:depcruise',
    args: ['--config', 'build/layers.cjs', 'main', 'shared', 'renderer'],
  },
  { name: 'dead code', tool: 'knip', args: ['--no-progress'] },
  { name: 'types of the preload', tool: 'typescript:tsc', args: ['-p', 'tsconfig.preload.json'] },
  { name: 'types of what is shared', tool: 'typescript:tsc', args: ['-p', 'tsconfig.shared.json'] },
];

/**
 * Whether a check is content with how its tool ended.
 * @param {Pick<Check, 'expectError'>} check
 * @param {number} code
 * @param {string} output
 */
export function isContent({ expectError }, code, output) {
  return expectError === undefined ? code === 0 : code !== 0 && output.includes(expectError);
}

/**
 * @param {Check} check
 * @param {string} node
 * @param {boolean} besideOthers
 * @returns {Promise<boolean>}
 */
async function runCheck(check, node, besideOthers) {
  const began = Date.now();
  const child = spawn(node, [toolScript(check.tool), ...check.args], {
    cwd: ROOT,
    env: {
      ...environmentFor(node),
      ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' }),
      ...check.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT_MS,
    killSignal: 'SIGKILL',
  });
  if (besideOthers && child.pid !== undefined)
    setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (/** @type {string} */ text) => (output += text));
  }
  const code = await new Promise((done) =>
    child.on('close', (/** @type {number | null} */ value) => done(value ?? 1)),
  );
  const content = isContent(check, code, output);
  process.stdout.write(`${content ? 'ok    ' : 'FAILED'} ${check.name} … ${inSeconds(Date.now() - began)}\n`);
  if (!content) {
    if (check.expectError !== undefined)
      output += `\nIt should have reported an error in ${check.expectError}.`;
    process.stdout.write(`${output.trimEnd()}\n\n`);
  }
  return content;
}

/**
 * Runs every check, as many at a time as there are cores.
 * @param {string} node
 * @param {{ besideOthers?: boolean }} [options] `besideOthers`: with what processors have left
 * @returns {Promise<import('./test-report.mjs').Counts>}
 */
export async function runChecks(node, { besideOthers = false } = {}) {
  const waiting = [...CHECKS];
  /** @type {string[]} */
  const failures = [];
  const work = async () => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      if (!(await runCheck(check, node, besideOthers))) failures.push(`${check.name}: see above`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  return { passed: CHECKS.length - failures.length, failed: failures.length, skipped: 0, failures };
}

if (import.meta.filename === process.argv[1]) {
  try {
    const { failed } = await runChecks(await setUp());
    process.exitCode = failed === 0 ? 0 : 1;
  } catch (error) {
    fail(error);
  }
}
