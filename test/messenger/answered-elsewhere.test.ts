/**
 * A device of Tom's that has lost: another one has answered Bob. Bob's server and his computer are scripted, so that what
 * the device hears comes in each order that there is. It says calmly what has happened, and asks for nothing more.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import { DOMAIN, World, type Person } from '../support/im-world.ts';
import { MsrpPeerListener, type MsrpPeer, type PeerFrame } from '../support/msrp-peer.ts';
import {
  newPeerBranch,
  newPeerId,
  SipPeer,
  type PeerMessage,
  type RequestFields,
} from '../support/sip-peer.ts';

const ELSEWHERE = ['Reason: SIP;cause=200;text="Call completed elsewhere"'];

let world: World;
let server: SipPeer;
let host: MsrpPeerListener;
let tom: Person;
/** Where the device listens for SIP, and its Contact. */
let device: { port: number; contact: string };
let call: { callId: string; branch: string; fromTag: string };

beforeEach(async () => {
  world = await World.open([]);
  server = world.own(await SipPeer.udp());
  host = world.own(await MsrpPeerListener.listen());
  call = { callId: newPeerId(), branch: newPeerBranch(), fromTag: newPeerId() };
  tom = await world.openPerson('tom');
  await tom.addAccount(`sip:127.0.0.1:${server.port};transport=udp`);
  const register = await server.request('REGISTER');
  const contact = register.header('Contact');
  device = { port: register.port, contact: /<([^>]+)>/.exec(contact)?.[1] ?? '' };
  await server.answer(register, 200, { headers: [`Contact: ${contact}`] });
  await tom.online();
});
afterEach(async () => {
  const leaving = world[Symbol.asyncDispose]();
  // It signs off, and waits for the answer.
  await server.answer(await server.request('REGISTER'), 200);
  await leaving;
});

function request(method: string, fields: RequestFields = {}): string {
  return server.build(method, {
    uri: device.contact,
    from: `<sip:bob@${DOMAIN}>;tag=${call.fromTag}`,
    to: `<sip:tom@${DOMAIN}>`,
    callId: call.callId,
    ...fields,
  });
}

const send = (method: string, fields: RequestFields = {}) =>
  server.send(request(method, fields), device.port);

/** Bob's invitation, by way of the server. */
async function invite(): Promise<void> {
  const port = /:(\d+)\//.exec(host.path)?.[1] ?? '';
  await send('INVITE', {
    branch: call.branch,
    body: `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message ${port} TCP/MSRP *\r\na=path:${host.path}\r\na=setup:actpass\r\na=accept-types:message/cpim text/plain *\r\n`,
  });
}

const cancel = (headers: readonly string[]) =>
  send('CANCEL', { branch: call.branch, contact: null, headers });

interface Visit {
  readonly ofTom: Conversation;
  readonly peer: MsrpPeer;
  readonly frame: PeerFrame;
}

/** The device lets Bob in by itself, and has come to visit him. */
async function visited(): Promise<Visit> {
  const ofTom = await tom.meet('bob');
  await invite();
  const peer = await host.accept();
  return { ofTom, peer, frame: await peer.frame() };
}

/** The visit is acknowledged and the device has said yes. */
async function answered(): Promise<Visit & { ok: PeerMessage }> {
  const visit = await visited();
  visit.peer.answer(visit.frame);
  return { ...visit, ok: await server.response(200, 'INVITE') };
}

const ack = ({ ok }: { ok: PeerMessage }, headers: readonly string[] = []) =>
  request('ACK', { to: ok.header('To'), headers });
const bye = ({ ok }: { ok: PeerMessage }, headers = ELSEWHERE) =>
  request('BYE', { to: ok.header('To'), cseq: 2, headers });

/** How it ended, and that it was never open in a window. */
async function endOf(conversation: Conversation): Promise<Session['end']> {
  const { end, openedMs } = await tom.session(conversation, 'ended');
  expect(openedMs).toBeNull();
  return end;
}

/** Nothing is unread or waits, and Bob's computer is not asked for anything more. */
async function expectCalm({ ofTom, peer }: Pick<Visit, 'ofTom' | 'peer'>): Promise<void> {
  expect(await endOf(ofTom)).toEqual({
    code: 'answered-elsewhere',
    message: 'You answered on another device.',
  });
  await peer.untilEnded();
  expect(peer.received.length).toBe(0);
  const now = (await tom.commands['conversation.list']({})).find(({ id }) => id === ofTom.id);
  expect([now?.unreadCount, now?.lastMessage]).toEqual([0, null]);
  expect(tom.sessions(ofTom)).toHaveLength(1);
}

