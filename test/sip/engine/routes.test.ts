import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipPeer } from '../../support/sip-peer.ts';
import { callPeer, establishInbound, establishOutbound, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

describe('Record-Route (RFC 3261 §12.1)', () => {
  it('of the called side is kept in order, over several header lines', async () => {
    const proxy = bench.own(await SipPeer.udp());
    const lines = [
      `Record-Route: <sip:127.0.0.1:${proxy.port};lr>, "Second, quoted" <sip:b@192.0.2.2;lr>;x=1`,
      'Record-Route: <sip:192.0.2.3;lr>',
    ];
    const call = await establishInbound(bench, bench.peer, { headers: lines });
    expect(call.ok.headers('Record-Route')).toEqual(lines.map((line) => line.slice('Record-Route: '.length)));
    await bench.app.inDialog(call.dialogId, 'INFO');
    expect((await proxy.request('INFO')).headers('Route')).toEqual([
      `<sip:127.0.0.1:${proxy.port};lr>`,
      '"Second, quoted" <sip:b@192.0.2.2;lr>;x=1',
      '<sip:192.0.2.3;lr>',
    ]);
  });

  it('of the calling side is reversed; the ACK takes it too; an early dialog takes it from the 2xx (§13.2.2.4)', async () => {
    const { app, peer } = bench;
    const proxy = bench.own(await SipPeer.udp());
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 183, { headers: ['Record-Route: <sip:192.0.2.99;lr>'] });
    await app.sip('SIP/2.0 183');
    const headers = [`Record-Route: <sip:192.0.2.3;lr>, <sip:127.0.0.1:${proxy.port};lr>`];
    await peer.answer(invite, 200, { body: SDP, headers });
    await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    const routes = [`<sip:127.0.0.1:${proxy.port};lr>`, '<sip:192.0.2.3;lr>'];
    const ack = await proxy.request('ACK');
    expect(ack.headers('Route')).toEqual(routes);
    expect(ack.startLine).toBe(`ACK sip:peer@127.0.0.1:${peer.port} SIP/2.0`);
    await app.inDialog(dialogId, 'BYE');
    expect((await proxy.request('BYE')).headers('Route')).toEqual(routes);
  });

  it('is not taken from a target refresh: only the target moves (§12.2)', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    const headers = ['Record-Route: <sip:192.0.2.77;lr>'];
    await peer.send(
      peer.build('UPDATE', { ...call.fields, cseq: 2, headers, contact: '<sip:new@192.0.2.1>' }),
      port,
    );
    await app.respond((await app.sip('UPDATE')).transactionId, 200);
    await app.inDialog(call.dialogId, 'INFO');
    const info = await peer.request('INFO');
    expect([info.startLine, info.header('Route')]).toEqual(['INFO sip:new@192.0.2.1 SIP/2.0', '']);
  });

  it('a first route inside a private network is reached where the 200 came from', async () => {
    const { app, peer } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 200, { body: SDP, headers: ['Record-Route: <sip:10.1.2.3;lr>'] });
    await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    expect((await peer.request('ACK')).headers('Route')).toEqual(['<sip:10.1.2.3;lr>']);
  });
});

describe('a Route of the application on a new request (RFC 3261 §8.1.2)', () => {
  const there = (peer: { port: number }): string => `127.0.0.1:${peer.port}`;

  it.each(['OPTIONS', 'INVITE'])(
    '§8.1.2: %s goes to a loose router, the Request-URI stays',
    async (method) => {
      const { app, peer } = bench;
      const routes = [`Route: <sip:${there(peer)};lr>, <sip:second.test;lr>`, 'Route: <sip:third.test;lr>'];
      await app.request(`${method} sip:x@nowhere.test`, routes, method === 'INVITE' ? SDP : '');
      const request = await peer.request(method);
      expect(request.startLine).toBe(`${method} sip:x@nowhere.test SIP/2.0`);
      expect(request.headers('Route').join(', ')).toBe(
        `<sip:${there(peer)};lr>, <sip:second.test;lr>, <sip:third.test;lr>`,
      );
    },
  );

  it('§8.1.2: a strict router takes the place of the Request-URI, which goes last', async () => {
    const { app, peer } = bench;
    const routes = [`Route: <sip:${there(peer)}>, <sip:second.test;lr>`];
    await app.request('OPTIONS sip:x@nowhere.test', routes);
    const request = await peer.request('OPTIONS');
    expect(request.startLine).toBe(`OPTIONS sip:${there(peer)} SIP/2.0`);
    expect(request.headers('Route').join(', ')).toBe('<sip:second.test;lr>, <sip:x@nowhere.test>');
    expect(request.header('To')).toBe('<sip:x@nowhere.test>');
  });

  it('a route URL goes before it; one that cannot be read is refused', async () => {
    const { app, peer } = bench;
    await app.request('OPTIONS sip:x@nowhere.test', ['Route: <sip:y.test;lr>'], '', `sip:${there(peer)};lr`);
    expect((await peer.request('OPTIONS')).header('Route')).toBe('<sip:y.test;lr>');
    expect((await app.request('OPTIONS sip:x@nowhere.test', ['Route: <sip:y.test'])).token(3)).toBe('NOK');
  });

  it('a number (tel:) is sent by it', async () => {
    const { app, peer } = bench;
    await app.request('OPTIONS tel:+123', [`Route: <sip:${there(peer)};lr>`]);
    expect((await peer.request('OPTIONS')).startLine).toBe('OPTIONS tel:+123 SIP/2.0');
  });
});

