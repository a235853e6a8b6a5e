import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import type { RegistrationStatus } from '../../../main/sip/agent/registration-flow.ts';
import { Registration } from '../../../main/sip/agent/registration.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let agent: SipAgent;
let server: SipPeer;
let clock: ManualClock;
let registration: Registration;
let changes: RegistrationStatus[];
let chance: number;

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  chance = 0;
  const told: RegistrationStatus[] = [];
  changes = told;
  server = lifetime.own(await SipPeer.udp());
  ({ agent } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime));
  registration = new Registration({
    agent,
    address: 'bob@example.org',
    displayName: 'Bob "the\r\nInjected: yes" Builder',
    contact: '<sip:bob@localhost>',
    flows: [[{ nextHop: `sip:127.0.0.1:${server.port};transport=udp` }]],
    digest: new DigestClient({ user: 'bob', password: 'secret' }),
    instanceId: 'fixed',
    expiresS: 120,
    clock,
    random: () => chance,
    onChange: (status) => told.push(status),
  });
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

const register = () => server.request('REGISTER');
const granted = (request: PeerMessage, seconds: number) => ({
  contact: `${/<[^>]+>/.exec(request.header('Contact'))?.[0] ?? ''};expires=${seconds}`,
});
const until = (status: RegistrationStatus['status']) =>
  expect.poll(() => changes.at(-1)?.status).toBe(status);

async function registerWith(seconds: number): Promise<void> {
  registration.start();
  const request = await register();
  await server.answer(request, 200, granted(request, seconds));
  await until('registered');
}

/** The next REGISTER comes after `ms`, and not a millisecond before. */
async function expectAfter(ms: number): Promise<PeerMessage> {
  await expect.poll(() => clock.pending).toBe(1);
  const before = server.log.length;
  clock.advance(ms - 1);
  expect(clock.pending).toBe(1);
  expect(server.log.length).toBe(before);
  clock.advance(1);
  return register();
}

