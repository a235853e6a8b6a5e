import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { ControlServer } from '../../main/imserver/control-server.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { formatPidf, parsePidf, PIDF_TYPE } from '../../main/sip/pidf.ts';
import type { PresenceShow } from '../../shared/domain/presence.ts';
import { StoreError } from '../../main/store/database.ts';
import { DOMAIN, passwordOf, World } from '../support/im-world.ts';
import { ENGINE_START_MS, Postgres, postgresMissing } from '../support/postgres.ts';
import { answerChallenge, RawDevice } from '../support/raw-device.ts';
import { FACTORY, RoomPeer } from '../support/room-peer.ts';
import { newPeerId } from '../support/sip-peer.ts';

const USERS = ['bob', 'tom', 'eve'];
const aor = (user: string) => `<sip:${user}@${DOMAIN}>`;

async function send(from: RawDevice, body: string, to = 'tom') {
  return from.ask('MESSAGE', { uri: `sip:${to}@${DOMAIN}`, to: aor(to), body });
}

/** What a device is sent, each answered 200. */
async function receive(device: RawDevice, count: number): Promise<string[]> {
  const bodies = [];
  for (let index = 0; index < count; index++) {
    const message = await device.next('MESSAGE');
    bodies.push(message.body);
    await device.peer.answer(message, 200);
  }
  return bodies;
}

