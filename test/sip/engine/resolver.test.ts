import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SIP_NETWORK_LIMITS } from '../../../main/base/limits.ts';
import { ProtocolError } from '../../../main/base/protocol-error.ts';
import { DnsClient } from '../../../main/sip/engine/dns-client.ts';
import { Resolver } from '../../../main/sip/engine/resolver.ts';
import { orderSrv } from '../../../main/sip/engine/srv-order.ts';
import { interleave } from '../../../main/sip/engine/stream-dialer.ts';
import { parseSipUri } from '../../../main/sip/uri.ts';
import { DnsServer } from '../../support/dns-server.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let dns: DnsServer;
let clock: ManualClock;
let resolver: Resolver;

beforeEach(async () => {
  dns = await DnsServer.open();
  clock = new ManualClock();
  resolver = new Resolver({ clock, servers: [dns.place], random: () => 0.5, reaches: () => true });
});

afterEach(async () => {
  resolver[Symbol.dispose]();
  await dns[Symbol.asyncDispose]();
});

/** `transport address,address:port` for each hop. */
async function hopsOf(uri: string): Promise<string[]> {
  const hops = await resolver.resolve(parseSipUri(uri));
  return hops.map(({ transport, addresses, port }) => `${transport} ${addresses.join(',')}:${port}`);
}

function addSrv(name: string, port: number, target: string, priority = 0, weight = 0, ttl?: number): void {
  dns.add(name, 'SRV', { priority, weight, port, target }, ttl);
}

function addNaptr(order: number, preference: number, services: string, replacement: string): void {
  dns.add('example.test', 'NAPTR', { order, preference, flags: 's', services, regexp: '', replacement });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('in vain');
    await new Promise((done) => setImmediate(done));
  }
}

