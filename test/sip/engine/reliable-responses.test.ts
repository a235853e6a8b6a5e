import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import type { EngineFrame } from '../../support/control-peer.ts';
import type { PeerMessage } from '../../support/sip-peer.ts';
import { callPeer, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const REL = ['Supported: 100rel'];
const FIELDS = { callId: 'rel', fromTag: 'caller', branch: 'z9hG4bKrel' };

/** The peer calls. */
async function beCalled(headers: readonly string[] = REL, body = SDP): Promise<EngineFrame> {
  const { peer, port, app } = bench;
  await peer.send(peer.build('INVITE', { ...FIELDS, headers, body }), port);
  return app.sip('INVITE');
}

/** The application sends a reliable provisional response. */
async function ringReliably(frame: EngineFrame, body = SDP): Promise<PeerMessage> {
  await bench.app.respond(frame.transactionId, 183, 'Progress', ['Require: 100rel'], body);
  return bench.peer.response(183, 'INVITE');
}

async function acknowledge(ringing: PeerMessage, cseq = 2, rack?: string): Promise<void> {
  const { peer, port } = bench;
  const fields = { callId: 'rel', fromTag: 'caller', toTag: ringing.tag('To'), cseq };
  const headers = [`RAck: ${rack ?? `${ringing.header('RSeq')} 1 INVITE`}`];
  await peer.send(peer.build('PRACK', { ...fields, headers }), port);
}

describe('reliable provisional responses of the application (RFC 3262 §3)', () => {
  it('have a number and a Contact and are repeated at T1, doubling without T2, until their PRACK', async () => {
    const { app, peer, port, clock } = bench;
    const ringing = await ringReliably(await beCalled());
    expect(Number(ringing.header('RSeq'))).toBeGreaterThan(0);
    expect(ringing.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    for (const ms of [500, 1_000, 2_000, 4_000, 8_000]) {
      clock.advance(ms);
      expect((await peer.response(183, 'INVITE')).text).toBe(ringing.text);
    }
    await acknowledge(ringing);
    const prack = await app.sip('PRACK');
    expect(prack.dialogId).toBe('rel;from-tag=caller');
    await app.respond(prack.transactionId, 200, 'OK');
    await peer.response(200, 'PRACK');
    clock.advance(30_000);
    await peer.fence(port);
    expect(peer.log.filter(({ status }) => status === 183)).toHaveLength(6);
  });

  it('without PRACK for 64*T1 end the INVITE with 504', async () => {
    const { app, peer, clock } = bench;
    const frame = await beCalled();
    await ringReliably(frame);
    clock.advance(31_999);
    expect(peer.log.some(({ status }) => status >= 500)).toBe(false);
    clock.advance(1);
    await peer.response(504, 'INVITE');
    expect((await app.respond(frame.transactionId, 200)).token(3)).toBe('NOK');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('are refused when the caller does not know the extension', async () => {
    const { app } = bench;
    const frame = await beCalled([]);
    const answer = await app.respond(frame.transactionId, 183, 'Progress', ['Require: 100rel']);
    expect(answer.tokens.slice(3)).toEqual(['NOK', 'Remote endpoint does not support 100rel']);
    expect((await app.respond(frame.transactionId, 180)).token(3)).toBe('OK');
  });

  it('leave one at a time: the next waits for the PRACK, with the next number', async () => {
    const { app, peer, port } = bench;
    const frame = await beCalled();
    const first = await ringReliably(frame);
    const second = app.respond(frame.transactionId, 180, 'Ringing', ['Require: 100rel']);
    await peer.fence(port);
    expect(peer.log.some(({ status }) => status === 180)).toBe(false);
    await acknowledge(first);
    await app.sip('PRACK');
    const ringing = await peer.response(180, 'INVITE');
    expect((await second).token(3)).toBe('OK');
    expect(Number(ringing.header('RSeq'))).toBe(Number(first.header('RSeq')) + 1);
  });

  it('wait up to a ceiling; one more is refused', async () => {
    const { app, peer, port } = bench;
    const frame = await beCalled();
    await ringReliably(frame);
    const send = async (): Promise<EngineFrame> =>
      app.respond(frame.transactionId, 180, 'Ringing', ['Require: 100rel']);
    const held = Array.from({ length: SIP_LIMITS.maxQueuedProvisionals }, send);
    expect((await send()).token(3)).toBe('NOK');
    // A final failure ends the waiting at once: what waited is refused.
    await app.respond(frame.transactionId, 486);
    await peer.response(486, 'INVITE');
    const answers = await Promise.all(held);
    expect(answers.every((answer) => answer.token(3) === 'NOK')).toBe(true);
    await peer.fence(port);
    expect(peer.log.some(({ status }) => status === 180)).toBe(false);
  });

  it('hold back a 2xx when they carry a session description', async () => {
    const { app, peer, port } = bench;
    const frame = await beCalled();
    const ringing = await ringReliably(frame);
    const ok = app.respond(frame.transactionId, 200, 'OK', [], SDP);
    await peer.fence(port);
    expect(peer.log.some(({ status }) => status === 200)).toBe(false);
    await acknowledge(ringing);
    await peer.response(200, 'INVITE');
    expect((await ok).token(3)).toBe('OK');
  });

  it('without a session description do not hold back a 2xx, stop being repeated, and may still be acknowledged', async () => {
    const { app, peer, port, clock } = bench;
    const frame = await beCalled();
    const ringing = await ringReliably(frame, '');
    await app.respond(frame.transactionId, 200, 'OK', [], SDP);
    const ok = await peer.response(200, 'INVITE');
    await peer.send(peer.build('ACK', { ...FIELDS, toTag: ok.tag('To'), branch: 'z9hG4bKack' }), port);
    await app.sip('ACK');
    clock.advance(10_000);
    await peer.fence(port);
    expect(peer.log.filter(({ status }) => status === 183)).toHaveLength(1);
    await acknowledge(ringing);
    await app.sip('PRACK');
  });

  it.each([
    ['another number', (rseq: number) => `${rseq + 1} 1 INVITE`],
    ['another CSeq', (rseq: number) => `${rseq} 7 INVITE`],
    ['another method', (rseq: number) => `${rseq} 1 UPDATE`],
    ['nonsense', () => 'x'],
  ])('a PRACK with %s gets 481 and ends nothing', async (_what, rackOf) => {
    const { app, peer, clock, port } = bench;
    const ringing = await ringReliably(await beCalled());
    await acknowledge(ringing, 2, rackOf(Number(ringing.header('RSeq'))));
    await peer.response(481, 'PRACK');
    clock.advance(500);
    await peer.response(183, 'INVITE');
    await peer.fence(port);
    expect(app.log.some(({ startLine }) => startLine.startsWith('PRACK'))).toBe(false);
  });

  it('a second PRACK for the same response gets 481', async () => {
    const ringing = await ringReliably(await beCalled());
    await acknowledge(ringing);
    await bench.app.sip('PRACK');
    await acknowledge(ringing, 3);
    await bench.peer.response(481, 'PRACK');
  });

  it.each([486, 603])(
    'are acknowledged with 200 also when the INVITE was refused (%i) before their PRACK came; once, and for 64*T1',
    async (status) => {
      const { app, peer, clock } = bench;
      const frame = await beCalled();
      const ringing = await ringReliably(frame);
      await app.respond(frame.transactionId, status);
      await peer.response(status, 'INVITE');
      await acknowledge(ringing, 2, '1 1 INVITE');
      await peer.response(481, 'PRACK');
      await acknowledge(ringing, 3);
      await peer.response(200, 'PRACK');
      await acknowledge(ringing, 4);
      await peer.response(481, 'PRACK');
      clock.advance(SIP_LIMITS.transactionTimeoutMs);
      expect(app.log.some(({ startLine }) => startLine.startsWith('PRACK'))).toBe(false);
    },
  );

  it('are not acknowledged any more 64*T1 after the refusal; a CANCEL (487) is one as well', async () => {
    const { peer, port, clock } = bench;
    const ringing = await ringReliably(await beCalled());
    await peer.send(peer.build('CANCEL', FIELDS), port);
    await peer.response(487, 'INVITE');
    clock.advance(SIP_LIMITS.transactionTimeoutMs - 1);
    await peer.fence(port);
    clock.advance(1);
    await acknowledge(ringing);
    await peer.response(481, 'PRACK');
  });

  it('are used for every provisional response when the caller requires it; the engine answers that PRACK itself', async () => {
    const { app, peer, port } = bench;
    const frame = await beCalled(['Require: 100rel']);
    await app.respond(frame.transactionId, 180);
    const ringing = await peer.response(180, 'INVITE');
    expect(ringing.header('Require')).toBe('100rel');
    await acknowledge(ringing);
    await peer.response(200, 'PRACK');
    await peer.fence(port);
    expect(app.log.some(({ startLine }) => startLine.startsWith('PRACK'))).toBe(false);
  });
});

describe('reliable provisional responses of the peer (RFC 3262 §4)', () => {
  const rel = (rseq: number): { headers: string[] } => ({
    headers: ['Require: 100rel', `RSeq: ${rseq}`],
  });

  it('make an early dialog for the PRACK; repeats and what overtakes are not passed up', async () => {
    const { app, peer, port } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 183, rel(5));
    await app.sip('SIP/2.0 183');
    await peer.answer(invite, 183, rel(5));
    await peer.answer(invite, 183, rel(7));
    await peer.fence(port);
    expect(app.log.filter(({ sip }) => sip?.status === 183)).toHaveLength(1);
    const cseq = Number.parseInt(invite.header('CSeq'), 10);
    const echo = await app.ask(
      ['sip', '', dialogId],
      `PRACK sip:ignored@192.0.2.1 SIP/2.0\r\nRAck: 5 ${cseq} INVITE\r\n\r\n`,
    );
    const prack = await peer.request('PRACK');
    expect(prack.startLine).toBe(`PRACK sip:peer@127.0.0.1:${peer.port} SIP/2.0`);
    expect([prack.header('RAck'), prack.header('CSeq'), prack.tag('To')]).toEqual([
      `5 ${cseq} INVITE`,
      `${cseq + 1} PRACK`,
      'callee-tag',
    ]);
    await peer.answer(prack, 200);
    expect((await app.sip('SIP/2.0 200')).transactionId).toBe(echo.token(10));
    await peer.answer(invite, 180, rel(6));
    await app.sip('SIP/2.0 180');
  });

  it('of several forks are counted each for itself; a PRACK goes to the fork that it names', async () => {
    const { app, peer } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 183, { toTag: 'one', ...rel(5) });
    await peer.answer(invite, 183, { toTag: 'two', ...rel(90) });
    await app.sip('SIP/2.0 183');
    await app.sip('SIP/2.0 183');
    await app.inDialog(dialogId, 'PRACK', ['RAck: 5 1 INVITE']);
    expect((await peer.request('PRACK')).tag('To')).toBe('one');
    await app.inDialog(dialogId, 'PRACK', ['RAck: 90 1 INVITE']);
    expect((await peer.request('PRACK')).tag('To')).toBe('two');
    expect((await app.inDialog(dialogId, 'PRACK', ['RAck: 91 1 INVITE'])).token(3)).toBe('NOK');
  });

  it('ring on as many forks as the ceiling allows; one more is not passed up', async () => {
    const { app, peer, port } = bench;
    const { invite } = await callPeer(bench);
    for (let fork = 0; fork <= SIP_LIMITS.maxForks; fork += 1) {
      await peer.answer(invite, 180, { toTag: `fork${fork}` });
    }
    await peer.fence(port);
    expect(bench.engine.load.dialogs).toBe(SIP_LIMITS.maxForks);
    await app.ask(['ping']);
    expect(app.log.filter(({ sip }) => sip?.status === 180)).toHaveLength(SIP_LIMITS.maxForks);
    // The INVITE ends: so do its early dialogs.
    await peer.answer(invite, 486);
    await app.sip('SIP/2.0 486');
    expect(bench.engine.load.dialogs).toBe(0);
  });
});
