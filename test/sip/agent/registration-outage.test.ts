import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import type { SipAgent } from '../../../main/sip/agent/agent.ts';
import type { RegistrationStatus } from '../../../main/sip/agent/registration-flow.ts';
import { Registration } from '../../../main/sip/agent/registration.ts';
import { DigestClient } from '../../../main/sip/digest.ts';
import { openEmbeddedAgent } from '../../../main/sip/embedded-agent.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { SipPeer } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let agent: SipAgent;
let clock: ManualClock;

beforeEach(async () => {
  lifetime = new Lifetime();
  clock = new ManualClock();
  ({ agent } = await openEmbeddedAgent({ runFolder: tmpdir(), host: '127.0.0.1', port: 0 }, lifetime));
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

describe('when nobody is there at all', () => {
  it('the first minute has short waits that double; then those of RFC 5626 §4.5', async () => {
    const nobody = await SipPeer.udp();
    await nobody[Symbol.asyncDispose]();
    const told: RegistrationStatus[] = [];
    const lonely = new Registration({
      agent,
      address: 'bob@example.org',
      contact: '<sip:bob@localhost>',
      flows: [[{ nextHop: `sip:127.0.0.1:${nobody.port};transport=tcp` }]],
      digest: new DigestClient({ user: 'bob', password: 'secret' }),
      clock,
      random: () => 0,
      onChange: (status) => told.push(status),
    });
    lonely.start();
    const waits: number[] = [];
    for (let failures = 1; failures <= 10; failures += 1) {
      await expect.poll(() => told.filter(({ status }) => status === 'unreachable')).toHaveLength(failures);
      const last = told.at(-1);
      const retryMs = last?.status === 'unreachable' ? last.retryMs : 0;
      waits.push(retryMs);
      clock.advance(retryMs);
    }
    const early = [500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000, 8_000, 8_000];
    expect(waits).toEqual(early);
    for (let failures = 11; failures <= 14; failures += 1) {
      await expect.poll(() => told.filter(({ status }) => status === 'unreachable')).toHaveLength(failures);
      const last = told.at(-1);
      const retryMs = last?.status === 'unreachable' ? last.retryMs : 0;
      waits.push(retryMs);
      clock.advance(retryMs);
    }
    expect(waits.slice(10)).toEqual([8_000, 30_000, 60_000, 120_000]);
    await lonely[Symbol.asyncDispose]();
  });

  it('the next way is taken, and tried first from then on', async () => {
    const nobody = await SipPeer.udp();
    await nobody[Symbol.asyncDispose]();
    const there = lifetime.own(await SipPeer.tcpListener());
    const either = new Registration({
      agent,
      address: 'bob@example.org',
      contact: '<sip:bob@localhost>',
      flows: [[nobody.port, there.port].map((port) => ({ nextHop: `sip:127.0.0.1:${port};transport=tcp` }))],
      digest: new DigestClient({ user: 'bob', password: 'secret' }),
      clock,
      onChange: () => undefined,
    });
    either.start();
    const request = await there.request('REGISTER');
    const contact = /<[^>]+>/.exec(request.header('Contact'))?.[0] ?? '';
    await there.answer(request, 200, { contact: `${contact};expires=120` });
    await expect.poll(() => either.status.status).toBe('registered');
    expect(either.way.nextHop).toContain(`:${there.port};`);
    const left = either[Symbol.asyncDispose]();
    const leaving = await there.request('REGISTER');
    expect(leaving.header('Contact')).toContain('transport=tcp');
    await there.answer(leaving, 200);
    await left;
  });

  it('UDP, where nobody says that nobody is there, is tried for three seconds; told is why the first way failed', async () => {
    const nobody = await SipPeer.udp();
    await nobody[Symbol.asyncDispose]();
    const told: RegistrationStatus[] = [];
    await using lonely = new Registration({
      agent,
      address: 'bob@example.org',
      contact: '<sip:bob@localhost>',
      flows: [['tcp', 'udp'].map((one) => ({ nextHop: `sip:127.0.0.1:${nobody.port};transport=${one}` }))],
      digest: new DigestClient({ user: 'bob', password: 'secret' }),
      clock,
      onChange: (status) => told.push(status),
    });
    lonely.start();
    await expect.poll(() => clock.pending).toBe(1);
    expect(told.map(({ status }) => status)).toEqual(['registering']);
    clock.advance(3_000);
    await expect.poll(() => told.at(-1)?.status).toBe('unreachable');
    expect(told.at(-1)).toMatchObject({ reason: `connection to 127.0.0.1:${nobody.port} refused` });
  });
});
