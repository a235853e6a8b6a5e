import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PeerMessage } from '../../support/sip-peer.ts';
import { acceptInbound, callPeer, SDP, startBench, type Bench, type InboundCall } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** The peer calls with that Session-Expires; the application says nothing about it. */
async function beCalled(sessionExpires: string, allow = 'INVITE, BYE'): Promise<InboundCall> {
  const { app, peer, port } = bench;
  const headers = ['Supported: timer', `Session-Expires: ${sessionExpires}`, `Allow: ${allow}`];
  const call = await acceptInbound(bench, peer, { headers });
  await peer.send(peer.build('ACK', call.fields), port);
  await app.sip('ACK');
  return call;
}

/** The application calls; the 200 has that Session-Expires. */
async function call(
  sessionExpires: string,
  allow = 'INVITE, BYE',
): Promise<{ dialogId: string; invite: PeerMessage }> {
  const { app, peer } = bench;
  const { invite, dialogId } = await callPeer(bench);
  const headers = [`Session-Expires: ${sessionExpires}`, 'Require: timer', `Allow: ${allow}`];
  await peer.answer(invite, 200, { body: SDP, headers });
  await app.sip('SIP/2.0 200');
  await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
  await peer.request('ACK');
  return { dialogId, invite };
}

async function expectExpired(dialogId: string): Promise<void> {
  const { app, peer } = bench;
  const bye = await peer.request('BYE');
  expect(bye.header('Reason')).toBe('SIP;cause=200;text="Session timer expired"');
  const told = await app.sip('BYE');
  expect([told.token(2), told.transactionId, told.dialogId]).toEqual([
    'application',
    'unsolicited',
    dialogId,
  ]);
  expect((await app.inDialog(dialogId, 'INFO')).token(3)).toBe('NOK');
}

async function silent(method: string): Promise<void> {
  await bench.peer.fence(bench.port);
  expect(bench.peer.messages.waiting.filter(({ startLine }) => startLine.startsWith(`${method} `))).toEqual(
    [],
  );
}

describe('the called side (RFC 4028 §9)', () => {
  it('agrees to the interval that names a refresher, and requires timer of a caller who refreshes', async () => {
    const { ok } = await beCalled('1800;refresher=uac');
    expect([ok.header('Session-Expires'), ok.header('Require')]).toEqual(['1800;refresher=uac', 'timer']);
  });

  it('ignores an interval without a refresher', async () => {
    const { ok } = await beCalled('1800');
    expect(ok.header('Session-Expires')).toBe('');
  });

  it('hangs up when the caller does not refresh', async () => {
    const { dialogId } = await beCalled('90;refresher=uac');
    bench.clock.advance(89_999);
    await silent('BYE');
    bench.clock.advance(1);
    await expectExpired(dialogId);
  });

  it.each(['INVITE', 'UPDATE'])('the %s of the caller begins the interval anew', async (method) => {
    const { app, peer, port, clock } = bench;
    const { fields, dialogId } = await beCalled('90;refresher=uac');
    clock.advance(60_000);
    const headers = ['Supported: timer', 'Session-Expires: 90;refresher=uac'];
    const body = method === 'INVITE' ? SDP : '';
    await peer.send(peer.build(method, { ...fields, cseq: 2, headers, body }), port);
    const frame = await app.sip(method);
    await app.respond(frame.transactionId, 200, 'OK', [], body);
    expect((await peer.response(200, method)).header('Session-Expires')).toBe('90;refresher=uac');
    if (method === 'INVITE') {
      await peer.send(peer.build('ACK', { ...fields, cseq: 2 }), port);
      await app.sip('ACK');
    }
    clock.advance(89_999);
    await silent('BYE');
    clock.advance(1);
    await expectExpired(dialogId);
  });

  it('refuses less than 90 s with 422 and Min-SE; the running timer goes on', async () => {
    const { app, peer, port, clock } = bench;
    const { fields, dialogId } = await beCalled('90;refresher=uac');
    const headers = ['Supported: timer', 'Session-Expires: 60;refresher=uac'];
    await peer.send(peer.build('INVITE', { ...fields, cseq: 2, headers, body: SDP }), port);
    expect((await peer.response(422, 'INVITE')).header('Min-SE')).toBe('90');
    await app.ask(['ping']);
    expect(app.log.filter(({ startLine }) => startLine.startsWith('INVITE'))).toHaveLength(1);
    clock.advance(90_000);
    await expectExpired(dialogId);
  });

  it('refuses less than 90 s in the first INVITE too, but only of callers that know the extension', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('INVITE', { headers: ['Supported: timer', 'Session-Expires: 30'] }), port);
    await peer.response(422, 'INVITE');
    await peer.send(peer.build('INVITE', { headers: ['Session-Expires: 30'] }), port);
    await app.sip('INVITE');
  });

  it('that refreshes sends a re-INVITE with its session at half of the interval, of which the application sees nothing', async () => {
    const { app, peer, port, clock } = bench;
    await beCalled('90;refresher=uas');
    const before = app.log.length;
    for (let round = 0; round < 3; round += 1) {
      clock.advance(44_999);
      await silent('INVITE');
      clock.advance(1);
      const refresh = await peer.request('INVITE');
      expect([refresh.header('Session-Expires'), refresh.header('Min-SE'), refresh.body]).toEqual([
        '90;refresher=uac',
        '90',
        SDP,
      ]);
      await peer.answer(refresh, 200, { body: SDP, headers: ['Session-Expires: 90;refresher=uac'] });
      const ack = await peer.request('ACK');
      expect(Number.parseInt(ack.header('CSeq'), 10)).toBe(Number.parseInt(refresh.header('CSeq'), 10));
      // The 200 again: the ACK again.
      await peer.answer(refresh, 200, { body: SDP, headers: ['Session-Expires: 90;refresher=uac'] });
      expect((await peer.request('ACK')).text).toBe(ack.text);
    }
    await peer.fence(port);
    await app.ask(['ping']);
    expect(app.log.slice(before).filter(({ type }) => type === 'sip')).toEqual([]);
  });

  it('that refreshes uses UPDATE without a body when the peer takes it (§7.4)', async () => {
    const { peer, clock } = bench;
    await beCalled('90;refresher=uas', 'INVITE, UPDATE');
    clock.advance(45_000);
    const refresh = await peer.request('UPDATE');
    expect([refresh.header('Session-Expires'), refresh.body]).toEqual(['90;refresher=uac', '']);
    await peer.answer(refresh, 200, { headers: ['Session-Expires: 90;refresher=uac'] });
    await peer.fence(bench.port);
    clock.advance(45_000);
    await peer.request('UPDATE');
  });

  it('an interval that the application names itself is kept', async () => {
    const { app, peer, port, clock } = bench;
    await peer.send(peer.build('INVITE', { callId: 'own', fromTag: 'f', body: SDP }), port);
    const frame = await app.sip('INVITE');
    await app.respond(frame.transactionId, 200, 'OK', ['Session-Expires: 120;refresher=uas'], SDP);
    const ok = await peer.response(200, 'INVITE');
    expect(ok.headers('Session-Expires')).toEqual(['120;refresher=uas']);
    await peer.send(peer.build('ACK', { callId: 'own', fromTag: 'f', toTag: ok.tag('To') }), port);
    await app.sip('ACK');
    clock.advance(60_000);
    await peer.request('INVITE');
  });
});