describe('a registration (RFC 3261 §10.2)', () => {
  it('says who, where and which device it is, and nothing that a name smuggles in', async () => {
    registration.start();
    const request = await register();
    expect(request.startLine).toBe('REGISTER sip:example.org SIP/2.0');
    expect(request.header('To')).toContain('<sip:bob@example.org>');
    expect(request.header('Expires')).toBe('120');
    expect(request.header('Contact')).toMatch(
      /^<sip:bob@127\.0\.0\.1:\d+;transport=udp>;expires=120;\+sip\.instance="<urn:uuid:fixed>";reg-id=1$/,
    );
    expect(request.headers('Injected')).toEqual([]);
    await server.answer(request, 200, granted(request, 120));
    await until('registered');
    expect(registration.localHost).toBe('127.0.0.1');
    expect(registration.isServer('127.0.0.1')).toBe(true);
    expect(registration.isServer('127.0.0.2')).toBe(false);
    expect(request.header('Supported')).toBe('path, outbound');
  });

  it('is refreshed at half of what was granted, with the same Call-ID and a higher CSeq', async () => {
    registration.start();
    const first = await register();
    await server.answer(first, 200, granted(first, 80));
    await until('registered');
    const second = await expectAfter(40_000);
    expect(second.header('Call-ID')).toBe(first.header('Call-ID'));
    expect(Number.parseInt(second.header('CSeq'), 10)).toBeGreaterThan(
      Number.parseInt(first.header('CSeq'), 10),
    );
    await server.answer(second, 200, granted(second, 80));
    await expectAfter(40_000).then((third) => server.answer(third, 200, granted(third, 80)));
    // The window hears of it once.
    expect(changes.map(({ status }) => status)).toEqual(['registering', 'registered']);
  });

  it('of another device does not shorten ours', async () => {
    registration.start();
    const request = await register();
    await server.answer(request, 200, {
      contact: `<sip:bob@127.0.0.1:9>;expires=2, ${granted(request, 120).contact}`,
    });
    await until('registered');
    const refresh = await expectAfter(60_000);
    await server.answer(refresh, 200, granted(refresh, 120));
  });

  it.each([
    [0, [30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000]],
    [0.5, [45_000, 90_000, 180_000, 360_000, 720_000, 1_350_000, 1_350_000]],
  ])('that a server refuses for now waits as RFC 5626 §4.5 says (chance %d)', async (drawn, pauses) => {
    chance = drawn;
    registration.start();
    await server.answer(await register(), 500);
    for (const [index, pause] of pauses.entries()) {
      await expect
        .poll(() => changes.filter(({ status }) => status === 'unreachable'))
        .toHaveLength(index + 1);
      expect(changes.findLast(({ status }) => status === 'unreachable')).toMatchObject({ retryMs: pause });
      const request = await expectAfter(pause);
      if (index < pauses.length - 1) await server.answer(request, 500);
      else await server.answer(request, 200, granted(request, 120));
    }
    await until('registered');
    // After a success the pauses begin anew.
    await server.answer(await expectAfter(60_000), 500);
    await until('unreachable');
    expect(changes.at(-1)).toMatchObject({ retryMs: pauses[0] });
  });

  it.each([
    [0, 20_000],
    [0.999_999_9, 30_000],
  ])(
    'comes back when the server asks for it, and up to half as long later (chance %d)',
    async (drawn, ms) => {
      chance = drawn;
      registration.start();
      await server.answer(await register(), 503, { headers: ['Retry-After: 20 (busy)'] });
      await until('unreachable');
      await expectAfter(ms);
    },
  );

  it('whose lifetime is too short asks for the one that is wanted (423, §10.2.8), but not for any', async () => {
    registration.start();
    await server.answer(await register(), 423, { headers: ['Min-Expires: 900'] });
    const longer = await register();
    expect(longer.header('Expires')).toBe('900');
    await server.answer(longer, 423, { headers: ['Min-Expires: 900'] });
    await until('refused');
    expect(clock.pending).toBe(0);
  });

  it('that nobody takes yet (405), as where a server is just starting, is tried again', async () => {
    registration.start();
    await server.answer(await register(), 405);
    await until('unreachable');
    clock.advance(60_000);
    const request = await register();
    await server.answer(request, 200, granted(request, 120));
    await until('registered');
  });

  it.each([403, 404, 420, 600])('that is refused with %i is not tried again', async (status) => {
    registration.start();
    await server.answer(await register(), status);
    await until('refused');
    expect(changes.at(-1)).toMatchObject({ code: status });
    expect(clock.pending).toBe(0);
    registration.check();
    expect(server.messages.waiting).toEqual([]);
  });

  it('is checked at once when something did not reach the server', async () => {
    await registerWith(120);
    registration.check();
    registration.check();
    const request = await register();
    await server.answer(request, 200, granted(request, 120));
    expect(server.log.filter(({ status }) => status === 0)).toHaveLength(2);
  });

  it('is taken back at the end, and one that was under way as well', async () => {
    await registerWith(120);
    const ended = registration[Symbol.asyncDispose]();
    const request = await register();
    expect(request.header('Expires')).toBe('0');
    await server.answer(request, 200, { contact: null });
    await ended;
    expect(changes.at(-1)).toEqual({ status: 'stopped' });
    expect(clock.pending).toBe(0);
  });

  it('does not wait long for a server that says nothing to that', async () => {
    await registerWith(120);
    const ended = registration[Symbol.asyncDispose]();
    await register();
    clock.advance(1_000);
    await ended;
    expect(changes.at(-1)).toEqual({ status: 'stopped' });
  });
});

