/**
 * Fuzzes the MSRP parser: anything gives events or one error; what is written, cut anywhere, is read back.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndLine, type MsrpFlag } from '../../main/msrp/message.ts';
import { MsrpParser, type MsrpParserEvent } from '../../main/msrp/parser.ts';
import { seedsOf } from './seeds.ts';

const KEPT_RUNS = 500;
const RUNS = seedsOf('msrp-parser').map(({ seed, kept }) =>
  kept
    ? { seed, numRuns: KEPT_RUNS, verbose: true }
    : { seed, numRuns: 1_000_000, interruptAfterTimeLimit: 3_500, verbose: true },
);

function check<T>(property: fc.IProperty<T>): void {
  for (const runs of RUNS) fc.assert(property, runs);
}

interface Frame {
  id: string;
  body: Buffer | undefined;
  flag: MsrpFlag;
}

/** Bodies made of what end-lines are made of. */
const body = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\r\n',
        '\r',
        '\n',
        '-------',
        '------',
        'abcd',
        '$',
        '+',
        '#',
        '\r\n-------abcd',
        'MSRP ',
      ),
      fc.string({ unit: 'binary-ascii', maxLength: 8 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

const frame: fc.Arbitrary<Frame> = fc.record({
  id: fc.constantFrom('abcd', 'abc', 'abcde', 'a.b-c', 'ABCD+=%'),
  body: fc.option(body, { nil: undefined }),
  flag: fc.constantFrom<MsrpFlag[]>('$', '+', '#'),
});

function serialise({ id, body: content, flag }: Frame): Buffer {
  const head = `MSRP ${id} SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:2/y;tcp\r\nMessage-ID: 1234\r\n`;
  if (content === undefined) return Buffer.from(head + formatEndLine(id, flag));
  return Buffer.concat([
    Buffer.from(`${head}Content-Type: a/b\r\n\r\n`),
    content,
    Buffer.from(`\r\n${formatEndLine(id, flag)}`),
  ]);
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const offsets = [...new Set(cuts.map((at) => at % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...offsets].map((from, index) => bytes.subarray(from, offsets[index] ?? bytes.length));
}

function pushAll(pieces: readonly Buffer[]): MsrpParserEvent[] {
  const parser = new MsrpParser();
  const events: MsrpParserEvent[] = [];
  for (const piece of pieces) {
    events.push(...parser.push(piece));
    if (events.at(-1)?.kind === 'error') break;
  }
  return events;
}

describe('MsrpParser under fuzz (RFC 4975 §9)', () => {
  it('reads back what was written, cut anywhere', () => {
    check(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(2_000), { maxLength: 20 }),
        (frames, cuts) => {
          fc.pre(frames.every(({ id, body: content }) => content?.includes(`-------${id}`) !== true));
          const read: Frame[] = [];
          for (const event of pushAll(cut(Buffer.concat(frames.map(serialise)), cuts))) {
            const last = read.at(-1);
            if (event.kind === 'head') {
              const { transactionId, hasBody } = event.head;
              read.push({ id: transactionId, body: hasBody ? Buffer.alloc(0) : undefined, flag: '$' });
            } else if (event.kind === 'body') {
              last!.body = Buffer.concat([last!.body!, event.bytes]);
            } else if (event.kind === 'end') {
              last!.flag = event.flag;
            } else {
              throw event.error;
            }
          }
          expect(read).toEqual(frames);
        },
      ),
    );
  });

  it('gives events or one error, and the same however the bytes are cut', () => {
    const noise = fc
      .array(
        fc.oneof(
          frame.map((value) => serialise(value).toString('latin1')),
          fc.constantFrom(
            'MSRP abcd ',
            '200 OK\r\n',
            'SEND\r\n',
            'To-Path: x\r\n',
            '\r\n',
            '-------abcd$\r\n',
            '\r\n\r\n',
          ),
          fc.string({ unit: 'binary-ascii', maxLength: 20 }),
        ),
        { maxLength: 8 },
      )
      .map((parts) => Buffer.from(parts.join(''), 'latin1'));
    const summary = (events: readonly MsrpParserEvent[]) => {
      let text = '';
      for (const event of events) {
        if (event.kind === 'head') text += `<${event.head.transactionId}>`;
        else if (event.kind === 'body') text += event.bytes.toString('latin1');
        else if (event.kind === 'end') text += `</${event.flag}>`;
      }
      return text;
    };
    check(
      fc.property(noise, fc.array(fc.nat(2_000), { maxLength: 20 }), (bytes, cuts) => {
        const whole = pushAll([bytes]);
        expect(whole.slice(0, -1).some((event) => event.kind === 'error')).toBe(false);
        const pieces = pushAll(cut(bytes, cuts));
        const [a, b] = [whole.at(-1), pieces.at(-1)];
        expect(b?.kind === 'error' ? b.error.code : undefined).toBe(
          a?.kind === 'error' ? a.error.code : undefined,
        );
        // A cut may leave the bytes of a possible end-line unsaid; everything else is the same.
        if (a?.kind === 'error') expect(summary(pieces)).toBe(summary(whole));
        else
          expect(
            summary(whole).startsWith(summary(pieces)) || summary(pieces).startsWith(summary(whole)),
          ).toBe(true);
      }),
    );
  });
});
