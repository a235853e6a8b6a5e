import { describe, expect, it } from 'vitest';
import { MSRP_LIMITS } from '../../main/base/limits.ts';
import { formatByteRange, parseByteRange } from '../../main/msrp/message.ts';
import { buildMsrpAnswer, buildMsrpOffer, parseMsrpDescription } from '../../main/msrp/sdp.ts';
import { buildMsrpUri, msrpUrisEqual, parseMsrpPath, parseMsrpUri } from '../../main/msrp/uri.ts';
import { path } from './fixture.ts';

const ACCEPT = ['message/cpim', 'text/plain', '*'];
const LOCAL = path('msrp://192.0.2.7:2855/abc;tcp');

describe('SDP of a session (RFC 4975 §8, RFC 6135)', () => {
  it('builds an offer', () => {
    const sdp = buildMsrpOffer({
      path: LOCAL,
      acceptTypes: ACCEPT,
      setup: 'actpass',
      origin: { id: '7', version: 1 },
    });
    expect(sdp.split('\r\n')).toEqual([
      'v=0',
      'o=- 7 1 IN IP4 192.0.2.7',
      's=-',
      'c=IN IP4 192.0.2.7',
      't=0 0',
      'm=message 2855 TCP/MSRP *',
      'a=accept-types:message/cpim text/plain *',
      'a=accept-wrapped-types:*',
      'a=setup:actpass',
      'a=path:msrp://192.0.2.7:2855/abc;tcp',
      '',
    ]);
    expect(parseMsrpDescription(sdp)).toMatchObject({
      address: '192.0.2.7',
      port: 2855,
      setup: 'actpass',
      acceptTypes: ACCEPT,
      acceptWrappedTypes: ['*'],
      path: LOCAL,
      mediaIndex: 0,
    });
  });

  it('an active offer has port 9 (RFC 6135 §4.2.1)', () => {
    expect(buildMsrpOffer({ path: LOCAL, acceptTypes: ACCEPT, setup: 'active' })).toContain('m=message 9 ');
  });

  it('answers every m-line in order, refusing the others (RFC 3264 §6)', () => {
    const offer = parseMsrpDescription(
      [
        'v=0',
        'o=- 1 1 IN IP4 x.example',
        's=-',
        't=0 0',
        'c=IN IP6 2001:db8::1',
        'm=audio 4000 RTP/AVP 0 8',
        'a=setup:passive',
        'm=message 0 TCP/MSRP *',
        'a=path:msrp://x:1/dead;tcp',
        'm=message 7394 TCP/MSRP *',
        'a=connection:new',
        'a=accept-types: Text/Plain  message/CPIM',
        'a=path:msrp://relay:1/r;tcp msrp://[2001:DB8:0::1]:7394/live;tcp',
        'a=max-size:2000',
        'a=chatroom:nickname private-messages',
      ].join('\n'),
    )!;
    expect(offer).toMatchObject({
      address: '2001:db8::1',
      port: 7394,
      setup: undefined,
      acceptTypes: ['text/plain', 'message/cpim'],
      maxSize: 2000,
      mediaIndex: 2,
    });
    expect(offer.path[1]).toMatchObject({ host: '2001:db8::1', port: 7394, sessionId: 'live' });
    expect(offer.attributes).toContainEqual({ name: 'chatroom', value: 'nickname private-messages' });
    const media = buildMsrpAnswer({ offer, path: LOCAL, acceptTypes: ['text/plain'], setup: 'active' })
      .split('\r\n')
      .filter((line) => /^(m|a=setup)/.test(line));
    expect(media).toEqual([
      'm=audio 0 RTP/AVP 0 8',
      'm=message 0 TCP/MSRP *',
      'm=message 2855 TCP/MSRP *',
      'a=setup:active',
    ]);
  });

  it.each([
    ['nothing', ''],
    ['no SDP', 'hello'],
    ['a refused line', 'v=0\r\nm=message 0 TCP/MSRP *\r\na=path:msrp://x:1/a;tcp\r\n'],
    ['no path', 'v=0\r\nm=message 9 TCP/MSRP *\r\n'],
    ['a bad path', 'v=0\r\nm=message 9 TCP/MSRP *\r\na=path:http://x/\r\n'],
    ['another protocol', 'v=0\r\nm=message 9 UDP/MSRP *\r\na=path:msrp://x:1/a;tcp\r\n'],
    ['a malformed m-line', 'v=0\r\nm=message\r\na=path:msrp://x:1/a;tcp\r\n'],
  ])('finds nothing in %s', (_name, sdp) => {
    expect(parseMsrpDescription(sdp)).toBeUndefined();
  });

  it('maxSdpLines and maxSdpBytes: at the limit passes, one over does not', () => {
    const sdp = 'v=0\nm=message 9 TCP/MSRP *\na=path:msrp://x:1/a;tcp';
    const lines = (count: number) => sdp + '\na=x'.repeat(count - 3);
    expect(parseMsrpDescription(lines(MSRP_LIMITS.maxSdpLines))).toBeDefined();
    expect(parseMsrpDescription(lines(MSRP_LIMITS.maxSdpLines + 1))).toBeUndefined();
    expect(parseMsrpDescription(`${sdp}\na=`.padEnd(MSRP_LIMITS.maxSdpBytes, 'x'))).toBeDefined();
    expect(parseMsrpDescription(`${sdp}\na=`.padEnd(MSRP_LIMITS.maxSdpBytes + 1, 'x'))).toBeUndefined();
  });

  it('never writes a line break that came from elsewhere', () => {
    const attributes = [{ name: 'x', value: 'a\r\nm=audio 1 RTP/AVP 0' }];
    expect(() => buildMsrpOffer({ path: LOCAL, acceptTypes: ACCEPT, attributes })).toThrow(TypeError);
  });
});

