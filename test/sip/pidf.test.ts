import { describe, expect, it } from 'vitest';
import { MAX_NOTE_CHARS, presenceShows } from '../../shared/domain/presence.ts';
import { PRESENCE_LIMITS } from '../../main/base/presence-limits.ts';
import { formatPidf, parsePidf, readableNote } from '../../main/sip/pidf.ts';

const read = (text: string) => parsePidf(Buffer.from(text));
const strange = (inside: string) =>
  read(
    `<?xml version="1.0"?><p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" entity="pres:x@y.z">${inside}</p:presence>`,
  );
const tuple = (basic: string, more = '', id = 't') =>
  `<p:tuple id="${id}"><p:status><p:basic>${basic}</p:basic>${more}</p:status></p:tuple>`;

describe('a presence document (RFC 3863)', () => {
  it.each(presenceShows)('%s is read as it was written, with its note', (show) => {
    const state = { show, note: 'back at 5 & "late" <maybe>' };
    expect(read(formatPidf('sip:tom@example.org', state))).toEqual(state);
    expect(read(formatPidf('sip:tom@example.org', { show, note: '' }))).toEqual({ show, note: '' });
  });

  it('of several tuples one that is open is enough (§4.1.2)', () => {
    expect(strange(tuple('closed', '', 'a') + tuple('open', '', 'b')).show).toBe('available');
    expect(strange(tuple('closed') + tuple('closed')).show).toBe('offline');
    expect(strange('').show).toBe('offline');
  });

  it.each([
    [
      'RPID in a person (RFC 4480)',
      '<d:person xmlns:d="d" id="p"><r:activities xmlns:r="r"><r:%/></r:activities></d:person>',
    ],
    ['several activities', '<person id="p"><activities><unknown/><%/></activities></person>'],
    ['another activity in words', '<person id="p"><activities><other>%</other></activities></person>'],
  ])('away and busy are understood: %s', (_what, pattern) => {
    const of = (word: string) => strange(tuple('open') + pattern.replaceAll('%', word)).show;
    expect([of('away'), of('vacation'), of('busy'), of('on-the-phone'), of('looking-for-work')]).toEqual([
      'away',
      'away',
      'dnd',
      'dnd',
      'available',
    ]);
  });

  it.each([
    ['an element of the old days', '<i:im xmlns:i="urn:ietf:params:xml:ns:pidf:im">%</i:im>'],
    ['a show', '<show xmlns="jabber:client">%</show>'],
    ['activities inside of the status', '<e:activities xmlns:e="e"><e:%/></e:activities>'],
  ])('and so is what stands in the status: %s', (_what, pattern) => {
    const of = (word: string) => strange(tuple('open', pattern.replaceAll('%', word))).show;
    expect([of('away'), of('busy')]).toEqual(['away', 'dnd']);
  });

  it('elements, attributes and namespaces of others are passed over', () => {
    const more =
      '<d:device xmlns:d="d" id="x"><d:deviceID>1</d:deviceID></d:device><x:y xmlns:x="x" z="1">w</x:y>';
    expect(strange(tuple('open') + more)).toEqual({ show: 'available', note: '' });
  });

  it.each([
    ['of the person', '<person id="p"><note xml:lang="en">one</note></person>'],
    ['of the whole', '<note>one</note>'],
    ['of the tuple', '<tuple id="n"><status><basic>open</basic></status><note>one</note></tuple>'],
  ])('the note %s is read', (_what, more) => {
    expect(strange(tuple('open') + more).note).toBe('one');
  });

  it('a note is one line of so many characters, and not one more', () => {
    expect(readableNote(' a \r\n\tb\u0007 ')).toBe('a b');
    expect(readableNote('🙂'.repeat(MAX_NOTE_CHARS))).toBe('🙂'.repeat(MAX_NOTE_CHARS));
    expect(readableNote('x'.repeat(MAX_NOTE_CHARS + 1))).toBe('x'.repeat(MAX_NOTE_CHARS));
  });

  it.each(['', 'presence', '<presence>', '<reginfo/>', '<!DOCTYPE x><presence/>'])(
    'what is none is refused with 400: %s',
    (text) => {
      expect(() => read(text)).toThrow(expect.objectContaining({ answer: 400 }));
    },
  );

  it('so large as the limit says, and not one byte more', () => {
    const [before, after] = ['<presence><note>', '</note></presence>'];
    const fill = PRESENCE_LIMITS.maxPidfBytes - before.length - after.length;
    expect(read(before + 'x'.repeat(fill) + after).show).toBe('offline');
    expect(() => read(before + 'x'.repeat(fill + 1) + after)).toThrow(
      expect.objectContaining({ answer: 400 }),
    );
  });
});
