/** The client side of RFC 4976, against scripted relays. */
import { createHash } from 'node:crypto';
import tls from 'node:tls';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Authority, selfSigned } from '../support/certificates.ts';
import { ManualClock } from '../support/manual-clock.ts';
import {
  MsrpPeer,
  MsrpPeerListener,
  RecordingDelegate,
  requestText,
  type PeerFrame,
} from '../support/msrp-peer.ts';
import { path, text } from './fixture.ts';
import {
  challenge,
  letIn,
  openBehind,
  openClient,
  relayUri,
  REMOTE,
  reply,
  USE_PATH,
} from './relay-fixture.ts';

function paramsOf(frame: PeerFrame): Map<string, string> {
  const value = frame.headers.get('Authorization') ?? '';
  return new Map(
    [...value.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))/g)].map(([, name, quoted, bare]) => [
      name!,
      quoted ?? bare!,
    ]),
  );
}

/** What RFC 7616 §3.4.1 wants, computed here anew. */
function expectedResponse(params: Map<string, string>, uri: string, hash: 'md5' | 'sha256' = 'md5'): string {
  const h = (value: string) => createHash(hash).update(value).digest('hex');
  const get = (name: string) => params.get(name) ?? '';
  const ha1 = h(`alice:relay:wonder "land"`);
  return h(`${ha1}:${get('nonce')}:${get('nc')}:${get('cnonce')}:${get('qop')}:${h(`AUTH:${uri}`)}`);
}