describe('MSRP URIs (RFC 4975 §6, §6.1)', () => {
  it.each([
    ['msrp://a.example:2855/s1;tcp', 'MSRP://A.Example:2855/s1;TCP', true],
    ['msrp://bob@a:1/s;tcp', 'msrp://alice@a:1/s;tcp', true],
    ['msrp://a:1/s;tcp', 'msrp://a:1/s;tcp;x=y', true],
    ['msrp://[2001:db8::1]:1/s;tcp', 'msrp://[2001:DB8:0:0::1]:1/s;tcp', true],
    ['msrp://%61:1/s;tcp', 'msrp://a:1/s;tcp', true],
    ['msrp://a:1/s;tcp', 'msrp://a:1/S;tcp', false],
    ['msrp://a:1/s;tcp', 'msrp://a:2/s;tcp', false],
    ['msrp://a:2855/s;tcp', 'msrp://a/s;tcp', false],
    ['msrp://a:1/s;tcp', 'msrps://a:1/s;tcp', false],
    ['msrp://a:1/s;tcp', 'msrp://a:1/s;sctp', false],
    ['msrp://a:1/s;tcp', 'msrp://a:1;tcp', false],
    ['msrp://a:1/k+/=;tcp', 'msrp://a:1/k+/=;tcp', true],
  ])('%s and %s: %s', (a, b, equal) => {
    expect(msrpUrisEqual(parseMsrpUri(a), parseMsrpUri(b))).toBe(equal);
  });

  it.each([
    '',
    'msrp://',
    'msrp://a:1/s',
    'sip:a',
    'msrp://a:99999/s;tcp',
    'msrp://a b:1/s;tcp',
    'msrp://[zz]:1/s;tcp',
  ])('refuses %j', (text) => {
    expect(() => parseMsrpUri(text)).toThrow(expect.objectContaining({ answer: 400 }) as Error);
  });

  it('maxPathUris: at the limit passes, one over is refused', () => {
    const uri = 'msrp://a:1/s;tcp';
    expect(parseMsrpPath(`${uri} ${uri}`, 2)).toHaveLength(2);
    expect(() => parseMsrpPath(`${uri} ${uri} ${uri}`, 2)).toThrow();
  });

  it('brackets IPv6 addresses', () => {
    expect(buildMsrpUri({ scheme: 'msrp', host: '::1', port: 1, sessionId: 's' }).text).toBe(
      'msrp://[::1]:1/s;tcp',
    );
  });
});

describe('Byte-Range (RFC 4975 §9)', () => {
  it.each(['1-5/10', '1-*/10', '1-*/*', '1-0/0', '11-10/10', '6-10/10'])('reads %s', (text) => {
    expect(formatByteRange(parseByteRange(text))).toBe(text);
  });

  it.each(['', '0-1/1', '5-3/10', '1-11/10', '12-*/10', '-1-2/3', '1-2', 'a-b/c', '1-2/3 '])(
    'refuses %j',
    (text) => {
      expect(() => parseByteRange(text)).toThrow(
        expect.objectContaining({ code: 'MSRP_BAD_BYTE_RANGE' }) as Error,
      );
    },
  );
});
