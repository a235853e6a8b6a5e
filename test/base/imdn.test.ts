import { describe, expect, it } from 'vitest';
import { PAYLOAD_LIMITS } from '../../main/base/limits.ts';
import { formatCpim, parseCpim } from '../../main/base/cpim.ts';
import {
  buildImdnReport,
  imdnRequestHeaders,
  parseImdnReport,
  readImdnRequest,
  type ImdnReport,
} from '../../main/base/imdn.ts';
import { escapeXml, parseXml } from '../../main/base/xml.ts';

describe('IMDN requests (RFC 5438 §6)', () => {
  it('travel in CPIM headers', () => {
    const extensions = imdnRequestHeaders({
      messageId: 'abc',
      dispositions: ['positive-delivery', 'display'],
    });
    const bytes = formatCpim({
      from: { uri: 'sip:a@b' },
      to: [{ uri: 'sip:c@d' }],
      extensions,
      contentType: 'text/plain',
      content: Buffer.from('hi'),
    });
    expect(bytes.toString()).toContain('imdn.Disposition-Notification: positive-delivery, display\r\n');
    expect(readImdnRequest(parseCpim(bytes))).toEqual({
      messageId: 'abc',
      dispositions: ['positive-delivery', 'display'],
    });
  });

  it('are read under any prefix, unknown ones left out', () => {
    const text =
      'NS: q <urn:ietf:params:imdn>\r\nq.Message-ID: 7\r\nq.Disposition-Notification: Display,smoke\r\n\r\n\r\n';
    expect(readImdnRequest(parseCpim(Buffer.from(text)))).toEqual({
      messageId: '7',
      dispositions: ['display'],
    });
    expect(readImdnRequest(parseCpim(Buffer.from('q.Message-ID: 7\r\n\r\n\r\n')))).toBeUndefined();
  });
});

describe('IMDN reports (RFC 5438 §7.2.1)', () => {
  it.each([
    ['delivery', 'delivered'],
    ['delivery', 'failed'],
    ['display', 'displayed'],
    ['processing', 'stored'],
    ['delivery', 'error'],
  ] as const)('%s %s is read back', (kind, status) => {
    const report: ImdnReport = {
      messageId: 'a<&>"b',
      dateTime: '2006-04-04T12:16:49-05:00',
      recipientUri: 'im:bob@example.com',
      originalRecipientUri: 'im:bob@example.net',
      kind,
      status,
    };
    expect(parseImdnReport(buildImdnReport(report))).toEqual(report);
  });

  it('takes prefixes, comments and a declaration', () => {
    const text =
      '\uFEFF<?xml version="1.0"?>\n<!-- x --><i:imdn xmlns:i="urn:ietf:params:xml:ns:imdn"><i:message-id>7</i:message-id><i:datetime/>' +
      '<i:display-notification><i:status><i:displayed></i:displayed></i:status></i:display-notification></i:imdn>\n';
    expect(parseImdnReport(Buffer.from(text))).toEqual({
      messageId: '7',
      dateTime: '',
      kind: 'display',
      status: 'displayed',
    });
  });

  it.each([
    '<imdn></imdn>',
    '<imdn><message-id>7</message-id></imdn>',
    '<other><message-id>7</message-id></other>',
    '<imdn><message-id>7</message-id><delivery-notification><status><displayed/></status></delivery-notification></imdn>',
    'no xml',
    '',
  ])('refuses %j', (text) => {
    expect(() => parseImdnReport(Buffer.from(text))).toThrow(
      expect.objectContaining({ answer: 400 }) as Error,
    );
  });
});

describe('tiny XML (no DTD, no entity tricks)', () => {
  it('decodes the five entities and character references', () => {
    expect(parseXml(Buffer.from('<a b="c">&lt;&#65;&#x42;&amp;lt;<![CDATA[<&]]></a>')).text).toBe(
      '<AB&lt;<&',
    );
  });

  it.each([
    '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    '<a>&x;</a>',
    '<a>&</a>',
    '<a>&#0;</a>',
    '<a>&#xD800;</a>',
    '<a>&#x110000;</a>',
    '<a></b>',
    '<a>',
    '</a>',
    '<a/><b/>',
    'x<a/>',
    '<a b=c/>',
    '<a b="<"/>',
    '<a',
    '<!-- -- --><a/>',
  ])('refuses %j', (text) => {
    expect(() => parseXml(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'XML_NOT_ACCEPTED' }) as Error,
    );
  });

  it('ceilings: at the limit passes, one over is refused', () => {
    const nested = (depth: number) => Buffer.from('<a>'.repeat(depth) + '</a>'.repeat(depth));
    expect(parseXml(nested(PAYLOAD_LIMITS.maxXmlDepth)).name).toBe('a');
    expect(() => parseXml(nested(PAYLOAD_LIMITS.maxXmlDepth + 1))).toThrow('deeply');
    const many = (count: number) => Buffer.from(`<a>${'<b/>'.repeat(count - 1)}</a>`);
    expect(parseXml(many(PAYLOAD_LIMITS.maxXmlElements)).name).toBe('a');
    expect(() => parseXml(many(PAYLOAD_LIMITS.maxXmlElements + 1))).toThrow('too many');
    const large = (bytes: number) => Buffer.from(`<a>${'x'.repeat(bytes - 7)}</a>`);
    expect(parseXml(large(PAYLOAD_LIMITS.maxXmlBytes)).name).toBe('a');
    expect(() => parseXml(large(PAYLOAD_LIMITS.maxXmlBytes + 1))).toThrow('too large');
  });

  it('drops characters that XML forbids', () => {
    expect(escapeXml('a\u0000\u0008b\n<')).toBe('ab\n&lt;');
  });
});
