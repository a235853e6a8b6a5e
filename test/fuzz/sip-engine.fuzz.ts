import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  callPeer,
  establishInbound,
  establishOutbound,
  SDP,
  startBench,
  type Bench,
} from '../sip/engine/bench.ts';
import { seedsOf } from './seeds.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench();
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const ROUNDS = 4_000;
const KEPT_ROUNDS = 300;

const edit = fc.record({
  at: fc.integer({ min: 0, max: 999 }),
  drop: fc.nat(8),
  put: fc.oneof(
    fc.constantFrom(
      '\r\n',
      '\n',
      '"',
      '<',
      '>',
      ';',
      ',',
      ':0',
      '@',
      ' ',
      '*',
      ';tag=',
      ';rport',
      ';maddr=x',
      ';transport=tcp',
    ),
    fc.string({ maxLength: 4 }),
  ),
});

function damage(text: string, edits: readonly { at: number; drop: number; put: string }[]): string {
  return edits.reduce((now, { at, drop, put }) => {
    const start = Math.floor((at * now.length) / 1_000);
    return now.slice(0, start) + put + now.slice(start + drop);
  }, text);
}

describe('whatever arrives, the engine goes on', () => {
  it('damaged requests and responses, in and out of dialogs and transactions, over UDP and TCP', async () => {
    const { app, peer, port, clock } = bench;
    const outbound = await establishOutbound(bench);
    const ringing = await callPeer(bench);
    const inbound = await establishInbound(bench);
    // The application answers what is handed up, so that its answers are built from damaged requests too.
    const originalPut = app.frames.put.bind(app.frames);
    app.frames.put = (frame) => {
      const { method, status } = frame.sip ?? { method: '', status: 0 };
      if (frame.type === 'sip' && status === 0 && method !== 'ACK' && method !== 'CANCEL') {
        app.sendFrame(
          ['sip', frame.transactionId, ''],
          `SIP/2.0 200 OK\r\n\r\n${method === 'INVITE' ? SDP : ''}`,
        );
      }
      originalPut(frame);
    };
    const dialog = {
      callId: outbound.invite.header('Call-ID'),
      fromTag: 'callee-tag',
      toTag: outbound.invite.tag('From'),
    };
    // Each has a branch of its own, else it would only be a repeat of the one before.
    const originals: (() => string)[] = [
      () => peer.build('INVITE', { body: SDP, headers: ['Record-Route: <sip:127.0.0.1;lr>'] }),
      () => peer.build('MESSAGE', { body: 'x', contentType: 'text/plain' }),
      () => peer.build('REGISTER'),
      () => peer.build('CANCEL'),
      ...['INFO', 'INVITE', 'UPDATE', 'ACK'].map(
        (method) => () => peer.build(method, { ...dialog, cseq: 9 }),
      ),
      ...['INFO', 'INVITE', 'ACK'].map((method) => () => peer.build(method, { ...inbound.fields, cseq: 9 })),
      () => peer.reply(outbound.invite, 200, { body: SDP }),
      ...[180, 200, 486].map(
        (status) => () =>
          peer.reply(ringing.invite, status, { headers: ['Record-Route: <sip:127.0.0.1;lr>'] }),
      ),
    ];
    const sample = fc.tuple(fc.constantFrom(...originals), fc.array(edit, { minLength: 1, maxLength: 4 }));
    const samples = seedsOf('sip-engine').flatMap(({ seed, kept }) =>
      fc.sample(sample, { numRuns: kept ? KEPT_ROUNDS : ROUNDS, seed }),
    );
    for (const [index, [build, edits]] of samples.entries()) {
      const damaged = damage(build(), edits);
      await peer.send(damaged, port);
      // Lets the engine and its application read: nothing may be lost in a buffer of the system.
      await new Promise((done) => setImmediate(done));
      if (index % 10 === 0) await app.ask(['ping']);
      if (index % 50 !== 0) continue;
      const stream = await bench.tcpPeer();
      await stream.send(damaged);
      stream.end();
      clock.advance(400);
    }
    await peer.fence(port);
    // Many were good enough to reach the application.
    expect(app.log.filter(({ type }) => type === 'sip').length).toBeGreaterThan(ROUNDS / 20);
    for (const { dialogId } of [outbound, inbound]) await app.inDialog(dialogId, 'BYE');
    // In steps: what is repeated in five minutes is more than the peer's buffer holds at once.
    for (let second = 0; second < 300; second += 1) {
      clock.advance(1_000);
      await new Promise((done) => setImmediate(done));
    }
    await peer.fence(port);
    clock.advance(32_000);
    expect((await app.ask(['ping'])).token(4)).toBe('pong');
    expect(bench.engine.load.serverTransactions).toBe(0);
  });
});
