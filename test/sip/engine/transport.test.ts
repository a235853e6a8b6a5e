import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import { SipEngine } from '../../../main/sip/engine/engine.ts';
import { ControlPeer } from '../../support/control-peer.ts';
import { newPeerBranch, SipPeer } from '../../support/sip-peer.ts';
import {
  acceptInbound,
  callPeer,
  establishInbound,
  establishOutbound,
  SECRET,
  SDP,
  startBench,
  type Bench,
} from './bench.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
if (!hasIpv6) console.log('skipped: this machine has no ::1, IPv6 is not tested');

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Waits for a condition that no event announces. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setImmediate(done));
  }
}

describe('responses over UDP (RFC 3261 §18.2, RFC 3581)', () => {
  async function answered(bench: Bench, via: string): Promise<string> {
    const { app, peer, port } = bench;
    const other = bench.own(await SipPeer.udp());
    const there = via.replace('OTHER', String(other.port)).replace('OWN', String(peer.port));
    await peer.send(peer.build('OPTIONS', { via: there }), port);
    const frame = await app.sip('OPTIONS');
    await app.respond(frame.transactionId, 200);
    await until(() => peer.log.length + other.log.length > 0, 'a response');
    const got = peer.log[0] ?? other.log[0];
    return `${peer.log.length > 0 ? 'source' : 'sent-by'} received=${got?.viaParam('received') ?? '-'}`;
  }

  it.each([
    ['go to the port of sent-by', 'SIP/2.0/UDP 127.0.0.1:OTHER;branch=z9hG4bK1', 'sent-by received=-'],
    [
      'go to the source port when asked with rport',
      'SIP/2.0/UDP 127.0.0.1:OTHER;rport;branch=z9hG4bK2',
      'source received=-',
    ],
    [
      'go to the source of a client behind a NAT',
      'SIP/2.0/UDP 192.0.2.5:OTHER;branch=z9hG4bK3',
      'source received=127.0.0.1',
    ],
    [
      'go to the source address of a named client',
      'SIP/2.0/UDP pc.invalid:OTHER;branch=z9hG4bK4',
      'sent-by received=127.0.0.1',
    ],
  ])('%s', async (_title, via, expected) => {
    expect(await answered(bench, via)).toBe(expected);
  });
});

