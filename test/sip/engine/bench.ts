/**
 * Owns: one engine with a bare application and a bare SIP peer, for tests of single rules.
 * Called by: test/sip/engine. Calls: main/sip/engine, test/support.
 */
import { SipEngine, type SipEngineOptions } from '../../../main/sip/engine/engine.ts';
import { ControlPeer, type EngineFrame } from '../../support/control-peer.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

export const SECRET = 'cymru';
export const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n';
export const ALL_ROUTES = [
  'invite',
  'message',
  'options',
  'register',
  'info',
  'refer',
  'notify',
  'subscribe',
];

/** An engine on one port for UDP and TCP. */
export interface Bench extends AsyncDisposable {
  readonly engine: SipEngine;
  readonly clock: ManualClock;
  readonly app: ControlPeer;
  readonly peer: SipPeer;
  readonly admin: { host: string; port: number };
  /** The SIP port of the engine. */
  readonly port: number;
  /** A peer on a connection to the engine, closed with the bench. */
  tcpPeer(): Promise<SipPeer>;
  own<T extends AsyncDisposable | Disposable>(resource: T): T;
}

export async function startBench(
  options: Partial<SipEngineOptions> & { readonly routes?: readonly string[] } = {},
): Promise<Bench> {
  const stack = new AsyncDisposableStack();
  const clock = new ManualClock();
  const engine = stack.use(new SipEngine({ secret: SECRET, clock, ...options }));
  const { port } = await engine.listenBoth('127.0.0.1', 0);
  const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
  const app = stack.use(await ControlPeer.open(admin, SECRET, options.routes ?? ALL_ROUTES));
  const peer = stack.use(await SipPeer.udp());
  return {
    engine,
    clock,
    app,
    peer,
    admin,
    port,
    tcpPeer: async () => stack.use(await SipPeer.tcp(port)),
    own: (resource) => stack.use(resource),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

export interface OutboundCall {
  readonly invite: PeerMessage;
  readonly echo: EngineFrame;
  readonly transactionId: string;
  readonly dialogId: string;
}

/** The application calls the peer; the INVITE has arrived. */
export async function callPeer(bench: Bench, peer: SipPeer = bench.peer): Promise<OutboundCall> {
  const tcp = peer.transport === 'udp' ? '' : `;transport=${peer.transport}`;
  const echo = await bench.app.request(`INVITE sip:callee@127.0.0.1:${peer.port}${tcp}`, [], SDP);
  const invite = await peer.request('INVITE');
  const dialogId = `${invite.header('Call-ID')};from-tag=${invite.tag('From')}`;
  return { invite, echo, transactionId: echo.token(10), dialogId };
}

/** The application calls the peer, who answers 200; the ACK has arrived. */
export async function establishOutbound(bench: Bench, peer: SipPeer = bench.peer): Promise<OutboundCall> {
  const call = await callPeer(bench, peer);
  await peer.answer(call.invite, 200, { body: SDP });
  await bench.app.sip('SIP/2.0 200');
  await bench.app.ask(['sip', '', call.dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
  await peer.request('ACK');
  return call;
}

export interface InboundCall {
  readonly frame: EngineFrame;
  readonly ok: PeerMessage;
  readonly transactionId: string;
  readonly dialogId: string;
  readonly fields: { callId: string; fromTag: string; toTag: string };
}

/** The peer calls, the application answers 200; no ACK yet. */
export async function acceptInbound(
  bench: Bench,
  peer: SipPeer = bench.peer,
  fields: Parameters<SipPeer['build']>[1] = {},
): Promise<InboundCall> {
  const callId = fields.callId ?? `call-${Math.random().toString(36).slice(2)}`;
  await peer.send(peer.build('INVITE', { callId, fromTag: 'caller', body: SDP, ...fields }), bench.port);
  await peer.response(100, 'INVITE');
  const frame = await bench.app.sip('INVITE');
  const echo = await bench.app.respond(frame.transactionId, 200, 'OK', [], SDP);
  const ok = await peer.response(200, 'INVITE');
  return {
    frame,
    ok,
    transactionId: frame.transactionId,
    dialogId: echo.token(11),
    fields: { callId, fromTag: 'caller', toTag: ok.tag('To') },
  };
}

/** As {@link acceptInbound}, and the ACK has reached the application. */
export async function establishInbound(
  bench: Bench,
  peer: SipPeer = bench.peer,
  fields: Parameters<SipPeer['build']>[1] = {},
): Promise<InboundCall> {
  const call = await acceptInbound(bench, peer, fields);
  await peer.send(peer.build('ACK', { ...call.fields, cseq: fields.cseq ?? 1 }), bench.port);
  await bench.app.sip('ACK');
  return call;
}
