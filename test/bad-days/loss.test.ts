import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Lifetime } from '../../main/base/lifetime.ts';
import { SipAgent } from '../../main/sip/agent/agent.ts';
import { IncomingInvite, sendInvite, type InviteOutcome } from '../../main/sip/agent/invite.ts';
import { sendPagerMessage } from '../../main/sip/agent/pager-message.ts';
import { SipEngine } from '../../main/sip/engine/engine.ts';
import { LossyProxy } from '../support/lossy-proxy.ts';
import { ManualClock } from '../support/manual-clock.ts';

const CALLS = 40;
const SDP = 'v=0\r\n';

/** An agent on an engine whose time is turned by hand. */
async function openSide(lifetime: Lifetime, clock: ManualClock) {
  const path = join(tmpdir(), `parley-${randomUUID()}.sock`);
  const agent = lifetime.own(new SipAgent({ link: { kind: 'listen', path, secret: 'shared' } }));
  const engine = lifetime.own(new SipEngine({ secret: 'shared', clock }));
  await agent.open();
  const { port } = await engine.listen({ transport: 'udp', host: '127.0.0.1', port: 0 });
  await engine.dialApplication(path);
  await agent.whenConnected;
  return { agent, engine, port };
}

/** Turns the clock by tenths of a second; after each what is on its way arrives. Stops early when `isOver`. */
async function turn(clock: ManualClock, seconds: number, isOver: () => boolean = () => false): Promise<void> {
  for (let tenth = 0; tenth < seconds * 10 && !isOver(); tenth += 1) {
    clock.advance(100);
    for (let turns = 0; turns < 4; turns += 1) await new Promise((done) => setImmediate(done));
  }
}

describe('three of ten datagrams are lost, some come twice or late (RFC 3261 §17)', () => {
  it.each([1, 2, 3])('each call comes about and ends, or fails cleanly (seed %i)', async (seed) => {
    await using lifetime = new Lifetime();
    const clock = new ManualClock();
    const caller = await openSide(lifetime, clock);
    const called = await openSide(lifetime, clock);
    const proxy = lifetime.own(
      await LossyProxy.open({ target: called.port, loss: 0.3, double: 0.05, reorder: 0.1, seed }),
    );
    const accepted: Promise<unknown>[] = [];
    const hungUp: string[] = [];
    called.agent.handle('INVITE', async (request) => {
      const answered = new IncomingInvite(called.agent, request).accept(SDP, {
        receiveBye: ({ fromPeer }) => {
          hungUp.push(fromPeer ? 'by the caller' : 'by the engine');
        },
      });
      accepted.push(answered);
      await answered;
    });
    called.agent.handle('MESSAGE', async (request) => {
      await request.respond(200);
    });
    const nextHop = `sip:127.0.0.1:${proxy.port}`;

    const call = async (): Promise<InviteOutcome['kind']> => {
      const outcome = await sendInvite(caller.agent, {
        invite: {
          uri: 'sip:tom@127.0.0.1',
          from: '<sip:bob@127.0.0.1>',
          to: '<sip:tom@127.0.0.1>',
          nextHop,
          sdp: SDP,
        },
        delegate: { receiveBye: () => undefined },
        ringMs: 300_000,
        clock,
      });
      if (outcome.kind !== 'accepted') return outcome.kind;
      await outcome.sendAck();
      expect([200, 408, 481]).toContain(await outcome.dialog.sendBye());
      return outcome.kind;
    };
    const message = () =>
      sendPagerMessage(caller.agent, {
        uri: 'sip:tom@127.0.0.1',
        from: '<sip:bob@127.0.0.1>',
        to: '<sip:tom@127.0.0.1>',
        nextHop,
        contentType: 'text/plain',
        body: 'hello',
      });
    const work = Promise.all([
      Promise.all(Array.from({ length: CALLS }, call)),
      Promise.all(Array.from({ length: CALLS }, message)),
    ]);
    let over = false;
    void work.then(() => {
      over = true;
    });
    await turn(clock, 600, () => over);
    const [calls, messages] = await work;
    // Seven attempts each way: a call that fails is one in thousands.
    expect(calls.filter((kind) => kind === 'accepted').length).toBeGreaterThanOrEqual(CALLS - 1);
    expect(messages.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(CALLS - 1);
    expect(proxy.lost).toBeGreaterThan(CALLS);
    // Whoever did not hear of the end has given up by now, and nothing is left behind.
    await turn(clock, 120);
    for (const { engine } of [caller, called]) {
      expect(engine.load).toMatchObject({ dialogs: 0, clientTransactions: 0, serverTransactions: 0 });
    }
    expect(hungUp).toHaveLength(
      (await Promise.all(accepted)).filter((dialog) => dialog !== undefined).length,
    );
  });
});
