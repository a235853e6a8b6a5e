import type { Conversation } from '../../../shared/domain/conversation.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN, passwordOf, World, type Person } from '../../support/im-world.ts';
import { Authority } from '../../support/certificates.ts';
import { kamailioMissing, startKamailio, type Kamailio } from './kamailio.ts';
import { Steps } from './steps.ts';

if (kamailioMissing !== undefined) console.log(`skipped: ${kamailioMissing}`);

const USERS = Object.fromEntries(['bob', 'tom', 'eve'].map((user) => [user, passwordOf(user)]));

/** Steps 2 to 18: both write, Bob ends it; in the order of the flow. */
async function talk(
  bob: Person,
  tom: Person,
  steps: Steps,
  ofBob?: Conversation,
  ofTom?: Conversation,
): Promise<void> {
  const withTom = ofBob ?? (await bob.meet('tom'));
  const withBob = ofTom ?? (await tom.meet('bob'));
  const sent = await bob.send(withTom, 'by way of a proxy');
  await bob.becomes(sent, 'delivered', 'displayed');
  expect(await tom.texts(withBob, 'in')).toContain('by way of a proxy');
  const answer = await tom.send(withBob, 'and back');
  await tom.becomes(answer, 'delivered', 'displayed');
  const { id } = await bob.session(withTom, 'open');
  await bob.commands['session.end']({ sessionId: id });
  await tom.session(withBob, 'ended');
  await bob.session(withTom, 'ended');
  expect(steps.faults()).toEqual([]);
}

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

  async function join(user: 'bob' | 'tom', transport: string, steps: Steps): Promise<Person> {
    const person = await world.openPerson(user, { name: `${user}-${transport}`, tap: steps.tap(user) });
    await person.signIn(`sip:127.0.0.1:${kamailio.port};transport=${transport}`);
    return person;
  }

  it.each(['udp', 'tcp'])('two people talk in peer mode over %s', async (transport) => {
    const steps = new Steps();
    await using bob = await join('bob', transport, steps);
    await using tom = await join('tom', transport, steps);
    await talk(bob, tom, steps);
  });

  it('two people talk over TLS, each checking the certificate of the proxy', async () => {
    const authority = new Authority('Interop CA');
    const certificate = authority.issue({ names: [`DNS:${DOMAIN}`, 'IP:127.0.0.1'] });
    await using secure = await startKamailio({ domain: DOMAIN, users: USERS, certificate });
    const steps = new Steps();
    const join = async (user: 'bob' | 'tom'): Promise<Person> => {
      const person = await world.openPerson(user, {
        name: `${user}-tls`,
        tap: steps.tap(user),
        ca: [authority.cert],
      });
      await person.signIn(`sip:127.0.0.1:${secure.tlsPort};transport=tls`);
      return person;
    };
    await using bob = await join('bob');
    await using tom = await join('tom');
    await talk(bob, tom, steps);
  });

  it('a proxy whose certificate nobody vouches for is not signed in to, and the account says why', async () => {
    const certificate = new Authority('Nobody').issue({ names: ['IP:127.0.0.1'] });
    await using secure = await startKamailio({ domain: DOMAIN, users: USERS, certificate });
    await using bob = await world.openPerson('bob', { name: 'bob-careful' });
    await bob.addAccount(`sip:127.0.0.1:${secure.tlsPort};transport=tls`);
    const reason = await bob.until('the reason', async () => {
      const { connection } = await bob.account();
      return connection.status === 'refused' ? connection.reason : undefined;
    });
    expect(reason).toMatch(/certificate/i);
  });

  it('a wrong password is said once, and not tried again', async () => {
    await using eve = await world.openPerson('eve');
    await eve.addAccount(`sip:127.0.0.1:${kamailio.port};transport=tcp`, 'wrong');
    await eve.until('refused', async () => (await eve.account()).connection.status === 'refused');
  });
});

describe.skipIf(kamailioMissing !== undefined)(
  'Kamailio is a proxy in front of the IM Server (Path, Record-Route)',
  () => {
    let kamailio: Kamailio;
    let world: World;
    beforeAll(async () => {
      world = await World.open(['bob', 'tom']);
      kamailio = await startKamailio({ domain: 'edge.home.arpa', server: world.uri });
    });
    afterAll(async () => {
      await world[Symbol.asyncDispose]();
      await kamailio[Symbol.asyncDispose]();
    });

    it.each(['udp', 'tcp'])(
      'two people talk over %s; who is absent gets his messages later',
      async (transport) => {
        const uri = `sip:127.0.0.1:${kamailio.port};transport=${transport}`;
        const steps = new Steps();
        await using bob = await world.openPerson('bob', { name: `bob-${transport}`, tap: steps.tap('bob') });
        await bob.signIn(uri);
        const ofBob = await bob.meet('tom');
        const early = await bob.send(ofBob, 'are you there?');
        await bob.becomes(early, 'waiting');
        await using tom = await world.openPerson('tom', { name: `tom-${transport}`, tap: steps.tap('tom') });
        await tom.signIn(uri);
        const ofTom = await tom.meet('bob');
        expect(await tom.received(ofTom, 1)).toContain('are you there?');
        await talk(bob, tom, steps, ofBob, ofTom);
        // The way to Tom was that of his Path: through the proxy, not to his Contact.
        const invites = world.wire.filter(
          ({ direction, text }) => direction === 'out' && text.startsWith('INVITE '),
        );
        expect(invites.length).toBeGreaterThan(0);
        for (const { text } of invites)
          expect(text).toMatch(/\r\nRoute: <sip:[^>@]*@?127\.0\.0\.1:\d+[^>]*;lr/);
      },
    );
  },
);
