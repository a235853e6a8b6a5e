/**
 * Owns: the figures of MSRP between two processes: bulk, small messages, both together, many sessions, the parser.
 * Called by: ../main.ts. Calls: stand.ts, raw.ts, parsing.ts as a process.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { MsrpSession } from '../../../main/msrp/session.ts';
import type { MsrpBodySource } from '../../../main/msrp/streams.ts';
import { summarise, type Summary } from '../summary.ts';
import type { ParsingFigures } from './parsing.ts';
import { FILE_TYPE } from './peer-protocol.ts';
import { echoRaw, pourRaw, pourTls } from './raw.ts';
import { Stand } from './stand.ts';

const RUNS = 5;
const RAW_BYTES = 512 * 1024 * 1024;
const TLS_BYTES = 384 * 1024 * 1024;
const BULK_BYTES = 512 * 1024 * 1024;
const FILE_BYTES = 64 * 1024 * 1024;
/** Bytes as compressed files have them: nothing that a search could skip. */
const PIECE = randomBytes(64 * 1024);
const SMALL_BYTES = 300;
const PIPELINED = 120_000;
const ROUND_TRIPS = 6_000;
const BESIDE = 600;
const WARM_UP = 1_000;
const IDLE = 10_000;
const ACTIVE = 1_000;
const ACTIVE_MS = 5_000;
/** Small, so that the shares are counted finely enough. */
const ACTIVE_BYTES = 16 * 1024;

/** Everything that is measured; rates a second, times in µs. */
export interface MsrpFigures {
  readonly rawMegabytes: number;
  readonly megabytes: number;
  readonly rawTlsMegabytes: number;
  readonly tlsMegabytes: number;
  /** Medians of the ratios of neighbouring runs. */
  readonly bulkRatio: number;
  readonly tlsRatio: number;
  readonly rawEcho: Summary;
  readonly roundTrip: Summary;
  readonly pipelined: number;
  /** Of the sending process; what others take from the machine does not count. */
  readonly pipelinedCpuUs: number;
  readonly besideBulk: Summary;
  readonly besideMegabytes: number;
  readonly idle: { readonly bytes: number; readonly rss: number };
  readonly fairness: number;
  readonly activeMegabytes: number;
  readonly parsing: ParsingFigures;
}

let serial = 0;
const nextId = (): string => `bench${String(++serial).padStart(10, '0')}`;

async function send(session: MsrpSession, body: Buffer): Promise<void> {
  const message = { messageId: nextId(), contentType: 'text/plain', body };
  const { status } = await session.sendMessage(message);
  if (status !== 200) throw new Error(`a message was answered with ${status}`);
}

async function medianOf(measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let run = 0; run < RUNS; run++) values.push(await measure());
  return summarise(values).p50;
}

/** A file whose content is always there: the same piece again and again. */
function endlessFile(size: number): MsrpBodySource {
  let left = size;
  return {
    size,
    open: () => undefined,
    take: (maxBytes) => {
      const bytes = PIECE.subarray(0, Math.min(maxBytes, left));
      left -= bytes.length;
      return bytes;
    },
    release: () => undefined,
    close: () => undefined,
  };
}

async function sendFile(session: MsrpSession, bytes: number): Promise<void> {
  const message = { messageId: nextId(), contentType: FILE_TYPE, body: endlessFile(bytes) };
  const { status } = await session.sendMessage(message);
  if (status !== 200) throw new Error(`a file was answered with ${status}`);
}

/** One file, as a message in chunks of 64 KB; MB/s. */
async function pour(session: MsrpSession, bytes: number): Promise<number> {
  const began = performance.now();
  await sendFile(session, bytes);
  return bytes / 1e6 / ((performance.now() - began) / 1_000);
}

function medianRatio(values: readonly number[], of: readonly number[]): number {
  return summarise(values.map((value, index) => value / (of[index] ?? NaN))).p50;
}

async function measurePipelined(session: MsrpSession): Promise<number> {
  const body = Buffer.alloc(SMALL_BYTES, 'x');
  const began = performance.now();
  let left = PIPELINED;
  const lane = async (): Promise<void> => {
    while (left-- > 0) await send(session, body);
  };
  await Promise.all(Array.from({ length: 512 }, lane));
  return PIPELINED / ((performance.now() - began) / 1_000);
}

async function measureRoundTrips(session: MsrpSession): Promise<Summary> {
  const body = Buffer.alloc(SMALL_BYTES, 'x');
  const times: number[] = [];
  for (let round = 0; round < ROUND_TRIPS; round++) {
    const began = performance.now();
    await send(session, body);
    times.push((performance.now() - began) * 1_000);
  }
  return summarise(times.slice(ROUND_TRIPS / 6));
}