describe('transport and port (RFC 3263 §4.1, §4.2)', () => {
  it.each([
    ['sip:x@192.0.2.1', 'udp 192.0.2.1:5060'],
    ['sip:x@192.0.2.1:5070', 'udp 192.0.2.1:5070'],
    ['sip:x@192.0.2.1;transport=tcp', 'tcp 192.0.2.1:5060'],
    ['sip:x@192.0.2.1;transport=TLS', 'tls 192.0.2.1:5061'],
    ['sips:x@192.0.2.1', 'tls 192.0.2.1:5061'],
    ['sips:x@192.0.2.1;transport=tcp', 'tls 192.0.2.1:5061'],
    ['sip:x@[2001:db8::1]', 'udp 2001:db8::1:5060'],
    ['sip:x@elsewhere.test;maddr=192.0.2.9', 'udp 192.0.2.9:5060'],
  ])('%s is %s, without a question to DNS', async (uri, hop) => {
    expect(await hopsOf(uri)).toEqual([hop]);
    expect(dns.questions).toEqual([]);
  });

  it.each([
    'sips:x@192.0.2.1;transport=udp',
    'sip:x@192.0.2.1;transport=sctp',
    'sip:x@192.0.2.1:0',
    'tel:+1555',
  ])('%s is refused', (uri) => {
    expect(() => resolver.resolve(parseSipUri(uri))).toThrow(ProtocolError);
  });

  it('a port in the URI: addresses only, UDP or what the URI says', async () => {
    dns.add('example.test', 'A', '192.0.2.1');
    dns.add('example.test', 'AAAA', '2001:db8::1');
    addSrv('_sip._udp.example.test', 9, 'example.test');
    expect(await hopsOf('sip:x@example.test:5070')).toEqual(['udp 2001:db8::1,192.0.2.1:5070']);
    expect(await hopsOf('sips:x@example.test:5071')).toEqual(['tls 2001:db8::1,192.0.2.1:5071']);
    expect(dns.questions.sort()).toEqual(['A example.test', 'AAAA example.test']);
  });

  it('a transport in the URI: its SRV records, else addresses and the default port', async () => {
    dns.add('example.test', 'A', '192.0.2.1');
    dns.add('server.test', 'A', '192.0.2.2');
    addSrv('_sip._tcp.example.test', 5_080, 'server.test');
    expect(await hopsOf('sip:x@example.test;transport=tcp')).toEqual(['tcp 192.0.2.2:5080']);
    expect(await hopsOf('sip:x@example.test;transport=udp')).toEqual(['udp 192.0.2.1:5060']);
    expect(await hopsOf('sips:x@example.test')).toEqual(['tls 192.0.2.1:5061']);
    expect(dns.questions.filter((question) => question === 'NAPTR example.test')).toHaveLength(1);
  });

  it('NAPTR by order and preference; services that SIP does not know are passed over', async () => {
    dns.add('server.test', 'A', '192.0.2.2');
    addNaptr(20, 10, 'SIP+D2U', '_sip._udp.example.test');
    addNaptr(10, 20, 'SIP+D2T', '_sip._tcp.example.test');
    addNaptr(10, 10, 'SIPS+D2T', '_sips._tcp.example.test');
    addNaptr(1, 1, 'SIP+D2S', '_sip._sctp.example.test');
    addSrv('_sip._udp.example.test', 1, 'server.test');
    addSrv('_sip._tcp.example.test', 2, 'server.test');
    addSrv('_sips._tcp.example.test', 3, 'server.test');
    expect(await hopsOf('sip:x@example.test')).toEqual([
      'tls 192.0.2.2:3',
      'tcp 192.0.2.2:2',
      'udp 192.0.2.2:1',
    ]);
    expect(await hopsOf('sips:x@example.test')).toEqual(['tls 192.0.2.2:3']);
  });

  it('without NAPTR the SRV records of each transport; without them addresses and UDP', async () => {
    dns.add('server.test', 'A', '192.0.2.2');
    dns.add('plain.test', 'A', '192.0.2.3');
    addSrv('_sip._tcp.example.test', 5_060, 'server.test');
    expect(await hopsOf('sip:x@example.test')).toEqual(['tcp 192.0.2.2:5060']);
    expect(await hopsOf('sip:x@plain.test')).toEqual(['udp 192.0.2.3:5060']);
  });

  it('an SRV record with the target "." says that there is no such service (RFC 2782)', async () => {
    dns.add('example.test', 'A', '192.0.2.1');
    addSrv('_sip._tcp.example.test', 0, '.');
    await expect(hopsOf('sip:x@example.test;transport=tcp')).rejects.toThrow(
      'example.test says that it has no SIP over TCP',
    );
  });

  it('hops that this engine has no socket for are left out', async () => {
    const only = new Resolver({
      clock,
      servers: [dns.place],
      reaches: (transport, address) => transport === 'udp' && !address.includes(':'),
    });
    dns.add('example.test', 'A', '192.0.2.1');
    dns.add('example.test', 'AAAA', '2001:db8::1');
    addSrv('_sip._tcp.example.test', 5_060, 'example.test');
    addSrv('_sip._udp.example.test', 5_062, 'example.test');
    const hops = await only.resolve(parseSipUri('sip:x@example.test'));
    expect(hops).toEqual([
      { transport: 'udp', addresses: ['192.0.2.1'], port: 5_062, domain: 'example.test' },
    ]);
    only[Symbol.dispose]();
  });

  it('localhost and single labels are asked of the hosts file, never of DNS', async () => {
    const [hop = ''] = await hopsOf('sip:x@localhost');
    expect(hop).toMatch(/127\.0\.0\.1|::1/);
    await expect(hopsOf('sip:x@no-such-machine-here')).rejects.toThrow('name no-such-machine-here not found');
    expect(dns.questions).toEqual([]);
  });

  it('a name that nobody knows is named in the error', async () => {
    await expect(hopsOf('sip:x@nowhere.invalid')).rejects.toThrow('name nowhere.invalid not found');
    expect(dns.questions).toEqual([]);
  });
});

