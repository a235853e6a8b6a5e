/**
 * Fuzzes what stands behind the MSRP parser: chunks in any order, overlapping and contradicting, against a model; and an
 * endpoint with anything on its socket, which goes on serving everybody else.
 */
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MSRP_LIMITS } from '../../main/base/limits.ts';
import { ProtocolError } from '../../main/base/protocol-error.ts';
import { parseByteRange, parseMsrpHead, type MsrpFlag } from '../../main/msrp/message.ts';
import { MsrpReassembly } from '../../main/msrp/reassembly.ts';
import { openSide, openWithPeer, path } from '../msrp/fixture.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeer } from '../support/msrp-peer.ts';
import { assertWith, freshMs, seedsOf } from './seeds.ts';

const KEPT_RUNS = 300;
const FRESH_MS = freshMs(3_000);

interface Chunk {
  readonly messageId: string;
  readonly start: number;
  readonly total: number | '*';
  readonly body: Buffer;
  readonly flag: MsrpFlag;
}

const chunk: fc.Arbitrary<Chunk> = fc.record({
  messageId: fc.constantFrom('one', 'two', 'x'.repeat(256)),
  start: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) },
    fc.constantFrom(2 ** 40, 2 ** 53 - 1),
  ),
  total: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(12, 30, '*' as const) }, fc.constant(2 ** 53 - 1)),
  body: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
  flag: fc.constantFrom<MsrpFlag[]>('+', '+', '+', '$', '#'),
});

/** What RFC 4975 §7.3.1 says of a message: the later byte wins, `$` says where it ends. */
class Model {
  readonly bytes = new Map<number, number>();
  end: number | undefined;

  add({ start, body, flag }: Chunk): void {
    for (const [index, byte] of body.entries()) this.bytes.set(start - 1 + index, byte);
    if (flag === '$') this.end = start - 1 + body.length;
  }

  get whole(): Buffer | undefined {
    const { end } = this;
    if (end === undefined) return undefined;
    const values = Array.from({ length: Math.min(end, 100) }, (_, index) => this.bytes.get(index));
    return end > 100 || values.includes(undefined) ? undefined : Buffer.from(values as number[]);
  }
}

function rangeOf({ start, total }: Chunk): string {
  return `${start}-*/${total}`;
}

describe('MsrpReassembly under fuzz (RFC 4975 §5.1, §7.3.1)', () => {
  it('gives what the model gives, or refuses', { timeout: 30_000 + FRESH_MS }, () => {
    const property = fc.property(fc.array(chunk, { maxLength: 25 }), (chunks) => {
      using reassembly = new MsrpReassembly(MSRP_LIMITS, new ManualClock());
      const models = new Map<string, Model>();
      for (const one of chunks) {
        const text = `MSRP abcd SEND\r\nMessage-ID: ${one.messageId}\r\nByte-Range: ${rangeOf(one)}\r\nContent-Type: a/b\r\n`;
        const model = models.get(one.messageId) ?? new Model();
        try {
          const incoming = reassembly.receiveChunk(parseMsrpHead(text, true, MSRP_LIMITS), () => undefined);
          try {
            if (one.body.length > 0) incoming.receiveBody(one.body);
            const message = incoming.receiveEnd(one.flag);
            model.add(one);
            models.set(one.messageId, model);
            if (message !== undefined) expect(Buffer.from(message.body)).toEqual(model.whole);
            else if (one.flag !== '#') expect(model.whole).toBeUndefined();
            if (message !== undefined || one.flag === '#') models.delete(one.messageId);
          } catch (error) {
            if (!(error instanceof ProtocolError)) throw error;
            incoming.refuse(error);
            models.delete(one.messageId);
          }
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          expect([400, 413]).toContain(error.answer);
        }
        expect(reassembly.size).toBeLessThanOrEqual(3);
      }
    });
    for (const { seed, kept } of seedsOf('msrp-session')) {
      fc.assert(property, {
        seed,
        verbose: true,
        ...(kept ? { numRuns: KEPT_RUNS } : { numRuns: 1_000_000, interruptAfterTimeLimit: FRESH_MS }),
      });
    }
  });

  it('Byte-Range: any text is a range or refused (§9)', () => {
    const number = fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 34n }).map(String),
      fc.constantFrom('*', '', '0', '1', '-1', '9007199254740991', '9007199254740992'),
    );
    const property = fc.property(number, number, number, (start, end, total) => {
      try {
        const range = parseByteRange(`${start}-${end}/${total}`);
        expect(range.start).toBe(Number(start));
        expect(range.end).toBe(end === '*' ? undefined : Number(end));
        expect(range.total).toBe(total === '*' ? undefined : Number(total));
        expect([range.start, range.end ?? 0, range.total ?? 0].every(Number.isSafeInteger)).toBe(true);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    });
    for (const { seed } of seedsOf('msrp-session')) fc.assert(property, { seed, numRuns: 2_000 });
  });
});

const FROM = 'msrp://127.0.0.1:9/fuzz;tcp';
/** Stands for the URI of the session of each run. */
const TARGET = 'the-target';

