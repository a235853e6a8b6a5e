import { describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import { SipStreamFramer, type StreamItem } from '../../../main/sip/engine/stream-framing.ts';
import { costGrowth } from '../../support/cost.ts';

const FIRST = 'MESSAGE sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n';
const SECOND = 'SIP/2.0 200 OK\r\nl: 5\r\nX: y\r\n\r\nhello';
const STREAM = Buffer.from(`\r\n\r\n${FIRST}\r\n${SECOND}\r\n\r\n${FIRST}`);

function show(item: StreamItem): string {
  if (typeof item === 'string') return item;
  if ('fault' in item) return `fault ${item.fault.error.answer}`;
  return `${item.message.kind} ${item.message.body.toString()} ${item.bytes}`;
}

const EXPECTED = [
  'keep-alive',
  `request \r\n\r\n ${FIRST.length}`,
  `response hello ${SECOND.length}`,
  'keep-alive',
  `request \r\n\r\n ${FIRST.length}`,
];

describe('SipStreamFramer (RFC 3261 §18.3)', () => {
  it('finds the same messages wherever the bytes are cut', () => {
    for (let cut = 0; cut <= STREAM.length; cut += 1) {
      const framer = new SipStreamFramer();
      const items = [...framer.push(STREAM.subarray(0, cut)), ...framer.push(STREAM.subarray(cut))];
      expect(items.map(show)).toEqual(EXPECTED);
      expect(framer.partial).toBe(false);
    }
  });

  it('and byte by byte', () => {
    const framer = new SipStreamFramer();
    const items = [...STREAM].flatMap((byte) => framer.push(Buffer.from([byte])));
    expect(items.map(show)).toEqual(EXPECTED);
  });

  it('a single CRLF answers our keep-alive, two together ask (RFC 5626 §4.4.1)', () => {
    const shown = (...pieces: readonly string[]): string[] => {
      const framer = new SipStreamFramer();
      framer.expectPong();
      return pieces.flatMap((piece) => framer.push(Buffer.from(piece)).map(show));
    };
    expect(shown('\r\n')).toEqual(['pong']);
    expect(shown('\r', '\n')).toEqual(['pong']);
    expect(shown('\r\n\r\n')).toEqual(['keep-alive']);
    expect(shown('\r\n\r\n', '\r\n')).toEqual(['keep-alive', 'pong']);
    expect(shown('\r\n', '\r\n\r\n')).toEqual(['pong', 'keep-alive']);
    expect(shown(`\r\n${FIRST}`)).toEqual(['pong', EXPECTED[1]]);
  });

  it('knows that a message has begun', () => {
    const framer = new SipStreamFramer();
    framer.push(Buffer.from(FIRST.slice(0, -1)));
    expect(framer.partial).toBe(true);
    framer.push(Buffer.from(FIRST.slice(-1)));
    expect(framer.partial).toBe(false);
  });

  it('takes nothing after a fault', () => {
    const framer = new SipStreamFramer();
    expect(framer.push(Buffer.from(`GARBAGE\r\n${FIRST}`))).toEqual([]);
    expect(framer.fault?.error.code).toBe('SIP_BAD_START_LINE');
    expect(framer.push(Buffer.from(FIRST))).toEqual([]);
  });

  it('gives what came before the fault', () => {
    const framer = new SipStreamFramer();
    expect(framer.push(Buffer.from(`${FIRST}\0\0\0`)).map(show)).toEqual([EXPECTED[1]]);
    expect(framer.fault?.error).toMatchObject({ code: 'SIP_GARBAGE', answer: 'close' });
  });

  it.each([
    ['a line without a name', 'OPTIONS sip:a SIP/2.0\r\n: x\r\nl: 9\r\n\r\nnot a msg', 400],
    ['a NUL', 'OPTIONS sip:a SIP/2.0\r\nX: \0\r\nContent-Length : 0\r\n\r\n', 400],
    ['a request line that is none', 'OPTIONS sip:a sip:b SIP/2.0\r\nl: 0\r\n\r\n', 400],
    ['another version', 'OPTIONS sip:a SIP/7.0\r\nl: 2\r\nX: y\r\n\r\nhi', 505],
    ['a status that there is not', 'SIP/2.0 1000 X\r\nl: 0\r\n\r\n', 400],
    ['too many lines', `OPTIONS sip:a SIP/2.0\r\n${'X: y\r\n'.repeat(600)}l: 1\r\n\r\n!`, 513],
  ])(
    '%s: it is passed over wherever the bytes are cut, and what comes behind is read',
    (_what, bad, status) => {
      const stream = Buffer.from(`${FIRST}${bad}${SECOND}`);
      const step = Math.ceil(stream.length / 500);
      for (let cut = 0; cut <= stream.length; cut += step) {
        const framer = new SipStreamFramer();
        const items = [...framer.push(stream.subarray(0, cut)), ...framer.push(stream.subarray(cut))];
        expect(items.map(show)).toEqual([EXPECTED[1], `fault ${status}`, EXPECTED[2]]);
        expect([framer.fault, framer.partial]).toEqual([undefined, false]);
      }
    },
  );

  it.each([
    ['two lengths', ': x\r\nl: 0\r\nContent-Length: 0'],
    ['a length in a folded line', ': x\r\nX: y\r\n l: 5\r\nl: 0'],
    ['a folded length', ': x\r\nl: 1\r\n 0'],
    ['a length that is none', ': x\r\nl: five'],
    ['no length', ': x'],
    ['a lone line feed, at which others may see the end of a line or of the head', 'X: y\n\nz\r\nl: 0'],
    ['a lone carriage return', 'X: y\rz\r\nl: 0'],
    ['a body that is too long to be read past', `: x\r\nl: ${SIP_LIMITS.maxPassedBytes + 1}`],
  ])('an unreadable message with %s ends the stream: nobody knows where the next begins', (_what, lines) => {
    const framer = new SipStreamFramer();
    const items = framer.push(Buffer.from(`${FIRST}OPTIONS sip:a SIP/2.0\r\n${lines}\r\n\r\n${SECOND}`));
    expect(items.map(show)).toEqual([EXPECTED[1]]);
    expect(framer.fault?.error.answer).toBe(400);
    expect(framer.push(Buffer.from(FIRST))).toEqual([]);
  });

  it.each(['POST / HTTP/1.1', ' OPTIONS sip:a SIP/2.0', '\0 sip:a SIP/2.0'])(
    '"%s" is not SIP and ends the stream, whatever length it says',
    (line) => {
      const framer = new SipStreamFramer();
      framer.push(Buffer.from(`${line}\r\nContent-Length: 0\r\n\r\n${FIRST}`));
      expect(framer.fault).toBeDefined();
    },
  );

  it.each([
    [SIP_LIMITS.maxPassedBytes, ['fault 513', EXPECTED[1]]],
    [SIP_LIMITS.maxPassedBytes + 1, []],
  ])('a message of %i bytes: up to the ceiling it is passed over and not kept', (length, shown) => {
    const framer = new SipStreamFramer();
    const items = framer.push(Buffer.from(`MESSAGE sip:a SIP/2.0\r\nContent-Length: ${length}\r\n\r\n`));
    // Its sender is told at once.
    expect(items.map(show)).toEqual(shown.slice(0, 1));
    const piece = Buffer.alloc(64 * 1024);
    for (let left = length; left > 0; left -= piece.length) {
      expect(framer.push(piece.subarray(0, Math.min(left, piece.length)))).toEqual([]);
      expect(framer.partial).toBe(left > piece.length || shown.length === 0);
    }
    expect(framer.push(Buffer.from(FIRST)).map(show)).toEqual(shown.slice(1));
  });

  it('a message that comes byte by byte costs time linear in its length', () => {
    const growth = costGrowth(
      (length) => {
        const text = Buffer.from(`MESSAGE sip:a SIP/2.0\r\nX: ${'y'.repeat(length)}\r\nl: 0\r\n\r\n`);
        return [...text].map((byte) => Buffer.from([byte]));
      },
      (pieces) => {
        const framer = new SipStreamFramer();
        let count = 0;
        for (const piece of pieces) count += framer.push(piece).length;
        expect(count).toBe(1);
      },
    );
    expect(growth).toBeLessThan(3);
  });
});
