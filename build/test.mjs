/**
 * Owns: `npm test`: everything that can be checked on this machine, and one line at its end that says how it went.
 * Called by: package.json, .ci/run. Calls: setup.mjs, debian.mjs, check.mjs, process-group.mjs, vitest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import { LIMIT_MS, runChecks } from './check.mjs';
import { findBrowser } from './choose-host.mjs';
import { installCommand, installPackages, mayInstallPackages } from './debian.mjs';
import { runInGroup } from './process-group.mjs';
import { fail, inSeconds, StepError } from './progress.mjs';
import { toolScript } from './run.mjs';
import { environmentFor, ROOT, setUp } from './setup.mjs';
import { END_FILE } from './test-end.mjs';
import { addUp, readReport, summary } from './test-report.mjs';

const KAMAILIO_MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules';

/** What the tests talk to besides ourselves: program (or file) and Debian package. */
const PEERS = [
  ['tshark', 'tshark'],
  ['sipp', 'sip-tester'],
  ['openssl', 'openssl'],
  ['kamailio', 'kamailio'],
  [`${KAMAILIO_MODULES}/tls.so`, 'kamailio-tls-modules'],
  [`${KAMAILIO_MODULES}/outbound.so`, 'kamailio-outbound-modules'],
  ['/usr/lib/postgresql', 'postgresql'],
  [`${KAMAILIO_MODULES}/db_postgres.so`, 'kamailio-postgres-modules'],
  ['baresip', 'baresip-core'],
  ['Xvfb', 'xvfb'],
  ['strace', 'strace'],
];

/** The browser of the specs: without windows of its own it takes half of a processor's time. Else the one with windows. */
const BROWSER = 'chromium-headless-shell';
const OTHER_BROWSER = 'chromium';

/** Packages that start a server for everybody; the tests start their own. */
const SERVICES = ['kamailio', 'postgresql'];

/** Most of it waits for sockets and timers, so that there is room for the checks beside it. */
const MAIN = { name: 'main', projects: ['node', 'alone', 'renderer'] };
/** Each has a browser, which takes what there is: they run when no other test does. */
const BROWSERS = { name: 'e2e', projects: ['e2e'] };

/** For what is left to write and to close when everything is over. */
const GRACE_MS = 60_000;

/** @param {string} program */
function findOnPath(program) {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** @param {string} program or file */
function isOnPath(program) {
  return isAbsolute(program) ? existsSync(program) : findOnPath(program) !== undefined;
}

/** What is missing; if that cannot be had, what would do as well. @returns {string[][]} */
function findMissing() {
  const missing = PEERS.filter(([program = '']) => !isOnPath(program)).map(([, name = '']) => name);
  if (isOnPath(BROWSER)) return [missing];
  const hasBrowser = process.env['CHROMIUM'] !== undefined || findBrowser() !== undefined;
  return [
    [...missing, BROWSER],
    [...missing, ...(hasBrowser ? [] : [OTHER_BROWSER])],
  ];
}

/** Installs what is missing where that is possible, else names it: tests that need it are skipped or fail by name. */
async function providePeers() {
  const choices = findMissing();
  if (mayInstallPackages()) {
    for (const missing of choices) {
      if (missing.length === 0) return;
      try {
        await installPackages(missing);
        stopServices(missing);
        return;
      } catch (error) {
        if (!(error instanceof StepError)) throw error;
      }
    }
  }
  const missing = choices.at(-1) ?? [];
  if (missing.length === 0) return;
  process.stdout.write(
    `Missing for some tests: ${missing.join(', ')} ("${installCommand(missing)}" on Debian).\n`,
  );
}

/** @param {readonly string[]} installed packages */
function stopServices(installed) {
  if (!existsSync('/run/systemd/system')) return;
  for (const service of SERVICES.filter((name) => installed.includes(name)))
    spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
}

/** The code that a run has said it will end with; undefined: it is not over. @param {string} file */
function readEnd(file) {
  const code = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return code === '' ? undefined : Number(code);
}

/**
 * @param {string} node
 * @param {{ name: string, projects: string[] }} options
 * @param {readonly string[]} filters
 */
async function runVitest(node, { name, projects }, filters) {
  const folder = join(ROOT, 'test', '.artifacts');
  const report = join(folder, `report-${name}.json`);
  const end = join(folder, `end-${name}`);
  mkdirSync(folder, { recursive: true });
  for (const file of [report, end]) rmSync(file, { force: true });
  const args = [
    toolScript('vitest'),
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    `--reporter=${join(import.meta.dirname, 'test-end.mjs')}`,
    '--passWithNoTests',
    ...filters,
  ];
  const browser = process.env['CHROMIUM'] ?? findOnPath(BROWSER) ?? findBrowser();
  const env = {
    ...environmentFor(node),
    PARLEY_TEST_BUNDLED_THREADS: '1',
    [END_FILE]: end,
    ...(browser === undefined ? {} : { CHROMIUM: browser }),
  };
  const { code, ended } = await runInGroup(node, args, {
    cwd: ROOT,
    env,
    limitMs: LIMIT_MS,
    graceMs: GRACE_MS,
    hasFinished: () => readEnd(end) !== undefined,
  });
  if (ended === 'stuck')
    process.stdout.write(`The runner of the ${name} tests had done its work and did not go: it was ended.\n`);
  if (ended === 'too late')
    process.stdout.write(`The ${name} tests took longer than ${inSeconds(LIMIT_MS)}: they were ended.\n`);
  return readReport(report, code ?? readEnd(end) ?? 1);
}

try {
  const { positionals: filters } = parseArgs({ allowPositionals: true });
  const node = await setUp({ builds: ['renderer', 'main'] });
  await providePeers();
  const checks = filters.length === 0 ? [runChecks(node, { besideOthers: true })] : [];
  const counts = [await runVitest(node, MAIN, filters), await runVitest(node, BROWSERS, filters)];
  const total = addUp([...counts, ...(await Promise.all(checks))]);
  process.stdout.write(`${summary(total)}\n`);
  process.exitCode = total.failed === 0 ? 0 : 1;
} catch (error) {
  fail(error);
}
