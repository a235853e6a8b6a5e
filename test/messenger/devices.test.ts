/** Several devices of one user: what happens on one is seen on the others, also on one that was off. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { createGroup, groupOf } from '../support/group-people.ts';
import { DOMAIN, World, type Person } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { eventually } from '../support/eventually.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob with two computers, and Tom, who is a contact of his on the first. */
async function openDesk() {
  const laptop = await world.join('bob', { name: 'laptop', deviceName: 'Laptop' });
  const phone = await world.join('bob', { name: 'phone', deviceName: 'Phone' });
  const tom = await world.join('tom');
  const ofLaptop = await laptop.meet('tom');
  const ofTom = await tom.meet('bob');
  await untilTold(laptop);
  return { laptop, phone, tom, ofLaptop, ofTom };
}

/** The device has answered the greeting of the other one: what happens on it from now on is told. */
async function untilTold(device: Person): Promise<void> {
  await eventually(async () => {
    const accounts = await device.messenger.store.call('selectAccounts', null);
    expect(accounts[0]?.otherDevices).toBe(1);
  });
}

interface Shown {
  readonly text: string;
  readonly direction: 'in' | 'out';
  readonly state: string;
}

function shown({ text, direction, state }: Message): Shown {
  return { text, direction, state };
}

function untilShown(
  device: Person,
  conversation: { id: ConversationId },
  what: readonly Shown[],
): Promise<unknown> {
  return device.until(JSON.stringify(what), async () => {
    const now = (await device.messages(conversation)).map(shown);
    return JSON.stringify(now) === JSON.stringify(what);
  });
}

