import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccountPresence, PresenceState } from '../../shared/domain/presence.ts';
import { PRESENCE_LIMITS } from '../../main/base/presence-limits.ts';
import { DOMAIN, World, type Person } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { SipPeer } from '../support/sip-peer.ts';

/** The server tells everything at once. */
const AT_ONCE = { notifyMs: 1, watcherInfoMs: 1, deviceListMs: 1 };
const PATIENT = { timeout: 10_000 };
const addressOf = (user: string) => `${user}@${DOMAIN}`;

let world: World;

async function openWorld(options: Parameters<typeof World.open>[1] = {}): Promise<void> {
  world = await World.open(['bob', 'tom', 'eve'], { presenceLimits: AT_ONCE, ...options });
}
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function accountOf(person: Person): Promise<AccountPresence> {
  const { accounts } = await person.commands['presence.list']({});
  const [account] = accounts;
  if (account === undefined) throw new Error('no account');
  return account;
}

/** What `person` sees of `other`; undefined: nothing. */
async function seenBy(person: Person, other: string): Promise<PresenceState | undefined> {
  const { seen } = await person.commands['presence.list']({});
  return seen.find(({ address }) => address === addressOf(other))?.state ?? undefined;
}

function sees(person: Person, other: string, show: PresenceState['show'] | undefined, note = '') {
  return person.until(`${other} is ${show}`, async () => {
    const seen = await seenBy(person, other);
    return seen?.show === show && (seen?.note ?? '') === note;
  });
}

function set(person: Person, key: 'choice' | 'note' | 'visibleTo' | 'watch' | 'awayMinutes', value: unknown) {
  return person.commands['settings.set']({ key: `presence.${key}`, value });
}

async function decide(
  person: Person,
  other: string,
  change: { presence?: 'ask' | 'allow' | 'block'; blocked?: boolean },
) {
  const { id } = await person.account();
  return person.commands['rule.set']({ accountId: id, address: addressOf(other), ...change });
}

function isAskedBy(person: Person, other: string) {
  return person.until(`${other} asks`, async () => (await accountOf(person)).asks.includes(addressOf(other)));
}

describe('presence between people who talk with each other', () => {
  beforeEach(() => openWorld());

  it('is seen without a question, with changes, note, invisibility and absence', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await bob.meet('tom');
    await tom.meet('bob');
    await sees(bob, 'tom', 'available');
    await sees(tom, 'bob', 'available');
    await set(tom, 'choice', 'dnd');
    await set(tom, 'note', 'Writing');
    await sees(bob, 'tom', 'dnd', 'Writing');
    await set(tom, 'choice', 'away');
    await sees(bob, 'tom', 'away', 'Writing');
    await set(tom, 'choice', 'invisible');
    await sees(bob, 'tom', 'offline');
    await set(tom, 'choice', 'available');
    await sees(bob, 'tom', 'available', 'Writing');
    await tom[Symbol.asyncDispose]();
    await sees(bob, 'tom', 'offline');
  });

  it('nobody sees who wants to be seen by nobody, and he is asked by nobody', async () => {
    const tom = await world.join('tom');
    await set(tom, 'visibleTo', 'nobody');
    await tom.meet('bob');
    const bob = await world.join('bob');
    await bob.meet('tom');
    const watchers = () => world.server.presence.presence.watchersOf('tom').pending;
    await expect.poll(watchers, PATIENT).toEqual([addressOf('bob')]);
    expect(await seenBy(bob, 'tom')).toBeUndefined();
    // That he has been told shows when he wants to be asked.
    await set(tom, 'visibleTo', 'asked');
    await isAskedBy(tom, 'bob');
    await set(tom, 'visibleTo', 'nobody');
    expect((await accountOf(tom)).asks).toEqual([]);
  });

  it('who watches nobody asks the server for nobody', async () => {
    const bob = await world.openPerson('bob');
    await set(bob, 'watch', false);
    await bob.signIn(world.uri);
    await bob.meet('tom');
    await bob.until('published', async () => (await accountOf(bob)).isPublished);
    await bob.until('rules are read', async () => (await accountOf(bob)).rulesAt === 'server');
    expect(world.received('SUBSCRIBE').filter((text) => text.startsWith('SUBSCRIBE sip:tom@'))).toEqual([]);
    const tom = await world.join('tom');
    await tom.meet('bob');
    await set(bob, 'watch', true);
    await sees(bob, 'tom', 'available');
    await set(bob, 'watch', false);
    await sees(bob, 'tom', undefined);
  });

  it('comes back by itself after the server was away, and nothing false is said meanwhile', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await bob.meet('tom');
    await tom.meet('bob');
    await set(tom, 'choice', 'dnd');
    await sees(bob, 'tom', 'dnd');
    await world.stopServer();
    await sees(bob, 'tom', undefined);
    await world.startServer({ presenceLimits: AT_ONCE });
    await sees(bob, 'tom', 'dnd');
    await sees(tom, 'bob', 'available');
  });
});

