import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS, SIP_NETWORK_LIMITS } from '../../../main/base/limits.ts';
import { SipEngine } from '../../../main/sip/engine/engine.ts';
import { ControlPeer } from '../../support/control-peer.ts';
import { DnsServer } from '../../support/dns-server.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { SDP, startBench, type Bench } from './bench.ts';

/** Only Linux answers at all of 127.0.0.0/8 without being told to. */
const isLinux = process.platform === 'linux';
if (!isLinux)
  console.log('skipped: this system has one loopback address, the race between addresses is not tested');

let dns: DnsServer;
let bench: Bench;

beforeEach(async () => {
  dns = await DnsServer.open();
  dns.add('server.test', 'A', '127.0.0.1');
  bench = await startBench({ dnsServers: [dns.place] });
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await dns[Symbol.asyncDispose]();
});

/** The peers serve example.test in this order. */
function serve(transport: 'udp' | 'tcp', ...ports: readonly number[]): void {
  ports.forEach((port, priority) =>
    dns.add(`_sip._${transport}.example.test`, 'SRV', { priority, weight: 0, port, target: 'server.test' }),
  );
}

/** A port of TCP where nobody listens. */
async function closedPort(): Promise<number> {
  const listener = await SipPeer.tcpListener();
  const { port } = listener;
  await listener[Symbol.asyncDispose]();
  return port;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((done) => setImmediate(done));
  }
}

/** A port that takes no connection and refuses none: its queue is full. */
class FullListener implements AsyncDisposable {
  readonly host: string;
  readonly #child: ChildProcess;
  readonly #fillers: Socket[] = [];

  private constructor(host: string, child: ChildProcess) {
    this.host = host;
    this.#child = child;
  }

