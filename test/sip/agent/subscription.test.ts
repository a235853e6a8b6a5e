import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import { Subscription, type SubscriptionStatus } from '../../../main/sip/agent/subscription.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SipPeer, type PeerMessage } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let agent: SipAgent;
let port: number;
let server: SipPeer;
let clock: ManualClock;
let subscription: Subscription;
let told: string[];
let statuses: SubscriptionStatus[];
let isSignedIn: boolean;

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  isSignedIn = true;
  const [bodies, changes]: [string[], SubscriptionStatus[]] = [[], []];
  [told, statuses] = [bodies, changes];
  server = lifetime.own(await SipPeer.udp());
  ({ agent, port } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime));
  subscription = new Subscription({
    agent,
    event: 'presence',
    accept: 'application/pidf+xml',
    resource: 'sip:tom@example.org',
    clock,
    random: () => 0,
    route: () =>
      isSignedIn
        ? {
            from: '"Bob" <sip:bob@example.org>',
            contact: '<sip:bob@localhost>',
            way: { nextHop: `sip:127.0.0.1:${server.port};transport=udp` },
            digest: new DigestClient({ user: 'bob', password: 'secret' }),
          }
        : undefined,
    receiveState: ({ body }) => bodies.push(body.toString()),
    receiveStatus: (status) => changes.push(status),
  });
});
afterEach(async () => {
  subscription.drop();
  await lifetime[Symbol.asyncDispose]();
});

const asked = () => server.request('SUBSCRIBE');
const until = (status: SubscriptionStatus['status']) =>
  expect.poll(() => subscription.status.status).toBe(status);
const pending = (count: number) => expect.poll(() => clock.pending).toBe(count);

async function notify(subscribe: PeerMessage, cseq: number, state: string, body = '', event = 'presence') {
  const text = server.build('NOTIFY', {
    uri: /<([^>]+)>/.exec(subscribe.header('Contact'))?.[1] ?? '',
    from: `<sip:tom@example.org>;tag=callee-tag`,
    to: subscribe.header('From'),
    callId: subscribe.header('Call-ID'),
    cseq,
    headers: [`Event: ${event}`, `Subscription-State: ${state}`],
    body,
    contentType: 'application/pidf+xml',
  });
  await server.send(text, port);
}

/** Granted for so many seconds and told for the first time. */
async function begin(seconds = 1_800): Promise<PeerMessage> {
  const subscribe = await asked();
  await server.answer(subscribe, 200, { headers: [`Expires: ${seconds}`] });
  await notify(subscribe, 1, `active;expires=${seconds}`, 'here');
  await server.response(200, 'NOTIFY');
  await until('active');
  return subscribe;
}

/** The next SUBSCRIBE comes after `ms`, and not a millisecond before. */
async function expectAfter(ms: number): Promise<PeerMessage> {
  await pending(1);
  const before = server.log.length;
  clock.advance(ms - 1);
  expect([clock.pending, server.log.length]).toEqual([1, before]);
  clock.advance(1);
  return asked();
}

