/** TLS of direct sessions: RFC 4975 §14.4, RFC 8122. The strangers' certificates are made by openssl. */
import { X509Certificate, createHash } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { MsrpLimits } from '../../main/base/limits.ts';
import type { MsrpNetworkLimits } from '../../main/base/msrp-network-limits.ts';
import type { WireRecord } from '../../main/base/wire-tap.ts';
import { MsrpEndpoint } from '../../main/msrp/endpoint.ts';
import { parseFingerprint, type MsrpFingerprint } from '../../main/msrp/fingerprint.ts';
import { selfSigned } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeer, RecordingDelegate, requestText } from '../support/msrp-peer.ts';
import { path, text } from './fixture.ts';

const theirs = selfSigned(['DNS:stranger.example']);
const others = selfSigned(['DNS:other.example']);

function printOf({ cert }: { cert: string }, hash: 'sha256' | 'sha1' = 'sha256'): MsrpFingerprint {
  const hex = createHash(hash).update(new X509Certificate(cert).raw).digest('hex').toUpperCase();
  const name = hash === 'sha1' ? 'SHA-1' : 'SHA-256';
  return parseFingerprint(`${name} ${hex.match(/../g)!.join(':')}`)!;
}

async function openSecureSide(
  options: {
    clock?: ManualClock;
    tap?: (record: WireRecord) => void;
    limits?: Partial<MsrpLimits>;
    networkLimits?: Partial<MsrpNetworkLimits>;
    unprovenAllowed?: boolean;
  } = {},
) {
  const endpoint = new MsrpEndpoint(options);
  const { port } = await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const delegate = new RecordingDelegate();
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['*'],
    delegate,
    encrypted: true,
    ...(options.unprovenAllowed === true ? { unprovenAllowed: true } : {}),
  });
  const { fingerprint } = await endpoint.identity();
  return {
    endpoint,
    port,
    delegate,
    session,
    announced: [parseFingerprint(fingerprint)!],
    uri: session.uri.text,
    [Symbol.asyncDispose]: () => endpoint[Symbol.asyncDispose](),
  };
}

/** A stranger that connects over TLS, with a certificate or without. */
async function connectSecure(port: number, certificate?: { cert: string; key: string }, peerPath?: string) {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(certificate ?? {}),
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('secureConnect', resolve);
  socket.once('error', reject);
  await promise;
  return new MsrpPeer(socket, peerPath ?? 'msrps://127.0.0.1:9/stranger;tcp');
}

/** A stranger that listens over TLS. */
async function listenSecure(certificate: { cert: string; key: string }, options: tls.TlsOptions = {}) {
  const arrived = Promise.withResolvers<tls.TLSSocket>();
  const server = tls.createServer(
    { ...certificate, requestCert: true, rejectUnauthorized: false, ...options },
    (socket) => arrived.resolve(socket),
  );
  const { promise, resolve } = Promise.withResolvers<void>();
  server.on('tlsClientError', () => undefined);
  const left = Promise.withResolvers<void>();
  server.on('connection', (socket: net.Socket) => socket.once('close', () => left.resolve()));
  server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  await promise;
  const uri = `msrps://127.0.0.1:${(server.address() as AddressInfo).port}/listener;tcp`;
  return {
    uri,
    arrived: arrived.promise,
    /** The first connection is gone. */
    left: left.promise,
    accept: async () => new MsrpPeer(await arrived.promise, uri),
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      void arrived.promise.then((socket) => socket.destroy());
      await closed.promise;
    },
  };
}

