import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import { glareWaitMs } from '../../../main/sip/agent/glare.ts';
import type { DialogDelegate, InviteDialog } from '../../../main/sip/agent/invite-dialog.ts';
import { IncomingInvite, sendInvite } from '../../../main/sip/agent/invite.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { answerChallenge } from '../../support/raw-device.ts';
import { newPeerBranch, newPeerId, SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

const OFFER = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n';
const ANSWER = 'v=0\r\no=- 9 1 IN IP4 127.0.0.1\r\n';
const CHANGED = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n';
const CHALLENGE = 'Digest realm="example.org", nonce="n1", qop="auth", algorithm=MD5';
const WHO = { user: 'bob', password: 'secret' };

let lifetime: Lifetime;
let agent: SipAgent;
let port: number;
let peer: SipPeer;
let clock: ManualClock;
let byes: { reason: string; fromPeer: boolean }[];

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  byes = [];
  peer = lifetime.own(await SipPeer.udp());
  ({ agent, port } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime));
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

function delegate(): DialogDelegate {
  const told = byes;
  return {
    receiveBye: (bye) => {
      told.push(bye);
    },
  };
}

/** The remote target: another URI than the one that was invited. */
const target = () => `sip:tom@127.0.0.1:${peer.port};ob`;

/** We call the peer. */
async function call(random = () => 0): Promise<{ dialog: InviteDialog; invite: PeerMessage }> {
  const inviting = sendInvite(agent, {
    invite: {
      uri: `sip:tom@127.0.0.1:${peer.port}`,
      from: '<sip:bob@example.org>',
      to: '<sip:tom@example.org>',
      sdp: OFFER,
      digest: new DigestClient(WHO),
      headers: { Contact: '<sip:bob@localhost>' },
    },
    delegate: delegate(),
    ringMs: 60_000,
    clock,
    random,
  });
  const invite = await peer.request('INVITE');
  await peer.answer(invite, 200, { body: ANSWER, contact: `<${target()}>` });
  const outcome = await inviting;
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
  await outcome.sendAck();
  await peer.request('ACK');
  return { dialog: outcome.dialog, invite };
}

/** A request of the peer inside the dialog that we have begun with `invite`. */
function fromPeer(invite: PeerMessage, method: string, cseq: number, body = ''): string {
  return peer.build(method, {
    uri: `sip:bob@127.0.0.1:${port}`,
    callId: invite.header('Call-ID'),
    from: `${invite.header('To')};tag=callee-tag`,
    to: invite.header('From'),
    contact: `<${target()}>`,
    cseq,
    body,
  });
}