describe('AUTH (RFC 4976 §5.1)', () => {
  it('asks, answers the challenge, and takes the Use-Path', async () => {
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)]);
    const bound = side.client.bind();
    const peer = await relay.accept();
    const [first, second] = await letIn(peer);
    expect(first).toMatchObject({ kind: 'AUTH', body: undefined });
    expect(first!.headers.get('To-Path')).toBe(relayUri(relay));
    expect(first!.headers.get('From-Path')).toMatch(
      new RegExp(`^msrp://127\\.0\\.0\\.1:${side.endpoint.port}/[0-9a-f]{24};tcp$`),
    );
    expect(first!.headers.has('Authorization')).toBe(false);
    const params = paramsOf(second!);
    expect(params.get('username')).toBe('alice');
    expect(params.get('opaque')).toBe('o=1');
    expect([params.get('nc'), params.get('qop')]).toEqual(['00000001', 'auth']);
    // First as RFC 4976 and 2617 write it: with `uri`.
    expect(params.get('uri')).toBe(relayUri(relay));
    expect(params.get('response')).toBe(expectedResponse(params, relayUri(relay)));
    expect((await bound).usePath.map(({ text: uri }) => uri)).toEqual([USE_PATH]);
    // One place for all sessions.
    expect(await side.client.bind()).toEqual(await bound);
  });

  it('SHA-256 when the relay prefers it (RFC 8760 §2.4)', async () => {
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)]);
    const bound = side.client.bind();
    const peer = await relay.accept();
    const unknown = challenge('n0', ', algorithm=SHA-512-256');
    reply(peer, await peer.frame(), '401 Unauthorized', unknown, challenge('n1', ', algorithm=SHA-256'));
    const frame = await peer.frame();
    const params = paramsOf(frame);
    expect(params.get('response')).toBe(expectedResponse(params, relayUri(relay), 'sha256'));
    reply(peer, frame, '200 OK', `Use-Path: ${USE_PATH}`);
    await bound;
  });

  it('a stale nonce is no wrong password', async () => {
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)]);
    const bound = side.client.bind();
    const peer = await relay.accept();
    reply(peer, await peer.frame(), '401 Unauthorized', challenge('old'));
    reply(peer, await peer.frame(), '401 Unauthorized', challenge('new', ', stale=true'));
    const frame = await peer.frame();
    expect(paramsOf(frame).get('nonce')).toBe('new');
    reply(peer, frame, '200 OK', `Use-Path: ${USE_PATH}`);
    await bound;
  });

  it.each([
    ['a wrong password', '401 Unauthorized', 'does not take the password of alice'],
    ['403', '403 Forbidden', 'does not let alice in'],
  ])('%s stops: no further attempt, no further relay', async (_name, status, sentence) => {
    await using relay = await MsrpPeerListener.listen();
    await using second = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay), relayUri(second)]);
    const outcome = side.client.bind().catch((error: unknown) => error);
    const peer = await relay.accept();
    reply(peer, await peer.frame(), '401 Unauthorized', challenge('n1'));
    reply(peer, await peer.frame(), status, challenge('n2'));
    expect(await outcome).toMatchObject({
      code: 'MSRP_RELAY_REFUSED',
      message: `the relay 127.0.0.1 ${sentence}`,
    });
    await peer.untilEnded();
    await expect(side.client.bind()).rejects.toMatchObject({ code: 'MSRP_RELAY_REFUSED' });
  });

  it.each([
    ['Min-Expires: 3600', '3600'],
    ['Max-Expires: 120', '120'],
  ])('423 with %s: asks again for that', async (bound, wanted) => {
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)]);
    const place = side.client.bind();
    const peer = await relay.accept();
    reply(peer, await peer.frame(), '401 Unauthorized', challenge('n1'));
    const asked = await peer.frame();
    expect(asked.headers.has('Expires')).toBe(false);
    reply(peer, asked, '423 Interval Out-of-Bounds', bound);
    const again = await peer.frame();
    expect(again.headers.get('Expires')).toBe(wanted);
    expect(paramsOf(again).get('nc')).toBe('00000002');
    reply(peer, again, '200 OK', `Use-Path: ${USE_PATH}`, `Expires: ${wanted}`);
    await place;
  });

  it('relayAnswerMs: after it tries without `uri`, which one relay never answers', async () => {
    const clock = new ManualClock();
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)], { clock });
    const bound = side.client.bind();
    const peer = await relay.accept();
    reply(peer, await peer.frame(), '401 Unauthorized', challenge('n1'));
    expect(paramsOf(await peer.frame()).has('uri')).toBe(true);
    clock.advance(3_000);
    const frame = await peer.frame();
    const params = paramsOf(frame);
    expect(params.has('uri')).toBe(false);
    expect(params.get('response')).toBe(expectedResponse(params, relayUri(relay)));
    reply(peer, frame, '200 OK', `Use-Path: ${USE_PATH}`);
    await bound;
  });

  it('renews its place before the end of its life, with the nonce that it has', async () => {
    const clock = new ManualClock();
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)], { clock });
    const bound = side.client.bind();
    const peer = await relay.accept();
    const [first] = await letIn(peer, USE_PATH, '600');
    await bound;
    clock.advance(479_000);
    expect(peer.received).toHaveLength(0);
    clock.advance(1_000);
    const refresh = await peer.frame();
    expect(refresh.headers.get('From-Path')).toBe(first!.headers.get('From-Path'));
    expect(paramsOf(refresh).get('nc')).toBe('00000002');
    reply(peer, refresh, '200 OK', 'Use-Path: msrps://relay.example:2855/next;tcp', 'Expires: 600');
    await expect.poll(async () => (await side.client.bind()).usePath[0]?.sessionId).toBe('next');
  });

  it.each(['nothing', 'Use-Path: http://nonsense/'])(
    '200 with %s as Use-Path is a failure',
    async (header) => {
      await using relay = await MsrpPeerListener.listen();
      await using side = await openClient([relayUri(relay)]);
      const outcome = side.client.bind().catch((error: unknown) => error);
      const peer = await relay.accept();
      reply(peer, await peer.frame(), '200 OK', ...(header === 'nothing' ? [] : [header]));
      expect(await outcome).toMatchObject({ code: 'MSRP_RELAY_FAILED' });
    },
  );

  it('maxRelayAuths: a relay that asks without end is left', async () => {
    await using relay = await MsrpPeerListener.listen();
    await using side = await openClient([relayUri(relay)]);
    const outcome = side.client.bind().catch((error: unknown) => error);
    const peer = await relay.accept();
    for (let round = 0; round < 6; round++) {
      reply(peer, await peer.frame(), '401 Unauthorized', challenge(`n${round}`, ', stale=true'));
    }
    expect(await outcome).toMatchObject({ message: 'the relay 127.0.0.1 asks again and again' });
    await peer.untilEnded();
    expect(peer.received).toHaveLength(0);
  });
});

