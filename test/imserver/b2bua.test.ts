import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImServerLimits } from '../../main/base/limits.ts';
import { DOMAIN, World } from '../support/im-world.ts';
import { RawDevice } from '../support/raw-device.ts';
import { newPeerId, type PeerMessage } from '../support/sip-peer.ts';

let world: World;
let bob: RawDevice;
let tom: RawDevice;

async function open(limits: Partial<ImServerLimits> = {}): Promise<void> {
  // Devices that were left in a session do not answer the server's BYE when it stops.
  world = await World.open(['bob', 'tom'], { limits: { byeMs: 200, ...limits } });
  bob = world.own(await RawDevice.join('bob', world.port));
  tom = world.own(await RawDevice.join('tom', world.port));
}
beforeEach(() => open());
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const TO_TOM = { uri: `sip:tom@${DOMAIN}`, to: `<sip:tom@${DOMAIN}>`, body: 'v=0\r\no=bob\r\n' };

/** Steps 2 to 8: Bob's INVITE and both answers. */
async function callTom(): Promise<{ answer: PeerMessage; invite: PeerMessage }> {
  const answered = bob.ask('INVITE', TO_TOM);
  const invite = await tom.peer.request('INVITE');
  await tom.peer.answer(invite, 200, { toTag: newPeerId(), body: 'v=0\r\no=tom\r\n' });
  return { answer: await answered, invite };
}

/** A request of Bob's inside the session. */
function inDialog(method: string, answer: PeerMessage, cseq: number, fields: { body?: string } = {}): string {
  return bob.peer.build(method, {
    uri: /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? '',
    from: answer.header('From'),
    to: answer.header('To'),
    callId: answer.header('Call-ID'),
    cseq,
    contact: bob.contact,
    ...fields,
  });
}

const numberOf = (message: PeerMessage) => Number.parseInt(message.header('CSeq'), 10);

async function establish(): Promise<{ answer: PeerMessage; invite: PeerMessage }> {
  const call = await callTom();
  await bob.peer.send(inDialog('ACK', call.answer, numberOf(call.answer)), world.port);
  await tom.peer.request('ACK');
  return call;
}