describe('a challenge inside a dialog (RFC 3261 §22.2)', () => {
  it.each([
    [401, 'WWW-Authenticate', 'Authorization'],
    [407, 'Proxy-Authenticate', 'Proxy-Authorization'],
  ] as const)('%i to BYE: the digest is over the request line that was sent', async (status, ask, answer) => {
    const { dialog } = await call();
    const hangingUp = dialog.sendBye();
    const first = await peer.request('BYE');
    await peer.answer(first, status, { headers: [`${ask}: ${CHALLENGE}`], contact: null });
    const second = await peer.request('BYE');
    expect(second.startLine).toBe(`BYE ${target()} SIP/2.0`);
    expect(Number.parseInt(second.header('CSeq'), 10)).toBe(Number.parseInt(first.header('CSeq'), 10) + 1);
    const given = second.header(answer);
    const cnonce = /cnonce="([^"]*)"/.exec(given)?.[1] ?? '';
    expect(given).toContain(`uri="${target()}"`);
    // The same value, computed by code that is not the program's.
    const expected = answerChallenge(CHALLENGE, { ...WHO, method: 'BYE', uri: target(), cnonce });
    const response = (text: string) => /response="([^"]*)"/.exec(text)?.[1];
    expect(response(given)).toBe(response(expected));
    await peer.answer(second, 200, { contact: null });
    expect(await hangingUp).toBe(200);
  });

  it('to a re-INVITE: answered, and the ACK shows the same credentials (§22.1)', async () => {
    const { dialog } = await call();
    const changing = dialog.modify(CHANGED);
    await peer.answer(await peer.request('INVITE'), 401, { headers: [`WWW-Authenticate: ${CHALLENGE}`] });
    await peer.request('ACK');
    const second = await peer.request('INVITE');
    expect(second.header('Authorization')).toContain(`uri="${target()}"`);
    await peer.answer(second, 200, { body: ANSWER });
    expect(await changing).toEqual({ kind: 'accepted', sdp: ANSWER });
    expect((await peer.request('ACK')).header('Authorization')).toBe(second.header('Authorization'));
  });

  it('by a proxy and then by the server: both are answered (§22.3)', async () => {
    const { dialog } = await call();
    const asking = dialog.sendRequest('INFO');
    await peer.answer(await peer.request('INFO'), 407, {
      headers: ['Proxy-Authenticate: Digest realm="edge", nonce="n0", qop="auth"'],
    });
    await peer.answer(await peer.request('INFO'), 401, { headers: [`WWW-Authenticate: ${CHALLENGE}`] });
    const third = await peer.request('INFO');
    expect(third.header('Proxy-Authorization')).toContain('realm="edge"');
    expect(third.header('Authorization')).toContain('realm="example.org"');
    await peer.answer(third, 200);
    expect((await asking).status).toBe(200);
  });

  it('a second one by the same realm, not stale, is handed up: the password is wrong', async () => {
    const { dialog } = await call();
    const asking = dialog.sendRequest('INFO');
    for (let i = 0; i < 2; i++) {
      await peer.answer(await peer.request('INFO'), 401, { headers: [`WWW-Authenticate: ${CHALLENGE}`] });
    }
    expect((await asking).status).toBe(401);
    expect(dialog.state).toBe('confirmed');
  });
});

