import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS, SIP_NETWORK_LIMITS } from '../../main/base/limits.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { newPeerBranch, SipPeer } from '../support/sip-peer.ts';
import { establishInbound, startBench, type Bench } from '../sip/engine/bench.ts';

const PATIENCE_MS = 5_000;
const certificate = hasOpenssl() ? new Authority('Hostile').issue({ names: ['IP:127.0.0.1'] }) : undefined;

let bench: Bench;

beforeEach(async () => {
  bench = await startBench({
    routes: ['invite', 'message', 'options'],
    ...(certificate ? { tls: certificate } : {}),
  });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

/** Waits for a condition that no event announces; `meanwhile` runs in each turn. */
async function until(condition: () => boolean, meanwhile: () => void = () => undefined): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('in vain');
    meanwhile();
    await new Promise((done) => setImmediate(done));
  }
}

/** Others are served meanwhile. */
async function expectService(): Promise<void> {
  await bench.peer.send(bench.peer.build('OPTIONS'), bench.port);
  await bench.app.respond((await bench.app.sip('OPTIONS')).transactionId, 200);
  await bench.peer.response(200, 'OPTIONS');
}

/** A bare connection: nothing is read as SIP. */
async function dial(port: number): Promise<{ socket: Socket; closed: () => boolean } & Disposable> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  let closed = false;
  socket.on('error', () => undefined);
  socket.on('close', () => (closed = true));
  socket.resume();
  return { socket, closed: () => closed, [Symbol.dispose]: () => socket.destroy() };
}

/** Has the engine cut it? Then what is written is answered with a reset. */
const isCut = (socket: Socket, closed: () => boolean) => until(closed, () => socket.write('\r\n'));

const request = (method: string, headers: readonly string[], body = ''): string =>
  [
    `${method} sip:app@127.0.0.1 SIP/2.0`,
    `Via: SIP/2.0/TCP 127.0.0.1:9;branch=${newPeerBranch()}`,
    'From: <sip:eve@127.0.0.1>;tag=eve',
    'To: <sip:app@127.0.0.1>',
    `Call-ID: ${newPeerBranch()}`,
    `CSeq: 1 ${method}`,
    'Max-Forwards: 70',
    ...headers,
    '',
    body,
  ].join('\r\n');

describe('slowloris', () => {
  it.each([
    ['a header without an end, byte by byte', 'OPTIONS sip:app@127.0.0.1 SIP/2.0\r\nX: '],
    ['a body without an end, byte by byte', request('MESSAGE', ['Content-Length: 1000'], 'x')],
  ])('%s: cut 10 s after its first byte, whatever it goes on to send', async (_what, begin) => {
    using slow = await dial(bench.port);
    slow.socket.write(begin);
    const { partialMessageMs } = SIP_LIMITS;
    for (let step = 1; step < 10; step += 1) {
      slow.socket.write('y');
      await expectService();
      bench.clock.advance(partialMessageMs / 10);
    }
    expect(slow.closed()).toBe(false);
    // Its first byte came some turns after the clock was looked at first.
    await until(slow.closed, () => {
      slow.socket.write('y');
      bench.clock.advance(partialMessageMs / 20);
    });
    await expectService();
  });

  it('single bytes of line ends are nothing begun: such a connection lives as long as any other', async () => {
    const peer = await bench.tcpPeer();
    for (let turn = 0; turn < 20; turn += 1) {
      await peer.send('\r\n\r\n');
      bench.clock.advance(SIP_LIMITS.partialMessageMs);
    }
    await peer.send(peer.build('OPTIONS'));
    await bench.app.respond((await bench.app.sip('OPTIONS')).transactionId, 200);
    await peer.response(200, 'OPTIONS');
  });

  it.runIf(hasOpenssl())(
    'a TLS handshake that never ends, and one that never begins: cut after 5 s (TLS)',
    async () => {
      const { port } = await bench.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
      using silent = await dial(port);
      using slow = await dial(port);
      await using honest = await SipPeer.tls(port);
      // The beginning of a ClientHello record that announces 512 bytes.
      slow.socket.write(Buffer.from('1603010200', 'hex'));
      for (let step = 0; step < 5; step += 1) {
        slow.socket.write(Buffer.from([1]));
        await expectService();
        bench.clock.advance(SIP_NETWORK_LIMITS.tlsHandshakeMs / 5);
      }
      for (const { socket, closed } of [silent, slow]) await isCut(socket, closed);
      await honest.send(honest.build('OPTIONS'));
      await bench.app.respond((await bench.app.sip('OPTIONS')).transactionId, 200);
      await honest.response(200, 'OPTIONS');
    },
  );

  it.runIf(hasOpenssl())('a message without an end inside TLS: cut after 10 s', async () => {
    const { port } = await bench.engine.listen({ transport: 'tls', host: '127.0.0.1', port: 0 });
    await using slow = await SipPeer.tls(port);
    await slow.send('OPTIONS sip:app@127.0.0.1 SIP/2.0\r\n');
    await until(
      () => slow.closed,
      () => {
        void slow.send('X');
        bench.clock.advance(SIP_LIMITS.partialMessageMs / 100);
      },
    );
    await expectService();
  });
});

