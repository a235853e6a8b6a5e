import { describe, expect, it } from 'vitest';
import { MSRP_LIMITS } from '../../main/base/limits.ts';
import type { MsrpHead } from '../../main/msrp/message.ts';
import { MsrpParser, type MsrpParserEvent, type MsrpParserLimits } from '../../main/msrp/parser.ts';

interface Seen {
  head: Partial<MsrpHead>;
  body: string | undefined;
  flag: string | undefined;
}

function collect(events: readonly MsrpParserEvent[]): { frames: Seen[]; error: string | undefined } {
  const frames: Seen[] = [];
  let error: string | undefined;
  for (const event of events) {
    const last = frames.at(-1);
    if (event.kind === 'head') {
      const { fault, ...head } = event.head;
      frames.push({
        head: fault === undefined ? head : { ...head, comment: fault.code },
        body: head.hasBody ? '' : undefined,
        flag: undefined,
      });
    } else if (event.kind === 'body') {
      last!.body = (last!.body ?? '') + event.bytes.toString('latin1');
    } else if (event.kind === 'end') {
      last!.flag = event.flag;
    } else {
      error = event.error.code;
    }
  }
  return { frames, error };
}

function run(pieces: readonly Buffer[], limits: Partial<MsrpParserLimits>) {
  const parser = new MsrpParser({ ...MSRP_LIMITS, ...limits });
  const events: MsrpParserEvent[] = [];
  for (const piece of pieces) {
    events.push(...parser.push(piece));
    if (events.at(-1)?.kind === 'error') break;
  }
  return { ...collect(events), midFrame: parser.midFrame };
}

/** Parses whole, cut at every offset, and byte by byte; all have to agree. */
function parse(text: string | Buffer, limits: Partial<MsrpParserLimits> = {}) {
  const bytes = Buffer.from(text);
  const whole = run([bytes], limits);
  const compare = (other: typeof whole) => {
    if (whole.error === undefined) expect(other).toEqual(whole);
    else expect(other.error).toBe(whole.error);
  };
  for (let at = 1; at < bytes.length; at++) compare(run([bytes.subarray(0, at), bytes.subarray(at)], limits));
  compare(
    run(
      Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1)),
      limits,
    ),
  );
  return whole;
}

const PATHS = 'To-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:2/y;tcp\r\n';

