import { describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../main/base/limits.ts';
import { parseSipMessage, salvageRequest, serialiseSipMessage, SipHeaders } from '../../main/sip/message.ts';
import { costGrowth } from '../support/cost.ts';

function bytes(...lines: string[]): Buffer {
  return Buffer.from(lines.join('\r\n'), 'utf8');
}

function refused(code: string, answer: number): Error {
  return expect.objectContaining({ name: 'ProtocolError', code, answer }) as Error;
}

describe('parseSipMessage (RFC 3261 §7)', () => {
  it('reads a request: names as received, looked up in any case and in compact form (§7.3.3)', () => {
    const message = parseSipMessage(
      bytes(
        'INVITE sip:bob@b SIP/2.0',
        'v: SIP/2.0/UDP a',
        'V: SIP/2.0/UDP b',
        'f:  x ',
        'CALL-ID : id',
        'L: 3',
        '',
        'abcdef',
      ),
    );
    expect(message).toMatchObject({ kind: 'request', method: 'INVITE', uri: 'sip:bob@b' });
    expect([...message.headers].map(({ name }) => name)).toEqual(['v', 'V', 'f', 'CALL-ID', 'L']);
    expect(message.headers.getAll('Via')).toEqual(['SIP/2.0/UDP a', 'SIP/2.0/UDP b']);
    expect([message.headers.get('From'), message.headers.get('i'), message.headers.has('to')]).toEqual([
      'x',
      'id',
      false,
    ]);
    expect(message.body.toString()).toBe('abc');
  });

  it('reads a response, with and without a reason', () => {
    expect(parseSipMessage(bytes('SIP/2.0 180 Ringing now', '', ''))).toMatchObject({
      status: 180,
      reason: 'Ringing now',
    });
    expect(parseSipMessage(bytes('SIP/2.0 200', '', ''))).toMatchObject({ status: 200, reason: '' });
    expect(parseSipMessage(bytes('SIP/2.0 200 ', '', ''))).toMatchObject({ status: 200, reason: '' });
  });

  it('unfolds lines (§7.3.1) and skips leading line ends (§7.5)', () => {
    const message = parseSipMessage(
      bytes('', '', 'OPTIONS sip:a SIP/2.0', 'Subject: I know', '\t you are', '  there', '', ''),
    );
    expect(message.headers.get('subject')).toBe('I know you are there');
  });

  it('keeps bytes of a body as they are', () => {
    const body = Buffer.from([0, 255, 13, 10, 13, 10, 7]);
    const message = parseSipMessage(Buffer.concat([bytes('MESSAGE sip:a SIP/2.0', '', ''), body]));
    expect(message.body.equals(body)).toBe(true);
  });

  it('can be told not to believe Content-Length', () => {
    const text = bytes('SIP/2.0 200 OK', 'Content-Length: 1', '', 'abc');
    expect(parseSipMessage(text).body.toString()).toBe('a');
    expect(parseSipMessage(text, { contentLength: 'ignore' }).body.toString()).toBe('abc');
  });

  it.each([
    ['no empty line', bytes('OPTIONS sip:a SIP/2.0', 'a: b'), 'SIP_BAD_MESSAGE', 400],
    ['nothing', Buffer.alloc(0), 'SIP_BAD_MESSAGE', 400],
    ['a request line in two parts', bytes('OPTIONS sip:a', '', ''), 'SIP_BAD_START_LINE', 400],
    ['a Request-URI with spaces', bytes('OPTIONS sip:a b SIP/2.0', '', ''), 'SIP_BAD_START_LINE', 400],
    ['a Request-URI in brackets', bytes('OPTIONS <sip:a> SIP/2.0', '', ''), 'SIP_BAD_START_LINE', 400],
    ['two spaces', bytes('OPTIONS  sip:a SIP/2.0', '', ''), 'SIP_BAD_START_LINE', 400],
    ['a method that is no token', bytes('OPT(ONS sip:a SIP/2.0', '', ''), 'SIP_BAD_START_LINE', 400],
    ['HTTP', bytes('GET / HTTP/1.1', '', ''), 'SIP_BAD_START_LINE', 400],
    ['another version (§21.5.6)', bytes('OPTIONS sip:a SIP/7.0', '', ''), 'SIP_VERSION', 505],
    ['a status out of range', bytes('SIP/2.0 999 x', '', ''), 'SIP_BAD_START_LINE', 400],
    ['a line without a name', bytes('OPTIONS sip:a SIP/2.0', 'no colon', '', ''), 'SIP_BAD_HEADER', 400],
    ['a continuation of nothing', bytes('OPTIONS sip:a SIP/2.0', ' x: y', '', ''), 'SIP_BAD_HEADER', 400],
    ['a bare line feed', bytes('OPTIONS sip:a SIP/2.0', 'a: b\nVia: c', '', ''), 'SIP_BAD_HEADER', 400],
    ['a NUL', bytes('OPTIONS sip:a SIP/2.0', 'a: b\0c', '', ''), 'SIP_BAD_HEADER', 400],
    ['a length that is none', bytes('OPTIONS sip:a SIP/2.0', 'l: -1', '', ''), 'SIP_CONTENT_LENGTH', 400],
    [
      'two lengths',
      bytes('OPTIONS sip:a SIP/2.0', 'l: 1', 'Content-Length: 2', '', 'ab'),
      'SIP_CONTENT_LENGTH',
      400,
    ],
    [
      'a body too short (§18.3)',
      bytes('OPTIONS sip:a SIP/2.0', 'l: 4', '', 'abc'),
      'SIP_CONTENT_LENGTH',
      400,
    ],
  ])('%s is refused', (_title, text, code, status) => {
    expect(() => parseSipMessage(text)).toThrow(refused(code, status));
  });

  it('the ceilings: at the limit it passes, one over is 513', () => {
    const lines = (count: number): Buffer =>
      bytes('OPTIONS sip:a SIP/2.0', ...Array.from({ length: count }, () => 'a: b'), '', '');
    expect(parseSipMessage(lines(SIP_LIMITS.maxHeaderLines)).headers.size).toBe(SIP_LIMITS.maxHeaderLines);
    expect(() => parseSipMessage(lines(SIP_LIMITS.maxHeaderLines + 1))).toThrow(
      refused('SIP_HEAD_TOO_LARGE', 513),
    );
    const start = 'OPTIONS sip:a SIP/2.0\r\nx: ';
    const head = (length: number): Buffer =>
      Buffer.from(`${start}${'y'.repeat(length - start.length)}\r\n\r\n`);
    expect(parseSipMessage(head(SIP_LIMITS.maxHeadBytes)).headers.size).toBe(1);
    expect(() => parseSipMessage(head(SIP_LIMITS.maxHeadBytes + 1))).toThrow(
      refused('SIP_HEAD_TOO_LARGE', 513),
    );
    const whole = (length: number): Buffer => {
      const text = 'OPTIONS sip:a SIP/2.0\r\n\r\n';
      return Buffer.from(text + 'z'.repeat(length - text.length));
    };
    expect(parseSipMessage(whole(SIP_LIMITS.maxMessageBytes)).body.length).toBeGreaterThan(0);
    expect(() => parseSipMessage(whole(SIP_LIMITS.maxMessageBytes + 1))).toThrow(
      refused('SIP_TOO_LARGE', 513),
    );
  });

  it('a header line of 64 KB costs about twice what one of 32 KB does', () => {
    const shapes: ((length: number) => string)[] = [
      (length) => `Contact: ${' '.repeat(length)}x`,
      (length) => `Contact: ${'"\\'.repeat(length / 2)}`,
      (length) => `Contact: ${'<'.repeat(length)}`,
      (length) => `Contact: ${'a,'.repeat(length / 2)}`,
      (length) => 'x'.repeat(length),
    ];
    for (const build of shapes) {
      // Quadratic work would cost four times as much for twice the length.
      const growth = costGrowth(
        (length) => Buffer.from(`OPTIONS sip:a SIP/2.0\r\n${build(length)}\r\n\r\n`),
        (text) => {
          try {
            parseSipMessage(text).headers.list('contact');
          } catch {
            // Refusing counts as well.
          }
        },
      );
      expect(growth).toBeLessThan(3);
    }
  });
});

describe('serialiseSipMessage', () => {
  it('counts the body in bytes, in the place and under the name of the given line (§20.14)', () => {
    const headers = new SipHeaders([
      ['l', '99'],
      ['X', '1'],
      ['Content-Length', '7'],
    ]);
    const text = serialiseSipMessage({
      kind: 'response',
      status: 200,
      reason: 'OK',
      headers,
      body: Buffer.from('hé'),
    });
    expect(text.toString('utf8')).toBe('SIP/2.0 200 OK\r\nl: 3\r\nX: 1\r\n\r\nhé');
  });

  it('adds it when there is none', () => {
    const text = serialiseSipMessage({
      kind: 'request',
      method: 'OPTIONS',
      uri: 'sip:a',
      headers: new SipHeaders(),
      body: Buffer.alloc(0),
    });
    expect(text.toString()).toBe('OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n');
  });
});

describe('SipHeaders', () => {
  it('set replaces in place and drops the others; setFirst keeps the rest of the line', () => {
    const headers = new SipHeaders([
      ['Via', 'a, b'],
      ['v', 'c'],
      ['To', 'x'],
    ]);
    headers.setFirst('Via', 'A');
    expect(headers.getAll('via')).toEqual(['A, b', 'c']);
    expect(headers.list('via')).toEqual(['A', 'b', 'c']);
    headers.set('via', 'only');
    expect([...headers].map(({ name, value }) => `${name}: ${value}`)).toEqual(['Via: only', 'To: x']);
    headers.set('From', 'new');
    headers.remove('t');
    expect([...headers].map(({ name }) => name)).toEqual(['Via', 'From']);
  });

  it('a clone is independent', () => {
    const headers = new SipHeaders([['To', 'x']]);
    const copy = headers.clone();
    copy.set('To', 'y');
    expect(headers.get('To')).toBe('x');
  });
});

describe('salvageRequest', () => {
  it('finds what a 400 needs', () => {
    const request = salvageRequest(
      bytes(
        'MESSAGE  sip:a b SIP/2.0',
        'bad line',
        'Via: v',
        'f: f',
        't: t',
        'i: i',
        'CSeq: c',
        'X: y',
        '',
        '',
      ),
    );
    expect(request?.method).toBe('MESSAGE');
    expect([...(request?.headers ?? [])].map(({ value }) => value)).toEqual(['v', 'f', 't', 'i', 'c']);
  });

  it.each([
    ['a response', bytes('SIP/2.0 200 OK', 'Via: v', 'f: f', 't: t', 'i: i', 'CSeq: c', '', '')],
    ['an ACK', bytes('ACK sip:a SIP/2.0', 'Via: v', 'f: f', 't: t', 'i: i', 'CSeq: c', '', '')],
    ['one without Via', bytes('MESSAGE sip:a SIP/2.0', 'f: f', 't: t', 'i: i', 'CSeq: c', '', '')],
  ])('not from %s', (_title, text) => {
    expect(salvageRequest(text)).toBeUndefined();
  });
});
