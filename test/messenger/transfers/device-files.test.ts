/** Files of a user with several devices: what one sends or receives is on the others, also on one that was off. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { World, type Person, type ServerOptions } from '../../support/im-world.ts';
import { ENGINES, ENGINE_START_MS } from '../../support/postgres.ts';
import { arrived, becomes, fileOf, received, sendFile, writeRandom } from './desk.ts';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { eventually } from '../../support/eventually.ts';

const KB = 1024;

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob with two computers, the second of which is off, and Tom. */
async function openDesk(options: ServerOptions = {}) {
  world = await World.open(['bob', 'tom'], options);
  const laptop = await world.join('bob', { name: 'laptop', deviceName: 'Laptop' });
  const phone = await world.join('bob', { name: 'phone', deviceName: 'Phone' });
  const tom = await world.join('tom');
  const ofLaptop = await laptop.meet('tom');
  const ofTom = await tom.meet('bob');
  await eventually(async () => {
    const [account] = await laptop.messenger.store.call('selectAccounts', null);
    expect(account?.otherDevices).toBe(1);
  });
  await phone[Symbol.asyncDispose]();
  return { laptop, tom, ofLaptop, ofTom };
}

async function comeBack(user: string, name = user): Promise<Person> {
  const person = await world.openPerson(user, { name });
  await person.online();
  return person;
}

/** The copies have left the device: nothing waits on its disk. */
async function untilTold(device: Person): Promise<void> {
  const [account] = await device.messenger.store.call('selectAccounts', null);
  await eventually(async () => {
    const waiting = await device.messenger.store.call('selectDeviceCopies', {
      accountId: account?.id ?? ('' as never),
      limit: 1,
    });
    expect(waiting).toEqual([]);
  });
}

function nthFile(person: Person, conversation: Conversation, nth = 0): Promise<Message> {
  return person.until(
    'a file',
    async () => (await person.messages(conversation)).filter(({ file }) => file !== undefined)[nth],
  );
}

function untilHere(person: Person, message: Message): Promise<unknown> {
  return person.until('the file is here', async () => (await fileOf(person, message)).available);
}

function keptFiles(): Promise<string[]> {
  return readdir(join(world.folder, 'imserver', 'files'));
}

describe.each(ENGINES)('on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);

  it('what one sends to somebody who is away and what it receives is on the other when that is back, in order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-device-files-'));
    const { laptop, tom, ofLaptop, ofTom } = await openDesk({ storage: await storage(), files: { folder } });
    const theirs = await sendFile(tom, ofTom, await writeRandom(world, 'theirs.bin', 60 * KB));
    const gotten = await arrived(laptop, ofLaptop);
    await becomes(laptop, gotten, 'done');
    const { bytes } = await received(laptop, gotten);
    await tom.becomes(theirs, 'delivered');
    await tom[Symbol.asyncDispose]();
    await laptop.becomes(await laptop.send(ofLaptop, 'between'), 'waiting');
    const path = await writeRandom(world, 'ours.bin', 90 * KB);
    const sent = await sendFile(laptop, ofLaptop, path);
    await laptop.becomes(sent, 'waiting');
    await untilTold(laptop);
    // Neither the other device nor Tom is there: everything comes from the server.
    await laptop[Symbol.asyncDispose]();
    const phone = await comeBack('bob', 'phone');
    const ofPhone = await phone.with('tom');
    const first = await nthFile(phone, ofPhone);
    const second = await nthFile(phone, ofPhone, 1);
    await becomes(phone, first, 'done');
    await untilHere(phone, second);
    expect((await phone.messages(ofPhone)).map(({ text }) => text)).toEqual([
      'theirs.bin',
      'between',
      'ours.bin',
    ]);
    expect((await phone.message(second)).state).toBe('waiting');
    expect((await received(phone, first)).bytes.equals(bytes)).toBe(true);
    expect((await received(phone, second)).bytes.equals(await readFile(path))).toBe(true);
    await rm(folder, { recursive: true });
  });
});

