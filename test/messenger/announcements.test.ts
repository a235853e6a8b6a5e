import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conversation, Marks } from '../../shared/domain/conversation.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { Release } from '../../main/base/lifetime.ts';
import { Announcements, type Announcement } from '../../main/messenger/announcements.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { openPair, World, type Person } from '../support/im-world.ts';

const NO_MARKS = { pinned: false, muted: false, archived: false };

let world: World;
let bob: Person;
let tom: Person;
let ofBob: Conversation;
let ofTom: Conversation;
let clock: ManualClock;
let announced: Announcement[];
let withdrawn: string[];
let unread: number[];
let release: Release;

beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
  ({ bob, tom, ofBob, ofTom } = await openPair(world));
  clock = new ManualClock();
  [announced, withdrawn, unread] = [[], [], []];
  release = await new Announcements({
    feed: tom.messenger.feed,
    commands: tom.commands,
    clock,
    announce: (one) => announced.push(one),
    withdraw: (id) => withdrawn.push(id),
    receiveUnread: (count) => unread.push(count),
  }).start();
});
afterEach(async () => {
  release();
  await world[Symbol.asyncDispose]();
});

const unreadIs = (count: number) =>
  tom.until(`${count} unread`, () => Promise.resolve(unread.at(-1) === count));

describe('announcements of new messages', () => {
  it('one for what comes together, with the newest text and the count', async () => {
    await bob.send(ofBob, 'one');
    await bob.send(ofBob, 'two');
    await tom.received(ofTom, 2);
    expect(announced).toEqual([]);
    clock.advance(300);
    expect(announced.map(({ count, message }) => [count, message.text])).toEqual([[2, 'two']]);
    expect(announced[0]?.conversation.peerAddress).toBe(bob.address);
  });

  it('a flood is told at most every five seconds, with all that came', async () => {
    await bob.send(ofBob, 'first');
    await tom.received(ofTom, 1);
    clock.advance(300);
    for (let index = 0; index < 20; index += 1) await bob.send(ofBob, `more ${index}`);
    await tom.received(ofTom, 21);
    clock.advance(4_999);
    expect(announced).toHaveLength(1);
    clock.advance(1);
    expect(announced.map(({ count }) => count)).toEqual([1, 21]);
    clock.advance(60_000);
    expect(announced).toHaveLength(2);
  });

  it('what is read before it was told is not told, and what was told is withdrawn', async () => {
    await bob.send(ofBob, 'one');
    await tom.received(ofTom, 1);
    await unreadIs(1);
    await tom.commands['conversation.markRead']({ conversationId: ofTom.id, position: 1_000_000 });
    await unreadIs(0);
    clock.advance(10_000);
    expect(announced).toEqual([]);
    expect(withdrawn).toContain(ofTom.id);
  });

  it('nothing of a muted conversation, neither told nor counted; and of our own messages nothing', async () => {
    await tom.commands['marks.set']({ conversationId: ofTom.id, marks: { ...NO_MARKS, muted: true } });
    await bob.send(ofBob, 'one');
    await tom.received(ofTom, 1);
    await tom.send(ofTom, 'an answer');
    clock.advance(300);
    expect(announced).toEqual([]);
    expect(unread.at(-1)).toBe(0);
    await tom.commands['marks.set']({ conversationId: ofTom.id, marks: NO_MARKS });
    await unreadIs(1);
  });

  it('what is only marked as unread counts as one, unless it is muted or put away', async () => {
    const mark = (marks: Partial<Marks>) =>
      tom.commands['marks.set']({ conversationId: ofTom.id, marks: { ...NO_MARKS, ...marks } });
    await mark({ unread: true });
    await unreadIs(1);
    await bob.send(ofBob, 'one');
    await bob.send(ofBob, 'two');
    await tom.received(ofTom, 2);
    await unreadIs(2);
    await tom.commands['conversation.markRead']({ conversationId: ofTom.id });
    await unreadIs(1);
    await mark({ unread: true, muted: true });
    await unreadIs(0);
    await mark({ unread: true });
    await unreadIs(1);
    await mark({ unread: true, archived: true });
    await unreadIs(0);
  });

  it('nothing of somebody whom our user has not agreed to', async () => {
    await world.server.users.add('eve', 'secret of eve');
    const eve = await world.join('eve');
    const ofEve = await eve.open('tom');
    await eve.send(ofEve, 'buy this');
    await tom.session(await tom.with('eve'), 'asked');
    clock.advance(300);
    expect(announced).toEqual([]);
    expect(unread.at(-1)).toBe(0);
  });

  it('what has happened in a group, nothing; what somebody wrote there, yes', async () => {
    await bob.send(ofBob, 'one');
    await tom.received(ofTom, 1);
    clock.advance(300);
    const [told] = announced;
    clock.advance(10_000);
    const person = { address: bob.address, name: 'Bob' };
    const notice = { kind: 'joined', by: person, who: person, title: null } as const;
    const publish = (group: MessageGroup) =>
      tom.messenger.feed.publish('message.added', { message: { ...told!.message, group } });
    publish({ person: null, isPrivate: false, notice });
    clock.advance(10_000);
    expect(announced).toHaveLength(1);
    publish({ person, isPrivate: false, notice: null });
    clock.advance(300);
    expect(announced).toHaveLength(2);
  });

  it('of a muted group nothing but what names our user, which is what is told', async () => {
    await bob.send(ofBob, 'one');
    await tom.received(ofTom, 1);
    clock.advance(300);
    const [told] = announced;
    clock.advance(10_000);
    const { feed } = tom.messenger;
    const member = { nickname: '', role: 'member', state: 'here' } as const;
    feed.publish('group.changed', {
      group: {
        conversationId: ofTom.id,
        membership: 'member',
        isOpen: false,
        members: [
          { ...member, address: bob.address, name: 'Bob' },
          { ...member, address: tom.address, name: 'Tom Weber' },
        ],
      },
    });
    await tom.commands['marks.set']({ conversationId: ofTom.id, marks: { ...NO_MARKS, muted: true } });
    const group = { person: { address: bob.address, name: 'Bob' }, isPrivate: false, notice: null };
    const say = (text: string) =>
      feed.publish('message.added', { message: { ...told!.message, text, group } });
    say('nobody in particular, certainly not x@Tom Weber');
    clock.advance(10_000);
    expect(announced).toHaveLength(1);
    say('@tom weber, are you there?');
    say('Hello?');
    clock.advance(300);
    expect(announced).toHaveLength(2);
    expect(announced[1]).toMatchObject({ count: 2, message: { text: '@tom weber, are you there?' } });
  });

  it('of a group: who is named has the name that our user has for him', async () => {
    await bob.send(ofBob, 'one');
    await tom.received(ofTom, 1);
    clock.advance(300);
    const [told] = announced;
    clock.advance(10_000);
    const { feed } = tom.messenger;
    const eve = { address: 'eve@chat.test', name: 'Evelyn Park', roomName: 'Captain' };
    feed.publish('group.changed', {
      group: {
        ...{ conversationId: ofTom.id, membership: 'member', isOpen: false },
        members: [{ ...eve, nickname: 'Captain', role: 'member', state: 'here' }],
      },
    });
    const group = { person: { address: bob.address, name: 'Bob' }, isPrivate: false, notice: null };
    feed.publish('message.added', { message: { ...told!.message, text: 'ask @captain', group } });
    clock.advance(300);
    expect(announced[1]?.message.text).toBe('ask @Evelyn Park');
  });
});
