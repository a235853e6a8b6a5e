/** Two devices of Tom's say yes to Bob at once: one session, and both have everything; the slower one says why it has none. */
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conversation } from '../../shared/domain/conversation.ts';
import { eventually } from '../support/eventually.ts';
import { World, type Person } from '../support/im-world.ts';
import { SipGate, type HeldWay } from '../support/sip-gate.ts';
import { arrived, becomes, received, sendFile, writeRandom } from './transfers/desk.ts';

const ITS_YES = /^SIP\/2\.0 200 [^]*^CSeq: \d+ INVITE\r$/m;

let world: World;
let gates: { readonly quick: SipGate; readonly slow: SipGate };
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
  gates = {
    quick: world.own(await SipGate.open(world.port)),
    slow: world.own(await SipGate.open(world.port)),
  };
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

interface Desk {
  readonly bob: Person;
  readonly quick: Person;
  readonly slow: Person;
  readonly ofBob: Conversation;
  readonly ofQuick: Conversation;
  readonly ofSlow: Conversation;
}

/** Bob is a contact on both devices of Tom's, which let him in by themselves and know of each other. */
async function openDesk(path: 'direct' | 'relay' = 'direct'): Promise<Desk> {
  const [bob, quick, slow] = await Promise.all([
    world.openPerson('bob'),
    world.openPerson('tom', { name: 'quick', deviceName: 'Quick' }),
    world.openPerson('tom', { name: 'slow', deviceName: 'Slow' }),
  ]);
  const ways = [
    [bob, world.uri],
    [quick, gates.quick.uri],
    [slow, gates.slow.uri],
  ] as const;
  for (const [person, uri] of ways) {
    await person.commands['settings.set']({ key: 'messages.path', value: path });
    await person.signIn(uri);
  }
  const desk = {
    ...{ bob, quick, slow },
    ofBob: await bob.meet('tom'),
    ofQuick: await quick.meet('bob'),
    ofSlow: await slow.meet('bob'),
  };
  await eventually(async () => {
    const accounts = await quick.messenger.store.call('selectAccounts', null);
    expect(accounts[0]?.otherDevices).toBe(1);
  });
  return desk;
}

/** Bob writes; both devices say yes, and the server hears the quick one. Returns the yes of the slow one, on its way. */
async function bothSayYes({ bob, ofBob }: Desk, text: string): Promise<HeldWay> {
  const [quick, slow] = [gates.quick, gates.slow].map((gate) => gate.hold('toServer', ITS_YES));
  if (quick === undefined || slow === undefined) throw new Error('two gates');
  const sent = await bob.send(ofBob, text);
  await Promise.all([quick.arrived, slow.arrived]);
  quick.release();
  await bob.becomes(sent, 'delivered');
  return slow;
}

/** The session is Bob's and the quick device's; the other one is calm, and has what was said. */
async function expectQuickHasWon(desk: Desk, texts: readonly string[]): Promise<void> {
  const { bob, quick, slow, ofBob, ofQuick, ofSlow } = desk;
  const lost = await slow.session(ofSlow, 'ended');
  expect(lost.openedMs).toBeNull();
  expect(lost.end).toEqual({ code: 'answered-elsewhere', message: 'You answered on another device.' });
  expect(await slow.received(ofSlow, texts.length)).toEqual(texts);
  expect(await quick.texts(ofQuick, 'in')).toEqual(texts);
  expect((await slow.messages(ofSlow)).map(({ state }) => state)).toEqual(texts.map(() => 'received'));
  for (const [person, conversation] of [
    [bob, ofBob],
    [quick, ofQuick],
  ] as const) {
    expect(person.sessions(conversation).map(({ state }) => state)).toEqual(['open']);
  }
  expect(slow.sessions(ofSlow)).toHaveLength(1);
  expect(world.server.sessionCount).toBe(1);
}

