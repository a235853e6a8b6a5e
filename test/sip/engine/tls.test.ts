import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS, SIP_NETWORK_LIMITS } from '../../../main/base/limits.ts';
import { Authority, hasOpenssl, selfSigned, type Certificate } from '../../support/certificates.ts';
import { DnsServer } from '../../support/dns-server.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { establishOutbound, SDP, startBench, type Bench } from './bench.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
if (!hasIpv6) console.log('skipped: this machine has no ::1, TLS over IPv6 is not tested');
const canMake = hasOpenssl();
if (!canMake) console.log('skipped: there is no openssl to make certificates, SIP over TLS is not tested');

let authority: Authority;
let good: Certificate;
let bench: Bench;
let dns: DnsServer;

beforeAll(() => {
  if (!canMake) return;
  authority = new Authority('Test Authority');
  good = authority.issue({ names: ['URI:sip:example.test', 'DNS:www.example.test', 'IP:127.0.0.1'] });
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setImmediate(done));
  }
}

async function start(tls: Parameters<typeof startBench>[0] = {}): Promise<Bench> {
  return startBench({ dnsServers: [dns.place], ...tls });
}

/** The Warning of the made-up 503 to a request over TLS. */
async function warningOf(uri: string): Promise<string> {
  await bench.app.request(`OPTIONS ${uri}`);
  const answer = await bench.app.sip('SIP/2.0 503');
  return (
    /^399 \S+ "(.*)"$/.exec(answer.sip?.header('Warning') ?? '')?.[1]?.replaceAll('\\"', '"') ?? 'no warning'
  );
}

