/**
 * Owns: `npm run conformance:msrp`: the suite against any MSRP endpoint, one line for each rule, and an exit code.
 * Called by: the command line. Calls: suite.ts.
 */
import { parseArgs } from 'node:util';
import { PassiveSuite, runActive, type CheckResult, type SuiteOptions } from './suite.ts';

const HELP = `RFC 4975, rule by rule, against an MSRP endpoint.

  conformance:msrp --target msrp://HOST:PORT/SESSION;tcp   we connect (msrps: over TLS, any certificate)
  conformance:msrp --role passive [--host ADDRESS]         we print our path and wait to be visited

  --path URI        our own path, when the endpoint has to know it beforehand (with --target)
  --patience MS     how long an answer may take (5000)
  --verbose         what was sent (>) and what came (<), also for rules that were kept

Checks of what the endpoint sends by itself are skipped here: nobody can make it send.
Exit code: 0 no rule was broken, 1 some were, 2 there was no connection.
`;

const MARKS = { pass: 'ok  ', fail: 'FAIL', skip: 'skip' } as const;

function print(result: CheckResult, verbose: boolean): void {
  const { outcome, section, title, detail, record } = result;
  process.stdout.write(
    `${MARKS[outcome]}  ${section.padEnd(26)} ${title}${detail === '' ? '' : ` — ${detail}`}\n`,
  );
  if (outcome !== 'fail' && !verbose) return;
  for (const line of record) process.stdout.write(`      ${line.replaceAll('\n', '\n      ')}\n`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      target: { type: 'string' },
      role: { type: 'string', default: 'active' },
      host: { type: 'string', default: '127.0.0.1' },
      path: { type: 'string' },
      patience: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const passive = values.role === 'passive';
  if (values.help || (!passive && (values.role !== 'active' || values.target === undefined))) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const options: SuiteOptions = {
    ...(values.patience === undefined ? {} : { patienceMs: Number(values.patience) }),
    ...(values.path === undefined ? {} : { path: values.path }),
    receiveResult: (result) => print(result, values.verbose),
  };
  let results: readonly CheckResult[];
  if (passive) {
    await using suite = await PassiveSuite.listen(values.host);
    process.stdout.write(`${suite.path}\n`);
    results = await suite.run(options);
  } else {
    results = await runActive(values.target ?? '', options);
  }
  const count = (outcome: CheckResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  process.stdout.write(`${count('pass')} kept, ${count('fail')} broken, ${count('skip')} not tested\n`);
  return count('fail') === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`no connection: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
