/**
 * Owns: how many calls and registrations a second the SIP engine carries with a drachtio-srf application, what it needs
 * for an idle dialog, and what sipp alone does in the same run. Called by: ../main.ts. Calls: sipp.ts, engine.ts, application.ts.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SERVER_FLAGS } from '../../../build/server-flags.mjs';
import { freePort } from '../../support/free-port.ts';
import type { Summary } from '../summary.ts';
import { runLoad, startCalled, type LoadResult, type Scenario } from './sipp.ts';

/** Why this part cannot be measured here, or `undefined`. */
export const loadMissing = existsSync('/usr/bin/sipp')
  ? undefined
  : 'SIP load is not measured: sipp is not installed (Debian package sip-tester)';

const SECRET = 'bench';
const SECONDS = 10;
const CALL_RATES = [250, 500, 750, 1_000, 1_250, 1_500, 1_750, 2_000];
const SIPP_RATES = [1_000, 2_000, 3_000, 4_000, 5_000];
/** Devices a second; each sends eleven REGISTERs, ten of them with credentials. */
const DEVICE_RATES = [100, 300, 450, 600, 750, 900];
/** Half of what the engine has to carry at least, 1 500 calls and 6 000 REGISTERs a second; how often it is tried. */
const EVERYDAY_CALLS = 750;
const EVERYDAY_DEVICES = 275;
const EVERYDAY_RUNS = 5;
const HELD_CALLS = 5_000;
const ENDURANCE_CALLS = 200_000;
const ENDURANCE_RATE = 350;
/** Until the last transaction of a call has waited out its time. */
const SETTLE_MS = 40_000;

/** The highest rate without a failed call, and the answers at an everyday one. */
export interface CleanRate {
  readonly perSecond: number;
  /** How long answers took at the everyday rate: in each of several runs, in ms. */
  readonly everyday: readonly Summary[];
}

interface Memory {
  /** Of the heap and of buffers beside it. */
  readonly bytes: number;
  readonly rss: number;
  readonly cpuS: number;
  readonly dialogs: number;
}

/** An engine and an application, each a process of its own. */
class Stand implements AsyncDisposable {
  readonly folder: string;
  readonly port: number;
  readonly #engine: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #application: ChildProcess;
  #runs = 0;

  private constructor(
    folder: string,
    port: number,
    engine: ChildProcess,
    lines: AsyncIterator<string>,
    application: ChildProcess,
  ) {
    this.folder = folder;
    this.port = port;
    this.#engine = engine;
    this.#lines = lines;
    this.#application = application;
  }

