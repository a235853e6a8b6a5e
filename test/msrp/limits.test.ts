import { describe, expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeer, MsrpPeerListener, requestText, type PeerFrame } from '../support/msrp-peer.ts';
import { openPair, openSide, openWithPeer, path, text } from './fixture.ts';

type Open = Awaited<ReturnType<typeof openWithPeer>>;
let serial = 0;

/** Sends one chunk and returns the answer. */
function sendChunk(
  { side, peer }: Open,
  messageId: string,
  byteRange: string,
  body: string | Buffer,
  flag = '+',
): Promise<PeerFrame> {
  const headers = { 'Message-ID': messageId, 'Byte-Range': byteRange, 'Content-Type': 'a/b' };
  peer.send(requestText({ id: `chunk${++serial}`, to: side.uri, from: peer.path, headers, body, flag }));
  return peer.frame();
}

describe('ceilings of messages (RFC 4975 §7.3.1, §10.5)', () => {
  it('maxMessageBytes: at the limit passes, one over gets 413, announced or not', async () => {
    await using open = await openWithPeer({ limits: { maxMessageBytes: 10 } });
    expect((await sendChunk(open, 'aaaa', '1-10/10', '0123456789', '$')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'bbbb', '1-11/11', '0123456789a', '$')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'cccc', '1-*/*', '0123456789a', '$')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'dddd', '1-5/*', '01234')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'dddd', '6-11/*', '56789a')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'dddd', '12-13/*', 'bc', '$')).kind).toBe('413 Stop Sending');
    expect(open.side.delegate.messages).toHaveLength(1);
  });

  it('413 is sent while the chunk is still arriving', async () => {
    await using open = await openWithPeer({ limits: { maxMessageBytes: 10 } });
    const { side, peer } = open;
    const headers = { 'Message-ID': 'aaaa', 'Byte-Range': '1-*/11', 'Content-Type': 'a/b' };
    const chunk = requestText({ id: 'big1', to: side.uri, from: peer.path, headers, body: 'x' });
    peer.send(chunk.subarray(0, chunk.length - 16));
    expect(await peer.frame()).toMatchObject({ id: 'big1', kind: '413 Stop Sending' });
  });

  it('a sender stops at the 413 of a message that is too large', async () => {
    await using pair = await openPair({ limits: { maxMessageBytes: 1_000_000 } });
    expect(await pair.a.session.sendMessage(text(Buffer.alloc(1_000_000)))).toEqual({ status: 200 });
    expect(await pair.a.session.sendMessage(text(Buffer.alloc(1_000_001)))).toEqual({ status: 413 });
    expect(await pair.a.session.sendMessage(text('after'))).toEqual({ status: 200 });
  });

  it('a message of 10 MB arrives', async () => {
    await using pair = await openPair();
    const body = Buffer.alloc(10 * 1024 * 1024, 'abc');
    expect(await pair.a.session.sendMessage(text(body))).toEqual({ status: 200 });
    expect(pair.b.delegate.messages[0]!.body.equals(body)).toBe(true);
  });

  it('maxChunkBytes: at the limit passes, one over gets 413 and the connection closes', async () => {
    await using open = await openWithPeer({ limits: { maxChunkBytes: 10 } });
    expect((await sendChunk(open, 'aaaa', '1-10/10', '0123456789', '$')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'bbbb', '1-11/11', '0123456789a', '$')).kind).toBe('413 Stop Sending');
    await open.peer.untilEnded();
    expect(open.side.delegate.closes).toMatchObject([{ code: 'MSRP_CHUNK_TOO_LARGE' }]);
  });

  it('maxChunksPerMessage: empty ones count; at the limit passes, one over gets 413', async () => {
    await using open = await openWithPeer({ limits: { maxChunksPerMessage: 3 } });
    for (const flag of ['+', '+', '$']) {
      expect((await sendChunk(open, 'aaaa', '1-0/*', '', flag)).kind).toBe('200 OK');
    }
    for (let i = 0; i < 3; i++) expect((await sendChunk(open, 'bbbb', '1-0/*', '')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'bbbb', '1-0/*', '')).kind).toBe('413 Stop Sending');
    expect(open.side.delegate.messages.map((message) => message.messageId)).toEqual(['aaaa']);
  });

  it('maxOpenMessages: at the limit passes, one over gets 413; whole ones still pass', async () => {
    await using open = await openWithPeer({ limits: { maxOpenMessages: 2 } });
    expect((await sendChunk(open, 'aaaa', '1-1/2', 'a')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'bbbb', '1-1/2', 'b')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'cccc', '1-1/2', 'c')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'dddd', '1-1/1', 'd', '$')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'aaaa', '2-2/2', 'a', '$')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'eeee', '1-1/2', 'e')).kind).toBe('200 OK');
  });

  it('maxOpenBytes: at the limit passes, one over gets 413', async () => {
    await using open = await openWithPeer({ limits: { maxOpenBytes: 10 } });
    expect((await sendChunk(open, 'aaaa', '1-6/20', '123456')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'bbbb', '1-4/20', '1234')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'cccc', '1-1/20', '1')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'bbbb', '5-5/20', '', '#')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'dddd', '1-4/20', '1234')).kind).toBe('200 OK');
  });

  it('openMessageMs: a message that goes on in time is kept, a later chunk gets 413', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock });
    expect((await sendChunk(open, 'aaaa', '1-1/4', 'a')).kind).toBe('200 OK');
    clock.advance(59_999);
    expect((await sendChunk(open, 'aaaa', '2-2/4', 'b')).kind).toBe('200 OK');
    clock.advance(59_999);
    expect((await sendChunk(open, 'aaaa', '3-3/4', 'c')).kind).toBe('200 OK');
    clock.advance(60_000);
    expect((await sendChunk(open, 'aaaa', '4-4/4', 'd', '$')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'aaaa', '1-4/4', 'abcd', '$')).kind).toBe('200 OK');
    expect(open.side.delegate.messages.map((message) => message.body.toString())).toEqual(['abcd']);
  });

  it('maxRefusedMessages: so many refusals are remembered, older ones forgotten', async () => {
    await using open = await openWithPeer({ limits: { maxRefusedMessages: 1, maxMessageBytes: 10 } });
    expect((await sendChunk(open, 'aaaa', '1-1/11', 'a')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'aaaa', '2-2/*', 'a')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'bbbb', '1-1/11', 'a')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'bbbb', '2-2/*', 'a')).kind).toBe('413 Stop Sending');
    expect((await sendChunk(open, 'aaaa', '2-2/*', 'a')).kind).toBe('200 OK');
  });

  it('maxMessageIdChars: at the limit passes, one over gets 400', async () => {
    await using open = await openWithPeer();
    expect((await sendChunk(open, 'a'.repeat(256), '1-1/1', 'a', '$')).kind).toBe('200 OK');
    expect((await sendChunk(open, 'a'.repeat(257), '1-1/1', 'a', '$')).kind).toBe('400 Bad Request');
  });
});