describe('an offer that nobody has answered', () => {
  async function offer(text = 'open.bin') {
    const desk = await openDesk();
    const { laptop, tom, ofLaptop, ofTom } = desk;
    await laptop.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
    const path = await writeRandom(world, text, 60 * KB);
    const sent = await sendFile(tom, ofTom, path);
    const asked = await arrived(laptop, ofLaptop);
    await untilTold(laptop);
    const phone = await comeBack('bob', 'phone');
    const ofPhone = await phone.with('tom');
    const told = await nthFile(phone, ofPhone);
    expect(told).toMatchObject({ direction: 'in', state: 'received', text });
    expect(await fileOf(phone, told)).toMatchObject({ state: 'offered', available: false, size: 60 * KB });
    return { ...desk, phone, ofPhone, path, sent, asked, told };
  }

  it('is on a device that was off; accepted there, it comes from its sender, and the first device has it too', async () => {
    const { laptop, phone, tom, path, sent, asked, told } = await offer();
    // What our user has taken on one device comes to the other by itself, up to a size.
    await laptop.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 100 * KB });
    await phone.commands['transfer.accept']({ messageId: told.id });
    await becomes(phone, told, 'done');
    expect((await received(phone, told)).bytes.equals(await readFile(path))).toBe(true);
    await becomes(tom, sent, 'done');
    await becomes(laptop, asked, 'done');
    expect((await received(laptop, asked)).bytes.equals(await readFile(path))).toBe(true);
  });

  it('declined there, it is declined on the first device and at its sender', async () => {
    const { laptop, phone, tom, sent, asked, told } = await offer();
    await phone.commands['transfer.decline']({ messageId: told.id });
    await becomes(laptop, asked, 'declined');
    await becomes(tom, sent, 'declined');
  });

  it('accepted on the first device, it comes to the other from the server', async () => {
    const { laptop, phone, path, asked, told } = await offer();
    await laptop.commands['transfer.accept']({ messageId: asked.id });
    await becomes(laptop, asked, 'done');
    await becomes(phone, told, 'done');
    expect((await received(phone, told)).bytes.equals(await readFile(path))).toBe(true);
  });
});

