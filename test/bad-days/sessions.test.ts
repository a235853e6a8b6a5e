import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPair, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

describe('two devices of one user (forking)', () => {
  it('both are invited, the first answer wins, the other is cancelled', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const one = await world.join('tom');
    const ofOne = await one.meet('bob');
    const two = await world.join('tom', { name: 'tom-laptop' });
    const sent = await bob.send(ofBob, 'Which of you?');
    // On the second device Bob is a stranger: it rings, and the first one has answered already.
    await bob.becomes(sent, 'delivered');
    const ofTwo = await two.with('bob');
    expect((await two.session(ofTwo, 'ended')).end?.code).toBe('answered-elsewhere');
    expect(await one.texts(ofOne, 'in')).toEqual(['Which of you?']);
    expect(await two.texts(ofTwo, 'in')).toEqual([]);
    expect(world.server.registrar.devicesOf('tom')).toHaveLength(2);
  });

  it('both accept by themselves: one session stays, nothing is lost or doubled', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const devices = [await world.join('tom'), await world.join('tom', { name: 'tom-laptop' })];
    const conversations = [await devices[0]!.meet('bob'), await devices[1]!.meet('bob')];
    const sent = [await bob.send(ofBob, 'one'), await bob.send(ofBob, 'two')];
    for (const message of sent) await bob.becomes(message, 'delivered');
    const received = await Promise.all(
      devices.map((device, index) => device.texts(conversations[index]!, 'in')),
    );
    expect(received.flat()).toEqual(['one', 'two']);
    const winner = received[0]!.length > 0 ? 0 : 1;
    await devices[winner]!.session(conversations[winner]!, 'open');
    const lost = await devices[1 - winner]!.session(conversations[1 - winner]!, 'ended');
    expect(lost.end?.code).toBe('answered-elsewhere');
    expect(bob.sessions(ofBob).map(({ state }) => state)).toEqual(['open']);
  });

  it('what waited at the server reaches both', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    await using one = await RawDevice.join('tom', world.port);
    await using two = await RawDevice.join('tom', world.port);
    await bob.send(ofBob, 'For all of you');
    for (const device of [one, two]) await device.peer.answer(await device.peer.request('INVITE'), 480);
    for (const device of [one, two]) {
      const message = await device.peer.request('MESSAGE');
      expect(message.body).toContain('For all of you');
      await device.peer.answer(message, 200);
    }
  });

  it('no on one device (603) is no on all: the others stop ringing (RFC 3261 §16.7)', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    await using one = await RawDevice.join('tom', world.port);
    await using two = await RawDevice.join('tom', world.port);
    const sent = await bob.send(ofBob, 'Talk?');
    const [first, second] = [await one.peer.request('INVITE'), await two.peer.request('INVITE')];
    await one.peer.answer(first, 180);
    await two.peer.answer(second, 180, { toTag: 'two' });
    await one.peer.answer(first, 603);
    const cancel = await two.peer.request('CANCEL');
    await two.peer.answer(cancel, 200);
    await two.peer.answer(second, 487, { toTag: 'two' });
    expect((await bob.becomes(sent, 'failed')).failure?.code).toBe('declined');
  });

  it('a device that is started again replaces itself (RFC 5626 §6), any number of times', async () => {
    const bob = await world.join('bob');
    await bob.meet('tom');
    const { id } = await bob.account();
    for (let index = 0; index < 12; index++) {
      await using device = await RawDevice.open('bob', world.port);
      const contact = `<sip:bob@127.0.0.1:${device.peer.port}>;+sip.instance="<urn:uuid:${id}>";reg-id=1`;
      expect((await device.register({ contact })).status).toBe(200);
      expect(world.server.registrar.devicesOf('bob').map((one) => one.contact)).toEqual([
        `sip:bob@127.0.0.1:${device.peer.port}`,
      ]);
    }
  });

  it('a device that is started again while it rings: the caller does not wait for the old one', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    await using before = await RawDevice.open('tom', world.port);
    await using after = await RawDevice.open('tom', world.port);
    const as = (device: RawDevice) => ({
      contact: `<sip:tom@127.0.0.1:${device.peer.port}>;+sip.instance="<urn:uuid:1>";reg-id=1`,
    });
    await before.register(as(before));
    const sent = await bob.send(ofBob, 'Hello');
    await before.peer.answer(await before.peer.request('INVITE'), 180);
    await after.register(as(after));
    await after.peer.answer(await after.peer.request('MESSAGE'), 200);
    await bob.becomes(sent, 'sent');
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('not-registered');
  });
});