  static async open(host: string, port: number): Promise<FullListener> {
    // A process that listens and is stopped accepts nothing.
    const code = `require('node:net').createServer().listen({host:'${host}',port:${port},backlog:1},()=>{console.log(1);setTimeout(()=>{for(;;);},0)})`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    child.kill('SIGSTOP');
    const listener = new FullListener(host, child);
    for (let i = 0; i < 4; i += 1) {
      const filler = connect(port, host);
      filler.on('error', () => undefined);
      listener.#fillers.push(filler);
    }
    await once(listener.#fillers[1] ?? child, 'connect');
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const filler of this.#fillers) filler.destroy();
    this.#child.kill('SIGKILL');
    await once(this.#child, 'close');
  }
}

describe('the next target (RFC 3263 §4.3)', () => {
  it.each(['OPTIONS', 'INVITE'])(
    '%s: after a 503, with a new branch; Call-ID, CSeq and tags stay',
    async (method) => {
      const { app, peer } = bench;
      const second = bench.own(await SipPeer.udp());
      serve('udp', peer.port, second.port);
      const body = method === 'INVITE' ? SDP : '';
      const echo = await app.request(`${method} sip:x@example.test;transport=udp`, [], body);
      const first = await peer.request(method);
      expect(echo.sip?.text).toBe(first.text);
      await peer.answer(first, 503);
      const again = await second.request(method);
      expect(again.branch).not.toBe(first.branch);
      for (const name of ['Call-ID', 'CSeq', 'From', 'To', 'Contact'])
        expect(again.header(name)).toBe(first.header(name));
      await second.answer(again, 200, { body });
      const ok = await app.sip('SIP/2.0');
      expect([ok.sip?.status, ok.transactionId]).toEqual([200, echo.token(10)]);
      if (method === 'INVITE') {
        await peer.request('ACK');
        await app.ask(['sip', '', ok.dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
        await second.request('ACK');
      }
    },
  );

  it('the last 503 is passed up as it came', async () => {
    const { app, peer } = bench;
    const second = bench.own(await SipPeer.udp());
    serve('udp', peer.port, second.port);
    await app.request('OPTIONS sip:x@example.test;transport=udp');
    await peer.answer(await peer.request('OPTIONS'), 503);
    await second.answer(await second.request('OPTIONS'), 503, { headers: ['X-Last: yes'] });
    expect((await app.sip('SIP/2.0 503')).sip?.header('X-Last')).toBe('yes');
    expect(app.log.filter(({ type }) => type === 'sip')).toHaveLength(1);
  });

  it('another refusal is not followed by another target', async () => {
    const { app, peer, port } = bench;
    const second = bench.own(await SipPeer.udp());
    serve('udp', peer.port, second.port);
    await app.request('OPTIONS sip:x@example.test;transport=udp');
    await peer.answer(await peer.request('OPTIONS'), 500);
    await app.sip('SIP/2.0 500');
    await second.fence(port);
    expect(second.log.filter(({ status }) => status === 0)).toHaveLength(0);
  });

  it.each(['OPTIONS', 'INVITE'])(
    '%s: after 32 s without any answer; the 408 of the last one says who was silent',
    async (method) => {
      const { app, peer, clock } = bench;
      const second = bench.own(await SipPeer.udp());
      serve('udp', peer.port, second.port);
      await app.request(`${method} sip:x@example.test;transport=udp`, [], method === 'INVITE' ? SDP : '');
      await peer.request(method);
      clock.advance(SIP_LIMITS.transactionTimeoutMs);
      await second.request(method);
      clock.advance(SIP_LIMITS.transactionTimeoutMs);
      const answer = await app.sip('SIP/2.0 408');
      expect(answer.sip?.startLine).toBe('SIP/2.0 408 Request Timeout');
      expect(answer.sip?.header('Warning')).toBe(
        `399 127.0.0.1 "127.0.0.1:${second.port} did not answer within 32 seconds"`,
      );
    },
  );

  it('not after 32 s when the first target has answered 183: it is there', async () => {
    const { app, peer, clock } = bench;
    serve('udp', peer.port, 9);
    await app.request('OPTIONS sip:x@example.test;transport=udp');
    await peer.answer(await peer.request('OPTIONS'), 183);
    await app.sip('SIP/2.0 183');
    clock.advance(SIP_LIMITS.transactionTimeoutMs);
    await app.sip('SIP/2.0 408');
  });

  it('a connection that is refused: the next one at once, and at last a sentence about it', async () => {
    const { app } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const closed = await closedPort();
    serve('tcp', closed, listener.port);
    await app.request('OPTIONS sip:x@example.test;transport=tcp');
    await listener.answer(await listener.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    await app.request(`OPTIONS sip:x@127.0.0.1:${closed};transport=tcp`);
    const answer = await app.sip('SIP/2.0 503');
    expect(answer.sip?.header('Warning')).toBe(`399 127.0.0.1 "connection to 127.0.0.1:${closed} refused"`);
  });

  it('a target that failed comes last for 30 s, then first again', async () => {
    const { app, clock } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const closed = await closedPort();
    serve('tcp', closed, listener.port);
    const uri = 'OPTIONS sip:x@example.test;transport=tcp';
    await app.request(uri);
    await listener.answer(await listener.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    const revived = bench.own(await SipPeer.tcpListener(closed));
    clock.advance(SIP_NETWORK_LIMITS.deadTargetMs - 1);
    await app.request(uri);
    await listener.answer(await listener.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    clock.advance(1);
    await app.request(uri);
    await revived.request('OPTIONS');
  });

  it('a 503 with Retry-After is believed for its time (RFC 3261 §21.5.4)', async () => {
    const { app, peer, clock } = bench;
    const second = bench.own(await SipPeer.udp());
    serve('udp', peer.port, second.port);
    const ask = async (): Promise<void> => {
      await app.request('OPTIONS sip:x@example.test;transport=udp');
    };
    await ask();
    await peer.answer(await peer.request('OPTIONS'), 503, { headers: ['Retry-After: 120 (tired)'] });
    await second.answer(await second.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    clock.advance(119_999);
    await ask();
    await second.answer(await second.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    clock.advance(1);
    await ask();
    await peer.request('OPTIONS');
  });

  it('after a CANCEL no further target is tried', async () => {
    const { app, peer, port } = bench;
    const second = bench.own(await SipPeer.udp());
    serve('udp', peer.port, second.port);
    const echo = await app.request('INVITE sip:x@example.test;transport=udp', [], SDP);
    const invite = await peer.request('INVITE');
    await app.ask(['sip', echo.token(10), ''], 'CANCEL sip:x@example.test SIP/2.0\r\n\r\n');
    await peer.answer(invite, 503);
    await app.sip('SIP/2.0 503');
    await second.fence(port);
    expect(second.log.filter(({ status }) => status === 0)).toHaveLength(0);
  });

  it('a CANCEL goes to the target that the INVITE went to last', async () => {
    const { app, peer } = bench;
    const second = bench.own(await SipPeer.udp());
    serve('udp', peer.port, second.port);
    const echo = await app.request('INVITE sip:x@example.test;transport=udp', [], SDP);
    await peer.answer(await peer.request('INVITE'), 503);
    const invite = await second.request('INVITE');
    await second.answer(invite, 180);
    await app.sip('SIP/2.0 180');
    await app.ask(['sip', echo.token(10), ''], 'CANCEL sip:x@example.test SIP/2.0\r\n\r\n');
    expect((await second.request('CANCEL')).branch).toBe(invite.branch);
  });

  it('a name that DNS does not know: 503 DNS Error, and which name', async () => {
    await bench.app.request('OPTIONS sip:x@nowhere.invalid');
    const answer = await bench.app.sip('SIP/2.0 503 DNS Error');
    expect(answer.sip?.header('Warning')).toMatch(/^399 \S+ "name nowhere\.invalid not found"$/);
  });
});

describe('stream connections', () => {
  it('one that had served and breaks before an answer is opened again, once', async () => {
    const { app } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const uri = `OPTIONS sip:x@127.0.0.1:${listener.port};transport=tcp`;
    await app.request(uri);
    await listener.answer(await listener.request('OPTIONS'), 200);
    await app.sip('SIP/2.0 200');
    await app.request(uri);
    const lost = await listener.request('OPTIONS');
    listener.end();
    const again = await listener.request('OPTIONS');
    expect([listener.connections, again.header('Call-ID')]).toEqual([2, lost.header('Call-ID')]);
    expect(again.branch).not.toBe(lost.branch);
    listener.end();
    const answer = await app.sip('SIP/2.0 503');
    expect(answer.sip?.header('Warning')).toBe(
      `399 127.0.0.1 "127.0.0.1:${listener.port} closed the connection"`,
    );
  });

  it.skipIf(!isLinux)(
    'of several addresses the first that answers is used; one that fails is followed at once (RFC 8305 §5)',
    async () => {
      const { app } = bench;
      const listener = bench.own(await SipPeer.tcpListener(0, '127.0.0.3'));
      dns.add('many.test', 'A', '127.0.0.2');
      dns.add('many.test', 'A', '127.0.0.3');
      const echo = await app.request(`OPTIONS sip:x@many.test:${listener.port};transport=tcp`);
      expect(echo.token(7)).toBe('127.0.0.3');
      await listener.request('OPTIONS');
    },
  );

  it.skipIf(!isLinux)(
    'an address that says nothing is joined by the next one after 250 ms, and closed when that one wins',
    async () => {
      const { app, clock } = bench;
      // A listener whose queue is full leaves a connection without an answer.
      const winner = bench.own(await SipPeer.tcpListener(0, '127.0.0.3'));
      await using silent = await FullListener.open('127.0.0.2', winner.port);
      dns.add('many.test', 'A', '127.0.0.2');
      dns.add('many.test', 'A', '127.0.0.3');
      const before = clock.pending;
      const echo = app.request(`OPTIONS sip:x@many.test:${winner.port};transport=tcp`);
      // Its two timers, and the one of the race.
      await until(() => dns.questions.length === 2 && clock.pending === before + 3, 'the first connection');
      clock.advance(SIP_NETWORK_LIMITS.connectionAttemptDelayMs - 1);
      await bench.peer.fence(bench.port);
      expect(winner.connections).toBe(0);
      clock.advance(1);
      expect((await echo).token(7)).toBe('127.0.0.3');
      await winner.request('OPTIONS');
      expect(silent.host).toBe('127.0.0.2');
    },
  );
});

describe('requests that are too large for UDP (RFC 3261 §18.1.1)', () => {
  const large = 'x'.repeat(SIP_NETWORK_LIMITS.maxUdpRequestBytes);
  const text = ['Content-Type: text/plain'];

  it('at 1300 bytes UDP, one more byte TCP, with the Via of TCP', async () => {
    const { app } = bench;
    const { udp: peer, tcp: listener } = await SipPeer.udpAndTcp();
    bench.own(peer);
    bench.own(listener);
    const uri = `MESSAGE sip:x@127.0.0.1:${peer.port}`;
    const fixed = ['Call-ID: a', 'CSeq: 1000 MESSAGE', 'From: <sip:a@b>;tag=c', ...text];
    await app.request(uri, fixed, 'x'.repeat(900));
    const probe = await peer.request('MESSAGE');
    const room = SIP_NETWORK_LIMITS.maxUdpRequestBytes - Buffer.byteLength(probe.text) + 900;
    await app.request(uri, fixed, 'x'.repeat(room - 1));
    // Content-Length has grown by a digit.
    expect(Buffer.byteLength((await peer.request('MESSAGE')).text)).toBe(
      SIP_NETWORK_LIMITS.maxUdpRequestBytes,
    );
    const echo = await app.request(uri, fixed, 'x'.repeat(room));
    expect(echo.token(6)).toBe('tcp');
    expect((await listener.request('MESSAGE')).header('Via')).toContain('SIP/2.0/TCP');
  });

  it('a peer without TCP gets it over UDP, and the next one at once', async () => {
    const { app, peer } = bench;
    for (let i = 0; i < 2; i += 1) {
      const echo = await app.request(`MESSAGE sip:x@127.0.0.1:${peer.port}`, text, large);
      expect(echo.token(6)).toBe('udp');
      await peer.answer(await peer.request('MESSAGE'), 200);
      await app.sip('SIP/2.0 200');
    }
  });

  it('a connection that breaks before an answer: UDP', async () => {
    const { app } = bench;
    const { udp: peer, tcp: listener } = await SipPeer.udpAndTcp();
    bench.own(peer);
    bench.own(listener);
    await app.request(`MESSAGE sip:x@127.0.0.1:${peer.port}`, text, large);
    await listener.request('MESSAGE');
    listener.end();
    expect((await peer.request('MESSAGE')).header('Via')).toContain('SIP/2.0/UDP');
  });

  it('in a dialog as well, with its numbers in order', async () => {
    const { app } = bench;
    const { udp: peer, tcp: listener } = await SipPeer.udpAndTcp();
    bench.own(peer);
    bench.own(listener);
    await app.request(`INVITE sip:x@127.0.0.1:${peer.port}`, [], SDP);
    const invite = await peer.request('INVITE');
    await peer.answer(invite, 200, { body: SDP });
    const { dialogId } = await app.sip('SIP/2.0 200');
    await app.ask(['sip', '', dialogId], 'ACK sip:x SIP/2.0\r\n\r\n');
    await peer.request('ACK');
    await app.inDialog(dialogId, 'MESSAGE', text, large);
    const message = await listener.request('MESSAGE');
    expect(Number.parseInt(message.header('CSeq'), 10)).toBe(Number.parseInt(invite.header('CSeq'), 10) + 1);
    await app.inDialog(dialogId, 'MESSAGE', text, 'small');
    const small = await peer.request('MESSAGE');
    expect(Number.parseInt(small.header('CSeq'), 10)).toBe(Number.parseInt(message.header('CSeq'), 10) + 1);
  });

  it('an engine without a TCP socket stays with UDP', async () => {
    await using engine = new SipEngine({ secret: 's' });
    await engine.listen({ transport: 'udp', host: '127.0.0.1', port: 0 });
    using app = await ControlPeer.open(await engine.listenAdmin({ host: '127.0.0.1', port: 0 }), 's', []);
    await app.request(`MESSAGE sip:x@127.0.0.1:${bench.peer.port}`, text, large);
    await bench.peer.request('MESSAGE');
  });
});

describe('tel: URIs (RFC 3966)', () => {
  it('go to the route, and without one are answered 416', async () => {
    const { app, peer } = bench;
    await app.request('INVITE tel:+15551234', [], SDP, `sip:127.0.0.1:${peer.port}`);
    const invite = await peer.request('INVITE');
    expect(invite.startLine).toBe('INVITE tel:+15551234 SIP/2.0');
    expect(invite.header('To')).toBe('<tel:+15551234>');
    await peer.answer(invite, 486);
    await app.sip('SIP/2.0 486');
    await app.request('INVITE tel:+15551234', [], SDP);
    await app.sip('SIP/2.0 416');
  });
});
