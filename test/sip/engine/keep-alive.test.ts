import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_NETWORK_LIMITS } from '../../../main/base/limits.ts';
import { answerStun, buildStunRequest, isStun, parseStun } from '../../../main/sip/engine/stun.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { startBench, type Bench } from './bench.ts';

const { keepAliveMs, keepAliveAnswerMs, probeAnswerMs, natBindingMs, stunAttempts } = SIP_NETWORK_LIMITS;
const NOTICED_MS = 20_000;

interface Lost {
  transport: string;
  remoteAddress: string;
  remotePort: number;
  reason: string;
}

let bench: Bench;
let lost: Lost[];
let own: string[];

beforeEach(async () => {
  own = ['127.0.0.1'];
  bench = await startBench({ random: () => 1, ownAddresses: () => own });
  lost = [];
  bench.engine.onFlowLost((flow) => lost.push(flow));
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setImmediate(done));
  }
}

/** Our application registers at that peer. */
async function register(peer: SipPeer, expires = 3_600): Promise<void> {
  const transport = peer.transport === 'udp' ? '' : `;transport=${peer.transport}`;
  const contact = `Contact: <sip:me@localhost${transport}>;expires=${expires}`;
  await bench.app.request(`REGISTER sip:127.0.0.1:${peer.port}${transport}`, [
    'To: <sip:me@example.test>',
    contact,
  ]);
  const request = await peer.request('REGISTER');
  await peer.answer(request, 200, { contact: request.header('Contact') });
  await bench.app.sip('SIP/2.0 200');
}

/** The peer asks something and has its answer: what came before has been seen. */
async function settle(): Promise<void> {
  await bench.peer.fence(bench.port);
}

describe('keep-alive on streams (RFC 5626 §4.4.1)', () => {
  it('CRLFCRLF after each pause, answered by CRLF; a flow that answers is not lost', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.clock.advance(keepAliveMs - 1);
    await settle();
    expect(peer.pings).toBe('');
    for (let i = 1; i <= 3; i += 1) {
      bench.clock.advance(i === 1 ? 1 : keepAliveMs);
      await until(() => peer.pings === '\r\n\r\n'.repeat(i), 'a keep-alive');
      const timers = bench.clock.pending;
      await peer.send('\r\n');
      await peer.fence(0);
      expect(bench.clock.pending).toBeLessThanOrEqual(timers + 2);
    }
    expect(lost).toEqual([]);
    // Our pongs would be line ends too: none has been sent.
    expect(peer.pings).toBe('\r\n\r\n'.repeat(3));
  });

  it('a ping of the peer is answered while our own is open', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.clock.advance(keepAliveMs);
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive');
    await peer.send('\r\n\r\n');
    await until(() => peer.pings === '\r\n\r\n\r\n', 'the answer to the ping of the peer');
    await peer.send('\r\n');
    await peer.fence(0);
    expect(peer.pings).toBe('\r\n\r\n\r\n');
  });

  it('a peer that falls silent: its flow is lost within 20 s, its requests get 503', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.clock.advance(keepAliveMs);
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive');
    await peer.send('\r\n');
    await peer.fence(0);
    // From here on the network is dead.
    await bench.app.request(`OPTIONS sip:x@127.0.0.1:${peer.port};transport=tcp`);
    await peer.request('OPTIONS');
    bench.clock.advance(keepAliveMs);
    await settle();
    bench.clock.advance(keepAliveAnswerMs - 1);
    await settle();
    expect(lost).toEqual([]);
    bench.clock.advance(1);
    const reason = `127.0.0.1:${peer.port} no longer answers keep-alives`;
    expect(lost).toEqual([{ transport: 'tcp', remoteAddress: '127.0.0.1', remotePort: peer.port, reason }]);
    expect(keepAliveMs + keepAliveAnswerMs).toBeLessThanOrEqual(NOTICED_MS);
    await until(() => peer.closed, 'the end of the connection');
    // The request that had served this connection before is sent again on a new one (RFC 3261 §18.1.1 is no matter here).
    expect((await peer.request('OPTIONS')).startLine).toContain('OPTIONS');
  });

  it('a peer that has never answered one is sent them, and not given up', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    for (let i = 1; i <= 5; i += 1) {
      bench.clock.advance(keepAliveMs);
      await until(() => peer.pings === '\r\n\r\n'.repeat(i), 'a keep-alive');
    }
    bench.clock.advance(keepAliveAnswerMs - 1);
    await settle();
    expect([lost, peer.closed]).toEqual([[], false]);
  });

  it('a registered connection that its peer closes is told at once', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    peer.end();
    await until(() => lost.length === 1, 'the loss');
    expect(lost[0]?.reason).toBe(`127.0.0.1:${peer.port} closed the connection`);
  });

  it('one that carries no registration is neither kept nor told; nor one whose registration is over', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await bench.app.request(`OPTIONS sip:x@127.0.0.1:${peer.port};transport=tcp`);
    await peer.answer(await peer.request('OPTIONS'), 200);
    await bench.app.sip('SIP/2.0 200');
    bench.clock.advance(keepAliveMs);
    await register(peer);
    await register(peer, 0);
    bench.clock.advance(keepAliveMs);
    await register(peer, 5);
    bench.clock.advance(keepAliveMs);
    await settle();
    expect(peer.pings).toBe('');
    peer.end();
    await until(() => peer.closed, 'the end');
    await settle();
    expect(lost).toEqual([]);
  });

  it('pauses are drawn from 80 to 100 %', async () => {
    await using other = await startBench({ random: () => 0 });
    const peer = other.own(await SipPeer.tcpListener());
    await other.app.request(`REGISTER sip:127.0.0.1:${peer.port};transport=tcp`, [
      'Contact: <sip:me@localhost>',
    ]);
    await peer.answer(await peer.request('REGISTER'), 200);
    await other.app.sip('SIP/2.0 200');
    other.clock.advance(0.8 * keepAliveMs);
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive');
  });

  it('nothing is told at the end of the engine', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    await bench.engine[Symbol.asyncDispose]();
    expect([lost, bench.clock.pending]).toEqual([[], 0]);
  });
});

