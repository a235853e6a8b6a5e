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

async function open(fileTellingMs: number) {
  world = await World.open(['bob', 'tom']);
  const pair = await openPair(world, { limits: { ...QUICK.limits, fileTellingMs } });
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