describe('backpressure (flow: acknowledged means stored)', () => {
  it.each([
    ['maxUnsettledMessages', { maxUnsettledMessages: 3 }],
    ['maxUnsettledBytes', { maxUnsettledBytes: 15 }],
  ])('%s: beyond it the socket is paused until one has settled', async (_name, limits) => {
    await using open = await openWithPeer({ limits });
    const { side, peer } = open;
    const settle: (() => void)[] = [];
    side.delegate.store = () => new Promise((resolve) => settle.push(resolve));
    const sends = Array.from({ length: 8 }, (_value, index) =>
      requestText({
        id: `t${index}xx`,
        to: side.uri,
        from: peer.path,
        headers: { 'Message-ID': `m${index}xx`, 'Content-Type': 'a/b' },
        body: '12345',
      }),
    );
    peer.send(Buffer.concat(sends));
    await side.delegate.until((delegate) => delegate.messages.length === 4);
    settle[0]!();
    await peer.frame();
    await side.delegate.until((delegate) => delegate.messages.length === 5);
    expect(settle).toHaveLength(5);
    for (let i = 1; i < 8; i++) {
      await side.delegate.until((delegate) => delegate.messages.length > i);
      settle[i]!();
      await peer.frame();
    }
  });

  it('maxPendingRequests: so many are sent, one more waits for a response', async () => {
    await using open = await openWithPeer({ limits: { maxPendingRequests: 2 } });
    const { side, peer } = open;
    const sent = ['one', 'two', 'three'].map((body) => side.session.sendMessage(text(body)));
    const first = await peer.frame();
    const second = await peer.frame();
    expect((await peer.visit(side.uri, 'probe')).id).toBe('probe');
    peer.answer(first);
    const third = await peer.frame();
    expect(third.body!.toString()).toBe('three');
    peer.answer(second);
    peer.answer(third);
    await Promise.all(sent);
  });

  it('a peer that does not read: bounded memory, then stalledPeerMs closes', async () => {
    const clock = new ManualClock();
    let written = 0;
    await using open = await openWithPeer({
      clock,
      limits: { responseMs: 1_000_000 },
      tap: (record) => (written += record.direction === 'out' ? record.bytes.length : 0),
    });
    const { side, peer } = open;
    peer.socket.pause();
    const body = Buffer.alloc(10 * 1024 * 1024);
    const sent = Array.from({ length: 4 }, () =>
      side.session.sendMessage(text(body)).catch((error: unknown) => error),
    );
    // The kernel's buffers fill; after that the timer of the stalled peer is all that is left to happen.
    let handled = 0;
    while (clock.pending < 2 && handled++ < 1_000) await new Promise((done) => setImmediate(done));
    for (let i = 0; i < 200; i++) await new Promise((done) => setImmediate(done));
    // What the kernel took and the high-water mark, not the 40 MB that wait.
    const taken = written;
    clock.advance(60_000);
    clock.advance(60_000);
    for (const outcome of await Promise.all(sent))
      expect(outcome).toMatchObject({ code: 'MSRP_PEER_STALLED' });
    expect(side.delegate.closes).toMatchObject([{ code: 'MSRP_PEER_STALLED' }]);
    expect(taken).toBeLessThan(20 * 1024 * 1024);
    expect(written).toBe(taken);
  });

  it('a peer that never reads while a file goes to it: bounded memory, and others are served', async () => {
    let taken = 0;
    let released = 0;
    const piece = Buffer.alloc(64 * 1024);
    const size = 1024 ** 3;
    await using open = await openWithPeer();
    const { side, peer } = open;
    peer.socket.pause();
    const file = side.session.sendMessage({
      ...text(''),
      body: {
        size,
        open: () => undefined,
        take: (maxBytes) => {
          taken += Math.min(maxBytes, piece.length);
          return piece.subarray(0, maxBytes);
        },
        release: (bytes) => (released += bytes),
        close: () => undefined,
      },
    });
    const refused = file.catch((error: unknown) => error);
    const other = side.createSession();
    await using friend = await MsrpPeer.connect(side.port);
    const bound = other.session.awaitVisit(path(friend.path));
    await friend.visit(other.uri);
    await bound;
    for (let round = 0; round < 200; round++) {
      const sent = other.session.sendMessage(text('unharmed'));
      friend.answer(await friend.frame());
      expect(await sent).toEqual({ status: 200 });
    }
    expect(taken - released).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(taken).toBeLessThan(16 * 1024 * 1024);
    side.session.destroy();
    expect(await refused).toMatchObject({ code: 'MSRP_SESSION_CLOSED' });
  });

  it('a connection that trickles is no burden: the frame comes, however slowly (RFC 4975 §9)', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const frame = requestText({
      id: 'trickle1',
      to: side.uri,
      from: peer.path,
      headers: { 'Message-ID': 'slow', 'Byte-Range': '1-9/9', 'Content-Type': 'text/plain' },
      body: 'drip drop',
    });
    for (const byte of frame) {
      peer.send(Buffer.of(byte));
      await new Promise((done) => setImmediate(done));
    }
    expect((await peer.frame()).kind).toBe('200 OK');
    expect(side.delegate.messages.map(({ body }) => body.toString())).toEqual(['drip drop']);
  });
});