describe.skipIf(!canMake)('SIP over TLS (RFC 3261 §26.2, RFC 5922)', () => {
  beforeEach(async () => {
    dns = await DnsServer.open();
    for (const name of ['example.test', 'www.example.test', 'other.example.test', 'cn.test'])
      dns.add(name, 'A', '127.0.0.1');
    bench = await start({ tls: { ca: [authority.cert] } });
  });

  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
    await dns[Symbol.asyncDispose]();
  });

  it('a call without a listener of ours: TLS in Via, the port of the connection in Via and Contact, which is reused', async () => {
    const listener = bench.own(await SipPeer.tlsListener(good));
    const echo = await bench.app.request(`INVITE sip:x@127.0.0.1:${listener.port};transport=tls`, [], SDP);
    expect(echo.tokens.slice(6, 9)).toEqual(['tls', '127.0.0.1', String(listener.port)]);
    const invite = await listener.request('INVITE');
    expect(invite.header('Via')).toContain(`SIP/2.0/TLS 127.0.0.1:${invite.port};branch=`);
    expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${invite.port};transport=tls>`);
    await listener.answer(invite, 486);
    await bench.app.sip('SIP/2.0 486');
    await bench.app.request(`OPTIONS sip:x@127.0.0.1:${listener.port};transport=tls`);
    await listener.request('OPTIONS');
    expect(listener.connections).toBe(1);
    // The other way: a request on the same connection arrives.
    await listener.send(listener.build('MESSAGE', { body: 'x', contentType: 'text/plain' }));
    const frame = await bench.app.sip('MESSAGE');
    expect(frame.token(4)).toBe('tls');
  });

  it('sips: takes TLS for the hop, over a route as well; sips over UDP is refused (RFC 3261 §26.2.2)', async () => {
    const listener = bench.own(await SipPeer.tlsListener(good));
    const { app } = bench;
    await app.request(`OPTIONS sips:x@127.0.0.1:${listener.port}`);
    expect((await listener.request('OPTIONS')).startLine).toContain('sips:x@');
    await app.request(
      'MESSAGE sips:x@elsewhere.test',
      ['Content-Type: text/plain'],
      'x',
      `sip:127.0.0.1:${listener.port}`,
    );
    await listener.request('MESSAGE');
    const refused = await app.request('OPTIONS sips:x@127.0.0.1;transport=udp');
    expect(refused.tokens.slice(3)).toEqual(['NOK', 'requested protocol/transport not available']);
  });

  it('a dialog lives on its TLS connection', async () => {
    const listener = bench.own(await SipPeer.tlsListener(good));
    const call = await establishOutbound(bench, listener);
    await bench.app.inDialog(call.dialogId, 'BYE');
    await listener.answer(await listener.request('BYE'), 200);
    await bench.app.sip('SIP/2.0 200');
    expect(listener.connections).toBe(1);
  });

  it('a listener of ours: requests come in and are answered; Via and Contact name its port', async () => {
    await using other = await start({ tls: { ca: [authority.cert], ...good } });
    const { port } = await other.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
    expect(other.engine.listening.map(({ transport }) => transport)).toEqual(['tcp', 'tls', 'udp']);
    await using peer = await SipPeer.tls(port, { ca: authority.cert });
    await peer.send(peer.build('OPTIONS'));
    const frame = await other.app.sip('OPTIONS');
    await other.app.respond(frame.transactionId, 200);
    await peer.response(200, 'OPTIONS');
    const listener = bench.own(await SipPeer.tlsListener(good));
    await other.app.request(`INVITE sip:x@127.0.0.1:${listener.port};transport=tls`, [], SDP);
    const invite = await listener.request('INVITE');
    expect(invite.header('Via')).toContain(`127.0.0.1:${port};`);
    expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${port};transport=tls>`);
  });

  it.skipIf(!hasIpv6)('over IPv6: brackets in Via and Contact, the address in the certificate', async () => {
    const { cert, key } = authority.issue({ names: ['IP:0:0:0:0:0:0:0:1'] });
    await using other = await start({ tls: { ca: [authority.cert], cert, key } });
    const { port } = await other.engine.listen({ transport: 'tls', host: '::1', port: 0 });
    await bench.app.request(`INVITE sip:x@[::1]:${port};transport=tls`, [], SDP);
    const frame = await other.app.sip('INVITE');
    expect(frame.token(5)).toBe('::1');
    expect(frame.sip?.header('Via')).toMatch(/^SIP\/2\.0\/TLS \[::1\]:\d+;branch=/);
    expect(frame.sip?.header('Contact')).toMatch(/^<sip:\[::1\]:\d+;transport=tls>$/);
    await other.app.respond(frame.transactionId, 486);
    await bench.app.sip('SIP/2.0 486');
  });

  it('listening without certificate and key is refused with a clear sentence', async () => {
    await expect(bench.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 })).rejects.toThrow(
      'listening with TLS needs a certificate and its key',
    );
  });

  it('the domain of the URI is what the certificate has to prove, not the SRV target (RFC 5922 §4, §7.1)', async () => {
    const listener = bench.own(await SipPeer.tlsListener(good));
    dns.add('_sips._tcp.example.test', 'SRV', {
      priority: 0,
      weight: 0,
      port: listener.port,
      target: 'www.example.test',
    });
    await bench.app.request('OPTIONS sips:x@example.test');
    await listener.answer(await listener.request('OPTIONS'), 200);
    await bench.app.sip('SIP/2.0 200');
    // With a sip: URI in the certificate its DNS names do not count.
    expect(await warningOf(`sips:x@www.example.test:${listener.port}`)).toBe(
      `the certificate of www.example.test (127.0.0.1:${listener.port}) is issued for example.test, 127.0.0.1 and not for www.example.test`,
    );
  });

  it.each([
    ['DNS names when there is no sip: URI', { names: ['DNS:example.test'] }, undefined],
    ['the CN when there is no subjectAltName', { commonName: 'example.test' }, undefined],
    ['a URI and a name without regard to case', { names: ['URI:sip:EXAMPLE.test'] }, undefined],
    [
      'no CN beside a subjectAltName',
      { commonName: 'example.test', names: ['DNS:a.test'] },
      'issued for a.test and not for example.test',
    ],
    ['no wildcards (§7.2)', { names: ['DNS:*.test'] }, 'issued for *.test and not for example.test'],
    [
      'no URI with a user',
      { names: ['URI:sip:bob@example.test'] },
      'issued for no name that SIP knows and not for example.test',
    ],
    [
      'no sips: URI',
      { names: ['URI:sips:example.test'] },
      'issued for no name that SIP knows and not for example.test',
    ],
  ])('identity: %s (RFC 5922 §7.1)', async (_title, request, fault) => {
    const listener = bench.own(await SipPeer.tlsListener(authority.issue(request)));
    if (fault === undefined) {
      await bench.app.request(`OPTIONS sips:x@example.test:${listener.port}`);
      await listener.request('OPTIONS');
    } else expect(await warningOf(`sips:x@example.test:${listener.port}`)).toContain(fault);
  });

  it.each([
    [
      'expired',
      () => authority.issue({ names: ['IP:127.0.0.1'], fromDay: -9, toDay: -3 }),
      /^the certificate of 127\.0\.0\.1:\d+ expired on \d{4}-\d\d-\d\d$/,
    ],
    [
      'not yet valid',
      () => authority.issue({ names: ['IP:127.0.0.1'], fromDay: 3, toDay: 9 }),
      /is not valid before \d{4}-\d\d-\d\d$/,
    ],
    ['self-signed', () => selfSigned(['IP:127.0.0.1']), /is self-signed and nobody here trusts it$/],
    [
      'of an unknown authority',
      () => new Authority('Nobody Knows').issue({ names: ['IP:127.0.0.1'] }),
      /was issued by "Nobody Knows", which is not trusted here$/,
    ],
    [
      'for another address',
      () => authority.issue({ names: ['IP:192.0.2.1'] }),
      /is issued for 192\.0\.2\.1 and not for 127\.0\.0\.1$/,
    ],
  ])(
    'a certificate that is %s: 503, nothing is sent, and the Warning says so',
    async (_title, make, text) => {
      const listener = bench.own(await SipPeer.tlsListener(make()));
      expect(await warningOf(`sip:x@127.0.0.1:${listener.port};transport=tls`)).toMatch(text);
      expect(listener.log).toHaveLength(0);
    },
  );

  it('checkPeer: false takes any certificate', async () => {
    await using other = await start({ tls: { checkPeer: false } });
    const listener = bench.own(await SipPeer.tlsListener(selfSigned(['DNS:nobody'])));
    await other.app.request(`OPTIONS sips:x@127.0.0.1:${listener.port}`);
    await listener.request('OPTIONS');
  });

  it('a client certificate is shown when it is configured, and missed when it is not', async () => {
    const mutual = { ...good, requestCert: true, rejectUnauthorized: true, ca: authority.cert };
    const listener = bench.own(await SipPeer.tlsListener(mutual));
    await using other = await start({
      tls: { ca: [authority.cert], ...authority.issue({ names: ['URI:sip:client.test'] }) },
    });
    await other.app.request(`OPTIONS sips:x@127.0.0.1:${listener.port}`);
    await listener.request('OPTIONS');
    expect(await warningOf(`sips:x@127.0.0.1:${listener.port}`)).toBe(
      `127.0.0.1:${listener.port} asks for a client certificate`,
    );
  });

  it('TLS 1.1 is refused in both directions (RFC 8996)', async () => {
    const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const listener = bench.own(await SipPeer.tlsListener({ ...good, ...old }));
    expect(await warningOf(`sips:x@127.0.0.1:${listener.port}`)).toBe(
      `127.0.0.1:${listener.port} offers no TLS version that is safe: 1.2 or 1.3 is needed`,
    );
    await using other = await start({ tls: good });
    const { port } = await other.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
    await expect(SipPeer.tls(port, old)).rejects.toThrow();
    await using modern = await SipPeer.tls(port, { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    await modern.fence(0);
  });

  it.each([
    [
      'refused',
      async () => (await SipPeer.tcpListener())[Symbol.asyncDispose](),
      /^connection to 127\.0\.0\.1:1 refused$/,
    ],
  ])('a connection that is %s', async (_title, _make, text) => {
    expect(await warningOf('sips:x@127.0.0.1:1')).toMatch(text);
  });

  it('a server that speaks no TLS is named', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write('SIP/2.0 400 Bad Request\r\n\r\n');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(await warningOf(`sips:x@127.0.0.1:${port}`)).toBe(`127.0.0.1:${port} does not speak TLS`);
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });

  it('a server that never finishes its handshake is given up after 5 s', async () => {
    const silent = bench.own(await SipPeer.tcpListener());
    await bench.app.request(`OPTIONS sip:first@127.0.0.1:${silent.port};transport=tcp`);
    await silent.request('OPTIONS');
    const timers = bench.clock.pending;
    const uri = `sips:x@127.0.0.1:${silent.port}`;
    const answer = warningOf(uri);
    await until(() => silent.connections === 2 && bench.clock.pending >= timers + 2, 'the connection');
    // The handshake has begun: its first bytes are there.
    await until(() => silent.bytes > 0, 'a ClientHello');
    bench.clock.advance(SIP_NETWORK_LIMITS.tlsHandshakeMs);
    expect(await answer).toBe(`127.0.0.1:${silent.port} did not finish the TLS handshake in time`);
  });

  it('slowloris: a client that dawdles in its handshake is closed after 5 s, one that has finished is not', async () => {
    await using other = await start({ tls: good });
    const { port } = await other.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
    await using peer = await SipPeer.tls(port);
    await peer.fence(0);
    const before = other.clock.pending;
    const slow = connect(port, '127.0.0.1');
    const closed = new Promise((done) => slow.once('close', done));
    slow.on('error', () => undefined);
    await once(slow, 'connect');
    slow.write(Buffer.from([0x16, 0x03, 0x01]));
    await until(() => other.clock.pending === before + 2, 'the timers of the connection');
    other.clock.advance(SIP_NETWORK_LIMITS.tlsHandshakeMs - 1);
    await peer.fence(0);
    expect(slow.destroyed).toBe(false);
    other.clock.advance(1);
    await closed;
    await peer.fence(0);
  });

  it('one address may hold so many TLS connections and no more, finished or not', async () => {
    await using other = await start({ tls: good });
    const { port } = await other.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
    await using peer = await SipPeer.tls(port);
    const sockets = await Promise.all(
      Array.from({ length: SIP_LIMITS.maxConnectionsPerAddress - 1 }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        return socket;
      }),
    );
    await peer.fence(0);
    const tooMany = connect(port, '127.0.0.1');
    tooMany.on('error', () => undefined);
    await once(tooMany, 'close');
    expect(sockets.some(({ destroyed }) => destroyed)).toBe(false);
    for (const socket of sockets) socket.destroy();
  });
});
