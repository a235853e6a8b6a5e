import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import { imserverMigrations } from '../../main/store/migrations/imserver.ts';
import { DOMAIN, World } from '../support/im-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ENGINES, ENGINE_START_MS } from '../support/postgres.ts';
import { RawDevice } from '../support/raw-device.ts';
import { eventually } from '../support/eventually.ts';

describe.each(ENGINES)('on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);
  let world: World;
  let clock: ManualClock;
  let bob: RawDevice;
  const DAY_MS = 24 * 60 * 60_000;

  beforeEach(async () => {
    clock = new ManualClock();
    world = await World.open(['bob', 'eve', 'tom'], {
      clock,
      storage: await storage(),
      limits: { maxDeferredPerUser: 4, maxDeferredPerSender: 3, maxDeferredBytes: 1_000 },
    });
    bob = world.own(await RawDevice.join('bob', world.port));
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const send = async (from: RawDevice, body: string, to = 'tom', contentType = 'text/plain') =>
    (
      await from.ask('MESSAGE', {
        uri: `sip:${to}@${DOMAIN}`,
        to: `<sip:${to}@${DOMAIN}>`,
        body,
        contentType,
      })
    ).status;

  /** What a device is sent, each answered 200. */
  async function receive(device: RawDevice, count: number): Promise<string[]> {
    const bodies = [];
    for (let index = 0; index < count; index++) {
      const message = await device.peer.request('MESSAGE');
      bodies.push(message.body);
      await device.peer.answer(message, 200);
    }
    return bodies;
  }

  it('keeps for the absent (202) and delivers oldest first, one after the other', async () => {
    for (const text of ['one', 'two', 'three']) expect(await send(bob, text)).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    const first = await tom.peer.request('MESSAGE');
    expect(first.body).toBe('one');
    expect(first.header('From')).toContain(`sip:bob@${DOMAIN}`);
    expect(first.header('Content-Type')).toBe('text/plain');
    // While the first is not answered nothing else is sent.
    await tom.register();
    expect(tom.peer.messages.waiting.filter(({ startLine }) => startLine.startsWith('MESSAGE'))).toEqual([]);
    await tom.peer.answer(first, 200);
    expect(await receive(tom, 2)).toEqual(['two', 'three']);
  });

  it('to the present goes directly (200)', async () => {
    const tom = world.own(await RawDevice.join('tom', world.port));
    const [status, bodies] = await Promise.all([send(bob, 'direct'), receive(tom, 1)]);
    expect([status, bodies]).toEqual([200, ['direct']]);
  });

  it('a new message goes behind those that wait, also when the device has just refused one', async () => {
    expect(await send(bob, 'one')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 500);
    const second = send(bob, 'two');
    expect(await receive(tom, 2)).toEqual(['one', 'two']);
    expect(await second).toBe(202);
  });

  it('a message that comes while the older ones are going out is told how it went itself', async () => {
    expect(await send(bob, 'one')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    const first = await tom.peer.request('MESSAGE');
    const second = send(bob, 'two');
    // Its challenge is the last that is seen of it: the server has it, or will have it in a moment.
    await bob.register();
    await tom.peer.answer(first, 200);
    expect(await receive(tom, 1)).toEqual(['two']);
    expect(await second).toBe(200);
  });

  it('but not later than after holdMs: then it waits behind them (202)', async () => {
    expect(await send(bob, 'one')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    const first = await tom.peer.request('MESSAGE');
    let status = 0;
    void send(bob, 'two').then((got) => {
      status = got;
    });
    // In small steps: its nonce and the registrations are to outlive it.
    while (status === 0) {
      clock.advance(10);
      await new Promise((done) => setImmediate(done));
    }
    expect(status).toBe(202);
    await tom.peer.answer(first, 200);
    expect(await receive(tom, 1)).toEqual(['two']);
  });

  it('outlives a restart of the server', async () => {
    expect(await send(bob, 'one')).toBe(202);
    await world.stopServer();
    await world.startServer({ clock });
    const tom = world.own(await RawDevice.join('tom', world.port));
    expect(await receive(tom, 1)).toEqual(['one']);
  });

  it('has a share for each sender, and one for each recipient', async () => {
    const eve = world.own(await RawDevice.join('eve', world.port));
    expect([await send(bob, '1'), await send(bob, '2'), await send(bob, '3'), await send(bob, '4')]).toEqual([
      202, 202, 202, 480,
    ]);
    expect([await send(eve, '5'), await send(eve, '6')]).toEqual([202, 480]);
  });

  it('has a limit of size: at it 202, one more 413', async () => {
    expect(await send(bob, 'x'.repeat(1_000))).toBe(202);
    expect(await send(bob, 'x'.repeat(1_001))).toBe(413);
  });

  it('forgets after thirty days, and what has expired takes no share', async () => {
    for (const text of ['1', '2', '3']) expect(await send(bob, text)).toBe(202);
    clock.advance(30 * DAY_MS);
    await bob.register();
    expect(await send(bob, 'new')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    expect(await receive(tom, 1)).toEqual(['new']);
  });

  it('tells the sender who has asked for it that nobody has come in time (RFC 5438 §6.2), once', async () => {
    const asking = (id: string, dispositions: string) =>
      [
        `From: <sip:bob@${DOMAIN}>`,
        `To: <sip:tom@${DOMAIN}>`,
        'NS: imdn <urn:ietf:params:imdn>',
        `imdn.Message-ID: ${id}`,
        `imdn.Disposition-Notification: ${dispositions}`,
        '',
        'Content-Type: text/plain',
        '',
        'hello',
      ].join('\r\n');
    expect(await send(bob, asking('told', 'negative-delivery'), 'tom', 'message/cpim')).toBe(202);
    expect(await send(bob, asking('silent', 'display'), 'tom', 'message/cpim')).toBe(202);
    clock.advance(30 * DAY_MS);
    // The server looks from time to time, and may be looking just now.
    await eventually(async () => {
      clock.advance(11 * 60_000);
      await bob.register();
      const isHere = bob.peer.messages.waiting.some(({ startLine }) => startLine.startsWith('MESSAGE '));
      expect(isHere).toBe(true);
    });
    const [report = ''] = await receive(bob, 1);
    expect(report).toContain(`From: <sip:tom@${DOMAIN}>`);
    expect(report).toContain('<message-id>told</message-id>');
    expect(report).toContain('<failed/>');
    clock.advance(DAY_MS);
    await bob.register();
    expect(await Promise.all([send(bob, 'nothing else', 'bob'), receive(bob, 1)])).toEqual([
      200,
      ['nothing else'],
    ]);
  });

  it('what a device will never take (415) is told to the sender who is there, and does not hold up the rest', async () => {
    expect(await send(bob, 'picture', 'tom', 'image/png')).toBe(202);
    expect(await send(bob, 'text')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 415);
    expect(await receive(tom, 1)).toEqual(['text']);
    const again = send(bob, 'picture', 'tom', 'image/png');
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 415);
    expect(await again).toBe(415);
  });

  it('to nobody is 404', async () => {
    expect(await send(bob, 'hello', 'nobody')).toBe(404);
  });

  it('one device that is dead does not hold the other up', async () => {
    const dead = await RawDevice.join('tom', world.port);
    const tom = world.own(await RawDevice.join('tom', world.port));
    await dead[Symbol.asyncDispose]();
    const [status, bodies] = await Promise.all([send(bob, 'hello'), receive(tom, 1)]);
    expect([status, bodies]).toEqual([200, ['hello']]);
  });

  it('a device that is there and refuses for a moment is asked again, without registering anew', async () => {
    expect(await send(bob, 'one')).toBe(202);
    const tom = world.own(await RawDevice.join('tom', world.port));
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 480);
    const again = receive(tom, 1);
    const isThere = new AbortController();
    void again.then(() => {
      isThere.abort();
    });
    while (!isThere.signal.aborted) {
      clock.advance(100);
      await new Promise((done) => setImmediate(done));
    }
    expect(await again).toEqual(['one']);
  });

  it('a device that has come does not wait until the one that is gone is given up', async () => {
    expect(await send(bob, 'one')).toBe(202);
    const gone = world.own(await RawDevice.join('tom', world.port));
    // It never answers.
    await gone.peer.request('MESSAGE');
    const tom = world.own(await RawDevice.join('tom', world.port));
    expect(await receive(tom, 1)).toEqual(['one']);
  });
});

it('what cannot be stored is not accepted: 503 and when to come again, and it is taken when the disk has room', async () => {
  await using world = await World.open(['bob', 'eve', 'tom']);
  const bob = world.own(await RawDevice.join('bob', world.port));
  const database = await openDatabase(join(world.folder, 'imserver', 'imserver.sqlite'), imserverMigrations);
  for (const table of ['deferred_messages', 'bindings']) {
    database.exec(
      `CREATE TRIGGER full_${table} BEFORE INSERT ON ${table} BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END`,
    );
  }
  const refused = await bob.ask('MESSAGE', {
    uri: `sip:tom@${DOMAIN}`,
    to: `<sip:tom@${DOMAIN}>`,
    body: 'one',
  });
  expect([refused.status, refused.header('Retry-After')]).toEqual([503, '10']);
  const eve = world.own(await RawDevice.open('eve', world.port));
  expect((await eve.register()).status).toBe(503);
  expect(world.server.registrar.isOnline('eve')).toBe(false);
  for (const table of ['deferred_messages', 'bindings']) database.exec(`DROP TRIGGER full_${table}`);
  database.close();
  expect((await eve.register()).status).toBe(200);
  const taken = await bob.ask('MESSAGE', {
    uri: `sip:tom@${DOMAIN}`,
    to: `<sip:tom@${DOMAIN}>`,
    body: 'two',
  });
  expect(taken.status).toBe(202);
  const tom = world.own(await RawDevice.join('tom', world.port));
  expect((await tom.next('MESSAGE')).body).toBe('two');
});