describe('Path (RFC 3327) and Service-Route (RFC 3608)', () => {
  it('pass through a REGISTER and its answer both ways', async () => {
    const { app, peer, port } = bench;
    await app.request(`REGISTER sip:127.0.0.1:${peer.port}`, ['path: <sip:edge@192.0.2.1;lr;ob>']);
    const register = await peer.request('REGISTER');
    expect(register.text).toContain('\r\nPath: <sip:edge@192.0.2.1;lr;ob>\r\n');
    await peer.answer(register, 200, { headers: ['Service-Route: <sip:home@192.0.2.2;lr>'] });
    expect((await app.sip('SIP/2.0 200')).sip?.header('Service-Route')).toBe('<sip:home@192.0.2.2;lr>');
    await peer.send(
      peer.build('REGISTER', { headers: ['Path: <sip:p@192.0.2.3;lr>', 'Require: path'] }),
      port,
    );
    const frame = await app.sip('REGISTER');
    expect(frame.sip?.header('Path')).toBe('<sip:p@192.0.2.3;lr>');
    await app.respond(frame.transactionId, 200, 'OK', [
      'path: <sip:p@192.0.2.3;lr>',
      'service-route: <sip:s@192.0.2.4;lr>',
    ]);
    const ok = await peer.response(200, 'REGISTER');
    expect([ok.header('Path'), ok.header('Service-Route')]).toEqual([
      '<sip:p@192.0.2.3;lr>',
      '<sip:s@192.0.2.4;lr>',
    ]);
  });
});

describe('what the application writes into headers', () => {
  it('that cannot be read is left out of a request; what stands behind it is not lost', async () => {
    const { app, peer } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`, [
      'Expires: abc',
      'Contact: <<bad',
      'X-After: 2',
    ]);
    const options = await peer.request('OPTIONS');
    expect([options.header('Expires'), options.header('Contact'), options.header('X-After')]).toEqual([
      '',
      '',
      '2',
    ]);
  });

  it.each(['Expires: abc', 'Contact: <<bad', 'Session-Expires: soon'])(
    '"%s" in an answer is refused, and the engine answers 500',
    async (line) => {
      const { app, peer, port } = bench;
      await peer.send(peer.build('OPTIONS'), port);
      const { transactionId } = await app.sip('OPTIONS');
      const answer = await app.respond(transactionId, 200, 'OK', [line, 'X-After: 2']);
      expect(answer.tokens.slice(3)).toEqual(['NOK', 'Unknown server error sending response']);
      await peer.response(500, 'OPTIONS');
    },
  );

  it('without angle brackets gets them in From and To (§20.10)', async () => {
    const { app, peer } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`, [
      'From: sip:a@example.org;x=1',
      'To: sip:b@example.org',
    ]);
    const options = await peer.request('OPTIONS');
    expect(options.header('From')).toMatch(/^<sip:a@example\.org>;x=1;tag=\w+$/);
    expect(options.header('To')).toBe('<sip:b@example.org>');
  });

  it('@localhost is our address inside dialogs too, in every header that takes it', async () => {
    const { app, peer, port } = bench;
    const { dialogId } = await establishOutbound(bench);
    await app.inDialog(
      dialogId,
      'INVITE',
      [
        'Contact: "Me" <sip:me@localhost;ob>;+sip.instance="x"',
        'P-Asserted-Identity: <sip:me@localhost>',
        'X-A: 1',
      ],
      SDP,
    );
    const invite = await peer.request('INVITE');
    expect(invite.header('Contact')).toBe(`"Me" <sip:me@127.0.0.1:${port};ob>;+sip.instance="x"`);
    expect(invite.header('P-Asserted-Identity')).toBe(`<sip:me@127.0.0.1:${port}>`);
    expect(invite.header('X-A')).toBe('1');
  });
});

describe('what the engine refuses for the application (RFC 3261 §8.2)', () => {
  it('unknown extensions in Require with 420 and Unsupported; Proxy-Require is not asked of us (§8.2.2.3)', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('INVITE', { headers: ['Require: 100rel, frobnicate, timer'] }), port);
    expect((await peer.response(420, 'INVITE')).header('Unsupported')).toBe('frobnicate');
    await peer.send(
      peer.build('OPTIONS', { headers: ['Require: replaces', 'Proxy-Require: frobnicate'] }),
      port,
    );
    await app.sip('OPTIONS');
  });

  it('unknown methods with 501 and Allow, outside and inside of dialogs (§21.5.2)', async () => {
    const { peer, port } = bench;
    await peer.send(peer.build('FROB'), port);
    expect((await peer.response(501, 'FROB')).header('Allow')).toContain('INVITE');
    const call = await establishInbound(bench);
    await peer.send(peer.build('FROB', { ...call.fields, cseq: 2 }), port);
    await peer.response(501, 'FROB');
  });
});
