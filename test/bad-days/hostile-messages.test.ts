import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../main/base/limits.ts';
import { SipPeer, type PeerMessage } from '../support/sip-peer.ts';
import {
  acceptInbound,
  callPeer,
  establishInbound,
  establishOutbound,
  SDP,
  startBench,
  type Bench,
} from '../sip/engine/bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Responses that the application has been shown. */
const shown = (): string[] =>
  bench.app.log
    .filter(({ type, startLine }) => type === 'sip' && startLine.startsWith('SIP/2.0'))
    .map(({ startLine }) => startLine.slice(8, 11));

async function askPeer(): Promise<PeerMessage> {
  await bench.app.request(`OPTIONS sip:peer@127.0.0.1:${bench.peer.port}`);
  return bench.peer.request('OPTIONS');
}

/** Ways in which a response with the right branch is not the one that is waited for. */
const FOREIGN: readonly [string, (reply: string) => string][] = [
  ['another method in CSeq', (reply) => reply.replace(/^(CSeq: \d+) \w+/m, '$1 MESSAGE')],
  ['another number in CSeq', (reply) => reply.replace(/^CSeq: \d+/m, 'CSeq: 4711')],
  ['another Call-ID', (reply) => reply.replace(/^Call-ID: /m, 'Call-ID: x')],
  ['another tag in From', (reply) => reply.replace(/^(From: .*;tag=)/m, '$1x')],
  ['no tag in From', (reply) => reply.replace(/^(From: [^;\r]*).*/m, '$1')],
  ['another sent-by', (reply) => reply.replace(/^(Via: SIP\/2.0\/UDP )127.0.0.1/m, '$1127.0.0.9')],
  [
    'a second Via (§8.1.3.3)',
    (reply) => reply.replace(/^(Via: .*)$/m, '$1, SIP/2.0/UDP x.test;branch=z9hG4bKx'),
  ],
];

describe('responses that somebody made up (RFC 3261 §8.1.3.3, §8.2.6.2, §17.1.3, §18.1.2)', () => {
  it.each(FOREIGN)('with the right branch but %s is dropped; the true one is taken', async (_what, spoil) => {
    const { app, peer, port } = bench;
    const options = await askPeer();
    await peer.send(spoil(peer.reply(options, 299)), port);
    await peer.answer(options, 200);
    await app.sip('SIP/2.0 200');
    const { invite } = await callPeer(bench);
    await peer.send(spoil(peer.reply(invite, 299, { body: SDP })), port);
    await peer.send(spoil(peer.reply(invite, 486)), port);
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    expect(shown()).toEqual(['200', '180']);
    // A failure that is not ours is not acknowledged either.
    expect(peer.log.some(({ startLine }) => startLine.startsWith('ACK'))).toBe(false);
  });

  it('from another address with everything right is taken: over UDP a proxy may answer from elsewhere', async () => {
    const { app, port } = bench;
    await using other = await SipPeer.udp();
    const options = await askPeer();
    await other.send(bench.peer.reply(options, 200), port);
    await app.sip('SIP/2.0 200');
  });

  it('with From written differently but the same tag is taken', async () => {
    const { app, peer, port } = bench;
    const options = await askPeer();
    const reply = peer.reply(options, 200).replace(/^From: (.*)$/m, 'From: "Somebody" $1');
    await peer.send(reply, port);
    await app.sip('SIP/2.0 200');
  });
});

