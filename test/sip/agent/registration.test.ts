import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import { Registration, type RegistrationStatus } from '../../../main/sip/agent/registration.ts';
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

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  const told: RegistrationStatus[] = [];
  changes = told;
  server = lifetime.own(await SipPeer.udp());
  ({ agent } = await openEmbeddedAgent(
    { runFolder: join(tmpdir(), `parley-${randomUUID().slice(0, 8)}`), host: '127.0.0.1', port: 0 },
    lifetime,
  ));
  registration = new Registration({
    agent,
    address: 'bob@example.org',
    displayName: 'Bob "the\r\nInjected: yes" Builder',
    contact: '<sip:bob@localhost;transport=udp>',
    nextHop: `sip:127.0.0.1:${server.port};transport=udp`,
    digest: new DigestClient({ user: 'bob', password: 'secret' }),
    instanceId: 'fixed',
    expiresS: 120,
    clock,
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
    expect(registration.serverAddress).toBe('127.0.0.1');
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

  it('that fails is tried again after pauses that double, up to a minute', async () => {
    registration.start();
    await server.answer(await register(), 503);
    const pauses = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    for (const [index, pause] of pauses.entries()) {
      await expect
        .poll(() => changes.filter(({ status }) => status === 'unreachable'))
        .toHaveLength(index + 1);
      expect(changes.findLast(({ status }) => status === 'unreachable')).toMatchObject({ retryMs: pause });
      const request = await expectAfter(pause);
      if (index < pauses.length - 1) await server.answer(request, 503);
      else await server.answer(request, 200, granted(request, 120));
    }
    await until('registered');
    // After a success the pauses begin anew.
    await server.answer(await expectAfter(60_000), 500);
    await until('unreachable');
    expect(changes.at(-1)).toMatchObject({ retryMs: 1_000 });
  });

  it('whose lifetime is too short asks for the one that is wanted (423, §10.2.8), but not for any', async () => {
    registration.start();
    await server.answer(await register(), 423, { headers: ['Min-Expires: 900'] });
    const longer = await register();
    expect(longer.header('Expires')).toBe('900');
    await server.answer(longer, 423, { headers: ['Min-Expires: 900'] });
    await until('refused');
    expect(clock.pending).toBe(0);
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