describe.skipIf(postgresMissing !== undefined)('two nodes on one PostgreSQL', () => {
  let postgres: Postgres;
  let url: string;
  let one: World;
  let two: World;
  beforeAll(async () => {
    postgres = await Postgres.start();
  }, ENGINE_START_MS);
  afterAll(async () => {
    await postgres[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    url = await postgres.database();
    const options = {
      ...{ storage: { engine: 'postgresql', url }, rooms: { plain: true } },
      ...{ presence: { permission: 'allow' as const }, presenceLimits: { notifyMs: 1 } },
    };
    one = await World.open(USERS, options);
    two = await World.open([], options);
  });
  afterEach(async () => {
    await two[Symbol.asyncDispose]();
    await one[Symbol.asyncDispose]();
  });

  const at = async (node: World, user: string) => node.own(await RawDevice.join(user, node.port));
  const online = (node: World, user: string) =>
    expect.poll(() => node.server.registrar.isOnline(user)).toBe(true);

  it('a message to somebody who is registered at the other node arrives, and so does one that waited', async () => {
    const bob = await at(one, 'bob');
    expect((await send(bob, 'early')).status).toBe(202);
    const tom = await at(two, 'tom');
    expect(await receive(tom, 1)).toEqual(['early']);
    // Until the other node has taken it out of the store, a new one is kept behind it (202).
    await expect.poll(() => one.server.deferredCount()).toBe(0);
    await online(one, 'tom');
    const [answer, bodies] = await Promise.all([send(bob, 'now'), receive(tom, 1)]);
    expect([answer.status, bodies]).toEqual([200, ['now']]);
  });

  it('what waits goes out once and in order, however many nodes hear that he has come', async () => {
    const bob = await at(one, 'bob');
    const texts = Array.from({ length: 30 }, (_, index) => `message ${index}`);
    for (const text of texts) expect((await send(bob, text)).status).toBe(202);
    const tom = await at(two, 'tom');
    expect(await receive(tom, 30)).toEqual(texts);
    await expect.poll(() => one.server.deferredCount()).toBe(0);
    expect(tom.peer.messages.waiting.filter(({ startLine }) => startLine.startsWith('MESSAGE'))).toEqual([]);
  });

  it('a challenge of one node is answered at the other', async () => {
    const request = (cseq: number, headers: readonly string[] = []) => ({
      ...{ uri: `sip:${DOMAIN}`, from: `${aor('tom')};tag=1`, to: aor('tom'), callId, cseq },
      headers: [...headers],
    });
    const callId = newPeerId();
    const first = one.own(await RawDevice.open('tom', one.port));
    const challenge = (await first.transact('REGISTER', request(1))).header('WWW-Authenticate');
    const second = one.own(await RawDevice.open('tom', two.port));
    const value = answerChallenge(challenge, {
      ...{ user: 'tom', password: passwordOf('tom') },
      ...{ method: 'REGISTER', uri: `sip:${DOMAIN}` },
    });
    expect((await second.transact('REGISTER', request(2, [`Authorization: ${value}`]))).status).toBe(200);
  });

  it('who is disabled at one node is signed off at both', async () => {
    await at(two, 'tom');
    await online(one, 'tom');
    await one.server.users.setDisabled('tom', true);
    await expect.poll(() => two.server.registrar.isOnline('tom')).toBe(false);
  });

  it('people in one room hear each other at whichever node they are, in one order', async () => {
    const kitchen = `sip:kitchen@${DOMAIN}`;
    const enter = async (node: World, user: string, uri: string) =>
      node.own(await RoomPeer.join(await at(node, user), uri, { to: `<${kitchen}>` }));
    const bob = await enter(one, 'bob', FACTORY);
    await expect.poll(() => two.server.rooms?.rooms.find('kitchen')).toBeDefined();
    const tom = await enter(two, 'tom', kitchen);
    const eve = await enter(two, 'eve', kitchen);
    const say = async (peer: RoomPeer) => {
      for (let line = 0; line < 20; line++) {
        expect(await peer.send(`${peer.user} ${line}`, { to: kitchen })).toBe('200 OK');
      }
    };
    await Promise.all([say(bob), say(tom)]);
    const all = await eve.texts(40);
    expect(await tom.texts(20)).toEqual(all.filter((text) => text.startsWith('bob')));
    expect(await bob.texts(20)).toEqual(all.filter((text) => text.startsWith('tom')));
    // Who is put out of the room at one node is put out at the other.
    expect((await bob.ask('REFER', { headers: [`Refer-To: <sip:tom@${DOMAIN};method=BYE>`] })).status).toBe(
      202,
    );
    await expect.poll(() => two.server.rooms?.rooms.find('kitchen')?.members.has('tom')).toBe(false);
    await expect.poll(() => two.server.rooms?.rooms.find('kitchen')?.isPresent('tom')).toBe(false);
  });

  const aorOf = (user: string) => ({ uri: `sip:${user}@${DOMAIN}`, to: aor(user) });
  const publish = (device: RawDevice, show: PresenceShow, etag?: string) =>
    device.ask('PUBLISH', {
      ...{ ...aorOf(device.user), contact: null, contentType: PIDF_TYPE },
      body: formatPidf(`sip:${device.user}@${DOMAIN}`, { show, note: '' }),
      headers: ['Event: presence', 'Expires: 600', ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`])],
    });
  const notified = async (device: RawDevice) => {
    const notify = await device.next('NOTIFY');
    await device.peer.answer(notify, 200);
    return notify;
  };

  it('what is published at one node is seen at the other, and goes on there when the first is gone', async () => {
    const tom = await at(one, 'tom');
    const bob = await at(two, 'bob');
    const away = await publish(tom, 'away');
    await online(two, 'tom');
    await expect.poll(() => two.server.presence.publications.count).toBe(1);
    const watch = await bob.ask('SUBSCRIBE', { ...aorOf('tom'), headers: ['Event: presence'] });
    expect(watch.status).toBe(200);
    expect(parsePidf(Buffer.from((await notified(bob)).body)).show).toBe('away');
    const dnd = await publish(tom, 'dnd', away.header('SIP-ETag'));
    expect(dnd.status).toBe(200);
    expect(parsePidf(Buffer.from((await notified(bob)).body)).show).toBe('dnd');
    await one.stopServer();
    const elsewhere = two.own(await RawDevice.open('tom', two.port));
    const refreshed = await publish(elsewhere, 'dnd', dnd.header('SIP-ETag'));
    expect(refreshed.status).toBe(200);
  });

  it('a node that is gone has its subscriptions ended by the other, so that its watchers come again', async () => {
    const tom = await at(one, 'tom');
    const bob = await at(one, 'bob');
    await publish(tom, 'away');
    const watch = await bob.ask('SUBSCRIBE', { ...aorOf('tom'), headers: ['Event: presence'] });
    await notified(bob);
    await one.stopServer();
    const last = await notified(bob);
    expect(last.header('Subscription-State')).toBe('terminated;reason=deactivated');
    expect([last.header('Call-ID'), last.tag('From')]).toEqual([watch.header('Call-ID'), watch.tag('To')]);
  });

  it('PostgreSQL is gone: calls go on, what has to be kept is refused with 503 and kept when it is back', async () => {
    const bob = await at(one, 'bob');
    const tom = await at(two, 'tom');
    await online(one, 'tom');
    await using control = await ControlServer.open({
      ...{ server: one.server, data: join(one.folder, 'imserver'), log: silentLog },
      metrics: { host: '127.0.0.1', port: 0 },
      reload: () => Promise.resolve({ applied: [], needsRestart: [] }),
    });
    const health = () =>
      Promise.all(
        ['healthz', 'readyz'].map(async (path) => (await fetch(`${control.metricsUrl}/${path}`)).status),
      );
    expect(await health()).toEqual([200, 200]);
    await postgres.cut();
    // A restart of the node would not help.
    expect(await health()).toEqual([200, 503]);
    const refused = await send(bob, 'during', 'eve');
    expect([refused.status, refused.header('Retry-After')]).toEqual([503, '10']);
    await expect(one.server.deferredCount()).rejects.toThrow(/PostgreSQL/);
    const ringing = bob.ask('INVITE', {
      uri: `sip:tom@${DOMAIN}`,
      to: aor('tom'),
      body: RoomPeer.offer('msrp://127.0.0.1:9/x;tcp'),
    });
    await tom.peer.answer(await tom.next('INVITE'), 486);
    expect((await ringing).status).toBe(486);
    await postgres.resume();
    await expect.poll(async () => (await send(bob, 'after', 'eve')).status, { timeout: 10_000 }).toBe(202);
    await expect.poll(health).toEqual([200, 200]);
    // News come again as well.
    const eve = await at(two, 'eve');
    expect(await receive(eve, 1)).toEqual(['after']);
    await online(one, 'eve');
  });

  it('a database of a newer server, or of another domain, is refused and not touched', async () => {
    const start = (domain: string) =>
      ImServer.start({
        config: checkServerConfig(
          { domain, data: one.folder, storage: { engine: 'postgresql', url } },
          'test',
        ),
        log: silentLog,
      });
    await expect(start('other.example')).rejects.toThrow(/belongs to the domain chat.home.arpa/);
    await postgres.ask(url, 'UPDATE schema_version SET version = 1000');
    await expect(start(DOMAIN)).rejects.toThrow(/newer IM Server \(schema 1000/);
    expect(await postgres.ask(url, 'SELECT version FROM schema_version')).toEqual([{ version: 1000 }]);
  });

  it('no password of the database is in an error', async () => {
    const wrong = url.replace(/:[^:@]+@/, ':very-secret@').replace(/\/[^/]+$/, '/nowhere');
    const config = checkServerConfig(
      { data: one.folder, storage: { engine: 'postgresql', url: wrong } },
      'test',
    );
    const error = await ImServer.start({ config, log: silentLog }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect(String(error)).toMatch(/Check storage\.url/);
    expect(String(error)).not.toContain('very-secret');
  });
});
