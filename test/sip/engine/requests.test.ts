import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipPeer } from '../../support/sip-peer.ts';
import { establishInbound, establishOutbound, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('requests of the application outside a dialog (RFC 3261 §8.1.1)', () => {
  it('100 is not passed up, other provisional responses and the final one are', async () => {
    const { app, peer } = bench;
    const echo = await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    const options = await peer.request('OPTIONS');
    expect(options.header('Contact')).toBe('');
    expect(options.header('Content-Length')).toBe('0');
    await peer.answer(options, 100);
    await peer.answer(options, 183);
    await peer.answer(options, 200);
    const [first, second] = [await app.sip('SIP/2.0'), await app.sip('SIP/2.0')];
    expect([first.sip?.status, second.sip?.status]).toEqual([183, 200]);
    expect([second.transactionId, second.dialogId]).toEqual([echo.token(10), '']);
  });

  it('Content-Length counts bytes, and localhost becomes our address', async () => {
    const { app, peer, port } = bench;
    const from = 'from: "Bob, <B>" <sip:bob@localhost;user=phone>;x=y';
    await app.request(
      `MESSAGE sip:x@127.0.0.1:${peer.port}`,
      [
        from,
        'To: <sip:z@localhost>',
        'contact: <sip:b@localhost>',
        'P-Asserted-Identity: <sip:9@localhost>',
        'Diversion: <sip:d@localhost>',
        'content-type: text/plain',
        'Content-Length: 13',
      ],
      'hällo wörld ✓',
    );
    const message = await peer.request('MESSAGE');
    expect(message.header('Content-Length')).toBe('17');
    expect(message.body).toBe('hällo wörld ✓');
    expect(message.header('From')).toMatch(
      new RegExp(`^"Bob, <B>" <sip:bob@127.0.0.1:${port};user=phone>;x=y;tag=\\w+$`),
    );
    expect(message.header('To')).toBe(`<sip:z@127.0.0.1:${port}>`);
    expect(message.header('Contact')).toBe(`<sip:b@127.0.0.1:${port}>`);
    expect(message.header('P-Asserted-Identity')).toBe(`<sip:9@127.0.0.1:${port}>`);
    expect(message.header('Diversion')).toBe('<sip:d@localhost>');
  });

  it('sip:localhost without a user stays, $ stays, own headers are dropped, bad lines too', async () => {
    const { app, peer } = bench;
    await app.request('OPTIONS sip:x@elsewhere.test', [
      'From: <sip:localhost>;tag=mine',
      'CSeq: 77 OPTIONS',
      'Call-ID: given',
      'Max-Forwards: 5',
      'Bad Header: x',
      'Via: SIP/2.0/UDP evil',
      `Route: <sip:127.0.0.1:${peer.port};lr>`,
      'Record-Route: <sip:evil>',
      'Content-Length: 99',
      'X-Dollar: $local $port',
      'x-lower: z',
      'foo-bar: q',
    ]);
    const options = await peer.request('OPTIONS');
    expect(options.header('From')).toBe('<sip:localhost>;tag=mine');
    expect([options.header('CSeq'), options.header('Call-ID'), options.header('Max-Forwards')]).toEqual([
      '77 OPTIONS',
      'given',
      '5',
    ]);
    // RFC 3261 §8.1.2: a preloaded route is the application's to choose.
    expect(options.header('Route')).toBe(`<sip:127.0.0.1:${peer.port};lr>`);
    expect(options.text).not.toContain('evil');
    expect(options.text).not.toContain('Bad Header');
    expect(options.text).toContain('\r\nX-Dollar: $local $port\r\nx-lower: z\r\nFoo-Bar: q\r\n');
  });

  it('go to the route URL while the Request-URI stays', async () => {
    const { app, peer } = bench;
    await app.request(
      'REGISTER sip:example.org',
      ['To: <sip:me@example.org>'],
      '',
      `sip:127.0.0.1:${peer.port}`,
    );
    expect((await peer.request('REGISTER')).startLine).toBe('REGISTER sip:example.org SIP/2.0');
    await app.request('OPTIONS sip:example.org', [], '', `127.0.0.1:${peer.port}`);
    await peer.request('OPTIONS');
    await app.request('MESSAGE tel:+1555', [], '', `sip:127.0.0.1:${peer.port}`);
    expect((await peer.request('MESSAGE')).startLine).toBe('MESSAGE tel:+1555 SIP/2.0');
  });

  it.each([
    ['OPTIONS foo', 'invalid request-uri: OPTIONS foo SIP/2.0'],
    ['OPTIONS sip:a b@127.0.0.1', 'invalid request-uri: OPTIONS sip:a b@127.0.0.1 SIP/2.0'],
    ['FROB sip:x@127.0.0.1', 'invalid request-uri: FROB sip:x@127.0.0.1 SIP/2.0'],
    ['OPTIONS sip:x@127.0.0.1;transport=sctp', 'requested protocol/transport not available'],
    ['OPTIONS sips:x@127.0.0.1;transport=udp', 'requested protocol/transport not available'],
    ['OPTIONS sip:x@[::1]', 'requested protocol/transport not available'],
  ])('%s is refused', async (startLine, text) => {
    expect((await bench.app.request(startLine)).tokens.slice(3)).toEqual(['NOK', text]);
  });

  it('to ourselves are refused, to another port of this host they are not', async () => {
    const { app, peer, port } = bench;
    const own = await app.request(`OPTIONS sip:x@127.0.0.1:${port}`);
    expect(own.tokens.slice(3)).toEqual(['NOK', 'can not send request to myself']);
    const ownTcp = await app.request(`OPTIONS sip:x@127.0.0.1:${port};transport=tcp`);
    expect(ownTcp.tokens.slice(3)).toEqual(['NOK', 'can not send request to myself']);
    expect((await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`)).token(3)).toBe('OK');
  });

  it('with a body of unknown kind are refused, an unusable From too', async () => {
    const { app, peer } = bench;
    const uri = `MESSAGE sip:x@127.0.0.1:${peer.port}`;
    expect((await app.request(uri, [], 'hello')).token(4)).toBe('missing content-type');
    expect((await app.request(uri, ['From: <sip:broken'])).token(4)).toBe('Error creating leg');
  });

  it.each([
    ['OPTIONS sips:x@127.0.0.1:1', '503 Service Unavailable'],
    ['OPTIONS sip:x@127.0.0.1:1;transport=tls', '503 Service Unavailable'],
    ['MESSAGE tel:+1555', '416 Unsupported URI Scheme'],
    ['INVITE tel:+1555', '416 Unsupported URI Scheme'],
    ['OPTIONS sip:x@no-such-host.invalid', '503 DNS Error'],
  ])('%s counts as sent and is answered %s', async (startLine, status) => {
    const echo = await bench.app.request(startLine);
    expect(echo.tokens.slice(3, 9)).toEqual(['OK', 'application', '0', 'unknown', '', '0']);
    const answer = await bench.app.sip(`SIP/2.0 ${status}`);
    expect(answer.transactionId).toBe(echo.token(10));
  });

  it('to a TCP port where nobody listens are answered 503', async () => {
    const listener = await SipPeer.tcpListener();
    const { port } = listener;
    await listener[Symbol.asyncDispose]();
    const echo = await bench.app.request(`OPTIONS sip:x@127.0.0.1:${port};transport=tcp`);
    expect(echo.token(3)).toBe('OK');
    const answer = await bench.app.sip('SIP/2.0 503');
    expect([answer.transactionId, answer.token(3)]).toEqual([echo.token(10), '0']);
  });

  it('are repeated over UDP at 0.5, 1.5, 3.5, 7.5, 11.5 s (timer E) and end in 408 after 32 s (timer F, §17.1.2.2)', async () => {
    const { app, peer, clock } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.request('OPTIONS');
    let total = 0;
    for (const ms of [500, 1_000, 2_000, 4_000, 4_000]) {
      clock.advance(ms - 1);
      await peer.fence(bench.port);
      expect(peer.messages.waiting).toHaveLength(0);
      clock.advance(1);
      await peer.request('OPTIONS');
      total += ms;
    }
    clock.advance(32_000 - total);
    await app.sip('SIP/2.0 408');
  });

  it('after a provisional response they are repeated every 4 s only (timer E, §17.1.2.2)', async () => {
    const { app, peer, port, clock } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.answer(await peer.request('OPTIONS'), 183);
    await app.sip('SIP/2.0 183');
    clock.advance(500);
    await peer.request('OPTIONS');
    clock.advance(3_999);
    await peer.fence(port);
    expect(peer.messages.waiting).toHaveLength(0);
    clock.advance(1);
    await peer.request('OPTIONS');
  });

  it('a repeated final response is absorbed until timer K (§17.1.2.2)', async () => {
    const { app, peer, port, clock } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    const options = await peer.request('OPTIONS');
    await peer.answer(options, 200);
    await peer.answer(options, 200);
    await peer.fence(port);
    await app.ask(['ping']);
    expect(app.log.filter(({ sip }) => sip?.status === 200)).toHaveLength(1);
    expect(bench.engine.load.clientTransactions).toBe(1);
    clock.advance(5_000);
    expect(bench.engine.load.clientTransactions).toBe(0);
  });

  it('a response with an unknown branch is dropped', async () => {
    const { app, peer, port } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    const options = await peer.request('OPTIONS');
    await peer.send(peer.reply(options, 200).replace(options.branch, 'z9hG4bKother'), port);
    await peer.fence(port);
    await app.ask(['ping']);
    expect(app.log.some(({ type }) => type === 'sip')).toBe(false);
  });
});

describe('requests from the network outside a dialog', () => {
  it.each(['REGISTER', 'MESSAGE', 'OPTIONS', 'INFO', 'NOTIFY', 'SUBSCRIBE', 'REFER'])(
    '%s goes up and is answered',
    async (method) => {
      const { app, peer, port } = bench;
      await peer.send(peer.build(method, { body: 'hé', contentType: 'text/plain' }), port);
      const frame = await app.sip(method);
      expect([frame.dialogId, frame.token(10), frame.token(11)]).toEqual(['', '127.0.0.1', String(port)]);
      expect(frame.sip?.body).toBe('hé');
      await app.respond(frame.transactionId, 202, 'Accepted', ['expires: 60']);
      const answer = await peer.response(202, method);
      expect(answer.tag('To')).not.toBe('');
      expect(answer.header('Expires')).toBe('60');
      expect(answer.header('CSeq')).toBe(`1 ${method}`);
    },
  );

  it('repeats are swallowed, then answered with the same bytes until timer J (§17.2.2)', async () => {
    const { app, peer, port, clock } = bench;
    const text = peer.build('MESSAGE', { branch: 'z9hG4bKrep' });
    await peer.send(text, port);
    const frame = await app.sip('MESSAGE');
    await peer.send(text, port);
    await peer.fence(port);
    await app.respond(frame.transactionId, 200);
    const first = await peer.response(200, 'MESSAGE');
    await peer.send(text, port);
    expect((await peer.response(200, 'MESSAGE')).text).toBe(first.text);
    await app.ask(['ping']);
    expect(app.log.filter(({ startLine }) => startLine.startsWith('MESSAGE'))).toHaveLength(1);
    clock.advance(32_000);
    expect(bench.engine.load.serverTransactions).toBe(0);
  });

  it('nobody takes them: 503; unknown methods: 501, unless somebody routed them', async () => {
    const { app, peer, port } = bench;
    await app.ask(['remove_route', 'message']);
    await peer.send(peer.build('MESSAGE'), port);
    await peer.response(503, 'MESSAGE');
    await peer.send(peer.build('OPTIONS'), port);
    await app.sip('OPTIONS');
    await peer.send(peer.build('FROB'), port);
    await peer.response(501, 'FROB');
    await app.ask(['route', 'frob']);
    await peer.send(peer.build('FROB'), port);
    await app.sip('FROB');
  });

  it.each(['BYE', 'UPDATE', 'PRACK'])('%s without a dialog gets 481', async (method) => {
    await bench.peer.send(bench.peer.build(method), bench.port);
    await bench.peer.response(481, method);
  });

  it.each([
    ['INVITE', 481],
    ['REFER', 481],
  ])('%s with an unknown To tag gets %i', async (method, status) => {
    await bench.peer.send(bench.peer.build(method, { toTag: 'gone' }), bench.port);
    await bench.peer.response(status, method);
  });

  it('OPTIONS with an unknown To tag counts as new', async () => {
    await bench.peer.send(bench.peer.build('OPTIONS', { toTag: 'gone' }), bench.port);
    const frame = await bench.app.sip('OPTIONS');
    await bench.app.respond(frame.transactionId, 200);
    expect((await bench.peer.response(200, 'OPTIONS')).tag('To')).toBe('gone');
  });

  it('a request that the application never answers is forgotten after 64 s', async () => {
    const { app, peer, port, clock } = bench;
    await peer.send(peer.build('MESSAGE'), port);
    const frame = await app.sip('MESSAGE');
    clock.advance(64_000);
    expect((await app.respond(frame.transactionId, 200)).token(4)).toBe(
      'Response not sent due to unknown transaction',
    );
    expect(bench.engine.load.serverTransactions).toBe(0);
  });

  it('a response without a Content-Type for its body: NOK, and 500 in its place', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('MESSAGE'), port);
    const frame = await app.sip('MESSAGE');
    expect((await app.respond(frame.transactionId, 200, 'OK', [], 'text')).tokens.slice(3)).toEqual([
      'NOK',
      'missing content-type',
    ]);
    await peer.response(500, 'MESSAGE');
  });
});

describe('requests inside a dialog (RFC 3261 §12.2)', () => {
  it('both ways, with CSeq in order, target and tags of the dialog', async () => {
    const { app, peer, port } = bench;
    const { invite, dialogId } = await establishOutbound(bench);
    const cseq = Number.parseInt(invite.header('CSeq'), 10);
    await app.inDialog(dialogId, 'INFO', ['Content-Type: text/plain'], 'x');
    const info = await peer.request('INFO');
    expect([info.header('CSeq'), info.tag('From'), info.tag('To')]).toEqual([
      `${cseq + 1} INFO`,
      invite.tag('From'),
      'callee-tag',
    ]);
    await peer.answer(info, 200);
    expect((await app.sip('SIP/2.0 200')).dialogId).toBe(dialogId);
    await app.inDialog(dialogId, 'INFO', [`CSeq: ${cseq + 7} INFO`]);
    expect((await peer.request('INFO')).header('CSeq')).toBe(`${cseq + 7} INFO`);

    const fields = { callId: invite.header('Call-ID'), fromTag: 'callee-tag', toTag: invite.tag('From') };
    await peer.send(peer.build('MESSAGE', { ...fields, cseq: 5 }), port);
    const message = await app.sip('MESSAGE');
    expect([message.dialogId, message.token(10)]).toEqual([dialogId, '']);
    const echo = await app.respond(message.transactionId, 200);
    expect(echo.token(11)).toBe(dialogId);
    // §12.2.2: a lower CSeq is out of order.
    await peer.send(peer.build('INFO', { ...fields, cseq: 4 }), port);
    await peer.response(500, 'INFO');
  });

  it('a re-INVITE of the peer moves the target; its ACK has an id of its own (§12.2.2)', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    const moved = bench.own(await SipPeer.udp());
    await moved.send(moved.build('INVITE', { ...call.fields, cseq: 2, body: SDP }), port);
    await moved.response(100, 'INVITE');
    const frame = await app.sip('INVITE');
    expect(frame.dialogId).toBe(call.dialogId);
    await app.respond(frame.transactionId, 200, 'OK', [], SDP);
    const ok = await moved.response(200, 'INVITE');
    expect(ok.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    await moved.send(moved.build('ACK', { ...call.fields, cseq: 2 }), port);
    const ack = await app.sip('ACK');
    expect(ack.transactionId).not.toBe(frame.transactionId);
    await app.inDialog(call.dialogId, 'BYE');
    expect((await moved.request('BYE')).startLine).toContain(`:${moved.port} `);
    expect(peer.port).not.toBe(moved.port);
  });

  it('a re-INVITE of the application waits for its ACK; refused, it is acknowledged by the engine', async () => {
    const { app, peer } = bench;
    const { dialogId } = await establishOutbound(bench);
    const echo = await app.inDialog(dialogId, 'INVITE', [], SDP);
    const invite = await peer.request('INVITE');
    expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${bench.port}>`);
    await peer.answer(invite, 200, { body: SDP });
    const ok = await app.sip('SIP/2.0 200');
    expect([ok.transactionId, ok.dialogId]).toEqual([echo.token(10), dialogId]);
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    expect((await peer.request('ACK')).header('CSeq')).toBe(invite.header('CSeq').replace('INVITE', 'ACK'));
    await app.inDialog(dialogId, 'INVITE', [], SDP);
    const second = await peer.request('INVITE');
    await peer.answer(second, 491);
    expect((await peer.request('ACK')).branch).toBe(second.branch);
    await app.sip('SIP/2.0 491');
    // The dialog lives on.
    expect((await app.inDialog(dialogId, 'INFO')).token(3)).toBe('OK');
  });

  it('a BYE while a re-INVITE is pending cancels it and drops its result', async () => {
    const { app, peer, port } = bench;
    const { dialogId } = await establishOutbound(bench);
    await app.inDialog(dialogId, 'INVITE', [], SDP);
    const invite = await peer.request('INVITE');
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    await app.inDialog(dialogId, 'BYE');
    await peer.request('CANCEL');
    await peer.answer(await peer.request('BYE'), 200);
    await peer.answer(invite, 487);
    await peer.request('ACK');
    await peer.fence(port);
    await app.ask(['ping']);
    expect(app.log.some(({ sip }) => sip?.status === 487)).toBe(false);
  });

  it('a BYE that is challenged leaves the dialog, another refusal or a timeout ends it (§15.1.1)', async () => {
    const { app, peer, clock } = bench;
    const first = await establishOutbound(bench);
    await app.inDialog(first.dialogId, 'BYE');
    await peer.answer(await peer.request('BYE'), 401);
    await app.sip('SIP/2.0 401');
    await app.inDialog(first.dialogId, 'BYE');
    await peer.answer(await peer.request('BYE'), 500);
    await app.sip('SIP/2.0 500');
    expect((await app.inDialog(first.dialogId, 'INFO')).token(3)).toBe('NOK');
    const second = await establishOutbound(bench);
    await app.inDialog(second.dialogId, 'BYE');
    clock.advance(32_000);
    expect((await app.sip('SIP/2.0 408')).dialogId).toBe(second.dialogId);
    expect((await app.inDialog(second.dialogId, 'INFO')).token(3)).toBe('NOK');
  });

  it('an INFO in an early dialog goes up and gets the answer of the application', async () => {
    const { app, peer, port } = bench;
    const fields = { callId: 'early-info', fromTag: 'caller' };
    await peer.send(peer.build('INVITE', fields), port);
    const invite = await app.sip('INVITE');
    await app.respond(invite.transactionId, 180);
    const toTag = (await peer.response(180, 'INVITE')).tag('To');
    await peer.send(peer.build('INFO', { ...fields, toTag, cseq: 2 }), port);
    const info = await app.sip('INFO');
    await app.respond(info.transactionId, 200);
    await peer.response(200, 'INFO');
  });

  it('a Contact with localhost is replaced', async () => {
    const { app, peer, port } = bench;
    const { dialogId } = await establishOutbound(bench);
    await app.inDialog(dialogId, 'INVITE', ['Contact: <sip:me@localhost>'], SDP);
    expect((await peer.request('INVITE')).header('Contact')).toBe(`<sip:me@127.0.0.1:${port}>`);
  });
});
