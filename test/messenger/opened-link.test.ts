import { describe, expect, it } from 'vitest';
import { Feed } from '../../main/messenger/feed.ts';
import { OpenedLink } from '../../main/messenger/opened-link.ts';

function open(...args: string[]): { taken: string | null; told: number } {
  const feed = new Feed();
  let told = 0;
  const release = feed.subscribe(() => (told += 1));
  const link = new OpenedLink(feed);
  link.receive(args);
  release();
  return { taken: link.take(), told };
}

describe('a link that the system hands in', () => {
  it.each([
    ['sip:tom@example.org', 'tom@example.org'],
    ['SIPS:tom@Example.ORG;transport=tls', 'tom@example.org'],
    ['im:tom@example.org', 'tom@example.org'],
    ['sip:tom:secret@example.org', 'tom@example.org'],
    ['sip:tom@example.org?Route=%3Csip:eve%40example.net%3E', 'tom@example.org'],
    ['im:tom@example.org?body=I%20owe%20you%20money', 'tom@example.org'],
  ])('%s is the address %s', (link, address) => {
    expect(open('--profile', '/tmp/x', link)).toEqual({ taken: address, told: 1 });
  });

  it.each([
    ['tel:+4930123456'],
    ['https://example.org/sip:tom@example.org'],
    ['sip:example.org'],
    ['sip:'],
    ['im:"><script>'],
    ['sip:tom@example.org\r\nRoute: <sip:eve@example.net>'],
    ['sip:tom@example.org\0'],
    ['im:tom\u202e@example.org'],
    ['sip:tom and eve@example.org'],
    ['sip:tom@eve@example.org'],
    ['sip:tom@example.org:99999'],
    ['im:tom@example.org/../eve'],
    ['--set=messages.encryption=off'],
    [`sip:${'x'.repeat(600)}@example.org`],
  ])('%s is none', (link) => {
    expect(open(link)).toEqual({ taken: null, told: 0 });
  });

  it('is taken once; of two the newer one counts', () => {
    const link = new OpenedLink(new Feed());
    link.receive(['sip:tom@example.org']);
    link.receive(['sip:eve@example.org']);
    expect([link.take(), link.take()]).toEqual(['eve@example.org', null]);
  });
});
