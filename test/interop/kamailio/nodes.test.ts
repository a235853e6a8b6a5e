import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IMSERVER_LIMITS } from '../../../main/base/limits.ts';
import { createGroup, groupOf, linesOf, untilLine, untilMembers } from '../../support/group-people.ts';
import { World, type Person } from '../../support/im-world.ts';
import { postgresMissing } from '../../support/postgres.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { Cluster } from './cluster.ts';
import { kamailioMissing, MODULES } from './kamailio.ts';

const missing = kamailioMissing ?? postgresMissing;
if (missing !== undefined) console.log(`skipped: ${missing}`);

/** Two nodes, PostgreSQL and Kamailio. */
const START_MS = 60_000;
/** Messages under way while nodes are killed, and how long all of it may take. */
const LOAD = 30;
/** After a node was killed at most so many messages get through before the next one is. */
const STEPS = 8;
const AUDIT_MS = 60_000;
/** What a client may take until it is back. */
const BACK_MS = 20_000;

describe.skipIf(missing !== undefined)('two nodes behind Kamailio, as build/deploy sets them up', () => {
  let cluster: Cluster;
  let world: World;
  let serial = 0;
  beforeAll(async () => {
    cluster = await Cluster.start(['bob', 'tom', 'eve', 'ann']);
    // People only; its own server serves nobody.
    world = await World.open([]);
  }, START_MS);
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await cluster[Symbol.asyncDispose]();
  });

  const person = (user: string, name = `${user}-${++serial}`): Promise<Person> =>
    world.openPerson(user, { name, ca: [cluster.authority.cert] });

  async function join(user: string, uri = cluster.uri): Promise<Person> {
    const joined = await person(user);
    await joined.signIn(uri);
    return joined;
  }

  /** One message each way, each read by the other. */
  async function talk(bob: Person, tom: Person, text: string): Promise<void> {
    const ofBob = await bob.open(tom.user);
    const ofTom = await tom.open(bob.user);
    const sent = await bob.send(ofBob, `${text}, ${tom.user}?`);
    await bob.becomes(sent, 'delivered', 'displayed');
    const answer = await tom.send(ofTom, `${text}, ${bob.user}!`);
    await tom.becomes(answer, 'delivered', 'displayed');
  }

  it('people over TLS and TCP talk, and who is away gets his messages when he comes', async () => {
    await using bob = await join('bob', cluster.tlsUri);
    await using ann = await join('ann');
    const early = await bob.send(await bob.meet('tom'), 'are you there?');
    await bob.becomes(early, 'waiting');
    await using tom = await join('tom', cluster.tlsUri);
    const ofTom = await tom.meet('bob');
    expect(await tom.received(ofTom, 1)).toEqual(['are you there?']);
    await talk(bob, tom, 'here');
    await ann.meet('tom');
    await tom.meet('ann');
    await talk(ann, tom, 'and you');
  });

  it.each([0, 1])(
    'node %i is killed in mid-conversation: everybody is back within 20 s, nothing is lost',
    async (index) => {
      await using bob = await join('bob', cluster.tlsUri);
      await using tom = await join('tom');
      const ofBob = await bob.meet('tom');
      const ofTom = await tom.meet('bob');
      await talk(bob, tom, `before ${index}`);
      const waiting = await bob.send(await bob.meet('eve'), 'for later');
      await bob.becomes(waiting, 'waiting');
      await cluster.nodes[index]?.kill();
      const began = performance.now();
      await talk(bob, tom, `during ${index}`);
      // Anew as well: the way by the server, which has lost the dialogs of the node that is gone.
      const { id } = await bob.session(ofBob, 'open');
      await bob.commands['session.end']({ sessionId: id });
      await talk(bob, tom, `after ${index}`);
      await using eve = await join('eve');
      expect(await eve.received(await eve.meet('bob'), 1)).toContain('for later');
      await talk(eve, tom, 'hello');
      expect(performance.now() - began).toBeLessThan(BACK_MS);
      // What Tom got elsewhere before may come as a copy meanwhile.
      const now = (await tom.texts(ofTom, 'in')).filter((text) => text.includes(` ${index}, `));
      expect(now).toEqual(['before', 'during', 'after'].map((word) => `${word} ${index}, tom?`));
      await cluster.nodes[index]?.start();
    },
  );

  it.each([0, 1])(
    'presence and a room are those of all nodes, and both are back within 20 s of the death of node %i',
    async (index) => {
      await using bob = await join('bob', cluster.tlsUri);
      await using tom = await join('tom');
      await using ann = await join('ann');
      for (const [one, other] of [
        [bob, 'tom'],
        [tom, 'bob'],
        [tom, 'ann'],
        [ann, 'tom'],
        [ann, 'bob'],
      ] as const) {
        await one.meet(other);
      }
      const set = (value: string, note: string) =>
        Promise.all([
          tom.commands['settings.set']({ key: 'presence.choice', value }),
          tom.commands['settings.set']({ key: 'presence.note', value: note }),
        ]);
      const see = (show: string, note: string) =>
        Promise.all(
          [bob, ann].map((person) =>
            person.until(
              `tom is ${show}`,
              async () => {
                const { seen } = await person.commands['presence.list']({});
                const now = seen.find(({ address }) => address === tom.address)?.state;
                return now?.show === show && now.note === note;
              },
              BACK_MS,
            ),
          ),
        );
      await set('dnd', 'at both nodes');
      await see('dnd', 'at both nodes');
      const group = await createGroup(bob, `Both nodes ${index}`, ['tom', 'ann']);
      const groups = [group];
      for (const person of [tom, ann]) {
        groups.push(await groupOf(person, `Both nodes ${index}`));
      }
      const people = [bob, tom, ann];
      const all = ['bob', 'tom', 'ann'];
      const everybodyIsHere = () =>
        Promise.all(people.map((person, index) => untilMembers(person, groups[index] ?? group, all)));
      await everybodyIsHere();
      await cluster.nodes[index]?.kill();
      const began = performance.now();
      await set('away', `without ${index}`);
      await bob.send(group, `without ${index}`);
      await see('away', `without ${index}`);
      await Promise.all(
        [tom, ann].map((person, which) =>
          untilLine(person, groups[which + 1] ?? group, `bob: without ${index}`),
        ),
      );
      await everybodyIsHere();
      expect(performance.now() - began).toBeLessThan(BACK_MS);
      await cluster.nodes[index]?.start();
      // Once.
      for (const [which, person] of [tom, ann].entries()) {
        const lines = await linesOf(person, groups[which + 1] ?? group);
        expect(lines.filter((line) => line.startsWith('bob: '))).toEqual([`bob: without ${index}`]);
      }
    },
    AUDIT_MS,
  );

  it('wrong passwords at one address lock the user out there, not elsewhere', async () => {
    const register = async (host: string, password?: string): Promise<number> => {
      await using device = await RawDevice.open('eve', cluster.port, host);
      return (await device.register(password === undefined ? {} : { password })).status;
    };
    for (let attempt = 0; attempt < IMSERVER_LIMITS.maxWrongPasswords; attempt++) {
      expect(await register('127.0.0.2', 'wrong')).toBe(401);
    }
    expect(await register('127.0.0.2')).toBe(403);
    expect(await register('127.0.0.3')).toBe(200);
  });

  it(
    'nodes are killed at random under load: each message that was accepted arrives once, and in its order',
    async () => {
      await using bob = await join('bob');
      const ofBob = await bob.meet('ann');
      const enough = new AbortController();
      const ended = once(enough.signal, 'abort');
      // A message was accepted, or has arrived: what is killed more often than that is a server that is never there.
      let step = Promise.withResolvers<undefined>();
      const receiveStep = (): void => {
        step.resolve(undefined);
        step = Promise.withResolvers();
      };
      const killer = (async () => {
        while (!enough.signal.aborted) {
          const node = cluster.nodes[randomInt(cluster.nodes.length)];
          await node?.kill();
          await node?.start();
          for (let steps = randomInt(1, STEPS); steps > 0; steps--) await Promise.race([step.promise, ended]);
        }
      })();
      const endKilling = async (): Promise<void> => {
        enough.abort();
        await killer;
      };
      await using _killing = { [Symbol.asyncDispose]: endKilling };
      const sent = [];
      for (let number = 0; number < LOAD; number++) {
        const message = await bob.send(ofBob, `number ${number}`);
        // Accepted: 202, by a node that may be dead a moment later.
        sent.push(
          await bob.until(
            `${message.text} accepted`,
            async () => {
              const now = await bob.message(message);
              return now.state === 'waiting' || now.state === 'delivered' ? now : undefined;
            },
            AUDIT_MS,
          ),
        );
        receiveStep();
      }
      // She comes while it goes on.
      await using ann = await person('ann');
      await ann.addAccount(cluster.uri);
      await ann.until('online', async () => (await ann.account()).connection.status === 'online', AUDIT_MS);
      const ofAnn = await ann.meet('bob');
      let seen = 0;
      const texts = await ann.until(
        'all of them',
        async () => {
          const now = await ann.texts(ofAnn, 'in');
          if (now.length > seen) receiveStep();
          seen = now.length;
          return now.length >= LOAD ? now : undefined;
        },
        AUDIT_MS,
      );
      await endKilling();
      expect(texts).toEqual(sent.map(({ text }) => text));
      await expect
        .poll(() => cluster.postgres.ask(cluster.url, 'SELECT count(*)::int AS n FROM deferred_messages'), {
          timeout: BACK_MS,
        })
        .toEqual([{ n: 0 }]);
      expect(await ann.texts(ofAnn, 'in')).toEqual(texts);
    },
    3 * AUDIT_MS,
  );
});