  static async start(folder: string, calledPort: number): Promise<Stand> {
    const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
    // As `npm run engine` and a server are started.
    const engine = spawn(process.execPath, [...SERVER_FLAGS, '--expose-gc', path('engine.ts'), SECRET], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = linesOf(engine)[Symbol.asyncIterator]();
    const { port, admin } = JSON.parse((await lines.next()).value as string) as {
      port: number;
      admin: number;
    };
    const called = `sip:called@127.0.0.1:${calledPort}`;
    const application = spawn(
      process.execPath,
      [...SERVER_FLAGS, path('application.ts'), String(admin), SECRET, called],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await linesOf(application)[Symbol.asyncIterator]().next();
    return new Stand(folder, port, engine, lines, application);
  }

  async run(scenario: Scenario, rate: number, calls: number): Promise<LoadResult> {
    this.#runs += 1;
    const folder = join(this.folder, `run-${this.#runs}`);
    await mkdir(folder);
    const port = await freePort();
    return runLoad({ scenario, rate, calls, port, folder, target: `127.0.0.1:${this.port}` });
  }

  async memory(): Promise<Memory> {
    this.#engine.stdin?.write('memory\n');
    return JSON.parse((await this.#lines.next()).value as string) as Memory;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = [this.#engine, this.#application].map((child) => once(child, 'exit'));
    this.#application.kill();
    this.#engine.stdin?.end();
    await Promise.all(ended);
  }
}

function linesOf(child: ChildProcess): Interface {
  if (child.stdout === null) throw new Error('no output');
  return createInterface({ input: child.stdout });
}

const isClean = ({ failed, succeeded }: LoadResult, calls: number): boolean =>
  failed === 0 && succeeded === calls;

/** Climbs until a run is not clean: the highest rate that was. */
async function climb(
  rates: readonly number[],
  run: (rate: number, seconds: number) => Promise<LoadResult>,
): Promise<number> {
  let best = 0;
  for (const rate of rates) {
    let result = await run(rate, SECONDS);
    // A machine that was idle a moment ago, or has other guests, may lose a datagram: once more.
    if (!isClean(result, rate * SECONDS)) result = await run(rate, SECONDS);
    tell(rate, result);
    if (!isClean(result, rate * SECONDS)) break;
    best = rate;
  }
  return best;
}

/** Several runs at a rate that leaves the machine some air, once what went before is over. */
async function measureEveryday(
  rate: number,
  run: (rate: number, seconds: number) => Promise<LoadResult>,
): Promise<Summary[]> {
  await settle();
  const times: Summary[] = [];
  for (let round = 0; round < EVERYDAY_RUNS; round += 1) {
    const result = await run(rate, SECONDS);
    tell(rate, result);
    times.push(result.times);
  }
  return times;
}

function tell(rate: number, { succeeded, failed, times }: LoadResult): void {
  process.stderr.write(`  ${rate}/s: ${succeeded} well, ${failed} failed, p99 ${times.p99} ms\n`);
}

/** All figures of the SIP engine under load. */
export async function measureLoad(): Promise<{
  /** Calls a second of sipp with sipp. */
  readonly alone: number;
  readonly calls: CleanRate;
  readonly registers: CleanRate;
  readonly bytesPerDialog: number;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-load-'));
  try {
    const alone = await measureAlone(folder);
    const calledPort = await freePort();
    await using _called = startCalled(calledPort);
    let calls: CleanRate;
    {
      await using stand = await Stand.start(await subFolder(folder, 'calls'), calledPort);
      await stand.run('caller', 300, 3_000);
      const run = (rate: number, seconds: number) => stand.run('caller', rate, rate * seconds);
      calls = {
        perSecond: await climb(CALL_RATES, run),
        everyday: await measureEveryday(EVERYDAY_CALLS, run),
      };
    }
    let registers: CleanRate;
    {
      await using stand = await Stand.start(await subFolder(folder, 'registers'), calledPort);
      const run = (rate: number, seconds: number) => stand.run('device', rate, rate * seconds);
      registers = {
        perSecond: await climb(DEVICE_RATES, run),
        everyday: await measureEveryday(EVERYDAY_DEVICES, run),
      };
    }
    await using stand = await Stand.start(await subFolder(folder, 'idle'), calledPort);
    return { alone, calls, registers, bytesPerDialog: await measureIdle(stand) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the engine holds after a twentieth of many calls, and after all of them, once their transactions are over. */
export interface Endurance {
  readonly calls: number;
  readonly failed: number;
  readonly bytesAtFirst: number;
  readonly bytesAtLast: number;
}

/** Many calls, one after the other: a heap that grows with them shows. */
export async function measureEndurance(): Promise<Endurance> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-endurance-'));
  try {
    const calledPort = await freePort();
    await using _called = startCalled(calledPort);
    await using stand = await Stand.start(folder, calledPort);
    const first = await stand.run('caller', ENDURANCE_RATE, ENDURANCE_CALLS / 20);
    await settle();
    const { bytes: bytesAtFirst } = await stand.memory();
    const rest = await stand.run('caller', ENDURANCE_RATE, ENDURANCE_CALLS - ENDURANCE_CALLS / 20);
    await settle();
    const { bytes: bytesAtLast } = await stand.memory();
    return { calls: ENDURANCE_CALLS, failed: first.failed + rest.failed, bytesAtFirst, bytesAtLast };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** sipp calls sipp: what this machine can do without anybody between them. */
async function measureAlone(folder: string): Promise<number> {
  const port = await freePort();
  await using _called = startCalled(port);
  let runs = 0;
  return await climb(SIPP_RATES, async (rate, seconds) => {
    const own = await subFolder(folder, `alone-${(runs += 1)}`);
    const from = await freePort();
    return runLoad({
      scenario: 'caller',
      rate,
      calls: rate * seconds,
      port: from,
      folder: own,
      target: `127.0.0.1:${port}`,
    });
  });
}

/** Memory of the engine for each idle dialog, both legs of calls that nobody ends. */
async function measureIdle(stand: Stand): Promise<number> {
  await stand.run('caller', 300, 3_000);
  await settle();
  const before = await stand.memory();
  await stand.run('holder', 500, HELD_CALLS);
  await settle();
  const after = await stand.memory();
  return (after.bytes - before.bytes) / (after.dialogs - before.dialogs);
}

async function subFolder(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  return path;
}

async function settle(): Promise<void> {
  await new Promise((done) => setTimeout(done, SETTLE_MS));
}
