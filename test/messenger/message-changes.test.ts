/** Answers, reactions, other texts and what is taken back, between people with Parley, in a group, and with strangers. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportArchive } from '../../main/messenger/history/archive-export.ts';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { importHistory } from '../../main/messenger/history/import.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import { Store } from '../../main/store/store.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { createGroup, groupOf, untilLine, untilMembers } from '../support/group-people.ts';
import { DOMAIN, openPair, World, type Person } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** The newest message whose text, or former text, began so; as `person` has it once `look` is pleased. */
function untilMessage(
  person: Person,
  conversation: { id: ConversationId },
  what: string,
  look: (message: Message) => boolean,
): Promise<Message> {
  return person.until(what, async () => (await person.messages(conversation)).findLast(look));
}

/** Bob and Tom, who have talked: each knows that the other one's program follows changes. */
async function openTalk() {
  const pair = await openPair(world);
  const { bob, tom, ofBob, ofTom } = pair;
  const sent = await bob.becomes(await bob.send(ofBob, 'Shall we go by trian?'), 'delivered');
  const [received] = await tom.messages(ofTom);
  if (received === undefined) throw new Error('nothing has come');
  for (const [person, conversation] of [
    [bob, ofBob],
    [tom, ofTom],
  ] as const) {
    await person.until('follows changes', async () =>
      (await person.commands['conversation.list']({})).some(
        ({ id, takesChanges }) => id === conversation.id && takesChanges === true,
      ),
    );
  }
  return { ...pair, sent, received };
}

describe('between two people with Parley', () => {
  it('an answer shows what it answers, on both sides, and says nothing twice', async () => {
    const { bob, tom, ofBob, ofTom, sent, received } = await openTalk();
    await tom.commands['message.send']({ conversationId: ofTom.id, text: 'Yes', replyTo: received.id });
    const answer = await untilMessage(bob, ofBob, 'the answer', ({ text }) => text === 'Yes');
    expect(answer.reply).toEqual({
      position: sent.position,
      direction: 'out',
      name: null,
      text: 'Shall we go by trian?',
    });
    const [, own] = await tom.messages(ofTom);
    expect(own?.reply).toMatchObject({ position: received.position, direction: 'in' });
  });

  it('a reaction takes the place of the one before, and can be taken back', async () => {
    const { bob, tom, ofBob, sent, received } = await openTalk();
    await tom.commands['message.react']({ messageId: received.id, emoji: '👍' });
    const reacted = await untilMessage(bob, ofBob, 'a reaction', ({ reactions }) => reactions !== undefined);
    expect(reacted).toMatchObject({ id: sent.id, reactions: [{ emoji: '👍', isOurs: false, name: null }] });
    const own = await bob.commands['message.react']({ messageId: sent.id, emoji: '❤️' });
    expect(own.message.reactions?.map(({ emoji }) => emoji)).toEqual(['👍', '❤️']);
    await tom.commands['message.react']({ messageId: received.id, emoji: '😂' });
    await untilMessage(bob, ofBob, 'another', ({ reactions }) =>
      (reactions ?? []).some(({ emoji }) => emoji === '😂'),
    );
    expect((await bob.message(sent)).reactions).toHaveLength(2);
    await tom.commands['message.react']({ messageId: received.id, emoji: null });
    await untilMessage(bob, ofBob, 'none of his', ({ reactions }) => reactions?.length === 1);
    // Nobody reads a reaction as a message.
    expect(await bob.texts(ofBob, 'in')).toEqual([]);
  });

  it('another text is read, found and shown as such by both; the search does not find the old one', async () => {
    const { bob, tom, ofTom, sent } = await openTalk();
    await bob.commands['message.edit']({ messageId: sent.id, text: 'Shall we go by train?' });
    const edited = await untilMessage(
      tom,
      ofTom,
      'the other text',
      ({ editedAtMs }) => editedAtMs !== undefined,
    );
    expect(edited.text).toBe('Shall we go by train?');
    for (const person of [bob, tom]) {
      const found = async (text: string) =>
        (await person.commands['search.query']({ text, limit: 5, lane: 0 })).hits.length;
      expect([await found('trian'), await found('train')]).toEqual([0, 1]);
    }
    expect(await tom.messages(ofTom)).toHaveLength(1);
  });

  it('what is taken back is gone on both sides, with what it was before', async () => {
    const { bob, tom, ofBob, ofTom, sent, received } = await openTalk();
    await bob.commands['message.edit']({ messageId: sent.id, text: 'another text' });
    await tom.commands['message.react']({ messageId: received.id, emoji: '👍' });
    await bob.commands['message.takeBack']({ messageId: sent.id });
    const gone = await untilMessage(tom, ofTom, 'taken back', ({ deletedAtMs }) => deletedAtMs !== undefined);
    expect(gone).toMatchObject({ id: received.id, text: '' });
    expect(gone.reactions).toBeUndefined();
    expect((await bob.messages(ofBob))[0]).toMatchObject({ id: sent.id, text: '' });
    for (const text of ['trian', 'another']) {
      expect((await tom.commands['search.query']({ text, limit: 5, lane: 0 })).hits).toEqual([]);
    }
    await expect(bob.commands['message.edit']({ messageId: sent.id, text: 'again' })).resolves.toBeDefined();
    expect((await bob.message(sent)).text).toBe('');
  });

  it('reaches somebody who is away when he is back, after a restart of ours as well', async () => {
    const { bob, tom, ofBob, ofTom, sent } = await openTalk();
    await tom[Symbol.asyncDispose]();
    await world.stopServer();
    await bob.commands['message.edit']({ messageId: sent.id, text: 'By ship!' });
    await bob[Symbol.asyncDispose]();
    await world.startServer();
    const bobAgain = await world.openPerson('bob');
    await bobAgain.online();
    // Kept by the server for him.
    await bobAgain.becomes(await bobAgain.send(ofBob, 'Are you there?'), 'waiting');
    const tomAgain = await world.openPerson('tom');
    await tomAgain.received(ofTom, 2);
    const edited = await untilMessage(tomAgain, ofTom, 'the other text', ({ text }) => text === 'By ship!');
    expect(edited.editedAtMs).toBeDefined();
    expect(await tomAgain.texts(ofTom, 'in')).toEqual(['By ship!', 'Are you there?']);
  });

  it('somebody who changes his mind without end fills nobody’s disk', async () => {
    const { tom, ofTom, received } = await openTalk();
    const { store } = tom.messenger;
    const known = await store.call('selectWireId', { id: received.id });
    for (let nth = 0; nth < 300; nth += 1) {
      await store.call('applyMessageChange', {
        conversationId: ofTom.id,
        targetWireId: known?.wireId ?? '',
        change: { kind: 'edit', text: `text ${nth}` },
        direction: 'in',
        person: null,
        atMs: nth,
        wireId: `change-${nth}`,
        waits: false,
        keepsText: false,
      });
    }
    const [exported] = await store.call('selectExportPage', { conversationId: ofTom.id, after: 0, limit: 1 });
    expect(exported?.text).toBe('text 299');
    expect(exported?.changes).toHaveLength(101);
    expect(exported?.changes.at(-1)).toMatchObject({ kind: 'edit', text: 'text 298', counts: true });
  });

  it('nobody changes what another one has written', async () => {
    const { tom, received } = await openTalk();
    const why = 'Only texts that you have written can be changed or taken back.';
    await expect(tom.commands['message.edit']({ messageId: received.id, text: 'No' })).rejects.toThrow(why);
    await expect(tom.commands['message.takeBack']({ messageId: received.id })).rejects.toThrow(why);
  });
});