describe('a file of ours that nobody has answered', () => {
  async function offer() {
    const desk = await openDesk();
    const { laptop, tom, ofLaptop, ofTom } = desk;
    await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
    const path = await writeRandom(world, 'ours.bin', 60 * KB);
    const sent = await sendFile(laptop, ofLaptop, path);
    const asked = await arrived(tom, ofTom);
    await untilTold(laptop);
    const phone = await comeBack('bob', 'phone');
    const ofPhone = await phone.with('tom');
    const told = await nthFile(phone, ofPhone);
    expect(told).toMatchObject({ direction: 'out', state: 'queued', text: 'ours.bin' });
    const shown = { state: 'offered', elsewhere: true, available: false, size: 60 * KB };
    expect(await fileOf(phone, told)).toMatchObject(shown);
    return { ...desk, phone, ofPhone, path, sent, asked, told };
  }

  it('is on a device that was off; accepted, it is there with its bytes and its state', async () => {
    const { phone, tom, path, asked, told } = await offer();
    await tom.commands['transfer.accept']({ messageId: asked.id });
    await becomes(tom, asked, 'done');
    await phone.becomes(told, 'delivered');
    await untilHere(phone, told);
    const file = await fileOf(phone, told);
    expect([file.state, file.elsewhere]).toEqual(['done', undefined]);
    expect((await received(phone, told)).bytes.equals(await readFile(path))).toBe(true);
    expect(await phone.messages(await phone.with('tom'))).toHaveLength(1);
  });

  it('is still only offered from there when this device has been started again, and nothing else can be done with it', async () => {
    const { phone: before, told } = await offer();
    await before[Symbol.asyncDispose]();
    const phone = await comeBack('bob', 'phone');
    expect(await fileOf(phone, told)).toMatchObject({ state: 'offered', elsewhere: true });
    for (const action of ['transfer.pause', 'transfer.resume', 'transfer.accept'] as const) {
      await expect(phone.commands[action]({ messageId: told.id })).rejects.toThrow('not possible');
    }
  });

  it('declined, it is declined there', async () => {
    const { phone, tom, asked, told } = await offer();
    await tom.commands['transfer.decline']({ messageId: asked.id });
    await becomes(phone, told, 'declined');
    expect((await phone.becomes(told, 'failed')).failure?.code).toBe('file-declined');
  });

  it('taken back where it was sent, it is taken back there; offered once more, it is so there', async () => {
    const { laptop, phone, tom, path, sent, asked, told } = await offer();
    await laptop.commands['transfer.cancel']({ messageId: sent.id });
    await becomes(phone, told, 'cancelled');
    await laptop.commands['transfer.resume']({ messageId: sent.id });
    await becomes(phone, told, 'offered');
    await tom.commands['transfer.accept']({ messageId: asked.id });
    await untilHere(phone, told);
    expect((await received(phone, told)).bytes.equals(await readFile(path))).toBe(true);
  });

  it('taken back on the other device, it is taken back where it was sent, and rings no more', async () => {
    const { laptop, phone, tom, sent, asked, told } = await offer();
    await phone.commands['transfer.cancel']({ messageId: told.id });
    await becomes(laptop, sent, 'cancelled');
    await untilTold(laptop);
    expect(await fileOf(phone, told)).toMatchObject({ state: 'cancelled', elsewhere: true });
    await tom.commands['transfer.accept']({ messageId: asked.id });
    const { failure } = await becomes(tom, asked, 'failed');
    expect(failure?.code).toBe('gone');
  });

  it('taken back there when it has arrived already, it stays sent', async () => {
    const { laptop, phone, tom, sent, asked, told } = await offer();
    await phone[Symbol.asyncDispose]();
    await tom.commands['transfer.accept']({ messageId: asked.id });
    await laptop.becomes(sent, 'delivered');
    await untilTold(laptop);
    await world.stopServer();
    const offline = await world.openPerson('bob', { name: 'phone' });
    await offline.commands['transfer.cancel']({ messageId: told.id });
    expect(await fileOf(offline, told)).toMatchObject({ state: 'cancelled' });
    await world.startServer();
    await becomes(offline, told, 'done');
    await untilTold(offline);
    expect(await fileOf(laptop, sent)).toMatchObject({ state: 'done' });
  });

  it('failed where it was sent, it has failed there, and only the first device can try again', async () => {
    const { laptop, phone, tom, path, sent, asked, told } = await offer();
    await rm(path);
    await tom.commands['transfer.accept']({ messageId: asked.id });
    await becomes(laptop, sent, 'failed');
    await becomes(phone, told, 'failed');
    await phone.becomes(told, 'failed');
    await expect(phone.commands['transfer.resume']({ messageId: told.id })).rejects.toThrow('not possible');
  });
});

it('what the server does not keep is shown without its bytes, the oldest makes room, what was declined stays so', async () => {
  const { laptop, tom, ofLaptop, ofTom } = await openDesk({
    files: { fileBytes: 20 * KB, userBytes: 30 * KB },
  });
  for (const [name, size] of [
    ['large', 21],
    ['old', 20],
    ['new', 20],
  ] as const) {
    const sent = await sendFile(laptop, ofLaptop, await writeRandom(world, name, size * KB));
    await laptop.becomes(sent, 'delivered');
  }
  await laptop.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const unwanted = await sendFile(tom, ofTom, await writeRandom(world, 'unwanted', KB));
  await laptop.commands['transfer.decline']({ messageId: (await arrived(laptop, ofLaptop)).id });
  await becomes(tom, unwanted, 'declined');
  await untilTold(laptop);
  expect(await keptFiles()).toHaveLength(1);
  const phone = await comeBack('bob', 'phone');
  const ofPhone = await phone.with('tom');
  await untilHere(phone, await nthFile(phone, ofPhone, 2));
  await phone.until('the declined one', async () => (await phone.messages(ofPhone)).length === 4);
  expect(
    (await phone.messages(ofPhone)).map(({ text, state, file }) => [
      text,
      state,
      file?.state,
      file?.available,
    ]),
  ).toEqual([
    ['large', 'delivered', 'done', false],
    ['old', 'delivered', 'done', false],
    ['new', 'delivered', 'done', true],
    ['unwanted', 'received', 'declined', false],
  ]);
});