describe('MsrpParser: framing (RFC 4975 §7.3, §9)', () => {
  it('reads a request with a body', () => {
    const text = `MSRP abcd SEND\r\n${PATHS}Message-ID: 1234\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------abcd$\r\n`;
    const { frames, error, midFrame } = parse(text);
    expect(error).toBeUndefined();
    expect(midFrame).toBe(false);
    expect(frames).toMatchObject([
      {
        head: { transactionId: 'abcd', method: 'SEND', contentType: 'text/plain' },
        body: 'hello',
        flag: '$',
      },
    ]);
  });

  it('tells bodiless from an empty body', () => {
    const bodiless = `MSRP abcd SEND\r\n${PATHS}Message-ID: 1234\r\n-------abcd$\r\n`;
    const empty = `MSRP abce SEND\r\n${PATHS}Message-ID: 1234\r\nContent-Type: text/plain\r\n\r\n\r\n-------abce$\r\n`;
    const { frames } = parse(bodiless + empty);
    expect(frames.map((frame) => frame.body)).toEqual([undefined, '']);
  });

  it('tolerates an empty body without its own CRLF', () => {
    const text = `MSRP abcd SEND\r\n${PATHS}Content-Type: text/plain\r\n\r\n-------abcd$\r\n`;
    expect(parse(text).frames).toMatchObject([{ body: '', flag: '$' }]);
  });

  it.each(['$', '+', '#'])('reads the flag %s', (flag) => {
    const text = `MSRP abcd SEND\r\n${PATHS}Content-Type: a/b\r\n\r\nx\r\n-------abcd${flag}\r\n`;
    expect(parse(text).frames[0]!.flag).toBe(flag);
    expect(parse(`MSRP abcd SEND\r\n${PATHS}-------abcd${flag}\r\n`).frames[0]!.flag).toBe(flag);
  });

  it.each([
    'x-------abcd$\r\n',
    '\r\n-------abcdX',
    '\r\n-------abc',
    '\r\n-------abcd$x',
    '\r\n-------abcd$\rx',
    '\r\n-------abcd$\r',
    '\r\n-------abcd$\r\r',
    '\r\n-------abcd\r\n-------abcd',
    '\r\n------abcd$\r\n',
    '\r\r\n\r\r\n--',
    '-------abcd%\r\n',
    '-------abcd$\r',
    '\r\n-------abcd$\r\r\n-------abcd+\r\r\n-------abcd#\n',
  ])('does not take %j within a body for the end-line', (content) => {
    const text = `MSRP abcd SEND\r\n${PATHS}Content-Type: a/b\r\n\r\n${content}\r\n-------abcd$\r\nMSRP next 200 OK\r\n${PATHS}-------next$\r\n`;
    const { frames } = parse(text);
    expect(frames).toMatchObject([{ body: content, flag: '$' }, { head: { status: 200, comment: 'OK' } }]);
  });

  it('reads binary bodies byte for byte', () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_value, index) => index));
    const text = Buffer.concat([
      Buffer.from(`MSRP abcd SEND\r\n${PATHS}Content-Type: a/b\r\n\r\n`),
      body,
      Buffer.from('\r\n-------abcd$\r\n'),
    ]);
    expect(parse(text).frames[0]!.body).toBe(body.toString('latin1'));
  });

  it('hands body pieces on as views, without collecting them', () => {
    const parser = new MsrpParser();
    parser.push(Buffer.from(`MSRP abcd SEND\r\n${PATHS}Content-Type: a/b\r\n\r\n`));
    const bytes = Buffer.alloc(100_000, 'x');
    const events = parser.push(bytes);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ kind: 'body' });
    expect((events[0] as { bytes: Buffer }).bytes.buffer).toBe(bytes.buffer);
  });

  it('reads responses with and without a comment', () => {
    expect(parse(`MSRP abcd 413\r\n${PATHS}-------abcd$\r\n`).frames[0]!.head).toMatchObject({
      status: 413,
      comment: '',
    });
    expect(parse(`MSRP abcd 200 All is well\r\n${PATHS}-------abcd$\r\n`).frames[0]!.head.comment).toBe(
      'All is well',
    );
  });

  it('compares header names without case and skips CRLF between frames', () => {
    const text = `\r\n\r\nMSRP abcd SEND\r\nto-path: msrp://a:1/x;tcp\r\nFROM-PATH:msrp://b:2/y;tcp\r\nX-Odd: 1\r\n-------abcd$\r\n\r\n`;
    expect(parse(text).frames[0]!.head).toMatchObject({
      toPath: 'msrp://a:1/x;tcp',
      fromPath: 'msrp://b:2/y;tcp',
      others: [{ name: 'X-Odd', value: '1' }],
    });
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'MSRP_BAD_START_LINE'],
    ['MSRP \r\n\r\n', 'MSRP_BAD_START_LINE'],
    ['MSRP abcd\r\nTo-Path: x\r\n\r\n', 'MSRP_BAD_START_LINE'],
    ['MSRP ab/d SEND\r\nTo-Path: x\r\n\r\n', 'MSRP_BAD_START_LINE'],
    ['MSRP abcd se nd\r\nTo-Path: x\r\n\r\n', 'MSRP_BAD_START_LINE'],
    [`MSRP abcd SEND\r\n${PATHS}-------abce$\r\n`, 'MSRP_BAD_END_LINE'],
    [`MSRP abcd SEND\r\n${PATHS}-------abcd!\r\n`, 'MSRP_BAD_END_LINE'],
    [`MSRP abcd SEND\r\n${PATHS}---x\r\nmore and more and more\r\n`, 'MSRP_BAD_END_LINE'],
    ['MSRP abcd SEND\nTo-Path: x\n\n', 'MSRP_BAD_LINE'],
    ['MSRP abcd SEND\r\nTo-Path: x\r\n\rx', 'MSRP_BAD_LINE'],
  ])('refuses %j', (text, code) => {
    expect(parse(text).error).toBe(code);
  });

  it('refuses further work after an error', () => {
    const parser = new MsrpParser();
    expect(parser.push(Buffer.from('HTTP'))).toMatchObject([{ kind: 'error' }]);
    expect(() => parser.push(Buffer.from('x'))).toThrow('failed before');
  });

  it('delivers what came before an error', () => {
    const { frames, error } = run([Buffer.from(`MSRP abcd SEND\r\n${PATHS}-------abcd$\r\ngarbage`)], {});
    expect(frames).toHaveLength(1);
    expect(error).toBe('MSRP_BAD_START_LINE');
  });

  it.each([
    ['To-Path without colon\r\n', 'MSRP_BAD_HEADER'],
    ['To-Path: again\r\n', 'MSRP_DUPLICATE_HEADER'],
    ['B@d: x\r\n', 'MSRP_BAD_HEADER'],
  ])('marks the mistake in %j and stays in step', (line, code) => {
    const { frames } = parse(
      `MSRP abcd SEND\r\n${PATHS}${line}-------abcd$\r\nMSRP nxt1 SEND\r\n${PATHS}-------nxt1$\r\n`,
    );
    expect(frames).toHaveLength(2);
    expect(frames[0]!.head.comment).toBe(code);
  });
});

