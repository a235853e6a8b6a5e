/** Kamailio's `msrp` module as a relay (RFC 4976) over TLS, with AUTH: both people are behind it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../support/certificates.ts';
import { DOMAIN, passwordOf, World, type Person } from '../../support/im-world.ts';
import { relayMissing, startMsrpRelay, type MsrpRelay } from './msrp-relay.ts';

if (relayMissing !== undefined) console.log(`skipped: ${relayMissing}`);

const USERS = Object.fromEntries(['bob', 'tom'].map((user) => [user, passwordOf(user)]));

describe.skipIf(relayMissing !== undefined)('two people behind a relay of Kamailio', () => {
  const authority = new Authority('Relay CA');
  let relay: MsrpRelay;
  let serial = 0;
  let world: World;
  beforeAll(async () => {
    relay = await startMsrpRelay({
      realm: DOMAIN,
      users: USERS,
      certificate: authority.issue({ names: ['IP:127.0.0.1'] }),
    });
    world = await World.open(['bob', 'tom']);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await relay[Symbol.asyncDispose]();
  });

  async function join(
    user: 'bob' | 'tom',
    settings: { path: 'relay' | 'auto' | 'direct'; relays: readonly string[] },
    options: Parameters<World['openPerson']>[1] = {},
  ): Promise<Person> {
    const person = await world.openPerson(user, {
      name: `${user}-${++serial}`,
      ca: [authority.cert],
      ...options,
    });
    await person.commands['settings.set']({ key: 'messages.relays', value: settings.relays });
    await person.commands['settings.set']({ key: 'messages.path', value: settings.path });
    await person.signIn(world.uri);
    return person;
  }

  it('messages go both ways, large ones as well, each confirmed by whom it is for', async () => {
    const seen: string[] = [];
    const behind = { path: 'relay', relays: [relay.uri] } as const;
    await using bob = await join('bob', behind, {
      tap: ({ protocol, transport, direction, bytes }) => {
        if (protocol !== 'msrp') return;
        seen.push(`${direction} ${transport} ${Buffer.from(bytes).toString('latin1')}`);
      },
    });
    await using tom = await join('tom', behind);
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const sent = await bob.send(ofBob, 'by way of a relay');
    await bob.becomes(sent, 'delivered', 'displayed');
    const answer = await tom.send(ofTom, 'and back');
    await tom.becomes(answer, 'delivered', 'displayed');
    const large = 'a large message through small frames. '.repeat(5_000);
    await bob.becomes(await bob.send(ofBob, large), 'delivered', 'displayed');
    expect(await tom.texts(ofTom, 'in')).toEqual(['by way of a relay', large]);
    expect(await bob.texts(ofBob, 'in')).toEqual(['and back']);
    expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
    expect(await tom.session(ofTom, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
    // All of it went over TLS to the relay and nowhere else, in frames that it takes (under 12 000 bytes).
    expect(seen.every((line) => line.startsWith('in tls') || line.startsWith('out tls'))).toBe(true);
    expect(seen.some((line) => /^out tls MSRP \S+ AUTH\r\nTo-Path: msrps:\/\/127/.test(line))).toBe(true);
    expect(seen.some((line) => /^in tls MSRP \S+ 501/.test(line))).toBe(false);
  });

  /** Whoever connects to him is cut off: a firewall, or a router without a way in. */
  const UNREACHABLE = { msrpLimits: { maxConnectionsPerAddress: 0 } };

  async function talk(bob: Person, tom: Person) {
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'are you there?'), 'delivered', 'displayed');
    await tom.becomes(await tom.send(ofTom, 'only through a relay'), 'delivered', 'displayed');
    expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
    expect(await tom.session(ofTom, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
    expect(await bob.texts(ofBob, 'in')).toEqual(['only through a relay']);
  }

  it('auto: who cannot visit answers with a place at his relay (flow: who connects, 3)', async () => {
    await using bob = await join('bob', { path: 'direct', relays: [] }, UNREACHABLE);
    await using tom = await join('tom', { path: 'auto', relays: [relay.uri] });
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.send(ofBob, 'are you there?');
    // That relay opens a connection to whom it does not know, so the way back to Bob stays shut: it is his way that counts.
    expect(await tom.received(ofTom, 1)).toEqual(['are you there?']);
    expect(await bob.session(ofBob, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
    expect(await tom.session(ofTom, 'open')).toMatchObject({ mediaPath: 'relay', encrypted: true });
  });

  it('auto: who is refused because nobody reaches him offers his relay', async () => {
    await using bob = await join('bob', { path: 'auto', relays: [relay.uri] }, UNREACHABLE);
    await using tom = await join('tom', { path: 'direct', relays: [] });
    await talk(bob, tom);
  });

  it('the relay dies: the next one is taken, and what was under way arrives once', async () => {
    const second = await startMsrpRelay({
      realm: DOMAIN,
      users: USERS,
      certificate: authority.issue({ names: ['IP:127.0.0.1'] }),
    });
    await using _relay = second;
    const dying = await startMsrpRelay({
      realm: DOMAIN,
      users: USERS,
      certificate: authority.issue({ names: ['IP:127.0.0.1'] }),
    });
    const both = { path: 'relay', relays: [dying.uri, second.uri] } as const;
    await using bob = await join('bob', both);
    await using tom = await join('tom', both);
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'first'), 'delivered', 'displayed');
    const gone = dying[Symbol.asyncDispose]();
    const sent = await bob.send(ofBob, 'second');
    await gone;
    await bob.becomes(sent, 'delivered', 'displayed');
    expect(await tom.texts(ofTom, 'in')).toEqual(['first', 'second']);
    await bob.session(ofBob, 'ended');
  });

  it('a wrong password is said, and nothing goes another way', async () => {
    const strict = await startMsrpRelay({
      realm: DOMAIN,
      users: { bob: 'another' },
      certificate: authority.issue({ names: ['IP:127.0.0.1'] }),
    });
    await using _relay = strict;
    await using bob = await join('bob', { path: 'relay', relays: [strict.uri] });
    const ofBob = await bob.meet('tom');
    const { id } = await bob.commands['session.start']({ conversationId: ofBob.id });
    const { end } = await bob.session(ofBob, 'ended');
    expect(id).toBeDefined();
    expect(end?.message).toMatch(/does not take the password of bob/);
  });
});
