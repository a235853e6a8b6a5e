/**
 * Owns: the proof of the flow: two messengers and the IM Server, each a process of its own, and what was on the wire.
 * Called by: `npm run flow`. Calls: flow-conversation.ts, flow-messages.ts, capture.ts, messenger/ladder.ts.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Ladder } from '../../../shared/domain/ladder.ts';
import { checkOrder, toLadder } from '../../messenger/ladder.ts';
import { startCapture, type CapturedPacket } from './capture.ts';
import { runConversation } from './flow-conversation.ts';
import { readMessages, type TimedPiece } from './flow-messages.ts';
import { formatLadder } from './flow-print.ts';

const HELP = `The conversation that Parley exists for: eighteen steps between Bob, the IM Server and Tom.

  flow [--json] [--transport tcp|udp] [--media direct|relay] [--encrypted] [--keep FOLDER]

Starts three processes on this computer, lets them talk, and prints every SIP and MSRP message that was on the wire.
Messages go in the clear here, so that a capture can show them; with --encrypted they go over TLS as they usually do,
and are read from the programs' own sockets instead.
With --media relay messages go through the relay of the IM Server, which answers the visit after the host has.
Ends with 1 when a step is missing or out of order. --keep leaves profiles and the capture in FOLDER.
`;

interface FlowOptions {
  readonly transport: 'tcp' | 'udp';
  readonly media: 'direct' | 'relay';
  readonly encrypted: boolean;
}

/** Everything that one run has shown. */
interface FlowResult {
  readonly ladder: Ladder;
  readonly source: 'capture' | 'tap';
  readonly encrypted: boolean;
  readonly faults: string[];
}

async function runFlow(folder: string, { transport, media, encrypted }: FlowOptions): Promise<FlowResult> {
  await mkdir(folder, { recursive: true });
  // Of what is encrypted a capture shows nothing.
  const capture = encrypted ? undefined : await startCapture(join(folder, 'flow.pcap'));
  const cast = await runConversation(folder, { transport, media, encrypted, tap: capture === undefined });
  const pieces = capture === undefined ? await readTaps(folder) : toPieces(await capture.stop());
  const { messages, faults } = readMessages(pieces, cast);
  const ladder = toLadder(messages, { bob: 'Bob', server: 'IM Server', tom: 'Tom' });
  return {
    ladder,
    source: capture === undefined ? 'tap' : 'capture',
    encrypted,
    faults: [...checkOrder(ladder), ...faults],
  };
}

/** TCP segments by their sequence, so that nothing that was sent twice is read twice. */
function toPieces(packets: readonly CapturedPacket[]): TimedPiece[] {
  const next = new Map<string, number>();
  const pieces: TimedPiece[] = [];
  for (const packet of packets) {
    const { timeUs, from, to, transport, payload, sequence, fin } = packet;
    if (payload.length === 0 && !fin) continue;
    if (transport === 'tcp' && payload.length > 0) {
      const key = `${from}>${to}`;
      const expected = next.get(key) ?? sequence;
      if (sequence !== expected) continue;
      next.set(key, (sequence + payload.length) >>> 0);
    }
    pieces.push({ timeUs, from, to, datagram: transport === 'udp', bytes: payload, fin });
  }
  return pieces;
}

/** What the processes saw on their own sockets: each message twice, so only what they sent is taken. */
async function readTaps(folder: string): Promise<TimedPiece[]> {
  const files = await Promise.all(
    ['server', 'bob', 'tom'].map((name) => readFile(join(folder, `${name}.tap`), 'utf8')),
  );
  const pieces = files
    .flatMap((text) => text.split('\n'))
    .filter((line) => line !== '')
    .map(
      (line) =>
        JSON.parse(line) as {
          timeUs: number;
          local: string;
          remote: string;
          transport: string;
          bytes: string;
        },
    )
    .map(({ timeUs, local, remote, transport, bytes }) => ({
      timeUs,
      from: local,
      to: remote,
      datagram: transport === 'udp',
      bytes: Buffer.from(bytes, 'base64'),
      fin: false,
    }));
  return pieces.sort((a, b) => a.timeUs - b.timeUs);
}

function toJson(result: FlowResult): string {
  const messages = result.ladder.entries.map(({ timeUs, from, to, protocol, firstLine, step }) => ({
    timeUs,
    from,
    to,
    protocol,
    firstLine,
    step,
  }));
  return JSON.stringify(
    {
      ok: result.faults.length === 0,
      source: result.source,
      encrypted: result.encrypted,
      faults: result.faults,
      messages,
    },
    null,
    2,
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean' },
      transport: { type: 'string', default: 'tcp' },
      media: { type: 'string', default: 'direct' },
      encrypted: { type: 'boolean', default: false },
      keep: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const { transport, media, encrypted } = values;
  if (media !== 'direct' && media !== 'relay') {
    process.stderr.write(`--media can be direct or relay, not "${media}".\n`);
    return 2;
  }
  if (transport !== 'tcp' && transport !== 'udp') {
    process.stderr.write(`--transport can be tcp or udp, not "${transport}".\n`);
    return 2;
  }
  const folder = values.keep ?? (await mkdtemp(join(tmpdir(), 'parley-flow-')));
  try {
    const result = await runFlow(folder, { transport, media, encrypted });
    process.stdout.write(values.json ? `${toJson(result)}\n` : formatLadder(result.ladder, result));
    for (const fault of result.faults) process.stderr.write(`${fault}\n`);
    return result.faults.length === 0 ? 0 : 1;
  } finally {
    if (values.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
