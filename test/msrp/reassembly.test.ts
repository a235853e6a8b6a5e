import { describe, expect, it } from 'vitest';
import { MSRP_LIMITS } from '../../main/base/limits.ts';
import { MsrpChunker } from '../../main/msrp/chunking.ts';
import { parseMsrpHead, type MsrpFlag } from '../../main/msrp/message.ts';
import { MsrpReassembly, type MsrpWholeMessage } from '../../main/msrp/reassembly.ts';
import { createTransactionIdFor, MsrpTransactions } from '../../main/msrp/transactions.ts';
import { ManualClock } from '../support/manual-clock.ts';

type Chunk = readonly [id: string, range: string, body: string, flag: MsrpFlag];

function receive(reassembly: MsrpReassembly, [id, range, body, flag]: Chunk): MsrpWholeMessage | undefined {
  const text = `MSRP abcd SEND\r\nMessage-ID: ${id}\r\nByte-Range: ${range}\r\nContent-Type: a/b\r\n`;
  const chunk = reassembly.receiveChunk(parseMsrpHead(text, true, MSRP_LIMITS), () => undefined);
  const bytes = Buffer.from(body);
  const middle = bytes.length >> 1;
  if (middle > 0) chunk.receiveBody(bytes.subarray(0, middle));
  if (bytes.length > 0) chunk.receiveBody(bytes.subarray(middle));
  return chunk.receiveEnd(flag);
}

