/**
 * Owns: messages of our own for the syntactically valid cases of RFC 4475 (§3.1.1). Called by: torture.test.ts. Calls: torture-case.ts.
 */
import { OPTIONS, REGISTER, request, SDP, text, type TortureCase } from './torture-case.ts';

export const VALID: readonly TortureCase[] = [
  {
    section: '3.1.1.1',
    title: 'odd white space, folding, compact forms, escapes, empty headers',
    file: 'wsinv.dat',
    outcome: 'up',
    contains: ['INVITE sip:ben@example.com;odd SIP/2.0', 'Empty-Handed'],
    // It is understood, but belongs to no session.
    rfcOutcome: 481,
    message: text(
      [
        'INVITE sip:ben@example.com;odd SIP/2.0',
        't :',
        '\tsip:ben@example.com ;  odd   =  "x"',
        'F   : "A \\" \\\\ B"     <sip:ann@example.net>',
        '  ;',
        '  tag = 77',
        'mAX-fORWARDS: 0012',
        'i: fold.1@192.0.2.7',
        'cSEQ: 0003',
        '  INVITE',
        'Via  : SIP  /  2.0',
        ' /UDP',
        '    192.0.2.7 ; branch = z9hG4bKfold1 , SIP / 2.0 / TCP far.example.org ; branch=z9hG4bKfold2',
        's:',
        'Empty-Handed:',
        'Junk: ;;,,;;,;',
        'Content-Type: application/sdp',
        'v: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKfold3',
        `l: ${SDP.length}`,
        'm:"Q \\"\\"" <sip:ann@192.0.2.7> ; new =',
        '  value ;',
        '  q = 0.5',
      ],
      SDP,
    ).subarray(0),
  },
  {
    section: '3.1.1.2',
    title: 'every character that a token and a URI may have; the method is unknown',
    file: 'intmeth.dat',
    outcome: 501,
    message: request("Odd-Method!%*_+`.'~ sip:1_~!.*'()&=+$,;?/:p_~!&=+$,%20@example.com SIP/2.0", {
      From: 'From: "=)(*&^%" <sip:1_~!.*@example.net>;tag=_!~-+.*',
      To: 'To: "%Z%45" <sip:ben@example.com>',
    }),
  },
  {
    section: '3.1.1.3',
    title: '% as an escape',
    file: 'esc01.dat',
    outcome: 'up',
    contains: ['INVITE sip:sip%3Aben%40example.com@example.net SIP/2.0'],
    rfcContains: ['INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0'],
    message: request('INVITE sip:sip%3Aben%40example.com@example.net SIP/2.0', {}, [], SDP),
  },
  {
    section: '3.1.1.4',
    title: 'escaped NULs in URIs',
    file: 'escnull.dat',
    outcome: 'up',
    contains: ['%00@example.com', 'nul%00nul'],
    rfcContains: ['null-%00-null'],
    message: request(REGISTER, {
      To: 'To: sip:nul%00nul@example.com',
      Contact: 'Contact: <sip:%00@example.com>, <sip:%00%00@example.com>',
    }),
  },
  {
    section: '3.1.1.5',
    title: '% that is no escape: the method is not REGISTER',
    file: 'esc02.dat',
    outcome: 501,
    message: request('RE%47ISTE%52 sip:example.com SIP/2.0', { To: 'To: "%Z%45" <sip:ben@example.com>' }),
  },
  {
    section: '3.1.1.6',
    title: 'no space between display name and <',
    file: 'lwsdisp.dat',
    outcome: 'up',
    contains: ['ann<sip:ann@example.net>'],
    rfcContains: ['caller<sip:caller@example.com>'],
    message: request(OPTIONS, { From: 'From: ann<sip:ann@example.net>;tag=1' }),
  },
  {
    section: '3.1.1.7',
    title: 'long values',
    file: 'longreq.dat',
    outcome: 'up',
    contains: ['x'.repeat(600)],
    message: request(
      `INVITE sip:${'x'.repeat(600)}@example.com SIP/2.0`,
      {
        To: `To: "${'long '.repeat(100)}" <sip:ben@example.com:5060;p=${'y'.repeat(300)}>;q=${'z'.repeat(200)}`,
      },
      Array.from(
        { length: 20 },
        (_, index) => `Via: SIP/2.0/TCP h${index}.example.net;branch=z9hG4bKl${index}`,
      ),
      SDP,
    ),
  },
  {
    section: '3.1.1.8',
    title: 'octets behind the body of a datagram are ignored',
    file: 'dblreq.dat',
    outcome: 'up',
    contains: ['REGISTER sip:example.com SIP/2.0'],
    message: Buffer.concat([
      request(REGISTER),
      request('INVITE sip:behind@example.com SIP/2.0', {}, [], SDP),
    ]),
  },
  {
    section: '3.1.1.9',
    title: 'semicolons in the user part',
    file: 'semiuri.dat',
    outcome: 'up',
    contains: ['OPTIONS sip:ben;p=a%40b@example.com SIP/2.0'],
    rfcContains: ['OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0'],
    message: request('OPTIONS sip:ben;p=a%40b@example.com SIP/2.0'),
  },
  {
    section: '3.1.1.10',
    title: 'many and unknown transports in Via',
    file: 'transports.dat',
    outcome: 'up',
    contains: ['SIP/2.0/PIGEON'],
    rfcContains: ['SIP/2.0/UNKNOWN'],
    message: request(OPTIONS, {}, [
      'Via: SIP/2.0/SCTP s.example.com;branch=z9hG4bKv1',
      'Via: SIP/2.0/PIGEON p.example.com;branch=z9hG4bKv2',
    ]),
  },
  {
    section: '3.1.1.11',
    title: 'a multipart body with binary octets',
    file: 'mpart01.dat',
    outcome: 'up',
    contains: ['multipart/mixed'],
    rfcContains: ['multipart/mixed;boundary=7a9cbec02ceef655'],
    message: (() => {
      const body = Buffer.concat([
        Buffer.from(
          '--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n',
        ),
        Buffer.from([0, 1, 13, 10, 13, 10, 255, 254]),
        Buffer.from('\r\n--b--'),
      ]);
      const head = request('MESSAGE sip:ben@example.com SIP/2.0', {
        Type: 'Content-Type: multipart/mixed;boundary=b',
        Length: `Content-Length: ${body.length}`,
      });
      return Buffer.concat([head, body]);
    })(),
  },
  {
    section: '3.1.1.12',
    title: 'a response with an unusual reason phrase that nobody waits for',
    file: 'unreason.dat',
    outcome: 'dropped',
    message: text([
      'SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое',
      'Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKreason',
      'From: <sip:a@example.com>;tag=1',
      'To: <sip:b@example.com>;tag=2',
      'Call-ID: reason',
      'CSeq: 1 OPTIONS',
      'Content-Length: 0',
    ]),
  },
  {
    section: '3.1.1.13',
    title: 'a response with an empty reason phrase',
    file: 'noreason.dat',
    outcome: 'dropped',
    message: text([
      'SIP/2.0 100 ',
      'Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKnone',
      'From: <sip:a@example.com>;tag=1',
      'To: <sip:b@example.com>;tag=2',
      'Call-ID: none',
      'CSeq: 1 INVITE',
      'Content-Length: 0',
    ]),
  },
];