describe('challenges', () => {
  const challenge = (algorithm: string, more = '') =>
    `WWW-Authenticate: Digest realm="example.org", nonce="n-${algorithm}", qop="auth", algorithm=${algorithm}${more}`;

  it.each([
    [['SHA-256', 'MD5'], 'SHA-256'],
    [['MD5', 'SHA-256'], 'MD5'],
    [['SHA-512-256', 'MD5'], 'MD5'],
  ])('of several, %j, the first that we know is answered (RFC 8760 §2.4)', async (offered, taken) => {
    registration.start();
    await server.answer(await register(), 401, { headers: offered.map((name) => challenge(name)) });
    const request = await register();
    expect(request.header('Authorization')).toContain(`nonce="n-${taken}"`);
    expect(request.header('Authorization')).toContain(`algorithm=${taken}`);
    await server.answer(request, 200, granted(request, 120));
    await until('registered');
  });

  it('of no algorithm that we know: refused', async () => {
    registration.start();
    await server.answer(await register(), 401, { headers: [challenge('SHA-512-256')] });
    await until('refused');
    expect(server.log).toHaveLength(1);
  });

  it('a second one, not stale, means a wrong password: one attempt and no more', async () => {
    registration.start();
    await server.answer(await register(), 401, { headers: [challenge('MD5')] });
    await server.answer(await register(), 401, { headers: [challenge('MD5')] });
    await until('refused');
    expect(server.log).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('a stale nonce is renewed without asking anybody, but not for ever', async () => {
    registration.start();
    await server.answer(await register(), 401, { headers: [challenge('MD5')] });
    for (let attempt = 2; attempt <= 4; attempt++) {
      await server.answer(await register(), 401, { headers: [challenge('MD5', ', stale=true')] });
    }
    // The password may be right: it is tried again later, and never called wrong.
    await until('unreachable');
    expect(server.log).toHaveLength(4);
  });

  it('the next request is authorised without being asked, with the next count', async () => {
    registration.start();
    await server.answer(await register(), 401, { headers: [challenge('MD5')] });
    const first = await register();
    await server.answer(first, 200, granted(first, 120));
    await until('registered');
    const second = await expectAfter(60_000);
    expect([first, second].map((request) => /nc=(\w+)/.exec(request.header('Authorization'))?.[1])).toEqual([
      '00000001',
      '00000002',
    ]);
    await server.answer(second, 200, granted(second, 120));
  });
});

describe('a registration behind a NAT (RFC 3581 §4)', () => {
  /** An answer as a server writes it that sees us at 203.0.113.5:40000. */
  async function answerSeen(request: PeerMessage, more: readonly string[] = []): Promise<void> {
    const reply = server.reply(request, 200, { ...granted(request, 120), headers: more });
    const seen = reply.replace(/^(Via: [^\r\n]*?);rport[^;\r\n]*/m, '$1;received=203.0.113.5;rport=40000');
    expect(seen).not.toBe(reply);
    await server.send(seen, request.port);
  }

  it('learns its address and registers it at once, taking the other one back', async () => {
    registration.start();
    const first = await register();
    const inside = /<([^>]+)>/.exec(first.header('Contact'))?.[1] ?? '';
    await answerSeen(first);
    const second = await register();
    const contacts = second.header('Contact').split(', ');
    expect(contacts[0]).toContain('<sip:bob@203.0.113.5:40000;transport=udp>;expires=120;');
    expect(contacts.slice(1)).toEqual([`<${inside}>;expires=0`]);
    await answerSeen(second);
    await until('registered');
    // Remembered: the refresh has it, and nothing else.
    const refresh = await expectAfter(60_000);
    expect(refresh.header('Contact')).not.toContain(', ');
    expect(refresh.header('Contact')).toContain('203.0.113.5:40000');
    await answerSeen(refresh);
    expect(registration.contact).toContain('203.0.113.5:40000');
    // Our own address for messages stays ours.
    expect(registration.localHost).toBe('127.0.0.1');
  });

  it('not when the server goes back the way that we came (RFC 5626 §6: Require: outbound)', async () => {
    registration.start();
    const first = await register();
    await answerSeen(first, ['Require: outbound']);
    await until('registered');
    const refresh = await expectAfter(60_000);
    expect(refresh.header('Contact')).toContain('@127.0.0.1:');
    await server.answer(refresh, 200, granted(refresh, 120));
  });

  it('forgets it when the network changes, and registers within half a second', async () => {
    chance = 0.99;
    registration.start();
    await answerSeen(await register());
    await answerSeen(await register());
    await until('registered');
    registration.receiveNetworkChange();
    const after = await expectAfter(495);
    expect(after.header('Contact')).toContain('@127.0.0.1:');
    await server.answer(after, 200, granted(after, 120));
  });

  it('a server that sees another port each time does not get us into a loop', async () => {
    registration.start();
    for (const port of [1_001, 1_002]) {
      const request = await register();
      const reply = server.reply(request, 200, granted(request, 120));
      await server.send(reply.replace(/;rport[^;\r\n]*/, `;rport=${port}`), request.port);
    }
    await until('registered');
    await expect.poll(() => clock.pending).toBe(1);
    expect(server.messages.waiting).toEqual([]);
  });
});

describe('flows (RFC 5626 §4.2)', () => {
  let second: SipPeer;
  let both: Registration;

  beforeEach(async () => {
    second = lifetime.own(await SipPeer.udp());
    const told = changes;
    both = new Registration({
      agent,
      address: 'bob@example.org',
      contact: '<sip:bob@localhost;ob>',
      flows: [server, second].map(({ port }) => [
        {
          nextHop: `sip:127.0.0.1:${port};transport=udp`,
          route: `<sip:127.0.0.1:${port};transport=udp;lr>`,
        },
      ]),
      digest: new DigestClient({ user: 'bob', password: 'secret' }),
      instanceId: 'fixed',
      clock,
      random: () => chance,
      onChange: (status) => told.push(status),
    });
  });

  async function grantAt(peer: SipPeer): Promise<PeerMessage> {
    const request = await peer.request('REGISTER');
    await peer.answer(request, 200, granted(request, 120));
    return request;
  }

  it('two proxies: reg-id 1 and 2 of one instance, each by way of its proxy, each with a call of its own', async () => {
    both.start();
    const one = await grantAt(server);
    const two = await grantAt(second);
    expect(one.header('Contact')).toContain('+sip.instance="<urn:uuid:fixed>";reg-id=1');
    expect(two.header('Contact')).toContain('+sip.instance="<urn:uuid:fixed>";reg-id=2');
    expect(two.header('Contact')).toContain(';ob>');
    expect(two.header('Route')).toBe(`<sip:127.0.0.1:${second.port};transport=udp;lr>`);
    expect(two.header('Call-ID')).not.toBe(one.header('Call-ID'));
    expect(both.way.nextHop).toContain(`:${server.port};`);
  });

  it('the loss of one does not take the address offline, and requests go by the other', async () => {
    both.start();
    await grantAt(server);
    await grantAt(second);
    await until('registered');
    await expect.poll(() => clock.pending).toBe(2);
    both.receiveFlowLost({ remoteAddress: '127.0.0.1', remotePort: server.port, reason: 'gone' });
    expect(both.status.status).toBe('registered');
    expect(both.way.nextHop).toContain(`:${second.port};`);
    expect(changes.map(({ status }) => status)).toEqual(['registering', 'registered']);
    // Chance 0: at once. A failure of one while the other works: the longer base (§4.5).
    clock.advance(0);
    await server.answer(await server.request('REGISTER'), 500);
    await expect.poll(() => clock.pending).toBe(2);
    clock.advance(60_000);
    await grantAt(second);
    await expect.poll(() => clock.pending).toBe(2);
    clock.advance(29_999);
    expect(server.messages.waiting).toEqual([]);
    clock.advance(1);
    await grantAt(server);
    await expect.poll(() => both.way.nextHop).toContain(`:${server.port};`);
  });

  it('a wrong password is not tried by way of the other proxy', async () => {
    both.start();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await server.answer(await server.request('REGISTER'), 401, {
        headers: ['WWW-Authenticate: Digest realm="example.org", nonce="n", qop="auth"'],
      });
    }
    await until('refused');
    expect([second.log, clock.pending]).toEqual([[], 0]);
  });

  it('a proxy that knows nothing of flows (439): registered without reg-id (§11.6)', async () => {
    registration.start();
    await server.answer(await register(), 439);
    const plain = await register();
    expect(plain.header('Contact')).not.toContain('reg-id');
    expect(plain.header('Supported')).toBe('path');
    await server.answer(plain, 200, granted(plain, 120));
    await until('registered');
  });

  it('a lost flow is set up anew within a second; with many people at the server, spread as it says', async () => {
    chance = 0.5;
    registration.start();
    const first = await register();
    await server.answer(first, 200, granted(first, 120));
    await until('registered');
    registration.receiveFlowLost({ remoteAddress: '127.0.0.1', remotePort: server.port, reason: 'cut' });
    expect(changes.at(-1)).toEqual({ status: 'unreachable', reason: 'cut', retryMs: 500 });
    const again = await expectAfter(500);
    await server.answer(again, 200, { ...granted(again, 120), headers: ['X-Return-Window: 40'] });
    await until('registered');
    registration.receiveFlowLost({ remoteAddress: '127.0.0.1', remotePort: server.port, reason: 'cut' });
    await expectAfter(20_000);
  });

  it('a connection that breaks because the network has changed does not put the return off', async () => {
    chance = 0.5;
    registration.start();
    const first = await register();
    await server.answer(first, 200, { ...granted(first, 120), headers: ['X-Return-Window: 60'] });
    await until('registered');
    registration.receiveNetworkChange();
    registration.receiveFlowLost({ remoteAddress: '127.0.0.1', remotePort: server.port, reason: 'cut' });
    await expectAfter(250);
  });
});