describe('several relays', () => {
  it('the next is taken when one is away, and when one dies; who died comes last', async () => {
    const gone = await MsrpPeerListener.listen();
    const goneUri = relayUri(gone);
    await gone[Symbol.asyncDispose]();
    await using one = await MsrpPeerListener.listen();
    await using two = await MsrpPeerListener.listen();
    await using side = await openClient([goneUri, relayUri(one), relayUri(two)]);
    const bound = side.client.bind();
    const first = await one.accept();
    await letIn(first);
    const place = await bound;
    expect(side.client.server?.uri.text).toBe(relayUri(one));
    const delegate = new RecordingDelegate();
    const session = side.endpoint.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['*'],
      delegate,
      encrypted: true,
      relay: place,
    });
    const visited = session.visit(path('msrps://peer.example:9/p;tcp'));
    reply(first, await first.frame(), '200 OK');
    await visited;
    // It dies mid-message: the session fails, the message was not confirmed, and there is a place at the next one.
    const sent = session.sendMessage(text('lost on the way')).catch((error: unknown) => error);
    await first.frame();
    first.socket.destroy();
    expect(await sent).toMatchObject({ code: 'MSRP_CLOSED_BY_PEER' });
    expect(delegate.closes).toHaveLength(1);
    const second = await two.accept();
    await letIn(second, 'msrps://two.example:1/t;tcp');
    expect((await side.client.bind()).usePath[0]?.host).toBe('two.example');
  });

  it('no relay at all is an error with a code', async () => {
    await using side = await openClient([]);
    await expect(side.client.bind()).rejects.toMatchObject({ code: 'MSRP_NO_RELAY' });
  });
});

describe('TLS to a relay (RFC 4976 §9.1)', () => {
  async function listenSecure(certificate: { cert: string; key: string }) {
    const arrived = Promise.withResolvers<MsrpPeer>();
    const server = tls.createServer(certificate, (socket) => {
      arrived.resolve(new MsrpPeer(socket, ''));
    });
    server.on('tlsClientError', () => undefined);
    const ready = Promise.withResolvers<void>();
    server.listen({ host: '127.0.0.1', port: 0 }, () => ready.resolve());
    await ready.promise;
    return {
      port: (server.address() as AddressInfo).port,
      accept: () => arrived.promise,
      async [Symbol.asyncDispose]() {
        const closed = Promise.withResolvers<void>();
        server.close(() => closed.resolve());
        void arrived.promise.then((peer) => peer.socket.destroy());
        await closed.promise;
      },
    };
  }

  it('a certificate of an authority that we trust, for the name that was written', async () => {
    const authority = new Authority('Relay CA');
    await using relay = await listenSecure(authority.issue({ names: ['IP:127.0.0.1'] }));
    await using side = await openClient([`127.0.0.1:${relay.port}`], { ca: [authority.cert] });
    const bound = side.client.bind();
    await letIn(await relay.accept());
    expect((await bound).connection.security).toBeDefined();
  });

  it.each([
    ['for another name', () => new Authority('Relay CA').issue({ names: ['DNS:other.example'] })],
    ['that nobody vouches for', () => selfSigned(['IP:127.0.0.1'])],
  ])('one %s is refused before a password is shown', async (_name, make) => {
    await using relay = await listenSecure(make());
    await using side = await openClient([`127.0.0.1:${relay.port}`]);
    await expect(side.client.bind()).rejects.toMatchObject({ code: 'MSRP_UNTRUSTED_CERTIFICATE' });
  });
});