describe('taken along', () => {
  it('into folders and archives that can be checked, and from there into another history', async () => {
    const { bob, tom, ofTom, sent, received } = await openTalk();
    await tom.commands['message.send']({ conversationId: ofTom.id, text: 'Yes', replyTo: received.id });
    await tom.commands['message.react']({ messageId: received.id, emoji: '👍' });
    await bob.commands['message.edit']({ messageId: sent.id, text: 'Shall we go by train?' });
    await untilMessage(tom, ofTom, 'the other text', ({ editedAtMs }) => editedAtMs !== undefined);
    const { store } = tom.messenger;
    const shownBy = async (from: Store) => {
      const [conversation] = await from.call('selectConversations', null);
      const conversationId = conversation?.id ?? ofTom.id;
      const { messages } = await from.call('selectMessagePage', { conversationId, limit: 10 });
      return messages.map(({ text, reply, reactions, editedAtMs }) => ({
        text,
        reply,
        reactions,
        editedAtMs,
      }));
    };
    const before = await shownBy(store);
    expect(before[0]?.reactions).toHaveLength(1);
    expect(before[1]?.reply?.text).toBe('Shall we go by train?');
    const folder = join(world.folder, 'lines');
    const path = join(world.folder, 'all.parley');
    await exportHistory({ store, folder, format: 'jsonl', program: 'test' });
    await exportArchive({ store, path, selection: { conversations: null }, program: 'test' });
    for (const from of [folder, path]) {
      expect((await verifyExport(from)).problems).toEqual([]);
      await using other = await Store.open(join(world.folder, `other-${basename(from)}.sqlite`));
      const filesFolder = join(world.folder, 'taken-in');
      await importHistory({ store: other, from, filesFolder });
      expect(await shownBy(other)).toEqual(before);
      expect(await importHistory({ store: other, from, filesFolder })).toMatchObject({ added: 0 });
      expect(await shownBy(other)).toEqual(before);
    }
    for (const [format, name] of [
      ['html', 'Yes'],
      ['text', 'Yes'],
    ] as const) {
      const at = join(world.folder, format);
      await exportHistory({ store, folder: at, format, program: 'test' });
      const pages = (await readdir(at)).filter(
        (file) => /\.(?:html|txt)$/.test(file) && file !== 'index.html',
      );
      const page = await readFile(join(at, pages[0] ?? ''), 'utf8');
      expect(page).toContain(name);
      for (const mark of ['(edited)', '(reply)', '👍']) expect(page).toContain(mark);
    }
  });
});