/** Frames of right and wrong pieces. */
function frames(): fc.Arbitrary<string> {
  const id = fc.constantFrom('abcd', 'abce', 'a.b', 'x'.repeat(64), 'x'.repeat(65), '-bad');
  const method = fc.constantFrom(
    'SEND',
    'REPORT',
    'VISIT',
    'NICKNAME',
    'AUTH',
    '200 OK',
    '413',
    '999 ?',
    'send',
  );
  const header = fc.constantFrom(
    'Message-ID: m1',
    'Message-ID: m2',
    'Byte-Range: 1-*/*',
    'Byte-Range: 1-5/5',
    'Byte-Range: 9007199254740991-*/9007199254740991',
    'Byte-Range: 5-1/3',
    'Success-Report: yes',
    'Failure-Report: no',
    'Failure-Report: partial',
    'Status: 000 200 OK',
    'Status: 000 413 Stop',
    'Content-Type: text/plain',
    'Content-Type: text/plain',
    'no colon',
    ': no name',
    'X-\u00fc: 1',
  );
  const body = fc.constantFrom(
    undefined,
    '',
    'hello',
    '\r\n-------abc',
    '-------abcd$\r\n',
    '\r\n-------abcd',
    '\r\n\r\n',
    '\r'.repeat(40),
    'y'.repeat(5_000),
  );
  return fc
    .tuple(
      id,
      method,
      fc.constantFrom(TARGET, TARGET, TARGET, 'msrp://x:1/y;tcp', ''),
      fc.array(header, { maxLength: 6 }),
      body,
      fc.constantFrom('$', '+', '#', '?'),
    )
    .map(([transaction, kind, path, headers, content, flag]) => {
      const lines = [`MSRP ${transaction} ${kind}`, `To-Path: ${path}`, `From-Path: ${FROM}`, ...headers];
      const rest = content === undefined ? '\r\n' : `\r\n\r\n${content}\r\n`;
      return `${lines.join('\r\n')}${rest}-------${transaction}${flag}\r\n`;
    });
}

describe('an endpoint with anything on its socket', () => {
  it('answers or closes, and serves everybody else', { timeout: 30_000 + FRESH_MS }, async () => {
    await using open = await openWithPeer({ limits: { maxConnectionsPerAddress: 4_000 } });
    const { side, peer } = open;
    const stream = fc.tuple(
      fc.array(fc.oneof({ weight: 5, arbitrary: frames() }, fc.string({ unit: 'binary-ascii' })), {
        maxLength: 6,
      }),
      fc.array(fc.nat(4_000), { maxLength: 6 }),
      fc.option(fc.tuple(fc.nat(4_000), fc.nat(255)), { nil: undefined }),
    );
    const property = fc.asyncProperty(stream, async ([parts, cuts, flip]) => {
      const { session, uri } = side.createSession();
      const bound = session.awaitVisit(path(FROM)).catch(() => undefined);
      const bytes = Buffer.from(parts.join('').replaceAll(TARGET, uri), 'latin1');
      if (flip !== undefined && bytes.length > 0) bytes[flip[0] % bytes.length] = flip[1];
      await using stranger = await MsrpPeer.connect(side.port);
      const ends = [...new Set(cuts.map((at) => at % (bytes.length + 1)))].sort((a, b) => a - b);
      let at = 0;
      for (const end of [...ends, bytes.length]) {
        stranger.send(bytes.subarray(at, end));
        at = end;
        await new Promise((done) => setImmediate(done));
      }
      stranger.socket.end();
      await stranger.untilEnded();
      session.destroy();
      await bound;
      expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    });
    for (const seed of seedsOf('msrp-session')) await assertWith(property, seed, { runs: 60, ms: FRESH_MS });
  });

  it('a million chunks of one byte: the ceiling of chunks holds, time is linear, the session goes on', async () => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    await peer.visit(side.uri);
    await side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false });
    // The answers are of no interest: they are counted by bytes, not read.
    peer.socket.removeAllListeners('data');
    let last = '';
    peer.socket.on('data', (bytes: Buffer) => (last = `${last}${bytes.toString('latin1')}`.slice(-600)));
    const paths = `To-Path: ${side.uri}\r\nFrom-Path: ${peer.path}\r\n`;
    for (let from = 1; from <= 1_000_000;) {
      let batch = '';
      for (let i = 0; i < 2_000; i++, from++) {
        batch += `MSRP b${from} SEND\r\n${paths}Message-ID: bytes\r\nFailure-Report: ${from === 1_000_000 ? 'yes' : 'no'}\r\nByte-Range: ${from}-${from}/1000000\r\nContent-Type: text/plain\r\n\r\nx\r\n-------b${from}+\r\n`;
      }
      if (!peer.socket.write(batch)) await once(peer.socket, 'drain');
    }
    peer.send(`MSRP theend SEND\r\n${paths}Message-ID: e1e1\r\n-------theend$\r\n`);
    while (!last.includes('MSRP theend 200 OK')) await once(peer.socket, 'data');
    expect(last).toContain(' 413 ');
    expect(side.delegate.messages).toHaveLength(0);
  }, 60_000);
});
