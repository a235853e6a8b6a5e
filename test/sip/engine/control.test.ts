import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTROL_LIMITS } from '../../../main/base/limits.ts';
import { ControlPeer } from '../../support/control-peer.ts';
import { callPeer, establishInbound, SECRET, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

async function fresh(): Promise<ControlPeer> {
  return bench.own(await ControlPeer.connect(bench.admin));
}

describe('authentication of an application', () => {
  it('is answered with sockets and version', async () => {
    const app = await fresh();
    const hostports = `tcp/127.0.0.1:${bench.port},udp/127.0.0.1:${bench.port}`;
    const answer = await app.ask(['authenticate', SECRET]);
    expect(answer.tokens.slice(3)).toEqual([
      'OK',
      hostports,
      expect.stringMatching(/^v\d+\.\d+\.\d+/),
      hostports,
    ]);
  });

  it('with the wrong secret is refused and closed', async () => {
    const app = await fresh();
    const answer = await app.ask(['authenticate', 'nope', '']);
    expect(answer.tokens.slice(3)).toEqual(['NO', 'incorrect secret']);
    await app.closed;
  });

  it.each(['ping', 'route', 'sip', 'proxy', 'frobnicate'])('comes before %s', async (type) => {
    const app = await fresh();
    expect((await app.ask([type, 'invite'])).tokens.slice(3)).toEqual(['NO', 'not authenticated']);
    await app.closed;
  });

  it('has to come within 5 s', async () => {
    const app = await fresh();
    // A second connection that was answered proves that the first one was accepted.
    await (await fresh()).ask(['authenticate', SECRET, '']);
    bench.clock.advance(CONTROL_LIMITS.authenticateMs);
    await app.closed;
    expect((await bench.app.ask(['ping'])).token(4)).toBe('pong');
  });

  it('not more applications than the ceiling', async () => {
    for (let i = 1; i < CONTROL_LIMITS.maxConnections; i += 1)
      await (await fresh()).ask(['authenticate', SECRET, '']);
    await (
      await fresh()
    ).closed;
    expect((await bench.app.ask(['ping'])).token(4)).toBe('pong');
  });
});

describe('frames', () => {
  it.each([
    ['an unknown type', (app: ControlPeer) => app.ask(['frobnicate', 'x']), ['NO', 'Unknown message type']],
    [
      'a response without a transaction',
      (app: ControlPeer) => app.ask(['sip', '', ''], 'SIP/2.0 200 OK\r\n\r\n'),
      ['NO', 'transaction id missing'],
    ],
    ['one token', (app: ControlPeer) => app.ask([]), ['NO', 'Invalid message format']],
  ])('%s is refused and closes the connection', async (_title, send, expected) => {
    expect((await send(bench.app)).tokens.slice(3)).toEqual(expected);
    await bench.app.closed;
  });

  it.each(['xy#abc|ping', '#abc|ping', '0#', '123456789', '4194305#'])(
    'a length that is none closes the connection: %s',
    async (bytes) => {
      bench.app.write(bytes);
      await bench.app.closed;
    },
  );

  it('may have leading zeros and be glued', async () => {
    bench.app.write('00008#abc|ping8#abd|ping');
    for (const id of ['abc', 'abd']) {
      await bench.app.frames.next(({ tokens }) => tokens[2] === id && tokens[4] === 'pong', `pong ${id}`);
    }
  });

  it('may be cut at every offset', async () => {
    const bytes = Buffer.from('8#abc|ping');
    for (let cut = 1; cut < bytes.length; cut += 1) {
      bench.app.write(bytes.subarray(0, cut));
      await new Promise((done) => setImmediate(done));
      bench.app.write(bytes.subarray(cut));
      await bench.app.frames.next(
        ({ tokens }) => tokens[2] === 'abc' && tokens[4] === 'pong',
        `pong after a cut at ${cut}`,
      );
    }
  });

  it('of any size up to the ceiling: 60 KB of body over UDP, 900 KB over TCP', async () => {
    const { app, peer, port } = bench;
    await app.request(
      `MESSAGE sip:x@127.0.0.1:${peer.port}`,
      ['Content-Type: text/plain'],
      'x'.repeat(60_000),
    );
    expect((await peer.request('MESSAGE')).body).toHaveLength(60_000);
    const tooLarge = await app.request(
      `MESSAGE sip:x@127.0.0.1:${peer.port}`,
      ['Content-Type: text/plain'],
      'x'.repeat(66_000),
    );
    expect(tooLarge.tokens.slice(3)).toEqual(['NOK', 'message too large for udp']);
    const tcp = await bench.tcpPeer();
    await tcp.send(tcp.build('MESSAGE', { body: 'y'.repeat(900_000), contentType: 'text/plain' }));
    const frame = await app.sip('MESSAGE');
    expect(frame.sip?.body).toHaveLength(900_000);
    await app.respond(frame.transactionId, 200, 'OK', ['Content-Type: text/plain'], 'z'.repeat(900_000));
    expect((await tcp.response(200, 'MESSAGE')).body).toHaveLength(900_000);
    expect(port).toBeGreaterThan(0);
  });

  it.each([
    ['SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n', 'Response not sent due to unknown transaction'],
    [
      'SIP/2.0 200 OK\r\nCSeq: 1 CANCEL\r\n\r\n',
      '200 OK to incoming CANCEL is automatically generated by the stack',
    ],
  ])('a response to nothing is a NOK', async (sip, text) => {
    expect((await bench.app.ask(['sip', randomUUID(), ''], sip)).tokens.slice(3)).toEqual(['NOK', text]);
  });

  it('requests in dialogs that are none are NOKs', async () => {
    const { app } = bench;
    expect((await app.inDialog('nosuch;from-tag=x', 'INFO')).token(4)).toBe(
      'Server error: unable to find dialog for dialog id provided',
    );
    expect((await app.inDialog('nosuch;from-tag=x', 'ACK')).token(4)).toBe(
      'Server error: ACK for non-success final response is automatically generated by server',
    );
  });

  it('proxying is refused in plain words', async () => {
    const { app, peer, port } = bench;
    const unknown = await app.ask(
      ['proxy', 'nope', '', '', '', 'serial', '', '', 'sip:x@127.0.0.1'],
      'INVITE sip:x SIP/2.0\r\n\r\n',
    );
    expect(unknown.tokens.slice(3)).toEqual(['NOK', 'Unknown transaction id: nope']);
    await peer.send(peer.build('MESSAGE'), port);
    const frame = await app.sip('MESSAGE');
    const known = await app.ask(
      ['proxy', frame.transactionId, '', '', '', 'serial', '', '', 'sip:x@127.0.0.1'],
      'MESSAGE sip:x SIP/2.0\r\n\r\n',
    );
    expect(known.tokens.slice(3)).toEqual(['NOK', 'proxying is not supported by this engine']);
    await app.respond(frame.transactionId, 403);
    await peer.response(403, 'MESSAGE');
  });
});

describe('order of frames', () => {
  it('the echo of a request comes before everything about it, under load', async () => {
    const { app, peer } = bench;
    const count = 100;
    const ids = Array.from({ length: count }, () =>
      app.sendFrame(['sip', '', ''], `OPTIONS sip:x@127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`),
    );
    for (let i = 0; i < count; i += 1) {
      const options = await peer.request('OPTIONS');
      await peer.answer(options, 180);
      await peer.answer(options, 200);
      await new Promise((done) => setImmediate(done));
    }
    for (let i = 0; i < count; i += 1) await app.sip('SIP/2.0 200');
    const known = new Set<string>();
    for (const frame of app.log) {
      if (frame.type === 'response' && ids.includes(frame.token(2))) known.add(frame.token(10));
      if (frame.type === 'sip') expect(known.has(frame.transactionId)).toBe(true);
    }
    expect(known.size).toBe(count);
  });

  it('the echo of a 200 comes before the ACK of that call', async () => {
    const { app } = bench;
    await establishInbound(bench);
    const echo = app.log.findIndex(
      ({ type, startLine }) => type === 'response' && startLine.startsWith('SIP/2.0 200'),
    );
    const ack = app.log.findIndex(({ startLine }) => startLine.startsWith('ACK'));
    expect(echo).toBeGreaterThanOrEqual(0);
    expect(ack).toBeGreaterThan(echo);
  });
});

describe('several applications', () => {
  it('take turns, the most recent first; remove_route takes only its verb', async () => {
    const { app, peer, port } = bench;
    const second = bench.own(await ControlPeer.open(bench.admin, SECRET, ['message', 'options']));
    for (let i = 0; i < 4; i += 1) await peer.send(peer.build('MESSAGE', { callId: `turn-${i}` }), port);
    await peer.fence(port);
    await Promise.all([app.ask(['ping']), second.ask(['ping'])]);
    const turnsOf = (one: ControlPeer): string[] =>
      one.log.filter(({ type }) => type === 'sip').map(({ sip }) => sip?.header('Call-ID') ?? '');
    expect([turnsOf(second), turnsOf(app)]).toEqual([
      ['turn-0', 'turn-2'],
      ['turn-1', 'turn-3'],
    ]);
    await second.ask(['remove_route', 'message']);
    await peer.send(peer.build('OPTIONS'), port);
    await second.sip('OPTIONS');
  });

  it('do not answer for each other', async () => {
    const { peer, port, app } = bench;
    const second = bench.own(await ControlPeer.open(bench.admin, SECRET, []));
    await peer.send(peer.build('MESSAGE'), port);
    const frame = await app.sip('MESSAGE');
    expect((await second.respond(frame.transactionId, 200)).token(3)).toBe('NOK');
    const call = await establishInbound(bench);
    expect((await second.inDialog(call.dialogId, 'BYE')).token(3)).toBe('NOK');
  });
});

describe('an application that leaves', () => {
  it('its dialogs answer 481, its open requests 503', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await peer.send(peer.build('MESSAGE'), port);
    await app.sip('MESSAGE');
    app.end();
    await peer.response(503, 'MESSAGE');
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 2 }), port);
    await peer.response(481, 'BYE');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('its INVITE is cancelled; a 200 that comes nevertheless is acknowledged and hung up', async () => {
    const { app, peer } = bench;
    const { invite } = await callPeer(bench);
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    app.end();
    await peer.request('CANCEL');
    await peer.answer(invite, 200, { body: SDP });
    await peer.request('ACK');
    await peer.request('BYE');
  });
});

