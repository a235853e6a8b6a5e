import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DOMAIN, passwordOf, World, type ServerOptions } from '../support/im-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { ENGINES, ENGINE_START_MS } from '../support/postgres.ts';
import { answerChallenge, RawDevice } from '../support/raw-device.ts';
import { newPeerId, type PeerMessage } from '../support/sip-peer.ts';

let world: World;
let clock: ManualClock;
async function open(storage: ServerOptions['storage']): Promise<void> {
  clock = new ManualClock();
  world = await World.open(['tom', 'bob'], { clock, storage });
}
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const devices = (user = 'tom') => world.server.registrar.devicesOf(user).map(({ contact }) => contact);
const contactsOf = (answer: PeerMessage) => answer.headers('Contact').join(', ');

describe.each(ENGINES)('registrations on $name', ({ start, storage, stop }) => {
  beforeEach(async () => open(await storage()));
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);

  it('of several devices, all told to each (RFC 3261 §10.3)', async () => {
    await using one = await RawDevice.join('tom', world.port);
    await using two = await RawDevice.open('tom', world.port);
    const answer = await two.register({ expires: 300 });
    expect(answer.status).toBe(200);
    expect(contactsOf(answer)).toContain(`:${one.peer.port}>;expires=600`);
    expect(contactsOf(answer)).toContain(`:${two.peer.port}>;expires=300`);
    expect(devices()).toHaveLength(2);
    expect(contactsOf(await one.register({ contact: null }))).toBe(contactsOf(answer));
  });

  it('of many devices at the same moment: none is forgotten', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => RawDevice.open('tom', world.port)));
    const answers = await Promise.all(all.map((device) => device.register()));
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
    expect(devices().sort()).toEqual(all.map((device) => device.contact.slice(1, -1)).sort());
    await Promise.all(all.map((device) => device[Symbol.asyncDispose]()));
  });

  it('up to the limit, and not one more (403)', async () => {
    await world.stopServer();
    await world.startServer({ clock, limits: { maxContactsPerUser: 2 } });
    await using device = await RawDevice.open('tom', world.port);
    const statuses = [];
    for (const port of [1001, 1002, 1003]) {
      statuses.push((await device.register({ contact: `<sip:tom@127.0.0.1:${port}>` })).status);
    }
    expect(statuses).toEqual([200, 200, 403]);
    expect(devices()).toEqual(['sip:tom@127.0.0.1:1001', 'sip:tom@127.0.0.1:1002']);
  });

  it('two flows of one instance are one device: tried one after the other (RFC 5626 §5.3)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    await using other = await RawDevice.join('tom', world.port);
    const flow = (regId: number) => `${device.contact};+sip.instance="<urn:uuid:1>";reg-id=${regId}`;
    await device.register({ contact: flow(1) });
    await device.register({ contact: flow(2) });
    await device.register({ contact: flow(2) });
    expect(devices()).toHaveLength(3);
    const ways = world.server.registrar.waysTo('tom');
    expect(ways.map((one) => one.map(({ instance }) => instance))).toEqual([
      [''],
      ['<urn:uuid:1> 2', '<urn:uuid:1> 1'],
    ]);
    expect(ways[0]?.[0]?.contact).toBe(other.contact.slice(1, -1));
  });

  it('end with their time', async () => {
    await using device = await RawDevice.open('tom', world.port);
    await device.register({ expires: 60 });
    clock.advance(59_999);
    expect(devices()).toHaveLength(1);
    clock.advance(1);
    expect(devices()).toEqual([]);
  });

  it('that are too short are refused with what is possible (423, RFC 3261 §10.3 step 7)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const answer = await device.register({ expires: 29 });
    expect([answer.status, answer.header('Min-Expires')]).toEqual([423, '30']);
    expect((await device.register({ expires: 30 })).status).toBe(200);
    const long = await device.register({ expires: 100_000 });
    expect(contactsOf(long)).toContain('expires=3600');
  });

  it('are taken back one by one, or all with * (RFC 3261 §10.2.2)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    for (const port of [1001, 1002, 1003]) await device.register({ contact: `<sip:tom@127.0.0.1:${port}>` });
    expect((await device.register({ contact: '<sip:tom@127.0.0.1:1002>', expires: 0 })).status).toBe(200);
    expect(devices()).toEqual(['sip:tom@127.0.0.1:1001', 'sip:tom@127.0.0.1:1003']);
    expect((await device.register({ contact: '*', expires: 60 })).status).toBe(400);
    const answer = await device.register({ contact: '*', expires: 0 });
    expect([answer.status, contactsOf(answer), devices()]).toEqual([200, '', []]);
  });

  it('are still there after a restart, the expired ones are not', async () => {
    await using device = await RawDevice.open('tom', world.port);
    await device.register({ contact: '<sip:tom@127.0.0.1:1001>', expires: 60 });
    await device.register({ contact: '<sip:tom@127.0.0.1:1002>', expires: 600 });
    await world.stopServer();
    clock.advance(60_000);
    await world.startServer({ clock });
    expect(devices()).toEqual(['sip:tom@127.0.0.1:1002']);
  });

  it('that are older than what is known do not count (RFC 3261 §10.3 step 7: Call-ID and CSeq)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const callId = newPeerId();
    expect((await device.register({ callId, cseq: 7 })).status).toBe(200);
    expect((await device.register({ callId, cseq: 5, expires: 0 })).status).toBe(500);
    expect(devices()).toHaveLength(1);
  });

  it.each(['<tel:+491234>', '<http://127.0.0.1/>', 'nonsense <', '<sip:tom@127.0.0.1>;expires=soon'])(
    'of what is no way to a device are refused: %s',
    async (contact) => {
      await using device = await RawDevice.open('tom', world.port);
      expect((await device.register({ contact })).status).toBe(400);
      expect(devices()).toEqual([]);
    },
  );
});