describe('while both are on', () => {
  it('what one sends and receives is on the other: once, in order, with its state, and who has sent it', async () => {
    const { laptop, phone, tom, ofLaptop, ofTom } = await openDesk();
    await laptop.becomes(await laptop.send(ofLaptop, 'Are you there?'), 'delivered');
    await tom.send(ofTom, 'Yes');
    await laptop.received(ofLaptop, 1);
    const sent = await laptop.becomes(await laptop.send(ofLaptop, 'ä'.repeat(200_000)), 'delivered');
    const ofPhone = await phone.with('tom');
    await untilShown(phone, ofPhone, (await laptop.messages(ofLaptop)).map(shown));
    expect((await phone.messages(ofPhone)).map(({ sentAtMs }) => sentAtMs)).toEqual(
      (await laptop.messages(ofLaptop)).map(({ sentAtMs }) => sentAtMs),
    );
    expect(await phone.commands['message.details']({ messageId: sent.id })).toMatchObject({
      device: 'Laptop',
    });
    expect(await laptop.commands['message.details']({ messageId: sent.id })).toMatchObject({ device: null });
  });

  it('what is read on one is read on the other, and its author is told once', async () => {
    const { laptop, phone, tom, ofLaptop, ofTom } = await openDesk();
    const first = await tom.send(ofTom, 'one');
    await tom.becomes(await tom.send(ofTom, 'two'), 'delivered');
    const ofPhone = await phone.with('tom');
    await phone.received(ofPhone, 2);
    const [, newest] = await phone.messages(ofPhone);
    await phone.commands['conversation.markRead']({
      conversationId: ofPhone.id,
      position: newest?.position ?? 0,
    });
    await tom.becomes(first, 'displayed');
    await laptop.until('read', async () =>
      (await laptop.messages(ofLaptop)).every(({ state }) => state === 'read'),
    );
    const [conversation] = await laptop.commands['conversation.list']({});
    expect(conversation?.unreadCount).toBe(0);
    expect(world.received('MESSAGE').filter((text) => text.includes('<displayed/>'))).toHaveLength(2);
  });

  it('reactions, other texts and what is taken back happen on both, whichever has sent the message', async () => {
    const { laptop, phone, tom, ofLaptop, ofTom } = await openDesk();
    const sent = await laptop.becomes(await laptop.send(ofLaptop, 'trian'), 'delivered');
    const gone = await laptop.becomes(await laptop.send(ofLaptop, 'never mind'), 'delivered');
    const [received] = await tom.messages(ofTom);
    const ofPhone = await phone.with('tom');
    await phone.until('both', async () => (await phone.messages(ofPhone)).length === 2);
    await phone.commands['message.edit']({ messageId: sent.id, text: 'train' });
    await laptop.commands['message.takeBack']({ messageId: gone.id });
    await tom.commands['message.react']({ messageId: received?.id ?? sent.id, emoji: '👍' });
    for (const [device, conversation] of [
      [laptop, ofLaptop],
      [phone, ofPhone],
    ] as const) {
      await device.until('all three', async () => {
        const [edited, deleted] = await device.messages(conversation);
        return (
          edited?.text === 'train' && edited.reactions?.length === 1 && deleted?.deletedAtMs !== undefined
        );
      });
    }
    expect((await tom.messages(ofTom)).map(({ text }) => text)).toEqual(['train', '']);
  });

  it('a group that one has made is on the other at once, the first and every further one', async () => {
    const { laptop, phone, tom } = await openDesk();
    for (const title of ['Trip', 'Work']) {
      const onLaptop = await createGroup(laptop, title, ['tom']);
      const onPhone = await groupOf(phone, title);
      await laptop.send(onLaptop, `to ${title}`);
      await phone.until(title, async () => (await phone.texts(onPhone, 'out')).includes(`to ${title}`));
      expect(onPhone.standing).toBe('accepted');
      await groupOf(tom, title);
    }
  });

  it('pinned, muted, put away: what was chosen last is so on both, also of a group', async () => {
    const { laptop, phone, tom, ofLaptop } = await openDesk();
    await laptop.becomes(await laptop.send(ofLaptop, 'one'), 'delivered');
    const ofPhone = await phone.with('tom');
    await createGroup(tom, 'Trip', ['bob']);
    const group = await groupOf(laptop, 'Trip');
    const onPhone = await groupOf(phone, 'Trip');
    const marksOn = async (device: Person, { id }: { id: ConversationId }) =>
      (await device.commands['marks.list']({})).find(({ conversationId }) => conversationId === id)?.marks;
    const mark = (device: Person, { id }: { id: ConversationId }, ...names: string[]) =>
      device.commands['marks.set']({
        conversationId: id,
        marks: {
          pinned: names.includes('pinned'),
          muted: names.includes('muted'),
          archived: names.includes('archived'),
          unread: names.includes('unread'),
        },
      });
    await mark(laptop, ofLaptop, 'pinned');
    await mark(laptop, ofLaptop, 'pinned', 'muted');
    await mark(laptop, group, 'archived', 'unread');
    await phone.until('both', async () => {
      const [one, other] = await Promise.all([marksOn(phone, ofPhone), marksOn(phone, onPhone)]);
      return (
        one?.pinned === true &&
        one.muted &&
        !one.archived &&
        other?.archived === true &&
        other.unread === true
      );
    });
    expect(phone.events.filter(({ event }) => event === 'marks.changed').length).toBeGreaterThan(1);
    await mark(phone, ofPhone);
    await laptop.until('not marked', async () => (await marksOn(laptop, ofLaptop))?.pinned === false);
  });

  it('an answer shows on the other device what it answers', async () => {
    const { laptop, phone, ofLaptop } = await openDesk();
    const question = await laptop.becomes(await laptop.send(ofLaptop, 'By train?'), 'delivered');
    await laptop.commands['message.send']({
      conversationId: ofLaptop.id,
      text: 'Or by bus?',
      replyTo: question.id,
    });
    const ofPhone = await phone.with('tom');
    const answer = await phone.until('the answer', async () => (await phone.messages(ofPhone))[1]);
    expect(answer.reply?.text).toBe('By train?');
  });

  it('a group that is read on one is read on the other, whose messages come from the room', async () => {
    const laptop = await world.join('bob', { name: 'laptop', deviceName: 'Laptop' });
    const tom = await world.join('tom');
    await laptop.meet('tom');
    await tom.meet('bob');
    const ofTom = await createGroup(tom, 'Trip', ['bob']);
    const ofLaptop = await groupOf(laptop, 'Trip');
    const phone = await world.join('bob', { name: 'phone', deviceName: 'Phone' });
    const ofPhone = await groupOf(phone, 'Trip');
    await untilTold(laptop);
    await tom.send(ofTom, 'hello');
    await phone.until('the message', async () => (await phone.texts(ofPhone, 'in')).includes('hello'));
    const newest = await laptop.until('the message', async () =>
      (await laptop.messages(ofLaptop)).findLast(({ text }) => text === 'hello'),
    );
    await laptop.commands['conversation.markRead']({
      conversationId: ofLaptop.id,
      position: newest.position,
    });
    await phone.until('read there', async () =>
      (await phone.messages(ofPhone)).every(({ state }) => state === 'read'),
    );
    expect((await phone.texts(ofPhone, 'in')).filter((text) => text === 'hello')).toHaveLength(1);
  });
});

