/**
 * Owns: the bad days of a disk, tried on the store as the program uses it: the power goes, writes fail, the program is
 * killed. Each returns what was wrong afterwards.
 * Called by: main.ts, test/bad-days/disk.test.ts. Calls: strace, writer.ts, audit.ts.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { auditStore, type Said } from './audit.ts';
import { CrashDisk, type Fate } from './crash-disk.ts';
import { traceDisk } from './disk-trace.ts';

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));
const DATABASE = 'history.sqlite';
const FATES: readonly Fate[] = ['none', 'some', 'torn', 'all'];
/** The writer hands in so many at once: beyond what it has said there may be these. */
const UNDER_WAY = 4;

/** What is wrong after one bad day, and which it was: enough to try it again. */
export interface Fault {
  readonly day: string;
  readonly faults: readonly string[];
}

/** Why power cuts and failing writes cannot be tried on this machine; undefined when they can. */
export function traceMissing(): string | undefined {
  const { status } = spawnSync('strace', ['-f', '-qq', '-o', '/dev/null', 'true'], { stdio: 'ignore' });
  return status === 0 ? undefined : 'strace is not installed, or may not look into programs here';
}

/** Pseudo-random numbers from a seed: a run can be repeated (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-crash-'));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function saidOf(lines: readonly string[]): Said {
  const numbers = (kind: string) =>
    lines.flatMap((line) => (line.startsWith(`${kind} `) ? [Number(line.split(' ')[1])] : []));
  const stored = numbers('stored');
  const last = Math.max(0, ...stored, ...numbers('refused')) + UNDER_WAY;
  return { stored: new Set(stored), last };
}

/**
 * The power goes at `cuts` moments of one run that stores `messages`, each time with another part of what was not
 * forced to the disk.
 */
export function cutPower(cuts: number, messages: number, random: () => number): Promise<Fault[]> {
  return inFolder(async (folder) => {
    const home = join(folder, 'live');
    await mkdir(home);
    const { steps } = await traceDisk(
      [WRITER, join(home, DATABASE)],
      home,
      join(folder, 'trace'),
      (count) => count >= messages,
    );
    const moments = Array.from({ length: cuts }, () => Math.floor(random() * steps.length)).sort(
      (a, b) => a - b,
    );
    const disk = new CrashDisk();
    const lines: string[] = [];
    const found: Fault[] = [];
    let taken = 0;
    for (const [index, moment] of moments.entries()) {
      for (; taken < moment; taken += 1) {
        const step = steps[taken];
        if (step === undefined) break;
        disk.take(step);
        if (step.kind === 'said') lines.push(step.line);
      }
      const fate = FATES[index % FATES.length] ?? 'none';
      const place = join(folder, `cut-${index}`);
      await mkdir(place);
      await disk.writeTo(place, fate, random);
      const faults = await auditStore(join(place, DATABASE), saidOf(lines));
      if (faults.length > 0) found.push({ day: `power cut before step ${moment}, written: ${fate}`, faults });
      await rm(place, { recursive: true });
    }
    return found;
  });
}

/** How a call on the files of the database fails. */
export interface DiskFault {
  readonly call: 'pwrite64' | 'fsync' | 'ftruncate';
  readonly error: 'EIO' | 'ENOSPC';
  /** The nth such call, counted from the start of the program. */
  readonly nth: number;
  /** Only this one, or every one from here on until the program ends. */
  readonly lasts: boolean;
}

/**
 * One call on the disk fails while messages are stored; then the program is started again on a sound disk. `happened`:
 * the program came as far as that call.
 */
export function failDisk(
  fault: DiskFault,
  messages: number,
): Promise<{ readonly happened: boolean; readonly found: Fault[] }> {
  const { call, error, nth, lasts } = fault;
  return inFolder(async (folder) => {
    const path = join(folder, DATABASE);
    const record = join(folder, 'trace');
    const lines = await runWriter(
      [
        'strace',
        ...['-f', '-qq', '--seccomp-bpf', '-o', record],
        ...['-P', path, '-P', `${path}-wal`, '-P', `${path}-journal`],
        ...['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${nth}${lasts ? '+' : ''}`],
        process.execPath,
      ],
      [path, '1', String(messages)],
    );
    const day = `${call} number ${nth}${lasts ? ' and all later ones' : ''}: ${error}`;
    const unnamed = lines.filter(
      (line) => /^(refused|unopened) /.test(line) && !/ STORE_[A-Z_]+$/.test(line),
    );
    const faults = unnamed.map((line) => `no sentence for the user: ${line}`);
    faults.push(...(await auditStore(path, saidOf(lines))));
    const happened = (await readFile(record, 'latin1')).includes('(INJECTED)');
    return { happened, found: faults.length > 0 ? [{ day, faults }] : [] };
  });
}

/** The program is killed `kills` times at random moments on one history, which is looked through each time. */
export function killWriter(kills: number, random: () => number): Promise<Fault[]> {
  return inFolder(async (folder) => {
    const path = join(folder, DATABASE);
    const stored = new Set<number>();
    const found: Fault[] = [];
    let last = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      const after = Math.floor(random() * 60);
      const lines = await runWriter([process.execPath], [path, String(last + 1)], after, random() * 4);
      const said = saidOf(lines);
      for (const number of said.stored) stored.add(number);
      last = Math.max(last, said.last);
      const faults = await auditStore(path, { stored, last });
      if (faults.length > 0) found.push({ day: `kill ${kill}, ${after} messages after its start`, faults });
    }
    return found;
  });
}

/** The lines of the writer; killed after so many of them, and so many ms. */
async function runWriter(
  [program = '', ...before]: readonly string[],
  args: readonly string[],
  killAfter = Infinity,
  killAfterMs = 0,
): Promise<string[]> {
  const child = spawn(program, [...before, WRITER, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const lines: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length < killAfter) continue;
    timer ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  }
  clearTimeout(timer);
  await ended;
  return lines;
}
