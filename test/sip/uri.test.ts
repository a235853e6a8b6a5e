import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../main/base/protocol-error.ts';
import {
  addressOfHost,
  formatSipUri,
  hostOfAddress,
  isNumericHost,
  parseSipUri,
  sameSipUri,
  tryParseSipUri,
} from '../../main/sip/uri.ts';

describe('parseSipUri (RFC 3261 §19.1.1)', () => {
  it('takes all parts apart', () => {
    const uri = parseSipUri(
      'sips:alice:secret%3A@Atlanta.com:5061;Transport=TCP;lr?Subject=x%20y&priority=urgent',
    );
    expect({ ...uri, params: [...uri.params], headers: [...uri.headers] }).toEqual({
      scheme: 'sips',
      user: 'alice',
      password: 'secret%3A',
      host: 'Atlanta.com',
      port: 5061,
      params: [
        ['transport', 'TCP'],
        ['lr', ''],
      ],
      headers: [
        ['Subject', 'x%20y'],
        ['priority', 'urgent'],
      ],
    });
  });

  it.each([
    'sip:alice@atlanta.com',
    'sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com',
    'sip:+1-212-555-1212:1234@gateway.com;user=phone',
    'sips:1212@gateway.com',
    'sip:alice;day=tuesday@atlanta.com',
    'sip:[2001:db8::9:1]:5070;transport=udp',
    'sip:%61lice@atlanta.com;lr',
    'sip:user;par=u%40example.net@example.com',
    'tel:+1-201-555-0123',
    'tel:7042;phone-context=example.com',
    'sip:sip%3Auser%40example.com@company.com;other-param=summit',
  ])('%s is written as it was read', (text) => {
    expect(formatSipUri(parseSipUri(text))).toBe(text);
  });

  it.each([
    '',
    'sip:',
    'alice@atlanta.com',
    'sip:a b@atlanta.com',
    'sip:@atlanta.com',
    'sip:alice@',
    'sip:alice@atlanta.com:port',
    'sip:alice@atlanta.com:65536',
    'sip:alice@atlanta.com:',
    'sip:alice@[::1',
    'sip:alice@atlanta.com;lr;lr',
    'sip:alice@atlanta.com?',
    'sip:alice@atlanta.com?=x',
    'sip:ali%zze@atlanta.com',
    'sip:<alice@atlanta.com>',
    'tel:',
    'tel:abc def',
  ])('%j is refused with 400', (text) => {
    expect(() => parseSipUri(text)).toThrow(expect.objectContaining({ name: 'ProtocolError', answer: 400 }));
    expect(tryParseSipUri(text)).toBeUndefined();
  });

  it('another scheme is 416 (§21.4.14)', () => {
    expect(() => parseSipUri('http://example.com')).toThrow(expect.objectContaining({ answer: 416 }));
    expect(() => parseSipUri('http://example.com')).toThrow(ProtocolError);
  });
});

describe('sameSipUri (RFC 3261 §19.1.4)', () => {
  it.each([
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com;newparam=5', 'sip:carol@chicago.com;security=on'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['tel:+1-201-555-0123', 'tel:+12015550123'],
  ])('%s is %s', (a, b) => {
    expect(sameSipUri(parseSipUri(a), parseSipUri(b))).toBe(true);
    expect(sameSipUri(parseSipUri(b), parseSipUri(a))).toBe(true);
  });

  it.each([
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:chicago.com', 'sip:carol@chicago.com'],
    ['sip:carol@chicago.com', 'sips:carol@chicago.com'],
    ['sip:carol:x@chicago.com', 'sip:carol@chicago.com'],
    ['tel:+1', 'tel:+1;ext=5'],
    ['tel:1;ext=5', 'tel:1;ext=6'],
  ])('%s is not %s', (a, b) => {
    expect(sameSipUri(parseSipUri(a), parseSipUri(b))).toBe(false);
    expect(sameSipUri(parseSipUri(b), parseSipUri(a))).toBe(false);
  });
});

describe('hosts', () => {
  it('an IPv6 address has brackets in a URI and none elsewhere', () => {
    expect([hostOfAddress('::1'), hostOfAddress('127.0.0.1')]).toEqual(['[::1]', '127.0.0.1']);
    expect([addressOfHost('[::1]'), addressOfHost('a.b')]).toEqual(['::1', 'a.b']);
  });

  it.each([
    ['127.0.0.1', true],
    ['[::1]', true],
    ['256.0.0.1', false],
    ['1.2.3', false],
    ['example.org', false],
  ])('%s is numeric: %s', (host, numeric) => {
    expect(isNumericHost(host)).toBe(numeric);
  });
});
