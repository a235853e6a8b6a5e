import { describe, expect, it } from 'vitest';
import { decodeText, htmlToText } from '../../main/messenger/text-content.ts';
import { costGrowth } from '../support/cost.ts';

const bytes = (...values: number[]) => Buffer.from(values);

describe('texts of strangers: character sets (RFC 2045 §5.1, RFC 2046 §4.1.2)', () => {
  it.each([
    ['text/plain', Buffer.from('Grüße 你好'), 'Grüße 你好'],
    ['text/plain; charset="utf8"', Buffer.from('Grüße'), 'Grüße'],
    ['text/plain;charset=UTF-8', Buffer.from('\ufeffGrüße'), 'Grüße'],
    ['text/plain; charset=iso-8859-1', Buffer.from('Grüße', 'latin1'), 'Grüße'],
    ['text/plain; format=flowed; charset=ISO-8859-15', bytes(0xa4), '€'],
    ['text/plain; charset=windows-1252', bytes(0x80, 0x31), '€1'],
    ['text/plain; charset=koi8-r', bytes(0xf0, 0xd2), 'Пр'],
    ['text/plain; charset=gb18030', bytes(0xc4, 0xe3), '你'],
    ['text/plain; charset=utf-16', Buffer.from('\ufeffGrüße', 'utf16le'), 'Grüße'],
    ['text/plain; charset=utf-16be', Buffer.from('Grüße', 'utf16le').swap16(), 'Grüße'],
    ['text/plain', Buffer.from('\ufeffGrüße', 'utf16le'), 'Grüße'],
    ['text/plain; charset=nobody-knows-this', Buffer.from('Grüße'), 'Grüße'],
    ['text/plain; charset=utf-8', Buffer.from('Grüße', 'latin1'), 'Grüße'],
    ['text/plain', Buffer.alloc(0), ''],
  ])('%s', (contentType, content, text) => {
    expect(decodeText(content, contentType)).toBe(text);
  });
});

describe('text/html alone, shown as the text that it says', () => {
  it.each([
    ['<p>Hello <b>Bob</b>,</p><p>how are you?</p>', 'Hello Bob,\n\nhow are you?'],
    ['one<br>two<BR/>three', 'one\ntwo\nthree'],
    ['<html><head><title>x</title><style>p{}</style></head><body>seen</body></html>', 'seen'],
    ['<script>alert(1)</script>safe<script>never closed', 'safe'],
    ['a &lt;b&gt; &amp; &quot;c&quot; &#228;&#xe4; &nosuch; &#0;&#xd800;', 'a <b> & "c" ää &nosuch;'],
    ['<!-- hidden -->shown<!-- open', 'shown'],
    ['5 < 6 and 7 > 3', '5 < 6 and 7 > 3'],
    ['<ul><li>one</li><li>two</li></ul>', 'one\n\ntwo'],
  ])('%j', (html, text) => {
    expect(htmlToText(html)).toBe(text);
  });

  it.each(['<', '<a', '<script>', '<!--', ' <b>', '&', '</script '])(
    'costs time linear in the length, whatever comes: %j',
    (piece) => {
      const growth = costGrowth((length) => piece.repeat(Math.floor(length / piece.length)), htmlToText);
      expect(growth).toBeLessThan(3);
    },
  );
});
