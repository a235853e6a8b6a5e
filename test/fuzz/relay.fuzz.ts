/**
 * Fuzzes the relay: messages in any chunks, cut anywhere on their way, arrive as they were; anything on a socket disturbs
 * nobody else, and nothing of it stays behind.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requestText, type PeerFrame } from '../support/msrp-peer.ts';
import { RelayWorld, type RelayClient } from '../imserver/relay-fixture.ts';
import { assertWith, freshMs, seedsOf } from './seeds.ts';

const KEPT_RUNS = 12;
const FRESH_MS = freshMs(2_000);

/** One message of one session: its chunks, and whether they may be interrupted. */
const message = fc.record({
  session: fc.constantFrom('one', 'two'),
  sizes: fc.array(fc.oneof(fc.nat(300), fc.nat(3_000), fc.nat(90_000)), { minLength: 1, maxLength: 4 }),
  fixed: fc.boolean(),
  totalKnown: fc.boolean(),
  hyphens: fc.boolean(),
});
const script = fc.record({
  messages: fc.array(message, { minLength: 1, maxLength: 5 }),
  cuts: fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 20 }),
});
type Script = typeof script extends fc.Arbitrary<infer T> ? T : never;

/** What a person who knows nothing of the relay makes of the frames that reach him. */
function collect(frames: readonly PeerFrame[]): Map<string, { body: Buffer; ended: boolean }> {
  const messages = new Map<string, { body: Buffer; ended: boolean }>();
  for (const { headers, body = Buffer.alloc(0), flag } of frames) {
    const id = headers.get('Message-ID') ?? '';
    const known = messages.get(id) ?? { body: Buffer.alloc(0), ended: false };
    const [, start] = /^(\d+)-/.exec(headers.get('Byte-Range') ?? '') ?? [];
    expect(Number(start), id).toBe(known.body.length + 1);
    expect(known.ended, id).toBe(false);
    messages.set(id, { body: Buffer.concat([known.body, body]), ended: flag === '$' });
  }
  return messages;
}

