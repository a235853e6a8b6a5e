import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SipEngine } from '../../main/sip/engine/engine.ts';
import { ControlPeer } from '../support/control-peer.ts';
import { DnsServer } from '../support/dns-server.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SipPeer } from '../support/sip-peer.ts';
import { SDP, SECRET } from '../sip/engine/bench.ts';
import { seedsOf } from './seeds.ts';

const ROUNDS = 2_000;
const KEPT_ROUNDS = 200;

const edit = fc.record({
  at: fc.integer({ min: 0, max: 999 }),
  drop: fc.nat(6),
  put: fc.oneof(
    fc.constantFrom(
      '|',
      '||',
      '#',
      '\r\n',
      '\n',
      '\0',
      ' ',
      ';',
      '"',
      '<',
      '>',
      ':0',
      '9',
      '-1',
      '99999',
      'ü',
      '%',
    ),
    fc.string({ maxLength: 4 }),
  ),
});

type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

function damage(text: string, edits: readonly Edit[]): string {
  return edits.reduce((now, { at, drop, put }) => {
    const start = Math.floor((at * now.length) / 1_000);
    return now.slice(0, start) + put + now.slice(start + drop);
  }, text);
}

function frame(payload: string): string {
  return `${Buffer.byteLength(payload)}#${payload}`;
}

/** What the payloads of this run are about. */
interface Facts {
  readonly peerPort: number;
  readonly transactionId: string;
  readonly ownId: string;
  readonly dialogId: string;
}

const head = ['From: <sip:a@localhost>;tag=1', 'To: "B" <sip:b@localhost>', 'Contact: <sip:a@localhost>'];

function request(method: string, facts: Facts, headers: readonly string[] = [], body = ''): string {
  return [`${method} sip:x@127.0.0.1:${facts.peerPort} SIP/2.0`, ...head, ...headers, '', body].join('\r\n');
}

const PAYLOADS: readonly ((facts: Facts) => string)[] = [
  () => `authenticate|${SECRET}|tag`,
  () => 'ping',
  () => 'route|message',
  () => 'remove_route|info',
  (facts) => `sip|||\r\n${request('OPTIONS', facts, ['CSeq: 7 OPTIONS', 'Call-ID: c'])}`,
  (facts) => `sip||\r\n${request('INVITE', facts, ['Session-Expires: 90;refresher=uac'], SDP)}`,
  (facts) => `sip||\r\n${request('MESSAGE', facts, ['Content-Type: text/plain'], 'hi')}`,
  (facts) => `sip||\r\n${request('SUBSCRIBE', facts, ['Event: presence', 'Expires: 60'])}`,
  (facts) => `sip|||sip:127.0.0.1:${facts.peerPort};lr\r\n${request('NOTIFY', facts, ['Event: x'])}`,
  (facts) => `sip|${facts.ownId}|\r\n${request('CANCEL', facts, ['Reason: SIP;cause=200'])}`,
  (facts) => `sip||${facts.dialogId}\r\n${request('INFO', facts)}`,
  (facts) => `sip||${facts.dialogId}\r\n${request('PRACK', facts, ['RAck: 1 1 INVITE'])}`,
  (facts) => `sip||${facts.dialogId}\r\n${request('ACK', facts, [], SDP)}`,
  (facts) => `sip||${facts.dialogId}\r\n${request('INVITE', facts, [], SDP)}`,
  (facts) => `sip||${facts.dialogId}\r\n${request('BYE', facts)}`,
  (facts) => `sip|${facts.transactionId}|\r\nSIP/2.0 180 Ringing\r\nRequire: 100rel\r\n\r\n`,
  (facts) => `sip|${facts.transactionId}|\r\nSIP/2.0 200 OK\r\n${head.join('\r\n')}\r\n\r\n${SDP}`,
  (facts) => `sip|${facts.transactionId}|\r\nSIP/2.0 202 Fine\r\nExpires: 60\r\n\r\n`,
  (facts) => `proxy|${facts.transactionId}||||serial|2s|10s|sip:127.0.0.1:${facts.peerPort}`,
];

const round = fc.record({
  payload: fc.constantFrom(...PAYLOADS),
  edits: fc.array(edit, { minLength: 1, maxLength: 4 }),
  /** Is the length made to fit again, so that the damage reaches what is behind it? */
  fits: fc.boolean(),
  /** Which of the two connections. */
  dialled: fc.boolean(),
  cut: fc.nat(200),
});

/** An application that loses its head, and comes again when it is thrown out. */
class Madman {
  readonly open: () => Promise<ControlPeer>;
  #peer: ControlPeer | undefined;
  #gone = true;

  constructor(open: () => Promise<ControlPeer>) {
    this.open = open;
  }

