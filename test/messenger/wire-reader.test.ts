import { describe, expect, it } from 'vitest';
import { checkOrder, toLadder, type LadderMessage } from '../../main/messenger/ladder.ts';
import { WireReader, type WireMessage } from '../../main/messenger/wire-reader.ts';

const SIP = [
  'INVITE sip:tom@example.org SIP/2.0',
  'Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1',
  'From: <sip:bob@example.org>;tag=1',
  'To: <sip:tom@example.org>',
  'Call-ID: call-1',
  'CSeq: 7 INVITE',
  'Authorization: Digest username="bob", response="0123456789abcdef"',
  'Content-Type: application/sdp',
  'Content-Length: 12',
  '',
  'a=path:msrp:',
].join('\r\n');
const MESSAGE = SIP.replaceAll('INVITE', 'MESSAGE')
  .replace('application/sdp', 'text/plain')
  .replace('a=path:msrp:', 'my secret 12');
const MSRP = [
  'MSRP abcd1234 SEND',
  'To-Path: msrp://192.0.2.1:5000/their-id;tcp',
  'From-Path: msrp://192.0.2.2:6000/our-id;tcp',
  'Message-ID: m1',
  'Byte-Range: 1-9/9',
  'Content-Type: text/plain',
  '',
  'my secret',
  '-------abcd1234$',
  '',
].join('\r\n');
const VISIT =
  'MSRP efgh5678 SEND\r\nTo-Path: msrp://192.0.2.1:5000/their-id;tcp\r\nFrom-Path: msrp://192.0.2.2:6000/our-id;tcp\r\nMessage-ID: m0\r\n-------efgh5678$\r\n';

function read(protocol: 'sip' | 'msrp', pieces: readonly string[], datagram = false): WireMessage[] {
  const reader = new WireReader();
  return pieces.flatMap((text, index) =>
    reader.receive({ timeUs: index, from: 'a:1', to: 'b:2', protocol, datagram, bytes: Buffer.from(text) }),
  );
}

describe('messages read back from bytes', () => {
  it('SIP: cut at every place it is the same message, without the credentials', () => {
    const [whole] = read('sip', [SIP]);
    expect(whole).toMatchObject({
      method: 'INVITE',
      status: 0,
      keys: ['call-1'],
      transactionId: '7',
      sdp: 'a=path:msrp:',
    });
    expect(whole?.text).toContain('(credentials redacted)');
    expect(whole?.text).not.toContain('0123456789abcdef');
    for (let at = 1; at < SIP.length; at++) {
      const read1 = read('sip', [SIP.slice(0, at), SIP.slice(at)]);
      expect(read1.map(({ text }) => text)).toEqual([whole?.text]);
    }
  });

  it('MSRP: cut at every place it is the same two messages, without what people wrote', () => {
    const whole = read('msrp', [VISIT + MSRP]);
    expect(whole.map(({ method, bodyBytes, keys }) => [method, bodyBytes, keys])).toEqual([
      ['SEND', 0, ['their-id', 'our-id']],
      ['SEND', 9, ['their-id', 'our-id']],
    ]);
    expect(whole[1]?.text).toContain('(9 bytes redacted)');
    for (let at = 1; at < (VISIT + MSRP).length; at++) {
      const cut = read('msrp', [(VISIT + MSRP).slice(0, at), (VISIT + MSRP).slice(at)]);
      expect(cut.map(({ text }) => text)).toEqual(whole.map(({ text }) => text));
    }
    expect(JSON.stringify(whole)).not.toContain('my secret');
  });

  it('a SIP MESSAGE does not show what it says', () => {
    const [message] = read('sip', [MESSAGE], true);
    expect(message?.text).toContain('(12 bytes redacted)');
    expect(JSON.stringify(message)).not.toContain('my secret');
  });

  it('bytes that are neither are passed over, and what comes later on other streams is read', () => {
    const reader = new WireReader();
    const piece = { timeUs: 0, to: 'b:2', datagram: false } as const;
    expect(
      reader.receive({
        ...piece,
        from: 'x:1',
        protocol: 'msrp',
        bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      }),
    ).toEqual([]);
    expect(
      reader.receive({
        ...piece,
        from: 'x:2',
        protocol: 'sip',
        datagram: true,
        bytes: Buffer.from('nonsense'),
      }),
    ).toEqual([]);
    expect(
      reader.receive({ ...piece, from: 'x:3', protocol: 'msrp', bytes: Buffer.from(MSRP) }),
    ).toHaveLength(1);
  });
});