describe.each(['direct', 'relay'] as const)('%s', (path) => {
  it('its yes crosses the CANCEL', async () => {
    const desk = await openDesk(path);
    const { bob, ofBob } = desk;
    (await bothSayYes(desk, 'one')).release();
    await expectQuickHasWon(desk, ['one']);
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
    await expectQuickHasWon(desk, ['one', 'two']);
  });

  it('it hears of the invitation when Bob talks already', async () => {
    const desk = await openDesk(path);
    const { bob, ofBob } = desk;
    const invitation = gates.slow.hold('toClient', /^INVITE /);
    const sent = await bob.send(ofBob, 'one');
    await invitation.arrived;
    await bob.becomes(sent, 'delivered');
    invitation.release();
    await expectQuickHasWon(desk, ['one']);
  });

  it('it is acknowledged late', async () => {
    const desk = await openDesk(path);
    const { bob, ofBob } = desk;
    const itsYes = await bothSayYes(desk, 'one');
    const itsEnd = gates.slow.hold('toClient', /^ACK /);
    itsYes.release();
    await itsEnd.arrived;
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
    itsEnd.release();
    await expectQuickHasWon(desk, ['one', 'two']);
  });
});

it('as it comes, ten times: one has the session and the other says so', async () => {
  const desk = await openDesk();
  const { bob, ofBob } = desk;
  const devices = [
    [desk.quick, desk.ofQuick],
    [desk.slow, desk.ofSlow],
  ] as const;
  for (let round = 1; round <= 10; round++) {
    await bob.becomes(await bob.send(ofBob, `message ${round}`), 'delivered');
    const { id } = await bob.session(ofBob, 'open');
    await bob.commands['session.end']({ sessionId: id });
    const ends = devices.map(([person, conversation]) =>
      person.until(`end of session ${round}`, () => {
        const sessions = person.sessions(conversation);
        return Promise.resolve(sessions.length === round && sessions.at(-1)?.end?.code);
      }),
    );
    expect((await Promise.all(ends)).sort()).toEqual(['answered-elsewhere', 'ended-by-peer']);
  }
  for (const [person, conversation] of devices)
    expect(await person.received(conversation, 10)).toHaveLength(10);
});

it('what its user writes on the slower one goes out in a session of its own, and Bob has everything', async () => {
  const desk = await openDesk();
  const { bob, quick, slow, ofBob, ofQuick, ofSlow } = desk;
  const itsYes = await bothSayYes(desk, 'Who is there?');
  const answer = await slow.send(ofSlow, 'I am');
  itsYes.release();
  await slow.becomes(answer, 'delivered');
  expect(await bob.texts(ofBob, 'in')).toEqual(['I am']);
  await quick.until('the copy', async () => (await quick.texts(ofQuick, 'out')).includes('I am'));
});

it('a stranger who is let in on one is let in on the other, which asks no more', async () => {
  const bob = await world.join('bob');
  const ofBob = await bob.meet('tom');
  const [one, two] = [await world.join('tom'), await world.join('tom', { name: 'laptop' })];
  const sent = await bob.send(ofBob, 'You do not know me');
  const [ofOne, ofTwo] = [await one.with('bob'), await two.with('bob')];
  await one.session(ofOne, 'asked');
  await two.session(ofTwo, 'asked');
  await one.commands['conversation.answer']({ conversationId: ofOne.id, accept: true });
  await bob.becomes(sent, 'delivered');
  expect((await two.session(ofTwo, 'ended')).end?.code).toBe('answered-elsewhere');
  expect(await two.received(ofTwo, 1)).toEqual(['You do not know me']);
  expect((await two.with('bob')).standing).toBe('accepted');
});

it('a file that both take at once is on both, and fails on none', async () => {
  const { bob, quick, slow, ofBob, ofQuick, ofSlow } = await openDesk();
  const held = [gates.quick, gates.slow].map((gate) => gate.hold('toServer', ITS_YES));
  const path = await writeRandom(world, 'plan.bin', 60 * 1024);
  const sent = await sendFile(bob, ofBob, path);
  await Promise.all(held.map(({ arrived: hasArrived }) => hasArrived));
  held[0]?.release();
  await bob.becomes(sent, 'delivered');
  held[1]?.release();
  for (const [person, conversation] of [
    [quick, ofQuick],
    [slow, ofSlow],
  ] as const) {
    const file = await arrived(person, conversation);
    await becomes(person, file, 'done');
    expect((await received(person, file)).bytes.equals(await readFile(path))).toBe(true);
    const states = person.events.flatMap(({ event, data }) =>
      event === 'transfer.changed' ? [data.transfer.state] : [],
    );
    expect(states).not.toContain('failed');
  }
});