describe('who asks to see somebody', () => {
  beforeEach(() => openWorld());

  it('a stranger is shown and waits; allowed he sees, asked about again he does not', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await bob.meet('tom');
    await isAskedBy(tom, 'bob');
    expect(await seenBy(bob, 'tom')).toBeUndefined();
    const decided = await decide(tom, 'bob', { presence: 'allow' });
    expect([decided.asks, decided.rules]).toEqual([
      [],
      [{ address: addressOf('bob'), presence: 'allow', blocked: false }],
    ]);
    await sees(bob, 'tom', 'available');
    await decide(tom, 'bob', { presence: 'ask' });
    await sees(bob, 'tom', undefined);
  });

  it('who is refused is not told, and does not ask again', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await bob.meet('tom');
    await isAskedBy(tom, 'bob');
    expect((await decide(tom, 'bob', { presence: 'block' })).asks).toEqual([]);
    const rule = () => world.server.presence.rules.rule('tom', addressOf('bob'));
    await expect.poll(rule, PATIENT).toEqual({ presence: 'block', blocked: false });
    await bob[Symbol.asyncDispose]();
    const again = await world.openPerson('bob', { name: 'bob' });
    await again.online();
    await again.until('rules are read', async () => (await accountOf(again)).rulesAt === 'server');
    expect((await accountOf(tom)).asks).toEqual([]);
    expect(await seenBy(again, 'tom')).toBeUndefined();
  });

  it('is let in by himself when his conversation is accepted', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    const ofBob = await bob.open('tom');
    await isAskedBy(tom, 'bob');
    await bob.send(ofBob, 'Hello?');
    const ofTom = await tom.with('bob');
    // His request is shown as a conversation, and not twice.
    await tom.until('one request', async () => (await accountOf(tom)).asks.length === 0);
    await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
    await sees(bob, 'tom', 'available');
    await sees(tom, 'bob', 'available');
  });

  it('is asked about although he is known, when the user wants that', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await set(tom, 'visibleTo', 'asked');
    await tom.meet('bob');
    await bob.meet('tom');
    await isAskedBy(tom, 'bob');
    await set(tom, 'visibleTo', 'known');
    await sees(bob, 'tom', 'available');
  });
});

