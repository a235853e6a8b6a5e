import { describe, expect, it } from 'vitest';
import {
  formatAuthValue,
  formatNameAddr,
  formatVia,
  parseAuthValues,
  parseCSeq,
  parseNameAddr,
  parseNameAddrList,
  parseVia,
  quote,
  splitHeaderList,
  unquote,
} from '../../main/sip/headers.ts';

const bad = expect.objectContaining({ name: 'ProtocolError', code: 'SIP_BAD_HEADER', answer: 400 }) as Error;

describe('splitHeaderList (RFC 3261 §7.3.1)', () => {
  it.each([
    ['a, b ,c', ['a', 'b', 'c']],
    ['"a, b" <sip:x@y>, <sip:u@h;p=1,2>', ['"a, b" <sip:x@y>', '<sip:u@h;p=1,2>']],
    ['"a\\", b" <sip:x>', ['"a\\", b" <sip:x>']],
    ['', []],
    [' , ,', []],
    ['"never closed, a', ['"never closed, a']],
  ])('%j', (text, parts) => {
    expect(splitHeaderList(text)).toEqual(parts);
  });
});

describe('name-addr (RFC 3261 §20.10)', () => {
  it.each([
    ['<sip:a@b>', undefined, 'sip:a@b', []],
    ['sip:a@b;tag=x', undefined, 'sip:a@b', [['tag', 'x']]],
    ['<sip:a@b;lr>;Expires=5', undefined, 'sip:a@b;lr', [['expires', '5']]],
    ['"A \\"B\\"" <sip:a@b>', 'A "B"', 'sip:a@b', []],
    ['Alice Smith <sip:a@b>;q=0.5', 'Alice Smith', 'sip:a@b', [['q', '0.5']]],
    ['"a<b>,;" <sip:a@b>', 'a<b>,;', 'sip:a@b', []],
    ['<sip:a@b>;+sip.instance="<urn:uuid:0-1>"', undefined, 'sip:a@b', [['+sip.instance', '<urn:uuid:0-1>']]],
    ['<mailto:a@b>', undefined, 'mailto:a@b', []],
  ])('%s', (text, displayName, uri, params) => {
    const value = parseNameAddr(text);
    expect([value.displayName, value.uri, [...value.params]]).toEqual([displayName, uri, params]);
    expect(parseNameAddr(formatNameAddr(value))).toEqual(value);
  });

  it.each([
    '',
    '<',
    '<sip:a@b',
    '<>',
    '"open <sip:a@b>',
    '<sip:a b>',
    'a@b',
    '"x" sip:a@b',
    '<sip:a>x',
    '<sip:a>;=x',
    'sip:a b',
  ])('%j is refused', (text) => {
    expect(() => parseNameAddr(text)).toThrow(bad);
  });

  it('lists', () => {
    expect(parseNameAddrList('"a,b" <sip:x>, sip:y').map(({ uri }) => uri)).toEqual(['sip:x', 'sip:y']);
  });
});

describe('Via (RFC 3261 §20.42)', () => {
  it.each([
    ['SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa;rport', 'UDP', '127.0.0.1', 5060],
    ['SIP / 2.0 / tcp [2001:db8::1]:5060 ;branch=x', 'TCP', '[2001:db8::1]', 5060],
    ['SIP/2.0/TLS host.example', 'TLS', 'host.example', undefined],
  ])('%s', (text, transport, host, port) => {
    const via = parseVia(text);
    expect([via.transport, via.host, via.port]).toEqual([transport, host, port]);
    expect(parseVia(formatVia(via))).toEqual(via);
  });

  it.each([
    '',
    'SIP/3.0/UDP a',
    'SIP/2.0/UDP',
    'SIP/2.0/UDP a:b',
    'SIP/2.0/UDP a:99999',
    'SIP/2.0/UDP a b',
    'HTTP/2.0/UDP a',
  ])('%j is refused', (text) => {
    expect(() => parseVia(text)).toThrow(bad);
  });
});

describe('CSeq (RFC 3261 §20.16)', () => {
  it('number and method', () => {
    expect(parseCSeq(' 4711  INVITE ')).toEqual({ number: 4711, method: 'INVITE' });
    expect(parseCSeq('4294967295 X')).toEqual({ number: 4_294_967_295, method: 'X' });
  });

  it.each(['', '1', 'INVITE', '1 INVITE x', '-1 INVITE', '4294967296 X', '99999999999 X'])(
    '%j is refused',
    (text) => {
      expect(() => parseCSeq(text)).toThrow(bad);
    },
  );
});

describe('authentication values (RFC 7616 §3.3)', () => {
  it('several challenges joined by commas come apart', () => {
    const values = parseAuthValues(
      'Digest realm="a, b", nonce="n\\"1", algorithm=SHA-256, qop="auth", stale=FALSE,Digest realm="c",nonce=x',
    );
    expect(values.map(({ scheme, params }) => [scheme, [...params]])).toEqual([
      [
        'Digest',
        [
          ['realm', 'a, b'],
          ['nonce', 'n"1'],
          ['algorithm', 'SHA-256'],
          ['qop', 'auth'],
          ['stale', 'FALSE'],
        ],
      ],
      [
        'Digest',
        [
          ['realm', 'c'],
          ['nonce', 'x'],
        ],
      ],
    ]);
  });

  it('qop is quoted in a challenge and bare in credentials', () => {
    const value = {
      scheme: 'Digest',
      params: new Map([
        ['realm', 'a"b'],
        ['qop', 'auth'],
        ['nc', '00000001'],
        ['algorithm', 'MD5'],
      ]),
    };
    expect(formatAuthValue(value, 'challenge')).toBe(
      'Digest realm="a\\"b", qop="auth", nc=00000001, algorithm=MD5',
    );
    expect(formatAuthValue(value, 'credentials')).toBe(
      'Digest realm="a\\"b", qop=auth, nc=00000001, algorithm=MD5',
    );
    expect([...(parseAuthValues(formatAuthValue(value, 'challenge'))[0]?.params ?? [])]).toEqual([
      ...value.params,
    ]);
  });

  it.each(['realm="a"', '=x', 'Digest ="a"'])('%j is refused', (text) => {
    expect(() => parseAuthValues(text)).toThrow(bad);
  });
});

describe('quoted strings (RFC 3261 §25.1)', () => {
  it.each(['plain', 'with "quotes"', 'back\\slash', ''])('%j', (text) => {
    expect(unquote(quote(text))).toBe(text);
  });

  it('a line end cannot be smuggled in', () => {
    expect(quote('a\r\nVia: evil')).toBe('"a Via: evil"');
  });
});