describe('keep-alive on UDP (RFC 5626 §4.4.2)', () => {
  it('STUN while the peer answers; without an answer the flow is lost within 20 s', async () => {
    const peer = bench.peer;
    peer.answersStun = true;
    await register(peer);
    for (let i = 1; i <= 3; i += 1) {
      bench.clock.advance(keepAliveMs);
      await until(() => peer.stun === i, 'a STUN request');
      await settle();
    }
    peer.answersStun = false;
    await bench.app.request(`OPTIONS sip:x@127.0.0.1:${peer.port}`);
    await peer.request('OPTIONS');
    bench.clock.advance(keepAliveMs);
    await until(() => peer.stun === 4, 'a STUN request');
    for (const [index, ms] of [500, 1_000, 2_000, 4_000].entries()) {
      bench.clock.advance(ms);
      await until(() => peer.stun === 5 + index, 'a repeated STUN request');
    }
    bench.clock.advance(keepAliveAnswerMs - 7_501);
    expect(lost).toEqual([]);
    bench.clock.advance(1);
    expect(lost).toEqual([
      {
        transport: 'udp',
        remoteAddress: '127.0.0.1',
        remotePort: peer.port,
        reason: `127.0.0.1:${peer.port} no longer answers keep-alives`,
      },
    ]);
    const answer = await bench.app.sip('SIP/2.0 503');
    expect(answer.sip?.header('Warning')).toContain('no longer answers keep-alives');
  });

  it('another address in the answer: the NAT has changed, the flow is lost', async () => {
    const peer = bench.peer;
    peer.answersStun = true;
    await register(peer);
    bench.clock.advance(keepAliveMs);
    await until(() => peer.stun === 1, 'a STUN request');
    await settle();
    peer.stunAddress = '192.0.2.99';
    bench.clock.advance(keepAliveMs);
    await until(() => lost.length === 1, 'the loss');
    expect(lost[0]?.reason).toBe(`the address under which 127.0.0.1:${peer.port} sees us has changed`);
  });

  it('a peer that knows no STUN gets CRLFCRLF for its NAT every 29 s, and is not given up', async () => {
    const peer = bench.peer;
    await register(peer);
    for (let i = 0; i < stunAttempts; i += 1) bench.clock.advance(keepAliveMs + keepAliveAnswerMs);
    await settle();
    const asked = peer.stun;
    expect(asked).toBeGreaterThanOrEqual(stunAttempts);
    for (let i = 1; i <= 3; i += 1) {
      bench.clock.advance(natBindingMs);
      await until(() => peer.pings === '\r\n\r\n'.repeat(i), 'line ends');
    }
    expect([peer.stun, lost]).toEqual([asked, []]);
  });
});

