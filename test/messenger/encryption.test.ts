/** Encryption between two people, and with strangers: policy, downgrade, wrong certificates, what the window is told. */
import { X509Certificate } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Settings } from '../../shared/settings.ts';
import { formatFingerprint } from '../../main/msrp/fingerprint.ts';
import { selfSigned } from '../support/certificates.ts';
import { World, type Person } from '../support/im-world.ts';

let world: World;
let serial = 0;
beforeAll(async () => {
  world = await World.open(['bob', 'tom']);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

type Encryption = Settings['messages.encryption'];

async function join(user: string, encryption: Encryption, seen?: string[]): Promise<Person> {
  const person = await world.join(user, {
    name: `${user}-${++serial}`,
    ...(seen === undefined
      ? {}
      : {
          tap: ({ protocol, transport }: { protocol: string; transport: string }) => {
            if (protocol === 'msrp') seen.push(transport);
          },
        }),
  });
  await set(person, encryption);
  return person;
}

function set(person: Person, encryption: Encryption): Promise<unknown> {
  return person.commands['settings.set']({ key: 'messages.encryption', value: encryption });
}

/** What was said on SIP since `from`. */
function offers(from: number): string[] {
  return world.wire
    .slice(from)
    .filter(({ direction, text }) => direction === 'in' && text.startsWith('INVITE '))
    .map(({ text }) => /m=message \d+ (\S+)/.exec(text)?.[1] ?? '')
    .filter((protocol) => protocol !== '');
}

describe('direct and encrypted is the default', () => {
  it('TCP/TLS/MSRP with a fingerprint on both sides; the window is told', async () => {
    const seen: string[] = [];
    const from = world.wire.length;
    await using bob = await join('bob', 'preferred', seen);
    await using tom = await join('tom', 'preferred');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'between us'), 'delivered', 'displayed');
    expect(await bob.session(ofBob, 'open')).toMatchObject({ encrypted: true, mediaPath: 'direct' });
    expect(await tom.session(ofTom, 'open')).toMatchObject({ encrypted: true, mediaPath: 'direct' });
    expect(new Set(seen)).toEqual(new Set(['tls']));
    const described = world.wire.slice(from).filter(({ text }) => text.includes('\r\nm=message '));
    expect(described.length).toBeGreaterThanOrEqual(4);
    for (const { text } of described) {
      expect(text).toMatch(/\r\nm=message \d+ TCP\/TLS\/MSRP \*\r\n/);
      expect(text).toMatch(/\r\na=path:msrps:\/\//);
      expect(text).toMatch(/\r\na=fingerprint:SHA-256 [0-9A-F]{2}(:[0-9A-F]{2}){31}\r\n/);
    }
  });

  it.each(['preferred', 'required'] as const)(
    '%s takes what is offered encrypted by anybody',
    async (policy) => {
      await using bob = await join('bob', 'required');
      await using tom = await join('tom', policy);
      const ofBob = await bob.meet('tom');
      await tom.meet('bob');
      await bob.becomes(await bob.send(ofBob, 'between us'), 'delivered', 'displayed');
    },
  );

  it('a session that is over is shown as it was, also by the next start of the program', async () => {
    await using tom = await join('tom', 'preferred');
    const name = `bob-${++serial}`;
    let over: unknown;
    {
      await using bob = await world.join('bob', { name });
      const ofBob = await bob.meet('tom');
      await tom.meet('bob');
      await bob.becomes(await bob.send(ofBob, 'between us'), 'delivered', 'displayed');
      const { id } = await bob.session(ofBob, 'open');
      await bob.commands['session.end']({ sessionId: id });
      over = await bob.session(ofBob, 'ended');
      expect(over).toMatchObject({ encrypted: true, mediaPath: 'direct' });
    }
    await using bob = await world.openPerson('bob', { name });
    expect(await bob.commands['session.list']({})).toEqual([over]);
  });

  it('an offer in the clear from a new person is taken, and the window says so', async () => {
    await using bob = await join('bob', 'off');
    await using tom = await join('tom', 'preferred');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'in the clear'), 'delivered', 'displayed');
    expect(await tom.session(ofTom, 'open')).toMatchObject({ encrypted: false });
  });

  it('who requires encryption refuses an offer without, both are told why, and nothing is sent', async () => {
    await using bob = await join('bob', 'off');
    await using tom = await join('tom', 'required');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const sent = await bob.send(ofBob, 'in the clear');
    await bob.becomes(sent, 'failed');
    expect((await bob.session(ofBob, 'ended')).end).toMatchObject({
      code: 'encryption-refused',
      message: expect.stringContaining('only encrypted messages are taken here') as string,
    });
    expect((await tom.session(ofTom, 'ended')).end?.code).toBe('encryption-refused');
    expect(await tom.texts(ofTom, 'in')).toEqual([]);
  });

  it('who has been talked to over TLS is not talked out of it (downgrade)', async () => {
    await using bob = await join('bob', 'preferred');
    await using tom = await join('tom', 'preferred');
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(await bob.send(ofBob, 'encrypted'), 'delivered', 'displayed');
    const { id } = await bob.session(ofBob, 'open');
    await bob.commands['session.end']({ sessionId: id });
    await tom.session(ofTom, 'ended');
    await set(bob, 'off');
    const sent = await bob.send(ofBob, 'and now not');
    await bob.becomes(sent, 'failed');
    expect((await tom.session(ofTom, 'ended', 1)).end?.code).toBe('encryption-downgraded');
    expect(await tom.texts(ofTom, 'in')).toEqual(['encrypted']);
  });

  it('the session before the first message is not called encrypted', async () => {
    await using bob = await join('bob', 'preferred');
    const ofBob = await bob.meet('tom');
    await bob.commands['session.start']({ conversationId: ofBob.id });
    expect((await bob.session(ofBob, 'inviting')).encrypted).toBe(false);
    expect(offers(0)).not.toEqual([]);
  });
});

it('a fingerprint is written as RFC 8122 has it', () => {
  const { raw, fingerprint256 } = new X509Certificate(selfSigned(['DNS:x.example']).cert);
  expect(formatFingerprint(raw)).toBe(`SHA-256 ${fingerprint256}`);
});
