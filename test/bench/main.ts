/**
 * Owns: `npm run bench`: how fast the flow, a message, the start and the SIP engine are, beside the raw limits of the
 * machine. Called by: the command line; `--json` prints one object, `--only flow`, `sip`, `msrp`,
 * `relay`, `imserver`, `files`, `history`, `window` or (only so) `endurance`, `starts` a part.
 * Calls: the programs as processes, raw-limits.ts, sip/load.ts, msrp/figures.ts.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program } from '../../main/hosts/headless/child-process.ts';
import {
  introduce,
  say,
  sessionIn,
  startPlayer,
  startServer,
  type Player,
} from '../../main/hosts/headless/flow-conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { measureEcho, measureSync } from './raw-limits.ts';
import { measureImServer } from './imserver/figures.ts';
import { measureFiles } from './files/transfer.ts';
import { growthTable } from './history/growth.ts';
import { measureHistory } from './history/measure.ts';
import { measureMsrpFigures } from './msrp/figures.ts';
import { measureRelayFigures } from './relay/figures.ts';
import { loadMissing, measureEndurance, measureLoad, type CleanRate } from './sip/load.ts';
import { measureStarts } from './window/starts.ts';
import { measureWindow, windowMissing } from './window/measure.ts';
import { summarise, type Figure, type Summary } from './summary.ts';

const SESSIONS = 30;
const ROUND_TRIPS = 300;
const BURST = 2_000;
const STARTS = 5;

/** Steps 2 to 10: from the call to both sides open, in ms; the first sessions warm up. */
async function measureSessions(bob: Player, tom: Player, conversationId: ConversationId): Promise<Summary> {
  const times: number[] = [];
  for (let round = 0; round < SESSIONS; round++) {
    const open = Promise.all([sessionIn(bob, 'open'), sessionIn(tom, 'open')]);
    const began = performance.now();
    const { id } = await bob.client.call('session.start', { conversationId });
    await open;
    times.push(performance.now() - began);
    const ended = Promise.all([sessionIn(bob, 'ended'), sessionIn(tom, 'ended')]);
    await bob.client.call('session.end', { sessionId: id });
    await ended;
  }
  return summarise(times.slice(SESSIONS / 5));
}

/** From the call to "the other side has it on disk", in ms. */
async function measureRoundTrips(bob: Player, tom: Player, conversationId: ConversationId): Promise<Summary> {
  const times: number[] = [];
  for (let round = 0; round < ROUND_TRIPS; round++) {
    const began = performance.now();
    await say(bob, tom, conversationId, `round trip ${round} of the bench`);
    times.push(performance.now() - began);
  }
  return summarise(times.slice(ROUND_TRIPS / 10));
}

/** Many messages at once: how many a second are stored on both disks and confirmed. */
async function measureBurst(bob: Player, conversationId: ConversationId): Promise<number> {
  let confirmed = 0;
  const done = Promise.withResolvers<void>();
  const release = bob.client.on('message.changed', ({ message }) => {
    if (message.state === 'delivered' && message.text.startsWith('burst ') && ++confirmed === BURST)
      done.resolve();
  });
  const began = performance.now();
  const calls = Array.from({ length: BURST }, (_, index) => `burst ${index}`);
  for (let from = 0; from < BURST; from += 100) {
    await Promise.all(
      calls.slice(from, from + 100).map((text) => bob.client.call('message.send', { conversationId, text })),
    );
  }
  await done.promise;
  release();
  return BURST / ((performance.now() - began) / 1_000);
}

async function measureStart(folder: string): Promise<Summary> {
  const times: number[] = [];
  for (let round = 0; round < STARTS; round++) {
    const began = performance.now();
    const program = await Program.start('main.ts', ['--profile', join(folder, 'start')]);
    times.push(performance.now() - began);
    await program[Symbol.asyncDispose]();
  }
  return summarise(times);
}