  async peer(): Promise<ControlPeer> {
    if (this.#peer !== undefined && !this.#gone) return this.#peer;
    const peer = await this.open();
    this.#peer = peer;
    this.#gone = false;
    void peer.closed.then(() => {
      if (this.#peer === peer) this.#gone = true;
    });
    for (const tokens of [
      ['authenticate', SECRET, ''],
      ['route', 'message'],
      ['route', 'subscribe'],
    ])
      await peer.ask(tokens);
    return peer;
  }
}

describe('whatever an application writes, the engine goes on', () => {
  it('damaged lengths, tokens and SIP parts, of applications that connect and that are dialled', async () => {
    await using stack = new AsyncDisposableStack();
    const clock = new ManualClock();
    const dns = stack.use(await DnsServer.open());
    // UDP on loopback only: what is damaged into the address of somebody else does not leave the machine.
    const engine = stack.use(new SipEngine({ secret: SECRET, clock, dnsServers: [dns.place] }));
    const { port } = await engine.listen({ transport: 'udp', host: '127.0.0.1', port: 0 });
    const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    const peer = stack.use(await SipPeer.udp());
    const steady = stack.use(await ControlPeer.open(admin, SECRET, ['invite']));

    const path = join(tmpdir(), `control-fuzz-${randomUUID()}.sock`);
    const accepted: ControlPeer[] = [];
    const server = createServer((socket) => {
      const one = stack.use(new ControlPeer(socket));
      accepted.push(one);
      server.emit('accepted');
    });
    server.listen(path);
    await once(server, 'listening');
    stack.defer(() => new Promise<void>((done) => server.close(() => done())));
    let taken = 0;
    const connecting = new Madman(async () => stack.use(await ControlPeer.connect(admin)));
    const listening = new Madman(async () => {
      while (accepted.length <= taken) {
        clock.advance(100);
        await new Promise((done) => setImmediate(done));
      }
      taken = accepted.length;
      return accepted.at(-1) ?? expect.fail('nobody');
    });
    // A call of another application, which must not notice anything.
    const call = { callId: 'steady', fromTag: 'caller', toTag: '' };
    await peer.send(peer.build('INVITE', { callId: call.callId, fromTag: call.fromTag, body: SDP }), port);
    await steady.respond((await steady.sip('INVITE')).transactionId, 200, 'OK', [], SDP);
    call.toTag = (await peer.response(200, 'INVITE')).tag('To');
    await peer.send(peer.build('ACK', call), port);
    await steady.sip('ACK');
    await steady.ask(['remove_route', 'invite']);
    let cseq = 1;
    const expectService = async (): Promise<void> => {
      expect((await steady.ask(['ping'])).token(4)).toBe('pong');
      cseq += 1;
      await peer.send(peer.build('INFO', { ...call, cseq }), port);
      await steady.respond((await steady.sip('INFO')).transactionId, 200);
      await peer.response(200, 'INFO');
    };
    engine.dialApplication(path).catch(() => undefined);

    let answeredFrames = 0;
    for (const { seed, kept } of seedsOf('control-protocol')) {
      const rounds = fc.sample(round, { seed, numRuns: kept ? KEPT_ROUNDS : ROUNDS });
      for (const [index, { payload, edits, fits, dialled, cut }] of rounds.entries()) {
        const mad = await (dialled ? listening : connecting).peer();
        const last = mad.log.findLast(({ type }) => type === 'sip');
        const echo = mad.log.findLast(({ tokens }) => tokens[11] === 'Msg sent:');
        const facts: Facts = {
          peerPort: peer.port,
          transactionId: last?.transactionId ?? randomUUID(),
          ownId: echo?.token(10) ?? randomUUID(),
          dialogId: `${echo?.sip?.header('Call-ID') ?? 'none'};from-tag=1`,
        };
        const whole = `${randomUUID()}|${payload(facts)}`;
        const text = fits ? frame(damage(whole, edits)) : damage(frame(whole), edits);
        mad.write(text.slice(0, cut));
        await new Promise((done) => setImmediate(done));
        mad.write(text.slice(cut));
        // Calls come about, so that there is something in which things can go wrong.
        const invite = peer.messages.waiting.find(({ startLine }) => startLine.startsWith('INVITE '));
        if (invite !== undefined) {
          await peer.request('INVITE');
          await peer.answer(invite, index % 3 === 0 ? 200 : 183, {
            body: SDP,
            headers: index % 2 === 0 ? ['Require: 100rel', 'RSeq: 1'] : [],
          });
        }
        if (index % 4 === 0) await peer.send(peer.build('MESSAGE', { body: 'x', contentType: 'a/b' }), port);
        if (index % 25 === 0) await expectService();
        if (index % 50 !== 0) continue;
        clock.advance(400);
        // A half-read frame swallows the next ones: that connection begins anew.
        const before = mad.log.length;
        mad.sendFrame(['ping']);
        for (let turn = 0; turn < 20 && mad.log.length === before; turn += 1) {
          await new Promise((done) => setImmediate(done));
        }
        answeredFrames += mad.log.length;
        mad[Symbol.dispose]();
        await mad.closed;
      }
    }
    // Most frames were good enough to be answered.
    expect(answeredFrames).toBeGreaterThan(ROUNDS / 20);
    await expectService();
    for (const one of accepted) one[Symbol.dispose]();
    steady[Symbol.dispose]();
    for (let second = 0; second < 300; second += 1) {
      clock.advance(1_000);
      await new Promise((done) => setImmediate(done));
    }
    await peer.fence(port);
    clock.advance(64_000);
    expect(engine.load.serverTransactions).toBe(0);
  });
});