describe('connections of which one side has ended (RFC 3261 §18.2.2)', () => {
  it('a peer that ends its side behind its requests gets all answers, then the end', async () => {
    const peer = bench.own(await SipPeer.tcp(bench.port, { allowHalfOpen: true }));
    await peer.send(peer.build('MESSAGE') + peer.build('OPTIONS'));
    peer.end();
    const [message, options] = [await bench.app.sip('MESSAGE'), await bench.app.sip('OPTIONS')];
    await expectService();
    await bench.app.respond(options.transactionId, 200);
    await peer.response(200, 'OPTIONS');
    bench.clock.advance(1_000);
    expect(peer.ended).toBe(false);
    await bench.app.respond(message.transactionId, 200);
    await peer.response(200, 'MESSAGE');
    await until(
      () => peer.ended,
      () => bench.clock.advance(100),
    );
  });

  it('without an answer of the application it ends after 64*T1', async () => {
    const peer = bench.own(await SipPeer.tcp(bench.port, { allowHalfOpen: true }));
    await peer.send(peer.build('MESSAGE'));
    peer.end();
    await bench.app.sip('MESSAGE');
    await expectService();
    bench.clock.advance(SIP_LIMITS.transactionTimeoutMs - 1);
    await expectService();
    expect(peer.ended).toBe(false);
    await until(
      () => peer.ended,
      () => bench.clock.advance(1),
    );
  });

  it('nothing new is sent on it: a request of ours takes a connection of its own', async () => {
    const listener = bench.own(await SipPeer.tcpListener());
    const peer = bench.own(await SipPeer.tcp(bench.port, { allowHalfOpen: true }));
    const contact = `<sip:peer@127.0.0.1:${listener.port};transport=tcp>`;
    const call = await establishInbound(bench, peer, { contact });
    await peer.send(peer.build('OPTIONS', { ...call.fields, cseq: 2 }));
    const options = await bench.app.sip('OPTIONS');
    peer.end();
    await expectService();
    await bench.app.inDialog(call.dialogId, 'BYE');
    await listener.request('BYE');
    await bench.app.respond(options.transactionId, 200);
    await peer.response(200, 'OPTIONS');
  });

  it('a peer that never ends its side after we have: cut after 10 s', async () => {
    using mute = await dial(bench.port);
    let ended = false;
    mute.socket.on('end', () => (ended = true));
    mute.socket.write('this is not SIP\r\n');
    await until(() => ended);
    expect(mute.closed()).toBe(false);
    bench.clock.advance(SIP_LIMITS.partialMessageMs);
    await isCut(mute.socket, mute.closed);
  });
});

describe('a peer that never reads', () => {
  /** 481 with a Via of 60 KB in it, written by the engine itself. */
  const large = (peer: SipPeer): string =>
    peer.build('UPDATE', {
      via: `SIP/2.0/TCP 127.0.0.1:9;branch=${newPeerBranch()};x=${'x'.repeat(60_000)}`,
    });

  it('is cut when 4 MB wait for it', async () => {
    const peer = await bench.tcpPeer();
    peer.pause();
    await until(
      () => bench.clock.pending > 0 && peer.closed,
      () => void peer.send(large(peer)),
    );
    await expectService();
  });

  it('is cut after 32 s when less waits for it, and a slow one is not', async () => {
    const [peer, slow] = [await bench.tcpPeer(), await bench.tcpPeer()];
    peer.pause();
    for (let count = 0; count < 120; count += 1) await peer.send(large(peer));
    await slow.send(large(slow));
    await slow.response(481, 'UPDATE');
    bench.clock.advance(SIP_LIMITS.stalledPeerMs + 1);
    await until(
      () => peer.closed,
      () => void peer.send('\r\n'),
    );
    await slow.send(large(slow));
    await slow.response(481, 'UPDATE');
  });
});