describe('with somebody whose program knows nothing of it', () => {
  it('an answer quotes, a reaction is a text, and nothing else is offered', async () => {
    const bob = await world.join('bob');
    const tom = await RawDevice.join('tom', world.port);
    world.own(tom);
    const ofBob = await bob.meet('tom');
    /** He has no sessions; what is for him goes by way of the server. */
    const nextText = async () => {
      const message = await tom.peer.messages.next(
        ({ startLine }) => /^(?:INVITE|MESSAGE) /.test(startLine),
        'INVITE or MESSAGE',
      );
      if (message.startLine.startsWith('INVITE')) {
        await tom.peer.answer(message, 480, { toTag: `t${message.header('Call-ID')}` });
        return undefined;
      }
      await tom.peer.answer(message, 200);
      return message.body;
    };
    const untilText = async () => {
      for (;;) {
        const body = await nextText();
        if (body !== undefined) return body.slice(body.lastIndexOf('\r\n\r\n') + 4);
      }
    };
    const sent = await bob.send(ofBob, 'Shall we\nmeet?');
    expect(await untilText()).toBe('Shall we\nmeet?');
    await bob.becomes(sent, 'sent');
    await bob.commands['message.send']({ conversationId: ofBob.id, text: 'At four', replyTo: sent.id });
    expect(await untilText()).toBe('> Shall we\n> meet?\n\nAt four');
    await bob.commands['message.react']({ messageId: sent.id, emoji: '👍' });
    expect(await untilText()).toBe('👍');
    const why = 'The program of the other side would not change it, but show a further message.';
    await expect(bob.commands['message.edit']({ messageId: sent.id, text: 'No' })).rejects.toThrow(why);
    await expect(bob.commands['message.takeBack']({ messageId: sent.id })).rejects.toThrow(why);
  });
});

describe('in a group', () => {
  it('everybody sees whose answer, reaction and other text it is', async () => {
    const people = [];
    for (const user of ['bob', 'tom', 'eve']) people.push(await world.join(user));
    const [bob, tom, eve] = people as [Person, Person, Person];
    for (const one of people) {
      for (const user of ['bob', 'tom', 'eve']) if (user !== one.user) await one.meet(user);
    }
    const ofBob = await createGroup(bob, 'Trip', ['tom', 'eve']);
    await untilMembers(bob, ofBob, ['bob', 'tom', 'eve']);
    const [ofTom, ofEve] = [await groupOf(tom, 'Trip'), await groupOf(eve, 'Trip')];
    const sent = await bob.becomes(await bob.send(ofBob, 'where to?'), 'sent');
    await untilLine(tom, ofTom, 'bob: where to?');
    await untilLine(eve, ofEve, 'bob: where to?');
    const asked = await untilMessage(tom, ofTom, 'the question', ({ text }) => text === 'where to?');
    await tom.commands['message.send']({ conversationId: ofTom.id, text: 'to the sea', replyTo: asked.id });
    const answer = await untilMessage(eve, ofEve, 'the answer', ({ text }) => text === 'to the sea');
    expect(answer.reply).toMatchObject({ direction: 'in', name: 'bob', text: 'where to?' });
    await tom.commands['message.react']({ messageId: asked.id, emoji: '🌊' });
    const reacted = await untilMessage(
      eve,
      ofEve,
      'the reaction',
      ({ reactions }) => reactions !== undefined,
    );
    expect(reacted.reactions).toEqual([{ emoji: '🌊', isOurs: false, name: 'tom' }]);
    await bob.commands['message.edit']({ messageId: sent.id, text: 'where to, and when?' });
    const edited = await untilMessage(
      eve,
      ofEve,
      'the other text',
      ({ editedAtMs }) => editedAtMs !== undefined,
    );
    expect(edited.text).toBe('where to, and when?');
    // Ours comes back from the room and changes nothing.
    await tom.commands['message.react']({ messageId: asked.id, emoji: null });
    await untilMessage(
      bob,
      ofBob,
      'no reaction',
      ({ id, reactions }) => id === sent.id && reactions === undefined,
    );
    const lines = (await eve.messages(ofEve)).filter(({ group }) => group?.notice === null);
    expect(lines.map(({ text }) => text)).toEqual(['where to, and when?', 'to the sea']);
    expect(lines[0]?.group?.person?.address).toBe(`bob@${DOMAIN}`);
  });
});
