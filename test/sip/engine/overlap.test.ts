import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PeerMessage, RequestFields } from '../../support/sip-peer.ts';
import {
  acceptInbound,
  callPeer,
  establishInbound,
  establishOutbound,
  SDP,
  startBench,
  type Bench,
} from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** The peer sends a request and gets this status from the engine; the application sees nothing of it. */
async function refused(method: string, fields: RequestFields, status: number): Promise<PeerMessage> {
  const { app, peer, port } = bench;
  const before = app.log.length;
  await peer.send(peer.build(method, fields), port);
  const answer = await peer.response(status, method);
  await app.ask(['ping']);
  expect(app.log.slice(before).filter(({ type }) => type === 'sip')).toEqual([]);
  return answer;
}

function expectRetryAfter(answer: PeerMessage): void {
  const seconds = Number(answer.header('Retry-After'));
  expect(answer.header('Retry-After')).not.toBe('');
  expect(seconds).toBeGreaterThanOrEqual(0);
  expect(seconds).toBeLessThanOrEqual(10);
}

describe('a re-INVITE of the peer (RFC 3261 §14.2)', () => {
  it('while ours is pending gets 491, and the dialog goes on', async () => {
    const { app, peer } = bench;
    const call = await establishInbound(bench);
    await app.inDialog(call.dialogId, 'INVITE', [], SDP);
    const ours = await peer.request('INVITE');
    await refused('INVITE', { ...call.fields, cseq: 2, body: SDP }, 491);
    await peer.answer(ours, 200, { body: SDP });
    await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', call.dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    await peer.request('ACK');
    await peer.send(peer.build('INVITE', { ...call.fields, cseq: 3, body: SDP }), bench.port);
    expect((await app.sip('INVITE')).dialogId).toBe(call.dialogId);
  });

  it('while an earlier one is unanswered gets 500 with a Retry-After of 0 to 10 seconds', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await peer.send(peer.build('INVITE', { ...call.fields, cseq: 2, body: SDP }), port);
    const first = await app.sip('INVITE');
    expectRetryAfter(await refused('INVITE', { ...call.fields, cseq: 3, body: SDP }, 500));
    expect((await app.respond(first.transactionId, 200, 'OK', [], SDP)).token(3)).toBe('OK');
  });

  it('before the ACK goes up when the 200 was an answer; both are acknowledged for themselves (RFC 5407 §3.1.4)', async () => {
    const { app, peer, port } = bench;
    const call = await acceptInbound(bench);
    await peer.send(peer.build('INVITE', { ...call.fields, cseq: 2, body: SDP }), port);
    const again = await app.sip('INVITE');
    await app.respond(again.transactionId, 200, 'OK', [], SDP);
    await peer.send(peer.build('ACK', { ...call.fields, cseq: 2 }), port);
    expect((await app.sip('ACK')).sip?.header('CSeq')).toBe('2 ACK');
    await peer.send(peer.build('ACK', { ...call.fields, cseq: 1 }), port);
    expect((await app.sip('ACK')).transactionId).toBe(call.transactionId);
  });

  it('before the ACK gets 491 when the 200 was an offer (RFC 5407 §3.1.5)', async () => {
    const call = await acceptInbound(bench, bench.peer, { body: '' });
    await refused('INVITE', { ...call.fields, cseq: 2, body: SDP }, 491);
  });

  it('out of order gets 500 (§12.2.2)', async () => {
    const call = await establishInbound(bench, bench.peer, { cseq: 5 });
    await refused('INVITE', { ...call.fields, cseq: 4, body: SDP }, 500);
  });

  it('of the application while its own is pending is refused: its ACK would be lost (§14.1)', async () => {
    const { app, peer } = bench;
    const { dialogId } = await establishOutbound(bench);
    await app.inDialog(dialogId, 'INVITE', [], SDP);
    await peer.request('INVITE');
    expect((await app.inDialog(dialogId, 'INVITE', [], SDP)).token(3)).toBe('NOK');
  });
});

