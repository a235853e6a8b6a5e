import { describe, expect, it } from 'vitest';
import { findRelays, type RelayRecord } from '../../main/msrp/relay-servers.ts';

describe('finding relays (RFC 4976 §5.1, RFC 2782)', () => {
  const records: RelayRecord[] = [
    { name: 'b.example', port: 2, priority: 20, weight: 1 },
    { name: 'a.example.', port: 1, priority: 10, weight: 1 },
  ];
  const resolve = (service: string) => Promise.resolve(service === '_msrps._tcp.chat.example' ? records : []);
  const texts = async (written: readonly string[]) =>
    (await findRelays(written, 'chat.example', resolve)).map(({ uri, name }) => [uri.text, name]);

  it('by SRV of the domain; the certificate has to be for the name that was looked up', async () => {
    expect(await texts([])).toEqual([
      ['msrps://a.example:1;tcp', 'chat.example'],
      ['msrps://b.example:2;tcp', 'chat.example'],
    ]);
    expect(await findRelays([], 'other.example', resolve)).toEqual([]);
  });

  it('as they are written; plain msrp only when it is written so', async () => {
    const written = [
      'relay.example:2855',
      'msrps://r2.example:7;tcp',
      'msrp://127.0.0.1:9',
      'r3.example',
      'no relay',
    ];
    expect(await texts(written)).toEqual([
      ['msrps://relay.example:2855;tcp', 'relay.example'],
      ['msrps://r2.example:7;tcp', 'r2.example'],
      ['msrp://127.0.0.1:9;tcp', '127.0.0.1'],
      ['msrps://r3.example:2855;tcp', 'r3.example'],
    ]);
    expect(await texts(['', 'a b', 'sip:x', 'x:99999'])).toEqual([]);
  });

  it('maxRelays: no more than that many are tried', async () => {
    const many = Array.from({ length: 9 }, (_, index) => `r${index}.example:1`);
    expect(await texts(many)).toHaveLength(8);
  });
});