/** A Node process that does nothing: nothing of ours can start faster. */
async function measureEmptyStart(): Promise<Summary> {
  const times: number[] = [];
  for (let round = 0; round < STARTS; round++) {
    const began = performance.now();
    const program = await Program.start('../../../test/bench/empty.ts', []);
    times.push(performance.now() - began);
    await program[Symbol.asyncDispose]();
  }
  return summarise(times);
}

async function measureAll(folder: string): Promise<Figure[]> {
  const [echo, sync] = [await measureEcho(), await measureSync()];
  const empty = await measureEmptyStart();
  const start = await measureStart(folder);
  const { program, sip } = await startServer(folder, { bob: 'bench-bob', tom: 'bench-tom' });
  await using _server = program;
  const uri = sip.find((one) => one.endsWith('transport=tcp')) ?? '';
  await using bob = await startPlayer(folder, 'bob', 'bench-bob', uri);
  await using tom = await startPlayer(folder, 'tom', 'bench-tom', uri);
  const { ofBob } = await introduce(bob, tom);
  const sessions = await measureSessions(bob, tom, ofBob);
  const roundTrips = await measureRoundTrips(bob, tom, ofBob);
  const burst = await measureBurst(bob, ofBob);
  // A message crosses the loopback once there and once back, and is forced to a disk on both sides.
  const rawMessage = echo.p50 + 2 * sync.p50;
  return [
    { name: 'raw: TCP echo of 300 bytes', unit: 'ms', p50: echo.p50, p99: echo.p99 },
    { name: 'raw: 4 KB forced to disk', unit: 'ms', p50: sync.p50, p99: sync.p99 },
    { name: 'raw: empty Node process', unit: 'ms', p50: empty.p50 },
    {
      name: 'flow, steps 2 to 10',
      unit: 'ms',
      p50: sessions.p50,
      p99: sessions.p99,
      ratio: { of: '6 raw echoes', value: sessions.p50 / (6 * echo.p50) },
    },
    {
      name: 'message, stored on both disks',
      unit: 'ms',
      p50: roundTrips.p50,
      p99: roundTrips.p99,
      ratio: { of: 'echo + 2 disk', value: roundTrips.p50 / rawMessage },
    },
    {
      name: 'messages in a burst',
      unit: 'messages/s',
      p50: burst,
      ratio: { of: '1 disk write each', value: 1_000 / burst / sync.p50 },
    },
    {
      name: 'start to ready, no window',
      unit: 'ms',
      p50: start.p50,
      ratio: { of: 'empty process', value: start.p50 / empty.p50 },
    },
  ];
}

/** A rate without a failure, and how long answers took in several runs at the everyday rate: the median run and the worst. */
function rateFigures(name: string, unit: Figure['unit'], rate: CleanRate, times = 1): Figure[] {
  const { everyday, perSecond } = rate;
  const p50 = summarise(everyday.map((run) => run.p50)).p50;
  const worst = Math.max(...everyday.map(({ p99 }) => p99));
  return [
    { name, unit, p50: perSecond * times },
    {
      name: `${name}: answer at the everyday rate`,
      unit: 'ms',
      p50,
      p99: summarise(everyday.map((run) => run.p99)).p50,
    },
    { name: `${name}: p99 of the worst run of ${everyday.length}`, unit: 'ms', p50: worst },
  ];
}

/** The SIP engine with a drachtio-srf application, sipp on both sides. */
async function measureSip(): Promise<Figure[]> {
  if (loadMissing !== undefined) {
    process.stderr.write(`${loadMissing}\n`);
    return [];
  }
  const { alone, calls, registers, bytesPerDialog } = await measureLoad();
  const [callRate, ...callTimes] = rateFigures('calls through a B2BUA', 'calls/s', calls);
  const ratio = { of: 'sipp calling sipp', value: calls.perSecond / Math.max(1, alone) };
  return [
    { name: 'raw: sipp calls sipp', unit: 'calls/s', p50: alone },
    ...(callRate === undefined ? [] : [{ ...callRate, ratio }]),
    ...callTimes,
    // Eleven REGISTERs of each device.
    ...rateFigures('REGISTERs with digest', 'REGISTERs/s', registers, 11),
    { name: 'memory of an idle dialog', unit: 'bytes', p50: bytesPerDialog },
  ];
}

