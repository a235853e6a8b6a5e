import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN, passwordOf, World, type Person } from '../../support/im-world.ts';
import { kamailioMissing, startKamailio, type Kamailio } from './kamailio.ts';

if (kamailioMissing !== undefined) console.log(`skipped: ${kamailioMissing}`);

const USERS = Object.fromEntries(['bob', 'tom', 'eve'].map((user) => [user, passwordOf(user)]));

describe.skipIf(kamailioMissing !== undefined)('Kamailio is registrar and proxy, no IM Server', () => {
  let kamailio: Kamailio;
  let world: World;
  beforeAll(async () => {
    kamailio = await startKamailio({ domain: DOMAIN, users: USERS });
    world = await World.open([]);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await kamailio[Symbol.asyncDispose]();
  });

  async function join(user: string, name: string, transport: string): Promise<Person> {
    const person = await world.openPerson(user, { name });
    await person.signIn(`sip:127.0.0.1:${kamailio.port};transport=${transport}`);
    return person;
  }

  it.each(['udp', 'tcp'])('two people talk in peer mode over %s, and either ends it', async (transport) => {
    await using bob = await join('bob', `bob-${transport}`, transport);
    await using tom = await join('tom', `tom-${transport}`, transport);
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const sent = await bob.send(ofBob, 'through a proxy that knows nothing of us');
    await bob.becomes(sent, 'delivered', 'displayed');
    expect(await tom.received(ofTom, 1)).toEqual(['through a proxy that knows nothing of us']);
    const answer = await tom.send(ofTom, 'and back');
    await tom.becomes(answer, 'delivered', 'displayed');
    const { id } = await bob.session(ofBob, 'open');
    await bob.commands['session.end']({ sessionId: id });
    await tom.session(ofTom, 'ended');
  });

  it('a wrong password is said once, and not tried again', async () => {
    await using eve = await world.openPerson('eve');
    await eve.addAccount(`sip:127.0.0.1:${kamailio.port};transport=tcp`, 'wrong');
    await eve.until('refused', async () => (await eve.account()).connection.status === 'refused');
  });
});
