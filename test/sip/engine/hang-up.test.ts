import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import { acceptInbound, establishInbound, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const BYE = 'BYE sip:placeholder SIP/2.0\r\n\r\n';

describe('the called side hangs up (RFC 3261 §15)', () => {
  it('§15: its BYE waits for the ACK, and is echoed behind it', async () => {
    const { app, peer, port } = bench;
    const call = await acceptInbound(bench);
    const id = app.sendFrame(['sip', '', call.dialogId], BYE);
    await app.ask(['ping']);
    await peer.fence(port);
    expect(peer.log.some(({ startLine }) => startLine.startsWith('BYE'))).toBe(false);
    await peer.send(peer.build('ACK', { ...call.fields, cseq: 1 }), port);
    const bye = await peer.request('BYE');
    await peer.answer(bye, 200);
    await app.sip('SIP/2.0 200');
    const order = app.log.map((frame) => (frame.token(2) === id ? 'echo' : frame.startLine.split(' ')[0]));
    expect(order.indexOf('ACK')).toBeLessThan(order.indexOf('echo'));
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('§15: without an ACK it leaves after 64*T1, in place of the one of the engine', async () => {
    const { app, peer, clock } = bench;
    const call = await acceptInbound(bench);
    app.sendFrame(['sip', '', call.dialogId], BYE.replace('\r\n\r\n', '\r\nX-Mine: yes\r\n\r\n'));
    await app.ask(['ping']);
    clock.advance(SIP_LIMITS.transactionTimeoutMs);
    const bye = await peer.request('BYE');
    expect([bye.header('X-Mine'), bye.header('Reason')]).toEqual(['yes', '']);
    await peer.answer(bye, 200);
    await app.sip('SIP/2.0 200');
    expect(app.log.some(({ transactionId }) => transactionId === 'unsolicited')).toBe(false);
    expect(peer.log.filter(({ startLine }) => startLine.startsWith('BYE'))).toHaveLength(1);
  });

  it('a BYE of the caller that comes first ends the call; the one that waits is a NOK', async () => {
    const { app, peer, port } = bench;
    const call = await acceptInbound(bench);
    const waiting = app.ask(['sip', '', call.dialogId], BYE);
    await app.ask(['ping']);
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 2 }), port);
    expect((await waiting).token(3)).toBe('NOK');
    await app.respond((await app.sip('BYE')).transactionId, 200);
    await peer.response(200, 'BYE');
  });

  it('after the ACK it leaves at once', async () => {
    const call = await establishInbound(bench);
    await bench.app.inDialog(call.dialogId, 'BYE');
    await bench.peer.request('BYE');
  });
});