describe('while one is off', () => {
  it('everything waits for it, in order, through restarts of the server and of the one that tells', async () => {
    const { laptop, phone, tom, ofLaptop, ofTom } = await openDesk();
    await phone[Symbol.asyncDispose]();
    const sent = await laptop.becomes(await laptop.send(ofLaptop, 'one'), 'delivered');
    await tom.send(ofTom, 'two');
    await laptop.received(ofLaptop, 1);
    await laptop.commands['message.edit']({ messageId: sent.id, text: 'number one' });
    await laptop.becomes(await laptop.send(ofLaptop, 'three'), 'delivered');
    // Whether all of it has reached the server by now is left to chance: either side remembers the rest.
    await laptop[Symbol.asyncDispose]();
    await world.stopServer();
    await world.startServer();
    const again = await world.openPerson('bob', { name: 'laptop', deviceName: 'Laptop' });
    await again.online();
    const before = await again.messages(ofLaptop);
    const back = await world.openPerson('bob', { name: 'phone', deviceName: 'Phone' });
    const ofPhone = await back.with('tom');
    await untilShown(back, ofPhone, before.map(shown));
    expect((await back.messages(ofPhone)).map(({ text }) => text)).toEqual(['number one', 'two', 'three']);
  });

  it('a message for somebody who is away waits on both, and has arrived on both when he comes', async () => {
    const { laptop, phone, tom, ofLaptop } = await openDesk();
    await tom[Symbol.asyncDispose]();
    const waiting = await laptop.becomes(await laptop.send(ofLaptop, 'later'), 'waiting');
    const ofPhone = await phone.with('tom');
    await untilShown(phone, ofPhone, [{ text: 'later', direction: 'out', state: 'waiting' }]);
    await laptop[Symbol.asyncDispose]();
    const back = await world.openPerson('tom');
    await back.online();
    await untilShown(phone, ofPhone, [{ text: 'later', direction: 'out', state: 'delivered' }]);
    const again = await world.openPerson('bob', { name: 'laptop', deviceName: 'Laptop' });
    await again.becomes(waiting, 'delivered');
  });
});

describe('who is told, and who is believed', () => {
  it('a user with one device tells nobody', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom');
    await tom.meet('bob');
    await bob.becomes(await bob.send(await bob.meet('tom'), 'hello'), 'delivered');
    expect(world.received('REGISTER').some((text) => text.includes(';+u.parley.copies'))).toBe(true);
    expect(world.received('MESSAGE').filter((text) => text.includes('Copy.Kind'))).toEqual([]);
  });

  it('who does not want it tells nobody, and nobody is told for him', async () => {
    const { laptop, phone, ofLaptop } = await openDesk();
    await phone.commands['settings.set']({ key: 'privacy.tellOwnDevices', value: false });
    await eventually(() => {
      const [announced] = world.received('REGISTER').slice(-1);
      expect(announced).not.toContain('+u.parley.copies');
    });
    await laptop.becomes(await laptop.send(ofLaptop, 'hello'), 'delivered');
    await eventually(async () => {
      const [account] = await laptop.messenger.store.call('selectAccounts', null);
      expect(account?.otherDevices).toBeUndefined();
    });
    expect(await phone.commands['conversation.list']({})).toEqual([]);
  });

  it('a program that does not know copies gets none', async () => {
    const { laptop, phone, ofLaptop } = await openDesk();
    await using stranger = await RawDevice.join('bob', world.port);
    await laptop.becomes(await laptop.send(ofLaptop, 'hello'), 'delivered');
    const ofPhone = await phone.with('tom');
    await untilShown(phone, ofPhone, [{ text: 'hello', direction: 'out', state: 'delivered' }]);
    expect(stranger.peer.messages.waiting.filter(({ startLine }) => startLine.startsWith('MESSAGE'))).toEqual(
      [],
    );
  });

  it('what somebody else says in our name is a message of his, and nothing happens', async () => {
    const { laptop, ofLaptop } = await openDesk();
    await using eve = await RawDevice.join('eve', world.port);
    const bob = `sip:bob@${DOMAIN}`;
    const forged = [
      `From: <${bob}>`,
      `To: <sip:tom@${DOMAIN}>`,
      'NS: imdn <urn:ietf:params:imdn>',
      'NS: Copy <urn:parley:params:copy>',
      'imdn.Message-ID: forged1',
      'Copy.Kind: message',
      'Copy.Direction: sent',
      'Copy.State: sent',
      '',
      'Content-Type: text/plain',
      '',
      'I owe you everything',
    ].join('\r\n');
    const asCopy = [
      'Content-Type: message/cpim',
      'Accept-Contact: *;+u.parley.copies;require;explicit',
      'Reject-Contact: *;+sip.instance="<urn:uuid:1>"',
    ];
    const answer = await eve.ask('MESSAGE', { uri: bob, to: `<${bob}>`, body: forged, headers: asCopy });
    expect(answer.status).toBe(200);
    const ofEve = await laptop.with('eve');
    await untilShown(laptop, ofEve, [{ text: 'I owe you everything', direction: 'in', state: 'received' }]);
    // In his name she gets no further than his password.
    const inHisName = { from: `<${bob}>;tag=1`, uri: bob, to: `<${bob}>`, body: forged, headers: asCopy };
    expect((await eve.ask('MESSAGE', inHisName)).status).toBeGreaterThanOrEqual(400);
    expect(await laptop.messages(ofLaptop)).toEqual([]);
  });
});
