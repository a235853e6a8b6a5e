import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipPeer } from '../../support/sip-peer.ts';
import { acceptInbound, establishInbound, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('an INVITE from the network (RFC 3261 §13.3)', () => {
  it('gets 100 at once, goes up with its source, and is answered with one tag and a Contact', async () => {
    const { app, peer, port } = bench;
    const text = peer.build('INVITE', { callId: 'in-1', fromTag: 'caller', branch: 'z9hG4bKone', body: SDP });
    await peer.send(text, port);
    const trying = await peer.response(100, 'INVITE');
    expect(trying.tag('To')).toBe('');
    expect(trying.header('Via')).toBe(
      `SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bKone;rport=${peer.port}`,
    );
    const frame = await app.sip('INVITE');
    expect(frame.tokens.slice(2, 7)).toEqual([
      'network',
      String(Buffer.byteLength(text)),
      'udp',
      '127.0.0.1',
      String(peer.port),
    ]);
    expect(frame.tokens.slice(9)).toEqual(['', '127.0.0.1', String(port), '']);
    expect(frame.sip?.body).toBe(SDP);
    expect(frame.sip?.viaParam('rport')).toBe(String(peer.port));

    const ringEcho = await app.respond(frame.transactionId, 180, 'Ringing', ['to: <sip:app@127.0.0.1>']);
    const ringing = await peer.response(180, 'INVITE');
    expect(ringing.header('Contact')).toBe('');
    expect(ringEcho.tokens.slice(10, 15)).toEqual([
      frame.transactionId,
      'in-1;from-tag=caller',
      '',
      'Msg sent:',
      '',
    ]);
    expect(ringEcho.sip?.text).toBe(ringing.text);

    const okEcho = await app.respond(frame.transactionId, 200, 'Fine', ['x-app: yes', 'some-thing: 1'], SDP);
    const ok = await peer.response(200, 'INVITE');
    expect(ok.startLine).toBe('SIP/2.0 200 Fine');
    expect(ok.tag('To')).toBe(ringing.tag('To'));
    expect(ok.tag('To')).not.toBe('');
    expect(ok.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    expect([ok.header('x-app'), ok.header('Some-Thing')]).toEqual(['yes', '1']);
    expect(ok.text).toContain('\r\nSome-Thing: 1\r\n');
    expect(okEcho.token(11)).toBe('in-1;from-tag=caller');

    await peer.send(peer.build('ACK', { callId: 'in-1', fromTag: 'caller', toTag: ok.tag('To') }), port);
    const ack = await app.sip('ACK');
    expect([ack.transactionId, ack.dialogId]).toEqual([frame.transactionId, 'in-1;from-tag=caller']);

    const bye = app.inDialog('in-1;from-tag=caller', 'BYE');
    const got = await peer.request('BYE');
    expect(got.startLine).toBe(`BYE sip:peer@127.0.0.1:${peer.port} SIP/2.0`);
    expect([got.tag('From'), got.tag('To')]).toEqual([ok.tag('To'), 'caller']);
    expect(got.header('CSeq')).toBe('2 BYE');
    await peer.answer(got, 200);
    expect((await bye).token(3)).toBe('OK');
    expect((await app.sip('SIP/2.0 200')).dialogId).toBe('in-1;from-tag=caller');
  });

  it('takes the To tag that the application chose', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('INVITE', { body: SDP }), port);
    const frame = await app.sip('INVITE');
    await app.respond(frame.transactionId, 200, 'OK', ['to: <sip:app@127.0.0.1>;tag=mytag'], SDP);
    expect((await peer.response(200, 'INVITE')).tag('To')).toBe('mytag');
  });

  it('copies Record-Route into the answer and routes by it (§12.1.1)', async () => {
    const { app, peer, port } = bench;
    const proxy = bench.own(await SipPeer.udp());
    const headers = [`Record-Route: <sip:127.0.0.1:${proxy.port};lr>, <sip:192.0.2.9;lr>`];
    const call = await establishInbound(bench, peer, { headers, contact: '<sip:far@192.0.2.1>' });
    expect(call.ok.headers('Record-Route')).toEqual([headers[0]?.slice('Record-Route: '.length)]);
    await app.inDialog(call.dialogId, 'BYE');
    const bye = await proxy.request('BYE');
    expect(bye.startLine).toBe('BYE sip:far@192.0.2.1 SIP/2.0');
    expect(bye.headers('Route')).toEqual([`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:192.0.2.9;lr>']);
    expect(port).not.toBe(proxy.port);
  });

  it('refused is repeated until its ACK, which the application does not see (timer G, §17.2.1)', async () => {
    const { app, peer, port, clock } = bench;
    await peer.send(peer.build('INVITE', { callId: 'no', branch: 'z9hG4bKno' }), port);
    const frame = await app.sip('INVITE');
    const echo = await app.respond(frame.transactionId, 486, 'Busy Here');
    expect(echo.token(11)).toBe('no;from-tag=peer-tag');
    const busy = await peer.response(486, 'INVITE');
    for (const ms of [500, 1_000, 2_000, 4_000, 4_000]) {
      clock.advance(ms);
      expect((await peer.response(486, 'INVITE')).text).toBe(busy.text);
    }
    await peer.send(peer.build('ACK', { callId: 'no', branch: 'z9hG4bKno', toTag: busy.tag('To') }), port);
    await peer.fence(port);
    clock.advance(20_000);
    await peer.fence(port);
    expect(peer.log.filter(({ status }) => status === 486)).toHaveLength(6);
    await app.ask(['ping']);
    expect(app.log.some(({ startLine }) => startLine.startsWith('ACK'))).toBe(false);
    const late = await app.respond(frame.transactionId, 200);
    expect(late.tokens.slice(3)).toEqual(['NOK', 'Response not sent due to unknown transaction']);
    clock.advance(32_000);
    expect(bench.engine.load).toEqual({ clientTransactions: 0, serverTransactions: 0, dialogs: 0 });
  });

  it('refused and never acknowledged is given up after 32 s (timer H, §17.2.1)', async () => {
    const { app, peer, port, clock } = bench;
    await peer.send(peer.build('INVITE'), port);
    await app.respond((await app.sip('INVITE')).transactionId, 486);
    await peer.response(486, 'INVITE');
    clock.advance(31_999);
    expect(bench.engine.load.serverTransactions).toBe(1);
    clock.advance(1);
    expect(bench.engine.load.serverTransactions).toBe(0);
  });

  it('behind a strict router: its URI is the Request-URI, the target goes last (§12.2.1.1)', async () => {
    const { app, peer } = bench;
    const router = bench.own(await SipPeer.udp());
    const headers = [`Record-Route: <sip:127.0.0.1:${router.port}>, <sip:192.0.2.9;lr>`];
    const call = await establishInbound(bench, peer, { headers, contact: '<sip:far@192.0.2.1>' });
    await app.inDialog(call.dialogId, 'BYE');
    const bye = await router.request('BYE');
    expect(bye.startLine).toBe(`BYE sip:127.0.0.1:${router.port} SIP/2.0`);
    expect(bye.headers('Route')).toEqual(['<sip:192.0.2.9;lr>', '<sip:far@192.0.2.1>']);
  });

  it('repeated is swallowed by the application side; the last answer is repeated (§17.2.1)', async () => {
    const { app, peer, port } = bench;
    const text = peer.build('INVITE', { callId: 'rep', fromTag: 'caller', body: SDP });
    await peer.send(text, port);
    const frame = await app.sip('INVITE');
    await peer.send(text, port);
    await peer.response(100, 'INVITE');
    await peer.response(100, 'INVITE');
    await app.respond(frame.transactionId, 180);
    await peer.response(180, 'INVITE');
    await peer.send(text, port);
    await peer.response(180, 'INVITE');
    await peer.fence(port);
    await app.ask(['ping']);
    expect(app.log.filter(({ startLine }) => startLine.startsWith('INVITE'))).toHaveLength(1);
  });

  it('accepted: the 200 is repeated at 0.5, 1.5, 3.5, 7.5 s until the ACK; a repeated ACK goes up again (§13.3.1.4)', async () => {
    const { app, peer, port, clock } = bench;
    const call = await acceptInbound(bench);
    for (const ms of [500, 1_000, 2_000, 4_000]) {
      clock.advance(ms);
      expect((await peer.response(200, 'INVITE')).text).toBe(call.ok.text);
    }
    await peer.send(peer.build('ACK', call.fields), port);
    expect((await app.sip('ACK')).transactionId).toBe(call.transactionId);
    await peer.send(peer.build('ACK', call.fields), port);
    const again = await app.sip('ACK');
    expect(again.transactionId).not.toBe(call.transactionId);
    expect(again.dialogId).toBe(call.dialogId);
    clock.advance(24_000);
    await peer.fence(port);
    expect(peer.log.filter(({ status, method }) => status === 200 && method === 'INVITE')).toHaveLength(5);
  });

  it('accepted: the INVITE again is absorbed, only the timer repeats the 200 (RFC 6026 §7.1)', async () => {
    const { app, peer, port, clock } = bench;
    const invite = peer.build('INVITE', { callId: 'absorbed', fromTag: 'caller', body: SDP });
    await peer.send(invite, port);
    await peer.response(100, 'INVITE');
    const frame = await app.sip('INVITE');
    await app.respond(frame.transactionId, 200, 'OK', [], SDP);
    const ok = await peer.response(200, 'INVITE');
    await peer.send(invite, port);
    await peer.fence(port);
    const answers = peer.log.filter(({ method }) => method === 'INVITE').map(({ status }) => status);
    expect(answers).toEqual([100, 200]);
    clock.advance(500);
    expect((await peer.response(200, 'INVITE')).text).toBe(ok.text);
    await app.ask(['ping']);
    expect(app.log.filter(({ startLine }) => startLine.startsWith('INVITE'))).toHaveLength(1);
  });

  it('accepted and never acknowledged is hung up after 32 s, and the application is told (§13.3.1.4)', async () => {
    const { app, peer, clock } = bench;
    const call = await acceptInbound(bench);
    clock.advance(32_000);
    const bye = await peer.request('BYE');
    expect(bye.header('Reason')).toBe('SIP;cause=200;text="ACK timeout"');
    const told = await app.sip('BYE');
    expect([told.token(2), told.transactionId, told.dialogId]).toEqual([
      'application',
      'unsolicited',
      call.dialogId,
    ]);
    expect(peer.log.filter(({ status, method }) => status === 200 && method === 'INVITE')).toHaveLength(11);
    await peer.answer(bye, 200);
    expect((await app.inDialog(call.dialogId, 'BYE')).token(3)).toBe('NOK');
  });

  it('never answered by the application gets 500 after 64 s and is forgotten', async () => {
    const { app, peer, port, clock } = bench;
    await peer.send(peer.build('INVITE'), port);
    const frame = await app.sip('INVITE');
    clock.advance(64_000);
    await peer.response(500, 'INVITE');
    expect((await app.respond(frame.transactionId, 486)).token(4)).toBe(
      'Response not sent due to unknown transaction',
    );
  });

  it('that nobody takes gets 100 and 503', async () => {
    const { peer, port, app } = bench;
    await app.ask(['remove_route', 'invite']);
    await peer.send(peer.build('INVITE'), port);
    await peer.response(100, 'INVITE');
    await peer.response(503, 'INVITE');
  });

  it('with Max-Forwards 0 goes up: only what forwards has to count (§8.1.1.6)', async () => {
    await bench.peer.send(bench.peer.build('INVITE', { maxForwards: 0 }), bench.port);
    await bench.app.sip('INVITE');
  });
});

describe('CANCEL from the network (RFC 3261 §9.2)', () => {
  it.each([false, true])(
    'before a final response: 200, 487, and the application is told (ringing: %s)',
    async (ringing) => {
      const { app, peer, port } = bench;
      const fields = { callId: 'c1', fromTag: 'caller', branch: 'z9hG4bKc1' };
      await peer.send(peer.build('INVITE', fields), port);
      const frame = await app.sip('INVITE');
      if (ringing) await app.respond(frame.transactionId, 180);
      await peer.send(
        peer.build('CANCEL', { ...fields, headers: ['Reason: SIP;cause=200;text="elsewhere"'] }),
        port,
      );
      const ok = await peer.response(200, 'CANCEL');
      const terminated = await peer.response(487, 'INVITE');
      expect(ok.tag('To')).toBe(terminated.tag('To'));
      const told = await app.sip('CANCEL');
      expect([told.transactionId, told.dialogId]).toEqual([
        frame.transactionId,
        ringing ? 'c1;from-tag=caller' : '',
      ]);
      expect(told.sip?.header('Reason')).toContain('elsewhere');
      expect((await app.respond(frame.transactionId, 200)).tokens.slice(3)).toEqual([
        'NOK',
        'Response not sent due to unknown transaction',
      ]);
      await peer.send(peer.build('ACK', { ...fields, toTag: terminated.tag('To') }), port);
      await peer.fence(port);
    },
  );

  it('right behind the INVITE reaches the application behind it', async () => {
    const { app, peer, port } = bench;
    const fields = { callId: 'c2', branch: 'z9hG4bKc2' };
    await Promise.all([
      peer.send(peer.build('INVITE', fields), port),
      peer.send(peer.build('CANCEL', fields), port),
    ]);
    await app.sip('CANCEL');
    const order = app.log
      .filter(({ type }) => type === 'sip')
      .map(({ startLine }) => startLine.split(' ')[0]);
    expect(order).toEqual(['INVITE', 'CANCEL']);
  });

  it('after the 200 gets 481 and changes nothing', async () => {
    const { app, peer, port } = bench;
    const call = await acceptInbound(bench, peer, { branch: 'z9hG4bKc3' });
    await peer.send(
      peer.build('CANCEL', { callId: call.fields.callId, fromTag: 'caller', branch: 'z9hG4bKc3' }),
      port,
    );
    await peer.response(481, 'CANCEL');
    await peer.send(peer.build('ACK', call.fields), port);
    await app.sip('ACK');
    await app.ask(['ping']);
    expect(app.log.some(({ startLine }) => startLine.startsWith('CANCEL'))).toBe(false);
  });

  it('of something unknown gets 481', async () => {
    await bench.peer.send(bench.peer.build('CANCEL'), bench.port);
    await bench.peer.response(481, 'CANCEL');
  });
});

describe('BYE (RFC 3261 §15.1.2)', () => {
  it('ends the dialog at once and is answered by the application', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 2 }), port);
    const bye = await app.sip('BYE');
    expect(bye.dialogId).toBe(call.dialogId);
    expect((await app.inDialog(call.dialogId, 'INFO')).token(3)).toBe('NOK');
    await app.respond(bye.transactionId, 200, 'OK');
    await peer.response(200, 'BYE');
  });

  it('that the application does not answer gets 500 after 32 s', async () => {
    const { app, peer, port, clock } = bench;
    const call = await establishInbound(bench);
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 2 }), port);
    await app.sip('BYE');
    clock.advance(32_000);
    await peer.response(500, 'BYE');
  });

  it('answers what is still open in the dialog with 487', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await peer.send(peer.build('INFO', { ...call.fields, cseq: 2 }), port);
    const info = await app.sip('INFO');
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 3 }), port);
    await app.sip('BYE');
    await peer.response(487, 'INFO');
    expect((await app.respond(info.transactionId, 200)).token(3)).toBe('NOK');
  });

  it('in an early dialog gets 200, the INVITE 487, and the application learns of it as of a CANCEL (§15)', async () => {
    const { app, peer, port } = bench;
    const fields = { callId: 'early', fromTag: 'caller' };
    await peer.send(peer.build('INVITE', fields), port);
    const frame = await app.sip('INVITE');
    await app.respond(frame.transactionId, 180);
    const ringing = await peer.response(180, 'INVITE');
    await peer.send(peer.build('BYE', { ...fields, toTag: ringing.tag('To'), cseq: 2 }), port);
    await peer.response(200, 'BYE');
    await peer.response(487, 'INVITE');
    const told = await app.sip('CANCEL');
    expect(told.transactionId).toBe(frame.transactionId);
    expect(bench.engine.load.dialogs).toBe(0);
  });
});

describe('the dialog of a caller behind a NAT', () => {
  it('whose Contact is not where it came from is reached where it was seen', async () => {
    const call = await establishInbound(bench, bench.peer, { contact: '<sip:me@192.0.2.77:4444>' });
    await bench.app.inDialog(call.dialogId, 'INFO');
    expect((await bench.peer.request('INFO')).startLine).toBe('INFO sip:me@192.0.2.77:4444 SIP/2.0');
  });
});