describe('SIP over TCP (RFC 3261 §18)', () => {
  it('a request is answered on its connection, wherever its Via points (§18.2.2)', async () => {
    const { app } = bench;
    const peer = await bench.tcpPeer();
    await peer.send(
      peer.build('MESSAGE', {
        via: `SIP/2.0/TCP 127.0.0.1:1;branch=${newPeerBranch()}`,
        body: 'x',
        contentType: 'text/plain',
      }),
    );
    const frame = await app.sip('MESSAGE');
    expect([frame.token(4), frame.token(6)]).toEqual(['tcp', String(peer.port)]);
    await app.respond(frame.transactionId, 200);
    await peer.response(200, 'MESSAGE');
  });

  it('a response whose connection is gone goes out on a new one to sent-by (§18.2.2)', async () => {
    const { app } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const peer = await bench.tcpPeer();
    await peer.send(
      peer.build('MESSAGE', { via: `SIP/2.0/TCP 127.0.0.1:${listener.port};branch=${newPeerBranch()}` }),
    );
    const frame = await app.sip('MESSAGE');
    peer.cut();
    await until(() => peer.closed, 'the end of the connection');
    // The engine reads of its end before it reads the next frame.
    for (let turn = 0; turn < 3; turn += 1) await app.ask(['ping']);
    await app.respond(frame.transactionId, 200);
    const answered = listener.response(200, 'MESSAGE');
    // That nobody reads any more shows only when something is sent.
    bench.clock.advance(500);
    await answered;
  });

  it('a call of the application: TCP in Via, From and Contact; one connection for all of it', async () => {
    const { app, port } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const { invite, echo, dialogId } = await establishOutbound(bench, listener);
    expect(echo.tokens.slice(6, 9)).toEqual(['tcp', '127.0.0.1', String(listener.port)]);
    expect(invite.header('Via')).toMatch(new RegExp(`^SIP/2.0/TCP 127.0.0.1:${port};branch=`));
    expect(invite.header('From')).toContain(`<sip:127.0.0.1:${port};transport=tcp>`);
    expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${port};transport=tcp>`);
    await app.inDialog(dialogId, 'BYE');
    await listener.answer(await listener.request('BYE'), 200);
    await app.sip('SIP/2.0 200');
    expect(listener.connections).toBe(1);
    // Reliable: timers D and K are zero.
    expect(bench.engine.load.clientTransactions).toBe(1);
    bench.clock.advance(32_000);
    expect(bench.engine.load.clientTransactions).toBe(0);
  });

  it('a request in the dialog of a caller on TCP uses his connection', async () => {
    const peer = await bench.tcpPeer();
    const call = await establishInbound(bench, peer, { contact: '<sip:me@192.0.2.7:5070;transport=tcp>' });
    await bench.app.inDialog(call.dialogId, 'BYE');
    const bye = await peer.request('BYE');
    expect(bye.startLine).toBe('BYE sip:me@192.0.2.7:5070;transport=tcp SIP/2.0');
  });

  it('a request over TCP is not repeated; a 2xx to INVITE is (§13.3.1.4)', async () => {
    const { app, clock } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    await app.request(`OPTIONS sip:x@127.0.0.1:${listener.port};transport=tcp`);
    await listener.request('OPTIONS');
    clock.advance(31_999);
    const peer = await bench.tcpPeer();
    await peer.fence(0);
    expect(listener.log).toHaveLength(1);
    clock.advance(1);
    await app.sip('SIP/2.0 408');
    await peer.send(peer.build('INVITE', { body: SDP }));
    const frame = await app.sip('INVITE');
    await app.respond(frame.transactionId, 200, 'OK', [], SDP);
    await peer.response(200, 'INVITE');
    clock.advance(500);
    await peer.response(200, 'INVITE');
  });

  it('a connection that breaks before any response ends its requests with 503 (§17.1.4)', async () => {
    const { app } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    await app.request(`OPTIONS sip:x@127.0.0.1:${listener.port};transport=tcp`);
    await listener.request('OPTIONS');
    listener.end();
    await app.sip('SIP/2.0 503');
  });

  it('CRLFCRLF is answered with CRLF (RFC 5626 §4.4.1)', async () => {
    const peer = await bench.tcpPeer();
    await peer.send('\r\n\r\n');
    await peer.fence(0);
    expect(peer.pings).toBe('\r\n');
  });

  it('a contact that registered over TCP is reached on that connection while it lives', async () => {
    const { app } = bench;
    const peer = await bench.tcpPeer();
    await peer.send(
      peer.build('REGISTER', { contact: '<sip:bob@df7jal23ls0d.invalid;transport=tcp>;expires=60' }),
    );
    const frame = await app.sip('REGISTER');
    await app.respond(frame.transactionId, 200);
    await peer.response(200, 'REGISTER');
    await app.request('MESSAGE sip:bob@df7jal23ls0d.invalid;transport=tcp');
    await peer.request('MESSAGE');
    peer.end();
    await until(() => peer.closed, 'the end of the connection');
    await app.request('MESSAGE sip:bob@df7jal23ls0d.invalid;transport=tcp');
    await app.sip('SIP/2.0 503');
  });
});

describe('what a peer may not do', () => {
  it('garbage on UDP is ignored, a broken request gets 400', async () => {
    const { peer, port } = bench;
    await peer.send('\r\n\r\n', port);
    await peer.send(Buffer.from([0, 1, 2, 3, 255, 254, 10, 13, 0, 9]), port);
    await peer.send('INVITE sip:x SIP/2.0\r\n\r\n', port);
    await peer.send('SIP/2.0 200 OK\r\nVia: nonsense\r\nCSeq: x\r\n\r\n', port);
    await peer.send(peer.build('MESSAGE').replace(/CSeq: .*\r\n/, 'CSeq: none\r\n'), port);
    await peer.messages.next(({ status }) => status === 400, '400');
    await peer.send(peer.build('MESSAGE').replace('SIP/2.0\r\nVia', 'SIP/3.0\r\nVia'), port);
    await peer.response(505, 'MESSAGE');
    await peer.send(peer.build('MESSAGE').replace('Content-Length: 0', 'Content-Length: 9'), port);
    await peer.response(400, 'MESSAGE');
    await peer.fence(port);
    expect(peer.log).toHaveLength(4);
  });

  it('a Contact that is no Contact in an INVITE gets 400 when it has to be used', async () => {
    const { app, peer, port } = bench;
    await peer.send(peer.build('INVITE', { contact: '<sip:broken' }), port);
    await peer.response(400, 'INVITE');
    await app.ask(['ping']);
    expect(app.log.some(({ type }) => type === 'sip')).toBe(false);
  });

  it('garbage on TCP closes the connection after its first line', async () => {
    const peer = await bench.tcpPeer();
    await peer.send('GET / HTTP/1.1\r\nHost: x\r\n');
    await until(() => peer.closed, 'the end of the connection');
  });

  it('a line without an end closes the connection at the ceiling', async () => {
    const peer = await bench.tcpPeer();
    await peer.send('A'.repeat(SIP_LIMITS.maxStartLineBytes));
    await peer.send('A');
    await until(() => peer.closed, 'the end of the connection');
  });

  it('a head over the ceiling closes the connection', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(`MESSAGE sip:x SIP/2.0\r\nX: ${'A'.repeat(SIP_LIMITS.maxHeadBytes)}`);
    await until(() => peer.closed, 'the end of the connection');
  });

  it.each([
    ['a message too long to be read past', `Content-Length: ${SIP_LIMITS.maxPassedBytes + 1}`, 513],
    ['a message without Content-Length (§18.3)', 'X-None: 1', 400],
  ])('%s is answered and its connection closed', async (_title, line, status) => {
    const peer = await bench.tcpPeer();
    await peer.send(peer.build('MESSAGE').replace('Content-Length: 0', line));
    await peer.response(status, 'MESSAGE');
    await until(() => peer.closed, 'the end of the connection');
  });

  it.each([
    ['a message over the ceiling', SIP_LIMITS.maxMessageBytes, '', 513],
    ['a message with a header line that cannot be read', 5, ': nameless\r\n', 400],
  ])(
    '%s is answered, and the connection goes on (a proxy’s others use it)',
    async (_title, length, line, status) => {
      const peer = await bench.tcpPeer();
      await peer.send(peer.build('OPTIONS'));
      await bench.app.sip('OPTIONS');
      const bad = peer.build('MESSAGE').replace('Content-Length: 0', `${line}Content-Length: ${length}`);
      await peer.send(bad + 'x'.repeat(length));
      await peer.response(status, 'MESSAGE');
      await peer.send(peer.build('INFO'));
      const { transactionId } = await bench.app.sip('INFO');
      await bench.app.respond(transactionId, 200, 'OK');
      await peer.response(200, 'INFO');
      expect(peer.closed).toBe(false);
    },
  );

  it('the body of a message that is refused has to come within 10 s', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(peer.build('MESSAGE').replace('Content-Length: 0', ': nameless\r\nContent-Length: 2'));
    await peer.response(400, 'MESSAGE');
    bench.clock.advance(SIP_LIMITS.partialMessageMs);
    await until(() => peer.closed, 'the end of the connection');
  });

  it('a message just under the ceiling passes', async () => {
    const peer = await bench.tcpPeer();
    const head = peer.build('MESSAGE', { headers: ['Content-Type: text/plain'] }).length + 10;
    const length = SIP_LIMITS.maxMessageBytes - head;
    const text = peer
      .build('MESSAGE', { headers: ['Content-Type: text/plain'] })
      .replace('Content-Length: 0', `Content-Length: ${length}`);
    await peer.send(text + 'x'.repeat(length));
    expect((await bench.app.sip('MESSAGE')).sip?.body).toHaveLength(length);
  });

  it('a message that is begun and not ended closes the connection after 10 s', async () => {
    const peer = await bench.tcpPeer();
    await peer.fence(0);
    const timers = bench.clock.pending;
    await peer.send('MESSAGE sip:x SIP/2.0\r\n');
    await until(() => bench.clock.pending === timers + 1, 'the timer of a partial message');
    await peer.send('Via: ');
    bench.clock.advance(SIP_LIMITS.partialMessageMs - 1);
    await bench.peer.fence(bench.port);
    expect(peer.closed).toBe(false);
    bench.clock.advance(1);
    await until(() => peer.closed, 'the end of the connection');
  });

  it('a connection without traffic is closed after half an hour', async () => {
    const peer = await bench.tcpPeer();
    await peer.fence(0);
    bench.clock.advance(SIP_LIMITS.idleConnectionMs - 1);
    await peer.fence(0);
    expect(peer.closed).toBe(false);
    bench.clock.advance(SIP_LIMITS.idleConnectionMs);
    await until(() => peer.closed, 'the end of the connection');
  });

  it('one address may hold so many connections and no more', async () => {
    const peers = await Promise.all(
      Array.from({ length: SIP_LIMITS.maxConnectionsPerAddress }, async () => bench.tcpPeer()),
    );
    await peers.at(-1)?.fence(0);
    const tooMany = await bench.tcpPeer();
    await until(() => tooMany.closed, 'the end of the connection');
    expect(peers.some(({ closed }) => closed)).toBe(false);
  });
});

describe('sockets', () => {
  it('bound to every address: Via and Contact show the address used toward the peer', async () => {
    await using engine = new SipEngine({ secret: SECRET });
    const { port } = await engine.listenBoth('0.0.0.0', 0);
    const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    using app = await ControlPeer.open(admin, SECRET, ['options']);
    const { peer } = bench;
    await app.request(`INVITE sip:x@127.0.0.1:${peer.port}`, [], SDP);
    const invite = await peer.request('INVITE');
    expect(invite.header('Via')).toContain(`127.0.0.1:${port};`);
    expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    await peer.answer(invite, 486);
    await peer.send(peer.build('OPTIONS'), port);
    expect((await app.sip('OPTIONS')).token(10)).toBe('127.0.0.1');
    expect((await app.request(`OPTIONS sip:x@127.0.0.1:${port}`)).token(4)).toBe(
      'can not send request to myself',
    );
  });

  it.skipIf(!hasIpv6)('IPv6: brackets in Via, Contact and Request-URI, none in frames', async () => {
    await using one = new SipEngine({ secret: SECRET });
    await using two = new SipEngine({ secret: SECRET });
    const { port } = await one.listenBoth('::1', 0);
    const { port: target } = await two.listenBoth('::', 0);
    using app = await ControlPeer.open(await one.listenAdmin({ host: '127.0.0.1', port: 0 }), SECRET, []);
    using other = await ControlPeer.open(await two.listenAdmin({ host: '127.0.0.1', port: 0 }), SECRET, [
      'invite',
    ]);
    for (const param of ['', ';transport=tcp']) {
      await app.request(`INVITE sip:x@[::1]:${target}${param}`, [], SDP);
      const frame = await other.sip('INVITE');
      expect([frame.token(5), frame.token(10)]).toEqual(['::1', '::1']);
      expect(frame.sip?.header('Via')).toContain(` [::1]:${port};`);
      expect(frame.sip?.header('Via')).not.toContain('received');
      expect(frame.sip?.header('Contact')).toBe(`<sip:[::1]:${port}${param}>`);
      await other.respond(frame.transactionId, 486);
      await app.sip('SIP/2.0 486');
    }
  });

  it('an engine that closes in the middle of everything leaves no timer and opens nothing', async () => {
    const other = await startBench();
    const { app, peer, port, clock } = other;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    const call = await callPeer(other);
    await peer.answer(call.invite, 180);
    await app.sip('SIP/2.0 180');
    await acceptInbound(other);
    await peer.send(peer.build('INVITE', { callId: 'open' }), port);
    await app.sip('INVITE');
    const stream = await other.tcpPeer();
    await stream.send('MESSAGE sip:x SIP/2.0\r\n');
    await peer.fence(port);
    expect(clock.pending).toBeGreaterThan(5);
    await other.engine[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
    clock.advance(200_000);
    await other[Symbol.asyncDispose]();
  });

  it('without a TCP socket a request over TCP is refused', async () => {
    await using engine = new SipEngine({ secret: SECRET });
    await engine.listen({ transport: 'udp', host: '127.0.0.1', port: 0 });
    const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    using app = await ControlPeer.open(admin, SECRET, []);
    const answer = await app.request(`OPTIONS sip:x@127.0.0.1:${bench.peer.port};transport=tcp`);
    expect(answer.token(4)).toBe('requested protocol/transport not available');
  });

  it('a port in use is an error of listen', async () => {
    await expect(
      bench.engine.listen({ transport: 'tcp', host: '127.0.0.1', port: bench.port }),
    ).rejects.toThrow('EADDRINUSE');
    await expect(
      bench.engine.listen({ transport: 'udp', host: '127.0.0.1', port: bench.port }),
    ).rejects.toThrow('EADDRINUSE');
  });

  it('the tap sees every datagram and segment with both ends', async () => {
    const seen: string[] = [];
    await using tapped = await startBench({
      tap: ({ direction, transport, local, remote, bytes }) => {
        seen.push(
          `${direction} ${transport} ${local} ${remote} ${Buffer.from(bytes).toString('latin1').split(' ')[0] ?? ''}`,
        );
      },
    });
    const { peer, port } = tapped;
    await peer.fence(port);
    const tcp = await tapped.tcpPeer();
    await tcp.fence(0);
    expect(seen).toEqual([
      `in udp 127.0.0.1:${port} 127.0.0.1:${peer.port} UPDATE`,
      `out udp 127.0.0.1:${port} 127.0.0.1:${peer.port} SIP/2.0`,
      `in tcp 127.0.0.1:${port} 127.0.0.1:${tcp.port} UPDATE`,
      `out tcp 127.0.0.1:${port} 127.0.0.1:${tcp.port} SIP/2.0`,
    ]);
  });

  it('User-Agent and Server are put where the application gave none', async () => {
    await using named = await startBench({ userAgent: 'Parley/1' });
    const { app, peer, port } = named;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    expect((await peer.request('OPTIONS')).header('User-Agent')).toBe('Parley/1');
    await app.request(`INFO sip:x@127.0.0.1:${peer.port}`, ['User-Agent: me/1']);
    expect((await peer.request('INFO')).headers('User-Agent')).toEqual(['me/1']);
    await peer.send(peer.build('MESSAGE'), port);
    await app.respond((await app.sip('MESSAGE')).transactionId, 200);
    expect((await peer.response(200, 'MESSAGE')).header('Server')).toBe('Parley/1');
  });
});
