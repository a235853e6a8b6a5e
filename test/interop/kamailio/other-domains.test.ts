/** Servers of two domains, one or both of them behind Kamailio with the files of build/deploy. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../../support/certificates.ts';
import { DnsServer } from '../../support/dns-server.ts';
import { DOMAIN, World, type Person } from '../../support/im-world.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { startFront, type Front } from './front.ts';
import { kamailioMissing } from './kamailio.ts';

const PARTNER = 'partner.example';
const FAR = 'far.example';
/** The address to which the name of that domain leads, and one to which no name does. */
const [FAR_ADDRESS, NOBODYS_ADDRESS] = ['127.0.0.9', '127.0.0.2'];

if (kamailioMissing !== undefined) console.log(`skipped: ${kamailioMissing}`);

describe.skipIf(kamailioMissing !== undefined).each([
  ['both are', true],
  ['one is', false],
])('%s behind Kamailio', (_which, isPartnerBehind) => {
  const authority = new Authority('Both CA');
  let folder: string;
  let dns: DnsServer;
  let here: World;
  let there: World;
  let fronts: Map<World, Front>;

  async function open(domain: string, other: string, user: string, isBehind: boolean): Promise<World> {
    // For the name alone: nobody has a certificate for an address.
    const certificate = authority.issue({ names: [`DNS:${domain}`] });
    const [cert, key, ca] = ['cert', 'key', 'ca'].map((what) => join(folder, `${domain}.${what}`));
    await writeFile(cert ?? '', certificate.cert);
    await writeFile(key ?? '', certificate.key);
    await writeFile(ca ?? '', authority.cert);
    const world = await World.open([user], {
      ...{ domain, tls: { cert: cert ?? '', key: key ?? '', ca: ca ?? '' }, dnsServers: [dns.place] },
      ...{ policy: { domains: [other, FAR] }, trustedFronts: isBehind ? ['127.0.0.1'] : [] },
    });
    if (isBehind) fronts.set(world, await startFront({ domain, certificate, nodes: [world.port] }));
    const port = fronts.get(world)?.tlsPort ?? world.server.tlsPort ?? 0;
    dns.add(`_sips._tcp.${domain}`, 'SRV', { priority: 1, weight: 1, port, target: `sip.${domain}` });
    dns.add(`sip.${domain}`, 'A', '127.0.0.1');
    return world;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'parley-domains-'));
    fronts = new Map();
    dns = await DnsServer.open();
    dns.add(FAR, 'A', FAR_ADDRESS);
    here = await open(DOMAIN, PARTNER, 'bob', true);
    there = await open(PARTNER, DOMAIN, 'ann', isPartnerBehind);
  }, 60_000);
  afterAll(async () => {
    for (const front of fronts.values()) await front[Symbol.asyncDispose]();
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    await dns[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const frontOf = (world: World): number => fronts.get(world)?.port ?? world.port;

  async function signIn(world: World, user: string): Promise<Person> {
    const person = await world.openPerson(user);
    await person.signIn(`sip:127.0.0.1:${frontOf(world)};transport=tcp`);
    return person;
  }

  it('their people talk, whoever begins and whoever ends it; who is away gets it from his own server', async () => {
    const bob = await signIn(here, 'bob');
    const ofBob = await bob.meet(`ann@${PARTNER}`);
    const early = await bob.send(ofBob, 'early');
    await bob.becomes(early, 'waiting');
    const ann = await signIn(there, 'ann');
    const ofAnn = await ann.meet(`bob@${DOMAIN}`);
    expect(await ann.received(ofAnn, 1)).toEqual(['early']);
    for (const [one, ofOne, other, ofOther] of [
      [bob, ofBob, ann, ofAnn],
      [ann, ofAnn, bob, ofBob],
    ] as const) {
      for (const [ender, ofEnder] of [
        [other, ofOther],
        [one, ofOne],
      ] as const) {
        const text = `${one.user} begins, ${ender.user} ends`;
        await one.becomes(await one.send(ofOne, text), 'delivered', 'displayed');
        await other.becomes(await other.send(ofOther, 'yes'), 'delivered', 'displayed');
        expect(await other.texts(ofOther, 'in')).toContain(text);
        const { id } = await ender.session(ofEnder, 'open');
        await ender.commands['session.end']({ sessionId: id });
        await expect.poll(() => [here.server.sessionCount, there.server.sessionCount]).toEqual([0, 0]);
      }
    }
  });

  it('a domain that is not on the list is refused in both directions', async () => {
    const bob = here.own(await RawDevice.open('bob', frontOf(here)));
    expect((await bob.register()).status).toBe(200);
    const outwards = await bob.ask('MESSAGE', {
      ...{ uri: 'sip:ann@other.example', to: '<sip:ann@other.example>', body: 'hello' },
    });
    expect([outwards.status, outwards.header('Warning')]).toEqual([
      403,
      expect.stringContaining('other.example'),
    ]);
    expect(await say('127.0.0.1', 'other.example')).toMatch(/^SIP\/2\.0 403 [^]*other\.example/);
  });

  /** What somebody at `address` hears who says over TLS that he is of `domain`. */
  async function say(address: string, domain: string, header = ''): Promise<string> {
    const socket = connect({
      ...{ port: fronts.get(here)?.tlsPort ?? 0, host: '127.0.0.1', localAddress: address },
      ...{ ca: [authority.cert], servername: DOMAIN },
    });
    socket.write(
      `MESSAGE sip:bob@${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TLS ${address};branch=z9hG4bK${Math.random()};rport\r\n` +
        `From: <sip:eve@${domain}>;tag=1\r\nTo: <sip:bob@${DOMAIN}>\r\nCall-ID: ${Math.random()}\r\nCSeq: 1 MESSAGE\r\n` +
        `${header}Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi`,
    );
    const [answer] = await new Promise<[Buffer]>((done, fail) => {
      socket.once('data', (bytes) => done([bytes]));
      socket.once('error', fail);
    });
    socket.destroy();
    return answer.toString();
  }

  it('whoever says that he is of that domain is believed at its address alone, and nobody names his own address', async () => {
    const refusal = /^SIP\/2\.0 403 [^]*did not come from the server of far\.example over TLS/;
    expect(await say(FAR_ADDRESS, FAR)).toMatch(/^SIP\/2\.0 20[02] /);
    expect(await say(NOBODYS_ADDRESS, FAR)).toMatch(refusal);
    const forged = `X-Client-Address: sip:${FAR_ADDRESS}:5061;transport=tls\r\n`;
    expect(await say(NOBODYS_ADDRESS, FAR, forged)).toMatch(refusal);
    // Without TLS anybody may be at any address.
    await using device = await RawDevice.open('eve', frontOf(here), FAR_ADDRESS);
    const plain = await device.ask('MESSAGE', {
      ...{ uri: `sip:bob@${DOMAIN}`, to: `<sip:bob@${DOMAIN}>`, from: `<sip:eve@${FAR}>;tag=1`, body: 'hi' },
    });
    expect([plain.status, plain.header('Warning')]).toEqual([403, expect.stringContaining('over TLS')]);
  });
});