describe('UPDATE (RFC 3311 §5)', () => {
  /** The peer calls, the application rings; the dialog is early. */
  async function ring(body = SDP): Promise<{ transactionId: string; fields: RequestFields }> {
    const { app, peer, port } = bench;
    const fields = { callId: 'early', fromTag: 'caller' };
    await peer.send(peer.build('INVITE', { ...fields, body, headers: ['Supported: 100rel'] }), port);
    const { transactionId } = await app.sip('INVITE');
    await app.respond(transactionId, 183, 'Progress', ['Require: 100rel'], SDP);
    const ringing = await peer.response(183, 'INVITE');
    return { transactionId, fields: { ...fields, toTag: ringing.tag('To') } };
  }

  it('in a confirmed dialog both ways, with a Contact that moves the target', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await app.inDialog(call.dialogId, 'UPDATE', [], SDP);
    const ours = await peer.request('UPDATE');
    expect(ours.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    await peer.answer(ours, 200, { contact: `<sip:moved@127.0.0.1:${peer.port}>` });
    await app.sip('SIP/2.0 200');
    await app.inDialog(call.dialogId, 'INFO');
    expect((await peer.request('INFO')).startLine).toContain('sip:moved@');
    await peer.send(peer.build('UPDATE', { ...call.fields, cseq: 2, body: SDP }), port);
    const theirs = await app.sip('UPDATE');
    await app.respond(theirs.transactionId, 200, 'OK', [], SDP);
    expect((await peer.response(200, 'UPDATE')).header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    await app.inDialog(call.dialogId, 'INFO');
    expect((await peer.request('INFO')).startLine).toContain('sip:peer@');
  });

  it('in an early dialog both ways: called, and calling', async () => {
    const { app, peer, port } = bench;
    const { fields } = await ring();
    await peer.send(peer.build('UPDATE', { ...fields, cseq: 2, body: SDP }), port);
    const theirs = await app.sip('UPDATE');
    expect(theirs.dialogId).toBe('early;from-tag=caller');
    await app.respond(theirs.transactionId, 200, 'OK', [], SDP);
    await peer.response(200, 'UPDATE');
    expect((await app.inDialog('early;from-tag=caller', 'UPDATE', [], SDP)).token(3)).toBe('OK');
    await peer.request('UPDATE');

    const call = await callPeer(bench);
    await peer.answer(call.invite, 183, { body: SDP });
    await app.sip('SIP/2.0 183');
    const from = {
      callId: call.invite.header('Call-ID'),
      fromTag: 'callee-tag',
      toTag: call.invite.tag('From'),
    };
    await peer.send(peer.build('UPDATE', { ...from, cseq: 1, body: SDP }), port);
    const update = await app.sip('UPDATE');
    expect([update.dialogId, update.transactionId]).not.toContain(call.transactionId);
    expect(update.dialogId).toBe(call.dialogId);
    await app.respond(update.transactionId, 200, 'OK', [], SDP);
    await peer.response(200, 'UPDATE');
  });

  it('while an earlier one is unanswered gets 500 with Retry-After (§5.2)', async () => {
    const call = await establishInbound(bench);
    await bench.peer.send(bench.peer.build('UPDATE', { ...call.fields, cseq: 2 }), bench.port);
    await bench.app.sip('UPDATE');
    expectRetryAfter(await refused('UPDATE', { ...call.fields, cseq: 3 }, 500));
  });

  it('with an offer while ours is unanswered gets 491, without one it goes up (§5.2)', async () => {
    const call = await establishInbound(bench);
    await bench.app.inDialog(call.dialogId, 'UPDATE', [], SDP);
    const ours = await bench.peer.request('UPDATE');
    await refused('UPDATE', { ...call.fields, cseq: 2, body: SDP }, 491);
    await bench.peer.send(bench.peer.build('UPDATE', { ...call.fields, cseq: 3 }), bench.port);
    const theirs = await bench.app.sip('UPDATE');
    await bench.app.respond(theirs.transactionId, 200);
    await bench.peer.answer(ours, 200, { body: SDP });
    await bench.app.sip('SIP/2.0 200');
    await bench.peer.send(bench.peer.build('UPDATE', { ...call.fields, cseq: 4, body: SDP }), bench.port);
    await bench.app.sip('UPDATE');
  });

  it('with an offer before our INVITE has an answer gets 491 (§5.2)', async () => {
    const { app, peer } = bench;
    const { invite } = await callPeer(bench);
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    const from = { callId: invite.header('Call-ID'), fromTag: 'callee-tag', toTag: invite.tag('From') };
    await refused('UPDATE', { ...from, cseq: 1, body: SDP }, 491);
  });

  it('with an offer while that of the INVITE is unanswered gets 500 with Retry-After (§5.2)', async () => {
    const { app, peer, port } = bench;
    const fields = { callId: 'offer', fromTag: 'caller' };
    await peer.send(peer.build('INVITE', { ...fields, body: SDP }), port);
    await app.respond((await app.sip('INVITE')).transactionId, 180);
    const toTag = (await peer.response(180, 'INVITE')).tag('To');
    expectRetryAfter(await refused('UPDATE', { ...fields, toTag, cseq: 2, body: SDP }, 500));
  });

  it('with an offer while our reliable response offers gets 491 (§5.2)', async () => {
    const { fields } = await ring('');
    await refused('UPDATE', { ...fields, cseq: 2, body: SDP }, 491);
  });
});

describe('requests in early dialogs (RFC 3261 §12)', () => {
  it.each(['INFO', 'MESSAGE', 'OPTIONS', 'NOTIFY', 'REFER'])('%s goes up and is answered', async (method) => {
    const { app, peer, port } = bench;
    const fields = { callId: 'e', fromTag: 'caller' };
    await peer.send(peer.build('INVITE', fields), port);
    await app.respond((await app.sip('INVITE')).transactionId, 180);
    const toTag = (await peer.response(180, 'INVITE')).tag('To');
    await peer.send(peer.build(method, { ...fields, toTag, cseq: 2 }), port);
    const frame = await app.sip(method);
    expect(frame.dialogId).toBe('e;from-tag=caller');
    await app.respond(frame.transactionId, 200);
    await peer.response(200, method);
  });

  it('a BYE of the called application before it has answered is refused (§15)', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('INVITE', { callId: 'b', fromTag: 'caller' }), port);
    await app.respond((await app.sip('INVITE')).transactionId, 180);
    expect((await app.inDialog('b;from-tag=caller', 'BYE')).token(3)).toBe('NOK');
    expect((await app.inDialog('b;from-tag=caller', 'INFO')).token(3)).toBe('OK');
  });

  it('a BYE of the calling application ends the early dialog; a 2xx that crosses is acknowledged and hung up (§15)', async () => {
    const { app, peer } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    await app.inDialog(dialogId, 'BYE');
    await peer.answer(await peer.request('BYE'), 200);
    await app.sip('SIP/2.0 200');
    expect(bench.engine.load.dialogs).toBe(0);
    await peer.answer(invite, 200, { body: SDP });
    await peer.request('ACK');
    await peer.request('BYE');
  });

  it('are unknown dialogs when the INVITE was refused', async () => {
    const { app, peer } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 180);
    await peer.answer(invite, 486);
    await app.sip('SIP/2.0 486');
    expect((await app.inDialog(dialogId, 'INFO')).token(3)).toBe('NOK');
  });
});