describe('the order of the flow', () => {
  const P = { bob: 'bob', server: 'server', tom: 'tom' } as const;
  type Party = keyof typeof P;
  let clockUs = 0;
  const sip = (fromParty: Party, toParty: Party, method: string, status = 0): LadderMessage => ({
    ...(read('sip', [SIP])[0] as WireMessage),
    timeUs: ++clockUs,
    method,
    status,
    fromParty,
    toParty,
    firstLine: `${method} ${status}`,
  });
  const msrp = (
    fromParty: Party,
    toParty: Party,
    transactionId: string,
    status: number,
    bodyBytes = 0,
  ): LadderMessage => ({
    ...(read('msrp', [VISIT])[0] as WireMessage),
    timeUs: ++clockUs,
    method: status === 0 ? 'SEND' : '',
    status,
    fromParty,
    toParty,
    transactionId,
    bodyBytes,
  });
  const conversation = () => [
    sip('bob', 'server', 'INVITE'),
    sip('server', 'bob', 'INVITE', 401),
    sip('bob', 'server', 'ACK'),
    sip('bob', 'server', 'INVITE'),
    sip('server', 'tom', 'INVITE'),
    msrp('tom', 'bob', 'v', 0),
    msrp('bob', 'tom', 'v', 200),
    sip('tom', 'server', 'INVITE', 200),
    sip('server', 'bob', 'INVITE', 200),
    sip('bob', 'server', 'ACK'),
    sip('server', 'tom', 'ACK'),
    msrp('bob', 'tom', 'm1', 0, 5),
    msrp('tom', 'bob', 'm1', 200),
    msrp('tom', 'bob', 'm2', 0, 5),
    msrp('bob', 'tom', 'm2', 200),
    sip('bob', 'server', 'BYE'),
    sip('server', 'tom', 'BYE'),
    sip('tom', 'server', 'BYE', 200),
    sip('server', 'bob', 'BYE', 200),
  ];

  it('of a whole conversation holds; the ACK of a challenge is no step', () => {
    const ladder = toLadder(conversation(), P);
    expect(checkOrder(ladder)).toEqual([]);
    expect(ladder.entries.map(({ step }) => step)).toEqual([
      2,
      null,
      null,
      null,
      3,
      4,
      5,
      7,
      8,
      9,
      10,
      11,
      12,
      13,
      14,
      15,
      16,
      17,
      18,
    ]);
  });

  it('of one in which two neighbours change places, or one is missing, does not', () => {
    const messages = conversation();
    for (const [index, entry] of toLadder(messages, P).entries.entries()) {
      const { step } = entry;
      if (step === null || step === 2) continue;
      const without = checkOrder(
        toLadder(
          messages.filter((_message, at) => at !== index),
          P,
        ),
      );
      expect(without, `without step ${step}`).toContain(`step ${step} is missing`);
    }
    const swap = (first: number, second: number) => {
      const steps = toLadder(messages, P).entries.map(({ step }) => step);
      const [a, b] = [messages[steps.indexOf(first)]!, messages[steps.indexOf(second)]!];
      const swapped = messages.map((message) =>
        message === a ? { ...a, timeUs: b.timeUs } : message === b ? { ...b, timeUs: a.timeUs } : message,
      );
      return checkOrder(toLadder(swapped, P));
    };
    expect(swap(9, 10)).not.toEqual([]);
    expect(swap(17, 18)).toContain('step 18 came before step 17');
    expect(swap(16, 15)).toContain('step 16 came before step 15');
    expect(swap(4, 3)).toContain('step 4 came before step 3');
  });
});
