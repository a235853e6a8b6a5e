import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOMAIN, World } from '../../support/im-world.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { cpimText, FACTORY, RoomPeer } from '../../support/room-peer.ts';

let world: World;
const device = async (user: string) => world.own(await RawDevice.join(user, world.port));
const own = (peer: RoomPeer) => world.own(peer);

beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve', 'ann'], {
    rooms: { plain: true, messageBytes: 4_096 },
    roomLimits: { byeMs: 200 },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** A named room that Bob has made, with him in it. */
async function openKitchen(): Promise<RoomPeer> {
  return own(await RoomPeer.join(await device('bob'), FACTORY, { to: `<sip:kitchen@${DOMAIN}>` }));
}

const join = async (user: string, room: RoomPeer) => own(await RoomPeer.join(await device(user), room.room));

describe('a room of three over real sockets', () => {
  it('what one says reaches the two others, wrapped, from the sender, with its id', async () => {
    const bob = await openKitchen();
    const tom = await join('tom', bob);
    const eve = await join('eve', bob);
    expect(await bob.send('dinner is ready', { id: 'the-id-of-bob', messageId: 'mid1' })).toBe('200 OK');
    for (const peer of [tom, eve]) {
      const { frame, cpim, text } = await peer.message();
      expect(text).toBe('dinner is ready');
      expect(cpim).toContain(`From: "bob" <sip:bob@${DOMAIN}>`);
      expect(cpim).toContain(`To: <sip:kitchen@${DOMAIN}>`);
      expect(cpim).toContain('imdn.Message-ID: the-id-of-bob');
      expect(cpim).toMatch(/^DateTime: \d{4}-/m);
      expect(frame.headers.get('Message-ID')).toBe('the-id-of-bob');
    }
    // And not the sender: the next thing that Bob hears is Tom.
    await tom.send('coming');
    expect((await bob.message()).text).toBe('coming');
    expect((await eve.message()).text).toBe('coming');
  });

  it('a private message reaches one only', async () => {
    const bob = await openKitchen();
    const tom = await join('tom', bob);
    const eve = await join('eve', bob);
    expect(await bob.send('only you', { to: `sip:tom@${DOMAIN}` })).toBe('200 OK');
    expect(await bob.send('all of you')).toBe('200 OK');
    expect(await tom.texts(2)).toEqual(['only you', 'all of you']);
    expect(await eve.texts(1)).toEqual(['all of you']);
  });

  it('a message that is sent again is acknowledged and not told twice', async () => {
    const bob = await openKitchen();
    const tom = await join('tom', bob);
    const body = cpimText({ from: bob.uri, to: bob.room, text: 'once', id: 'same-id-1' });
    expect(await bob.send('', { body })).toBe('200 OK');
    expect(await bob.send('', { body })).toBe('200 OK');
    await bob.send('after');
    expect(await tom.texts(2)).toEqual(['once', 'after']);
  });
});