describe('the calling side (RFC 4028 §7)', () => {
  it('refreshes, unless the 2xx names the other side', async () => {
    const { peer, clock } = bench;
    await call('90');
    clock.advance(45_000);
    expect((await peer.request('INVITE')).header('Session-Expires')).toBe('90;refresher=uac');
  });

  it('hangs up when the called side was to refresh and did not', async () => {
    const { dialogId } = await call('100;refresher=uas');
    bench.clock.advance(100_000);
    await expectExpired(dialogId);
  });

  it.each([408, 481])('hangs up when its refresh is answered %i (§10)', async (status) => {
    const { peer, clock } = bench;
    const { dialogId } = await call('90;refresher=uac');
    clock.advance(45_000);
    await peer.answer(await peer.request('INVITE'), status);
    await expectExpired(dialogId);
  });

  it('whose refresh gets no answer hangs up (§10)', async () => {
    const { peer, clock } = bench;
    const { dialogId } = await call('90;refresher=uac');
    clock.advance(45_000);
    await peer.request('INVITE');
    clock.advance(32_000);
    await expectExpired(dialogId);
  });

  it('tries again after a 491, and when all fails the session expires', async () => {
    const { peer, clock } = bench;
    const { dialogId } = await call('90;refresher=uac');
    clock.advance(45_000);
    await peer.answer(await peer.request('INVITE'), 491);
    await peer.request('ACK');
    await peer.fence(bench.port);
    clock.advance(4_000);
    await peer.answer(await peer.request('INVITE'), 500, { headers: ['Retry-After: 3600'] });
    await peer.request('ACK');
    await peer.fence(bench.port);
    clock.advance(41_000);
    await expectExpired(dialogId);
  });

  it('takes the Min-SE of a 422 (§7.4)', async () => {
    const { peer, clock } = bench;
    await call('90;refresher=uac');
    clock.advance(45_000);
    await peer.answer(await peer.request('INVITE'), 422, { headers: ['Min-SE: 300'] });
    expect((await peer.request('INVITE')).header('Session-Expires')).toBe('300;refresher=uac');
  });

  it('uses a re-INVITE where UPDATE turns out not to be known', async () => {
    const { peer, clock } = bench;
    await call('90;refresher=uac', 'INVITE, UPDATE');
    clock.advance(45_000);
    await peer.answer(await peer.request('UPDATE'), 405);
    expect((await peer.request('INVITE')).body).toBe(SDP);
  });

  it('names the timer in a re-INVITE of the application; a 2xx without it ends the timer (§7.4)', async () => {
    const { app, peer, clock, port } = bench;
    const { dialogId } = await call('90;refresher=uas');
    await app.inDialog(dialogId, 'INVITE', [], SDP);
    const again = await peer.request('INVITE');
    expect(again.header('Session-Expires')).toBe('90;refresher=uas');
    await peer.answer(again, 200, { body: SDP });
    await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    await peer.request('ACK');
    clock.advance(200_000);
    await peer.fence(port);
    expect(bench.engine.load.dialogs).toBe(1);
  });

  it('a BYE ends the timer', async () => {
    const { app, peer, clock, port } = bench;
    const { dialogId } = await call('90;refresher=uac');
    await app.inDialog(dialogId, 'BYE');
    await peer.answer(await peer.request('BYE'), 200);
    await app.sip('SIP/2.0 200');
    clock.advance(200_000);
    await peer.fence(port);
    expect(peer.log.filter(({ startLine }) => startLine.startsWith('INVITE'))).toHaveLength(1);
  });
});
