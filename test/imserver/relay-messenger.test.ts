/** Our messengers behind the relay of their own server, with nothing written into their settings. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MessengerOptions } from '../../main/messenger/messenger.ts';
import { arrived, becomes, received, sendFile, writeRandom } from '../messenger/transfers/desk.ts';
import { World, type Person } from '../support/im-world.ts';

describe('two people behind the relay that their server announces', () => {
  let world: World;
  let serial = 0;
  beforeAll(async () => {
    world = await World.open(['bob', 'tom']);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function signIn(
    user: 'bob' | 'tom',
    path: 'relay' | 'auto' | 'direct',
    options: Partial<MessengerOptions> = {},
  ): Promise<Person> {
    const person = await world.openPerson(user, { name: `${user}-${++serial}`, ...options });
    await person.commands['settings.set']({ key: 'messages.path', value: path });
    await person.signIn(world.uri);
    return person;
  }

  /** Whoever connects to him is cut off: a firewall, or a router without a way in. */
  const UNREACHABLE = { msrpLimits: { maxConnectionsPerAddress: 0 } };

  it('relay: messages of any size go both ways, encrypted, and through the server only', async () => {
    await using bob = await signIn('bob', 'relay');
    await using tom = await signIn('tom', 'relay');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'by way of our relay'), 'delivered', 'displayed');
    await tom.becomes(await tom.send(ofTom, 'and back'), 'delivered', 'displayed');
    const large = 'a large message. '.repeat(20_000);
    await bob.becomes(await bob.send(ofBob, large), 'delivered', 'displayed');
    expect(await tom.texts(ofTom, 'in')).toEqual(['by way of our relay', large]);
    for (const [person, conversation] of [
      [bob, ofBob],
      [tom, ofTom],
    ] as const) {
      expect(await person.session(conversation, 'open')).toMatchObject({
        mediaPath: 'relay',
        encrypted: true,
      });
    }
    expect(world.server.relay?.stats.relayBytes).toBeGreaterThan(large.length);
  });

  it('auto: two people whom nobody reaches come together there by themselves', async () => {
    await using bob = await signIn('bob', 'auto', UNREACHABLE);
    await using tom = await signIn('tom', 'auto', UNREACHABLE);
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'are you there?'), 'delivered', 'displayed');
    await tom.becomes(await tom.send(ofTom, 'only here'), 'delivered', 'displayed');
    expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
  });

  it('the server is started again: both go on, nothing is lost or doubled', async () => {
    await using bob = await signIn('bob', 'relay');
    await using tom = await signIn('tom', 'relay');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'before'), 'delivered', 'displayed');
    await world.stopServer();
    const during = await bob.send(ofBob, 'meanwhile');
    await world.startServer();
    await bob.becomes(during, 'delivered', 'displayed');
    await bob.becomes(await bob.send(ofBob, 'after'), 'delivered', 'displayed');
    expect(await tom.texts(ofTom, 'in')).toEqual(['before', 'meanwhile', 'after']);
  });

  it('a file goes on when the server was started again in its middle, and talk goes on beside it', async () => {
    await using bob = await signIn('bob', 'relay');
    await using tom = await signIn('tom', 'relay');
    await tom.commands['settings.set']({ key: 'files.autoAcceptBytes', value: 100_000_000 });
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const file = await writeRandom(world, 'plan.bin', 12_000_000);
    const moving = Promise.withResolvers<undefined>();
    const release = tom.messenger.feed.subscribe(({ event, data }) => {
      if (event === 'transfer.changed' && data.transfer.bytesDone > 3_000_000) moving.resolve(undefined);
    });
    const sent = await sendFile(bob, ofBob, file);
    await moving.promise;
    release();
    await world.stopServer();
    await world.startServer();
    await bob.becomes(await bob.send(ofBob, 'beside the file'), 'delivered', 'displayed');
    const came = await arrived(tom, ofTom);
    await becomes(tom, came, 'done');
    await becomes(bob, sent, 'done');
    const { bytes } = await received(tom, came);
    const hash = (what: Buffer) => createHash('sha256').update(what).digest('hex');
    expect(hash(bytes)).toBe(hash(await readFile(file)));
    expect(world.server.relay?.stats.relayBytes).toBeGreaterThan(1_000_000);
  });
});
