/**
 * Owns: the proof of the flow: two messengers and the IM Server, each a process of its own, and what was on the wire.
 * Called by: `npm run flow`. Calls: child-process.ts, capture.ts, messenger/ladder.ts.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Ladder, LadderParty } from '../../../shared/domain/ladder.ts';
import { checkOrder, toLadder, type LadderMessage } from '../../messenger/ladder.ts';
import { WireReader, type WireMessage, type WirePiece } from '../../messenger/wire-reader.ts';
import { startCapture, type CapturedPacket } from './capture.ts';
import { runConversation, type Cast } from './flow-conversation.ts';
import { formatLadder } from './flow-print.ts';

const HELP = `The conversation that Parley exists for: eighteen steps between Bob, the IM Server and Tom.

  flow [--json] [--transport tcp|udp] [--media direct] [--encrypted] [--keep FOLDER]

Starts three processes on this computer, lets them talk, and prints every SIP and MSRP message that was on the wire.
Messages go in the clear here, so that a capture can show them; with --encrypted they go over TLS as they usually do,
and are read from the programs' own sockets instead.
Ends with 1 when a step is missing or out of order. --keep leaves profiles and the capture in FOLDER.
`;

/** Everything that one run has shown. */
interface FlowResult {
  readonly ladder: Ladder;
  readonly source: 'capture' | 'tap';
  readonly encrypted: boolean;
  readonly faults: string[];
}

async function runFlow(folder: string, transport: 'tcp' | 'udp', encrypted: boolean): Promise<FlowResult> {
  await mkdir(folder, { recursive: true });
  // Of what is encrypted a capture shows nothing.
  const capture = encrypted ? undefined : await startCapture(join(folder, 'flow.pcap'));
  const cast = await runConversation(folder, { transport, encrypted, tap: capture === undefined });
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

interface TimedPiece extends Omit<WirePiece, 'protocol'> {
  readonly fin: boolean;
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

/** The messages of the conversation, with who sent them, and what the connections themselves showed. */
function readMessages(
  pieces: readonly TimedPiece[],
  cast: Cast,
): { messages: LadderMessage[]; faults: string[] } {
  const reader = new WireReader();
  const parties = new Map<string, LadderParty>();
  /** Where Bob listens for MSRP: the path of his offer. */
  const hosts = new Set<string>();
  const messages: LadderMessage[] = [];
  const msrpEnds = new Map<string, number>();
  let lastMsrpUs = 0;
  for (const piece of pieces) {
    const protocol = protocolOf(piece, cast, hosts);
    if (protocol === undefined) continue;
    if (protocol === 'msrp' && piece.fin) msrpEnds.set(piece.from, piece.timeUs);
    for (const message of reader.receive({ ...piece, protocol })) {
      learnParties(message, parties, hosts, cast);
      const fromParty = parties.get(message.from);
      const toParty = parties.get(message.to);
      if (fromParty === undefined || toParty === undefined || message.method === 'REGISTER') continue;
      if (message.protocol === 'msrp') lastMsrpUs = message.timeUs;
      messages.push({ ...message, fromParty, toParty });
    }
  }
  return { messages, faults: checkClose(messages, msrpEnds, lastMsrpUs) };
}

/**
 * A capture shows everything on the loopback interface: ours is the SIP of our server and the MSRP of Bob's path.
 */
function protocolOf(piece: TimedPiece, cast: Cast, hosts: ReadonlySet<string>): 'sip' | 'msrp' | undefined {
  if (piece.from === cast.server || piece.to === cast.server) return 'sip';
  return !piece.datagram && (hosts.has(piece.from) || hosts.has(piece.to)) ? 'msrp' : undefined;
}

/** Who sits behind a port is told by what he sends: his From, the server's INVITE to him, the path in his offer. */
function learnParties(
  message: WireMessage,
  parties: Map<string, LadderParty>,
  hosts: Set<string>,
  cast: Cast,
): void {
  if (message.protocol === 'msrp') {
    const toHost = hosts.has(message.to);
    parties.set(toHost ? message.to : message.from, 'bob');
    parties.set(toHost ? message.from : message.to, 'tom');
    return;
  }
  parties.set(cast.server, 'server');
  const outwards = message.from === cast.server;
  const peer = outwards ? message.to : message.from;
  if (message.status !== 0) return;
  const header = outwards ? 'To' : 'From';
  const user = new RegExp(`^${header}:.*sip:(bob|tom)@`, 'im').exec(message.text)?.[1];
  if (!parties.has(peer) && (user === 'bob' || user === 'tom')) parties.set(peer, user);
  const path = /^a=path:msrps?:\/\/([^/\s]+)\//im.exec(message.sdp)?.[1];
  if (path !== undefined && message.method === 'INVITE' && !outwards) hosts.add(path);
}

/** The MSRP connection is closed with the session, and after its last transaction. */
function checkClose(
  messages: readonly LadderMessage[],
  ends: ReadonlyMap<string, number>,
  lastMsrpUs: number,
): string[] {
  const bye = messages.find((message) => message.method === 'BYE');
  if (ends.size === 0 || bye === undefined) return [];
  const first = Math.min(...ends.values());
  const faults: string[] = [];
  if (first < bye.timeUs) faults.push('the MSRP connection was closed before the session was ended');
  if (first < lastMsrpUs) faults.push('the MSRP connection was closed before its last transaction');
  return faults;
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
  if (values.media !== 'direct') {
    const reason =
      values.media === 'relay'
        ? 'The IM Server has no MSRP relay yet, so messages cannot go through it. Run without --media relay.'
        : `--media can be direct, not "${values.media}".`;
    process.stderr.write(`${reason}\n`);
    return 2;
  }
  if (values.transport !== 'tcp' && values.transport !== 'udp') {
    process.stderr.write(`--transport can be tcp or udp, not "${values.transport}".\n`);
    return 2;
  }
  const folder = values.keep ?? (await mkdtemp(join(tmpdir(), 'parley-flow-')));
  try {
    const result = await runFlow(folder, values.transport, values.encrypted);
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
