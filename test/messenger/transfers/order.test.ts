/** What is sent at once arrives in the order in which it was sent, however long a file is read before it is offered. */
import { truncate } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import { openPair, QUICK, World, type Person } from '../../support/im-world.ts';
import { arrived, becomes, fileOf, sendFile, writeRandom } from './desk.ts';

const MB = 1024 * 1024;

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** One that takes a while to be read. */
async function writeLarge(name: string, bytes = 96 * MB): Promise<string> {
  const path = await writeRandom(world, name, 1);
  await truncate(path, bytes);
  return path;
}

async function open(fileTellingMs: number, fileBehindTextsMs = 60_000) {
  world = await World.open(['bob', 'tom']);
  const limits = { ...QUICK.limits, fileTellingMs, fileBehindTextsMs };
  const pair = await openPair(world, { limits });
  await pair.tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  await pair.bob.becomes(await pair.bob.send(pair.ofBob, 'first'), 'delivered');
  return pair;
}

async function thread(person: Person, conversation: Conversation, count: number): Promise<string[]> {
  const messages = await person.until(`${count} messages`, async () => {
    const now = await person.messages(conversation);
    return now.length >= count && now;
  });
  return messages.map(({ text }) => text);
}

const ALL = ['first', 'large', 'small', 'between', 'middle', 'last'];

async function sendAll(bob: Person, ofBob: Conversation): Promise<void> {
  const [large, small, middle] = [
    await writeLarge('large'),
    await writeRandom(world, 'small', 10),
    await writeLarge('middle', 24 * MB),
  ];
  await sendFile(bob, ofBob, large);
  await sendFile(bob, ofBob, small);
  await bob.send(ofBob, 'between');
  await sendFile(bob, ofBob, middle);
  await bob.send(ofBob, 'last');
}

it('files and texts that are sent at once are in one order on both sides', async () => {
  const { bob, tom, ofBob, ofTom } = await open(60_000);
  await sendAll(bob, ofBob);
  expect(await thread(tom, ofTom, ALL.length)).toEqual(ALL);
  expect(await thread(bob, ofBob, ALL.length)).toEqual(ALL);
});

it('so they are on the other device of who has sent them', async () => {
  const { bob, ofBob } = await open(60_000);
  const phone = await world.join('bob', { name: 'phone' });
  await bob.until('another device', async () => {
    const [account] = await bob.messenger.store.call('selectAccounts', null);
    return account?.otherDevices === 1;
  });
  await sendAll(bob, ofBob);
  expect(await thread(phone, await phone.with('tom'), ALL.length - 1)).toEqual(ALL.slice(1));
});

it('what was sent while the server was away goes in its order when it is back', async () => {
  const { bob, tom, ofBob, ofTom } = await open(60_000);
  await world.stopServer();
  await sendAll(bob, ofBob);
  await world.startServer();
  expect(await thread(tom, ofTom, ALL.length)).toEqual(ALL);
});

it('what the server keeps for somebody who is away is told to him in its order', async () => {
  const { bob, tom, ofBob } = await open(60_000);
  await tom[Symbol.asyncDispose]();
  const files = [await writeRandom(world, 'large', 4 * MB), await writeRandom(world, 'small', 10)];
  for (const path of files) await sendFile(bob, ofBob, path);
  const last = await bob.send(ofBob, 'last');
  await bob.becomes(last, 'waiting');
  const back = await world.openPerson('tom');
  await back.online();
  expect(await thread(back, await back.with('bob'), 4)).toEqual(['first', 'large', 'small', 'last']);
});

it('a text waits for a moment only; a file that is taken back before it was offered holds up nothing', async () => {
  const { bob, tom, ofBob, ofTom } = await open(1);
  const sent = await sendFile(bob, ofBob, await writeLarge('large'));
  await sendFile(bob, ofBob, await writeRandom(world, 'small', 10));
  await bob.send(ofBob, 'text');
  expect(await thread(tom, ofTom, 2)).toEqual(['first', 'text']);
  expect(await fileOf(bob, sent)).toMatchObject({ state: 'preparing' });
  await bob.commands['transfer.cancel']({ messageId: sent.id });
  expect(await thread(tom, ofTom, 3)).toEqual(['first', 'text', 'small']);
  await becomes(tom, await arrived(tom, ofTom), 'offered');
  expect(await fileOf(bob, sent)).toMatchObject({ state: 'cancelled' });
});

/** Tom is asked before he has a session with Bob, so that a text of Bob's waits as long as the test wants it. */
async function openStrangers(fileBehindTextsMs?: number) {
  const pair = await open(60_000, fileBehindTextsMs);
  const { bob, tom, ofBob, ofTom } = pair;
  await tom.commands['settings.set']({ key: 'sessions.acceptContacts', value: false });
  const { id } = await bob.session(ofBob, 'open');
  await bob.commands['session.end']({ sessionId: id });
  const text = await bob.send(ofBob, 'text');
  const file = await sendFile(bob, ofBob, await writeRandom(world, 'file', 10));
  await tom.session(ofTom, 'asked');
  await becomes(bob, file, 'waiting', 'offered');
  return { ...pair, text, file };
}

it('a file is offered behind a text that was written before it and waits for a session', async () => {
  const { bob, tom, ofBob, ofTom, file } = await openStrangers();
  await bob.send(ofBob, 'last');
  expect(await thread(tom, ofTom, 1)).toEqual(['first']);
  expect(await fileOf(bob, file)).toMatchObject({ state: 'waiting' });
  await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
  expect(await thread(tom, ofTom, 4)).toEqual(['first', 'text', 'file', 'last']);
});

it('it waits for a moment only', async () => {
  const { bob, tom, ofTom, text } = await openStrangers(1);
  expect(await thread(tom, ofTom, 2)).toEqual(['first', 'file']);
  expect(await bob.message(text)).toMatchObject({ state: 'queued' });
});

it('one that is taken back while it waits holds up nothing', async () => {
  const { bob, tom, ofBob, ofTom, file } = await openStrangers();
  await bob.commands['transfer.cancel']({ messageId: file.id });
  expect(await fileOf(bob, file)).toMatchObject({ state: 'cancelled' });
  await bob.send(ofBob, 'last');
  await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
  expect(await thread(tom, ofTom, 3)).toEqual(['first', 'text', 'last']);
});

it('what waited when the program was ended goes in its order when it is back', async () => {
  const { bob, tom, ofBob, ofTom } = await open(60_000);
  const { id } = await bob.session(ofBob, 'open');
  await bob.commands['session.end']({ sessionId: id });
  await world.stopServer();
  await bob.send(ofBob, 'one');
  const file = await sendFile(bob, ofBob, await writeRandom(world, 'file', 10));
  await bob.send(ofBob, 'two');
  await becomes(bob, file, 'waiting');
  await bob[Symbol.asyncDispose]();
  await world.startServer();
  await world.openPerson('bob', { limits: { ...QUICK.limits, fileTellingMs: 60_000 } });
  expect(await thread(tom, ofTom, 4)).toEqual(['first', 'one', 'file', 'two']);
});
