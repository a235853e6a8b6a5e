/**
 * Owns: `npm test`: everything that can be checked on this machine, and one line at its end that says how it went.
 * Called by: package.json, .ci/run. Calls: setup.mjs, debian.mjs, check.mjs, vitest.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChecks } from './check.mjs';
import { findBrowser } from './choose-host.mjs';
import { installCommand, installPackages, mayInstallPackages } from './debian.mjs';
import { fail, StepError } from './progress.mjs';
import { toolScript } from './run.mjs';
import { environmentFor, ROOT, setUp } from './setup.mjs';
import { addUp, readReport, summary } from './test-report.mjs';

const KAMAILIO_MODULES = '/usr/lib/x86_64-linux-gnu/kamailio/modules';

/** What the tests talk to besides ourselves: program (or file) and Debian package. */
const PEERS = [
  ['chromium', 'chromium'],
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

/** Packages that start a server for everybody; the tests start their own. */
const SERVICES = ['kamailio', 'postgresql'];

/** Most of it waits for sockets and timers, so that there is room for the checks beside it. */
const MAIN = { name: 'main', projects: ['node', 'alone', 'renderer'] };
/** Each has a browser, which takes what there is: they run when no other test does. */
const BROWSERS = { name: 'e2e', projects: ['e2e'] };

/** @param {string} program */
function isOnPath(program) {
  if (isAbsolute(program)) return existsSync(program);
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** Installs what is missing where that is possible, else names it: tests that need it are skipped or fail by name. */
async function providePeers() {
  const missing = PEERS.filter(([program = '']) => !isOnPath(program)).map(([, name = '']) => name);
  if (missing.length === 0) return;
  if (mayInstallPackages()) {
    try {
      await installPackages(missing);
      for (const service of SERVICES) {
        if (missing.includes(service) && existsSync('/run/systemd/system')) {
          spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
        }
      }
      return;
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
    }
  }
  process.stdout.write(
    `Missing for some tests: ${missing.join(', ')} ("${installCommand(missing)}" on Debian).\n`,
  );
}

/**
 * @param {string} node
 * @param {{ name: string, projects: string[] }} options
 * @param {readonly string[]} filters
 */
async function runVitest(node, { name, projects }, filters) {
  const folder = join(ROOT, 'test', '.artifacts');
  const report = join(folder, `report-${name}.json`);
  mkdirSync(folder, { recursive: true });
  rmSync(report, { force: true });
  const args = [
    toolScript('vitest'),
    'run',
    ...projects.flatMap((project) => ['--project', project]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    '--passWithNoTests',
    ...filters,
  ];
  const browser = process.env['CHROMIUM'] ?? findBrowser();
  const env = {
    ...environmentFor(node),
    PARLEY_TEST_BUNDLED_THREADS: '1',
    ...(browser === undefined ? {} : { CHROMIUM: browser }),
  };
  const child = spawn(node, args, { cwd: ROOT, env, stdio: 'inherit' });
  const code = await new Promise((done) =>
    child.on('close', (/** @type {number | null} */ value) => done(value ?? 1)),
  );
  return readReport(report, code);
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
