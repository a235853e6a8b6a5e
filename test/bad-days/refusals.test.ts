import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPair, passwordOf, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Tom is asked about Bob, whom he does not know and who waits with a message. */
async function strangerAsks() {
  const bob = await world.join('bob');
  const tom = await world.join('tom');
  const ofBob = await bob.open('tom');
  const sent = await bob.send(ofBob, 'Do we know each other?');
  const ofTom = await tom.with('bob');
  return { bob, tom, ofBob, ofTom, sent, asked: await tom.session(ofTom, 'asked') };
}

describe('the other side says no', () => {
  it('unknown peer (404): the message fails and says to check the address', async () => {
    const bob = await world.join('bob');
    const nobody = await bob.open('nobody');
    const sent = await bob.send(nobody, 'Anybody there?');
    const failed = await bob.becomes(sent, 'failed');
    expect(failed.failure).toEqual({
      code: 'unknown-peer',
      message: 'The server knows nobody with the address of nobody. Check the address.',
    });
    expect((await bob.session(nobody, 'ended')).end?.code).toBe('unknown-peer');
    expect(world.received('INVITE').filter((text) => text.includes('Authorization'))).toHaveLength(1);
  });

  it.each(['conversation.answer', 'session.answer'] as const)(
    'declined (603) by a user who was asked about a stranger, with %s',
    async (call) => {
      const { bob, tom, ofBob, ofTom, sent, asked } = await strangerAsks();
      expect(ofTom.standing).toBe('asked');
      expect((await bob.message(sent)).state).toBe('queued');
      if (call === 'conversation.answer') {
        const answered = await tom.commands[call]({ conversationId: ofTom.id, accept: false });
        expect(answered.standing).toBe('declined');
      } else expect((await tom.commands[call]({ sessionId: asked.id, accept: false })).state).toBe('ended');
      const failed = await bob.becomes(sent, 'failed');
      expect(failed.failure).toEqual({ code: 'declined', message: 'tom declined.' });
      expect((await bob.session(ofBob, 'ended')).end?.code).toBe('declined');
      // Nothing is queued behind his back: not at Tom's, not at the server.
      expect(await tom.messages(ofTom)).toEqual([]);
      expect(world.received('MESSAGE')).toEqual([]);
    },
  );

  it('a stranger who is let in: the message that waited arrives in the same session', async () => {
    const { bob, tom, ofBob, ofTom, sent } = await strangerAsks();
    expect(
      (await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true })).standing,
    ).toBe('accepted');
    await bob.becomes(sent, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['Do we know each other?']);
    expect(bob.sessions(ofBob)).toHaveLength(1);
  });

  it.each(['contact.add', 'conversation.open'] as const)(
    'a stranger who waits while our user takes him in by himself is let in as well, with %s',
    async (call) => {
      const { bob, tom, ofBob, ofTom, sent } = await strangerAsks();
      await (call === 'contact.add' ? tom.meet('bob') : tom.open('bob'));
      await bob.becomes(sent, 'delivered');
      expect(await tom.texts(ofTom, 'in')).toEqual(['Do we know each other?']);
      expect(bob.sessions(ofBob)).toHaveLength(1);
    },
  );

  it('a stranger who waits is not let in when each session needs a yes, also of contacts', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await tom.commands['settings.set']({ key: 'sessions.acceptContacts', value: false });
    const ofBob = await bob.open('tom');
    const sent = await bob.send(ofBob, 'Do we know each other?');
    const asked = await tom.session(await tom.with('bob'), 'asked');
    const ofTom = await tom.meet('bob');
    expect(ofTom.standing).toBe('accepted');
    expect((await bob.message(sent)).state).toBe('queued');
    await tom.commands['session.answer']({ sessionId: asked.id, accept: true });
    await bob.becomes(sent, 'delivered');
  });

  it('writing to a stranger who waits for an answer is the answer', async () => {
    const { bob, tom, ofBob, ofTom, sent: question } = await strangerAsks();
    const reply = await tom.send(ofTom, 'From school!');
    await tom.becomes(reply, 'delivered');
    await bob.becomes(question, 'delivered');
    expect(tom.sessions(ofTom)).toHaveLength(1);
    expect(await bob.texts(ofBob, 'in')).toEqual(['From school!']);
  });

  it('a stranger whose program was started again asks again, and is not busy', async () => {
    const tom = await world.join('tom');
    const first = await world.join('bob');
    await first.send(await first.open('tom'), 'one');
    const ofTom = await tom.with('bob');
    const asked = await tom.session(ofTom, 'asked');
    // As after kill -9: no CANCEL. Another device of his invites again.
    await using second = await RawDevice.join('bob', world.port);
    const answer = second.ask('INVITE', {
      uri: 'sip:tom@chat.home.arpa',
      to: '<sip:tom@chat.home.arpa>',
      body: 'v=0\r\n',
    });
    await tom.until('the older question is taken back', () =>
      Promise.resolve(tom.sessions(ofTom).find(({ id, state }) => id === asked.id && state === 'ended')),
    );
    await tom.session(ofTom, 'asked');
    await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: false });
    expect((await answer).status).toBe(603);
  });

  it('busy (486): the message fails and says so; retry sends it', async () => {
    const bob = await world.join('bob');
    const tom = await RawDevice.join('tom', world.port);
    const ofBob = await bob.meet('tom');
    const sent = await bob.send(ofBob, 'Quick question');
    const invite = await tom.peer.request('INVITE');
    await tom.peer.answer(invite, 486);
    const failed = await bob.becomes(sent, 'failed');
    expect(failed.failure).toEqual({ code: 'busy', message: 'tom is busy.' });
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('busy');
    await tom.register({ expires: 0 });
    await tom[Symbol.asyncDispose]();
    const real = await world.join('tom');
    const ofTom = await real.meet('bob');
    await bob.commands['message.retry']({ messageId: sent.id });
    await bob.becomes(sent, 'delivered');
    expect(await real.texts(ofTom, 'in')).toEqual(['Quick question']);
  });

  it('a device that knows no such user (404) does not make the user unknown: the message waits', async () => {
    const bob = await world.join('bob');
    await using tom = await RawDevice.join('tom', world.port);
    const ofBob = await bob.meet('tom');
    const sent = await bob.send(ofBob, 'You there?');
    await tom.peer.answer(await tom.peer.request('INVITE'), 404);
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 404);
    await bob.becomes(sent, 'waiting');
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('not-registered');
  });

  it('more invitations of strangers than may wait for an answer are busy', async () => {
    const tom = await world.join('tom', { limits: { maxPendingInvitations: 1 } });
    const bob = await world.join('bob');
    const eve = await world.join('eve');
    await bob.send(await bob.open('tom'), 'first');
    await tom.session(await tom.with('bob'), 'asked');
    const ofEve = await eve.open('tom');
    const failed = await eve.becomes(await eve.send(ofEve, 'second'), 'failed');
    expect(failed.failure?.code).toBe('busy');
  });

  it('an answer that is no session description ends the attempt, and the next one is made', async () => {
    const bob = await world.join('bob');
    await using tom = await RawDevice.join('tom', world.port);
    const ofBob = await bob.meet('tom');
    const sent = await bob.send(ofBob, 'Hello');
    const invite = await tom.peer.request('INVITE');
    await tom.peer.answer(invite, 200, { toTag: 'tom1', body: '\u0000 this is not sdp \r\nm=message' });
    await tom.peer.request('ACK');
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('media-failed');
    await tom.peer.answer(await tom.peer.request('MESSAGE'), 200);
    await bob.becomes(sent, 'sent');
  });

  it('an invitation that offers no messages is refused with 488 and leaves nothing behind', async () => {
    const { ofTom, tom, bob, ofBob } = await openPair(world);
    await using other = await RawDevice.join('bob', world.port);
    const answer = await other.ask('INVITE', {
      uri: 'sip:tom@chat.home.arpa',
      to: '<sip:tom@chat.home.arpa>',
      body: 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n',
    });
    expect(answer.status).toBe(488);
    expect(answer.header('Warning')).toContain('offers no messages');
    expect((await tom.session(ofTom, 'ended')).end?.code).toBe('media-failed');
    await bob.becomes(await bob.send(ofBob, 'still works'), 'delivered');
  });
});