describe('two endpoints over TLS (RFC 4975 §14.4)', () => {
  it('show their certificates to each other, and exchange messages on the port that also takes plain ones', async () => {
    const records: WireRecord[] = [];
    await using a = await openSecureSide({ tap: (record) => records.push({ ...record }) });
    await using b = await openSecureSide();
    await b.session.visit(a.session.localPath, { announced: a.announced });
    await a.session.acceptAnswer(b.session.localPath, { connectToAnswerer: false, announced: b.announced });
    expect([a.session.encrypted, b.session.encrypted]).toEqual([true, true]);
    const big = Buffer.alloc(300_000, 'x');
    expect(await b.session.sendMessage(text(big))).toEqual({ status: 200 });
    expect(await a.session.sendMessage(text('and back'))).toEqual({ status: 200 });
    expect(a.delegate.messages[0]?.body.equals(big)).toBe(true);
    expect(b.delegate.messages[0]?.body.toString()).toBe('and back');
    // What observers see is what was said, not what crossed the network.
    expect(records.every(({ transport }) => transport === 'tls')).toBe(true);
    expect(Buffer.from(records[0]!.bytes).toString()).toMatch(/^MSRP \w+ SEND\r\n/);
    const plain = a.endpoint.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['*'],
      delegate: new RecordingDelegate(),
    });
    await using peer = await MsrpPeer.connect(a.port);
    expect((await peer.visit(plain.uri.text)).kind).toBe('200 OK');
    await b.session.close();
    await a.delegate.until(({ closes }) => closes.length > 0);
    expect(a.delegate.closes[0]?.code).toBe('MSRP_CLOSED_BY_PEER');
  });

  it('many small messages that nobody answers leave in full, and in order', async () => {
    await using a = await openSecureSide();
    await using b = await openSecureSide();
    await b.session.visit(a.session.localPath, { announced: a.announced });
    await a.session.acceptAnswer(b.session.localPath, { connectToAnswerer: false, announced: b.announced });
    const bodies = Array.from({ length: 1_000 }, (_value, index) => `${index} `.padEnd(300, 'x'));
    const sent = bodies.map((body) => a.session.sendMessage({ ...text(body), failureReport: 'no' }));
    expect(new Set((await Promise.all(sent)).map(({ status }) => status))).toEqual(new Set([0]));
    await expect.poll(() => b.delegate.messages.length).toBe(bodies.length);
    expect(b.delegate.messages.map(({ body }) => body.toString())).toEqual(bodies);
  });

  it('the certificate: ECDSA P-256, valid now, its fingerprint the one that is announced', async () => {
    await using side = await openSecureSide();
    const identity = await side.endpoint.identity();
    const certificate = new X509Certificate(identity.cert);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
    expect(identity.fingerprint).toBe(`SHA-256 ${certificate.fingerprint256}`);
    expect(identity.fingerprint).toMatch(/^SHA-256 [0-9A-F]{2}(:[0-9A-F]{2}){31}$/);
  });

  it('another endpoint has another certificate', async () => {
    await using one = await openSecureSide();
    await using two = await openSecureSide();
    expect(one.announced).not.toEqual(two.announced);
  });

  it('TLS 1.1 is not spoken', async () => {
    await using side = await openSecureSide();
    const socket = tls.connect({
      host: '127.0.0.1',
      port: side.port,
      rejectUnauthorized: false,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const failed = Promise.withResolvers<string>();
    socket.on('error', (error: NodeJS.ErrnoException) => failed.resolve(error.code ?? ''));
    socket.on('secureConnect', () => failed.resolve('secure'));
    expect(await failed.promise).toMatch(/PROTOCOL_VERSION|ECONNRESET|UNSUPPORTED/);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is', async (version) => {
    await using side = await openSecureSide();
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port: side.port, rejectUnauthorized: false, ...theirs },
      ...{ minVersion: version, maxVersion: version },
    });
    await using peer = new MsrpPeer(socket, 'msrps://127.0.0.1:9/stranger;tcp');
    expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    await side.session.acceptAnswer(path(peer.path), {
      connectToAnswerer: false,
      announced: [printOf(theirs)],
    });
    expect(side.session.encrypted).toBe(true);
  });
});

