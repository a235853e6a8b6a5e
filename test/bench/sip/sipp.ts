/**
 * Owns: sipp as a source of load, and what it measured. Called by: load.ts. Calls: /usr/bin/sipp.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { summarise, type Summary } from '../summary.ts';

const SIPP = '/usr/bin/sipp';

export type Scenario = 'caller' | 'called' | 'holder' | 'device';

/** How a run of sipp went. */
export interface LoadResult {
  readonly succeeded: number;
  readonly failed: number;
  readonly repeated: number;
  readonly seconds: number;
  /** From request to final response, in ms. */
  readonly times: Summary;
}

function argumentsOf(scenario: Scenario, port: number): string[] {
  const file = fileURLToPath(new URL(`${scenario}.xml`, import.meta.url));
  return ['-sf', file, '-i', '127.0.0.1', '-p', String(port), '-nostdin'];
}

/** Starts the called side; it answers until it is stopped. */
export function startCalled(port: number): AsyncDisposable {
  const child = spawn(SIPP, argumentsOf('called', port), {
    stdio: 'ignore',
    env: { ...process.env, TERM: 'dumb' },
  });
  const ended = once(child, 'exit');
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Runs so many calls (or devices) at that rate against `target`, a `host:port`; `folder` takes its files. */
export async function runLoad(options: {
  readonly scenario: Scenario;
  readonly port: number;
  readonly target: string;
  readonly rate: number;
  readonly calls: number;
  readonly folder: string;
}): Promise<LoadResult> {
  const { scenario, port, target, rate, calls, folder } = options;
  const began = performance.now();
  const child = spawn(
    SIPP,
    [
      ...argumentsOf(scenario, port),
      ...['-m', String(calls), '-r', String(rate), '-l', '30000', '-recv_timeout', '20000'],
      ...['-trace_stat', '-stf', 'stat.csv', '-fd', '1', '-trace_rtt', '-rtt_freq', '1000'],
      target,
    ],
    { cwd: folder, stdio: 'ignore', env: { ...process.env, TERM: 'dumb' } },
  );
  await once(child, 'exit');
  const seconds = (performance.now() - began) / 1_000;
  const [head = '', ...lines] = (await readFile(join(folder, 'stat.csv'), 'utf8')).trim().split('\n');
  const names = head.split(';');
  const last = (lines.at(-1) ?? '').split(';');
  const value = (name: string): number => Number(last[names.indexOf(name)]);
  return {
    succeeded: value('SuccessfulCall(C)'),
    failed: value('FailedCall(C)'),
    repeated: value('Retransmissions(C)'),
    seconds,
    times: await readTimes(folder),
  };
}

async function readTimes(folder: string): Promise<Summary> {
  const file = (await readdir(folder)).find((name) => name.endsWith('_rtt.csv'));
  if (file === undefined) return summarise([]);
  const [, ...lines] = (await readFile(join(folder, file), 'utf8')).trim().split('\n');
  return summarise(
    lines
      .map((line) => line.split(';'))
      .filter(([, , name]) => name?.trim() === '1')
      .map(([, time]) => Number(time)),
  );
}
