import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SipPeer } from '../../support/sip-peer.ts';
import { acceptInbound, callPeer, SDP, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const T1 = 500;
const T2 = 4_000;
const T4 = 5_000;

function arrived(peer: SipPeer, test: (startLine: string) => boolean): number {
  return peer.log.filter(({ startLine }) => test(startLine)).length;
}

/** Lets the time pass; then everything that it led to has arrived. */
async function pass(ms: number, peer: SipPeer = bench.peer): Promise<void> {
  bench.clock.advance(ms);
  if (peer.transport === 'udp' || peer.connections > 0) await peer.fence(bench.port);
}

/** The waits after which a message comes again, one after the other, and not a moment before. */
async function expectRepeats(waits: readonly number[], isIt: (startLine: string) => boolean): Promise<void> {
  let count = arrived(bench.peer, isIt);
  for (const ms of waits) {
    await pass(ms - 1);
    expect(arrived(bench.peer, isIt)).toBe(count);
    await pass(1);
    count += 1;
    expect(arrived(bench.peer, isIt)).toBe(count);
  }
}

const isInvite = (startLine: string): boolean => startLine.startsWith('INVITE ');
const isOptions = (startLine: string): boolean => startLine.startsWith('OPTIONS ');
const isStatus =
  (status: number) =>
  (startLine: string): boolean =>
    startLine.startsWith(`SIP/2.0 ${status} `);

describe('client transactions (RFC 3261 Table 4)', () => {
  it('timer A (§17.1.1.2): an INVITE over UDP is repeated at T1, doubling without bound', async () => {
    await callPeer(bench);
    await expectRepeats([T1, 2 * T1, 4 * T1, 8 * T1, 16 * T1], isInvite);
  });

  it('timer A (§17.1.1.2): over TCP an INVITE is not repeated', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await callPeer(bench, peer);
    await pass(16_000, peer);
    expect(arrived(peer, isInvite)).toBe(1);
  });

  it.each(['udp', 'tcp'] as const)(
    'timer B (§17.1.1.2): an INVITE over %s without answer ends after 64*T1',
    async (transport) => {
      const peer = transport === 'udp' ? bench.peer : bench.own(await SipPeer.tcpListener());
      await callPeer(bench, peer);
      await pass(64 * T1 - 1, peer);
      expect(bench.engine.load.clientTransactions).toBe(1);
      bench.clock.advance(1);
      await bench.app.sip('SIP/2.0 408');
    },
  );

  it('timer C (§16.6): an INVITE that rings for 185 s is cancelled; each provisional response begins it anew', async () => {
    const { app, peer } = bench;
    const { invite } = await callPeer(bench);
    await peer.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    await pass(184_999);
    await peer.answer(invite, 182);
    await app.sip('SIP/2.0 182');
    await pass(184_999);
    expect(arrived(peer, (line) => line.startsWith('CANCEL'))).toBe(0);
    await pass(1);
    await peer.request('CANCEL');
  });

  it('timer D (§17.1.1.2): a repeated failure is acknowledged again for 32 s over UDP, and not at all over TCP', async () => {
    const { app, peer, engine } = bench;
    const { invite } = await callPeer(bench);
    await peer.answer(invite, 486);
    await peer.request('ACK');
    await app.sip('SIP/2.0 486');
    await pass(31_999);
    await peer.answer(invite, 486);
    await peer.request('ACK');
    bench.clock.advance(1);
    expect(engine.load.clientTransactions).toBe(0);
    const stream = bench.own(await SipPeer.tcpListener());
    const call = await callPeer(bench, stream);
    await stream.answer(call.invite, 486);
    await app.sip('SIP/2.0 486');
    expect(engine.load.clientTransactions).toBe(0);
  });

  it('timer E (§17.1.2.2): another request over UDP is repeated at T1, doubling to T2; in Proceeding at T2', async () => {
    const { app, peer } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.request('OPTIONS');
    await expectRepeats([T1, 2 * T1, 4 * T1, T2, T2], isOptions);
    await app.request(`OPTIONS sip:y@127.0.0.1:${peer.port}`);
    const second = await peer.messages.next(({ startLine }) => startLine.startsWith('OPTIONS sip:y@'), 'y');
    await peer.answer(second, 100);
    await peer.fence(bench.port);
    const isSecond = (line: string): boolean => line.startsWith('OPTIONS sip:y@');
    await expectRepeats([T1, T2, T2], isSecond);
  });

  it('timer F (§17.1.2.2): another request ends after 64*T1, also in Proceeding', async () => {
    const { app, peer } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.answer(await peer.request('OPTIONS'), 183);
    await app.sip('SIP/2.0 183');
    await pass(64 * T1 - 1);
    expect(app.log.some(({ startLine }) => startLine.startsWith('SIP/2.0 408'))).toBe(false);
    bench.clock.advance(1);
    await app.sip('SIP/2.0 408');
  });

  it('timer K (§17.1.2.2): a repeated answer is absorbed for T4 over UDP, and not at all over TCP', async () => {
    const { app, peer, engine } = bench;
    await app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.answer(await peer.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    bench.clock.advance(T4 - 1);
    expect(engine.load.clientTransactions).toBe(1);
    bench.clock.advance(1);
    expect(engine.load.clientTransactions).toBe(0);
    const stream = bench.own(await SipPeer.tcpListener());
    await app.request(`OPTIONS sip:x@127.0.0.1:${stream.port};transport=tcp`);
    await stream.answer(await stream.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    expect(engine.load.clientTransactions).toBe(0);
  });

  it('timer M (RFC 6026 §8.4): a 2xx of another fork is taken for 64*T1, and dropped afterwards', async () => {
    const { app, peer, engine } = bench;
    const { invite, dialogId } = await callPeer(bench);
    await peer.answer(invite, 200, { body: SDP });
    await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    await peer.request('ACK');
    await pass(64 * T1 - 1);
    await peer.answer(invite, 200, { toTag: 'late', body: SDP });
    expect((await peer.request('ACK')).tag('To')).toBe('late');
    await peer.answer(await peer.request('BYE'), 200);
    await pass(1);
    const acks = arrived(peer, (line) => line.startsWith('ACK'));
    await peer.answer(invite, 200, { toTag: 'later', body: SDP });
    await peer.fence(bench.port);
    expect(arrived(peer, (line) => line.startsWith('ACK'))).toBe(acks);
    await pass(T4);
    expect([engine.load.clientTransactions, engine.load.dialogs]).toEqual([0, 1]);
  });
});

describe('server transactions (RFC 3261 Table 4)', () => {
  const FIELDS = { callId: 'timers', branch: 'z9hG4bKtimers', fromTag: 'caller' };

  /** The peer calls, the application refuses. */
  async function refuse(peer: SipPeer = bench.peer): Promise<string> {
    await peer.send(peer.build('INVITE', FIELDS), bench.port);
    await bench.app.respond((await bench.app.sip('INVITE')).transactionId, 486);
    return (await peer.response(486, 'INVITE')).tag('To');
  }

  it('timer G (§17.2.1): a failure over UDP is repeated at T1, doubling to T2, until its ACK', async () => {
    const { peer, port } = bench;
    const toTag = await refuse();
    await expectRepeats([T1, 2 * T1, 4 * T1, T2, T2], isStatus(486));
    await peer.send(peer.build('ACK', { ...FIELDS, toTag }), port);
    await peer.fence(port);
    await pass(20_000);
    expect(arrived(peer, isStatus(486))).toBe(6);
  });

  it('timer G (§17.2.1): over TCP a failure is not repeated', async () => {
    const peer = await bench.tcpPeer();
    await refuse(peer);
    bench.clock.advance(20_000);
    await peer.send(peer.build('UPDATE', { callId: 'fence-tcp' }), bench.port);
    await peer.response(481, 'UPDATE');
    expect(arrived(peer, isStatus(486))).toBe(1);
  });

  it('timer H (§17.2.1): without an ACK the transaction ends after 64*T1', async () => {
    await refuse();
    bench.clock.advance(64 * T1 - 1);
    expect(bench.engine.load.serverTransactions).toBe(1);
    bench.clock.advance(1);
    expect(bench.engine.load.serverTransactions).toBe(0);
  });

  it('timer I (§17.2.1): a repeated ACK is absorbed for T4 over UDP', async () => {
    const { app, peer, port, engine } = bench;
    const toTag = await refuse();
    await peer.send(peer.build('ACK', { ...FIELDS, toTag }), port);
    await peer.fence(port);
    const others = engine.load.serverTransactions - 1;
    bench.clock.advance(T4 - 1);
    await peer.send(peer.build('ACK', { ...FIELDS, toTag }), port);
    await peer.fence(port);
    expect(engine.load.serverTransactions).toBe(others + 2);
    bench.clock.advance(1);
    expect(engine.load.serverTransactions).toBe(others + 1);
    expect(app.log.some(({ startLine }) => startLine.startsWith('ACK'))).toBe(false);
  });

  it('timer J (§17.2.2): a repeated request is answered again for 64*T1 over UDP, then it is a new one', async () => {
    const { app, peer, port } = bench;
    const text = peer.build('MESSAGE', FIELDS);
    await peer.send(text, port);
    await app.respond((await app.sip('MESSAGE')).transactionId, 200);
    const answer = await peer.response(200, 'MESSAGE');
    bench.clock.advance(64 * T1 - 1);
    await peer.send(text, port);
    expect((await peer.response(200, 'MESSAGE')).text).toBe(answer.text);
    bench.clock.advance(1);
    await peer.send(text, port);
    await app.sip('MESSAGE');
  });

  it('timer L (RFC 6026 §7.1): a repeated INVITE is absorbed for 64*T1 after its 2xx', async () => {
    const { app, peer, port, engine } = bench;
    const call = await acceptInbound(bench, peer, FIELDS);
    await peer.send(peer.build('ACK', { ...call.fields, branch: 'z9hG4bKack' }), port);
    await app.sip('ACK');
    bench.clock.advance(64 * T1 - 1);
    await peer.send(peer.build('INVITE', { ...FIELDS, body: SDP }), port);
    await peer.fence(port);
    expect(app.log.filter(({ startLine }) => isInvite(startLine))).toHaveLength(1);
    bench.clock.advance(1);
    await pass(64 * T1);
    await pass(64 * T1);
    expect(engine.load.dialogs).toBe(1);
  });

  it('the 2xx itself (§13.3.1.4) is repeated at T1, doubling to T2, over TCP too', async () => {
    await acceptInbound(bench);
    await expectRepeats([T1, 2 * T1, 4 * T1, T2, T2], isStatus(200));
    const peer = await bench.tcpPeer();
    const call = await acceptInbound(bench, peer);
    bench.clock.advance(T1);
    expect((await peer.response(200, 'INVITE')).text).toBe(call.ok.text);
  });
});
