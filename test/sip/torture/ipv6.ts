/**
 * Owns: messages of our own for the cases of RFC 5118. Called by: torture.test.ts. Calls: torture-case.ts.
 */
import { INVITE, OPTIONS, SDP, request, type TortureCase } from './torture-case.ts';

export const RFC_5118: readonly TortureCase[] = [
  {
    section: '4.1',
    title: 'an IPv6 reference in every place',
    outcome: 'up',
    contains: ['REGISTER sip:[2001:db8::10] SIP/2.0'],
    message: request('REGISTER sip:[2001:db8::10] SIP/2.0', {
      Via: 'Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKv6a',
      Contact: 'Contact: <sip:ann@[2001:db8::1]>',
      'Call-ID': 'Call-ID: v6@[2001:db8::1]',
    }),
  },
  {
    section: '4.2',
    title: 'an IPv6 address without brackets',
    outcome: 400,
    message: request('REGISTER sip:2001:db8::10 SIP/2.0'),
  },
  {
    section: '4.3',
    title: 'what looks like a port within the brackets belongs to the address',
    outcome: 'up',
    contains: ['REGISTER sip:[2001:db8::10:5070] SIP/2.0'],
    message: request('REGISTER sip:[2001:db8::10:5070] SIP/2.0'),
  },
  {
    section: '4.4',
    title: 'a port behind the brackets',
    outcome: 'up',
    contains: ['REGISTER sip:[2001:db8::10]:5070 SIP/2.0'],
    message: request('REGISTER sip:[2001:db8::10]:5070 SIP/2.0'),
  },
  ...['[2001:db8::9:255]', '2001:db8::9:255'].map((received, index) => ({
    section: '4.5',
    title: `received in Via, ${index === 0 ? 'with' : 'without'} brackets`,
    outcome: 'up' as const,
    contains: ['OPTIONS sip:ben@example.com SIP/2.0'],
    message: request(OPTIONS, {}, [
      `Via: SIP/2.0/UDP [2001:db8::9:1];received=${received};branch=z9hG4bKv6r${index}`,
    ]),
  })),
  {
    section: '4.6',
    title: 'a session description with IPv6',
    outcome: 'up',
    contains: ['c=IN IP6 2001:db8::20'],
    message: request(INVITE, {}, [], SDP.replaceAll('IP4 192.0.2.7', 'IP6 2001:db8::20')),
  },
  {
    section: '4.8',
    title: 'an IPv4 address written as IPv6',
    outcome: 'up',
    contains: ['[::ffff:192.0.2.7]'],
    message: request(
      INVITE,
      {
        Via: 'Via: SIP/2.0/UDP [::ffff:192.0.2.7]:5070;branch=z9hG4bKv6m',
        Contact: 'Contact: <sip:ann@[::ffff:192.0.2.7]>',
      },
      [],
      SDP,
    ),
  },
  {
    section: '4.10',
    title: 'three colons, as the grammar of RFC 3261 made people write',
    outcome: 'up',
    contains: ['[2001:db8:::192.0.2.1]'],
    message: request('OPTIONS sip:ben@[2001:db8:::192.0.2.1] SIP/2.0'),
  },
];
