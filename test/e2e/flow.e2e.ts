/**
 * The eighteen steps between three processes, read from a capture, and decoded once more by somebody else's dissector.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const FLOW = join(import.meta.dirname, '../../main/hosts/headless/flow.ts');
const STEPS = [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];

interface FlowJson {
  readonly ok: boolean;
  readonly source: 'capture' | 'tap';
  readonly faults: readonly string[];
  readonly messages: readonly {
    timeUs: number;
    from: string;
    to: string;
    firstLine: string;
    step: number | null;
  }[];
}

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const canCapture = has('dumpcap');
const canDecode = has('tshark');
if (!canCapture)
  console.log('skipped: reading the flow from a capture, since dumpcap is not installed (package tshark)');
if (!canDecode) console.log('skipped: decoding the capture, since tshark is not installed');

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-flow-e2e-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function flow(args: readonly string[], env = process.env): Promise<FlowJson> {
  const { stdout } = await run(process.execPath, [FLOW, '--json', ...args], { env });
  return JSON.parse(stdout) as FlowJson;
}

/** Position of each step among the messages as they crossed the wire. */
function places({ messages }: FlowJson): Map<number, number> {
  return new Map(messages.flatMap(({ step }, place) => (step === null ? [] : [[step, place] as const])));
}

function expectOrder(result: FlowJson): void {
  const at = places(result);
  expect([...at.keys()].sort((a, b) => a - b)).toEqual(STEPS);
  const before = (first: number, second: number) => {
    expect(at.get(first)!, `step ${first} before step ${second}`).toBeLessThan(at.get(second)!);
  };
  const chain = [2, 3, 4, 5, 7, 8, 9, 10];
  chain.slice(1).forEach((step, index) => {
    before(chain[index]!, step);
  });
  for (const [first, second] of [
    [11, 12],
    [13, 14],
    [15, 16],
    [16, 17],
    [17, 18],
  ] as const)
    before(first, second);
  expect(result.faults).toEqual([]);
  expect(result.ok).toBe(true);
}

describe.each(['tcp', 'udp'])('the flow over %s', (transport) => {
  it.runIf(canCapture)('shows every step in order in a capture', async () => {
    const result = await flow(['--transport', transport]);
    expect(result.source).toBe('capture');
    expectOrder(result);
  });
});

it('is read from the sockets of the programs where nothing can be captured', async () => {
  const result = await flow([], { ...process.env, PATH: folder });
  expect(result.source).toBe('tap');
  expectOrder(result);
});

it.runIf(canCapture && canDecode)(
  'is SIP and MSRP to another dissector, with no malformed packet',
  async () => {
    const kept = join(folder, 'kept');
    await flow(['--keep', kept]);
    const decode = async (filter: string) => {
      const { stdout } = await run('tshark', [
        '-r',
        join(kept, 'flow.pcap'),
        '-Y',
        filter,
        '-T',
        'fields',
        '-e',
        'frame.number',
      ]);
      return stdout.split('\n').filter((line) => line !== '');
    };
    expect(await decode('_ws.malformed')).toEqual([]);
    expect(await decode('sip.Method == "INVITE"')).toHaveLength(2);
    expect(await decode('sip.Method == "BYE"')).toHaveLength(2);
    expect(await decode('msrp.method == "SEND"')).toHaveLength(3);
    expect((await decode('sdp.media.proto == "TCP/MSRP"')).length).toBeGreaterThanOrEqual(4);
  },
);

it('refuses the relay, which does not exist yet, with a sentence', async () => {
  const failed = (await run(process.execPath, [FLOW, '--media', 'relay']).catch(
    (error: unknown) => error,
  )) as {
    code: number;
    stderr: string;
  };
  expect(failed.code).toBe(2);
  expect(failed.stderr).toContain('has no MSRP relay yet');
});