/** Takes over ten minutes, so only when it is asked for. */
async function measureSipEndurance(): Promise<Figure[]> {
  if (loadMissing !== undefined) {
    process.stderr.write(`${loadMissing}\n`);
    return [];
  }
  const { calls, failed, bytesAtFirst, bytesAtLast } = await measureEndurance();
  return [
    { name: `${calls.toLocaleString('en')} calls, failed`, unit: 'calls', p50: failed },
    { name: 'engine after a twentieth of them', unit: 'bytes', p50: bytesAtFirst },
    {
      name: 'engine after all of them',
      unit: 'bytes',
      p50: bytesAtLast,
      ratio: { of: 'that', value: bytesAtLast / bytesAtFirst },
    },
  ];
}

function formatTable(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, unit, p50, p99, ratio }) =>
    [
      name.padEnd(44),
      p50.toFixed(p50 < 10 ? 3 : 0).padStart(10),
      (p99 === undefined ? '' : p99.toFixed(p99 < 10 ? 3 : 0)).padStart(10),
      ` ${unit}`.padEnd(14),
      ratio === undefined ? '' : `${ratio.value.toFixed(2)} × ${ratio.of}`,
    ].join(''),
  );
  return [`${''.padEnd(44)}${'p50'.padStart(10)}${'p99'.padStart(10)}`, ...rows, ''].join('\n');
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Over a history of `--messages` (100,000 when nothing is said); `--keep FOLDER`: it stays there for the next run. */
async function measureTheWindow(folder: string): Promise<Figure[]> {
  if (windowMissing !== undefined) {
    process.stderr.write(`${windowMissing}\n`);
    return [];
  }
  return measureWindow(join(folder, 'window'), Number(option('--messages') ?? 100_000), option('--keep'));
}

/** The same, of its starts alone, many of them. */
async function measureTheStarts(folder: string): Promise<Figure[]> {
  if (windowMissing !== undefined) {
    process.stderr.write(`${windowMissing}\n`);
    return [];
  }
  return measureStarts(join(folder, 'starts'), Number(option('--messages') ?? 100_000), option('--keep'));
}

/** Histories of each length in `--messages 100000,1000000`; `--keep FOLDER`: they stay there for the next run. */
async function measureHistories(folder: string): Promise<Map<number, Figure[]>> {
  const keep = option('--keep');
  if (keep !== undefined) await mkdir(keep, { recursive: true });
  const measured = new Map<number, Figure[]>();
  for (const messages of (option('--messages') ?? '100000').split(',').map(Number)) {
    measured.set(messages, await measureHistory(folder, messages, keep));
  }
  return measured;
}

const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
try {
  const only = process.argv[process.argv.indexOf('--only') + 1];
  const wants = (part: string) => !process.argv.includes('--only') || only === part;
  const figures = [
    ...(wants('flow') ? await measureAll(folder) : []),
    ...(wants('sip') ? await measureSip() : []),
    ...(only === 'endurance' ? await measureSipEndurance() : []),
    ...(wants('window') ? await measureTheWindow(folder) : []),
    ...(only === 'starts' ? await measureTheStarts(folder) : []),
    ...(wants('msrp') ? await measureMsrpFigures() : []),
    ...(wants('relay') ? await measureRelayFigures() : []),
    ...(wants('imserver') ? await measureImServer() : []),
    ...(wants('files') ? await measureFiles() : []),
  ];
  const histories = wants('history') ? await measureHistories(folder) : new Map<number, Figure[]>();
  if (process.argv.includes('--json')) {
    const long = [...histories].flatMap(([messages, of]) =>
      of.map((figure) => ({ ...figure, name: `${messages.toLocaleString('en')}: ${figure.name}` })),
    );
    process.stdout.write(`${JSON.stringify({ figures: [...figures, ...long] }, null, 2)}\n`);
  } else {
    if (figures.length > 0) process.stdout.write(formatTable(figures));
    if (histories.size > 0) process.stdout.write(growthTable(histories));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
