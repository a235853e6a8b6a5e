/** Files of rooms rule by rule, against peers of bytes: RFC 5547 (what is said of a file), RFC 3261 (what is answered). */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FilePeer, sha1Of, type FileWords } from '../../support/file-peer.ts';
import { DOMAIN, World, type ServerOptions } from '../../support/im-world.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { FACTORY, RoomPeer } from '../../support/room-peer.ts';

let world: World;
const KITCHEN = `sip:kitchen@${DOMAIN}`;
const OFFERS = ['a=accept-wrapped-types:application/sdp multipart/related *'];
const device = async (user: string) => world.own(await RawDevice.join(user, world.port));

async function open(options: ServerOptions = {}): Promise<void> {
  world = await World.open(['bob', 'tom', 'eve'], {
    rooms: { plain: true },
    files: { plain: true, fileBytes: 10_000 },
    roomLimits: { byeMs: 200 },
    fileLimits: { byeMs: 200 },
    ...options,
  });
}
beforeEach(() => open());
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function join(from: RawDevice, attributes: readonly string[] = []): Promise<RoomPeer> {
  const first = world.server.rooms?.rooms.find('kitchen') === undefined;
  const uri = first ? FACTORY : KITCHEN;
  return world.own(await RoomPeer.join(from, uri, { to: `<${KITCHEN}>`, attributes }));
}

function wordsFor(bytes: Buffer, more: FileWords = {}): FileWords {
  return { size: bytes.length, sha1: sha1Of(bytes), ...more };
}

/** Bob and Tom are in the room; Bob sends it a file. */
async function sendFile(bytes: Buffer, more: FileWords = {}) {
  const bobs = await device('bob');
  const bob = await join(bobs);
  const toms = await device('tom');
  const tom = await join(toms, OFFERS);
  const sender = world.own(await FilePeer.open(bobs, KITCHEN, wordsFor(bytes, more)));
  return { bobs, bob, toms, tom, sender, answer: await sender.send(bytes) };
}

describe('RFC 5547 §8.3: a file that is offered to a room', () => {
  it('is answered with the same selector and id, recvonly, and taken whole', async () => {
    const bytes = randomBytes(5_000);
    const { sender, answer } = await sendFile(bytes);
    const { body } = sender.answer;
    expect(body).toContain(`name:"plan.txt" type:text/plain size:5000 hash:sha-1:${sha1Of(bytes)}\r\n`);
    expect(body).toMatch(/^a=file-transfer-id:transfer-1\r$/m);
    expect(body).toMatch(/^a=recvonly\r$/m);
    expect(body).toMatch(/^a=setup:passive\r$/m);
    expect(answer).toBe('200 OK');
  });

  it('is told of in the history as its offer, by its sender, without where he is', async () => {
    const bytes = randomBytes(500);
    const { tom } = await sendFile(bytes);
    const { cpim } = await tom.message();
    expect(cpim).toContain(`From: "bob" <sip:bob@${DOMAIN}>\r\n`);
    expect(cpim).toContain(`To: <${KITCHEN}>\r\n`);
    expect(cpim).toMatch(/^imdn\.Message-ID: transfer-1\r$/m);
    expect(cpim).toContain(
      `a=file-selector:name:"plan.txt" type:text/plain size:500 hash:sha-1:${sha1Of(bytes)}`,
    );
    expect(cpim).toMatch(/^a=file-transfer-id:transfer-1\r$/m);
    expect(cpim).not.toContain('127.0.0.1');
  });

  it('is told in words to who does not say that he understands offers', async () => {
    const bobs = await device('bob');
    await join(bobs);
    const tom = await join(await device('tom'));
    const bytes = randomBytes(1_500);
    const sender = world.own(await FilePeer.open(bobs, KITCHEN, wordsFor(bytes)));
    await sender.send(bytes);
    const { cpim, text } = await tom.message();
    expect(cpim).toContain('Content-Type: text/plain; charset=utf-8\r\n');
    expect(text).toBe('(I have sent a file to the group: plan.txt, 1.5 kB. This program cannot fetch it.)');
  });

  it('that is not what was announced (§8.3.1: the hash) gets 400, and nobody hears of it', async () => {
    const bobs = await device('bob');
    const bob = await join(bobs);
    const tom = await join(await device('tom'), OFFERS);
    const sender = world.own(await FilePeer.open(bobs, KITCHEN, wordsFor(randomBytes(300))));
    expect(await sender.send(randomBytes(300))).toBe('400 Bad Request');
    await bob.send('after');
    expect(await tom.texts(1)).toEqual(['after']);
  });

  it('that is offered again with the same id is confirmed from its end on, and told of once', async () => {
    const bytes = randomBytes(300);
    const { bobs, bob, tom } = await sendFile(bytes);
    const again = world.own(await FilePeer.open(bobs, KITCHEN, wordsFor(bytes)));
    expect(again.answer.body).toMatch(/^a=file-range:301-300\r$/m);
    await bob.send('after');
    const { cpim } = await tom.message();
    expect(cpim).toContain('a=file-transfer-id:transfer-1');
    expect(await tom.texts(1)).toEqual(['after']);
  });

  it.each<[string, FileWords, number]>([
    ['without a file-transfer-id (§6)', { transferId: '' }, 488],
    ['without a hash', { sha1: undefined }, 488],
    ['without its size', { size: undefined }, 488],
    ['that wants us to connect', { setup: 'passive' }, 488],
    ['larger than the server takes (RFC 3261 §21.4.11)', { size: 10_001 }, 413],
  ])('%s is refused', async (_name, words, status) => {
    const bobs = await device('bob');
    await join(bobs);
    const answer = await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(10), words));
    expect(answer.status).toBe(status);
    // That it could be better later nobody says.
    expect(answer.header('Retry-After')).toBe('');
    if (status === 488) expect(answer.header('Warning')).toMatch(/^304 parley "/);
  });

  it('is for the members of the room: 403 to others, 404 where there is no room, 488 to the factory', async () => {
    await join(await device('bob'));
    const eves = await device('eve');
    const words = wordsFor(randomBytes(10));
    expect((await FilePeer.call(eves, KITCHEN, words)).status).toBe(403);
    expect((await FilePeer.call(eves, `sip:nowhere@${DOMAIN}`, words)).status).toBe(404);
    expect((await FilePeer.call(eves, FACTORY, words)).status).toBe(488);
  });

  it('has an id of its own: another file of the same sender under it is refused with 403', async () => {
    const { bobs } = await sendFile(randomBytes(300));
    expect((await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(300)))).status).toBe(403);
  });
});

