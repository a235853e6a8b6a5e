/**
 * Owns: running Debian's sipp with one of the scenarios beside this file.
 * Called by: test/interop/sipp-*.test.ts. Calls: /usr/bin/sipp.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SIPP = '/usr/bin/sipp';

/** Why sipp cannot be run here, or `undefined`. */
export const sippMissing: string | undefined = existsSync(SIPP)
  ? undefined
  : `${SIPP} is not installed (Debian package sip-tester): calls with sipp are not tested`;

export interface SippOptions {
  readonly scenario: 'uac' | 'uas' | 'member';
  readonly transport: 'udp' | 'tcp';
  readonly calls: number;
  readonly port: number;
  /** For a caller: where it calls. */
  readonly target?: string;
  /** Answers to challenges. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** What the scenario calls `[name]`. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** Runs sipp to its end. Rejects with its output when a call failed. */
export async function runSipp(options: SippOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sipp-'));
  const args = [
    ...['-sf', fileURLToPath(new URL(`${options.scenario}.xml`, import.meta.url))],
    ...['-i', '127.0.0.1', '-p', String(options.port), '-t', options.transport === 'udp' ? 'u1' : 't1'],
    ...[
      '-m',
      String(options.calls),
      '-r',
      '20',
      '-timeout',
      '20s',
      '-timeout_error',
      '-nostdin',
      '-trace_err',
    ],
    ...(options.credentials ? ['-au', options.credentials.user, '-ap', options.credentials.password] : []),
    ...Object.entries(options.keys ?? {}).flatMap(([name, value]) => ['-key', name, value]),
    ...(options.target === undefined ? [] : [options.target]),
  ];
  try {
    await new Promise<void>((done, fail) => {
      execFile(
        SIPP,
        args,
        { cwd: folder, env: { ...process.env, TERM: 'dumb' } },
        (error, stdout, stderr) => {
          if (error === null) done();
          else fail(new Error(`sipp ended with ${String(error.code)}\n${stderr}\n${stdout.slice(-3_000)}`));
        },
      );
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
