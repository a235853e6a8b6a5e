import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPair, QUICK, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);

describe('Tom is not there', () => {
  it('messages wait at the server (202), arrive in order when he signs in, and are reported (IMDN, RFC 5438)', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const texts = numbered(1, 12);
    const sent = [];
    for (const text of texts) sent.push(await bob.send(ofBob, text));
    for (const message of sent) await bob.becomes(message, 'waiting');
    expect((await bob.session(ofBob, 'ended')).end).toEqual({
      code: 'not-registered',
      message: 'tom is not signed in. The message waits at the server.',
    });
    const tom = await world.join('tom');
    const ofTom = await tom.with('bob');
    expect(await tom.received(ofTom, 12)).toEqual(texts);
    for (const message of sent) await bob.becomes(message, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(texts);
  });

  it('what he is sent while older messages are still coming does not overtake them', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const first = numbered(1, 30);
    let last = await bob.send(ofBob, first[0] ?? '');
    for (const text of first.slice(1)) last = await bob.send(ofBob, text);
    await bob.becomes(last, 'waiting');
    // On his profile Bob is a contact: the session opens at once, beside the deliveries.
    const tom = await world.openPerson('tom');
    await tom.addAccount(world.uri);
    const ofTom = await tom.meet('bob');
    await tom.online();
    const second = numbered(31, 40);
    for (const text of second) last = await bob.send(ofBob, text);
    const reply = await tom.send(ofTom, 'I am back');
    await bob.becomes(last, 'delivered');
    await tom.becomes(reply, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual([...first, ...second]);
    expect(await bob.texts(ofBob, 'in')).toEqual(['I am back']);
  });

  it('many requests at once, each with the credentials of one account, do not make it refused', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const texts = numbered(1, 60);
    let last = await bob.send(ofBob, texts[0] ?? '');
    for (const text of texts.slice(1)) last = await bob.send(ofBob, text);
    await bob.becomes(last, 'waiting');
    // Each that arrives is reported, and in the midst of it Tom writes himself.
    const tom = await world.openPerson('tom');
    await tom.addAccount(world.uri);
    const ofTom = await tom.meet('bob');
    await tom.received(ofTom, 20);
    const reply = await tom.send(ofTom, 'So many!');
    await tom.becomes(reply, 'delivered');
    await bob.becomes(last, 'delivered');
    expect(
      tom.events.filter(
        ({ event, data }) => event === 'account.changed' && data.account.connection.status === 'refused',
      ),
    ).toEqual([]);
    const challenges = world.wire.filter(
      ({ direction, text }) =>
        direction === 'out' && text.startsWith('SIP/2.0 401') && text.includes('stale=true'),
    );
    expect(challenges).toEqual([]);
  });

  it('a message that is too large for the server stays in the outbox, and those behind it', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const large = await bob.send(ofBob, 'x'.repeat(100_000));
    const small = await bob.send(ofBob, 'small');
    await bob.session(ofBob, 'ended');
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(small, 'delivered');
    await bob.becomes(large, 'delivered');
    expect((await tom.texts(ofTom, 'in')).map((text) => text.length)).toEqual([100_000, 5]);
    expect(world.received('MESSAGE')).toEqual([]);
  });

  it('a device that takes no such content (415): the message fails with words, and is not tried for ever', async () => {
    const bob = await world.join('bob');
    await using tom = await RawDevice.join('tom', world.port);
    const ofBob = await bob.meet('tom');
    const sent = await bob.send(ofBob, 'Hello');
    await tom.peer.answer(await tom.peer.request('INVITE'), 480);
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 415);
    expect((await bob.becomes(sent, 'failed')).failure).toEqual({
      code: 'sip-415',
      message: 'The other side cannot show this kind of message.',
    });
  });

  it('a server that keeps no more for him (480): the rest waits here, is tried with growing pauses, and arrives in order', async () => {
    await world.stopServer();
    await world.startServer({ limits: { maxDeferredPerSender: 1 } });
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const first = await bob.send(ofBob, 'message 1');
    await bob.becomes(first, 'waiting');
    const began = performance.now();
    const second = await bob.send(ofBob, 'message 2');
    const third = await bob.send(ofBob, 'message 3');
    const attempts = () => bob.sessions(ofBob).filter(({ state }) => state === 'ended').length - 1;
    await bob.until('five attempts', () => Promise.resolve(attempts() >= 5));
    // One with each message, then three after pauses of 50, 100 and 200 ms.
    expect(performance.now() - began).toBeGreaterThan(350);
    expect((await bob.message(second)).state).toBe('queued');
    const tom = await world.join('tom');
    const ofTom = await tom.with('bob');
    await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
    await bob.becomes(third, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(numbered(1, 3));
  });

  it('no answer while it rings: the invitation is cancelled and the message deferred', async () => {
    const limits = { retryFirstMs: 50, ringMs: 300 };
    const bob = await world.join('bob', { limits });
    const tom = await world.join('tom');
    const ofBob = await bob.open('tom');
    const sent = await bob.send(ofBob, 'Do we know each other?');
    const ofTom = await tom.with('bob');
    await tom.session(ofTom, 'asked');
    const ended = await bob.session(ofBob, 'ended');
    expect(ended.end).toEqual({
      code: 'no-answer',
      message: 'tom did not answer. The message waits at the server.',
    });
    expect((await tom.session(ofTom, 'ended')).end).toEqual({
      code: 'missed',
      message: 'You did not answer bob in time.',
    });
    await bob.becomes(sent, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['Do we know each other?']);
    // Still a stranger: Tom has not said anything.
    expect((await tom.with('bob')).standing).toBe('asked');
  });

  it('the server gives up ringing first (408): deferred as well', async () => {
    await world.stopServer();
    await world.startServer({ limits: { ringMs: 300 } });
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    const ofBob = await bob.open('tom');
    const sent = await bob.send(ofBob, 'Do we know each other?');
    const ofTom = await tom.with('bob');
    await tom.session(ofTom, 'asked');
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('no-answer');
    expect((await tom.session(ofTom, 'ended')).end?.code).toBe('missed');
    await bob.becomes(sent, 'delivered');
  });

  it('he signs out in mid-conversation: nothing fails, everything is there when he is back', async () => {
    const { bob, tom, ofBob } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'message 1'), 'delivered');
    const closing = tom[Symbol.asyncDispose]();
    const sent = [];
    for (const text of numbered(2, 10)) sent.push(await bob.send(ofBob, text));
    await closing;
    for (const message of sent) await bob.becomes(message, 'waiting', 'delivered', 'sent');
    const again = await world.openPerson('tom');
    const ofTom = await again.with('bob');
    expect(await again.received(ofTom, 10)).toEqual(numbered(1, 10));
  });
});

