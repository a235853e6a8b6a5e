/** Ceilings of the relay: at the limit it works, one more does not. And what it refuses whoever asks. */
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { MsrpRelayOptions } from '../../main/imserver/msrp-relay.ts';
import { isInnerAddress } from '../../main/imserver/inner-address.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeerListener, requestText } from '../support/msrp-peer.ts';
import { RelayWorld, type RelayClient } from './relay-fixture.ts';

async function open(
  limits: MsrpRelayOptions['limits'] = {},
  more: Partial<MsrpRelayOptions> = {},
): Promise<{ world: RelayWorld; clock: ManualClock } & AsyncDisposable> {
  const clock = new ManualClock();
  const world = await RelayWorld.open({ clock, limits: { ...limits }, ...more });
  return { world, clock, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

const content = (id: string, body: string | Buffer) => ({
  headers: {
    'Message-ID': id,
    'Byte-Range': `1-${body.length}/${body.length}`,
    'Content-Type': 'text/plain',
  },
  body,
});

/** The status of the answer to the request `id`; reports and other answers in between are passed over. */
async function statusOf(client: RelayClient, id: string): Promise<string> {
  for (;;) {
    const frame = await client.frame();
    if (frame.id === id) return frame.kind.slice(0, 3);
  }
}

describe('as many as there may be, and not one more', () => {
  it('places of all users', async () => {
    await using side = await open({ maxPlaces: 2 });
    await using _bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    await using eve = await side.world.connect('eve');
    expect((await eve.signIn('eve')).kind).toMatch(/^403/);
    // Who has one keeps it, and the place of who goes is free.
    expect((await tom.answerChallenge('tom', { nc: 2 })).kind).toBe('200 OK');
    await tom[Symbol.asyncDispose]();
    await expect.poll(() => side.world.relay.places.size).toBe(1);
    await using later = await side.world.connect('eve');
    expect((await later.signIn('eve')).kind).toBe('200 OK');
  });

  it('next hops of one place', async () => {
    await using side = await open({ maxNextHopsPerPlace: 1 });
    await using first = await MsrpPeerListener.listen();
    await using second = await MsrpPeerListener.listen();
    await using tom = await side.world.join('tom');
    for (const [id, listener, status] of [
      ['hop1', first, '200'],
      ['hop2', second, '408'],
    ] as const) {
      tom.post(id, listener.path, content(id, 'x'));
      expect(await statusOf(tom, id)).toBe(status);
    }
    // Two sessions to the same place share the connection.
    tom.post('hop3', first.path.replace('/listener;', '/another;'), content('hop3', 'x'));
    expect(await statusOf(tom, 'hop3')).toBe('200');
  });

  it('connections from one address', async () => {
    await using side = await open({ maxConnectionsPerAddress: 2 });
    await using _one = await side.world.join('bob');
    await using _two = await side.world.join('tom');
    await using three = await side.world.connect('eve');
    await three.untilEnded();
    await using elsewhere = await side.world.connect('eve', '127.0.0.2');
    expect((await elsewhere.signIn('eve')).kind).toBe('200 OK');
  });

  it('requests of one way without an answer; those that want only failures do not count', async () => {
    await using side = await open({ maxAwaited: 4 });
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    for (let index = 0; index < 12; index++) {
      const { headers, body } = content(`p${index}`, 'x');
      tom.post(`part${index}`, bob.route, { headers: { ...headers, 'Failure-Report': 'partial' }, body });
      expect((await bob.frame()).headers.get('Message-ID')).toBe(`p${index}`);
    }
    for (let index = 0; index < 5; index++) tom.post(`full${index}`, bob.route, content(`f${index}`, 'x'));
    for (let index = 0; index < 4; index++) expect(await statusOf(tom, `full${index}`)).toBe('200');
    const frames = [await bob.frame(), await bob.frame(), await bob.frame(), await bob.frame()];
    expect(bob.received).toHaveLength(0);
    bob.answer(frames[0]!);
    expect((await bob.frame()).headers.get('Message-ID')).toBe('f4');
  });

  it('bytes of a chunk that is passed on whole', async () => {
    await using side = await open({ maxFixedChunkBytes: 10_000 });
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    for (const [size, pieces] of [
      [10_000, 1],
      [150_000, 3],
    ] as const) {
      tom.post(`x${size}`, bob.route, content(`m${size}`, Buffer.alloc(size, 'x')));
      let [count, got] = [0, 0];
      for (; got < size; count++) {
        const frame = await bob.frame();
        got += frame.body?.length ?? 0;
        bob.answer(frame);
      }
      expect(count).toBe(pieces);
    }
  });

  it('the time that a sender is held up for a slow reader; then he is told', async () => {
    await using side = await open({ maxQueuedBytes: 200_000 });
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    bob.socket.pause();
    let written = 0;
    while (tom.socket.writableLength < 1_000_000) {
      tom.post(`h${written}`, bob.route, content(`h${written++}`, Buffer.alloc(60_000, 'h')));
      await new Promise((done) => setImmediate(done));
    }
    side.clock.advance(19_999);
    expect(tom.received.includes(' 408 ')).toBe(false);
    side.clock.advance(1);
    for (;;) if ((await tom.frame()).kind.startsWith('408')) break;
    // What waited for Bob is still his.
    bob.socket.resume();
    expect((await bob.frame()).headers.get('Message-ID')).toBe('h0');
  });

  it('bytes that wait for all slow readers together: then each may have only the least', async () => {
    await using side = await open({
      maxTotalQueuedBytes: 1_000_000,
      maxQueuedBytes: 100_000_000,
      minQueuedBytes: 10_000,
    });
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    bob.socket.pause();
    for (let index = 0; tom.socket.writableLength < 1_000_000 && index < 5_000; index++) {
      tom.post(`t${index}`, bob.route, content(`t${index}`, Buffer.alloc(60_000, 't')));
      await new Promise((done) => setImmediate(done));
    }
    expect(side.world.relay.queuedBytes).toBeGreaterThan(1_000_000);
    expect(side.world.relay.queuedBytes).toBeLessThan(1_200_000);
  });
});

describe('whoever asks', () => {
  it('a message that has failed is refused at once when more of it comes', async () => {
    await using side = await open();
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    const headers = (range: string) => ({
      'Message-ID': 'long',
      'Byte-Range': range,
      'Content-Type': 'text/plain',
    });
    tom.post('part1', bob.route, { headers: headers('1-2/6'), body: 'ab', flag: '+' });
    bob.answer(await bob.frame(), 413, 'Stop Sending');
    expect(await statusOf(tom, 'part1')).toBe('200');
    expect((await tom.frame()).headers.get('Status')).toBe('000 413 Stop Sending');
    tom.post('part2', bob.route, { headers: headers('3-6/6'), body: 'cdef' });
    expect(await statusOf(tom, 'part2')).toBe('413');
    tom.post('other', bob.route, content('other', 'x'));
    expect((await bob.frame()).headers.get('Message-ID')).toBe('other');
  });

  it('a way that nobody uses is forgotten, and found again', async () => {
    await using side = await open();
    await using bob = await side.world.join('bob');
    await using tom = await side.world.join('tom');
    tom.post('w1', bob.route, content('w1', 'x'));
    bob.answer(await bob.frame());
    expect(await statusOf(tom, 'w1')).toBe('200');
    await expect.poll(() => side.world.relay.streamCount).toBe(1);
    side.clock.advance(10 * 60_000 + 1);
    await side.world.relay.sweep();
    expect(side.world.relay.streamCount).toBe(0);
    tom.post('w2', bob.route, content('w2', 'x'));
    expect((await bob.frame()).headers.get('Message-ID')).toBe('w2');
  });

  it('without TLS nobody is let in, unless the configuration says so', async () => {
    await using side = await open({}, { plain: false });
    const socket = net.connect({ host: '127.0.0.1', port: side.world.relay.port });
    socket.on('error', () => undefined);
    socket.write(requestText({ id: 'auth', method: 'AUTH', to: side.world.uri, from: 'msrp://a:1/b;tcp' }));
    const answered: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => answered.push(bytes));
    await once(socket, 'close');
    expect(answered).toEqual([]);
  });

  it('a server that others reach opens nothing on its own computer or cable for its users', async () => {
    await using side = await open({}, { host: '0.0.0.0', name: '127.0.0.1' });
    await using inside = await MsrpPeerListener.listen();
    await using tom = await side.world.join('tom');
    tom.post('in1', inside.path, content('in1', 'x'));
    expect(await statusOf(tom, 'in1')).toBe('408');
    tom.post('in2', inside.path.replace('127.0.0.1', 'localhost'), content('in2', 'x'));
    expect(await statusOf(tom, 'in2')).toBe('408');
    for (const host of [
      '127.8.9.1',
      '169.254.169.254',
      '::1',
      '::ffff:127.0.0.1',
      'fe80::1',
      'x.localhost',
      '0.0.0.0',
      '224.0.0.1',
    ])
      expect(isInnerAddress(host), host).toBe(true);
    for (const host of ['192.0.2.1', '10.1.2.3', '2001:db8::1', 'chat.example.org'])
      expect(isInnerAddress(host), host).toBe(false);
  });

  it('while it drains nobody new gets a place, and whoever has one renews it', async () => {
    await using side = await open();
    await using bob = await side.world.join('bob');
    side.world.relay.draining = true;
    await using tom = await side.world.connect('tom');
    expect((await tom.signIn('tom')).kind).toMatch(/^408/);
    expect((await bob.answerChallenge('bob', { nc: 2 })).kind).toBe('200 OK');
  });
});
