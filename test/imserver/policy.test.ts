import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { Authority, hasOpenssl } from '../support/certificates.ts';
import { DnsServer } from '../support/dns-server.ts';
import { DOMAIN, World, type Person } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { SipPeer } from '../support/sip-peer.ts';
import { FACTORY, RoomPeer } from '../support/room-peer.ts';

const PARTNER = 'partner.example';
const STRICT = 'strict.example';
const missing = hasOpenssl() ? undefined : 'openssl is not installed: servers of two domains are not tested';
if (missing !== undefined) console.log(`skipped: ${missing}`);

describe('without a list of domains people of one server talk with each other', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(['bob', 'tom']);
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  const POLICY = /^399 parley-policy "[^"]*partner\.example[^"]*"$/;

  it.each(['INVITE', 'MESSAGE'])('%s to another domain is answered 403 and why', async (method) => {
    const bob = world.own(await RawDevice.join('bob', world.port));
    const answer = await bob.ask(method, {
      uri: `sip:ann@${PARTNER}`,
      to: `<sip:ann@${PARTNER}>`,
      body: method === 'INVITE' ? RoomPeer.offer('msrp://127.0.0.1:9/x;tcp') : 'hello',
    });
    expect([answer.status, answer.header('Warning')]).toEqual([403, expect.stringMatching(POLICY)]);
  });

  it.each(['INVITE', 'MESSAGE'])('%s from another domain is answered 403 and why', async (method) => {
    const ann = world.own(await RawDevice.open('ann', world.port));
    const answer = await ann.ask(method, {
      uri: `sip:tom@${DOMAIN}`,
      from: `<sip:ann@${PARTNER}>;tag=1`,
      to: `<sip:tom@${DOMAIN}>`,
      body: 'hello',
    });
    expect([answer.status, answer.header('Warning')]).toEqual([403, expect.stringMatching(POLICY)]);
  });

  it('an address that would be something else in a header field is nobody’s', async () => {
    const bob = world.own(await RawDevice.join('bob', world.port));
    const odd = `sip:ann%3E%40${PARTNER}%0d@${PARTNER}`;
    const answer = await bob.ask('MESSAGE', { uri: odd, to: `<${odd}>`, body: 'hello' });
    expect([400, 404]).toContain(answer.status);
  });

  it('nobody of another domain comes into a room or sees who is there, and nobody is invited from there', async () => {
    const ann = world.own(await RawDevice.open('ann', world.port));
    const from = `<sip:ann@${PARTNER}>;tag=1`;
    const watch = await ann.ask('SUBSCRIBE', {
      ...{ uri: `sip:tom@${DOMAIN}`, from, to: `<sip:tom@${DOMAIN}>` },
      headers: ['Event: presence'],
    });
    expect([watch.status, watch.header('Warning')]).toEqual([403, expect.stringContaining('parley-policy')]);
    const join = await ann.ask('INVITE', {
      ...{ uri: FACTORY, from, to: `<${FACTORY}>`, body: RoomPeer.offer('msrp://127.0.0.1:9/x;tcp') },
    });
    expect(join.status).toBe(403);
    const bob = world.own(await RawDevice.join('bob', world.port));
    const outward = await bob.ask('SUBSCRIBE', {
      ...{ uri: `sip:ann@${PARTNER}`, to: `<sip:ann@${PARTNER}>` },
      headers: ['Event: presence'],
    });
    expect(outward.status).toBe(403);
  });

  it('the window is told in words of its own: the session is over, the message has failed', async () => {
    const tom = await world.join('tom');
    const ofTom = await tom.open(`ann@${PARTNER}`);
    const failed = await tom.becomes(await tom.send(ofTom, 'hello'), 'failed');
    expect(failed.failure?.code).toBe('other-domain');
  });
});

it('servers of other domains need TLS, and a domain has to be one: said with the path', () => {
  const check =
    (policy: unknown, more = {}) =>
    () =>
      checkServerConfig({ data: '/d', policy, ...more }, 'test');
  expect(check({ domains: [PARTNER] })).toThrow('policy.domains: servers of other domains come over TLS');
  // A proxy in front of the server has it.
  expect(check({ domains: [PARTNER] }, { trustedFronts: ['10.0.0.10'] })).not.toThrow();
  const tls = { tls: { cert: '/c', key: '/k' } };
  expect(check({ domains: ['not a domain'] }, tls)).toThrow('policy.domains.0: a domain name such as');
  expect(check({ domains: ['Partner.Example'] }, tls)().policy.domains).toEqual([PARTNER]);
});

