/** Files that are sent to a group: by way of its server, which keeps them for everybody who belongs to it. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { eventually } from '../../support/eventually.ts';
import { createGroup, groupOf, joinGroup, linesOf, stateOf, untilLine } from '../../support/group-people.ts';
import { DOMAIN, World, type Person, type ServerOptions } from '../../support/im-world.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ENGINES, ENGINE_START_MS } from '../../support/postgres.ts';
import { arrived, becomes, fileOf, received, sendFile, writeRandom } from '../transfers/desk.ts';

const KB = 1024;
const PREVIEW = Buffer.from([0xff, 0xd8, 0xff, ...Buffer.alloc(60)]).toString('base64');

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob has made the open group `trip`, to which these belong as well. */
async function openTrip(others: readonly string[], options: ServerOptions = {}) {
  world = await World.open(['bob', 'tom', 'eve', 'ann'], options);
  const bob = await world.join('bob');
  const ofBob = await createGroup(bob, 'Trip', [], 'trip');
  const people: { person: Person; group: Conversation }[] = [];
  for (const user of others) {
    const person = await world.join(user);
    const group = await joinGroup(person, 'trip');
    await untilLine(person, group, `[joined ${user}]`);
    people.push({ person, group });
  }
  return { bob, ofBob, people };
}

async function comeBack(user: string, name = user): Promise<Person> {
  const person = await world.openPerson(user, { name });
  await person.online();
  return person;
}

function keptFiles(folder = join(world.folder, 'imserver', 'files')): Promise<string[]> {
  return readdir(folder);
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function expectSame(person: Person, message: Message, path: string): Promise<void> {
  await becomes(person, message, 'done');
  expect(digestOf((await received(person, message)).bytes)).toBe(digestOf(await readFile(path)));
}

/** The lines of a group without what has happened in it. */
async function saidIn(person: Person, group: Conversation): Promise<string[]> {
  return (await linesOf(person, group)).filter((line) => !line.startsWith('['));
}

describe.each(ENGINES)('a file to a group, on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);

  it('comes to everybody in its order, to who is away when he is back, with its preview, once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-room-files-'));
    const { bob, ofBob, people } = await openTrip(['tom', 'eve'], {
      storage: await storage(),
      files: { folder },
    });
    const [tom, eve] = people;
    if (tom === undefined || eve === undefined) throw new Error('nobody');
    await eve.person[Symbol.asyncDispose]();
    await bob.send(ofBob, 'before');
    const path = await writeRandom(world, 'plan.jpg', 300 * KB);
    const sent = await sendFile(bob, ofBob, path, { type: 'image/jpeg', preview: PREVIEW });
    await bob.becomes(sent, 'sent');
    await bob.send(ofBob, 'after');
    expect((await becomes(bob, sent, 'done')).bytesDone).toBe(300 * KB);
    const atTom = await arrived(tom.person, tom.group);
    expect(atTom.group?.person).toEqual({ address: `bob@${DOMAIN}`, name: 'bob' });
    expect([atTom.file?.name, atTom.file?.type, atTom.file?.size, atTom.file?.preview]).toEqual([
      'plan.jpg',
      'image/jpeg',
      300 * KB,
      PREVIEW,
    ]);
    expect(atTom.sentAtMs).toBe(sent.sentAtMs);
    await expectSame(tom.person, atTom, path);
    await untilLine(tom.person, tom.group, 'bob: after');
    expect(await saidIn(tom.person, tom.group)).toEqual(['bob: before', 'bob: plan.jpg', 'bob: after']);
    await bob[Symbol.asyncDispose]();
    await world.stopServer();
    await world.startServer({ files: { folder } });
    const back = await comeBack('eve');
    await expectSame(back, await arrived(back, eve.group), path);
    await untilLine(back, eve.group, 'bob: after');
    expect(await saidIn(back, eve.group)).toEqual(['bob: before', 'bob: plan.jpg', 'bob: after']);
    // It stays for whoever else belongs to the group.
    expect(await keptFiles(folder)).toHaveLength(1);
    await rm(folder, { recursive: true });
  });

  it('is gone from the disk when its group ends', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-room-files-'));
    const { bob, ofBob } = await openTrip([], { storage: await storage(), files: { folder } });
    await bob.becomes(await sendFile(bob, ofBob, await writeRandom(world, 'a.bin', KB)), 'sent');
    expect(await keptFiles(folder)).toHaveLength(1);
    const room = world.server.rooms?.rooms.find('trip');
    if (room === undefined) throw new Error('no room');
    await world.server.rooms?.rooms.close(room);
    await eventually(async () => {
      expect(await keptFiles(folder)).toEqual([]);
    });
    await rm(folder, { recursive: true });
  });
});

