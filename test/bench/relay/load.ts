/**
 * Owns: what goes through the relay between three processes: a file, small messages, many sessions. Called by: figures.ts.
 * Calls: relay-process.ts and receiver.ts as processes, place.ts.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { SERVER_FLAGS } from '../../../build/server-flags.mjs';
import type { MsrpSession } from '../../../main/msrp/session.ts';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import { FILE_TYPE } from '../msrp/peer-protocol.ts';
import { summarise, type Summary } from '../summary.ts';
import { openPlace, type BenchPlace } from './place.ts';
import type { ReceiverReply, ReceiverRequest, RelayReady } from './process-protocol.ts';

const RUNS = 5;
const RAW_BYTES = 512 * 1024 * 1024;
const FILE_BYTES = 256 * 1024 * 1024;
const TLS_BYTES = 96 * 1024 * 1024;
const SMALL_BYTES = 300;
const PIPELINED = 40_000;
const REPORTED = 3_000;
const SESSIONS = 1_000;
const PIECE = randomBytes(64 * 1024);

export interface RelayFigures {
  readonly rawMegabytes: number;
  readonly megabytes: number;
  readonly tlsMegabytes: number;
  /** Medians of the ratios of neighbouring runs. */
  readonly ratio: number;
  readonly tlsRatio: number;
  readonly pipelined: number;
  readonly reported: Summary;
  readonly sessionBytes: number;
}

let serial = 0;
const nextId = (): string => `relay${String(++serial).padStart(10, '0')}`;

class Play implements AsyncDisposable {
  readonly relay: RelayReady;
  readonly raw: number;
  readonly #processes: readonly [ChildProcess, ChildProcess];
  readonly #places: BenchPlace[] = [];
  readonly #reports = new Map<string, () => void>();

  private constructor(processes: readonly [ChildProcess, ChildProcess], relay: RelayReady, raw: number) {
    this.#processes = processes;
    this.relay = relay;
    this.raw = raw;
  }

  static async start(): Promise<Play> {
    const run = (name: string, flags: readonly string[] = []) =>
      fork(fileURLToPath(new URL(name, import.meta.url)), { execArgv: ['--expose-gc', ...flags] });
    const relay = run('relay-process.ts', SERVER_FLAGS);
    const [ready] = (await once(relay, 'message')) as [RelayReady];
    const receiver = run('receiver.ts');
    const [{ raw }] = (await once(receiver, 'message')) as [{ raw: number }];
    return new Play([relay, receiver], ready, raw);
  }

  /** Sessions through the relay, each visited. */
  async open(count: number, encrypted: boolean): Promise<MsrpSession[]> {
    await this.#ask({ ask: 'bind', relay: this.relay, encrypted });
    const place = await openPlace('sender', this.relay, encrypted);
    this.#places.push(place);
    const relay = await place.client.bind();
    const sessions = Array.from({ length: count }, () =>
      place.endpoint.createSession({
        advertisedHost: '127.0.0.1',
        acceptTypes: ['*'],
        relay,
        delegate: {
          receiveMessage: () => Promise.resolve(),
          receiveReport: ({ messageId }) => this.#reports.get(messageId)?.(),
          receiveVisit: () => undefined,
          receiveClose: () => undefined,
        },
      }),
    );
    const paths = sessions.map(({ localPath }) => localPath.map(({ text }) => text).join(' '));
    const { paths: remote } = (await this.#ask({ ask: 'sessions', paths })) as { paths: string[] };
    for (const [index, session] of sessions.entries()) {
      const { status } = await session.visit(parseMsrpPath(remote[index] ?? '', 16));
      if (status !== 200) throw new Error(`a visit was answered with ${status}`);
    }
    return sessions;
  }

  /** Resolves when the success report has come. */
  async sendReported(session: MsrpSession, body: Buffer): Promise<void> {
    const messageId = nextId();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#reports.set(messageId, () => resolve(undefined));
    await session.sendMessage({ messageId, contentType: 'text/plain', body, successReport: true });
    await promise;
    this.#reports.delete(messageId);
  }

  async memory(): Promise<number> {
    this.#processes[0].send('memory');
    const [bytes] = (await once(this.#processes[0], 'message')) as [number];
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, endpoint } of this.#places) {
      await client[Symbol.asyncDispose]();
      await endpoint[Symbol.asyncDispose]();
    }
    for (const process of this.#processes) {
      const ended = once(process, 'exit');
      process.disconnect();
      await ended;
    }
  }

  async #ask(request: ReceiverRequest): Promise<ReceiverReply> {
    const [, receiver] = this.#processes;
    receiver.send(request);
    const [reply] = (await once(receiver, 'message')) as [ReceiverReply];
    return reply;
  }
}

