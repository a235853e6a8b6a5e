/** Files for people who are away: kept by the server, announced in their order, fetched when their recipients are back. */
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { openPair, World, type Person, type ServerOptions } from '../../support/im-world.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { ENGINES, ENGINE_START_MS } from '../../support/postgres.ts';
import { arrived, becomes, received, sendFile, writeRandom } from './desk.ts';
import { eventually } from '../../support/eventually.ts';

const KB = 1024;

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Bob has Tom as a contact, who is one of his, and away. */
async function openDesk(options: ServerOptions = {}) {
  world = await World.open(['bob', 'tom', 'eve'], options);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await tom[Symbol.asyncDispose]();
  return { bob, ofBob, ofTom };
}

async function comeBack(user: string): Promise<Person> {
  const person = await world.openPerson(user);
  await person.online();
  return person;
}

function keptFiles(): Promise<string[]> {
  return readdir(join(world.folder, 'imserver', 'files'));
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe.each(ENGINES)('a file for somebody who is away, on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);

  it('waits at the server, comes in its order with its time, and its sender hears of it, whoever is there when', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-kept-'));
    const engine = await storage();
    const isShared = engine !== undefined;
    const { bob, ofBob, ofTom } = await openDesk({ storage: engine, files: { folder } });
    await bob.becomes(await bob.send(ofBob, 'before'), 'waiting');
    const path = await writeRandom(world, 'plan.pdf', 300 * KB);
    const sent = await sendFile(bob, ofBob, path);
    await bob.becomes(sent, 'waiting');
    expect((await becomes(bob, sent, 'done')).failure).toBeNull();
    await bob.becomes(await bob.send(ofBob, 'after'), 'waiting');
    await bob[Symbol.asyncDispose]();
    await world.stopServer();
    // What a crash leaves of a file that was coming, and what is not ours.
    await writeFile(join(folder, `${'a'.repeat(32)}.part`), 'half of it');
    await writeFile(join(folder, 'README'), 'of the administrator');
    await world.startServer({ files: { folder } });
    const tom = await comeBack('tom');
    const file = await arrived(tom, ofTom);
    await becomes(tom, file, 'done');
    await tom.received(ofTom, 3);
    expect(await tom.texts(ofTom, 'in')).toEqual(['before', 'plan.pdf', 'after']);
    expect(file.sentAtMs).toBe(sent.sentAtMs);
    expect(digestOf((await received(tom, file)).bytes)).toBe(digestOf(await readFile(path)));
    await eventually(async () => {
      const left = await readdir(folder);
      // Another node might be writing what is new: it is left alone where several may be.
      expect(left.filter((name) => !name.endsWith('.part'))).toEqual(['README']);
      expect(left).toHaveLength(isShared ? 2 : 1);
    });
    await tom[Symbol.asyncDispose]();
    const again = await comeBack('bob');
    await again.becomes(sent, 'delivered');
    await rm(folder, { recursive: true });
  });
});

describe('a file', () => {
  it('of a stranger waits until its recipient wants it; what he declines his sender hears', async () => {
    const { ofTom } = await openDesk();
    const eve = await world.join('eve');
    const ofEve = await eve.open('tom');
    const wanted = await sendFile(eve, ofEve, await writeRandom(world, 'one.bin', 10 * KB));
    // Several at once may overtake each other.
    await eve.becomes(wanted, 'waiting');
    const unwanted = await sendFile(eve, ofEve, await writeRandom(world, 'two.bin', 10 * KB));
    await eve.becomes(unwanted, 'waiting');
    const tom = await comeBack('tom');
    const withEve = await tom.with('eve');
    const first = await arrived(tom, withEve, 0);
    const second = await arrived(tom, withEve, 1);
    expect([first.file?.state, second.file?.state, first.text]).toEqual(['offered', 'offered', 'one.bin']);
    await tom.commands['conversation.answer']({ conversationId: withEve.id, accept: true });
    await tom.commands['transfer.accept']({ messageId: first.id });
    await becomes(tom, first, 'done');
    await eve.becomes(wanted, 'delivered');
    await tom.commands['transfer.decline']({ messageId: second.id });
    await becomes(eve, unwanted, 'declined');
    await eve.becomes(unwanted, 'failed');
    // It takes up nobody's room any longer.
    await eventually(async () => {
      expect(await keptFiles()).toEqual([]);
    });
    expect(await tom.messages(ofTom)).toEqual([]);
  });

  it('that is too large, or for which there is no room, waits at its sender and comes from him', async () => {
    const { bob, ofBob, ofTom } = await openDesk({ files: { fileBytes: 20 * KB, userBytes: 30 * KB } });
    const large = await sendFile(bob, ofBob, await writeRandom(world, 'large.bin', 20 * KB + 1));
    const fits = await sendFile(bob, ofBob, await writeRandom(world, 'fits.bin', 20 * KB));
    await bob.becomes(fits, 'waiting');
    const more = await sendFile(bob, ofBob, await writeRandom(world, 'more.bin', 10 * KB + 1));
    await eventually(() => {
      expect(world.received('INVITE').filter((text) => text.includes('more.bin')).length).toBeGreaterThan(1);
    });
    expect([(await bob.message(large)).state, (await bob.message(more)).state]).toEqual(['queued', 'queued']);
    expect(await keptFiles()).toHaveLength(1);
    const tom = await comeBack('tom');
    for (const message of [large, fits, more]) await bob.becomes(message, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toHaveLength(3);
  });

  it('that is not what was announced is not kept, and its sender hears so', async () => {
    const { bob, ofBob } = await openDesk();
    await world.stopServer();
    const path = await writeRandom(world, 'plan.bin', 10 * KB);
    const sent = await sendFile(bob, ofBob, path);
    await becomes(bob, sent, 'waiting');
    const { atime, mtimeMs } = await stat(path);
    await writeFile(path, Buffer.alloc(10 * KB));
    await utimes(path, atime, new Date(Math.round(mtimeMs)));
    await world.startServer();
    expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('damaged');
    await eventually(async () => expect(await keptFiles()).toEqual([]));
  });

  it('is deleted when its time is over, and its sender hears that it was not fetched', async () => {
    const clock = new ManualClock();
    const { bob, ofBob } = await openDesk({ clock, files: { days: 1 } });
    const sent = await sendFile(bob, ofBob, await writeRandom(world, 'old.bin', KB));
    await bob.becomes(sent, 'waiting');
    expect(await keptFiles()).toHaveLength(1);
    await bob[Symbol.asyncDispose]();
    await eventually(async () => {
      clock.advance(12 * 60 * 60 * 1_000);
      expect(await keptFiles()).toEqual([]);
    });
    const back = await comeBack('bob');
    expect((await back.becomes(sent, 'failed')).failure?.code).toBe('imdn-failed');
  });
});
