/**
 * The proof of the flow as a user runs it: its JSON, what it says of itself, and what an independent reader, tshark,
 * makes of the capture.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCapture } from '../../main/hosts/headless/capture.ts';

const FLOW = fileURLToPath(new URL('../../main/hosts/headless/flow.ts', import.meta.url));
const find = (name: string) =>
  (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
const dumpcap = find('dumpcap');
const tshark = find('tshark');
if (dumpcap === undefined)
  console.log('skipped: dumpcap is not installed, so the flow is read from sockets only');
if (tshark === undefined) console.log('skipped: tshark is not installed, so nobody else reads the capture');

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  return new Promise((done) => {
    execFile(
      program,
      args,
      { env, timeout: 100_000, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        done({ code, stdout, stderr });
      },
    );
  });
}

interface FlowMessage {
  readonly timeUs: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly firstLine: string;
  readonly step: number | null;
}

/** Who sends what to whom in each step, from the flow's own table; 6 is 5 in peer mode. */
const STEPS: readonly (readonly [number, string, string, RegExp])[] = [
  [2, 'bob', 'server', /^INVITE sip:tom@/],
  [3, 'server', 'tom', /^INVITE sip:tom@/],
  [4, 'tom', 'bob', /^MSRP \S+ SEND$/],
  [5, 'bob', 'tom', /^MSRP \S+ 200/],
  [7, 'tom', 'server', /^SIP\/2\.0 200/],
  [8, 'server', 'bob', /^SIP\/2\.0 200/],
  [9, 'bob', 'server', /^ACK /],
  [10, 'server', 'tom', /^ACK /],
  [11, 'bob', 'tom', /^MSRP \S+ SEND$/],
  [12, 'tom', 'bob', /^MSRP \S+ 200/],
  [13, 'tom', 'bob', /^MSRP \S+ SEND$/],
  [14, 'bob', 'tom', /^MSRP \S+ 200/],
  [15, 'bob', 'server', /^BYE /],
  [16, 'server', 'tom', /^BYE /],
  [17, 'tom', 'server', /^SIP\/2\.0 200/],
  [18, 'server', 'bob', /^SIP\/2\.0 200/],
];

/** Through the relay each message of MSRP is two; what the ladder counts is said in its own words here. */
const RELAYED: typeof STEPS = [
  [4, 'tom', 'server', /^MSRP \S+ SEND$/],
  [5, 'bob', 'server', /^MSRP \S+ 200/],
  [6, 'server', 'tom', /^MSRP \S+ 200/],
  [11, 'bob', 'server', /^MSRP \S+ SEND$/],
  [12, 'tom', 'server', /^MSRP \S+ 200/],
  [13, 'tom', 'server', /^MSRP \S+ SEND$/],
  [14, 'bob', 'server', /^MSRP \S+ 200/],
];

/** Pairs whose order the flow asks for. */
const BEFORE: readonly (readonly [number, number])[] = [
  [2, 3],
  [3, 4],
  [4, 5],
  [5, 7],
  [7, 8],
  [8, 9],
  [9, 10],
  [9, 11],
  [11, 12],
  [13, 14],
  [14, 15],
  [15, 16],
  [16, 17],
  [17, 18],
];