describe('both invite at the same moment (glare)', () => {
  it('one session comes about, and nothing is lost, doubled or out of order', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    for (let round = 1; round <= 3; round++) {
      const [fromBob, fromTom] = await Promise.all([
        bob.send(ofBob, `from bob ${round}`),
        tom.send(ofTom, `from tom ${round}`),
      ]);
      await bob.becomes(fromBob, 'delivered');
      await tom.becomes(fromTom, 'delivered');
      expect(bob.sessions(ofBob).filter(({ state }) => state === 'open')).toHaveLength(1);
      const { id } = await bob.session(ofBob, 'open');
      await bob.commands['session.end']({ sessionId: id });
      await tom.until('no open session', () =>
        Promise.resolve(tom.sessions(ofTom).every(({ state }) => state === 'ended')),
      );
    }
    expect(await tom.texts(ofTom, 'in')).toEqual(['from bob 1', 'from bob 2', 'from bob 3']);
    expect(await bob.texts(ofBob, 'in')).toEqual(['from tom 1', 'from tom 2', 'from tom 3']);
    // The one who keeps his invitation sees nothing of the other's.
    expect(
      bob
        .sessions(ofBob)
        .filter(({ direction }) => direction === 'incoming')
        .every(({ end }) => end?.code !== 'cancelled'),
    ).toBe(true);
  });
});

describe('a session ends', () => {
  it('by idling: with a reason on both sides, and the next message opens a new one silently', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob.commands['settings.set']({ key: 'sessions.idleMinutes', value: 0.01 });
    await bob.becomes(await bob.send(ofBob, 'one'), 'delivered');
    const ended = await bob.session(ofBob, 'ended');
    expect(ended.end).toEqual({
      code: 'idle',
      message: 'The session ended because nothing was said for a while.',
    });
    expect((await tom.session(ofTom, 'ended')).end).toEqual({
      code: 'ended-by-peer',
      message: 'bob ended the session.',
    });
    await tom.becomes(await tom.send(ofTom, 'two'), 'delivered');
    expect(await bob.texts(ofBob, 'in')).toEqual(['two']);
  });

  it('a message that is written while the session ends goes out at once, in the next one', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world, { limits: { retryFirstMs: 60_000 } });
    await bob.becomes(await bob.send(ofBob, 'one'), 'delivered');
    const { id } = await bob.session(ofBob, 'open');
    const ending = bob.commands['session.end']({ sessionId: id });
    const sent = await bob.send(ofBob, 'two');
    await ending;
    await bob.becomes(sent, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['one', 'two']);
    expect(bob.sessions(ofBob)).toHaveLength(2);
  });

  it('from both sides at once, while both send: nothing is lost or doubled', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'bob 0'), 'delivered');
    const [ours, theirs] = [await bob.session(ofBob, 'open'), await tom.session(ofTom, 'open')];
    const sending = [1, 2, 3, 4, 5].map((index) =>
      Promise.all([bob.send(ofBob, `bob ${index}`), tom.send(ofTom, `tom ${index}`)]),
    );
    await Promise.all([
      bob.commands['session.end']({ sessionId: ours.id }),
      tom.commands['session.end']({ sessionId: theirs.id }),
    ]);
    const sent = await Promise.all(sending);
    for (const [fromBob, fromTom] of sent) {
      await bob.becomes(fromBob, 'delivered');
      await tom.becomes(fromTom, 'delivered');
    }
    expect(await tom.texts(ofTom, 'in')).toEqual(await bob.texts(ofBob, 'out'));
    expect(await bob.texts(ofBob, 'in')).toEqual(await tom.texts(ofTom, 'out'));
  });

  it('a server that does not answer the BYE does not hold the end up', async () => {
    const limits = { byeMs: 100, shutdownByeMs: 100 };
    const bob = await world.join('bob', { limits });
    const ofBob = await bob.meet('tom');
    const tom = await world.join('tom');
    await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'one'), 'delivered');
    await tom[Symbol.asyncDispose]();
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('ended-by-peer');
    expect(world.server.sessionCount).toBe(0);
  });

  it('reading and typing are told: displayed (RFC 5438), composing (RFC 3994)', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    const sent = await bob.send(ofBob, 'one');
    await bob.becomes(sent, 'delivered');
    await tom.commands['conversation.setComposing']({ conversationId: ofTom.id, active: true });
    const composing = (active: boolean) =>
      bob.until(`composing ${String(active)}`, () =>
        Promise.resolve(
          bob.events.some(
            ({ event, data }) => event === 'composing.changed' && data.people.length > 0 === active,
          ),
        ),
      );
    await composing(true);
    const [message] = await tom.messages(ofTom);
    const read = await tom.commands['conversation.markRead']({
      conversationId: ofTom.id,
      position: message?.position ?? 0,
    });
    expect(read.unreadCount).toBe(0);
    await bob.becomes(sent, 'displayed');
    await tom.send(ofTom, 'two');
    await composing(false);
  });

  it('displayed is not told when the user does not want it', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await tom.commands['settings.set']({ key: 'privacy.sendDisplayed', value: false });
    const sent = await bob.send(ofBob, 'one');
    await bob.becomes(sent, 'delivered');
    const [message] = await tom.messages(ofTom);
    await tom.commands['conversation.markRead']({
      conversationId: ofTom.id,
      position: message?.position ?? 0,
    });
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
    await tom.becomes(await tom.send(ofTom, 'three'), 'delivered');
    expect((await bob.message(sent)).state).toBe('delivered');
  });
});