describe('timers and ceilings of connections', () => {
  it('firstFrameMs: a peer that never sends is cut, not before', async () => {
    const clock = new ManualClock();
    await using side = await openSide({ clock });
    await using silent = await MsrpPeer.connect(side.port);
    await using visitor = await MsrpPeer.connect(side.port);
    await using lost = await MsrpPeer.connect(side.port);
    await visitor.visit(side.uri);
    expect((await lost.visit('msrp://127.0.0.1:1/none;tcp')).kind).toBe('481 No Such Session');
    clock.advance(9_999);
    expect((await lost.visit('msrp://127.0.0.1:1/none;tcp')).kind).toBe('481 No Such Session');
    expect(silent.ended || silent.closed).toBe(false);
    clock.advance(1);
    await silent.untilEnded();
    await lost.untilEnded();
    expect((await visitor.visit(side.uri)).kind).toBe('200 OK');
  });

  it('partialFrameMs: a frame that is not ended, and does not grow, closes the connection', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock, limits: { partialFrameMinBytes: 100 } });
    const { side, peer } = open;
    const headers = { 'Message-ID': 'aaaa', 'Content-Type': 'a/b' };
    const frame = requestText({
      id: 'tid1',
      to: side.uri,
      from: peer.path,
      headers,
      body: Buffer.alloc(1_000),
    });
    const before = clock.pending;
    const sendPart = async (from: number, to: number, bytes: number) => {
      peer.send(frame.subarray(from, to));
      while (side.session.state === 'bound' && peer.socket.bytesWritten < bytes) {
        await new Promise((done) => setImmediate(done));
      }
    };
    await sendPart(0, 500, 0);
    while (clock.pending === before) await new Promise((done) => setImmediate(done));
    clock.advance(59_999);
    expect(side.session.state).toBe('bound');
    clock.advance(1);
    await peer.untilEnded();
    expect(side.delegate.closes).toMatchObject([{ code: 'MSRP_FRAME_TIMEOUT' }]);
  });

  it('connectTimeoutMs: connecting is given up after it', async () => {
    const clock = new ManualClock();
    await using side = await openSide({ clock });
    // TEST-NET-1 (RFC 5737): nobody answers. Where it is not routed at all, the failure comes at once.
    const visit = side.session.visit(path('msrp://192.0.2.1:2855/x;tcp')).catch((error: unknown) => error);
    clock.advance(3_000);
    expect((await visit) as object).toHaveProperty(
      'code',
      expect.stringMatching(/^MSRP_CONNECT_(TIMEOUT|FAILED|REFUSED)$/),
    );
    expect(side.session.state).toBe('listening');
  });

  it('maxConnectionsPerAddress: at the limit passes, one over is cut', async () => {
    await using side = await openSide({ limits: { maxConnectionsPerAddress: 2 } });
    const one = await MsrpPeer.connect(side.port);
    await using two = await MsrpPeer.connect(side.port);
    expect((await one.visit(side.uri)).kind).toBe('200 OK');
    expect((await two.visit(side.uri)).kind).toBe('200 OK');
    await using three = await MsrpPeer.connect(side.port);
    await three.untilEnded();
    await one[Symbol.asyncDispose]();
    let again = await MsrpPeer.connect(side.port);
    again.send(
      requestText({ id: 'tid1', to: side.uri, from: again.path, headers: { 'Message-ID': 'aaaa' } }),
    );
    while ((await again.frame().catch(() => undefined)) === undefined) {
      await again[Symbol.asyncDispose]();
      again = await MsrpPeer.connect(side.port);
      again.send(
        requestText({ id: 'tid1', to: side.uri, from: again.path, headers: { 'Message-ID': 'aaaa' } }),
      );
    }
    await again[Symbol.asyncDispose]();
  });

  it('maxConnections: at the limit passes, one over is cut', async () => {
    await using side = await openSide({ limits: { maxConnections: 1 } });
    await using one = await MsrpPeer.connect(side.port);
    expect((await one.visit(side.uri)).kind).toBe('200 OK');
    await using two = await MsrpPeer.connect(side.port);
    await two.untilEnded();
  });

  it('finWaitMs: a peer that never sends FIN does not hold up close', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock });
    const closed = open.side.session.close();
    await open.peer.untilEnded();
    clock.advance(1_000);
    await closed;
  });

  it('an endpoint disposes of everything that it opened', async () => {
    const side = await openSide();
    await using stranger = await MsrpPeer.connect(side.port);
    await using listener = await MsrpPeerListener.listen();
    const visit = side.session.visit(path(listener.path)).catch((error: unknown) => error);
    await listener.accept();
    await side[Symbol.asyncDispose]();
    await stranger.untilEnded();
    expect(await visit).toHaveProperty('code');
    expect(() => side.createSession()).toThrow('does not listen');
  });
});