describe('the order of the flow', () => {
  it('offer and answer go through as they are (steps 3 and 8)', async () => {
    const { answer, invite } = await callTom();
    expect(invite.body).toBe('v=0\r\no=bob\r\n');
    expect(invite.header('From')).toContain(`sip:bob@${DOMAIN}`);
    expect(invite.startLine).toBe(`INVITE ${tom.contact.slice(1, -1)} SIP/2.0`);
    expect(answer.body).toBe('v=0\r\no=tom\r\n');
    expect(invite.header('Max-Forwards')).toBe('69');
    expect(invite.header('Authorization')).toBe('');
  });

  it('a request that may not be forwarded any more gets 483 (RFC 3261 §16.3)', async () => {
    const answer = await bob.ask('INVITE', { ...TO_TOM, maxForwards: 0 });
    expect(answer.status).toBe(483);
  });

  it('Tom is sent the ACK (10) only after Bob has sent his (9)', async () => {
    const { answer } = await callTom();
    // Everything that the server had to say to Tom by now lies before the answer to this.
    await tom.register();
    expect(tom.peer.log.filter(({ startLine }) => startLine.startsWith('ACK '))).toEqual([]);
    await bob.peer.send(inDialog('ACK', answer, numberOf(answer)), world.port);
    await tom.peer.request('ACK');
  });

  it("Bob's BYE (15) is answered (18) only after Tom's 200 (17)", async () => {
    await world[Symbol.asyncDispose]();
    await open({ byeMs: 10_000 });
    const { answer } = await establish();
    await bob.peer.send(inDialog('BYE', answer, numberOf(answer) + 1), world.port);
    const bye = await tom.peer.request('BYE');
    await bob.register();
    const answered = () => bob.peer.log.filter(({ status, method }) => status === 200 && method === 'BYE');
    expect(answered()).toEqual([]);
    await tom.peer.answer(bye, 200);
    await bob.peer.response(200, 'BYE');
    expect(answered()).toHaveLength(1);
    expect(world.server.sessionCount).toBe(0);
  });

  it('or after its timeout, when Tom says nothing', async () => {
    await world[Symbol.asyncDispose]();
    await open({ byeMs: 300 });
    const { answer } = await establish();
    const began = performance.now();
    await bob.peer.send(inDialog('BYE', answer, numberOf(answer) + 1), world.port);
    await bob.peer.response(200, 'BYE');
    expect(performance.now() - began).toBeGreaterThan(250);
    expect(world.server.sessionCount).toBe(0);
  });

  it("Tom's BYE goes the other way round", async () => {
    const { invite } = await establish();
    const tag = /tag=([^;]+)/.exec(
      tom.peer.log.find(({ startLine }) => startLine.startsWith('ACK '))?.header('To') ?? '',
    )?.[1];
    await tom.peer.send(
      tom.peer.build('BYE', {
        uri: /<([^>]+)>/.exec(invite.header('Contact'))?.[1] ?? '',
        from: `${invite.header('To')};tag=${tag ?? ''}`,
        to: invite.header('From'),
        callId: invite.header('Call-ID'),
        cseq: 1,
      }),
      world.port,
    );
    await bob.peer.answer(await bob.peer.request('BYE'), 200);
    await tom.peer.response(200, 'BYE');
    expect(world.server.sessionCount).toBe(0);
  });

  it('requests inside the session go through to the other leg', async () => {
    const { answer } = await establish();
    await bob.peer.send(inDialog('INFO', answer, numberOf(answer) + 1, { body: 'hello' }), world.port);
    const info = await tom.peer.request('INFO');
    expect(info.body).toBe('hello');
    await tom.peer.answer(info, 488);
    await bob.peer.response(488, 'INFO');
  });

  it('a leg that is gone and names a host that nobody knows cannot be reached (480); the server goes on', async () => {
    const far = world.own(await RawDevice.overTcp('tom', world.port));
    await tom.register({ expires: 0 });
    await far.register();
    const answered = bob.ask('INVITE', TO_TOM);
    const invite = await far.peer.request('INVITE');
    await far.peer.answer(invite, 200, { contact: '<sip:tom@nowhere.invalid>', body: 'v=0\r\n' });
    const answer = await answered;
    await bob.peer.send(inDialog('ACK', answer, numberOf(answer)), world.port);
    await far.peer.request('ACK');
    far.peer.cut();
    await bob.peer.send(inDialog('INFO', answer, numberOf(answer) + 1, { body: 'v=0\r\n' }), world.port);
    const refused = await bob.peer.messages.next(
      ({ status, method }) => status >= 300 && method === 'INFO',
      'INFO',
    );
    expect([480, 481]).toContain(refused.status);
    expect((await bob.register()).status).toBe(200);
  });

  it('a body of unknown kind is refused with 400, in an answer it is left out (RFC 3261 §20.15)', async () => {
    const { answer } = await establish();
    const untyped = (text: string) => text.replace(/Content-Type:.*\r\n/, '');
    const first = numberOf(answer) + 1;
    await bob.peer.send(untyped(inDialog('INFO', answer, first, { body: 'hello' })), world.port);
    await bob.peer.response(400, 'INFO');
    const empty = inDialog('INFO', answer, first + 1, { body: 'hello' });
    await bob.peer.send(empty.replace(/Content-Type:.*/, 'Content-Type:'), world.port);
    await bob.peer.response(400, 'INFO');
    await bob.peer.send(inDialog('INFO', answer, first + 2, { body: 'again' }), world.port);
    const info = await tom.peer.request('INFO');
    await tom.peer.send(untyped(tom.peer.reply(info, 200, { body: 'what?' })), info.port);
    expect((await bob.peer.response(200, 'INFO')).body).toBe('');
  });
});

