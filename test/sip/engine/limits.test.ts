import { afterEach, describe, expect, it, vi } from 'vitest';
import { CONTROL_LIMITS, SIP_LIMITS } from '../../../main/base/limits.ts';
import type { PeerMessage } from '../../support/sip-peer.ts';
import { establishInbound, SDP, startBench, type Bench } from './bench.ts';

// The tables of this file are small, so that a test can fill them.
vi.mock('../../../main/base/limits.ts', async (original) => {
  const limits = await original<typeof import('../../../main/base/limits.ts')>();
  return {
    ...limits,
    SIP_LIMITS: {
      ...limits.SIP_LIMITS,
      maxTransactions: 4,
      maxTransactionsInDialogs: 6,
      maxDialogs: 3,
      maxSubscriptions: 2,
      maxOpenRequestsPerDialog: 2,
    },
    CONTROL_LIMITS: { ...limits.CONTROL_LIMITS, overloadedBytes: 100_000 },
  };
});

const state: { bench: Bench | undefined } = { bench: undefined };

async function start(): Promise<Bench> {
  state.bench = await startBench();
  return state.bench;
}

afterEach(async () => {
  await state.bench?.[Symbol.asyncDispose]();
  state.bench = undefined;
});

/** 503 with a wait (RFC 3261 §21.5.4). */
function expectOverload(answer: PeerMessage): void {
  const seconds = Number(answer.header('Retry-After'));
  expect(seconds).toBeGreaterThanOrEqual(SIP_LIMITS.overloadRetryAfterS);
  expect(seconds).toBeLessThanOrEqual(2 * SIP_LIMITS.overloadRetryAfterS);
}

describe('ceilings of the engine', () => {
  it('dialogs: at the limit they pass, one more INVITE gets 503 with Retry-After, those there go on', async () => {
    const bench = await start();
    const { app, peer, port } = bench;
    const calls = [];
    for (let count = 0; count < SIP_LIMITS.maxDialogs; count += 1) calls.push(await establishInbound(bench));
    await peer.send(peer.build('INVITE', { body: SDP }), port);
    expectOverload(await peer.response(503, 'INVITE'));
    expect((await app.request(`INVITE sip:x@127.0.0.1:${peer.port}`, [], SDP)).token(3)).toBe('NOK');
    const [first] = calls;
    await peer.send(peer.build('INFO', { ...first?.fields, cseq: 2 }), port);
    expect((await app.sip('INFO')).dialogId).toBe(first?.dialogId);
    await peer.send(peer.build('BYE', { ...first?.fields, cseq: 3 }), port);
    await app.respond((await app.sip('BYE')).transactionId, 200);
    await establishInbound(bench);
  });

  it('transactions: at the limit they pass, one more gets 503 with Retry-After; requests in dialogs and CANCEL still get through', async () => {
    const bench = await start();
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    const cancelled = { callId: 'c', branch: 'z9hG4bKfull', fromTag: 'f' };
    await peer.send(peer.build('INVITE', cancelled), port);
    await app.sip('INVITE');
    for (let count = 1; count < SIP_LIMITS.maxTransactions; count += 1) {
      await peer.send(peer.build('MESSAGE'), port);
      await app.sip('MESSAGE');
    }
    await peer.send(peer.build('MESSAGE'), port);
    expectOverload(await peer.response(503, 'MESSAGE'));
    await peer.send(peer.build('INFO', { ...call.fields, cseq: 2 }), port);
    await app.sip('INFO');
    await peer.send(peer.build('MESSAGE', { ...call.fields, cseq: 3 }), port);
    await app.sip('MESSAGE');
    // And these have a ceiling of their own.
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 4 }), port);
    expectOverload(await peer.response(503, 'BYE'));
    await peer.send(peer.build('CANCEL', cancelled), port);
    expectOverload(await peer.response(503, 'CANCEL'));
  });

  it('unanswered requests of one dialog: at the limit they pass, one more gets 503; a BYE always passes', async () => {
    const bench = await start();
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    for (let count = 0; count < SIP_LIMITS.maxOpenRequestsPerDialog; count += 1) {
      await peer.send(peer.build('INFO', { ...call.fields, cseq: 2 + count }), port);
      await app.sip('INFO');
    }
    await peer.send(peer.build('INFO', { ...call.fields, cseq: 8 }), port);
    expectOverload(await peer.response(503, 'INFO'));
    await peer.send(peer.build('BYE', { ...call.fields, cseq: 9 }), port);
    await app.sip('BYE');
  });

  it('subscriptions: at the limit they pass, one more gets 503, from the application a NOK; calls still come in', async () => {
    const bench = await start();
    const { app, peer, port } = bench;
    for (let count = 0; count < SIP_LIMITS.maxSubscriptions; count += 1) {
      await peer.send(peer.build('SUBSCRIBE', { headers: ['Event: presence'] }), port);
      await app.respond((await app.sip('SUBSCRIBE')).transactionId, 200);
      await peer.response(200, 'SUBSCRIBE');
    }
    for (const method of ['SUBSCRIBE', 'REFER']) {
      await peer.send(peer.build(method, { headers: ['Event: presence'] }), port);
      expectOverload(await peer.response(503, method));
    }
    expect((await app.request(`SUBSCRIBE sip:x@127.0.0.1:${peer.port}`)).token(3)).toBe('NOK');
    await establishInbound(bench);
  });

  it('bytes that the application has not read: new requests get 503 with Retry-After until it reads again', async () => {
    const bench = await start();
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    app.pause();
    const text = 'x'.repeat(40_000);
    const fields = { contentType: 'text/plain', body: text };
    let cseq = 2;
    const statuses = (): number => peer.log.filter(({ status }) => status === 503).length;
    const deadline = Date.now() + 20_000;
    // In the dialog they pile up: the socket's own buffers are filled first.
    while (statuses() === 0 && Date.now() < deadline) {
      for (let count = 0; count < 16; count += 1) {
        await peer.send(peer.build('PUBLISH', fields), port);
        await peer.send(peer.build('OPTIONS', fields), port);
      }
      await peer.fence(port);
    }
    expectOverload(await peer.response(503, 'OPTIONS'));
    await peer.send(peer.build('INFO', { ...call.fields, cseq: (cseq += 1) }), port);
    await peer.fence(port);
    app.resume();
    expect((await app.sip('INFO')).dialogId).toBe(call.dialogId);
    expect(CONTROL_LIMITS.overloadedBytes).toBe(100_000);
  });
});