describe('rules about people', () => {
  beforeEach(() => openWorld());

  it('hold on all devices of a user, and after a restart before the server has answered', async () => {
    const home = await world.join('tom', { name: 'tom-home' });
    const work = await world.join('tom', { name: 'tom-work' });
    await decide(home, 'eve', { blocked: true });
    const blocked = [{ address: addressOf('eve'), presence: 'ask', blocked: true }];
    await work.until('blocked at work', async () => (await accountOf(work)).rules.length > 0);
    expect((await accountOf(work)).rules).toEqual(blocked);
    await decide(work, 'bob', { blocked: true });
    await home.until('both at home', async () => (await accountOf(home)).rules.length === 2);
    await home[Symbol.asyncDispose]();
    await world.stopServer();
    const again = await world.openPerson('tom', { name: 'tom-home' });
    await again.until('known from disk', async () => {
      const { accounts } = await again.commands['presence.list']({});
      return accounts[0]?.rules.length === 2;
    });
    const { id } = await again.account();
    expect(again.messenger.presence.isBlocked(id, addressOf('eve'))).toBe(true);
  });

  it('decided while the server is away are written when it is back, beside those of another device', async () => {
    const home = await world.join('tom', { name: 'tom-home' });
    const work = await world.join('tom', { name: 'tom-work' });
    await home.until('rules are read', async () => (await accountOf(home)).rulesAt === 'server');
    await work.until('rules are read', async () => (await accountOf(work)).rulesAt === 'server');
    await world.stopServer();
    await decide(home, 'eve', { blocked: true });
    await decide(work, 'bob', { blocked: true });
    await world.startServer({ presenceLimits: AT_ONCE });
    for (const device of [home, work]) {
      await device.until('both', async () => (await accountOf(device)).rules.length === 2);
    }
    await expect.poll(() => world.server.presence.rules.of('tom').size, PATIENT).toBe(2);
  });
});

describe('who is blocked', () => {
  beforeEach(() => openWorld());

  it('is refused as by a no, over a session and for the absent; his presence is gone, his old messages stay', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'before'), 'sent', 'delivered');
    await tom.received(ofTom, 1);
    const [before] = await tom.messages(ofTom);
    if (before === undefined) throw new Error('nothing has come');
    await sees(tom, 'bob', 'available');
    await sees(bob, 'tom', 'available');

    await decide(tom, 'bob', { blocked: true });
    await tom.session(ofTom, 'ended');
    await sees(tom, 'bob', undefined);
    await sees(bob, 'tom', 'offline');
    const refused = await bob.becomes(await bob.send(ofBob, 'while blocked'), 'failed');
    expect(refused.failure?.code).toBe('declined');
    await expect(tom.send(ofTom, 'me to him')).rejects.toMatchObject({ code: 'not-allowed' });
    await expect(tom.commands['message.react']({ messageId: before.id, emoji: '👍' })).rejects.toMatchObject({
      code: 'not-allowed',
    });
    await expect(tom.commands['session.start']({ conversationId: ofTom.id })).rejects.toMatchObject({
      code: 'not-allowed',
    });

    await tom[Symbol.asyncDispose]();
    const absent = await bob.becomes(await bob.send(ofBob, 'while blocked and away'), 'failed');
    expect(absent.failure?.code).toBe('declined');

    const back = await world.openPerson('tom', { name: 'tom' });
    await back.online();
    expect(await back.texts(ofTom, 'in')).toEqual(['before']);
    await decide(back, 'bob', { blocked: false });
    await expect
      .poll(() => world.server.presence.rules.isBlocked('tom', addressOf('bob')), PATIENT)
      .toBe(false);
    await bob.becomes(await bob.send(ofBob, 'after'), 'sent', 'delivered');
    expect(await back.received(ofTom, 2)).toEqual(['before', 'after']);
    await sees(back, 'bob', 'available');
  });

  it('what waits for the blocking user at the server does not come any more', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom', { name: 'tom-home' });
    await tom.meet('bob');
    const ofBob = await bob.meet('tom');
    await tom.until('rules are read', async () => (await accountOf(tom)).rulesAt === 'server');
    await tom[Symbol.asyncDispose]();
    await bob.becomes(await bob.send(ofBob, 'waits'), 'waiting');
    const device = world.own(await RawDevice.open('tom', world.port));
    await world.server.presence.rules.replace(
      'tom',
      new Map([[addressOf('bob'), { presence: 'ask', blocked: true }]]),
    );
    await device.register();
    await expect.poll(() => world.server.deferredCount(), PATIENT).toBe(0);
    expect(
      world.wire.filter(({ direction, text }) => direction === 'out' && text.startsWith('MESSAGE')),
    ).toEqual([]);
  });

  it('a blocked stranger leaves the requests, and cannot tell a block from a no', async () => {
    const eve = await world.join('eve');
    const tom = await world.join('tom');
    const ofEve = await eve.open('tom');
    const first = await eve.send(ofEve, 'Buy!');
    const ofTom = await tom.with('eve');
    await tom.session(ofTom, 'asked');
    await decide(tom, 'eve', { blocked: true });
    const { failure } = await eve.becomes(first, 'failed');
    const { failure: later } = await eve.becomes(await eve.send(ofEve, 'Buy now!'), 'failed');
    expect(later).toEqual(failure);
    const [shown] = await tom.commands['conversation.list']({});
    expect(shown?.standing).toBe('declined');
  });
});