describe('a file to a group', () => {
  it('that was sent without a network, into a group that is not there yet, goes out later', async () => {
    world = await World.open(['bob', 'tom']);
    const [bob, tom] = [await world.join('bob'), await world.join('tom')];
    await world.stopServer();
    await bob.until('offline', async () => (await bob.account()).connection.status !== 'online');
    const ofBob = await createGroup(bob, 'Trip', ['tom']);
    const path = await writeRandom(world, 'plan.pdf', 20 * KB);
    const sent = await sendFile(bob, ofBob, path);
    await bob.send(ofBob, 'there you are');
    await becomes(bob, sent, 'waiting');
    expect((await bob.message(sent)).state).toBe('queued');
    await world.startServer();
    await bob.becomes(sent, 'sent');
    const ofTom = await groupOf(tom, 'Trip');
    await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
    await untilLine(tom, ofTom, 'bob: there you are');
    await expectSame(tom, await arrived(tom, ofTom), path);
  });

  it('waits for a click when it is larger than what comes by itself; what is declined nobody hears of', async () => {
    const { bob, ofBob, people } = await openTrip(['tom', 'eve']);
    const [tom, eve] = people;
    if (tom === undefined || eve === undefined) throw new Error('nobody');
    for (const { person } of people)
      await person.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 10 * KB });
    const path = await writeRandom(world, 'large.bin', 11 * KB);
    const sent = await sendFile(bob, ofBob, path);
    await bob.becomes(sent, 'sent');
    const atTom = await arrived(tom.person, tom.group);
    expect(atTom.file?.state).toBe('offered');
    const atEve = await arrived(eve.person, eve.group);
    await eve.person.commands['transfer.decline']({ messageId: atEve.id });
    await tom.person.commands['transfer.accept']({ messageId: atTom.id });
    await expectSame(tom.person, atTom, path);
    await bob.send(ofBob, 'later');
    await untilLine(eve.person, eve.group, 'bob: later');
    expect([(await bob.message(sent)).state, (await fileOf(bob, sent)).state]).toEqual(['sent', 'done']);
    // He thinks better of it.
    await eve.person.commands['transfer.accept']({ messageId: atEve.id });
    await expectSame(eve.person, atEve, path);
  });

  it('is on the other devices of who has sent it, as sent by him', async () => {
    const { bob, ofBob, people } = await openTrip(['tom']);
    const phone = await world.join('bob', { name: 'phone' });
    const ofPhone = await groupOf(phone, 'Trip');
    const path = await writeRandom(world, 'plan.pdf', 20 * KB);
    await bob.becomes(await sendFile(bob, ofBob, path), 'sent');
    await untilLine(phone, ofPhone, 'me: plan.pdf');
    const onPhone = (await phone.messages(ofPhone)).find(({ file }) => file !== undefined);
    if (onPhone === undefined) throw new Error('no file');
    expect(onPhone.state).toBe('sent');
    await phone.until('here', async () => (await fileOf(phone, onPhone)).available);
    expect(digestOf((await received(phone, onPhone)).bytes)).toBe(digestOf(await readFile(path)));
    expect(await saidIn(bob, ofBob)).toEqual(['me: plan.pdf']);
    expect(people).toHaveLength(1);
  });

  it('is not to be had any more when its days are over, and says so', async () => {
    const clock = new ManualClock();
    const { bob, ofBob, people } = await openTrip(['tom'], { clock, files: { days: 1 } });
    const [tom] = people;
    if (tom === undefined) throw new Error('nobody');
    await tom.person.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
    await bob.becomes(await sendFile(bob, ofBob, await writeRandom(world, 'old.bin', KB)), 'sent');
    const atTom = await arrived(tom.person, tom.group);
    await eventually(async () => {
      clock.advance(60 * 60 * 1_000);
      expect(await keptFiles()).toEqual([]);
    });
    await tom.person.commands['transfer.accept']({ messageId: atTom.id });
    expect((await becomes(tom.person, atTom, 'failed')).failure?.code).toBe('gone');
  });

  it.each([
    ['too large', { fileBytes: 10 * KB }, 'too-large'],
    ['more than its sender may have there', { userBytes: 15 * KB }, 'server-full'],
    ['more than the server has room for', { totalBytes: 15 * KB }, 'server-full'],
  ])('that is %s is refused, and its sender reads why', async (_name, files, code) => {
    const { bob, ofBob } = await openTrip([], { files });
    await bob.becomes(await sendFile(bob, ofBob, await writeRandom(world, 'fits.bin', 10 * KB)), 'sent');
    const more = await sendFile(bob, ofBob, await writeRandom(world, 'more.bin', 10 * KB + 1));
    expect((await becomes(bob, more, 'failed')).failure?.code).toBe(code);
    await bob.becomes(more, 'failed');
  });

  it('is refused by a server that keeps none, without anything being sent there', async () => {
    const { bob, ofBob, people } = await openTrip(['tom'], { files: { enabled: false } });
    const [tom] = people;
    if (tom === undefined) throw new Error('nobody');
    const sent = await sendFile(bob, ofBob, await writeRandom(world, 'plan.bin', KB));
    expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('not-supported');
    expect(world.received('INVITE').filter((text) => text.includes('file-selector'))).toEqual([]);
    await bob.send(ofBob, 'then not');
    await untilLine(tom.person, tom.group, 'bob: then not');
    // The server has learned it meanwhile.
    await world.stopServer();
    await world.startServer();
    await bob.until('offline', async () => (await bob.account()).connection.status === 'online');
    await bob.commands['transfer.resume']({ messageId: sent.id });
    await bob.becomes(sent, 'sent');
    await becomes(tom.person, await arrived(tom.person, tom.group), 'done');
  });

  it('of somebody who is put out stays, as his texts do; he has nothing more from there', async () => {
    world = await World.open(['bob', 'tom', 'eve']);
    const [bob, tom, eve] = [await world.join('bob'), await world.join('tom'), await world.join('eve')];
    const ofBob = await createGroup(bob, 'Trip', ['tom', 'eve']);
    const join = async (person: Person): Promise<Conversation> => {
      await person.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
      const group = await groupOf(person, 'Trip');
      await person.commands['conversation.answer']({ conversationId: group.id, accept: true });
      await untilLine(person, group, `[joined ${person.user}]`);
      return group;
    };
    const [ofTom, ofEve] = [await join(tom), await join(eve)];
    const path = await writeRandom(world, 'toms.bin', 5 * KB);
    await tom.becomes(await sendFile(tom, ofTom, path), 'sent');
    await bob.becomes(await sendFile(bob, ofBob, await writeRandom(world, 'bobs.bin', KB)), 'sent');
    const bobsAtTom = await arrived(tom, ofTom);
    await bob.commands['group.remove']({ conversationId: ofBob.id, address: `tom@${DOMAIN}` });
    await tom.until('put out', async () => (await stateOf(tom, ofTom)).membership === 'removed');
    await tom.commands['transfer.accept']({ messageId: bobsAtTom.id });
    expect((await becomes(tom, bobsAtTom, 'failed')).failure?.code).toBe('gone');
    const more = sendFile(tom, ofTom, await writeRandom(world, 'more.bin', KB));
    await expect(more).rejects.toMatchObject({ code: 'not-allowed' });
    const tomsAtEve = await arrived(eve, ofEve);
    await eve.commands['transfer.accept']({ messageId: tomsAtEve.id });
    await expectSame(eve, tomsAtEve, path);
  });

  it('is forwarded into a group as any other, from where it lies', async () => {
    const { bob, ofBob, people } = await openTrip(['tom']);
    const [tom] = people;
    if (tom === undefined) throw new Error('nobody');
    const path = await writeRandom(world, 'plan.pdf', 10 * KB);
    const withEve = await bob.meet('eve');
    const first = await sendFile(bob, withEve, path);
    const { refused } = await bob.commands['message.forward']({
      messageIds: [first.id],
      conversationIds: [ofBob.id],
    });
    expect(refused).toEqual([]);
    await expectSame(tom.person, await arrived(tom.person, tom.group), path);
  });

  it('goes on where it stopped after a pause, on both sides', async () => {
    const { bob, ofBob, people } = await openTrip(['tom']);
    const [tom] = people;
    if (tom === undefined) throw new Error('nobody');
    await tom.person.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
    const path = await writeRandom(world, 'long.bin', 9 * 1024 * KB);
    const sent = await sendFile(bob, ofBob, path);
    await bob.commands['transfer.pause']({ messageId: sent.id });
    await becomes(bob, sent, 'paused');
    await bob.commands['transfer.resume']({ messageId: sent.id });
    await bob.becomes(sent, 'sent');
    const atTom = await arrived(tom.person, tom.group);
    await tom.person.commands['transfer.accept']({ messageId: atTom.id });
    await becomes(tom.person, atTom, 'transferring', 'done');
    await tom.person.commands['transfer.pause']({ messageId: atTom.id }).catch(() => undefined);
    await tom.person.commands['transfer.resume']({ messageId: atTom.id }).catch(() => undefined);
    await expectSame(tom.person, atTom, path);
  });
});