describe.skipIf(missing !== undefined)('two servers that name each other', () => {
  let dns: DnsServer;
  let folder: string;
  let here: World;
  let there: World;
  let authority: Authority;

  beforeAll(async () => {
    dns = await DnsServer.open();
    authority = new Authority('Both CA');
    folder = await mkdtemp(join(tmpdir(), 'parley-policy-'));
    const open = async (domain: string, other: string, users: readonly string[]) => {
      const { cert, key } = authority.issue({ names: [`DNS:${domain}`, 'IP:127.0.0.1'] });
      const tls = {
        cert: join(folder, `${domain}.pem`),
        key: join(folder, `${domain}.key`),
        ca: join(folder, 'ca.pem'),
      };
      await writeFile(tls.cert, cert);
      await writeFile(tls.key, key);
      await writeFile(tls.ca, authority.cert);
      const world = await World.open(users, {
        ...{ domain, tls, dnsServers: [dns.place] },
        policy: { domains: [other, 'far.example', STRICT] },
      });
      dns.add(`_sips._tcp.${domain}`, 'SRV', {
        ...{ priority: 1, weight: 1, port: world.server.tlsPort ?? 0, target: `sip.${domain}` },
      });
      dns.add(`sip.${domain}`, 'A', '127.0.0.1');
      return world;
    };
    here = await open(DOMAIN, PARTNER, ['bob']);
    there = await open(PARTNER, DOMAIN, ['ann']);
    dns.add('far.example', 'A', '127.0.0.9');
  });
  afterAll(async () => {
    await here[Symbol.asyncDispose]();
    await there[Symbol.asyncDispose]();
    await dns[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('their people talk; who is away gets it from his own server; and not when the server is gone', async () => {
    const bob = await here.join('bob');
    const ofBob = await bob.meet(`ann@${PARTNER}`);
    const early = await bob.send(ofBob, 'early');
    await bob.becomes(early, 'waiting');
    const ann: Person = await there.join('ann');
    const ofAnn = await ann.meet(`bob@${DOMAIN}`);
    expect(await ann.received(ofAnn, 1)).toEqual(['early']);
    const sent = await bob.send(ofBob, 'and now');
    await bob.becomes(sent, 'delivered', 'displayed');
    const answer = await ann.send(ofAnn, 'from over there');
    await ann.becomes(answer, 'delivered', 'displayed');
    const { id } = await ann.session(ofAnn, 'open');
    await ann.commands['session.end']({ sessionId: id });
    await expect.poll(() => [here.server.sessionCount, there.server.sessionCount]).toEqual([0, 0]);
    await there.stopServer();
    const device = here.own(await RawDevice.join('bob', here.port));
    const refused = await device.ask('MESSAGE', {
      ...{ uri: `sip:ann@${PARTNER}`, to: `<sip:ann@${PARTNER}>`, body: 'gone?' },
    });
    expect([refused.status, refused.header('Retry-After')]).toEqual([503, '10']);
  });

  describe('what another server refuses', () => {
    const OWN_WORDS = '370 sip.strict.example "Insufficient Bandwidth"';
    let strict: SipPeer;
    let bob: RawDevice;
    beforeAll(async () => {
      strict = await SipPeer.tlsListener(authority.issue({ names: [`DNS:${STRICT}`] }));
      dns.add(`_sips._tcp.${STRICT}`, 'SRV', {
        ...{ priority: 1, weight: 1, port: strict.port, target: `sip.${STRICT}` },
      });
      dns.add(`sip.${STRICT}`, 'A', '127.0.0.1');
      bob = here.own(await RawDevice.join('bob', here.port));
    });
    afterAll(async () => {
      await strict[Symbol.asyncDispose]();
    });

    const refuse = async (method: string, status: number, headers: readonly string[]) => {
      const uri = `sip:ann@${STRICT}`;
      const asked = bob.ask(method, { uri, to: `<${uri}>`, body: 'v=0\r\n' });
      await strict.answer(await strict.request(method), status, { headers });
      const answer = await asked;
      return {
        heard: answer.status,
        warning: answer.header('Warning'),
        challenge: answer.header('WWW-Authenticate') + answer.header('Proxy-Authenticate'),
      };
    };

    describe.each(['INVITE', 'MESSAGE'])('%s', (method) => {
      it.each([403, 488, 606])('%i with a Warning: passed on with it (RFC 3261 §20.43)', async (status) => {
        const answer = await refuse(method, status, [`Warning: ${OWN_WORDS}`]);
        expect([answer.heard, answer.warning]).toEqual([status, OWN_WORDS]);
      });

      it.each([
        [401, `WWW-Authenticate: Digest realm="${STRICT}", nonce="n"`],
        [407, `Proxy-Authenticate: Digest realm="${STRICT}", nonce="n"`],
        [403, 'Server: strict'],
      ])(
        '%i without a word: 403, it does not let us in; nobody is asked for a password',
        async (status, header) => {
          const answer = await refuse(method, status, [header]);
          expect([answer.heard, answer.challenge]).toEqual([403, '']);
          expect(answer.warning).toMatch(/^399 parley-policy "[^"]*does not let us in[^"]*"$/);
        },
      );

      it('any other: passed on as it is', async () => {
        const answer = await refuse(method, 404, []);
        expect([answer.heard, answer.warning]).toEqual([404, '']);
      });
    });
  });

  it('who only says that he is from there, over TLS from elsewhere, is refused', async () => {
    const socket = connect({
      ...{ port: here.server.tlsPort ?? 0, host: '127.0.0.1', ca: [authority.cert], servername: DOMAIN },
    });
    const request =
      `MESSAGE sip:bob@${DOMAIN} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKfar;rport\r\n` +
      `From: <sip:eve@far.example>;tag=1\r\nTo: <sip:bob@${DOMAIN}>\r\nCall-ID: far\r\nCSeq: 1 MESSAGE\r\n` +
      'Max-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi';
    socket.write(request);
    const [answer] = await new Promise<[Buffer]>((done) => socket.once('data', (bytes) => done([bytes])));
    socket.destroy();
    expect(answer.toString()).toMatch(/^SIP\/2\.0 403 /);
    expect(answer.toString()).toContain('did not come from the server of far.example');
  });
});
