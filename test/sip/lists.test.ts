import { describe, expect, it } from 'vitest';
import { formatRegInfo, parseRegInfo } from '../../main/sip/device-list.ts';
import { formatWatcherInfo, parseWatcherInfo, type Watcher } from '../../main/sip/watcher-info.ts';

describe('a list of watchers (RFC 3858)', () => {
  const watchers: Watcher[] = [
    { address: 'tom@example.org', status: 'pending' },
    { address: "a&'b@example.org", status: 'active' },
    { address: 'ann@example.org', status: 'waiting' },
  ];

  it('is read as it was written', () => {
    const text = formatWatcherInfo('sip:bob@example.org', 3, watchers);
    expect(parseWatcherInfo(Buffer.from(text))).toEqual(watchers);
    expect(text).toContain('version="3" state="full"');
  });

  it('of another package, and watchers that have gone, are left out', () => {
    const text = formatWatcherInfo('sip:bob@example.org', 0, watchers);
    const other = text.replace('package="presence"', 'package="conference"');
    expect(parseWatcherInfo(Buffer.from(other))).toEqual([]);
    const gone = text.replace('status="pending"', 'status="terminated"');
    expect(parseWatcherInfo(Buffer.from(gone))).toHaveLength(2);
  });

  it('what is none is refused with 400', () => {
    expect(() => parseWatcherInfo(Buffer.from('<x/>'))).toThrow(expect.objectContaining({ answer: 400 }));
  });
});

describe('a list of devices (RFC 3680)', () => {
  const devices = [
    { contact: 'sip:bob@192.0.2.1;x="&"', instance: 'urn:uuid:1', name: 'Laptop <b> "2"', expiresS: 60 },
    { contact: 'sip:bob@192.0.2.2', instance: '', name: '', expiresS: 600 },
  ];

  it('is read as it was written', () => {
    expect(parseRegInfo(Buffer.from(formatRegInfo('sip:bob@example.org', 0, devices)))).toEqual(devices);
    const none = formatRegInfo('sip:bob@example.org', 1, []);
    expect(none).toContain('state="terminated"');
    expect(parseRegInfo(Buffer.from(none))).toEqual([]);
  });

  it('contacts that are not registered any more are left out', () => {
    const text = formatRegInfo('sip:bob@example.org', 0, devices).replace(
      'state="active" event="registered" expires="60"',
      'state="terminated" event="expired"',
    );
    expect(parseRegInfo(Buffer.from(text)).map(({ contact }) => contact)).toEqual(['sip:bob@192.0.2.2']);
  });

  it('what is none is refused with 400', () => {
    expect(() => parseRegInfo(Buffer.from('<x/>'))).toThrow(expect.objectContaining({ answer: 400 }));
  });
});
