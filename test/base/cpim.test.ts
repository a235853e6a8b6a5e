import { describe, expect, it } from 'vitest';
import { PAYLOAD_LIMITS } from '../../main/base/limits.ts';
import { cpimExtension, formatCpim, parseCpim, parseCpimAddress } from '../../main/base/cpim.ts';
import { costGrowth } from '../support/cost.ts';

const EXAMPLE = [
  'From: MR SANDERS <im:piglet@100akerwood.com>',
  'To: Depressed Donkey <im:eeyore@100akerwood.com>',
  'DateTime: 2000-12-13T13:40:00-08:00',
  'Subject: the weather will be fine today',
  "Subject:;lang=fr beau temps prevu pour aujourd'hui",
  'NS: MyFeatures <mid:MessageFeatures@id.foo.com>',
  'Require: MyFeatures.VitalMessageOption',
  'MyFeatures.VitalMessageOption: Confirmation-requested',
  'MyFeatures.WackyMessageOption: Use-silly-font',
  '',
  'Content-type: text/xml; charset=utf-8',
  'Content-ID: <1234567890@foo.com>',
  '',
  '<body>',
  'Here is the text of my message.',
  '</body>',
];

describe('message/cpim (RFC 3862)', () => {
  it.each(['\r\n', '\n'])('reads the example of §5.1 with line ends %j', (lineEnd) => {
    const message = parseCpim(Buffer.from(EXAMPLE.join(lineEnd)));
    expect(message).toMatchObject({
      from: { displayName: 'MR SANDERS', uri: 'im:piglet@100akerwood.com' },
      to: [{ displayName: 'Depressed Donkey', uri: 'im:eeyore@100akerwood.com' }],
      dateTime: '2000-12-13T13:40:00-08:00',
      subject: 'the weather will be fine today',
      require: ['MyFeatures.VitalMessageOption'],
      contentType: 'text/xml; charset=utf-8',
      contentHeaders: [{ name: 'Content-ID', value: '<1234567890@foo.com>' }],
    });
    expect(cpimExtension(message, 'mid:MessageFeatures@id.foo.com', 'WackyMessageOption')).toBe(
      'Use-silly-font',
    );
    expect(message.content.toString()).toBe(EXAMPLE.slice(13).join(lineEnd));
  });

  it('reads back what it wrote, whatever stands in names and values (§2.3.1)', () => {
    const content = Buffer.from([0, 13, 10, 13, 10, 255]);
    const parts = {
      from: { displayName: 'Bob "the\r\nTo: <sip:evil@x>" \\ Ünïcode', uri: 'sip:bob@example.com' },
      to: [{ uri: 'sip:tom@example.com' }, { displayName: 'T', uri: 'sip:t@example.com' }],
      dateTime: '2026-01-02T03:04:05.678Z',
      subject: 'line\nbreak',
      extensions: [{ namespace: 'urn:ietf:params:imdn', name: 'Message-ID', value: 'a\r\nb' }],
      contentType: 'text/plain;charset=utf-8',
      contentHeaders: [{ name: 'Content-Disposition', value: 'notification' }],
      content,
    };
    const bytes = formatCpim(parts);
    expect(bytes.toString('latin1')).toContain('\r\nNS: imdn <urn:ietf:params:imdn>\r\n');
    expect(parseCpim(bytes)).toEqual({ ...parts, cc: [], require: [] });
  });

  it('without Content-Type the content is plain text (RFC 2045 §5.2)', () => {
    expect(parseCpim(Buffer.from('From: <sip:a@b>\r\n\r\n\r\nhi')).contentType).toBe('text/plain');
  });

  it('what strangers write is read: names in lower case, folded lines, imdn without its NS', () => {
    const message = parseCpim(
      Buffer.from(
        'from: "Alice"\r\n <sip:a@b>\r\nTO: <sip:c@d>\r\ndatetime: 2026-01-02T03:04:05Z\r\nimdn.Message-ID: abc\r\nimdn.Disposition-Notification: positive-delivery,\r\n\tdisplay\r\n\r\ncontent-type: text/plain;\r\n charset=utf-8\r\n\r\nhi',
      ),
    );
    expect(message).toMatchObject({
      from: { displayName: 'Alice', uri: 'sip:a@b' },
      to: [{ uri: 'sip:c@d' }],
      dateTime: '2026-01-02T03:04:05Z',
      contentType: 'text/plain; charset=utf-8',
    });
    expect(cpimExtension(message, 'urn:ietf:params:imdn', 'Message-ID')).toBe('abc');
    expect(cpimExtension(message, 'urn:ietf:params:imdn', 'Disposition-Notification')).toBe(
      'positive-delivery, display',
    );
    expect(message.content.toString()).toBe('hi');
  });

  it('names of namespaces count case (§2), and a prefix that is declared is what it says', () => {
    const text = 'NS: imdn <urn:other>\r\nimdn.Message-ID: abc\r\nx.Y: 1\r\n\r\nContent-Type: a/b\r\n\r\n';
    const message = parseCpim(Buffer.from(text));
    expect(message.extensions).toEqual([{ namespace: 'urn:other', name: 'Message-ID', value: 'abc' }]);
    expect(cpimExtension(message, 'urn:other', 'message-id')).toBeUndefined();
  });

  it('quotes of the MIME part are quotes, and nothing in it begins a line of its own (RFC 2045 §5.1)', () => {
    const wrapped = formatCpim({
      from: { uri: 'sip:a@b' },
      to: [{ uri: 'sip:c@d' }],
      contentType: 'text/plain; charset="utf8"',
      contentHeaders: [{ name: 'Content-Disposition', value: 'attachment;\r\nX: y' }],
      content: Buffer.from('hi'),
    });
    expect(wrapped.toString()).toContain('\r\nContent-Type: text/plain; charset="utf8"\r\n');
    expect(parseCpim(wrapped).contentHeaders).toEqual([
      { name: 'Content-Disposition', value: 'attachment;  X: y' },
    ]);
  });

  it('a cut message is refused at every offset of its headers', () => {
    const bytes = Buffer.from(EXAMPLE.join('\r\n'));
    const content = bytes.indexOf('<body>');
    for (let at = 0; at < content; at++) {
      expect(() => parseCpim(bytes.subarray(0, at))).toThrow(
        expect.objectContaining({ answer: 400 }) as Error,
      );
    }
  });

  it.each(['From <sip:a@b>\r\n\r\n\r\n', 'From: nobody\r\n\r\n\r\n', 'NS: x\r\n\r\n\r\n', ': x\r\n\r\n\r\n'])(
    'refuses %j',
    (text) => {
      expect(() => parseCpim(Buffer.from(text))).toThrow(expect.objectContaining({ answer: 400 }) as Error);
    },
  );

  it('maxCpimHeaderLines: at the limit passes, one over is refused', () => {
    const text = (count: number) => Buffer.from(`${'X: y\r\n'.repeat(count)}\r\n\r\n`);
    expect(parseCpim(text(PAYLOAD_LIMITS.maxCpimHeaderLines)).content.length).toBe(0);
    expect(() => parseCpim(text(PAYLOAD_LIMITS.maxCpimHeaderLines + 1))).toThrow('too many');
  });

  it('maxCpimHeadBytes: at the limit passes, one over is refused', () => {
    const text = (bytes: number) => Buffer.from(`${'X: '.padEnd(bytes - 5, 'y')}\r\n\r\n\r\n`);
    expect(parseCpim(text(PAYLOAD_LIMITS.maxCpimHeadBytes)).content.length).toBe(0);
    expect(() => parseCpim(text(PAYLOAD_LIMITS.maxCpimHeadBytes + 1))).toThrow('too large');
  });

  it('reads addresses with and without names (§4.1)', () => {
    expect(parseCpimAddress('"A \\"B\\" C" <sip:a@b>')).toEqual({ displayName: 'A "B" C', uri: 'sip:a@b' });
    expect(parseCpimAddress('<sip:a@b>')).toEqual({ uri: 'sip:a@b' });
    expect(parseCpimAddress('sip:a@b')).toEqual({ uri: 'sip:a@b' });
  });

  it('an address of blanks costs time linear in its length', () => {
    const growth = costGrowth(
      (length) => `${' '.repeat(length)}x`,
      (text) => {
        expect(() => parseCpimAddress(text)).toThrow();
      },
    );
    expect(growth).toBeLessThan(3);
  });
});
