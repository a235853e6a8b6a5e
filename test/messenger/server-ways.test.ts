import { describe, expect, it } from 'vitest';
import { isLocalPlace, serverFlows, serverName } from '../../main/messenger/server-ways.ts';

const address = 'bob@example.org';
const hops = (place: Parameters<typeof serverFlows>[0]) =>
  serverFlows(place).map((ways) => ways.map(({ nextHop }) => nextHop));

describe('ways to the server', () => {
  it.each([
    ['', ['sip:example.org;transport=tls', 'sip:example.org;transport=tcp', 'sip:example.org;transport=udp']],
    ['im.example.org', ['tls', 'tcp', 'udp'].map((one) => `sip:im.example.org;transport=${one}`)],
    ['192.0.2.1:5060', ['tcp', 'tls', 'udp'].map((one) => `sip:192.0.2.1:5060;transport=${one}`)],
    ['[2001:db8::1]:5061', ['tls', 'tcp', 'udp'].map((one) => `sip:[2001:db8::1]:5061;transport=${one}`)],
    ['sip:192.0.2.1;transport=udp', ['sip:192.0.2.1;transport=udp']],
    ['sips:im.example.org', ['sips:im.example.org']],
  ])('of "%s" by trial', (server, expected) => {
    expect(hops({ address, server })).toEqual([expected]);
  });

  it('a transport that the user has chosen is the only one; what worked last is the first', () => {
    expect(hops({ address, server: '', transport: 'tcp' })).toEqual([['sip:example.org;transport=tcp']]);
    expect(hops({ address, server: '', lastTransport: 'udp' })[0]?.[0]).toBe('sip:example.org;transport=udp');
    // Chosen later than it worked.
    expect(hops({ address, server: '', transport: 'tls', lastTransport: 'udp' })).toEqual([
      ['sip:example.org;transport=tls'],
    ]);
  });

  it('one flow for each outbound proxy, with a Route, the server behind it (RFC 3261 §8.1.2)', () => {
    const flows = serverFlows({
      address,
      server: 'im.example.org',
      transport: 'tcp',
      proxies: ['edge1', 'edge2:5080', 'edge3'],
    });
    expect(flows).toEqual([
      [
        {
          nextHop: 'sip:edge1;transport=tcp',
          route: '<sip:edge1;transport=tcp;lr>, <sip:im.example.org;lr>',
        },
      ],
      [
        {
          nextHop: 'sip:edge2:5080;transport=tcp',
          route: '<sip:edge2:5080;transport=tcp;lr>, <sip:im.example.org;lr>',
        },
      ],
    ]);
  });

  it('what is not a server is refused; what is on this computer is known', () => {
    expect(() => serverFlows({ address, server: 'not a server' })).toThrow();
    expect(isLocalPlace({ address, server: '127.0.0.1:5060' })).toBe(true);
    expect(isLocalPlace({ address, server: 'localhost', proxies: ['192.0.2.1'] })).toBe(false);
    expect(serverName({ address, server: '' })).toBe('example.org');
    expect(serverName({ address, server: 'x:1', proxies: ['y:2'] })).toBe('y:2');
  });
});