async function pourRaw(port: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const began = performance.now();
  for (let sent = 0; sent < RAW_BYTES; sent += PIECE.length) {
    if (!socket.write(PIECE)) await once(socket, 'drain');
  }
  socket.end();
  socket.resume();
  await once(socket, 'end');
  return RAW_BYTES / 1e6 / ((performance.now() - began) / 1_000);
}

async function pour(session: MsrpSession, size: number): Promise<number> {
  let left = size;
  const began = performance.now();
  const { status } = await session.sendMessage({
    messageId: nextId(),
    contentType: FILE_TYPE,
    body: {
      size,
      open: () => undefined,
      take: (maxBytes) => {
        const bytes = PIECE.subarray(0, Math.min(maxBytes, left));
        left -= bytes.length;
        return bytes;
      },
      release: () => undefined,
      close: () => undefined,
    },
  });
  if (status !== 200) throw new Error(`a file was answered with ${status}`);
  return size / 1e6 / ((performance.now() - began) / 1_000);
}

async function measurePipelined(session: MsrpSession): Promise<number> {
  const body = Buffer.alloc(SMALL_BYTES, 'x');
  const began = performance.now();
  let left = PIPELINED;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const { status } = await session.sendMessage({ messageId: nextId(), contentType: 'text/plain', body });
      if (status !== 200) throw new Error(`a message was answered with ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 256 }, lane));
  return PIPELINED / ((performance.now() - began) / 1_000);
}

async function measureReported(play: Play, session: MsrpSession): Promise<Summary> {
  const body = Buffer.alloc(SMALL_BYTES, 'x');
  const times: number[] = [];
  for (let round = 0; round < REPORTED; round++) {
    const began = performance.now();
    await play.sendReported(session, body);
    times.push((performance.now() - began) * 1_000);
  }
  return summarise(times.slice(REPORTED / 6));
}

/** All figures of the relay. */
export async function measureRelay(): Promise<RelayFigures> {
  await using play = await Play.start();
  const raws: number[] = [];
  const plain: number[] = [];
  const tls: number[] = [];
  const [session] = await play.open(1, false);
  if (session === undefined) throw new Error('no session');
  await pour(session, FILE_BYTES / 4);
  for (let run = 0; run < RUNS; run++) {
    raws.push(await pourRaw(play.raw));
    plain.push(await pour(session, FILE_BYTES));
    process.stderr.write(
      `  MB/s: TCP ${(raws.at(-1) ?? 0).toFixed(0)}, through the relay ${(plain.at(-1) ?? 0).toFixed(0)}\n`,
    );
  }
  const pipelined: number[] = [];
  for (let run = 0; run < RUNS; run++) pipelined.push(await measurePipelined(session));
  const reported = await measureReported(play, session);
  const before = await play.memory();
  const many = await play.open(SESSIONS, false);
  await Promise.all(many.map((one) => play.sendReported(one, Buffer.from('hello'))));
  const sessionBytes = ((await play.memory()) - before) / SESSIONS;
  const [secret] = await play.open(1, true);
  if (secret === undefined) throw new Error('no session');
  await pour(secret, TLS_BYTES / 4);
  for (let run = 0; run < RUNS; run++) tls.push(await pour(secret, TLS_BYTES));
  const ratios = (values: readonly number[]) =>
    summarise(values.map((value, run) => value / (raws[run] ?? NaN))).p50;
  return {
    rawMegabytes: summarise(raws).p50,
    megabytes: summarise(plain).p50,
    tlsMegabytes: summarise(tls).p50,
    ratio: ratios(plain),
    tlsRatio: ratios(tls),
    pipelined: summarise(pipelined).p50,
    reported,
    sessionBytes,
  };
}