describe('the certificate of a visitor (RFC 8122 §6.2)', () => {
  it('is remembered, and checked when the answer announces one', async () => {
    await using side = await openSecureSide();
    await using peer = await connectSecure(side.port, theirs);
    expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    await side.session.acceptAnswer(path(peer.path), {
      connectToAnswerer: false,
      announced: [printOf(theirs)],
    });
    expect(side.session.state).toBe('bound');
  });

  it.each([
    ['another one', others],
    ['none at all', undefined],
  ])('%s: the visitor is dropped, and the reason is said', async (_name, certificate) => {
    await using side = await openSecureSide();
    await using peer = await connectSecure(side.port, certificate);
    expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    await expect(
      side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false, announced: [printOf(theirs)] }),
    ).rejects.toMatchObject({ code: 'MSRP_WRONG_CERTIFICATE' });
    await peer.untilEnded();
  });

  it('a wrong one beside the right one does no harm', async () => {
    await using side = await openSecureSide();
    await using wrong = await connectSecure(side.port, others);
    await using right = await connectSecure(side.port, theirs);
    await wrong.visit(side.uri);
    await right.visit(side.uri);
    await side.session.acceptAnswer(path(right.path), {
      connectToAnswerer: false,
      announced: [printOf(theirs)],
    });
    await wrong.untilEnded();
    const sent = side.session.sendMessage(text('for the right one'));
    right.answer(await right.frame());
    expect(await sent).toEqual({ status: 200 });
  });

  it('of one who visits after the answer: refused with 403 when it is wrong', async () => {
    await using side = await openSecureSide();
    await using peer = await connectSecure(side.port, others);
    const accepted = side.session.acceptAnswer(path(peer.path), {
      connectToAnswerer: false,
      announced: [printOf(theirs)],
    });
    const outcome = accepted.catch((error: unknown) => error);
    expect((await peer.visit(side.uri)).kind).toBe('403 Forbidden');
    expect(await outcome).toMatchObject({ code: 'MSRP_WRONG_CERTIFICATE' });
  });

  it('SHA-1 counts when it is all that the peer has, and not beside SHA-256', async () => {
    await using side = await openSecureSide();
    await using peer = await connectSecure(side.port, theirs);
    await peer.visit(side.uri);
    await side.session.acceptAnswer(path(peer.path), {
      connectToAnswerer: false,
      announced: [printOf(theirs, 'sha1')],
    });
    expect(side.session.encrypted).toBe(true);
    await using second = await openSecureSide();
    await using again = await connectSecure(second.port, theirs);
    await again.visit(second.uri);
    await expect(
      second.session.acceptAnswer(path(again.path), {
        connectToAnswerer: false,
        announced: [printOf(theirs, 'sha1'), printOf(others)],
      }),
    ).rejects.toMatchObject({ code: 'MSRP_WRONG_CERTIFICATE' });
  });

  it('a visitor in the clear is refused: what was offered as msrps is not spoken without TLS', async () => {
    await using side = await openSecureSide();
    await using peer = await MsrpPeer.connect(side.port);
    expect((await peer.visit(side.uri)).kind).toBe('403 Forbidden');
    expect((await peer.visit(side.uri.replace('msrps:', 'msrp:'))).kind).toBe('481 No Such Session');
    expect(side.delegate.visits).toEqual([]);
  });
});

describe('the certificate of whom we visit (RFC 8122 §6.2)', () => {
  it('the right one: the visit goes out, with our certificate', async () => {
    await using side = await openSecureSide();
    await using listener = await listenSecure(theirs);
    const outcome = side.session.visit(path(listener.uri), { announced: [printOf(theirs)] });
    const socket = await listener.arrived;
    const shown = createHash('sha256').update(socket.getPeerX509Certificate()!.raw).digest();
    expect(shown).toEqual(side.announced[0]!.digest);
    await using peer = new MsrpPeer(socket, listener.uri);
    peer.answer(await peer.frame());
    expect(await outcome).toMatchObject({ status: 200 });
  });

  it('another one: nothing is said, and the reason is told', async () => {
    await using side = await openSecureSide();
    await using listener = await listenSecure(others);
    await expect(
      side.session.visit(path(listener.uri), { announced: [printOf(theirs)] }),
    ).rejects.toMatchObject({
      code: 'MSRP_WRONG_CERTIFICATE',
      message: expect.stringMatching(/^127\.0\.0\.1:\d+ showed another certificate/) as string,
    });
    let said = '';
    void listener.arrived.then((socket) => socket.on('data', (bytes: Buffer) => (said += bytes.toString())));
    await listener.left;
    expect(said).toBe('');
    expect(side.session.state).toBe('listening');
  });

  it('without any fingerprint only an authority helps (RFC 4975 §14.4), unless the policy is milder', async () => {
    await using strict = await openSecureSide();
    await using listener = await listenSecure(theirs);
    await expect(strict.session.visit(path(listener.uri))).rejects.toMatchObject({
      code: 'MSRP_UNTRUSTED_CERTIFICATE',
    });
    await using mild = await openSecureSide({ unprovenAllowed: true });
    await using second = await listenSecure(theirs);
    const outcome = mild.session.visit(path(second.uri));
    await using peer = await second.accept();
    peer.answer(await peer.frame());
    expect(await outcome).toMatchObject({ status: 200 });
    expect(mild.session.encrypted).toBe(false);
  });

  it('somebody who does not speak TLS there', async () => {
    await using side = await openSecureSide();
    const server = net.createServer((socket) => socket.resume().end('MSRP nonsense\r\n'));
    const listening = Promise.withResolvers<void>();
    server.listen({ host: '127.0.0.1', port: 0 }, () => listening.resolve());
    await listening.promise;
    const uri = `msrps://127.0.0.1:${(server.address() as AddressInfo).port}/x;tcp`;
    await expect(side.session.visit(path(uri), { announced: [printOf(theirs)] })).rejects.toMatchObject({
      code: 'MSRP_TLS_FAILED',
    });
    server.close();
  });

  it('somebody who never answers the handshake: connectTimeoutMs', async () => {
    const clock = new ManualClock();
    await using side = await openSecureSide({ clock });
    const arrived = Promise.withResolvers<net.Socket>();
    const server = net.createServer((socket) => arrived.resolve(socket));
    const listening = Promise.withResolvers<void>();
    server.listen({ host: '127.0.0.1', port: 0 }, () => listening.resolve());
    await listening.promise;
    const uri = `msrps://127.0.0.1:${(server.address() as AddressInfo).port}/x;tcp`;
    const outcome = side.session
      .visit(path(uri), { announced: [printOf(theirs)] })
      .catch((error: unknown) => error);
    const socket = await arrived.promise;
    // The hello has come: the handshake is under way.
    const hello = Promise.withResolvers<void>();
    socket.once('data', () => hello.resolve());
    await hello.promise;
    clock.advance(3_000);
    expect(await outcome).toMatchObject({ code: 'MSRP_CONNECT_TIMEOUT' });
    socket.destroy();
    server.close();
  });
});