describe('the relay under fuzz (RFC 4976 §6)', () => {
  let world: RelayWorld;
  let bob: RelayClient;
  let tom: RelayClient;
  beforeAll(async () => {
    world = await RelayWorld.open({ limits: { flushMs: 1 } });
    bob = await world.join('bob');
    tom = await world.join('tom');
  });
  afterAll(async () => {
    await bob[Symbol.asyncDispose]();
    await tom[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  let serial = 0;

  async function play({ messages, cuts }: Script): Promise<void> {
    const sent = new Map<string, Buffer>();
    const requests: string[] = [];
    const bytes: Buffer[] = [];
    for (const { session, sizes, fixed, totalKnown, hyphens } of messages) {
      const id = `m${++serial}`;
      const whole = Buffer.alloc(
        sizes.reduce((sum, size) => sum + size, 0),
        hyphens ? '\r\n-------' : `${id} `,
      );
      sent.set(id, whole);
      let at = 0;
      for (const [index, size] of sizes.entries()) {
        const request = `${id}c${index}`;
        const end = fixed ? String(at + size) : '*';
        requests.push(request);
        bytes.push(
          requestText({
            id: request,
            to: `${tom.usePath} ${bob.usePath} ${bob.path.replace(';tcp', `-${session};tcp`)}`,
            from: tom.path,
            headers: {
              'Message-ID': id,
              'Byte-Range': `${at + 1}-${end}/${totalKnown ? whole.length : '*'}`,
              'Content-Type': 'text/plain',
            },
            body: whole.subarray(at, at + size),
            flag: index === sizes.length - 1 ? '$' : '+',
          }),
        );
        at += size;
      }
    }
    const stream = Buffer.concat(bytes);
    const writing = (async () => {
      let at = 0;
      for (let turn = 0; at < stream.length; turn++) {
        const cut = cuts[turn % cuts.length] ?? 1;
        // Small pieces are many: beyond the first ones the rest goes in larger ones.
        const size = turn < 60 ? cut : Math.max(cut, 20_000);
        tom.send(stream.subarray(at, at + size));
        at += size;
        await new Promise((done) => setImmediate(done));
      }
    })();
    const frames: PeerFrame[] = [];
    let left = sent.size;
    while (left > 0) {
      const frame = await bob.frame();
      bob.answer(frame);
      frames.push(frame);
      if (frame.flag === '$') left--;
    }
    await writing;
    const answers: string[] = [];
    while (answers.length < requests.length) {
      const { id, kind } = await tom.frame();
      expect(kind).toBe('200 OK');
      answers.push(id);
    }
    expect(answers.sort()).toEqual(requests.sort());
    const arrived = collect(frames);
    expect([...arrived.keys()].sort()).toEqual([...sent.keys()].sort());
    for (const [id, { body, ended }] of arrived) {
      expect(ended).toBe(true);
      expect(body.equals(sent.get(id) ?? Buffer.alloc(0)), id).toBe(true);
    }
    expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length);
    expect(world.relay.queuedBytes).toBe(0);
  }

  it('messages in any chunks arrive as they were', { timeout: 60_000 + FRESH_MS }, async () => {
    const property = fc.asyncProperty(script, play);
    for (const seed of seedsOf('relay')) await assertWith(property, seed, { runs: KEPT_RUNS, ms: FRESH_MS });
  });

  /** Parts of frames, right and wrong, in any order: what a broken or hostile program may send after its AUTH. */
  const noise = (own: RelayClient) => {
    const uri = fc.constantFrom(
      own.usePath,
      bob.usePath,
      bob.path,
      own.path,
      'msrp://127.0.0.1:1/x;tcp',
      'sip:x',
      '',
    );
    const path = fc.array(uri, { maxLength: 4 }).map((uris) => uris.join(' '));
    const frame = fc
      .record({
        method: fc.constantFrom(
          'SEND',
          'REPORT',
          'AUTH',
          'NICKNAME',
          'VISIT',
          '200 OK',
          '408',
          '999 x',
          'send',
        ),
        to: path,
        from: path,
        range: fc.constantFrom('1-*/*', '1-5/5', '9-3/1', '1-99999999999999999999/*', '1-*/10', ''),
        failure: fc.constantFrom('yes', 'no', 'partial', 'maybe'),
        body: fc.option(fc.string({ maxLength: 200 }), { nil: undefined }),
        flag: fc.constantFrom('$', '+', '#', '?'),
      })
      .map(({ method, to, from, range, failure, body, flag }) =>
        requestText({
          id: 'noise1',
          method,
          to,
          from,
          headers: {
            'Message-ID': 'n1',
            'Byte-Range': range,
            'Failure-Report': failure,
            'Content-Type': 'a/b',
          },
          ...(body === undefined ? {} : { body }),
          flag,
        }),
      );
    const garbage = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
    return fc.array(fc.oneof({ weight: 6, arbitrary: frame }, garbage), { maxLength: 12 });
  };

  it('anything on a socket disturbs nobody else', { timeout: 60_000 + FRESH_MS }, async () => {
    for (const { seed, kept } of seedsOf('relay')) {
      const ends = performance.now() + FRESH_MS;
      for (let round = 0; kept ? round < KEPT_RUNS : performance.now() < ends; round++) {
        const eve = await world.join('eve');
        const [pieces = []] = fc.sample(noise(eve), { seed: seed + round, numRuns: 1 });
        for (const piece of pieces) eve.send(piece);
        // Bob answers nothing of it, takes all of it, and goes on talking to Tom.
        const id = `after${++serial}`;
        tom.send(
          requestText({
            id,
            to: `${tom.usePath} ${bob.route}`,
            from: tom.path,
            headers: { 'Message-ID': id, 'Byte-Range': '1-2/2', 'Content-Type': 'text/plain' },
            body: 'ok',
          }),
        );
        for (;;) {
          const frame = await bob.frame();
          if (frame.headers.get('Message-ID') !== id) continue;
          expect(frame.body?.toString()).toBe('ok');
          bob.answer(frame);
          break;
        }
        while ((await tom.frame()).id !== id);
        await eve[Symbol.asyncDispose]();
      }
      await expect.poll(() => world.relay.places.size).toBe(2);
      expect(world.relay.queuedBytes).toBe(0);
    }
  });
});
