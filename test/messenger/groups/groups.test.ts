import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventData } from '../../../shared/ipc/contract.ts';
import { DOMAIN, World, type Person } from '../../support/im-world.ts';
import {
  createGroup,
  groupOf,
  joinGroup,
  linesOf,
  stateOf,
  untilLine,
  untilMembers,
} from '../../support/group-people.ts';

let world: World;
let bob: Person;
let tom: Person;
let eve: Person;
const at = (user: string) => `${user}@${DOMAIN}`;

/** Everybody has everybody among his contacts. */
beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve', 'ann'], { roomLimits: { byeMs: 500 } });
  bob = await world.join('bob');
  tom = await world.join('tom');
  eve = await world.join('eve');
  for (const one of [bob, tom, eve]) {
    for (const user of ['bob', 'tom', 'eve']) if (user !== one.user) await one.meet(user);
  }
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob's group with Tom and Eve, all there. */
async function openTrip() {
  const ofBob = await createGroup(bob, 'Trip', ['tom', 'eve']);
  await untilMembers(bob, ofBob, ['bob', 'tom', 'eve']);
  const ofTom = await groupOf(tom, 'Trip');
  const ofEve = await groupOf(eve, 'Trip');
  for (const [one, group] of [
    [tom, ofTom],
    [eve, ofEve],
  ] as const) {
    await untilMembers(one, group, ['bob', 'tom', 'eve']);
  }
  return { ofBob, ofTom, ofEve };
}