describe('a subscription of ours (RFC 6665 §4.1)', () => {
  it('says what it wants, is told, and refreshed in its dialog', async () => {
    subscription.start();
    const first = await begin(1_000);
    expect(first.startLine).toBe('SUBSCRIBE sip:tom@example.org SIP/2.0');
    expect([first.header('Event'), first.header('Accept'), first.header('Expires')]).toEqual([
      'presence',
      'application/pidf+xml',
      '1800',
    ]);
    expect(told).toEqual(['here']);
    const refresh = await expectAfter(800_000);
    expect([refresh.header('Call-ID'), refresh.tag('To')]).toEqual([first.header('Call-ID'), 'callee-tag']);
    await server.answer(refresh, 200, { headers: ['Expires: 500'] });
    await notify(first, 2, 'active;expires=500', 'still here');
    await server.response(200, 'NOTIFY');
    await expect.poll(() => told).toEqual(['here', 'still here']);
    await server.answer(await expectAfter(400_000), 200);
    expect(statuses.map(({ status }) => status)).toEqual(['subscribing', 'active']);
  });

  it('answers the challenge, in its dialog as well', async () => {
    subscription.start();
    const challenge = { headers: ['WWW-Authenticate: Digest realm="x", nonce="1", qop="auth"'] };
    await server.answer(await asked(), 401, challenge);
    expect((await begin()).header('Authorization')).toContain('username="bob"');
    const refresh = await expectAfter(1_440_000);
    await server.answer(refresh, 401, { headers: [challenge.headers[0]?.replace('"1"', '"2"') ?? ''] });
    const again = await asked();
    expect(again.header('Authorization')).toContain('nonce="2"');
    await server.answer(again, 200);
  });

  it('a NOTIFY before the 2xx counts (§4.1.2.4)', async () => {
    subscription.start();
    const subscribe = await asked();
    await notify(subscribe, 1, 'pending;expires=600');
    await server.response(200, 'NOTIFY');
    await until('pending');
    await server.answer(subscribe, 200, { headers: ['Expires: 600'] });
    await notify(subscribe, 2, 'active;expires=600', 'here');
    await until('active');
    expect(told).toEqual(['here']);
  });

  it('a NOTIFY of another package is 489 (§8.3.1), another method 405', async () => {
    subscription.start();
    const subscribe = await begin();
    await notify(subscribe, 2, 'active', 'cold', 'weather');
    expect((await server.response(489, 'NOTIFY')).header('Allow-Events')).toBe('presence');
    expect(told).toEqual(['here']);
  });

  it('is ended by us with Expires 0 (§4.1.2.3)', async () => {
    subscription.start();
    await begin();
    const ended = subscription[Symbol.asyncDispose]();
    const end = await asked();
    expect(end.header('Expires')).toBe('0');
    await server.answer(end, 200, { headers: ['Expires: 0'] });
    await ended;
    expect([subscription.status.status, clock.pending]).toEqual(['stopped', 0]);
  });

  it('is begun anew by start: the old dialog is forgotten', async () => {
    subscription.start();
    const first = await begin();
    subscription.start();
    const second = await begin();
    expect(second.header('Call-ID')).not.toBe(first.header('Call-ID'));
    await notify(first, 2, 'active', 'old');
    await server.response(481, 'NOTIFY');
    expect(told).toEqual(['here', 'here']);
  });
});

describe('when it fails', () => {
  it.each([403, 404, 489, 603])('%i is final until it is started again (§4.1.2.1)', async (status) => {
    subscription.start();
    await server.answer(await asked(), status);
    await until('refused');
    expect(clock.pending).toBe(0);
    subscription.start();
    await begin();
  });

  it('is tried again, each time after twice as long, and not before the time that the server names', async () => {
    subscription.start();
    await server.answer(await asked(), 503);
    await until('waiting');
    await server.answer(await expectAfter(2_000), 480);
    await server.answer(await expectAfter(4_000), 503, { headers: ['Retry-After: 60'] });
    await server.answer(await expectAfter(60_000), 200);
  });

  it('423 names a longer time (§4.1.2.1)', async () => {
    subscription.start();
    await server.answer(await asked(), 423, { headers: ['Min-Expires: 3000'] });
    expect((await asked()).header('Expires')).toBe('3000');
  });

  it('a refresh that is answered 481 begins it anew', async () => {
    subscription.start();
    const first = await begin(1_000);
    await server.answer(await expectAfter(800_000), 481);
    const second = await expectAfter(1_000);
    expect(second.header('Call-ID')).not.toBe(first.header('Call-ID'));
    await server.answer(second, 200);
  });

  it('while we are not signed in it waits', async () => {
    isSignedIn = false;
    subscription.start();
    await until('waiting');
    isSignedIn = true;
    await server.answer(await expectAfter(2_000), 200);
  });
});

describe('ended by the other side (§4.1.3)', () => {
  it.each([
    ['deactivated', 1_000],
    ['timeout', 1_000],
    ['probation;retry-after=100', 100_000],
    ['giveup', 2_000],
  ])('%s: begun again after %i ms', async (reason, ms) => {
    subscription.start();
    const subscribe = await begin();
    await notify(subscribe, 2, `terminated;reason=${reason}`);
    await until('waiting');
    await server.answer(await expectAfter(ms), 200);
  });

  it.each(['rejected', 'noresource'])('%s: final', async (reason) => {
    subscription.start();
    const subscribe = await begin();
    await notify(subscribe, 2, `terminated;reason=${reason}`);
    await until('refused');
    expect(subscription.status).toEqual({ status: 'refused', code: 0, reason });
    expect(clock.pending).toBe(0);
  });
});
