import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../../main/base/limits.ts';
import { DnsServer } from '../../support/dns-server.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { SDP, startBench, type Bench } from './bench.ts';

let dns: DnsServer;
let bench: Bench;
let first: SipPeer;
let second: SipPeer;
let third: SipPeer;

beforeEach(async () => {
  dns = await DnsServer.open();
  bench = await startBench({ dnsServers: [dns.place] });
  dns.add('server.test', 'A', '127.0.0.1');
  [first, second, third] = [
    bench.own(await SipPeer.udp()),
    bench.own(await SipPeer.udp()),
    bench.own(await SipPeer.udp()),
  ];
  [first, second, third].forEach(({ port }, priority) =>
    dns.add('_sip._udp.example.test', 'SRV', { priority, weight: 0, port, target: 'server.test' }),
  );
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await dns[Symbol.asyncDispose]();
});

describe('a server that had the request by another way before answers 482 (RFC 3261 §8.2.2.2)', () => {
  it.each([
    ['OPTIONS', ''],
    ['INVITE', SDP],
  ])(
    '%s: the application hears that there was no answer, not of a loop; nobody else is asked',
    async (method, body) => {
      const { app, clock } = bench;
      await app.request(`${method} sip:x@example.test`, [], body);
      await first.request(method);
      clock.advance(SIP_LIMITS.transactionTimeoutMs);
      const again = await second.request(method);
      await second.answer(again, 482);
      if (method === 'INVITE') await second.request('ACK');
      const outcome = await app.sip('SIP/2.0');
      expect(outcome.sip?.status).toBe(408);
      expect(outcome.sip?.header('Warning')).toContain(
        `127.0.0.1:${first.port} did not answer within 32 seconds`,
      );
      await second.fence(bench.port);
      expect(third.log).toEqual([]);
      expect(app.frames.waiting.filter(({ type }) => type === 'sip')).toEqual([]);
    },
  );

  it('on the connection that was opened again for one that broke: 503, as without a second attempt', async () => {
    const { app } = bench;
    const listener = bench.own(await SipPeer.tcpListener());
    const uri = `MESSAGE sip:x@127.0.0.1:${listener.port};transport=tcp`;
    const text = ['Content-Type: text/plain'];
    await app.request(uri, text, 'one');
    await listener.answer(await listener.request('MESSAGE'), 200);
    await app.sip('SIP/2.0 200');
    await app.request(uri, text, 'two');
    await listener.request('MESSAGE');
    listener.cut();
    await listener.answer(await listener.request('MESSAGE'), 482);
    const outcome = await app.sip('SIP/2.0');
    expect(outcome.sip?.status).toBe(503);
    expect(outcome.sip?.header('Warning')).toContain(`127.0.0.1:${listener.port}`);
  });

  it('to the first attempt is a loop (§16.3) and passed up; so is one behind a 503', async () => {
    const { app } = bench;
    await app.request('OPTIONS sip:x@example.test');
    await first.answer(await first.request('OPTIONS'), 482);
    await app.sip('SIP/2.0 482');
    await app.request('OPTIONS sip:x@example.test');
    await first.answer(await first.request('OPTIONS'), 503);
    await second.answer(await second.request('OPTIONS'), 482);
    await app.sip('SIP/2.0 482');
  });
});