describe('a session behind a relay (RFC 4976 §5.2)', () => {
  it('its path has the relay in front; requests name all hops, and ourselves alone as the sender', async () => {
    await using behind = await openBehind();
    const { session, peer } = behind;
    expect(session.localPath.map(({ text: uri }) => uri)).toEqual([USE_PATH, session.uri.text]);
    const visited = session.visit(path(REMOTE));
    const visit = await peer.frame();
    expect(visit.headers.get('To-Path')).toBe(`${USE_PATH} ${REMOTE}`);
    expect(visit.headers.get('From-Path')).toBe(session.uri.text);
    reply(peer, visit, '200 OK');
    expect(await visited).toMatchObject({ status: 200 });
    expect(session.encrypted).toBe(false);
  });

  it('passive: is found through its relay, and answers hop by hop', async () => {
    await using behind = await openBehind();
    const { session, delegate, peer } = behind;
    const from = REMOTE;
    const accepted = session.acceptAnswer(path(REMOTE), { connectToAnswerer: false });
    const to = session.uri.text;
    peer.send(requestText({ id: 'visit1', to, from, headers: { 'Message-ID': 'aaaa' } }));
    const answer = await peer.frame();
    expect(answer).toMatchObject({ id: 'visit1', kind: '200 OK' });
    expect(answer.headers.get('To-Path')).toBe('msrps://r2.example:2855/q;tcp');
    await accepted;
    const headers = {
      'Message-ID': 'bbbb',
      'Success-Report': 'yes',
      'Byte-Range': '1-5/5',
      'Content-Type': 'text/plain',
    };
    peer.send(requestText({ id: 'send1', to, from, headers, body: 'hello' }));
    expect(await peer.frame()).toMatchObject({ id: 'send1', kind: '200 OK' });
    const report = await peer.frame();
    expect(report.kind).toBe('REPORT');
    expect(report.headers.get('To-Path')).toBe(REMOTE);
    expect(delegate.messages[0]?.body.toString()).toBe('hello');
  });

  it('passive: whoever is expected may come before the ACK, and what comes with the visit is taken', async () => {
    await using behind = await openBehind();
    const { session, delegate, peer } = behind;
    session.expectVisit(path(REMOTE));
    const [to, from] = [session.uri.text, REMOTE];
    const headers = { 'Message-ID': 'bbbb', 'Byte-Range': '1-5/5', 'Content-Type': 'text/plain' };
    const visit = requestText({ id: 'visit1', to, from, headers: { 'Message-ID': 'aaaa' } });
    peer.send(Buffer.concat([visit, requestText({ id: 'send1', to, from, headers, body: 'hello' })]));
    expect(await peer.frame()).toMatchObject({ id: 'visit1', kind: '200 OK' });
    expect(await peer.frame()).toMatchObject({ id: 'send1', kind: '200 OK' });
    await session.awaitVisit(path(REMOTE));
    expect(delegate.messages.map(({ body }) => body.toString())).toEqual(['hello']);
  });

  it('a failure behind the relay comes as a REPORT and ends the message', async () => {
    await using behind = await openBehind();
    const { session, delegate, peer } = behind;
    const visited = session.visit(path(REMOTE));
    reply(peer, await peer.frame(), '200 OK');
    await visited;
    const sent = session.sendMessage(text('to nobody'));
    const frame = await peer.frame();
    const headers = {
      'Message-ID': frame.headers.get('Message-ID')!,
      'Byte-Range': '1-9/9',
      Status: '000 481 No Such Session',
    };
    peer.send(requestText({ id: 'rep1', method: 'REPORT', to: session.uri.text, from: REMOTE, headers }));
    expect(await sent).toEqual({ status: 481 });
    expect(delegate.reports).toMatchObject([{ status: 481 }]);
  });

  it('forks that come by the same relay are told apart by their From-Path; nobody else speaks for the peer', async () => {
    await using behind = await openBehind();
    const { session, delegate, peer } = behind;
    const to = session.uri.text;
    const other = 'msrps://r2.example:2855/z;tcp msrps://phone.example:7/c;tcp';
    for (const [id, from] of [
      ['v1', other],
      ['v2', REMOTE],
    ] as const) {
      peer.send(requestText({ id: `${id}id`, to, from, headers: { 'Message-ID': 'aaaa' } }));
      expect((await peer.frame()).kind).toBe('200 OK');
    }
    await session.acceptAnswer(path(REMOTE), { connectToAnswerer: false });
    expect(session.state).toBe('bound');
    const headers = { 'Message-ID': 'bbbb', 'Content-Type': 'text/plain' };
    peer.send(requestText({ id: 'wrong1', to, from: other, headers, body: 'x' }));
    expect((await peer.frame()).kind).toBe('506 Session In Use');
    expect(delegate.messages).toEqual([]);
  });

  it('an early message does not stop what others send through the same relay', async () => {
    await using behind = await openBehind();
    const { session, peer, createSession } = behind;
    const second = createSession();
    const from = REMOTE;
    const headers = { 'Message-ID': 'bbbb', 'Content-Type': 'text/plain' };
    peer.send(requestText({ id: 'early1', to: session.uri.text, from, headers, body: 'x' }));
    expect((await peer.frame()).kind).toBe('481 No Such Session');
    peer.send(
      requestText({ id: 'visit2', to: second.session.uri.text, from, headers: { 'Message-ID': 'a' } }),
    );
    expect((await peer.frame()).kind).toBe('200 OK');
  });

  it('the end of one session leaves the place at the relay as it is', async () => {
    await using behind = await openBehind();
    const { session, peer, createSession } = behind;
    const visited = session.visit(path(REMOTE));
    reply(peer, await peer.frame(), '200 OK');
    await visited;
    await session.close();
    const { session: next } = createSession();
    const again = next.visit(path(REMOTE));
    reply(peer, await peer.frame(), '200 OK');
    expect(await again).toMatchObject({ status: 200 });
  });
});
