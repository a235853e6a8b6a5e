/** What a called device learns when another one has answered, in each order that CANCEL, 200, ACK and BYE can have. */
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import { SipAgent } from '../../../main/sip/agent/agent.ts';
import type { InviteDialog, ReceivedBye } from '../../../main/sip/agent/invite-dialog.ts';
import { IncomingInvite } from '../../../main/sip/agent/invite.ts';
import { SipEngine } from '../../../main/sip/engine/engine.ts';
import { ANSWERED_ELSEWHERE } from '../../../main/sip/reason.ts';
import { newPeerBranch, newPeerId, SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let port: number;
let peer: SipPeer;
let invited: PromiseWithResolvers<IncomingInvite>;
/** Called when bytes have reached the engine, before it reads them. */
let onArrival: (text: string) => void;

beforeEach(async () => {
  lifetime = new Lifetime();
  onArrival = () => undefined;
  invited = Promise.withResolvers();
  const path = join(tmpdir(), `parley-${randomUUID()}.sock`);
  const agent = lifetime.own(new SipAgent({ link: { kind: 'listen', path, secret: 'shared' } }));
  const engine = lifetime.own(
    new SipEngine({
      secret: 'shared',
      tap: ({ direction, bytes }) => {
        if (direction === 'in') onArrival(Buffer.from(bytes).toString());
      },
    }),
  );
  await agent.open();
  agent.handle('INVITE', (request) => {
    invited.resolve(new IncomingInvite(agent, request));
  });
  ({ port } = await engine.listenBoth('127.0.0.1', 0));
  await engine.dialApplication(path);
  await agent.whenConnected;
  peer = lifetime.own(await SipPeer.udp());
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

const call = { callId: newPeerId(), branch: newPeerBranch(), fromTag: newPeerId() };
const elsewhere = { headers: [`Reason: ${ANSWERED_ELSEWHERE}`] };

async function ring(): Promise<IncomingInvite> {
  await peer.send(peer.build('INVITE', { ...call, body: 'v=0\r\n' }), port);
  return invited.promise;
}

const cancel = (fields: { headers?: readonly string[] } = elsewhere) =>
  peer.send(peer.build('CANCEL', { ...call, contact: null, ...fields }), port);

interface Answered {
  readonly dialog: InviteDialog;
  readonly byes: readonly ReceivedBye[];
  readonly ok: PeerMessage;
}

async function accept(invite: IncomingInvite): Promise<Answered> {
  const byes: ReceivedBye[] = [];
  const dialog = await invite.accept(
    'v=0\r\n',
    { receiveBye: (bye) => void byes.push(bye) },
    { Contact: '<sip:tom@localhost>' },
  );
  if (dialog === undefined) throw new Error('not accepted');
  return { dialog, byes, ok: await peer.response(200, 'INVITE') };
}

const inDialog = (method: string, { ok }: Answered, cseq: number, headers: readonly string[] = []) =>
  peer.build(method, {
    uri: /<([^>]+)>/.exec(ok.header('Contact'))?.[1] ?? '',
    callId: call.callId,
    fromTag: call.fromTag,
    to: ok.header('To'),
    cseq,
    headers,
  });

it.each([
  ['because another device has answered', elsewhere, true],
  ['because the caller gives up', {}, false],
  ['with a reason that nobody can read', { headers: ['Reason: ;;,,="'] }, false],
])('CANCEL %s', async (_why, fields, answeredElsewhere) => {
  const invite = await ring();
  const cancelled = new Promise((resolve) => invite.cancelled.addEventListener('abort', resolve));
  await cancel(fields);
  await cancelled;
  expect(invite.answeredElsewhere).toBe(answeredElsewhere);
  await peer.response(487, 'INVITE');
});

it('CANCEL that crosses the answer between program and engine: not accepted, and the reason is there', async () => {
  const invite = await ring();
  const accepting = Promise.withResolvers<InviteDialog | undefined>();
  onArrival = (text) => {
    // The program answers before it hears of the CANCEL, and the engine reads the CANCEL before the answer.
    if (text.startsWith('CANCEL ')) {
      accepting.resolve(invite.accept('v=0\r\n', { receiveBye: () => undefined }));
    }
  };
  await cancel();
  expect(await accepting.promise).toBeUndefined();
  expect([invite.cancelled.aborted, invite.answeredElsewhere]).toEqual([true, true]);
  await peer.response(487, 'INVITE');
});

it('CANCEL after the answer has left has no effect (RFC 3261 §9.2); the BYE says why', async () => {
  const invite = await ring();
  const answered = await accept(invite);
  await cancel();
  await peer.response(481, 'CANCEL');
  expect([invite.cancelled.aborted, answered.dialog.state]).toEqual([false, 'confirmed']);
  await peer.send(inDialog('ACK', answered, 1), port);
  await answered.dialog.acked;
  await peer.send(inDialog('BYE', answered, 2, elsewhere.headers), port);
  await peer.response(200, 'BYE');
  expect(answered.byes).toEqual([
    { reason: 'Call completed elsewhere', fromPeer: true, answeredElsewhere: true },
  ]);
});

it('ACK may say it already (RFC 3326 §2)', async () => {
  const answered = await accept(await ring());
  await peer.send(inDialog('ACK', answered, 1, elsewhere.headers), port);
  await answered.dialog.acked;
  expect([answered.dialog.answeredElsewhere, answered.dialog.state]).toEqual([true, 'confirmed']);
});

it('BYE that crosses ours says why as well, before ours is answered', async () => {
  const answered = await accept(await ring());
  await peer.send(inDialog('ACK', answered, 1), port);
  await answered.dialog.acked;
  const hangingUp = answered.dialog.sendBye();
  const ours = await peer.request('BYE');
  await peer.send(inDialog('BYE', answered, 2, elsewhere.headers), port);
  await peer.response(200, 'BYE');
  await peer.answer(ours, 481);
  await hangingUp;
  expect(answered.byes).toEqual([]);
  expect(answered.dialog.answeredElsewhere).toBe(true);
});

it('an ordinary BYE is no such thing, whatever its cause', async () => {
  const answered = await accept(await ring());
  await peer.send(inDialog('ACK', answered, 1), port);
  await peer.send(inDialog('BYE', answered, 2, ['Reason: SIP;cause=200;text="User hung up"']), port);
  await peer.response(200, 'BYE');
  expect(answered.byes).toEqual([{ reason: 'User hung up', fromPeer: true, answeredElsewhere: false }]);
});