describe('a group of three', () => {
  it('what one writes the others read, with his name; for him it is sent when the room has it', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    const sent = await bob.becomes(await bob.send(ofBob, 'where to?'), 'sent');
    expect(sent.state).toBe('sent');
    await untilLine(tom, ofTom, 'bob: where to?');
    await untilLine(eve, ofEve, 'bob: where to?');
    await tom.send(ofTom, 'to the sea');
    await untilLine(bob, ofBob, 'tom: to the sea');
    await untilLine(eve, ofEve, 'tom: to the sea');
    expect((await linesOf(eve, ofEve)).filter((line) => !line.startsWith('['))).toEqual([
      'bob: where to?',
      'tom: to the sea',
    ]);
    // Encrypted, as everything between Parleys is.
    expect(bob.sessions(ofBob).find(({ state }) => state === 'open')).toMatchObject({ encrypted: true });
  });

  it('a private message is read by one, and both see that it is private', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await bob.becomes(await bob.send(ofBob, 'only you', at('tom')), 'sent');
    await untilLine(tom, ofTom, 'bob to me: only you');
    await bob.send(ofBob, 'all of you');
    await untilLine(eve, ofEve, 'bob: all of you');
    expect(await linesOf(eve, ofEve)).not.toContain('bob to me: only you');
    expect(await linesOf(bob, ofBob)).toContain('me to tom: only you');
  });

  it('lines say who came, who went, what it is called now', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await bob.commands['group.rename']({ conversationId: ofBob.id, title: 'Sea trip' });
    await groupOf(tom, 'Sea trip');
    await bob.commands['group.remove']({ conversationId: ofBob.id, address: at('eve') });
    await untilLine(tom, ofTom, '[removed eve]');
    await bob.commands['group.setOwner']({ conversationId: ofBob.id, address: at('tom') });
    await untilLine(tom, ofTom, '[owner tom]');
    const notices = (await linesOf(tom, ofTom)).filter((line) => line.startsWith('['));
    expect(notices.slice(-3)).toEqual(['[renamed Sea trip]', '[removed eve]', '[owner tom]']);
    await untilLine(eve, ofEve, '[removed eve]');
    expect((await stateOf(eve, ofEve)).membership).toBe('removed');
    await expect(eve.send(ofEve, 'hello?')).rejects.toThrow('not in this group');
  });

  it('nicknames are read instead of names, once each', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await tom.commands['group.setNickname']({ conversationId: ofTom.id, nickname: 'Captain' });
    await bob.until('nickname', async () =>
      (await stateOf(bob, ofBob)).members.some(({ nickname }) => nickname === 'Captain'),
    );
    await tom.send(ofTom, 'aye');
    await untilLine(bob, ofBob, 'Captain: aye');
    const taken = eve.commands['group.setNickname']({ conversationId: ofEve.id, nickname: 'captain' });
    await expect(taken).rejects.toMatchObject({ code: 'already-exists' });
  });

  it('whom our user has given a name has it there too, at once and in what was said before', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await tom.commands['group.setNickname']({ conversationId: ofTom.id, nickname: 'Captain' });
    await tom.send(ofTom, 'aye');
    await untilLine(bob, ofBob, 'Captain: aye');
    const { accountId } = ofBob;
    await bob.commands['contact.add']({ accountId, address: at('tom'), displayName: 'Tom Weber' });
    await untilLine(bob, ofBob, 'Tom Weber: aye');
    expect((await stateOf(bob, ofBob)).members).toContainEqual(
      expect.objectContaining({ name: 'Tom Weber', roomName: 'Captain', nickname: 'Captain' }),
    );
    const told = bob.events.findLast(({ event }) => event === 'conversation.changed')?.data;
    expect(told).toMatchObject({
      conversation: { id: ofBob.id, lastMessage: { group: { person: { name: 'Tom Weber' } } } },
    });
    await untilLine(eve, ofEve, 'Captain: aye');
    await tom.commands['conversation.setComposing']({ conversationId: ofTom.id, active: true });
    await bob.until('typing', () =>
      Promise.resolve(
        bob.events.some(
          ({ event, data }) =>
            event === 'composing.changed' && data.people.some(({ name }) => name === 'Tom Weber'),
        ),
      ),
    );
    await bob.commands['group.leave']({ conversationId: ofBob.id });
    await untilLine(eve, ofEve, '[left bob]');
  });

  it('a name for somebody tells anew of the groups that he has to do with, and of no other', async () => {
    const { ofBob } = await openTrip();
    const without = await createGroup(bob, 'Office', ['eve']);
    await untilMembers(bob, without, ['bob', 'eve']);
    const { accountId } = ofBob;
    const told = async (user: string): Promise<unknown[]> => {
      const before = bob.events.length;
      await bob.commands['contact.add']({ accountId, address: at(user), displayName: `${user} by name` });
      return bob.events
        .slice(before)
        .flatMap(({ event, data }) => (event === 'group.changed' ? [data.group.conversationId] : []));
    };
    expect(await told('tom')).toEqual([ofBob.id]);
    expect((await told('eve')).sort()).toEqual([ofBob.id, without.id].sort());
    expect(await told('ann')).toEqual([]);
  });

  it('who leaves reads nothing more; the last one is told that it has ended', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await eve.commands['group.leave']({ conversationId: ofEve.id });
    await untilLine(bob, ofBob, '[left eve]');
    await tom.commands['group.leave']({ conversationId: ofTom.id });
    await untilLine(bob, ofBob, '[ended]');
    expect(await linesOf(bob, ofBob)).toContain('[left tom]');
    expect((await stateOf(bob, ofBob)).membership).toBe('ended');
    expect((await stateOf(tom, ofTom)).membership).toBe('left');
    expect(await world.server.rooms?.overview()).toEqual([]);
  });
});