describe('while it asks its user', () => {
  it.each([
    ['another device has answered', ELSEWHERE, 'answered-elsewhere', 'You answered on another device.'],
    [
      'another device has said no',
      ['Reason: SIP;cause=603;text="Declined elsewhere"'],
      'answered-elsewhere',
      'You answered on another device.',
    ],
    [
      'Bob has waited long enough',
      ['Reason: SIP;cause=408;text="Request Timeout"'],
      'missed',
      'You did not answer bob in time.',
    ],
    ['Bob waits no longer', [], 'taken-back', 'bob took the invitation back before you answered.'],
  ])('CANCEL because %s', async (_what, headers, code, message) => {
    await invite();
    await server.response(180, 'INVITE');
    const ofTom = await tom.with('bob');
    await tom.session(ofTom, 'asked');
    await cancel(headers);
    expect(await endOf(ofTom)).toEqual({ code, message });
    await server.response(487, 'INVITE');
    const { id } = await tom.session(ofTom, 'ended');
    expect(tom.messenger.openSessions().map((session) => session.id)).not.toContain(id);
  });
});

describe('while it says yes by itself', () => {
  it('CANCEL before its visit is acknowledged', async () => {
    const visit = await visited();
    await cancel(ELSEWHERE);
    await server.response(487, 'INVITE');
    await expectCalm(visit);
  });

  it('CANCEL after its 200 has left has no effect; ACK and BYE say why', async () => {
    const visit = await answered();
    await cancel(ELSEWHERE);
    await server.response(481, 'CANCEL');
    await server.send(ack(visit), device.port);
    await server.send(bye(visit), device.port);
    await server.response(200, 'BYE');
    await expectCalm(visit);
  });

  it('ACK that says why: it is not open for a moment, and does not wait for the BYE', async () => {
    const visit = await answered();
    await server.send(ack(visit, ELSEWHERE), device.port);
    await server.answer(await server.request('BYE'), 481);
    await expectCalm(visit);
  });

  it.each([
    ['nothing', []],
    ['what the server has words for', ['Reason: SIP;cause=200;text="ACK-BYE due to cancel race condition"']],
    ['something else', ['Reason: Q.850;cause=16;text="Normal call clearing"']],
  ])('ACK that says why, and a BYE right behind it that says %s: the ACK counts', async (_what, headers) => {
    const visit = await answered();
    await server.send(ack(visit, ELSEWHERE), device.port);
    await server.send(bye(visit, headers), device.port);
    await server.response(200, 'BYE');
    await expectCalm(visit);
  });

  it('BYE some time after an ACK that says nothing', async () => {
    const visit = await answered();
    await server.send(ack(visit), device.port);
    await tom.session(visit.ofTom, 'open');
    await server.send(bye(visit), device.port);
    await server.response(200, 'BYE');
    expect((await tom.session(visit.ofTom, 'ended')).end?.code).toBe('answered-elsewhere');
  });

  it('BYE together with the ACK', async () => {
    const visit = await answered();
    await Promise.all([server.send(ack(visit), device.port), server.send(bye(visit), device.port)]);
    await server.response(200, 'BYE');
    await expectCalm(visit);
  });

  it('BYE before the ACK', async () => {
    const visit = await answered();
    await server.send(bye(visit), device.port);
    await server.response(200, 'BYE');
    await server.send(ack(visit), device.port);
    await expectCalm(visit);
  });

  it('Bob’s computer closes its visit before it hears why', async () => {
    const visit = await answered();
    visit.peer.socket.end();
    await visit.peer.untilEnded();
    await server.fence(device.port);
    await server.send(ack(visit), device.port);
    // The device hangs up, as the way of messages is gone; the server's BYE crosses that.
    const ours = await server.request('BYE');
    await server.send(bye(visit), device.port);
    await server.response(200, 'BYE');
    await server.answer(ours, 481);
    await expectCalm(visit);
  });

  it('Bob’s computer closes its visit right behind its answer, while the 200 is on its way', async () => {
    const visit = await visited();
    visit.peer.answer(visit.frame);
    visit.peer.socket.end();
    const ok = await server.response(200, 'INVITE');
    await server.send(ack({ ok }, ELSEWHERE), device.port);
    await server.answer(await server.request('BYE'), 481);
    await expectCalm(visit);
  });

  it('Bob’s computer refuses its visit (506): BYE in the middle of the second one', async () => {
    const { ofTom, peer, frame } = await visited();
    peer.answer(frame, 506, 'In use');
    const ok = await server.response(200, 'INVITE');
    await server.send(ack({ ok }), device.port);
    await peer.frame();
    await server.send(bye({ ok }), device.port);
    await server.response(200, 'BYE');
    await expectCalm({ ofTom, peer });
  });
});

describe('what is no such thing', () => {
  it('a visit that is closed before the ACK, and nobody says why: the connection was lost', async () => {
    const visit = await answered();
    visit.peer.socket.end();
    await visit.peer.untilEnded();
    await server.send(ack(visit), device.port);
    await server.answer(await server.request('BYE'), 200);
    expect((await endOf(visit.ofTom))?.code).toBe('media-lost');
  });

  it('a BYE without a reason, before it is open: Bob has ended it', async () => {
    const visit = await answered();
    await Promise.all([server.send(ack(visit), device.port), server.send(bye(visit, []), device.port)]);
    await server.response(200, 'BYE');
    expect((await tom.session(visit.ofTom, 'ended')).end?.code).toBe('ended-by-peer');
  });
});