describe('credentials', () => {
  beforeEach(() => open(undefined));

  const register = (device: RawDevice, callId: string, cseq: number, authorization?: string) =>
    device.transact('REGISTER', {
      uri: `sip:${DOMAIN}`,
      from: `<sip:tom@${DOMAIN}>;tag=1`,
      to: `<sip:tom@${DOMAIN}>`,
      contact: device.contact,
      callId,
      cseq,
      ...(authorization === undefined ? {} : { headers: [`Authorization: ${authorization}`] }),
    });
  const answer = (challenge: string, nc = 1, password = passwordOf('tom')) =>
    answerChallenge(challenge, { user: 'tom', password, method: 'REGISTER', uri: `sip:${DOMAIN}`, nc });

  it.each(['SHA-256', 'MD5'] as const)('%s is understood (RFC 8760)', async (algorithm) => {
    await using device = await RawDevice.open('tom', world.port);
    expect((await device.register({ algorithm })).status).toBe(200);
  });

  it('each algorithm has a challenge of its own, the better one first (RFC 8760 §2.4)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const challenges = (await register(device, newPeerId(), 1)).headers('WWW-Authenticate');
    expect(challenges.map((line) => /algorithm=([\w-]+)/.exec(line)?.[1])).toEqual(['SHA-256', 'MD5']);
  });

  it('a nonce is good for growing counters, and a repeated one is stale (RFC 7616 §3.3)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const callId = newPeerId();
    const challenge = (await register(device, callId, 1)).header('WWW-Authenticate');
    expect((await register(device, callId, 2, answer(challenge, 1))).status).toBe(200);
    const replay = await register(device, callId, 3, answer(challenge, 1));
    expect([replay.status, replay.header('WWW-Authenticate')]).toEqual([
      401,
      expect.stringContaining('stale=true'),
    ]);
    expect((await register(device, callId, 4, answer(challenge, 2))).status).toBe(200);
  });

  it('counts that come in another order than they left are new, up to a point (RFC 7616 §3.3)', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const challenge = (await register(device, newPeerId(), 1)).header('WWW-Authenticate');
    const statuses = [];
    for (const nc of [3, 1, 2, 100, 37, 36, 2, 100]) {
      statuses.push((await register(device, newPeerId(), 2, answer(challenge, nc))).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 401, 401, 401]);
  });

  it('a nonce that is too old is stale, not wrong; a wrong answer to it is wrong', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const callId = newPeerId();
    const challenge = (await register(device, callId, 1)).header('WWW-Authenticate');
    clock.advance(5 * 60_000 + 1);
    const late = await register(device, callId, 2, answer(challenge));
    expect(late.header('WWW-Authenticate')).toContain('stale=true');
    const wrong = await register(device, callId, 3, answer(challenge, 1, 'wrong'));
    expect(wrong.header('WWW-Authenticate')).not.toContain('stale');
  });

  it('a nonce that somebody else has made is not accepted', async () => {
    await using device = await RawDevice.open('tom', world.port);
    const callId = newPeerId();
    const challenge = (await register(device, callId, 1)).header('WWW-Authenticate');
    const forged = challenge.replace(/nonce="[^"]*"/, `nonce="${clock.now().toString(36)}.abc.def"`);
    expect((await register(device, callId, 2, answer(forged))).status).toBe(401);
    expect(devices()).toEqual([]);
  });

  it.each([
    ['Basic dG9tOnNlY3JldA=='],
    ['Digest username="tom"'],
    ['Digest '],
    [
      'Digest username="tom", realm="chat.home.arpa", nonce="", uri="", response="", qop=auth, algorithm=SHA-512-256',
    ],
    ['\u00ff\u0001,,,==='],
  ])('credentials that say nothing are none: %s', async (authorization) => {
    await using device = await RawDevice.open('tom', world.port);
    expect((await register(device, newPeerId(), 1, authorization)).status).toBe(401);
  });

  it('a user who is added, changed or removed in the file while the server runs', async () => {
    const { users } = world.server;
    const path = join(world.folder, 'imserver', 'users.json');
    await using anna = await RawDevice.open('anna', world.port);
    expect((await anna.register()).status).toBe(401);
    const file = JSON.parse(await readFile(path, 'utf8')) as { users: Record<string, unknown> };
    await users.add('anna', passwordOf('anna'));
    expect((await anna.register()).status).toBe(200);
    await users.add('anna', 'changed');
    expect((await anna.register()).status).toBe(401);
    expect((await anna.register({ password: 'changed' })).status).toBe(200);
    await writeFile(path, JSON.stringify(file));
    expect((await anna.register({ password: 'changed' })).status).toBe(401);
  });

  it('a user file that is damaged while the server runs refuses nobody for good (500), and heals', async () => {
    const path = join(world.folder, 'imserver', 'users.json');
    const before = await readFile(path, 'utf8');
    await using device = await RawDevice.open('tom', world.port);
    await writeFile(path, before.slice(0, 40));
    expect((await device.register()).status).toBe(500);
    await writeFile(path, before);
    expect((await device.register()).status).toBe(200);
  });
});