describe('who types', () => {
  const typing = (one: Person, group: { id: string }, names: string): Promise<unknown> =>
    one.until(`typing ${names}`, () =>
      Promise.resolve(
        one.events
          .filter(({ event }) => event === 'composing.changed')
          .map(({ data }) => data as EventData<'composing.changed'>)
          .findLast(({ conversationId }) => conversationId === group.id)
          ?.people.map(({ name }) => name)
          .join() === names,
      ),
    );

  it('is told by name, until his message comes, or he is out of the room', async () => {
    const { ofBob, ofTom, ofEve } = await openTrip();
    await tom.commands['group.setNickname']({ conversationId: ofTom.id, nickname: 'Captain' });
    await bob.until('nickname', async () =>
      (await stateOf(bob, ofBob)).members.some(({ nickname }) => nickname === 'Captain'),
    );
    await tom.commands['conversation.setComposing']({ conversationId: ofTom.id, active: true });
    await typing(bob, ofBob, 'Captain');
    await eve.commands['conversation.setComposing']({ conversationId: ofEve.id, active: true });
    await typing(bob, ofBob, 'Captain,eve');
    await typing(tom, ofTom, 'eve');
    await tom.send(ofTom, 'to the sea');
    await typing(bob, ofBob, 'eve');
    await eve[Symbol.asyncDispose]();
    await typing(bob, ofBob, '');
  });
});

describe('coming into a group', () => {
  it('a stranger is asked first, and is no member before he says yes', async () => {
    const ann = await world.join('ann');
    const ofBob = await createGroup(bob, 'Trip', ['tom', 'ann']);
    const ofAnn = await groupOf(ann, 'Trip');
    expect(ofAnn.standing).toBe('asked');
    await untilMembers(bob, ofBob, ['bob', 'tom', 'ann invited']);
    await ann.session(ofAnn, 'asked');
    // Who it is that invites her.
    expect((await stateOf(ann, ofAnn)).members).toMatchObject([{ address: at('bob'), name: 'bob' }]);
    await ann.commands['conversation.answer']({ conversationId: ofAnn.id, accept: true });
    await untilMembers(bob, ofBob, ['bob', 'tom', 'ann']);
    await bob.send(ofBob, 'welcome');
    await untilLine(ann, ofAnn, 'bob: welcome');
  });

  it('a stranger who invites has the name that the room tells, else the one of another group', async () => {
    const ann = await world.join('ann');
    const first = await createGroup(bob, 'Trip', ['tom']);
    await untilMembers(bob, first, ['bob', 'tom']);
    await bob.commands['group.setNickname']({ conversationId: first.id, nickname: 'Captain Bob' });
    await bob.commands['group.invite']({ conversationId: first.id, addresses: [at('ann')] });
    const ofAnn = await groupOf(ann, 'Trip');
    expect(ofAnn.standing).toBe('asked');
    expect((await stateOf(ann, ofAnn)).members).toMatchObject([{ address: at('bob'), name: 'Captain Bob' }]);
    // In the next room nobody has heard of a nickname.
    await createGroup(bob, 'Tour', ['ann']);
    const tour = await groupOf(ann, 'Tour');
    expect((await stateOf(ann, tour)).members).toMatchObject([{ address: at('bob'), name: 'Captain Bob' }]);
  });

  it('who says no is no member, and is told so to the others', async () => {
    const ann = await world.join('ann');
    const ofBob = await createGroup(bob, 'Trip', ['tom', 'ann']);
    const ofAnn = await groupOf(ann, 'Trip');
    await ann.session(ofAnn, 'asked');
    await ann.commands['conversation.answer']({ conversationId: ofAnn.id, accept: false });
    await untilLine(bob, ofBob, '[declined ann]');
    await untilMembers(bob, ofBob, ['bob', 'tom']);
  });

  it('who is away is called when he comes, and reads what was said since he was invited', async () => {
    const ofBob = await createGroup(bob, 'Trip', ['tom', 'ann']);
    await untilMembers(bob, ofBob, ['bob', 'tom', 'ann invited']);
    await bob.becomes(await bob.send(ofBob, 'before ann came'), 'sent');
    const ann = await world.openPerson('ann');
    await ann.signIn(world.uri);
    await ann.meet('bob');
    const ofAnn = await groupOf(ann, 'Trip');
    if (ofAnn.standing === 'asked') {
      await ann.commands['conversation.answer']({ conversationId: ofAnn.id, accept: true });
    }
    await untilLine(ann, ofAnn, 'bob: before ann came');
  });

  it('a group with an address is joined by who knows it; the name is given once', async () => {
    const ofBob = await createGroup(bob, 'The kitchen', [], 'kitchen');
    await untilMembers(bob, ofBob, ['bob']);
    await expect(createGroup(tom, 'Mine', [], 'kitchen')).rejects.toMatchObject({ code: 'already-exists' });
    await expect(createGroup(tom, 'Mine', [], 'eve')).rejects.toMatchObject({ code: 'already-exists' });
    await expect(joinGroup(tom, 'cellar')).rejects.toMatchObject({ code: 'not-found' });
    await expect(joinGroup(tom, 'eve')).rejects.toMatchObject({ code: 'not-found' });
    await joinGroup(tom, 'kitchen');
    const ofTom = await groupOf(tom, 'The kitchen');
    await untilMembers(bob, ofBob, ['bob', 'tom']);
    await tom.send(ofTom, 'smells good');
    await untilLine(bob, ofBob, 'tom: smells good');
    expect((await stateOf(tom, ofTom)).isOpen).toBe(true);
  });

  it('one that was made while nobody could be reached is made when the server is back', async () => {
    await world.stopServer();
    await bob.until('offline', async () => (await bob.account()).connection.status !== 'online');
    const ofBob = await createGroup(bob, 'Later', ['tom']);
    const early = await bob.send(ofBob, 'written early');
    expect((await stateOf(bob, ofBob)).membership).toBe('creating');
    await world.startServer();
    await bob.becomes(early, 'sent');
    const ofTom = await groupOf(tom, 'Later');
    await untilMembers(bob, ofBob, ['bob', 'tom']);
    await bob.send(ofBob, 'written later');
    await untilLine(tom, ofTom, 'bob: written later');
  });
});