describe('RFC 5547 §8.2: a file that is asked of a room', () => {
  it('comes whole, as often as it is asked for, and from the byte that is wanted (§6, file-range)', async () => {
    const bytes = randomBytes(5_000);
    const { toms } = await sendFile(bytes);
    const words = wordsFor(bytes, { direction: 'recvonly' });
    for (const range of ['1-*', '4001-5000', '1-*']) {
      await using peer = await FilePeer.open(toms, KITCHEN, { ...words, range });
      expect(peer.answer.body).toMatch(/^a=sendonly\r$/m);
      const start = Number.parseInt(range, 10) - 1;
      expect((await peer.receive()).equals(bytes.subarray(start))).toBe(true);
    }
  });

  it.each<[string, FileWords]>([
    ['of another id', { transferId: 'transfer-2' }],
    ['of another hash', { sha1: sha1Of(Buffer.from('another')) }],
    ['of another size', { size: 299 }],
  ])('%s is not there: 410', async (_name, words) => {
    const bytes = randomBytes(300);
    const { toms } = await sendFile(bytes);
    const asked = wordsFor(bytes, { direction: 'recvonly', ...words });
    expect((await FilePeer.call(toms, KITCHEN, asked)).status).toBe(410);
  });

  it('is for who belongs to the room now: 403 to who was put out', async () => {
    const bytes = randomBytes(300);
    const { bob, toms } = await sendFile(bytes);
    expect((await bob.refer(`sip:tom@${DOMAIN};method=BYE`)).status).toBe(202);
    const asked = wordsFor(bytes, { direction: 'recvonly' });
    expect((await FilePeer.call(toms, KITCHEN, asked)).status).toBe(403);
  });

  it('of two members with the same id is the one whose hash is named', async () => {
    const bytes = randomBytes(300);
    const { toms } = await sendFile(bytes);
    const other = randomBytes(300);
    const sender = world.own(await FilePeer.open(toms, KITCHEN, wordsFor(other)));
    expect(await sender.send(other)).toBe('200 OK');
    for (const wanted of [bytes, other]) {
      await using peer = await FilePeer.open(toms, KITCHEN, wordsFor(wanted, { direction: 'recvonly' }));
      expect((await peer.receive()).equals(wanted)).toBe(true);
    }
  });
});

describe('what a room says of itself', () => {
  it('has a=x-parley-room-files where files are kept, and not where none are', async () => {
    expect((await join(await device('bob'))).answer.body).toMatch(/^a=x-parley-room-files\r$/m);
    await world[Symbol.asyncDispose]();
    await open({ files: { enabled: false } });
    const bobs = await device('bob');
    expect((await join(bobs)).answer.body).not.toContain('x-parley-room-files');
    const answer = await FilePeer.call(bobs, KITCHEN, wordsFor(randomBytes(10)));
    expect([answer.status, answer.header('Warning')]).toEqual([488, '304 parley "no files are kept here"']);
  });

  it('is said by the room alone: an offer that a member writes into it is refused', async () => {
    const bob = await join(await device('bob'));
    const text = 'v=0\r\na=file-selector:name:"x"';
    expect(await bob.send(text, { type: 'application/sdp' })).toBe('403 Forbidden');
  });
});