describe('SRV records (RFC 2782)', () => {
  it('by priority, and by weight within it', () => {
    const records = [
      { priority: 2, weight: 0, name: 'last' },
      { priority: 1, weight: 10, name: 'light' },
      { priority: 1, weight: 90, name: 'heavy' },
    ];
    const names = (random: () => number): string[] => orderSrv(records, random).map(({ name }) => name);
    expect(names(() => 0.99)).toEqual(['heavy', 'light', 'last']);
    expect(names(() => 0)).toEqual(['light', 'heavy', 'last']);
  });

  it('are drawn in proportion to their weight; weight 0 is nearly never first', () => {
    const records = [
      { priority: 0, weight: 60, name: 'a' },
      { priority: 0, weight: 20, name: 'b' },
      { priority: 0, weight: 20, name: 'c' },
      { priority: 0, weight: 0, name: 'd' },
    ];
    const firsts = new Map<string, number>();
    const draws = 10_000;
    for (let i = 0; i < draws; i += 1) {
      const [first] = orderSrv(records, () => (i + 0.5) / draws);
      firsts.set(first?.name ?? '', (firsts.get(first?.name ?? '') ?? 0) + 1);
    }
    expect((firsts.get('a') ?? 0) / draws).toBeCloseTo(0.6, 1);
    expect((firsts.get('b') ?? 0) / draws).toBeCloseTo(0.2, 1);
    expect((firsts.get('d') ?? 0) / draws).toBeLessThan(0.02);
  });

  it('at most so many targets are used', async () => {
    for (let i = 0; i <= SIP_NETWORK_LIMITS.maxTargets; i += 1) {
      dns.add(`s${i}.test`, 'A', `192.0.2.${i}`);
      addSrv('_sip._udp.example.test', 5_060, `s${i}.test`, i);
    }
    expect(await hopsOf('sip:x@example.test;transport=udp')).toHaveLength(SIP_NETWORK_LIMITS.maxTargets);
  });

  it('addresses of both families take turns, IPv6 first (RFC 8305 §4)', () => {
    expect(interleave(['192.0.2.1', '192.0.2.2', '2001:db8::1'])).toEqual([
      '2001:db8::1',
      '192.0.2.1',
      '192.0.2.2',
    ]);
    const many = Array.from({ length: SIP_NETWORK_LIMITS.maxAddresses + 1 }, (_, i) => `192.0.2.${i}`);
    expect(interleave(many)).toHaveLength(SIP_NETWORK_LIMITS.maxAddresses);
  });
});

describe('how long answers hold', () => {
  it('as long as their TTL says, at least 1 s and at most 1 h', async () => {
    dns.add('short.test', 'A', '192.0.2.1', 0);
    dns.add('long.test', 'A', '192.0.2.1', 1_000_000);
    dns.add('normal.test', 'A', '192.0.2.1', 60);
    const asked = async (name: string): Promise<number> => {
      dns.questions.length = 0;
      await hopsOf(`sip:x@${name}:5060`);
      return dns.questions.filter((question) => question === `A ${name}`).length;
    };
    for (const name of ['short.test', 'long.test', 'normal.test']) expect(await asked(name)).toBe(1);
    clock.advance(999);
    expect(await asked('short.test')).toBe(0);
    clock.advance(1);
    expect(await asked('short.test')).toBe(1);
    clock.advance(58_999);
    expect(await asked('normal.test')).toBe(0);
    clock.advance(1);
    expect(await asked('normal.test')).toBe(1);
    clock.advance(3_600_000 - 60_001);
    expect(await asked('long.test')).toBe(0);
    clock.advance(1);
    expect(await asked('long.test')).toBe(1);
  });

  it('"there is nothing" by the minimum of the SOA, at most 60 s (RFC 2308 §5)', async () => {
    dns.negativeTtl = 3_000;
    dns.add('example.test', 'A', '192.0.2.1', 1_000);
    await hopsOf('sip:x@example.test:5060');
    clock.advance(59_999);
    await hopsOf('sip:x@example.test:5060');
    expect(dns.questions.filter((question) => question.startsWith('AAAA'))).toHaveLength(1);
    clock.advance(1);
    await hopsOf('sip:x@example.test:5060');
    expect(dns.questions.filter((question) => question.startsWith('AAAA'))).toHaveLength(2);
  });

  it('until the network changes', async () => {
    dns.add('example.test', 'A', '192.0.2.1');
    await hopsOf('sip:x@example.test:5060');
    dns.clear();
    dns.add('example.test', 'A', '192.0.2.2');
    expect(await hopsOf('sip:x@example.test:5060')).toEqual(['udp 192.0.2.1:5060']);
    resolver.forget();
    expect(await hopsOf('sip:x@example.test:5060')).toEqual(['udp 192.0.2.2:5060']);
  });

  it('who asks while a question is under way gets its answer', async () => {
    dns.add('example.test', 'A', '192.0.2.1');
    await Promise.all(Array.from({ length: 20 }, async () => hopsOf('sip:x@example.test:5060')));
    expect(dns.questions.sort()).toEqual(['A example.test', 'AAAA example.test']);
  });
});