describe('credentials', () => {
  it('wrong password: refused after one answer to the challenge, and never tried again', async () => {
    const bob = await world.openPerson('bob');
    await bob.addAccount(world.uri, 'not the password');
    const account = await bob.until('refused', async () => {
      const now = await bob.account();
      return now.connection.status === 'refused' ? now : undefined;
    });
    expect(account.connection).toEqual({
      status: 'refused',
      code: 'wrong-password',
      reason: 'The password for bob@chat.home.arpa is not right. Sign in again with the right one.',
    });
    const ofBob = await bob.open('tom');
    const sent = await bob.send(ofBob, 'waits here');
    const second = await bob.send(ofBob, 'so does this');
    expect((await bob.message(sent)).state).toBe('queued');
    const registers = world.received('REGISTER');
    expect(registers).toHaveLength(2);
    expect(registers.filter((text) => text.includes('\r\nAuthorization:'))).toHaveLength(1);
    expect(world.received('INVITE')).toEqual([]);
    // The right password, and everything goes out.
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    await bob.commands['account.signIn']({ accountId: account.id, password: passwordOf('bob') });
    await bob.becomes(second, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['waits here', 'so does this']);
  });

  it('a password that was changed meanwhile: refused at the next request, which is not repeated', async () => {
    const { bob, ofBob } = await openPair(world);
    await world.server.users.add('bob', 'another one');
    const before = world.received('INVITE').length;
    const sent = await bob.send(ofBob, 'Hello?');
    await bob.until('refused', async () => (await bob.account()).connection.status === 'refused');
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('not-signed-in');
    expect((await bob.message(sent)).state).toBe('queued');
    // One attempt with the nonce that it had, one with the nonce of the challenge.
    expect(world.received('INVITE').length - before).toBeLessThanOrEqual(2);
    const now = world.wire.length;
    await bob.send(ofBob, 'And now?');
    expect(world.wire.slice(now).filter(({ direction }) => direction === 'in')).toEqual([]);
  });

  it('a user may only speak as himself (403): INVITE, MESSAGE and REGISTER in the name of another', async () => {
    await using eve = await RawDevice.join('eve', world.port);
    const asBob = {
      from: '<sip:bob@chat.home.arpa>;tag=x',
      uri: 'sip:tom@chat.home.arpa',
      to: '<sip:tom@chat.home.arpa>',
    };
    expect((await eve.ask('INVITE', { ...asBob, body: 'v=0\r\n' })).status).toBe(403);
    expect((await eve.ask('MESSAGE', { ...asBob, body: 'hi', contentType: 'text/plain' })).status).toBe(403);
    const register = { uri: 'sip:chat.home.arpa', to: '<sip:bob@chat.home.arpa>' };
    expect((await eve.ask('REGISTER', register)).status).toBe(403);
    expect((await eve.ask('REGISTER', { ...register, from: asBob.from })).status).toBe(403);
    expect(world.server.registrar.isOnline('bob')).toBe(false);
  });
});

it('a conversation with oneself is refused in words', async () => {
  const bob = await world.join('bob');
  await expect(bob.open('bob')).rejects.toMatchObject({
    code: 'invalid-input',
    message: 'This is your own address.',
  });
});