describe('a session that does not come about', () => {
  it('CANCEL reaches the device that rings (RFC 3261 §9)', async () => {
    const callId = newPeerId();
    const answered = bob.ask('INVITE', { ...TO_TOM, callId });
    const invite = await tom.peer.request('INVITE');
    await tom.peer.answer(invite, 180);
    const ringing = await bob.peer.response(180, 'INVITE');
    await bob.peer.send(
      bob.peer.build('CANCEL', {
        uri: TO_TOM.uri,
        from: ringing.header('From'),
        to: TO_TOM.to,
        callId,
        cseq: numberOf(ringing),
        branch: ringing.branch,
        contact: null,
      }),
      world.port,
    );
    const cancel = await tom.peer.request('CANCEL');
    expect(cancel.header('Call-ID')).toBe(invite.header('Call-ID'));
    await tom.peer.answer(cancel, 200);
    await tom.peer.answer(invite, 487);
    expect((await answered).status).toBe(487);
    await expect.poll(() => world.server.sessionCount).toBe(0);
  });

  it.each([
    [486, 486],
    [603, 603],
    [488, 488],
    [404, 480],
    [500, 500],
  ])('a device that answers %i: the caller hears %i', async (status, heard) => {
    const answered = bob.ask('INVITE', TO_TOM);
    await tom.peer.answer(await tom.peer.request('INVITE'), status, {
      headers: ['Warning: 399 tom "because"'],
    });
    const answer = await answered;
    expect(answer.status).toBe(heard);
    if (heard === 488) expect(answer.header('Warning')).toBe('399 tom "because"');
    expect(world.server.sessionCount).toBe(0);
  });

  it('a device with two flows is called over one, and over the other when that has failed (430, RFC 5626 §5.3)', async () => {
    await tom.register({ expires: 0 });
    const { contact } = tom;
    for (const flow of [1, 2]) {
      await tom.register({
        contact: `${contact.replace('>', `;flow=${flow}>`)};+sip.instance="<urn:uuid:1>";reg-id=${flow}`,
      });
    }
    const answered = bob.ask('INVITE', TO_TOM);
    const first = await tom.peer.request('INVITE');
    expect(first.startLine).toContain(';flow=2');
    await tom.peer.answer(first, 430);
    const second = await tom.peer.request('INVITE');
    expect(second.startLine).toContain(';flow=1');
    await tom.peer.answer(second, 486);
    expect((await answered).status).toBe(486);
  });

  it('nobody of that name: 404; not signed in: 480', async () => {
    const to = (user: string) => ({ ...TO_TOM, uri: `sip:${user}@${DOMAIN}`, to: `<sip:${user}@${DOMAIN}>` });
    expect((await bob.ask('INVITE', to('nobody'))).status).toBe(404);
    await tom.register({ expires: 0 });
    expect((await bob.ask('INVITE', to('tom'))).status).toBe(480);
  });

  it('more sessions than one user may have: 486', async () => {
    await world[Symbol.asyncDispose]();
    await open({ maxSessionsPerUser: 1 });
    await establish();
    expect((await bob.ask('INVITE', TO_TOM)).status).toBe(486);
  });

  it('a session whose legs are both gone without a word is found and forgotten', async () => {
    await world[Symbol.asyncDispose]();
    await open({ auditMs: 300, byeMs: 100 });
    await establish();
    for (const device of [bob, tom]) await device.peer.answer(await device.peer.request('OPTIONS'), 481);
    await expect.poll(() => world.server.sessionCount, { timeout: 5_000 }).toBe(0);
  });

  it('a session whose legs are both there is kept', async () => {
    await world[Symbol.asyncDispose]();
    await open({ auditMs: 300 });
    await establish();
    for (let round = 0; round < 2; round++) {
      for (const device of [bob, tom]) await device.peer.answer(await device.peer.request('OPTIONS'), 200);
    }
    expect(world.server.sessionCount).toBe(1);
  });
});