describe('changing a session (RFC 3261 §14)', () => {
  it.each([
    [true, 0, 2_100],
    [true, 0.999_999, 4_000],
    [false, 0, 0],
    [false, 0.999_999, 2_000],
    [true, 0.5, 3_050],
  ])('§14.1: owner of the Call-ID %s, chance %d: %i ms', (isCaller, chance, ms) => {
    expect(glareWaitMs(isCaller, () => chance)).toBe(ms);
  });

  it('491: the owner of the Call-ID tries again after 2.1 s, and not earlier (§14.1)', async () => {
    const { dialog } = await call();
    const changing = dialog.modify(CHANGED);
    await peer.answer(await peer.request('INVITE'), 491);
    await expect.poll(() => clock.pending).toBe(1);
    clock.advance(2_099);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    const again = await peer.request('INVITE');
    expect(again.body).toBe(CHANGED);
    await peer.answer(again, 200, { body: ANSWER });
    expect(await changing).toEqual({ kind: 'accepted', sdp: ANSWER });
    expect(dialog.localSdp).toBe(CHANGED);
  });

  it('while ours is open, one of the peer is 491; while we wait, it is answered (§14.2)', async () => {
    const { dialog, invite } = await call();
    const changing = dialog.modify(CHANGED);
    const ours = await peer.request('INVITE');
    await peer.send(fromPeer(invite, 'INVITE', 7, ANSWER), port);
    const refusal = await peer.response(491, 'INVITE');
    expect(refusal.status).toBe(491);
    await peer.answer(ours, 491);
    await expect.poll(() => clock.pending).toBe(1);
    await peer.send(fromPeer(invite, 'INVITE', 8, ANSWER), port);
    expect((await peer.response(200, 'INVITE')).body).toBe(OFFER);
    await peer.send(fromPeer(invite, 'ACK', 8), port);
    clock.advance(4_000);
    await peer.answer(await peer.request('INVITE'), 200, { body: ANSWER });
    expect((await changing).kind).toBe('accepted');
  });

  it('488: the session is as it was, and the next change works (§14.1)', async () => {
    const { dialog } = await call();
    const first = dialog.modify('v=0\r\no=- 1 3 IN IP4 127.0.0.9\r\n');
    await peer.answer(await peer.request('INVITE'), 488);
    expect(await first).toEqual({ kind: 'refused', status: 488, reason: 'Status 488' });
    expect([dialog.state, dialog.localSdp, byes]).toEqual(['confirmed', OFFER, []]);
    const second = dialog.modify(CHANGED);
    await peer.answer(await peer.request('INVITE'), 200, { body: ANSWER });
    expect((await second).kind).toBe('accepted');
  });

  it.each([481, 408])('%i ends the dialog: BYE, and its owner is told (§12.2.1.2)', async (status) => {
    const { dialog } = await call();
    const changing = dialog.modify(CHANGED);
    await peer.answer(await peer.request('INVITE'), status);
    expect(await changing).toEqual({ kind: 'ended' });
    await peer.answer(await peer.request('BYE'), 481);
    expect(byes).toEqual([
      { reason: `${status} Status ${status}`, fromPeer: false, answeredElsewhere: false },
    ]);
    await expect.poll(() => dialog.state).toBe('ended');
    expect(await dialog.modify(CHANGED)).toEqual({ kind: 'ended' });
  });

  it('two changes go one after the other', async () => {
    const { dialog } = await call();
    const both = [dialog.modify(CHANGED), dialog.modify(OFFER)];
    const first = await peer.request('INVITE');
    expect(peer.messages.waiting.filter(({ startLine }) => startLine.startsWith('INVITE'))).toEqual([]);
    await peer.answer(first, 200, { body: ANSWER });
    const second = await peer.request('INVITE');
    expect(second.body).toBe(OFFER);
    await peer.answer(second, 200, { body: ANSWER });
    expect((await Promise.all(both)).map(({ kind }) => kind)).toEqual(['accepted', 'accepted']);
  });

  it('hanging up ends the wait after a glare', async () => {
    const { dialog } = await call();
    const changing = dialog.modify(CHANGED);
    await peer.answer(await peer.request('INVITE'), 491);
    await expect.poll(() => clock.pending).toBe(1);
    const hangingUp = dialog.sendBye();
    await peer.answer(await peer.request('BYE'), 200, { contact: null });
    expect(await hangingUp).toBe(200);
    expect(await changing).toEqual({ kind: 'ended' });
    expect(clock.pending).toBe(0);
  });

  it('a refresh of the peer is answered by the owner, or refused with 488 (§14.2)', async () => {
    const accepted = Promise.withResolvers<InviteDialog | undefined>();
    agent.handle('INVITE', async (request) => {
      const dialog = await new IncomingInvite(agent, request).accept(OFFER, {
        ...delegate(),
        receiveOffer: (sdp) => (sdp === ANSWER ? CHANGED : undefined),
      });
      accepted.resolve(dialog);
    });
    const fields = { callId: newPeerId(), fromTag: 'peer', body: ANSWER, uri: `sip:bob@127.0.0.1:${port}` };
    await peer.send(peer.build('INVITE', { ...fields, branch: newPeerBranch() }), port);
    const toTag = (await peer.response(200, 'INVITE')).tag('To');
    const inside = (method: string, cseq: number, body: string) =>
      peer.send(peer.build(method, { ...fields, toTag, cseq, body }), port);
    await inside('ACK', 1, '');
    await inside('INVITE', 2, ANSWER);
    expect((await peer.response(200, 'INVITE')).body).toBe(CHANGED);
    await inside('ACK', 2, '');
    await inside('INVITE', 3, 'v=0\r\nelsewhere\r\n');
    await peer.response(488, 'INVITE');
    await inside('ACK', 3, '');
    await inside('UPDATE', 4, '');
    expect((await peer.response(200, 'UPDATE')).body).toBe('');
    expect([(await accepted.promise)?.state, byes]).toEqual(['confirmed', []]);
  });
});