function receiveAll(chunks: readonly Chunk[]): string[] {
  using reassembly = new MsrpReassembly(MSRP_LIMITS, new ManualClock());
  return chunks
    .map((chunk) => receive(reassembly, chunk))
    .filter((message) => message !== undefined)
    .map((message) => `${message.messageId}=${message.body.toString()}`);
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

describe('MsrpReassembly (RFC 4975 §5.1, §7.3.1)', () => {
  const abc: Chunk[] = [
    ['m', '1-3/10', 'abc', '+'],
    ['m', '4-6/10', 'def', '+'],
    ['m', '7-9/10', 'ghi', '+'],
    ['m', '10-10/10', 'j', '$'],
  ];

  it('takes chunks in any order, with known and unknown total', () => {
    for (const order of permutations(abc)) {
      expect(receiveAll(order)).toEqual(['m=abcdefghij']);
      expect(
        receiveAll(order.map(([id, range, body, flag]) => [id, range.replace('/10', '/*'), body, flag])),
      ).toEqual(['m=abcdefghij']);
    }
  });

  it('takes overlapping and repeated ranges; the later one wins', () => {
    expect(
      receiveAll([
        ['m', '1-4/6', 'aaaa', '+'],
        ['m', '3-5/6', 'bbb', '+'],
        ['m', '3-5/6', 'ccc', '+'],
        ['m', '5-6/6', 'dd', '$'],
      ]),
    ).toEqual(['m=aaccdd']);
    for (const order of permutations<Chunk>([
      ['m', '1-4/6', 'abcd', '+'],
      ['m', '2-5/6', 'bcde', '+'],
      ['m', '2-3/6', 'bc', '+'],
      ['m', '1-6/6', 'abcdef', '$'],
    ])) {
      expect(receiveAll(order)[0]).toBe('m=abcdef');
    }
  });

  it('keeps interleaved messages apart', () => {
    expect(
      receiveAll([
        ['one', '1-2/4', 'ab', '+'],
        ['two', '1-*/*', 'xy', '+'],
        ['three', '1-1/1', '!', '$'],
        ['two', '3-*/*', 'z', '$'],
        ['one', '3-4/4', 'cd', '$'],
      ]),
    ).toEqual(['three=!', 'two=xyz', 'one=abcd']);
  });

  it('# drops the message', () => {
    expect(
      receiveAll([
        ['m', '1-2/4', 'ab', '+'],
        ['m', '3-4/4', 'c', '#'],
        ['m', '1-2/2', 'zz', '$'],
      ]),
    ).toEqual(['m=zz']);
  });

  it('an empty last chunk ends the message; one chunk is whole whatever total it claims', () => {
    expect(
      receiveAll([
        ['m', '1-2/*', 'ab', '+'],
        ['m', '3-2/*', '', '$'],
        ['n', '1-7/7', 'äöü', '$'],
        ['e', '1-0/0', '', '$'],
      ]),
    ).toEqual(['m=ab', 'n=äöü', 'e=']);
  });

  it('bytes beyond the end are refused with 400', () => {
    using reassembly = new MsrpReassembly(MSRP_LIMITS, new ManualClock());
    receive(reassembly, ['m', '5-8/*', 'late', '+']);
    expect(() => receive(reassembly, ['m', '1-2/*', 'ab', '$'])).toThrow(
      expect.objectContaining({ code: 'MSRP_BEYOND_END', answer: 400 }) as Error,
    );
  });

  it('a message stays what it was when the memory that it was read into is used again', () => {
    using reassembly = new MsrpReassembly(MSRP_LIMITS, new ManualClock());
    const head = parseMsrpHead('MSRP abcd SEND\r\nMessage-ID: m\r\nContent-Type: a/b\r\n', true, MSRP_LIMITS);
    const chunk = reassembly.receiveChunk(head, () => undefined);
    const bytes = Buffer.from('whole');
    chunk.receiveBody(bytes);
    const message = chunk.receiveEnd('$');
    bytes.fill('x');
    expect(message?.body.toString()).toBe('whole');
  });

  it('leaves no timer behind', () => {
    const clock = new ManualClock();
    const reassembly = new MsrpReassembly(MSRP_LIMITS, clock);
    receive(reassembly, ['m', '1-2/4', 'ab', '+']);
    receive(reassembly, ['n', '1-2/4', 'ab', '+']);
    expect(clock.pending).toBe(2);
    receive(reassembly, ['m', '3-4/4', 'cd', '$']);
    expect(clock.pending).toBe(1);
    reassembly[Symbol.dispose]();
    expect(clock.pending).toBe(0);
    expect(reassembly.size).toBe(0);
  });
});

describe('MsrpChunker (RFC 4975 §5.1, §7.1.1)', () => {
  it('cuts what MsrpReassembly puts together, for every size around the chunk size', () => {
    for (let size = 0; size <= 25; size++) {
      const body = Buffer.from('abcdefghijklmnopqrstuvwxy'.slice(0, size));
      const chunker = new MsrpChunker(body, { sendChunkBytes: 8, maxFixedRangeBytes: 4 });
      expect(chunker.isOneChunk).toBe(size <= 8);
      const chunks: Chunk[] = [];
      while (!chunker.ended) {
        const chunk = chunker.next()!;
        chunks.push(['m', chunk.byteRange, chunk.body.toString(), chunk.flag]);
      }
      expect(chunks).toHaveLength(Math.max(1, Math.ceil(size / 8)));
      for (const order of [chunks, chunks.toReversed()])
        expect(receiveAll(order)).toEqual([`m=${body.toString()}`]);
      expect(() => chunker.next()).toThrow();
    }
  });
});

describe('MsrpTransactions (RFC 4975 §7.1, §7.1.1)', () => {
  it('never takes an id whose end-line occurs in the body', () => {
    const ids = ['aaaa', 'bbbb', 'cccc'];
    const body = Buffer.from('x\r\n-------aaaa$\r\n-------bbbbz');
    expect(createTransactionIdFor(body, () => ids.shift()!)).toBe('cccc');
  });

  it('times out each request after its own time, with one timer', () => {
    const clock = new ManualClock();
    using transactions = new MsrpTransactions(clock, 100);
    const seen: string[] = [];
    const receiver = (name: string) => ({
      receiveStatus: (status: number) => seen.push(`${name}:${status}`),
    });
    transactions.add('a', receiver('a'));
    clock.advance(60);
    transactions.add('b', receiver('b'));
    expect(clock.pending).toBe(1);
    clock.advance(39);
    expect(seen).toEqual([]);
    clock.advance(1);
    expect(seen).toEqual(['a:408']);
    expect(transactions.receiveResponse('b', 200)).toBe(true);
    expect(transactions.receiveResponse('b', 200)).toBe(false);
    clock.advance(1_000);
    expect(seen).toEqual(['a:408', 'b:200']);
    expect(clock.pending).toBe(0);
  });
});
