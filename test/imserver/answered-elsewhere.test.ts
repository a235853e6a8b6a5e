/** Two devices of Tom's say yes (or no) to Bob at once: the server tells the slower one why it has lost (RFC 3326). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOMAIN, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { newPeerId, type PeerMessage } from '../support/sip-peer.ts';

let world: World;
let bob: RawDevice;
beforeEach(async () => {
  // Devices that were left in a session do not answer the server's BYE when it stops.
  world = await World.open(['bob', 'tom'], { limits: { byeMs: 200 } });
  bob = world.own(await RawDevice.join('bob', world.port));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const TO_TOM = { uri: `sip:tom@${DOMAIN}`, to: `<sip:tom@${DOMAIN}>`, body: 'v=0\r\no=bob\r\n' };
const ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"';
const OK = { body: 'v=0\r\n' };

interface Rung {
  readonly device: RawDevice;
  readonly invite: PeerMessage;
}

/** Bob calls, and both devices have his INVITE. */
async function ringBoth(): Promise<{ one: Rung; two: Rung; answered: Promise<PeerMessage> }> {
  const devices = [
    world.own(await RawDevice.join('tom', world.port)),
    world.own(await RawDevice.join('tom', world.port)),
  ] as const;
  const answered = bob.ask('INVITE', TO_TOM);
  const [one, two] = await Promise.all(
    devices.map(async (device) => ({ device, invite: await device.peer.request('INVITE') })),
  );
  if (one === undefined || two === undefined) throw new Error('two devices');
  return { one, two, answered };
}

const reply = ({ device, invite }: Rung, status: number) =>
  device.peer.answer(invite, status, { toTag: newPeerId(), ...(status === 200 ? OK : {}) });

/** The device is acknowledged and hung up, both with one reason; returns it. */
async function hungUp({ device }: Rung): Promise<string> {
  const ack = await device.peer.request('ACK');
  const bye = await device.peer.request('BYE');
  await device.peer.answer(bye, 200);
  expect(ack.header('Reason')).toBe(bye.header('Reason'));
  return bye.header('Reason');
}

/** Bob talks with the winner. */
async function expectSession({ device }: Rung, answered: Promise<PeerMessage>): Promise<void> {
  const answer = await answered;
  expect(answer.status).toBe(200);
  await bob.ackSuccess(answer);
  await device.peer.request('ACK');
  expect(world.server.sessionCount).toBe(1);
  expect(device.peer.log.filter(({ startLine }) => /^(BYE|CANCEL) /.test(startLine))).toEqual([]);
}

describe('the slower device', () => {
  it('that rings is cancelled, with the reason', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(two, 180);
    await bob.peer.response(180, 'INVITE');
    await reply(one, 200);
    const cancel = await two.device.peer.request('CANCEL');
    expect(cancel.header('Reason')).toBe(ELSEWHERE);
    await two.device.peer.answer(cancel, 200);
    await reply(two, 487);
    await expectSession(one, answered);
  });

  it('whose 200 crosses the CANCEL is acknowledged and hung up, with the reason', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(two, 180);
    await bob.peer.response(180, 'INVITE');
    await reply(one, 200);
    const cancel = await two.device.peer.request('CANCEL');
    await reply(two, 200);
    expect(await hungUp(two)).toBe(ELSEWHERE);
    await two.device.peer.answer(cancel, 481);
    await expectSession(one, answered);
  });

  it('that has said nothing before its 200 gets no CANCEL (RFC 3261 §9.1), but the same BYE', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(one, 200);
    await answered;
    await reply(two, 200);
    expect(await hungUp(two)).toBe(ELSEWHERE);
    expect(two.device.peer.log.filter(({ startLine }) => startLine.startsWith('CANCEL '))).toEqual([]);
    await expectSession(one, answered);
  });

  it('whose 200 is in the same packet as the other’s: the first in it wins', async () => {
    // Two programs of Tom's behind one connection of a proxy.
    const device = world.own(await RawDevice.overTcp('tom', world.port));
    for (const name of ['one', 'two']) {
      await device.register({
        contact: `${device.contact.replace('>', `;program=${name}>`)};+sip.instance="<urn:uuid:${name}>";reg-id=1`,
      });
    }
    const answered = bob.ask('INVITE', TO_TOM);
    const invites = [await device.peer.request('INVITE'), await device.peer.request('INVITE')];
    const [first, second] = invites.map((invite) =>
      device.peer.reply(invite, 200, { toTag: newPeerId(), ...OK }),
    );
    await device.peer.send(`${first ?? ''}${second ?? ''}`);
    expect((await answered).status).toBe(200);
    const bye = await device.peer.request('BYE');
    expect([bye.header('Call-ID'), bye.header('Reason')]).toEqual([invites[1]?.header('Call-ID'), ELSEWHERE]);
    await device.peer.answer(bye, 200);
    expect(world.server.sessionCount).toBe(1);
  });

  it('that says no at last has lost all the same', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(one, 200);
    await answered;
    await reply(two, 603);
    await two.device.peer.request('ACK');
    await expectSession(one, answered);
  });
});

describe('no for all', () => {
  it('said on one device (603): the other is cancelled and told so', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(two, 180);
    await bob.peer.response(180, 'INVITE');
    await reply(one, 603);
    const cancel = await two.device.peer.request('CANCEL');
    expect(cancel.header('Reason')).toBe('SIP;cause=603;text="Declined elsewhere"');
    await two.device.peer.answer(cancel, 200);
    await reply(two, 487);
    expect((await answered).status).toBe(603);
  });

  it('said while the other says yes: no counts, and the other is hung up with the reason', async () => {
    const { one, two, answered } = await ringBoth();
    await reply(two, 180);
    await bob.peer.response(180, 'INVITE');
    await reply(one, 603);
    await two.device.peer.request('CANCEL');
    await reply(two, 200);
    expect(await hungUp(two)).toBe('SIP;cause=603;text="Declined elsewhere"');
    expect((await answered).status).toBe(603);
  });
});

it.each([
  ['that somebody else has answered is not his to say', ELSEWHERE, ''],
  [
    'that he has waited long enough is',
    'SIP;cause=408;text="Ring timeout"',
    'SIP;cause=408;text="No answer"',
  ],
])('the caller gives up: %s', async (_what, said, told) => {
  const { one, two, answered } = await ringBoth();
  await reply(one, 180);
  const ringing = await bob.peer.response(180, 'INVITE');
  await reply(two, 180);
  await bob.peer.send(
    bob.peer.build('CANCEL', {
      uri: TO_TOM.uri,
      from: ringing.header('From'),
      to: TO_TOM.to,
      callId: ringing.header('Call-ID'),
      cseq: Number.parseInt(ringing.header('CSeq'), 10),
      branch: ringing.branch,
      contact: null,
      headers: [`Reason: ${said}`],
    }),
    world.port,
  );
  for (const rung of [one, two]) {
    const cancel = await rung.device.peer.request('CANCEL');
    expect(cancel.header('Reason')).toBe(told);
    await rung.device.peer.answer(cancel, 200);
    await reply(rung, 487);
  }
  expect((await answered).status).toBe(487);
});