describe('MsrpParser: ceilings (RFC 4975 §7.1)', () => {
  const head = `MSRP abcd SEND\r\n${PATHS}Content-Type: a/b\r\n`;

  it('maxHeadBytes: at the limit passes, one over fails', () => {
    const text = `${head}\r\n\r\n-------abcd$\r\n`;
    expect(parse(text, { maxHeadBytes: head.length }).error).toBeUndefined();
    expect(parse(text, { maxHeadBytes: head.length - 1 }).error).toBe('MSRP_HEAD_TOO_LARGE');
    const bodiless = `MSRP abcd SEND\r\n${PATHS}-------abcd$\r\n`;
    expect(parse(bodiless, { maxHeadBytes: bodiless.length - 14 }).error).toBeUndefined();
    expect(parse(bodiless, { maxHeadBytes: bodiless.length - 15 }).error).toBe('MSRP_HEAD_TOO_LARGE');
  });

  it('maxHeaderLines: at the limit passes, one over is answered with 400', () => {
    expect(parse(`${head}-------abcd$\r\n`, { maxHeaderLines: 3 }).frames[0]!.head.comment).toBe('');
    expect(parse(`${head}-------abcd$\r\n`, { maxHeaderLines: 2 }).frames[0]!.head.comment).toBe(
      'MSRP_TOO_MANY_HEADERS',
    );
  });

  it('maxTransactionIdChars: at the limit passes, one over fails', () => {
    expect(parse(`${head}-------abcd$\r\n`, { maxTransactionIdChars: 4 }).error).toBeUndefined();
    expect(parse(`${head}-------abcd$\r\n`, { maxTransactionIdChars: 3 }).error).toMatch(/^MSRP_BAD_/);
  });

  it('maxChunkBytes: at the limit passes, one over fails with 413', () => {
    const text = `${head}\r\n12345\r\n-------abcd$\r\n`;
    expect(parse(text, { maxChunkBytes: 5 }).error).toBeUndefined();
    expect(parse(text, { maxChunkBytes: 4 }).error).toBe('MSRP_CHUNK_TOO_LARGE');
  });

  it('maxNonSendBodyBytes: at the limit passes, one over fails', () => {
    const text = `${head.replace('SEND', 'NICKNAME')}\r\n12345\r\n-------abcd$\r\n`;
    expect(parse(text, { maxNonSendBodyBytes: 5 }).error).toBeUndefined();
    expect(parse(text, { maxNonSendBodyBytes: 4 }).error).toBe('MSRP_CHUNK_TOO_LARGE');
  });
});
