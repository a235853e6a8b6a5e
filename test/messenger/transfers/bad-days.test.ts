/**
 * Files on bad days: a cut connection, a restart of either side, pauses, a full disk, other makes' habits.
 */
import { appendFileSync, closeSync, futimesSync, openSync, truncateSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Message } from '../../../shared/domain/message.ts';
import { openPair, QUICK, World, type Person } from '../../support/im-world.ts';
import { arrived, becomes, fileOf, progressOf, received, sendFile } from './desk.ts';

/** Told of often, a file need not be large to be caught on its way. */
const OFTEN = { limits: { ...QUICK.limits, progressMs: 5 } };
const SIZE = 60_000_000;
const MOVING = 8_000_000;

/** A file of holes with something at both ends. */
async function writeHoles(world: World, name: string, size = SIZE): Promise<string> {
  const path = join(world.folder, name);
  await writeFile(path, 'begin');
  await truncate(path, size);
  await using file = await open(path, 'r+');
  await file.write('end', size - 3);
  return path;
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Takes the file, and calls `act` in the moment in which so much of it has arrived. */
async function whenMoving(person: Person, message: Message, act: () => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const release = person.messenger.feed.subscribe(({ event, data }) => {
    if (event !== 'transfer.changed' || data.messageId !== message.id) return;
    if (data.transfer.state !== 'transferring' || data.transfer.bytesDone < MOVING) return;
    release();
    act();
    resolve();
  });
  await person.commands['transfer.accept']({ messageId: message.id });
  await promise;
}

/** Pulls the cable of whatever connection of this process carries the file. */
function cutBusyConnection(): void {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles: () => unknown[] };
  const sockets = handles
    .call(process)
    .filter((handle): handle is Socket => (handle as Socket).remotePort !== undefined);
  const busy = sockets.filter(({ bytesWritten, bytesRead }) => bytesWritten + bytesRead > MOVING / 2);
  expect(busy.length).toBeGreaterThan(0);
  for (const socket of busy) socket.destroy();
}

/** A file that waits for Tom's yes. */
async function begin(world: World, name = 'disk.img', size = SIZE) {
  const pair = await openPair(world, OFTEN);
  await pair.tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const path = await writeHoles(world, name, size);
  const sent = await sendFile(pair.bob, pair.ofBob, path);
  const came = await arrived(pair.tom, pair.ofTom);
  return { ...pair, path, sent, came };
}

async function isWholeAt(person: Person, message: Message, path: string): Promise<void> {
  await becomes(person, message, 'done');
  const { path: target } = await person.messenger.transfers.fileOf(message.id);
  expect(await sha256(target)).toBe(await sha256(path));
}

/** What has arrived once is not sent again from the beginning. */
function neverBeganAnew(person: Person, message: Message): boolean {
  const shown = progressOf(person, message);
  const first = shown.findIndex((bytes) => bytes >= MOVING);
  return first >= 0 && shown.slice(first).every((bytes) => bytes >= MOVING / 2);
}

it('goes on where it stopped when the connection is cut, without anybody doing anything', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, sent, came, path } = await begin(world);
  await whenMoving(tom, came, cutBusyConnection);
  await isWholeAt(tom, came, path);
  await becomes(bob, sent, 'done');
  // RFC 5547 §6: the second attempt says from where on it is wanted.
  const answers = world.wire.filter(({ text }) => /a=file-range:\d+-60000000/.test(text));
  expect(answers.length).toBeGreaterThan(0);
  expect(neverBeganAnew(tom, came)).toBe(true);
});

it('goes on after the receiving program was started again', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, sent, came, path } = await begin(world);
  let stopped: Promise<void> | undefined;
  await whenMoving(tom, came, () => {
    stopped = tom[Symbol.asyncDispose]();
  });
  await stopped;
  const again = await world.openPerson('tom');
  const resumed = await fileOf(again, came);
  expect(resumed.bytesDone).toBeGreaterThan(MOVING / 2);
  await again.online();
  await isWholeAt(again, came, path);
  await becomes(bob, sent, 'done');
});

it('goes on after the sending program was started again', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, sent, came, path } = await begin(world);
  let stopped: Promise<void> | undefined;
  await whenMoving(tom, came, () => {
    stopped = bob[Symbol.asyncDispose]();
  });
  await stopped;
  const again = await world.openPerson('bob');
  await again.online();
  await isWholeAt(tom, came, path);
  await becomes(again, sent, 'done');
  expect(neverBeganAnew(tom, came)).toBe(true);
});

it.each(['bob', 'tom'] as const)('%s pauses: nothing moves until he goes on', async (who) => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, sent, came, path } = await begin(world);
  const [person, message] = who === 'bob' ? [bob, sent] : [tom, came];
  let paused: Promise<unknown> | undefined;
  await whenMoving(tom, came, () => {
    paused = person.commands['transfer.pause']({ messageId: message.id });
  });
  await paused;
  const other = who === 'bob' ? tom : bob;
  const ofOther = who === 'bob' ? came : sent;
  await becomes(other, ofOther, 'waiting', 'offered');
  expect((await fileOf(person, message)).state).toBe('paused');
  await person.commands['transfer.resume']({ messageId: message.id });
  await isWholeAt(tom, came, path);
  await becomes(bob, sent, 'done');
});

