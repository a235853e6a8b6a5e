import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { DOMAIN, World, type ServerOptions } from '../../support/im-world.ts';
import { MsrpPeer, requestText } from '../../support/msrp-peer.ts';
import { ENGINES, ENGINE_START_MS } from '../../support/postgres.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { FACTORY, RoomPeer } from '../../support/room-peer.ts';
import { newPeerId, type PeerMessage } from '../../support/sip-peer.ts';

describe.each(ENGINES)('on $name', ({ start, storage, stop }) => {
  beforeAll(start, ENGINE_START_MS);
  afterAll(stop);
  let world: World;
  const KITCHEN = `sip:kitchen@${DOMAIN}`;
  const uriOf = (user: string) => `sip:${user}@${DOMAIN}`;
  const OPTIONS: ServerOptions = { rooms: { plain: true }, roomLimits: { byeMs: 200, farewellMs: 500 } };
  const device = async (user: string) => world.own(await RawDevice.join(user, world.port));
  const rooms = () => {
    const found = world.server.rooms;
    if (found === undefined) throw new Error('no rooms');
    return found;
  };

  async function open(options: ServerOptions = {}): Promise<void> {
    const roomLimits = { ...OPTIONS.roomLimits, ...options.roomLimits };
    world = await World.open(['bob', 'tom', 'eve', 'ann'], {
      ...OPTIONS,
      ...options,
      storage: await storage(),
      roomLimits,
      rooms: { ...OPTIONS.rooms, ...options.rooms },
    });
  }
  beforeEach(() => open());
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  async function join(user: string, from?: RawDevice): Promise<RoomPeer> {
    const uri = rooms().rooms.find('kitchen') === undefined ? FACTORY : KITCHEN;
    return world.own(await RoomPeer.join(from ?? (await device(user)), uri, { to: `<${KITCHEN}>` }));
  }

  /** A room by invitation, with Bob in it, who has invited these. */
  async function adHoc(...invited: readonly string[]): Promise<RoomPeer> {
    const bob = world.own(await RoomPeer.join(await device('bob'), FACTORY, { headers: ['Subject: Trip'] }));
    for (const user of invited) expect((await bob.refer(uriOf(user))).status).toBe(202);
    return bob;
  }

  /** Waits until the server knows of so many devices in its rooms. */
  async function untilThere(count: number): Promise<void> {
    while (rooms().participantCount !== count) await new Promise((done) => setImmediate(done));
  }

  describe('those who were away', () => {
    it('get what was said meanwhile, in its order, with its ids and times, once', async () => {
      const bob = await join('bob');
      const tomsDevice = await device('tom');
      const tom = await join('tom', tomsDevice);
      await bob.send('before', { id: 'id-before' });
      expect(await tom.texts(1)).toEqual(['before']);
      await tom.bye();
      const when = ['DateTime: 2026-03-04T05:06:07.000Z'];
      for (const text of ['one', 'two', 'three']) await bob.send(text, { id: `id-${text}`, headers: when });
      const again = await join('tom', tomsDevice);
      const missed = [await again.message(), await again.message(), await again.message()];
      expect(missed.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
      expect(missed.map(({ cpim }) => /imdn\.Message-ID: (\S+)/.exec(cpim)?.[1])).toEqual([
        'id-one',
        'id-two',
        'id-three',
      ]);
      expect(missed.every(({ cpim }) => cpim.includes('DateTime: 2026-03-04T05:06:07.000Z'))).toBe(true);
      await bob.send('now');
      expect(await again.texts(1)).toEqual(['now']);
    });

    it('get private messages that were for them, and none that were not', async () => {
      const bob = await join('bob');
      const tom = await join('tom');
      const eve = await join('eve');
      await tom.bye();
      await eve.bye();
      await bob.send('for tom', { to: uriOf('tom') });
      await bob.send('for all');
      expect(await (await join('eve')).texts(1)).toEqual(['for all']);
      expect(await (await join('tom')).texts(2)).toEqual(['for tom', 'for all']);
    });

    it('miss nothing when the server was started again meanwhile', async () => {
      const bob = await join('bob');
      const tomsDevice = await device('tom');
      const tom = await join('tom', tomsDevice);
      await tom.bye();
      await bob.send('kept');
      await world.stopServer();
      await world.startServer(OPTIONS);
      expect(await rooms().overview()).toMatchObject([
        { title: 'kitchen', named: true, owner: 'bob', members: 2, messages: 2 },
      ]);
      expect(await (await join('tom', tomsDevice)).texts(1)).toEqual(['kept']);
    });

    it('who does not acknowledge gets it again, with the same id', async () => {
      const bob = await join('bob');
      const tomsDevice = await device('tom');
      const tom = await join('tom', tomsDevice);
      await bob.send('hold', { id: 'the-same-1' });
      await tom.message({ acknowledge: false });
      tom.msrp.socket.destroy();
      await untilThere(1);
      const { cpim } = await (await join('tom', tomsDevice)).message();
      expect(cpim).toContain('imdn.Message-ID: the-same-1');
    });

    it('who joins later hears only what is said from then on', async () => {
      const bob = await join('bob');
      await bob.send('before his time');
      const tom = await join('tom');
      await bob.send('in his time');
      expect(await tom.texts(1)).toEqual(['in his time']);
    });
  });

  describe('limits of what is kept', () => {
    it('historyMessages: as many are kept, the oldest of more is gone', async () => {
      await world[Symbol.asyncDispose]();
      await open({ rooms: { plain: true, historyMessages: 3 }, roomLimits: { recentMessages: 1 } });
      const bob = await join('bob');
      const tom = await join('tom');
      await tom.bye();
      for (const text of ['one', 'two', 'three', 'four']) await bob.send(text);
      await rooms().rooms.sweep();
      expect(await (await join('tom')).texts(3)).toEqual(['two', 'three', 'four']);
    });

    it('maxKeptBytes: the same by size', async () => {
      await world[Symbol.asyncDispose]();
      await open({ roomLimits: { recentMessages: 1, maxKeptBytes: 5_000 } });
      const bob = await join('bob');
      const tom = await join('tom');
      await tom.bye();
      for (const text of ['a', 'b', 'c']) await bob.send(text.repeat(2_000));
      await rooms().rooms.sweep();
      const kept = await (await join('tom')).texts(2);
      expect(kept.map((text) => text[0])).toEqual(['b', 'c']);
    });

    it('historyDays: what is older is gone; a room by invitation in which nobody was for emptyDays ends', async () => {
      await world[Symbol.asyncDispose]();
      const clock = new ManualClock();
      await open({ clock, rooms: { plain: true, historyDays: 2 }, roomLimits: { emptyDays: 3 } });
      const bob = await adHoc('tom');
      await bob.send('old');
      await bob.bye();
      await untilThere(0);
      const dayMs = 24 * 60 * 60_000;
      clock.advance(2 * dayMs - 1_000);
      await rooms().rooms.sweep();
      expect(await rooms().overview()).toMatchObject([{ messages: 2 }]);
      clock.advance(2_000);
      await rooms().rooms.sweep();
      expect(await rooms().overview()).toMatchObject([{ messages: 0 }]);
      clock.advance(dayMs);
      await rooms().rooms.sweep();
      expect(await rooms().overview()).toEqual([]);
    });

    it('members, perUser: at the limit passes, one over gets 486', async () => {
      await world[Symbol.asyncDispose]();
      await open({ rooms: { plain: true, members: 2, perUser: 2 } });
      const bob = await join('bob');
      await join('tom');
      expect((await RoomPeer.call(await device('eve'), KITCHEN)).status).toBe(486);
      expect((await bob.refer(uriOf('ann'))).status).toBe(486);
      await RoomPeer.join(bob.device, FACTORY).then((peer) => world.own(peer));
      expect((await RoomPeer.call(bob.device, FACTORY)).status).toBe(486);
    });
  });

  describe('who belongs to a room', () => {
    it('a member who was removed and keeps his socket: nothing comes, nothing is taken, and he is not let in again', async () => {
      const bob = await adHoc('tom');
      const invite = await (await device('tom')).peer.request('INVITE').catch(() => undefined);
      expect(invite).toBeDefined();
      const tom = world.own(await RoomPeer.join(await device('tom'), bob.room));
      const eve = world.own(await RoomPeer.join(await invited(bob, 'eve'), bob.room));
      expect((await bob.refer(`${uriOf('tom')};method=BYE`)).status).toBe(202);
      await tom.msrp.untilEnded();
      // With another socket and the path of before he is nobody.
      await using stray = await MsrpPeer.connect(Number(/:(\d+)\//.exec(tom.path)?.[1]), tom.msrp.path);
      stray.send(
        requestText({
          id: 'stray1',
          to: tom.path,
          from: tom.msrp.path,
          headers: { 'Message-ID': 'stray1m' },
        }),
      );
      expect((await stray.frame()).kind).toBe('481 No Such Session');
      expect((await RoomPeer.call(tom.device, bob.room)).status).toBe(403);
      await bob.send('without tom');
      expect(await eve.texts(1)).toEqual(['without tom']);
    });

    it('a session is bound to the connection that came for it: another one with its path gets 506', async () => {
      const bob = await join('bob');
      await using thief = await MsrpPeer.connect(Number(/:(\d+)\//.exec(bob.path)?.[1]), bob.msrp.path);
      expect((await thief.visit(bob.path)).kind).toBe('506 Session In Use');
    });

    it('the room by invitation ends when one is left: he hears the last words, then BYE; its address leads nowhere', async () => {
      const bob = await adHoc();
      const tom = world.own(await RoomPeer.join(await invited(bob, 'tom'), bob.room));
      await tom.send('bye all');
      expect((await tom.refer(`${uriOf('tom')};method=BYE`)).status).toBe(202);
      expect(await bob.texts(1)).toEqual(['bye all']);
      const bye = await bob.device.peer.request('BYE');
      await bob.device.peer.answer(bye, 200);
      await bob.msrp.untilEnded();
      expect((await RoomPeer.call(bob.device, bob.room)).status).toBe(404);
      expect(await rooms().overview()).toEqual([]);
    });

    it('a named room outlives its members', async () => {
      const bob = await join('bob');
      expect((await bob.refer(`${uriOf('bob')};method=BYE`)).status).toBe(202);
      expect(await rooms().overview()).toMatchObject([{ room: `kitchen@${DOMAIN}`, members: 0 }]);
      await join('eve');
    });

    it('an owner who leaves hands over to who has been there longest', async () => {
      const bob = await join('bob');
      await join('tom');
      await join('eve');
      await bob.refer(`${uriOf('bob')};method=BYE`);
      expect(await rooms().overview()).toMatchObject([{ owner: 'tom', members: 2 }]);
    });

    it('who declines is no member; when nobody else is left the room ends', async () => {
      const tom = await device('tom');
      const bob = await adHoc('tom');
      const invite = await tom.peer.request('INVITE');
      await tom.peer.answer(invite, 603, { toTag: 'tomtag' });
      await bob.msrp.untilEnded();
      expect(await rooms().overview()).toEqual([]);
    });

    /** Two devices of Tom, each of which is asked; the first says yes, and the other one is told to stop ringing. */
    async function sayYesOnOne() {
      const devices = [await device('tom'), await device('tom')] as const;
      for (const [index, one] of devices.entries()) {
        await one.register({ contact: `${one.contact};+sip.instance="<urn:uuid:${index}>"` });
      }
      await adHoc('tom');
      const [first, second] = devices;
      const invites = [await nextInvite(first), await nextInvite(second)] as const;
      await second.peer.answer(invites[1], 180, { toTag: 'second' });
      await answerInvite(first, invites[0]);
      await first.next('ACK');
      await second.peer.answer(await second.next('CANCEL'), 200, { toTag: 'second' });
      return { second, invite: invites[1] };
    }

    /** The room asks for TLS first; these devices have none. */
    async function nextInvite(from: RawDevice): Promise<PeerMessage> {
      await from.peer.answer(await from.next('INVITE'), 488, { toTag: newPeerId() });
      return from.next('INVITE');
    }

    async function answerInvite(from: RawDevice, invite: PeerMessage): Promise<void> {
      const own = `msrp://127.0.0.1:9/${newPeerId()};tcp`;
      await from.peer.answer(invite, 200, { toTag: newPeerId(), body: RoomPeer.offer(own) });
      const path = /^a=path:(\S+)\r?$/m.exec(invite.body)?.[1] ?? '';
      const msrp = world.own(await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), own));
      await msrp.visit(path);
    }

    it.each([
      ['which has stopped ringing', 487],
      ['which has said yes in the same moment', 200],
    ])('the other device, %s, comes without being asked again (RFC 5373)', async (_what, status) => {
      const { second, invite } = await sayYesOnOne();
      if (status === 200) {
        await answerInvite(second, invite);
        await second.peer.answer(await second.next('BYE'), 200);
      } else await second.peer.answer(invite, status, { toTag: 'second' });
      const again = await nextInvite(second);
      expect(again.header('Answer-Mode')).toBe('Auto');
      await answerInvite(second, again);
      await untilThere(3);
    });

    it('who was away when he was invited is called when he comes', async () => {
      const bob = await adHoc('tom');
      const tom = await device('tom');
      const invite = await tom.peer.request('INVITE');
      expect(invite.header('From')).toBe(`"Trip" <${bob.room}>;tag=${invite.tag('From')}`);
      // A refresh of the same registration rings no second time.
      await tom.register();
      expect(tom.peer.messages.waiting.filter(({ startLine }) => startLine.startsWith('INVITE'))).toEqual([]);
    });

    it('a user who is removed from the server leaves his rooms, one who is disabled is put out', async () => {
      const bob = await join('bob');
      const tom = await join('tom');
      const eve = await join('eve');
      await world.server.users.remove('tom');
      await world.server.users.setDisabled('eve', true);
      await world.server.sweepUsers();
      await tom.msrp.untilEnded();
      await eve.msrp.untilEnded();
      expect(await rooms().overview()).toMatchObject([{ members: 2, devices: 1 }]);
      expect(await bob.send('still here')).toBe('200 OK');
    });
  });

  /** Invites and answers the call so that only the test decides when he comes. */
  async function invited(bob: RoomPeer, user: string): Promise<RawDevice> {
    const joining = await device(user);
    await bob.refer(uriOf(user));
    await joining.peer.answer(await joining.peer.request('INVITE'), 480, { toTag: `tag${user}` });
    return joining;
  }
});