describe('the server is not there', () => {
  it('before the start: the account says so, messages keep, and go out by themselves, once, in order', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob[Symbol.asyncDispose]();
    await world.stopServer();
    const again = await world.openPerson('bob');
    const account = await again.until('a reason', async () => {
      const { connection } = await again.account();
      return connection.status === 'connecting' && connection.reason !== undefined ? connection : undefined;
    });
    expect(account).toMatchObject({ status: 'connecting', code: 'unreachable' });
    expect(account.reason).toBe(
      `The server 127.0.0.1:${world.port} cannot be reached. Parley tries again by itself. (connection to 127.0.0.1:${world.port} refused)`,
    );
    // History is there, and can be searched.
    const texts = numbered(1, 20);
    let last = await again.send(ofBob, texts[0] ?? '');
    for (const text of texts.slice(1)) last = await again.send(ofBob, text);
    expect((await again.message(last)).state).toBe('queued');
    expect(
      (await again.commands['search.query']({ text: 'message 20', limit: 5, lane: 0 })).hits,
    ).toHaveLength(1);
    await expect(again.commands['session.start']({ conversationId: ofBob.id })).rejects.toMatchObject({
      code: 'not-signed-in',
    });
    await world.startServer();
    await again.becomes(last, 'delivered', 'displayed');
    expect(await tom.texts(ofTom, 'in')).toEqual(texts);
  });

  it('in mid-conversation: messages go on directly, new sessions wait, and open by themselves', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'message 1'), 'delivered');
    await world.stopServer();
    // It stopped in order, so it has ended the session.
    await bob.session(ofBob, 'ended');
    const sent = [];
    for (const text of numbered(2, 9)) sent.push(await bob.send(ofBob, text));
    await bob.until('noticed', async () => (await bob.account()).connection.status === 'connecting');
    expect((await bob.message(sent[0]!)).state).toBe('queued');
    const attempts = bob.sessions(ofBob).length;
    expect(attempts).toBeLessThan(6);
    await world.startServer();
    for (const message of sent) await bob.becomes(message, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(numbered(1, 9));
    const reply = await tom.send(ofTom, 'back');
    await tom.becomes(reply, 'delivered');
    expect(await bob.texts(ofBob, 'in')).toEqual(['back']);
  });

  it('a server that has come back calls devices that have not registered again yet', async () => {
    const bob = await world.join('bob');
    // Tom takes his time (by lot, of an hour).
    const tom = await world.join('tom', { limits: { ...QUICK.limits, registrationLostMs: 3_600_000 } });
    const [ofBob, ofTom] = [await bob.meet('tom'), await tom.meet('bob')];
    await world.stopServer();
    await world.startServer();
    const before = world.received('REGISTER').length;
    await bob.becomes(await bob.send(ofBob, 'Hello again'), 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['Hello again']);
    const since = world.received('REGISTER').slice(before);
    expect(since.filter((text) => text.includes('tom@'))).toEqual([]);
  });

  it('an unreachable server is asked with growing pauses, not in a loop', async () => {
    const { bob, ofBob } = await openPair(world);
    const refusals: number[] = [];
    bob.messenger.feed.subscribe(({ event, data }) => {
      if (event !== 'account.changed') return;
      const { connection } = data.account;
      if (connection.status === 'connecting' && connection.code === 'unreachable')
        refusals.push(performance.now());
    });
    await world.stopServer();
    const sent = await bob.send(ofBob, 'later');
    await bob.until('five refusals', () => Promise.resolve(refusals.length >= 5));
    // The first says that the connection is gone. Before each attempt at least half of 50, 100 and 200 ms has gone by. A timer may run a millisecond early.
    const pauses = refusals.slice(2, 5).map((at, index) => at - refusals[index + 1]!);
    [25, 50, 100].forEach((pause, index) => {
      expect(pauses[index]).toBeGreaterThan(pause - 2);
    });
    expect(bob.sessions(ofBob).length).toBeLessThanOrEqual(2);
    expect((await bob.message(sent)).state).toBe('queued');
  });
});
