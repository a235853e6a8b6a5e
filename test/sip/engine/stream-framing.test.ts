import { describe, expect, it } from 'vitest';
import { SipStreamFramer, type StreamItem } from '../../../main/sip/engine/stream-framing.ts';
import { costGrowth } from '../../support/cost.ts';

const FIRST = 'MESSAGE sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n';
const SECOND = 'SIP/2.0 200 OK\r\nl: 5\r\nX: y\r\n\r\nhello';
const STREAM = Buffer.from(`\r\n\r\n${FIRST}\r\n${SECOND}\r\n\r\n${FIRST}`);

function show(item: StreamItem): string {
  if (typeof item === 'string') return item;
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
    expect(growth).toBeLessThan(10);
  });
});