/** Small messages on a session that carries a file at full speed. */
async function measureBeside(session: MsrpSession): Promise<{ times: Summary; megabytes: number }> {
  const body = Buffer.alloc(SMALL_BYTES, 'x');
  const times: number[] = [];
  let poured = 0;
  let over = false;
  const began = performance.now();
  const file = (async () => {
    while (!over) {
      await sendFile(session, FILE_BYTES);
      poured += FILE_BYTES;
    }
  })();
  for (let round = 0; round < BESIDE; round++) {
    const sent = performance.now();
    await send(session, body);
    times.push((performance.now() - sent) * 1_000);
    await new Promise((done) => setTimeout(done, 2));
  }
  over = true;
  await file;
  return { times: summarise(times), megabytes: poured / 1e6 / ((performance.now() - began) / 1_000) };
}

/** A thousand sessions that send all they can: the most that one of them moved against the least. */
async function measureActive(
  stand: Stand,
  sessions: readonly MsrpSession[],
  offset: number,
): Promise<{ fairness: number; megabytes: number }> {
  let over = false;
  const before = (await stand.ask('received', { ask: 'received' })).received;
  const began = performance.now();
  const lanes = sessions.map(async (session) => {
    while (!over) await sendFile(session, ACTIVE_BYTES);
  });
  await new Promise((done) => setTimeout(done, ACTIVE_MS));
  over = true;
  const seconds = (performance.now() - began) / 1_000;
  const { received } = await stand.ask('received', { ask: 'received' });
  await Promise.all(lanes);
  const shares = sessions.map((_, index) => (received[offset + index] ?? 0) - (before[offset + index] ?? 0));
  const least = Math.min(...shares);
  const most = Math.max(...shares);
  return {
    fairness: most / Math.max(1, least),
    megabytes: shares.reduce((sum, bytes) => sum + bytes, 0) / 1e6 / seconds,
  };
}

/** When they are closed the peer knows it, and visits by none of their connections any more. */
async function closeAll(sessions: readonly MsrpSession[]): Promise<void> {
  await Promise.all(sessions.map((session) => session.close()));
}

function measureParsing(): ParsingFigures {
  const script = fileURLToPath(new URL('parsing.ts', import.meta.url));
  const args = ['--expose-gc', '--max-semi-space-size=128', script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as ParsingFigures;
}

function note(text: string): void {
  process.stderr.write(`  ${text}\n`);
}

/** All figures of MSRP. */
export async function measureMsrp(): Promise<MsrpFigures> {
  const parsing = measureParsing();
  await using stand = await Stand.start();
  // What a process allocates once is no matter of the sessions.
  await closeAll(await stand.openSessions(WARM_UP));
  const memoryBefore = await stand.ask('memory', { ask: 'memory' });
  const many = await stand.openSessions(IDLE);
  const memory = await stand.ask('memory', { ask: 'memory' });
  const idle = {
    bytes: (memory.bytes - memoryBefore.bytes) / IDLE,
    rss: (memory.rss - memoryBefore.rss) / IDLE,
  };
  note(`${IDLE} idle sessions: ${idle.bytes.toFixed(0)} bytes each`);
  const active = await measureActive(stand, many.slice(0, ACTIVE), WARM_UP);
  await closeAll(many);

  const [session] = await stand.openSessions(1, { encrypted: false, files: true });
  const [secret] = await stand.openSessions(1, { encrypted: true, files: true });
  if (session === undefined || secret === undefined) throw new Error('no session');
  for (let run = 0; run < 2; run++) {
    await pour(session, BULK_BYTES / 4);
    await pour(secret, TLS_BYTES);
  }
  const [raws, pours, rawTls, poursTls]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let run = 0; run < RUNS; run++) {
    raws.push(await pourRaw(stand, RAW_BYTES));
    pours.push(await pour(session, BULK_BYTES));
    rawTls.push(await pourTls(stand, TLS_BYTES));
    poursTls.push(await pour(secret, TLS_BYTES));
    const [raw = 0, plain = 0, rawOfTls = 0, ofTls = 0] = [raws, pours, rawTls, poursTls].map((all) =>
      all.at(-1),
    );
    note(
      `MB/s: TCP ${raw.toFixed(0)}, MSRP ${plain.toFixed(0)}, TLS ${rawOfTls.toFixed(0)}, MSRP over it ${ofTls.toFixed(0)}`,
    );
  }
  const rawEcho = await echoRaw(stand);
  const roundTrip = await measureRoundTrips(session);
  await measurePipelined(session);
  const cpuBefore = process.cpuUsage();
  const pipelined = await medianOf(() => measurePipelined(session));
  const cpu = process.cpuUsage(cpuBefore);
  const beside = await measureBeside(session);
  return {
    rawMegabytes: summarise(raws).p50,
    megabytes: summarise(pours).p50,
    rawTlsMegabytes: summarise(rawTls).p50,
    tlsMegabytes: summarise(poursTls).p50,
    bulkRatio: medianRatio(pours, raws),
    tlsRatio: medianRatio(poursTls, rawTls),
    rawEcho,
    roundTrip,
    pipelined,
    pipelinedCpuUs: (cpu.user + cpu.system) / (RUNS * PIPELINED),
    besideBulk: beside.times,
    besideMegabytes: beside.megabytes,
    idle,
    fairness: active.fairness,
    activeMegabytes: active.megabytes,
    parsing,
  };
}