describe('Content-Length that is wrong (RFC 3261 §18.3, §20.14)', () => {
  const text = 'hello';

  it.each([
    ['negative', ['Content-Length: -5']],
    ['no number', ['Content-Length: five']],
    ['twice, with different values', ['Content-Length: 5', 'l: 6']],
    ['not there at all', []],
  ])('in a request on TCP, %s: 400 and the end of the connection', async (_what, headers) => {
    const peer = await bench.tcpPeer();
    await peer.send(request('MESSAGE', headers, text));
    await peer.response(400, 'MESSAGE');
    await until(() => peer.ended);
    await expectService();
  });

  it('twice, with the same value: passes', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(
      request('MESSAGE', ['Content-Type: text/plain', 'Content-Length: 5', 'Content-Length: 5'], text),
    );
    expect((await bench.app.sip('MESSAGE')).sip?.body).toBe(text);
  });

  it('too small on TCP: the message is taken, what is left of its body is not SIP and ends the connection', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(request('MESSAGE', ['Content-Type: text/plain', 'Content-Length: 2'], 'hello\r\nworld'));
    const message = await bench.app.sip('MESSAGE');
    expect(message.sip?.body).toBe('he');
    await bench.app.respond(message.transactionId, 200);
    await peer.response(200, 'MESSAGE');
    await until(
      () => peer.ended,
      () => bench.clock.advance(100),
    );
  });

  it('too large on TCP: waits for the rest, and is cut after 10 s', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(request('MESSAGE', ['Content-Type: text/plain', 'Content-Length: 50'], text));
    await until(
      () => peer.ended,
      () => bench.clock.advance(100),
    );
    await expectService();
    expect(bench.app.log.some(({ startLine }) => startLine.startsWith('MESSAGE'))).toBe(false);
  });

  it('in a request over UDP: too small cuts the body, too large and negative are 400', async () => {
    const { peer, port, app } = bench;
    const build = (length: number) =>
      peer
        .build('MESSAGE', { body: text, contentType: 'text/plain' })
        .replace('Content-Length: 5', `Content-Length: ${length}`);
    await peer.send(build(2), port);
    expect((await app.sip('MESSAGE')).sip?.body).toBe('he');
    for (const length of [6, -1]) {
      await peer.send(build(length), port);
      await peer.response(400, 'MESSAGE');
    }
  });

  it.each([6, -1, Number.NaN])(
    'in a response over UDP, %d: it is dropped, the right one is taken',
    async (length) => {
      const { peer, port, app } = bench;
      await app.request(`OPTIONS sip:peer@127.0.0.1:${peer.port}`);
      const options = await peer.request('OPTIONS');
      const good = peer.reply(options, 200, { body: text });
      await peer.send(
        good.replace('200 Status', '299 Wrong').replace(/Length: 5/, `Length: ${length}`),
        port,
      );
      await peer.send(good, port);
      await app.sip('SIP/2.0 200');
      expect(app.frames.waiting.filter(({ type }) => type === 'sip')).toEqual([]);
    },
  );

  it.each([
    ['negative', '-5'],
    ['too large', '500'],
  ])(
    'in a response on TCP, %s: its connection ends, the request goes on another one',
    async (_what, length) => {
      const listener = bench.own(await SipPeer.tcpListener());
      await bench.app.request(`OPTIONS sip:peer@127.0.0.1:${listener.port};transport=tcp`);
      const options = await listener.request('OPTIONS');
      await listener.send(
        listener.reply(options, 200, { body: text }).replace(/Length: 5/, `Length: ${length}`),
      );
      await until(
        () => listener.connections === 2,
        () => bench.clock.advance(100),
      );
      await listener.answer(await listener.request('OPTIONS'), 299, { body: text });
      await bench.app.sip('SIP/2.0 299');
      expect(bench.app.log.filter(({ startLine }) => startLine.startsWith('SIP/2.0 2'))).toHaveLength(1);
    },
  );
});

describe('what is no SIP between messages', () => {
  it('on TCP: what came before it is still answered, what comes behind it is not read', async () => {
    const peer = await bench.tcpPeer();
    await peer.send(`${peer.build('MESSAGE')}\r\n\r\nsome garbage\r\n\r\n${peer.build('OPTIONS')}`);
    const message = await bench.app.sip('MESSAGE');
    await expectService();
    await bench.app.respond(message.transactionId, 200);
    await peer.response(200, 'MESSAGE');
    await until(
      () => peer.ended,
      () => bench.clock.advance(100),
    );
  });

  it('100 000 bytes of headers, and one line of 64 KB, pass', async () => {
    const peer = await bench.tcpPeer();
    const line = `X-Long: ${'x'.repeat(65_536)}`;
    const many = Array.from({ length: 400 }, (_, index) => `X-${index}: ${'y'.repeat(240)}`);
    for (const headers of [[line], many]) {
      await peer.send(peer.build('OPTIONS', { headers }));
      const options = await bench.app.sip('OPTIONS');
      expect(options.sip?.text).toContain(headers.at(-1));
      await bench.app.respond(options.transactionId, 200);
      await peer.response(200, 'OPTIONS');
    }
  });

  it('over UDP a line of 60 KB passes too, and its answer comes back', async () => {
    const { peer, port, app } = bench;
    await peer.send(peer.build('OPTIONS', { headers: [`X-Long: ${'x'.repeat(60_000)}`] }), port);
    await app.respond((await app.sip('OPTIONS')).transactionId, 200);
    await peer.response(200, 'OPTIONS');
  });
});
