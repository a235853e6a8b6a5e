import { afterEach, expect, it } from 'vitest';
import { createGroup, groupOf, linesOf, untilLine, untilMembers } from '../../support/group-people.ts';
import { DOMAIN, World, type Person } from '../../support/im-world.ts';

let world: World;
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function decide(person: Person, other: string, blocked: boolean): Promise<void> {
  const { id } = await person.account();
  await person.commands['rule.set']({ accountId: id, address: `${other}@${DOMAIN}`, blocked });
  const isBlocked = () => world.server.presence.rules.isBlocked(person.user, `${other}@${DOMAIN}`);
  await expect.poll(isBlocked, { timeout: 5_000 }).toBe(blocked);
}

it('whom somebody has blocked invites him in vain: it is as if he were away, until he is unblocked', async () => {
  world = await World.open(['bob', 'tom', 'eve']);
  const [bob, tom, eve] = [await world.join('bob'), await world.join('tom'), await world.join('eve')];
  await decide(tom, 'bob', true);
  const ofBob = await createGroup(bob, 'Trip', ['tom', 'eve']);
  const ofEve = await groupOf(eve, 'Trip');
  await eve.commands['conversation.answer']({ conversationId: ofEve.id, accept: true });
  await untilMembers(bob, ofBob, ['bob', 'eve', 'tom invited']);
  expect(await tom.commands['conversation.list']({})).toEqual([]);
  await decide(tom, 'bob', false);
  await tom[Symbol.asyncDispose]();
  const again = await world.openPerson('tom');
  await groupOf(again, 'Trip');
});

it('in a group he is read by everybody, but cannot write privately to who has blocked him', async () => {
  world = await World.open(['bob', 'tom']);
  const [bob, tom] = [await world.join('bob'), await world.join('tom')];
  const ofBob = await createGroup(bob, 'Trip', ['tom']);
  const ofTom = await groupOf(tom, 'Trip');
  await tom.commands['conversation.answer']({ conversationId: ofTom.id, accept: true });
  await untilMembers(bob, ofBob, ['bob', 'tom']);
  await decide(tom, 'bob', true);
  await bob.becomes(await bob.send(ofBob, 'only to you', `tom@${DOMAIN}`), 'failed');
  await bob.send(ofBob, 'to everybody');
  await untilLine(tom, ofTom, 'bob: to everybody');
  expect(await linesOf(tom, ofTom)).not.toContain('bob to me: only to you');
});