describe.skipIf(missing !== undefined || !existsSync(`${MODULES}/db_postgres.so`))(
  'Kamailio registers users itself and is their MSRP relay, with the passwords of the nodes (local.cfg)',
  () => {
    it(
      'two people talk through it; a wrong password is refused',
      async () => {
        await using cluster = await Cluster.start(['bob', 'tom'], {
          nodes: 1,
          define: ['WITH_REGISTRAR', 'WITH_MSRP_RELAY'],
        });
        await using world = await World.open([]);
        const join = async (user: string, password?: string): Promise<Person> => {
          const person = await world.openPerson(user, { ca: [cluster.authority.cert] });
          const relays = [`msrps://127.0.0.1:${cluster.relayPort};tcp`];
          await person.commands['settings.set']({ key: 'messages.relays', value: relays });
          await person.commands['settings.set']({ key: 'messages.path', value: 'relay' });
          await person.addAccount(cluster.uri, password);
          return person;
        };
        const bob = await join('bob');
        const tom = await join('tom');
        await bob.online();
        await tom.online();
        const ofBob = await bob.meet('tom');
        const ofTom = await tom.meet('bob');
        await bob.becomes(await bob.send(ofBob, 'by way of its relay'), 'delivered', 'displayed');
        await tom.becomes(await tom.send(ofTom, 'and back'), 'delivered', 'displayed');
        expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
        expect(await tom.texts(ofTom, 'in')).toEqual(['by way of its relay']);
        const eve = await world.openPerson('bob', { name: 'eve', ca: [cluster.authority.cert] });
        await eve.addAccount(cluster.uri, 'wrong');
        await eve.until('refused', async () => (await eve.account()).connection.status === 'refused');
      },
      START_MS,
    );
  },
);