describe('handshakes that are never finished', () => {
  /** The first bytes of a hello, and no more. */
  async function begin(port: number): Promise<MsrpPeer> {
    const peer = await MsrpPeer.connect(port);
    peer.send(Buffer.from([0x16, 0x03, 0x01]));
    return peer;
  }

  it('tlsHandshakeMs: one that dawdles is cut, not before', async () => {
    const clock = new ManualClock();
    await using side = await openSecureSide({ clock });
    await using peer = await begin(side.port);
    // A second connection that is served after the first byte of the first one: that has been read by then.
    await using later = await connectSecure(side.port, theirs);
    await later.visit(side.uri);
    clock.advance(4_999);
    expect(peer.ended).toBe(false);
    clock.advance(1);
    await peer.untilEnded();
  });

  it('maxHandshakesPerAddress: at the limit passes, one over is cut; a finished one makes room', async () => {
    await using side = await openSecureSide({ networkLimits: { maxHandshakesPerAddress: 2 } });
    await using one = await begin(side.port);
    await using whole = await connectSecure(side.port, theirs);
    expect((await whole.visit(side.uri)).kind).toBe('200 OK');
    await using two = await begin(side.port);
    await using plain = await MsrpPeer.connect(side.port);
    await plain.visit(side.uri);
    await using over = await begin(side.port);
    await over.untilEnded();
    expect([one.ended, two.ended]).toEqual([false, false]);
  });

  it('a flood of them from one address leaves plain peers and the endpoint unharmed', async () => {
    await using side = await openSecureSide({
      limits: { maxConnectionsPerAddress: 50 },
      networkLimits: { maxHandshakesPerAddress: 8 },
    });
    const plain = side.endpoint.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['*'],
      delegate: new RecordingDelegate(),
    });
    const flood = await Promise.all(Array.from({ length: 200 }, () => begin(side.port)));
    await Promise.all(flood.slice(8).map((peer) => peer.untilEnded()));
    await using peer = await MsrpPeer.connect(side.port);
    expect((await peer.visit(plain.uri.text)).kind).toBe('200 OK');
    await Promise.all(flood.map((one) => one[Symbol.asyncDispose]()));
  });

  it('a hello that is cut at every byte is still one', async () => {
    await using side = await openSecureSide();
    const slow = net.connect({ host: '127.0.0.1', port: side.port, noDelay: true });
    const raw = new (await import('node:stream')).Duplex({
      read: () => undefined,
      write: (bytes: Buffer, _encoding, done) => {
        for (const byte of bytes) slow.write(Buffer.from([byte]));
        done();
      },
    });
    slow.on('data', (bytes) => raw.push(bytes));
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false, ...theirs });
    await using peer = new MsrpPeer(socket, 'msrps://127.0.0.1:9/slow;tcp');
    const id = 'visit1';
    peer.send(requestText({ id, to: side.uri, from: peer.path, headers: { 'Message-ID': 'aaaa' } }));
    expect((await peer.frame()).kind).toBe('200 OK');
    slow.destroy();
  });
});
