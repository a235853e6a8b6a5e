import { afterEach, beforeEach, expect, it } from 'vitest';
import { DOMAIN, World } from '../../support/im-world.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { FACTORY, RoomPeer } from '../../support/room-peer.ts';

let world: World;
const KITCHEN = `sip:kitchen@${DOMAIN}`;

beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve'], {
    rooms: { plain: true },
    roomLimits: { byeMs: 200, windowMessages: 4, recentMessages: 8, pageMessages: 5 },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function join(user: string, uri = KITCHEN): Promise<RoomPeer> {
  const device = world.own(await RawDevice.join(user, world.port));
  return world.own(await RoomPeer.join(device, uri, { to: `<${KITCHEN}>` }));
}

it('who does not read holds up nobody, is sent a window and no more, and catches up in order', async () => {
  const bob = await join('bob', FACTORY);
  const tom = await join('tom');
  const eve = await join('eve');
  const said = Array.from({ length: 60 }, (_, index) => `message ${index}`);
  for (const text of said) {
    expect(await bob.send(text)).toBe('200 OK');
    expect((await tom.message()).text).toBe(text);
  }
  // All of it was said and heard; on her connection lie the notices that she takes none of, and four messages.
  expect(eve.msrp.received.toString().split('MSRP ').length - 1).toBe(4);
  expect(await eve.texts(60)).toEqual(said);
  expect(await bob.send('and now')).toBe('200 OK');
  expect((await eve.message()).text).toBe('and now');
});

it('what a participant refuses is not offered again, and the rest goes on', async () => {
  const bob = await join('bob', FACTORY);
  const tom = await join('tom');
  await bob.send('not this');
  tom.msrp.answer(await tom.msrp.frame(), 415, 'No');
  await bob.send('but this');
  expect(await tom.texts(1)).toEqual(['but this']);
});

it('who does not answer at all is put out, and finds everything when he comes back', async () => {
  const bob = await join('bob', FACTORY);
  const tomsDevice = world.own(await RawDevice.join('tom', world.port));
  const tom = world.own(await RoomPeer.join(tomsDevice, KITCHEN));
  await bob.send('unheard');
  await tom.message({ acknowledge: false });
  // As the switch takes silence: 408.
  tom.msrp.answer({ ...(await again(bob, tom)), kind: 'SEND' }, 408, 'Timeout');
  await tom.msrp.untilEnded();
  const back = world.own(await RoomPeer.join(tomsDevice, KITCHEN));
  expect(await back.texts(2)).toEqual(['unheard', 'once more']);
});

async function again(bob: RoomPeer, tom: RoomPeer) {
  await bob.send('once more');
  return tom.msrp.frame();
}
