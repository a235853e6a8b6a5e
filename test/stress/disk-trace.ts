/**
 * Owns: what a program does to the files of a folder, in the order in which it happened, from its system calls.
 * Called by: store-crash.ts. Calls: strace.
 */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** One change of a file, or a line that the program has said. */
export type DiskStep =
  | { readonly kind: 'write'; readonly path: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly path: string; readonly length: number }
  | { readonly kind: 'sync' | 'create' | 'unlink'; readonly path: string }
  | { readonly kind: 'said'; readonly line: string };

export interface Traced {
  readonly steps: readonly DiskStep[];
  readonly lines: readonly string[];
}

const CALLS = 'pwrite64,write,fsync,fdatasync,ftruncate,openat,unlink';
/** Longer than any page or line that the program writes. */
const MAX_STRING_BYTES = 200_000;

const CALL = /^\d+ +(\w+)\((.*)$/s;

/** The bytes of a string as `strace -xx` prints it. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll('\\x', ''), 'hex');
}

/** What one finished call did; undefined when it failed or has nothing to do with the folder. */
function stepOf(name: string, rest: string, folder: string): DiskStep | undefined {
  if (/\) = -1 /.test(rest)) return undefined;
  const path = /^\d+<((?:\\x[0-9a-f]{2})+|[^>]*)>/.exec(rest)?.[1] ?? '';
  const quoted = /"((?:\\x[0-9a-f]{2})*)"/.exec(rest)?.[1] ?? '';
  if (name === 'write') {
    if (!rest.startsWith('1<')) return undefined;
    return { kind: 'said', line: bytesOf(quoted).toString('utf8').trimEnd() };
  }
  const named = name === 'openat' || name === 'unlink' ? bytesOf(quoted).toString('utf8') : textOf(path);
  if (!named.startsWith(folder) || named.endsWith('-shm')) return undefined;
  switch (name) {
    case 'pwrite64': {
      const offset = Number(/, (\d+)\) = \d+$/.exec(rest)?.[1]);
      const written = Number(/\) = (\d+)$/.exec(rest)?.[1]);
      return { kind: 'write', path: named, offset, bytes: bytesOf(quoted).subarray(0, written) };
    }
    case 'ftruncate':
      return { kind: 'truncate', path: named, length: Number(/, (\d+)\) = 0/.exec(rest)?.[1]) };
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', path: named };
    case 'openat':
      return rest.includes('O_CREAT') ? { kind: 'create', path: named } : undefined;
    case 'unlink':
      return { kind: 'unlink', path: named };
    default:
      return undefined;
  }
}

/** Paths of descriptors are printed as hexadecimal as well, or plain. */
function textOf(path: string): string {
  return path.startsWith('\\x') ? bytesOf(path).toString('utf8') : path;
}

/**
 * Runs `args` with Node under strace until `isEnough` says so of the lines that it has said; then it is killed. Rejects
 * when it ends before that. `record`: a file for what strace sees.
 */
export async function traceDisk(
  args: readonly string[],
  folder: string,
  record: string,
  isEnough: (lines: number) => boolean,
): Promise<Traced> {
  const tracer = spawn(
    'strace',
    [
      ...['-f', '-qq', '-y', '-xx', '--seccomp-bpf', '-s', String(MAX_STRING_BYTES)],
      ...['-e', `trace=${CALLS}`, '-e', 'signal=none', '-o', record, process.execPath, ...args],
    ],
    { stdio: ['ignore', 'pipe', 'ignore'], detached: true },
  );
  const ended = new Promise<void>((done) => tracer.once('close', () => done()));
  let said = 0;
  let enough = false;
  for await (const _line of createInterface({ input: tracer.stdout })) {
    said += 1;
    if (enough || !isEnough(said)) continue;
    enough = true;
    if (tracer.pid !== undefined) process.kill(-tracer.pid, 'SIGKILL');
  }
  await ended;
  if (!enough) throw new Error(`the program ended by itself after ${said} lines`);
  return readTrace(record, folder);
}

async function readTrace(record: string, folder: string): Promise<Traced> {
  const unfinished = new Map<string, string>();
  const steps: DiskStep[] = [];
  const lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(record, 'latin1') })) {
    const whole = joined(line, unfinished);
    const call = whole === undefined ? null : CALL.exec(whole);
    if (call?.[1] === undefined || call[2] === undefined) continue;
    const step = stepOf(call[1], call[2], folder);
    if (step === undefined) continue;
    steps.push(step);
    if (step.kind === 'said') lines.push(step.line);
  }
  return { steps, lines };
}

/** Calls of several threads overlap: the two halves of one are put together. */
function joined(line: string, unfinished: Map<string, string>): string | undefined {
  const pid = /^\d+/.exec(line)?.[0] ?? '';
  const begun = /^(.*) <unfinished \.\.\.>$/s.exec(line)?.[1];
  if (begun !== undefined) {
    unfinished.set(pid, begun);
    return undefined;
  }
  const resumed = /<\.\.\. \w+ resumed>(.*)$/s.exec(line)?.[1];
  if (resumed === undefined) return line;
  const first = unfinished.get(pid);
  unfinished.delete(pid);
  // The result of such a call stands in a column of its own.
  return first === undefined ? undefined : first + resumed.replace(/\) +=/, ') =');
}