describe('responses that come again', () => {
  it('a 200 after its transaction has ended is dropped (§17.1.2.2), whatever its tag', async () => {
    const { app, peer, port, clock } = bench;
    const options = await askPeer();
    await peer.answer(options, 200);
    await app.sip('SIP/2.0 200');
    await peer.answer(options, 200, { toTag: 'other' });
    await peer.fence(port);
    clock.advance(SIP_LIMITS.t4Ms + 1);
    expect(bench.engine.load.clientTransactions).toBe(0);
    await peer.answer(options, 200);
    await peer.answer(options, 200, { toTag: 'other' });
    await peer.fence(port);
    expect(shown()).toEqual(['200']);
  });

  it('a 200 to INVITE after timer M is dropped: nothing is acknowledged, nothing hung up (RFC 6026 §8.4)', async () => {
    const { peer, port, clock } = bench;
    const { invite } = await establishOutbound(bench);
    clock.advance(SIP_LIMITS.transactionTimeoutMs + 1);
    const before = peer.log.length;
    await peer.answer(invite, 200, { body: SDP });
    await peer.answer(invite, 200, { body: SDP, toTag: 'other' });
    await peer.fence(port);
    expect(peer.log.slice(before).map(({ startLine }) => startLine)).toEqual([
      expect.stringContaining('481'),
    ]);
    expect(shown()).toEqual(['200']);
  });

  it('200s to INVITE under ever new tags: as many as there may be forks are hung up, no more (§13.2.2.4)', async () => {
    const { peer, port, engine } = bench;
    const { invite } = await establishOutbound(bench);
    for (let count = 0; count < 3 * SIP_LIMITS.maxForks; count += 1) {
      await peer.answer(invite, 200, { body: SDP, toTag: `fork-${count}` });
    }
    await peer.fence(port);
    await peer.fence(port);
    const byes = peer.log.filter(({ startLine }) => startLine.startsWith('BYE'));
    expect(byes).toHaveLength(SIP_LIMITS.maxForks - 1);
    expect(shown()).toEqual(['200']);
    expect(engine.load.dialogs).toBe(1);
  });
});

describe('requests with the right Call-ID and wrong tags', () => {
  const wrong = (fields: { callId: string; fromTag: string; toTag: string }) => [
    { ...fields, fromTag: 'wrong' },
    { ...fields, toTag: 'wrong' },
    { ...fields, fromTag: fields.toTag, toTag: fields.fromTag },
  ];

  it('BYE: 481 (§12.2.2), the call goes on', async () => {
    const { app, peer, port, engine } = bench;
    const { fields, dialogId } = await establishInbound(bench);
    for (const other of wrong(fields)) {
      await peer.send(peer.build('BYE', { ...other, cseq: 2 }), port);
      await peer.response(481, 'BYE');
    }
    expect(engine.load.dialogs).toBe(1);
    await peer.send(peer.build('INFO', { ...fields, cseq: 3 }), port);
    expect((await app.sip('INFO')).dialogId).toBe(dialogId);
    expect(app.log.some(({ startLine }) => startLine.startsWith('BYE'))).toBe(false);
  });

  it('ACK: the 2xx goes on being repeated (§13.3.1.4)', async () => {
    const { app, peer, port, clock } = bench;
    const { fields } = await acceptInbound(bench);
    for (const other of wrong(fields)) await peer.send(peer.build('ACK', { ...other, cseq: 1 }), port);
    await peer.send(peer.build('ACK', { ...fields, cseq: 2 }), port);
    await peer.fence(port);
    clock.advance(SIP_LIMITS.t1Ms);
    await peer.response(200, 'INVITE');
    await peer.send(peer.build('ACK', { ...fields, cseq: 1 }), port);
    await app.sip('ACK');
    expect(app.log.filter(({ startLine }) => startLine.startsWith('ACK'))).toHaveLength(1);
  });

  it.each([
    ['another Call-ID', { callId: 'other' }],
    ['another From tag', { fromTag: 'other' }],
    ['another CSeq number', { cseq: 2 }],
    ['another branch', { branch: 'z9hG4bKother' }],
  ])('CANCEL with %s: 481, it goes on ringing (§9.1, §9.2)', async (_what, other) => {
    const { app, peer, port } = bench;
    const fields = { callId: 'ringing', fromTag: 'eve', branch: 'z9hG4bKringing', cseq: 1 };
    await peer.send(peer.build('INVITE', { ...fields, body: SDP }), port);
    const { transactionId } = await app.sip('INVITE');
    await peer.send(peer.build('CANCEL', { ...fields, ...other }), port);
    await peer.response(481, 'CANCEL');
    await app.respond(transactionId, 180);
    await peer.response(180, 'INVITE');
    expect(app.log.some(({ startLine }) => startLine.startsWith('CANCEL'))).toBe(false);
  });
});