describe('STUN (RFC 5389)', () => {
  const id = '0102030405060708090a0b0c';

  it('a binding request is answered with where it came from', async () => {
    await bench.peer.send(buildStunRequest(id), bench.port);
    await until(() => bench.peer.stunAnswers.length === 1, 'the answer');
    const answer = parseStun(bench.peer.stunAnswers[0] ?? Buffer.alloc(0));
    expect(answer).toEqual({ kind: 'success', id, mapped: `127.0.0.1 ${bench.peer.port}`, unknown: [] });
  });

  it('the test vectors of RFC 5769 §2.2, §2.3', () => {
    const four = Buffer.from('0101000c2112a442b7e7a701bc34d686fa87dfae002000080001a147e112a643', 'hex');
    expect(parseStun(four)).toEqual({
      kind: 'success',
      id: 'b7e7a701bc34d686fa87dfae',
      mapped: '192.0.2.1 32853',
      unknown: [],
    });
    const request = parseStun(buildStunRequest('b7e7a701bc34d686fa87dfae'));
    expect(request && answerStun(request, '192.0.2.1', 32_853)?.toString('hex')).toBe(four.toString('hex'));
    const six = '002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9';
    expect(
      request && answerStun(request, '2001:db8:1234:5678:11:2233:4455:6677', 32_853)?.toString('hex'),
    ).toBe(`010100182112a442b7e7a701bc34d686fa87dfae${six}`);
  });

  it('an attribute that has to be understood and is not: 420 (§7.3.1)', () => {
    const request = Buffer.concat([buildStunRequest(id), Buffer.from('0006000478787878', 'hex')]);
    request.writeUInt16BE(8, 2);
    const parsed = parseStun(request);
    expect(parsed?.unknown).toEqual([6]);
    const answer = parsed && answerStun(parsed, '127.0.0.1', 1);
    expect(answer?.readUInt16BE(0)).toBe(0x0111);
    expect(answer?.toString('latin1')).toContain('Unknown Attribute');
  });

  it('what is cut short or no STUN is ignored, at every length', async () => {
    const whole = Buffer.concat([buildStunRequest(id), Buffer.from('8022000474657374', 'hex')]);
    whole.writeUInt16BE(8, 2);
    expect(parseStun(whole)?.kind).toBe('request');
    for (let length = 0; length < whole.length; length += 1)
      expect(parseStun(whole.subarray(0, length))).toBeUndefined();
    expect(isStun(Buffer.from('OPTIONS sip:x@example.test SIP/2.0\r\n'))).toBe(false);
    for (let length = 0; length < whole.length; length += 1)
      await bench.peer.send(whole.subarray(0, length), bench.port);
    await settle();
    expect(bench.peer.stunAnswers).toEqual([]);
  });
});

describe('another network', () => {
  it('closes connections from an address that is gone, asks the others, forgets what is dead', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.engine.receiveNetworkChange();
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive at once');
    await peer.send('\r\n');
    await peer.fence(0);
    own = ['192.0.2.77'];
    bench.engine.receiveNetworkChange();
    expect(lost.map(({ reason }) => reason)).toEqual(['this machine no longer has the address 127.0.0.1']);
    await until(() => peer.closed, 'the end of the connection');
  });

  it('an answer that does not come to that question: lost within 2 s, what waits goes over a new connection', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.engine.receiveNetworkChange();
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive');
    bench.clock.advance(probeAnswerMs - 1);
    expect(lost).toEqual([]);
    bench.clock.advance(1);
    expect(lost).toHaveLength(1);
    expect(peer.connections).toBe(1);
    await register(peer);
    expect(peer.connections).toBe(2);
  });

  it('anything that comes in time shows that the way is alive', async () => {
    const peer = bench.own(await SipPeer.tcpListener());
    await register(peer);
    bench.engine.receiveNetworkChange();
    await until(() => peer.pings === '\r\n\r\n', 'a keep-alive');
    await peer.send('\r\n');
    await peer.fence(0);
    bench.clock.advance(probeAnswerMs);
    expect(lost).toEqual([]);
  });

  it('connections that others opened to us stay', async () => {
    const peer = await bench.tcpPeer();
    await peer.fence(0);
    own = [];
    bench.engine.receiveNetworkChange();
    await peer.fence(0);
  });
});