describe('being away', () => {
  it('what was said meanwhile is there once, in order, after a restart of the program', async () => {
    const { ofBob, ofTom } = await openTrip();
    await untilLine(tom, ofTom, '[joined tom]');
    await tom[Symbol.asyncDispose]();
    for (const text of ['one', 'two', 'three']) await bob.becomes(await bob.send(ofBob, text), 'sent');
    tom = await world.openPerson('tom');
    await untilLine(tom, ofTom, 'bob: three');
    expect((await linesOf(tom, ofTom)).filter((line) => !line.startsWith('['))).toEqual([
      'bob: one',
      'bob: two',
      'bob: three',
    ]);
  });

  it('what was written without a way to the server goes out once, in order, when there is one', async () => {
    const { ofBob, ofTom } = await openTrip();
    await world.stopServer();
    await bob.until('offline', async () => (await bob.account()).connection.status !== 'online');
    const written = [];
    for (const text of ['one', 'two', 'three']) written.push(await bob.send(ofBob, text));
    await world.startServer();
    for (const message of written) await bob.becomes(message, 'sent');
    await untilLine(tom, ofTom, 'bob: three');
    expect((await linesOf(tom, ofTom)).filter((line) => line.startsWith('bob'))).toEqual([
      'bob: one',
      'bob: two',
      'bob: three',
    ]);
  });

  it('a second device of ours is called in, and has what we write on the first', async () => {
    const { ofBob, ofTom } = await openTrip();
    await bob.becomes(await bob.send(ofBob, 'from the first'), 'sent');
    const second = await world.openPerson('bob', { name: 'bob-second' });
    await second.signIn(world.uri);
    const ofSecond = await groupOf(second, 'Trip');
    await bob.send(ofBob, 'from the first again');
    await untilLine(second, ofSecond, 'me: from the first again');
    await second.send(ofSecond, 'from the second');
    await untilLine(bob, ofBob, 'me: from the second');
    await untilLine(tom, ofTom, 'bob: from the second');
    expect((await linesOf(tom, ofTom)).filter((line) => line.startsWith('bob'))).toEqual([
      'bob: from the first',
      'bob: from the first again',
      'bob: from the second',
    ]);
  });
});