describe('a server that we did not write', () => {
  const CONTACTS = ['ann', 'ben', 'cid', 'dan', 'eli'];
  let server: SipPeer;
  let bob: Person;

  beforeEach(async () => {
    await openWorld();
    server = world.own(await SipPeer.tcpListener());
    bob = await world.openPerson('bob');
    await bob.addAccount(`sip:127.0.0.1:${server.port};transport=tcp`);
    await Promise.all(CONTACTS.map((one) => bob.meet(one)));
    const register = await server.request('REGISTER');
    const contact = register.header('Contact');
    await server.answer(register, 200, { contact: null, headers: [`Contact: ${contact};expires=600`] });
    await bob.online();
  });

  /** The next SUBSCRIBE to the presence of a contact. */
  const watching = () =>
    server.messages.next(({ startLine }) => /^SUBSCRIBE sip:(?!bob)/.test(startLine), 'SUBSCRIBE');
  const asked = (pattern: RegExp) => server.log.filter(({ startLine }) => pattern.test(startLine)).length;

  it('is asked for a few people at a time', async () => {
    const first = [];
    for (let count = 0; count < PRESENCE_LIMITS.maxBeginning; count++) first.push(await watching());
    const [one] = first;
    if (one === undefined) throw new Error('nobody is watched');
    expect(asked(/^SUBSCRIBE sip:(?!bob)/)).toBe(PRESENCE_LIMITS.maxBeginning);
    await server.answer(one, 404);
    await watching();
    expect(asked(/^SUBSCRIBE sip:(?!bob)/)).toBe(PRESENCE_LIMITS.maxBeginning + 1);
  });

  it('is asked once when it has no presence, and then left alone; blocking holds on this device', async () => {
    await server.answer(await server.request('PUBLISH'), 405);
    for (let count = 0; count < 2; count++) {
      await server.answer(
        await server.messages.next(
          ({ startLine }) => startLine.startsWith('SUBSCRIBE sip:bob@'),
          'own lists',
        ),
        489,
      );
    }
    await server.answer(await watching(), 489);
    await bob.until('rules are kept here', async () => (await accountOf(bob)).rulesAt === 'device');
    await set(bob, 'choice', 'dnd');
    await decide(bob, 'eve', { blocked: true });
    const account = await accountOf(bob);
    expect([account.isPublished, account.asks, account.rules.length]).toEqual([false, [], 1]);
    const message = server.build('MESSAGE', {
      uri: `sip:${addressOf('bob')}`,
      from: `<sip:${addressOf('eve')}>;tag=eve`,
      to: `<sip:${addressOf('bob')}>`,
      body: 'Buy!',
      contentType: 'text/plain',
    });
    await server.send(message);
    await server.response(603, 'MESSAGE');
    expect([asked(/^PUBLISH/), asked(/^SUBSCRIBE sip:(?!bob)/)]).toEqual([1, PRESENCE_LIMITS.maxBeginning]);
    expect((await bob.commands['presence.list']({})).seen).toEqual([]);
  });
});