function expectFlow(
  stdout: string,
  media: 'direct' | 'relay' = 'direct',
): { source: string; messages: FlowMessage[] } {
  const result = JSON.parse(stdout) as {
    ok: boolean;
    source: string;
    faults: string[];
    messages: FlowMessage[];
  };
  expect(result.faults).toEqual([]);
  expect(result.ok).toBe(true);
  const places = new Map<number, number>();
  const relayed = media === 'relay' ? RELAYED : [];
  const direct = STEPS.filter(([step]) => !relayed.some(([other]) => other === step));
  for (const [step, from, to, firstLine] of [...direct, ...relayed]) {
    const found = result.messages.filter((message) => message.step === step);
    expect(found, `step ${step}`).toHaveLength(1);
    expect([found[0]?.from, found[0]?.to], `step ${step}`).toEqual([from, to]);
    expect(found[0]?.firstLine).toMatch(firstLine);
    places.set(step, result.messages.indexOf(found[0]!));
  }
  const before = media === 'relay' ? [...BEFORE, [5, 6] as const, [6, 7] as const] : BEFORE;
  for (const [first, second] of before) {
    expect(places.get(first), `${first} before ${second}`).toBeLessThan(places.get(second)!);
  }
  expect(result.messages.map(({ timeUs }) => timeUs)).toEqual(
    result.messages.map(({ timeUs }) => timeUs).sort((a, b) => a - b),
  );
  return result;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-flow-test-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe.each(['tcp', 'udp'] as const)('the flow over %s', (transport) => {
  it('every step, in its order, from a capture where there is dumpcap', async () => {
    const { code, stdout, stderr } = await run(process.execPath, [
      FLOW,
      '--json',
      '--transport',
      transport,
      '--keep',
      folder,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    const { source, messages } = expectFlow(stdout);
    expect(source).toBe(dumpcap === undefined ? 'tap' : 'capture');
    if (dumpcap === undefined || tshark === undefined) return;
    await expectDissected(join(folder, 'flow.pcap'), messages, transport);
  });
});

/** The loopback interface carries what others do as well: ours are the ports between which the messages of the flow went. */
async function portsOf(capture: string, messages: readonly FlowMessage[]): Promise<Set<string>> {
  const packets = readCapture(await readFile(capture));
  const moments = new Set(packets.map(({ timeUs }) => timeUs));
  // Their times count from the first of them.
  const first = packets.find((packet) => messages.every(({ timeUs }) => moments.has(packet.timeUs + timeUs)));
  expect(first).toBeDefined();
  const times = new Set(messages.map(({ timeUs }) => first!.timeUs + timeUs));
  const places = packets.filter(({ timeUs }) => times.has(timeUs)).flatMap(({ from, to }) => [from, to]);
  return new Set(places.map((place) => place.replace(/^.*:/, '')));
}

/** tshark with its own dissectors: nothing malformed, every message of the flow read as SIP or MSRP. */
async function expectDissected(
  capture: string,
  messages: readonly FlowMessage[],
  transport: string,
): Promise<void> {
  const read = async (filter: string, ...fields: string[]) => {
    const { code, stdout, stderr } = await run(tshark ?? '', [
      ...['-r', capture, '-Y', filter, '-T', 'fields'],
      ...fields.flatMap((field) => ['-e', field]),
    ]);
    expect(code, stderr).toBe(0);
    return stdout.split('\n').filter((line) => line !== '');
  };
  const ours = [...(await portsOf(capture, messages))].map(
    (port) => `tcp.port == ${port} || udp.port == ${port}`,
  );
  expect(await read(`_ws.malformed && (sip || msrp) && (${ours.join(' || ')})`, 'frame.number')).toEqual([]);
  const sip = (await read('sip', 'sip.Request-Line', 'sip.Status-Line')).flatMap((line) =>
    line.split(/[\t,]/),
  );
  const msrp = await read('msrp', 'msrp.method', 'msrp.status.code');
  for (const { protocol, firstLine } of messages) {
    if (protocol === 'sip')
      expect(
        sip.map((line) => line.trim()),
        transport,
      ).toContain(firstLine);
  }
  const sends = messages.filter(({ firstLine }) => /^MSRP \S+ SEND$/.test(firstLine)).length;
  expect(msrp.join('\t').match(/SEND/g)?.length).toBeGreaterThanOrEqual(sends);
}

it('encrypted: every step in its order, from the sockets of the programs, and nothing in the clear', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [FLOW, '--json', '--encrypted']);
  expect([code, stderr]).toEqual([0, '']);
  expect(expectFlow(stdout)).toMatchObject({ source: 'tap', encrypted: true });
});

it('through the relay: it answers the visit only after the host has, from a capture where there is dumpcap', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [
    ...[FLOW, '--json', '--media', 'relay', '--keep', folder],
  ]);
  expect([code, stderr]).toEqual([0, '']);
  const { messages } = expectFlow(stdout, 'relay');
  // Nothing goes past the relay.
  const msrp = messages.filter(({ protocol }) => protocol === 'msrp');
  expect(msrp.every(({ from, to }) => from === 'server' || to === 'server')).toBe(true);
  if (dumpcap === undefined || tshark === undefined) return;
  await expectDissected(join(folder, 'flow.pcap'), messages, 'tcp');
});

it('through the relay over TLS, with nothing but what the server announces', async () => {
  const { code, stdout, stderr } = await run(process.execPath, [
    ...[FLOW, '--json', '--media', 'relay', '--encrypted'],
  ]);
  expect([code, stderr]).toEqual([0, '']);
  expect(expectFlow(stdout, 'relay')).toMatchObject({ source: 'tap', encrypted: true });
});

it('without dumpcap it reads the sockets of its programs, and says so', async () => {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, join(bin, 'node'));
  const { code, stdout, stderr } = await run(process.execPath, [FLOW, '--json'], {
    ...process.env,
    PATH: bin,
  });
  expect([code, stderr]).toEqual([0, '']);
  expect(expectFlow(stdout).source).toBe('tap');
});

it.each([
  [['--media', 'pigeon'], '--media can be direct or relay, not "pigeon".'],
  [['--transport', 'sctp'], '--transport can be tcp or udp, not "sctp".'],
] as const)('%j ends with 2 and a sentence', async (args, sentence) => {
  expect(await run(process.execPath, [FLOW, ...args])).toEqual({
    code: 2,
    stdout: '',
    stderr: `${sentence}\n`,
  });
});