describe('the DNS client', () => {
  it('follows aliases, also to another answer', async () => {
    dns.add('alias.test', 'CNAME', 'real.test', 7);
    dns.add('real.test', 'A', '192.0.2.1', 60);
    const client = new DnsClient({ clock, servers: [dns.place] });
    expect(await client.query('alias.test', 'A')).toMatchObject({ records: ['192.0.2.1'], ttlMs: 7_000 });
    dns.tamper = (answer) => ({ ...answer, answers: answer.answers?.slice(0, 1) ?? [] });
    expect(await client.query('alias.test', 'A')).toMatchObject({ records: ['192.0.2.1'] });
    expect(dns.questions).toEqual(['A alias.test', 'A alias.test', 'A real.test']);
  });

  it('aliases in a circle end', async () => {
    dns.add('one.test', 'CNAME', 'two.test');
    dns.add('two.test', 'CNAME', 'one.test');
    const client = new DnsClient({ clock, servers: [dns.place] });
    dns.tamper = (answer) => ({ ...answer, answers: answer.answers?.slice(0, 1) ?? [] });
    await expect(client.query('one.test', 'A')).rejects.toThrow('the aliases of one.test do not end');
  });

  it('a truncated answer is asked for again over TCP (RFC 7766 §5)', async () => {
    for (let i = 0; i < 40; i += 1) addSrv('_sip._udp.example.test', i + 1, `server-number-${i}.test`, i);
    dns.tamper = (answer, transport) =>
      transport === 'tcp' ? answer : { ...answer, flags: (answer.flags ?? 0) | 0x0200, answers: [] };
    const client = new DnsClient({ clock, servers: [dns.place] });
    expect((await client.query('_sip._udp.example.test', 'SRV')).records).toHaveLength(40);
    expect(dns.questions).toEqual(['SRV _sip._udp.example.test', 'SRV _sip._udp.example.test tcp']);
  });

  it.each([
    ['another id', (id: number, name: string) => ({ id: id ^ 1, name })],
    ['another question', (id: number) => ({ id, name: 'evil.test' })],
  ])('an answer with %s is not believed (RFC 5452 §9.1)', async (_title, change) => {
    dns.add('example.test', 'A', '192.0.2.1');
    let answers = 0;
    dns.tamper = (answer) => {
      answers += 1;
      if (answers > 1) return answer;
      const { id, name } = change(answer.id ?? 0, 'example.test');
      return {
        ...answer,
        id,
        questions: [{ type: 'A', name }],
        answers: [{ type: 'A', name, data: '203.0.113.66' }],
      };
    };
    const client = new DnsClient({ clock, servers: [dns.place] });
    const reply = client.query('example.test', 'A');
    await until(() => answers === 1 && clock.pending === 1);
    clock.advance(SIP_NETWORK_LIMITS.dnsTryMs);
    expect((await reply).records).toEqual(['192.0.2.1']);
  });

  it('two tries for each server, one server after the other; then the name is not found', async () => {
    await using second = await DnsServer.open();
    dns.tamper = () => undefined;
    second.tamper = () => undefined;
    const client = new DnsClient({ clock, servers: [dns.place, second.place] });
    const reply = client.query('example.test', 'A').catch((error: unknown) => error);
    for (const [first, other] of [
      [1, 0],
      [1, 1],
      [2, 1],
      [2, 2],
    ] as const) {
      await until(
        () => dns.questions.length === first && second.questions.length === other && clock.pending === 1,
      );
      clock.advance(SIP_NETWORK_LIMITS.dnsTryMs);
    }
    expect(await reply).toMatchObject({ message: 'no DNS server gives an answer about example.test' });
    expect(clock.pending).toBe(0);
  });

  it('a server that refuses is followed by the next one', async () => {
    await using second = await DnsServer.open();
    second.add('example.test', 'A', '192.0.2.1');
    dns.tamper = (answer) => ({ ...answer, flags: 0x0185, answers: [], authorities: [] });
    const client = new DnsClient({ clock, servers: [dns.place, second.place] });
    expect((await client.query('example.test', 'A')).records).toEqual(['192.0.2.1']);
  });

  it('so many questions at once pass, one more does not', async () => {
    dns.tamper = () => undefined;
    const client = new DnsClient({ clock, servers: [dns.place] });
    const open = Array.from({ length: SIP_NETWORK_LIMITS.maxDnsQueries }, async (_, i) =>
      client.query(`n${i}.test`, 'A'),
    );
    const ended = Promise.allSettled(open);
    await expect(client.query('more.test', 'A')).rejects.toThrow('too many names');
    await until(() => dns.questions.length === SIP_NETWORK_LIMITS.maxDnsQueries);
    client[Symbol.dispose]();
    expect((await ended).every(({ status }) => status === 'rejected')).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