it('cancelled halfway: the part file is gone, and the sender does not try for ever', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, sent, came } = await begin(world);
  let cancelled: Promise<unknown> | undefined;
  await whenMoving(tom, came, () => {
    cancelled = tom.commands['transfer.cancel']({ messageId: came.id });
  });
  await cancelled;
  await becomes(bob, sent, 'declined');
  await tom.until(
    'an empty folder',
    async () => (await readdir(join(world.folder, 'tom', 'files'))).length === 0,
  );
  expect((await fileOf(tom, came)).state).toBe('cancelled');
});

it.for(['its sender', 'its receiver'])(
  'a full disk: both sides are told, the program lives, and with room it goes on for %s',
  async (who, { skip }) => {
    await using world = await World.open(['bob', 'tom']);
    const folder = join(world.folder, 'tom', 'files');
    await mkdir(folder, { recursive: true });
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'parley-test', folder], { stdio: 'ignore' });
    } catch {
      skip('a small disk can be mounted by root only');
      return;
    }
    try {
      // It fits when it begins; another file takes the room meanwhile.
      const { bob, tom, ofBob, sent, came, path } = await begin(world, 'wide.bin', 40_000_000);
      const hog = join(folder, 'hog');
      await whenMoving(tom, came, () => {
        fillDisk(hog);
      });
      const failed = await becomes(tom, came, 'failed');
      expect(failed.failure?.code).toBe('disk-full');
      expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('too-large');
      const text = await bob.send(ofBob, 'Is there room?');
      await bob.becomes(text, 'delivered');
      await truncate(hog, 0);
      if (who === 'its sender') await bob.commands['transfer.resume']({ messageId: sent.id });
      else await tom.commands['transfer.resume']({ messageId: came.id });
      await becomes(bob, sent, 'offered', 'transferring', 'done', 'waiting');
      await isWholeAt(tom, came, path);
      expect((await becomes(bob, sent, 'done')).failure).toBeNull();
      await bob.becomes(sent, 'delivered', 'displayed');
      expect((await stat(join(folder, 'wide.bin'))).size).toBe(40_000_000);
    } finally {
      execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
    }
  },
);

/** Writes a file until its disk is full. */
function fillDisk(path: string): void {
  const file = openSync(path, 'w');
  const block = Buffer.alloc(64 * 1024);
  try {
    for (;;) writeSync(file, block);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

it('a file that arrives another one than was announced is refused and does not stay', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  const path = await writeHoles(world, 'swap.bin', 3_000_000);
  // Changed between the hashes and the sending, with the same size and time: only the hashes can tell.
  const { atime, mtimeMs } = await stat(path);
  // A Date would cut what the program rounds.
  const mtime = new Date(Math.round(mtimeMs));
  const swapped = new Promise<void>((done) => {
    bob.messenger.feed.subscribe(({ event, data }) => {
      if (event !== 'transfer.changed' || data.transfer.state !== 'waiting') return;
      // At once: whether the file is the same is looked at right after this.
      const file = openSync(path, 'r+');
      writeSync(file, 'other', 1_000_000);
      futimesSync(file, atime, mtime);
      closeSync(file);
      done();
    });
  });
  await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 0 });
  const sent = await sendFile(bob, ofBob, path);
  await swapped;
  const came = await arrived(tom, ofTom);
  await tom.commands['transfer.accept']({ messageId: came.id });
  expect((await becomes(tom, came, 'failed')).failure?.code).toBe('damaged');
  expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('damaged');
  expect(await readdir(join(world.folder, 'tom', 'files'))).toEqual([]);
  await expect(received(tom, came)).rejects.toMatchObject({ code: 'not-found' });
});

const changes: readonly (readonly [string, (path: string) => void])[] = [
  ['rewritten at its end', (path) => writeAt(path, SIZE - 3)],
  ['made shorter', (path) => truncateSync(path, SIZE / 2)],
];

function writeAt(path: string, at: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, 'new', at);
  closeSync(file);
}

it.each(changes)(
  'a file that is %s while it is on its way is not stored, and both know why; then it comes as it is now',
  async (_, change) => {
    await using world = await World.open(['bob', 'tom']);
    const { bob, tom, path, sent, came } = await begin(world);
    await whenMoving(tom, came, () => {
      change(path);
    });
    expect((await becomes(bob, sent, 'failed')).failure?.code).toBe('changed');
    expect(['damaged', 'gone']).toContain((await becomes(tom, came, 'failed')).failure?.code);
    await expect(received(tom, came)).rejects.toMatchObject({ code: 'not-found' });
    // It is another file now, and Tom is asked for it again.
    await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 10 * SIZE });
    await bob.commands['transfer.resume']({ messageId: sent.id });
    await becomes(bob, sent, 'done');
    await isWholeAt(tom, came, path);
  },
);

it('what is added to a file while it is on its way is not sent: it arrives as it was offered', async () => {
  await using world = await World.open(['bob', 'tom']);
  const { bob, tom, path, sent, came } = await begin(world);
  const offered = await sha256(path);
  await whenMoving(tom, came, () => {
    appendFileSync(path, 'one line more');
  });
  await becomes(bob, sent, 'done');
  await becomes(tom, came, 'done');
  const { path: target } = await tom.messenger.transfers.fileOf(came.id);
  expect(await sha256(target)).toBe(offered);
});