describe('a dialled application (srf.listen on a Unix socket)', () => {
  let server: Server;
  let path: string;
  let accepted: ControlPeer[];

  beforeEach(async () => {
    path = join(tmpdir(), `engine-${randomUUID()}.sock`);
    accepted = [];
    server = createServer((socket) => accepted.push(bench.own(new ControlPeer(socket))));
    server.listen(path);
    await once(server, 'listening');
  });

  afterEach(async () => {
    for (const app of accepted) app[Symbol.dispose]();
    if (server.listening) await new Promise((done) => server.close(done));
  });

  async function application(index: number): Promise<ControlPeer> {
    while (accepted[index] === undefined) await once(server, 'connection');
    return accepted[index];
  }

  it('speaks first, gets every known method without routing it, and no unknown one', async () => {
    const dialled = bench.engine.dialApplication(path);
    const app = await application(0);
    await app.ask(['authenticate', SECRET, '']);
    await dialled;
    bench.app.end();
    await bench.app.closed;
    const { peer, port } = bench;
    for (const method of ['PUBLISH', 'REFER', 'MESSAGE']) {
      await peer.send(peer.build(method), port);
      await app.sip(method);
    }
    await peer.send(peer.build('FROB'), port);
    await peer.response(501, 'FROB');
  });

  it('is dialled again after 100 ms when it closes the connection', async () => {
    const dialled = bench.engine.dialApplication(path);
    const first = await application(0);
    await first.ask(['authenticate', SECRET, '']);
    await dialled;
    first.end();
    await first.closed;
    // The engine notices on its side; its next dial waits for the clock.
    while (accepted.length < 2) {
      bench.clock.advance(100);
      await new Promise((done) => setImmediate(done));
    }
    expect((await (await application(1)).ask(['authenticate', SECRET, ''])).token(3)).toBe('OK');
  });

  it('with the wrong secret is an error', async () => {
    const dialled = bench.engine.dialApplication(path);
    const refused = expect(dialled).rejects.toThrow('secret');
    await (await application(0)).ask(['authenticate', 'nope', '']);
    await refused;
  });

  it('that was known and comes back with the wrong secret is dialled again', async () => {
    const dialled = bench.engine.dialApplication(path);
    const first = await application(0);
    await first.ask(['authenticate', SECRET, '']);
    await dialled;
    await first.ask(['authenticate', 'nope', '']);
    await first.closed;
    while (accepted.length < 2) {
      bench.clock.advance(100);
      await new Promise((done) => setImmediate(done));
    }
    expect((await (await application(1)).ask(['authenticate', SECRET, ''])).token(3)).toBe('OK');
  });

  it('may come later: it is dialled until it is there', async () => {
    await new Promise((done) => server.close(done));
    const dialled = bench.engine.dialApplication(path);
    server = createServer((socket) => accepted.push(bench.own(new ControlPeer(socket))));
    server.listen(path);
    while (accepted.length === 0) {
      bench.clock.advance(2_000);
      await new Promise((done) => setImmediate(done));
    }
    await (await application(0)).ask(['authenticate', SECRET, '']);
    await dialled;
  });

  it('an engine that ends gives up', async () => {
    await using other = await startBench();
    const dialled = other.engine.dialApplication(join(tmpdir(), `nobody-${randomUUID()}.sock`));
    const refused = expect(dialled).rejects.toThrow('engine closed');
    await other.engine[Symbol.asyncDispose]();
    await refused;
  });
});
