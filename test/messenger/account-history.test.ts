/** What was said stays when an account is removed, and belongs to it again when it comes back. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openPair, World } from '../support/im-world.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

it('its conversations wait for it, by its address, and go on', async () => {
  const { bob, tom, ofBob, ofTom } = await openPair(world);
  await bob.becomes(await bob.send(ofBob, 'before'), 'delivered', 'displayed');
  const { id } = await bob.account();
  await bob.commands['account.remove']({ accountId: id });
  const [left] = await bob.commands['conversation.list']({});
  expect(left).toMatchObject({ id: ofBob.id, peerAddress: tom.address });
  expect(left?.accountId).not.toBe(id);
  expect(await bob.texts(ofBob, 'out')).toEqual(['before']);

  await bob.signIn(world.uri);
  const account = await bob.account();
  expect(account.id).not.toBe(id);
  const again = await bob.until('the conversation of the new account', async () => {
    const [one] = await bob.commands['conversation.list']({});
    return one?.accountId === account.id ? one : undefined;
  });
  expect(again.id).toBe(ofBob.id);
  await bob.becomes(await bob.send(again, 'after'), 'delivered', 'displayed');
  expect(await tom.texts(ofTom, 'in')).toEqual(['before', 'after']);
  expect((await bob.commands['conversation.list']({})).length).toBe(1);
});
