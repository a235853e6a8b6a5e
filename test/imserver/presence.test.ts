import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatContactRules, rulesTag, type ContactRule } from '../../main/sip/contact-rules.ts';
import { formatPidf, parsePidf } from '../../main/sip/pidf.ts';
import { parseRegInfo } from '../../main/sip/device-list.ts';
import { parseWatcherInfo } from '../../main/sip/watcher-info.ts';
import type { PresenceState } from '../../shared/domain/presence.ts';
import { DOMAIN, World } from '../support/im-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RawDevice } from '../support/raw-device.ts';
import type { PeerMessage, RequestFields } from '../support/sip-peer.ts';

const TOM = `sip:tom@${DOMAIN}`;
let world: World;
let clock: ManualClock;
let tom: RawDevice;
let bob: RawDevice;

beforeEach(async () => {
  clock = new ManualClock();
  world = await World.open(['tom', 'bob', 'eve'], { clock });
  tom = world.own(await RawDevice.join('tom', world.port));
  bob = world.own(await RawDevice.join('bob', world.port));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

interface PublishFields {
  readonly etag?: string;
  readonly expires?: number;
  readonly state?: Partial<PresenceState>;
  readonly more?: RequestFields;
}

/** The device publishes what `state` says; without it nothing but its headers. */
function publish(device: RawDevice, { etag, expires = 600, state, more }: PublishFields = {}) {
  const uri = `sip:${device.user}@${DOMAIN}`;
  return device.ask('PUBLISH', {
    uri,
    to: `<${uri}>`,
    contact: null,
    ...(state === undefined
      ? {}
      : {
          body: formatPidf(uri, { show: 'available', note: '', ...state }),
          contentType: 'application/pidf+xml',
        }),
    ...more,
    headers: [
      'Event: presence',
      `Expires: ${expires}`,
      ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`]),
      ...(more?.headers ?? []),
    ],
  });
}

/** Subscribes; returns the answer and the first NOTIFY, which is answered. */
async function watch(device: RawDevice, uri = TOM, event = 'presence', expires = 600) {
  const answer = await device.ask('SUBSCRIBE', {
    uri,
    to: `<${uri}>`,
    headers: [`Event: ${event}`, `Expires: ${expires}`],
  });
  if (answer.status !== 200) return { answer, first: undefined };
  return { answer, first: await notified(device) };
}

async function notified(device: RawDevice): Promise<PeerMessage> {
  const notify = await device.next('NOTIFY');
  await device.peer.answer(notify, 200);
  return notify;
}

const seen = (notify: PeerMessage | undefined) =>
  notify === undefined || notify.body === '' ? undefined : parsePidf(Buffer.from(notify.body));
const stateOf = (notify: PeerMessage | undefined) =>
  notify?.header('Subscription-State').replace(/;expires=\d+/, '');

/** The device's user decides about others. */
function decide(device: RawDevice, rules: Readonly<Record<string, Partial<ContactRule>>>, etag?: string) {
  const uri = `sip:${device.user}@${DOMAIN}`;
  const all = Object.entries(rules).map(
    ([user, rule]) => [`${user}@${DOMAIN}`, { presence: 'ask', blocked: false, ...rule }] as const,
  );
  return device.ask('PUBLISH', {
    uri,
    to: `<${uri}>`,
    contact: null,
    headers: ['Event: contact-rules', ...(etag === undefined ? [] : [`SIP-If-Match: ${etag}`])],
    body: formatContactRules(new Map(all)),
    contentType: 'application/auth-policy+xml',
  });
}

describe('PUBLISH (RFC 3903 §6)', () => {
  it('a first one gets a tag and a lifetime; refresh, change and end need the newest tag', async () => {
    const first = await publish(tom, { state: { show: 'away' } });
    expect([first.status, first.header('Expires')]).toEqual([200, '600']);
    const refresh = await publish(tom, { etag: first.header('SIP-ETag'), expires: 3_600 });
    expect([refresh.status, refresh.header('Expires')]).toEqual([200, '3600']);
    expect(refresh.header('SIP-ETag')).not.toBe(first.header('SIP-ETag'));
    expect((await publish(tom, { etag: first.header('SIP-ETag') })).status).toBe(412);
    expect(world.server.presence.presence.stateOf('tom').show).toBe('away');
    const change = await publish(tom, {
      etag: refresh.header('SIP-ETag'),
      state: { show: 'dnd', note: 'hm' },
    });
    expect(world.server.presence.presence.stateOf('tom')).toEqual({ show: 'dnd', note: 'hm' });
    const end = await publish(tom, { etag: change.header('SIP-ETag'), expires: 0 });
    expect([end.status, end.header('Expires')]).toEqual([200, '0']);
    expect(world.server.presence.presence.stateOf('tom').show).toBe('offline');
    expect((await publish(tom, { etag: change.header('SIP-ETag'), expires: 0 })).status).toBe(412);
  });

  it('ends with its time', async () => {
    await publish(tom, { state: {}, expires: 60 });
    clock.advance(59_999);
    expect(world.server.presence.publications.count).toBe(1);
    clock.advance(1);
    expect(world.server.presence.publications.count).toBe(0);
  });

  it.each<[string, PublishFields, number]>([
    ['too short a life: 423', { state: {}, expires: 59 }, 423],
    ['no body and no condition: 400', {}, 400],
    ['two conditions: 400', { etag: 'a', more: { headers: ['SIP-If-Match: b'] } }, 400],
    ['another type: 415', { more: { body: 'x', contentType: 'text/plain' } }, 415],
    ['a body that is none: 400', { more: { body: '<x/>', contentType: 'application/pidf+xml' } }, 400],
    ['for somebody else: 403', { state: {}, more: { uri: `sip:bob@${DOMAIN}` } }, 403],
    ['for another domain: 403', { state: {}, more: { uri: 'sip:tom@example.org' } }, 403],
  ])('%s', async (_what, fields, status) => {
    const answer = await publish(tom, fields);
    expect(answer.status).toBe(status);
    if (status === 423) expect(answer.header('Min-Expires')).toBe('60');
    if (status === 415) expect(answer.header('Accept')).toBe('application/pidf+xml');
    expect(world.server.presence.publications.count).toBe(0);
  });

  it('of an unknown event is 489 with those that there are', async () => {
    const answer = await tom.ask('PUBLISH', {
      uri: TOM,
      to: `<${TOM}>`,
      headers: ['Event: dialog'],
      body: 'x',
    });
    expect([answer.status, answer.header('Allow-Events')]).toEqual([489, 'presence, contact-rules']);
  });

  it('as many as the limit says for one user, and not one more', async () => {
    await world.stopServer();
    await world.startServer({ clock, presenceLimits: { maxPublicationsPerUser: 2 } });
    const others = await Promise.all([1, 2].map(() => RawDevice.open('tom', world.port)));
    const statuses = [];
    for (const device of [tom, ...others]) statuses.push((await publish(device, { state: {} })).status);
    expect(statuses).toEqual([200, 200, 503]);
    await Promise.all(others.map((device) => device[Symbol.asyncDispose]()));
  });

  it('as many as the limit says for all, and not one more', async () => {
    await world.stopServer();
    await world.startServer({ clock, presenceLimits: { maxPublications: 1 } });
    expect((await publish(tom, { state: {} })).status).toBe(200);
    expect((await publish(bob, { state: {} })).status).toBe(503);
  });
});

describe('who is allowed', () => {
  beforeEach(async () => {
    expect((await decide(tom, { bob: { presence: 'allow' } })).status).toBe(200);
  });

  it('is told at once and with each change; the document is what RFC 3863 says', async () => {
    await publish(tom, { state: { show: 'away', note: 'lunch' } });
    const { first } = await watch(bob);
    expect([stateOf(first), first?.header('Content-Type')]).toEqual(['active', 'application/pidf+xml']);
    expect(seen(first)).toEqual({ show: 'away', note: 'lunch' });
    expect(first?.body).toContain(`entity="${TOM}"`);
    clock.advance(5_000);
    await publish(tom, { state: { show: 'dnd' } });
    expect(seen(await notified(bob))).toEqual({ show: 'dnd', note: '' });
  });

  it('is not told what is the same as before', async () => {
    await publish(tom, { state: {} });
    await watch(bob);
    clock.advance(5_000);
    await publish(tom, { state: {} });
    clock.advance(5_000);
    await publish(tom, { state: { show: 'away' } });
    await notified(bob);
    clock.advance(5_000);
    await publish(tom, { state: { show: 'away' } });
    await bob.peer.fence(world.port);
    const told = bob.peer.log.filter(({ startLine }) => startLine.startsWith('NOTIFY'));
    // One may have come twice: the machine was slow.
    expect(new Set(told.map((notify) => notify.header('CSeq'))).size).toBe(2);
  });

  it('sees offline when nobody is signed in, and as soon as that is so', async () => {
    await publish(tom, { state: {} });
    await watch(bob);
    clock.advance(5_000);
    await tom.register({ expires: 0 });
    expect(seen(await notified(bob))?.show).toBe('offline');
    expect(seen((await watch(bob)).first)?.show).toBe('offline');
  });

  it('sees offline when the registration of one who has vanished has ended', async () => {
    await tom.register({ expires: 60 });
    await publish(tom, { state: {}, expires: 3_600 });
    await watch(bob);
    clock.advance(60_000 + 5_000);
    expect(seen(await notified(bob))?.show).toBe('offline');
    expect(world.server.presence.publications.count).toBe(0);
  });

  it('sees several devices as one: not to be disturbed, then there, then away; the newest note', async () => {
    const desk = world.own(await RawDevice.join('tom', world.port));
    const at = () => world.server.presence.presence.stateOf('tom');
    await publish(tom, { state: { show: 'away', note: 'on the train' } });
    expect(at()).toEqual({ show: 'away', note: 'on the train' });
    await publish(desk, { state: { show: 'available' } });
    expect(at()).toEqual({ show: 'available', note: 'on the train' });
    const phone = world.own(await RawDevice.join('tom', world.port));
    await publish(phone, { state: { show: 'dnd', note: 'writing' } });
    expect(at()).toEqual({ show: 'dnd', note: 'writing' });
    // Invisible on one device says nothing about the others.
    await publish(phone, { state: { show: 'offline', note: 'gone' } });
    expect(at()).toEqual({ show: 'available', note: 'on the train' });
    await desk.register({ expires: 0 });
    expect(at().show).toBe('away');
  });

  it('may fetch', async () => {
    await publish(tom, { state: {} });
    const { first } = await watch(bob, TOM, 'presence', 0);
    expect([stateOf(first), seen(first)?.show]).toEqual(['terminated;reason=timeout', 'available']);
  });

  it('loses what he sees when that is taken back: he waits like one who has never been answered', async () => {
    await publish(tom, { state: {} });
    await watch(bob);
    await decide(tom, { bob: { presence: 'block' } });
    const taken = await notified(bob);
    expect([stateOf(taken), taken.body]).toEqual(['pending', '']);
    expect(stateOf((await watch(bob)).first)).toBe('pending');
  });

  it('and then blocked sees somebody who is offline', async () => {
    await publish(tom, { state: { note: 'secret' } });
    await watch(bob);
    await decide(tom, { bob: { presence: 'allow', blocked: true } });
    clock.advance(5_000);
    const blocked = await notified(bob);
    expect([stateOf(blocked), seen(blocked)]).toEqual(['active', { show: 'offline', note: '' }]);
    expect(seen((await watch(bob)).first)).toEqual({ show: 'offline', note: '' });
  });
});

describe('who is not', () => {
  it('waits, sees nothing, and is in the list of the one whom he asks (RFC 3857)', async () => {
    await publish(tom, { state: { note: 'secret' } });
    const list = await watch(tom, TOM, 'presence.winfo');
    expect(parseWatcherInfo(Buffer.from(list.first?.body ?? ''))).toEqual([]);
    const { first } = await watch(bob);
    expect([stateOf(first), first?.body]).toEqual(['pending', '']);
    clock.advance(2_000);
    const asked = parseWatcherInfo(Buffer.from((await notified(tom)).body));
    expect(asked).toEqual([{ address: `bob@${DOMAIN}`, status: 'pending' }]);
  });

  it('gets it when he is answered; the question is gone', async () => {
    await publish(tom, { state: { note: 'hello' } });
    await watch(bob);
    await decide(tom, { bob: { presence: 'allow' } });
    expect(seen(await notified(bob))?.note).toBe('hello');
    const { first } = await watch(tom, TOM, 'presence.winfo');
    expect(parseWatcherInfo(Buffer.from(first?.body ?? ''))).toEqual([
      { address: `bob@${DOMAIN}`, status: 'active' },
    ]);
  });

  it('is still in the list after a restart of the server, and while he is away', async () => {
    await watch(bob);
    await bob.register({ expires: 0 });
    await world.stopServer();
    clock.advance(29 * 24 * 3_600_000);
    await world.startServer({ clock });
    await tom.register();
    const waiting = async () => {
      const { first } = await watch(tom, TOM, 'presence.winfo', 0);
      return parseWatcherInfo(Buffer.from(first?.body ?? '')).map(({ address }) => address);
    };
    expect(await waiting()).toEqual([`bob@${DOMAIN}`]);
    clock.advance(24 * 3_600_000);
    await tom.register();
    expect(await waiting()).toEqual([]);
  });

  it('and is answered no goes on waiting, and does not ask again', async () => {
    await decide(tom, { bob: { presence: 'block' }, eve: { blocked: true } });
    expect(stateOf((await watch(bob)).first)).toBe('pending');
    const eve = world.own(await RawDevice.join('eve', world.port));
    expect(stateOf((await watch(eve)).first)).toBe('pending');
    const { first } = await watch(tom, TOM, 'presence.winfo');
    expect(parseWatcherInfo(Buffer.from(first?.body ?? ''))).toEqual([]);
  });

  it('of a user that there is not hears 404, of somebody of another domain 403', async () => {
    expect((await watch(bob, `sip:nobody@${DOMAIN}`)).answer.status).toBe(404);
    expect((await watch(bob, 'sip:tom@example.org')).answer.status).toBe(403);
  });

  it('asks so many as the limit says; the next one waits without being told of', async () => {
    await world.stopServer();
    await world.startServer({ clock, presenceLimits: { maxAsksByWatcher: 1 } });
    await watch(bob);
    await watch(bob, `sip:eve@${DOMAIN}`);
    expect(world.server.presence.presence.watchersOf('tom').pending).toEqual([`bob@${DOMAIN}`]);
    expect(world.server.presence.presence.watchersOf('eve').pending).toEqual([]);
    await decide(tom, { bob: { presence: 'allow' } });
    await watch(bob, `sip:eve@${DOMAIN}`);
    expect(world.server.presence.presence.watchersOf('eve').pending).toEqual([`bob@${DOMAIN}`]);
  });

  it('of whom so many have asked as the limit says: the oldest question is forgotten', async () => {
    await world.stopServer();
    await world.startServer({ clock, presenceLimits: { maxAsks: 1 } });
    await watch(bob);
    const eve = world.own(await RawDevice.join('eve', world.port));
    await watch(eve);
    expect(world.server.presence.presence.watchersOf('tom').pending).toEqual([`eve@${DOMAIN}`]);
  });

  it('where the server allows it to everybody sees everybody who has not said otherwise', async () => {
    await world.stopServer();
    await world.startServer({ clock, presence: { permission: 'allow' } });
    await tom.register();
    await publish(tom, { state: {} });
    expect(seen((await watch(bob)).first)?.show).toBe('available');
    const eve = world.own(await RawDevice.join('eve', world.port));
    await decide(tom, { bob: { presence: 'block' }, eve: { blocked: true } });
    expect(stateOf((await watch(bob)).first)).toBe('pending');
    expect(seen((await watch(eve)).first)?.show).toBe('offline');
  });
});

describe('rules', () => {
  const rulesOf = async (device: RawDevice) => {
    const { first } = await watch(device, `sip:${device.user}@${DOMAIN}`, 'contact-rules');
    return first?.body ?? '';
  };

  it('are read by SUBSCRIBE, told to the other devices, and kept over a restart', async () => {
    const empty = await rulesOf(tom);
    const answer = await decide(tom, { bob: { presence: 'allow' } }, rulesTag(empty));
    clock.advance(2_000);
    const told = (await notified(tom)).body;
    expect([answer.status, answer.header('SIP-ETag')]).toEqual([200, rulesTag(told)]);
    await world.stopServer();
    await world.startServer({ clock });
    await tom.register();
    expect(await rulesOf(tom)).toBe(told);
  });

  it('are not overwritten by a device that has read older ones (412)', async () => {
    const old = rulesTag(await rulesOf(tom));
    expect((await decide(tom, { bob: { blocked: true } }, old)).status).toBe(200);
    expect((await decide(tom, { eve: { blocked: true } }, old)).status).toBe(412);
    expect(world.server.presence.rules.isBlocked('tom', `bob@${DOMAIN}`)).toBe(true);
    expect(world.server.presence.rules.isBlocked('tom', `eve@${DOMAIN}`)).toBe(false);
  });

  it.each(['contact-rules', 'presence.winfo', 'reg'])(
    '%s of somebody else is nobody’s business',
    async (event) => {
      expect((await watch(bob, TOM, event)).answer.status).toBe(403);
    },
  );
});

describe('the devices of a user (RFC 3680)', () => {
  const read = (notify: PeerMessage | undefined) => parseRegInfo(Buffer.from(notify?.body ?? ''));

  it('are listed for himself, with what they call themselves, as they come and go', async () => {
    const { first } = await watch(tom, TOM, 'reg');
    expect(read(first)).toEqual([
      { contact: tom.contact.slice(1, -1), instance: '', name: '', expiresS: 600 },
    ]);
    const desk = world.own(await RawDevice.open('tom', world.port));
    clock.advance(2_000);
    const named = `${desk.contact};+sip.instance="<urn:uuid:7>";reg-id=1;+sip.description="<Desk\t 1>"`;
    await desk.register({ contact: named });
    const both = read(await notified(tom));
    expect(both.map(({ instance, name }) => [instance, name])).toEqual([
      ['', ''],
      ['urn:uuid:7', 'Desk 1'],
    ]);
    clock.advance(2_000);
    await desk.register({ contact: named, expires: 0 });
    expect(read(await notified(tom))).toHaveLength(1);
  });

  it('that vanish are gone from the list when their time is over', async () => {
    const desk = world.own(await RawDevice.open('tom', world.port));
    await desk.register({ expires: 60 });
    await watch(tom, TOM, 'reg');
    clock.advance(62_000);
    expect(read(await notified(tom))).toHaveLength(1);
  });

  it('what a device has subscribed to ends with it', async () => {
    await watch(bob);
    expect(world.server.presence.notifier.count).toBe(1);
    await bob.register({ expires: 0 });
    expect(world.server.presence.notifier.count).toBe(0);
  });
});
