/** What a server has for files of rooms: how many at once, how much of each user, until when. */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { FilePeer, sha1Of, type FileWords } from '../../support/file-peer.ts';
import { DOMAIN, World, type ServerOptions } from '../../support/im-world.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { FACTORY, RoomPeer } from '../../support/room-peer.ts';

let world: World;
const KITCHEN = `sip:kitchen@${DOMAIN}`;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function openKitchen(options: ServerOptions = {}) {
  const { files, fileLimits, ...more } = options;
  world = await World.open(['bob', 'tom'], {
    rooms: { plain: true },
    files: { plain: true, ...files },
    roomLimits: { byeMs: 200 },
    fileLimits: { byeMs: 200, ...fileLimits },
    ...more,
  });
  const bobs = world.own(await RawDevice.join('bob', world.port));
  const bob = world.own(await RoomPeer.join(bobs, FACTORY, { to: `<${KITCHEN}>` }));
  const toms = world.own(await RawDevice.join('tom', world.port));
  const attributes = ['a=accept-wrapped-types:application/sdp multipart/related'];
  const tom = world.own(await RoomPeer.join(toms, KITCHEN, { attributes }));
  return { bobs, bob, toms, tom };
}

function wordsFor(bytes: Buffer, more: FileWords = {}): FileWords {
  return { size: bytes.length, sha1: sha1Of(bytes), ...more };
}

async function send(device: RawDevice, bytes: Buffer, transferId: string): Promise<string> {
  await using peer = await FilePeer.open(device, KITCHEN, wordsFor(bytes, { transferId }));
  return await peer.send(bytes);
}

function onDisk(): Promise<string[]> {
  return readdir(join(world.folder, 'imserver', 'files'));
}

describe('ceilings', () => {
  it.each<[string, ServerOptions]>([
    ['of all bytes of a sender', { files: { userBytes: 250 } }],
    ['of all bytes of the server', { files: { totalBytes: 250 } }],
    ['of the files of a sender', { fileLimits: { maxRoomFilesPerSender: 2 } }],
  ])('%s: what fits passes, one more gets 413 with Retry-After', async (_name, options) => {
    const { bobs } = await openKitchen(options);
    expect(await send(bobs, randomBytes(100), 'one')).toBe('200 OK');
    expect(await send(bobs, randomBytes(100), 'two')).toBe('200 OK');
    const answer = await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(100), { transferId: 'three' }));
    expect(answer.status).toBe(413);
    expect(Number(answer.header('Retry-After'))).toBeGreaterThan(0);
    expect(await onDisk()).toHaveLength(2);
  });

  it('of one sender are not those of another', async () => {
    const { bobs, toms } = await openKitchen({ files: { userBytes: 100 } });
    expect(await send(bobs, randomBytes(100), 'one')).toBe('200 OK');
    expect(await send(toms, randomBytes(100), 'two')).toBe('200 OK');
  });

  it('of calls at once, of one user and of all: one more gets 503 with Retry-After', async () => {
    const { bobs, toms } = await openKitchen({ fileLimits: { maxCallsPerUser: 1, maxCalls: 2 } });
    const bytes = randomBytes(100);
    world.own(await FilePeer.open(bobs, KITCHEN, wordsFor(bytes, { transferId: 'one' })));
    const second = await FilePeer.call(bobs, KITCHEN, wordsFor(bytes, { transferId: 'two' }));
    expect([second.status, Number(second.header('Retry-After')) > 0]).toEqual([503, true]);
    world.own(await FilePeer.open(toms, KITCHEN, wordsFor(bytes, { transferId: 'three' })));
  });

  it('of the disk: what would leave too little of it is not taken', async () => {
    const { bobs } = await openKitchen({ fileLimits: { spareDiskBytes: Number.MAX_SAFE_INTEGER } });
    expect((await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(10)))).status).toBe(413);
  });
});

it.each([
  ['goes along', 16 * 1024, true],
  ['that would make the message larger than a room takes is left out', 2_048, false],
])('a thumbnail %s', async (_name, messageBytes, isThere) => {
  const { bobs, tom } = await openKitchen({ rooms: { plain: true, messageBytes } });
  const icon = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), randomBytes(2_000)]);
  const bytes = randomBytes(100);
  await using peer = await FilePeer.open(bobs, KITCHEN, wordsFor(bytes, { icon }));
  expect(await peer.send(bytes)).toBe('200 OK');
  const { cpim } = await tom.message();
  expect(cpim).toContain('a=file-selector:name:"plan.txt"');
  expect([cpim.includes('a=file-icon'), cpim.includes(icon.toString('base64').slice(0, 60))]).toEqual([
    isThere,
    isThere,
  ]);
});

it('what comes after its sender was put out is not kept: 403, and nothing of it is left', async () => {
  const { bob, toms } = await openKitchen();
  const bytes = randomBytes(100);
  const peer = world.own(await FilePeer.open(toms, KITCHEN, wordsFor(bytes)));
  expect((await bob.refer(`sip:tom@${DOMAIN};method=BYE`)).status).toBe(202);
  expect(await peer.send(bytes)).toBe('403 Forbidden');
  await eventually(async () => {
    expect(await onDisk()).toEqual([]);
  });
});

it('a file that never comes is given up, and leaves nothing', async () => {
  const { bobs } = await openKitchen();
  const peer = await FilePeer.open(bobs, KITCHEN, wordsFor(randomBytes(100)));
  expect(await onDisk()).toHaveLength(1);
  await peer[Symbol.asyncDispose]();
  await eventually(async () => {
    expect(await onDisk()).toEqual([]);
  });
});

it.each([
  ['acknowledged its call', false],
  ['come to it', true],
])('a server that stops does not wait for who has not %s', async (_name, isAcknowledged) => {
  const { bobs } = await openKitchen({ fileLimits: { visitMs: 600_000 } });
  const answer = await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(100)));
  expect(answer.status).toBe(200);
  if (isAcknowledged) await bobs.ackSuccess(answer);
  // An ACK is waited for 32 s (RFC 3261 §13.3.1.4): longer than a test may take.
  await world.stopServer();
  expect(await onDisk()).toEqual([]);
});

it('goes from the disk when its days are over', async () => {
  const clock = new ManualClock();
  const { bobs } = await openKitchen({ clock, files: { days: 2 } });
  expect(await send(bobs, randomBytes(100), 'one')).toBe('200 OK');
  clock.advance(47 * 60 * 60 * 1_000);
  expect(await onDisk()).toHaveLength(1);
  await eventually(async () => {
    clock.advance(60 * 60 * 1_000);
    expect(await onDisk()).toEqual([]);
  });
});
