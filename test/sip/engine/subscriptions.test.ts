import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EngineFrame } from '../../support/control-peer.ts';
import type { PeerMessage, RequestFields } from '../../support/sip-peer.ts';
import { SipPeer } from '../../support/sip-peer.ts';
import { establishInbound, startBench, type Bench } from './bench.ts';

let bench: Bench;

beforeEach(async () => {
  bench = await startBench({ routes: ['subscribe', 'notify', 'publish', 'refer', 'invite'] });
});

afterEach(async () => {
  await bench[Symbol.asyncDispose]();
});

const PRESENCE = ['Event: presence'];

interface Subscribed {
  readonly request: PeerMessage;
  readonly echo: EngineFrame;
  readonly dialogId: string;
  /** Headers of requests of the notifier. */
  readonly fields: RequestFields;
}

/** The application subscribes; the request has arrived. */
async function subscribe(method = 'SUBSCRIBE', expires = 600): Promise<Subscribed> {
  const { app, peer } = bench;
  const headers = method === 'REFER' ? ['Refer-To: <sip:c@192.0.2.1>'] : [...PRESENCE, `Expires: ${expires}`];
  const echo = await app.request(`${method} sip:x@127.0.0.1:${peer.port}`, headers);
  const request = await peer.request(method);
  const callId = request.header('Call-ID');
  const tag = request.tag('From');
  const fields = { callId, fromTag: 'callee-tag', toTag: tag };
  return { request, echo, dialogId: `${callId};from-tag=${tag}`, fields };
}

async function notify(fields: RequestFields, cseq: number, state: string, from = bench.peer): Promise<void> {
  const headers = [...PRESENCE, `Subscription-State: ${state}`];
  await from.send(from.build('NOTIFY', { ...fields, cseq, headers }), bench.port);
}

describe('a subscription of the application (RFC 6665 §4.1)', () => {
  it.each([200, 202])('begins with a %i, is notified, refreshed in its dialog, and ended', async (status) => {
    const { app, peer } = bench;
    const { request, echo, dialogId, fields } = await subscribe();
    expect(request.header('Contact')).not.toBe('');
    await peer.answer(request, status, { headers: ['Expires: 600'] });
    const accepted = await app.sip('SIP/2.0');
    expect([accepted.transactionId, accepted.dialogId]).toEqual([echo.token(10), dialogId]);
    await notify(fields, 1, 'active;expires=600');
    const active = await app.sip('NOTIFY');
    expect(active.dialogId).toBe(dialogId);
    await app.respond(active.transactionId, 200);
    await peer.response(200, 'NOTIFY');
    await app.inDialog(dialogId, 'SUBSCRIBE', [...PRESENCE, 'Expires: 0']);
    const end = await peer.request('SUBSCRIBE');
    expect([end.tag('To'), end.header('Contact')]).toEqual(['callee-tag', request.header('Contact')]);
    await peer.answer(end, 200, { headers: ['Expires: 0'] });
    await app.sip('SIP/2.0 200');
    await notify(fields, 2, 'terminated;reason=timeout');
    const last = await app.sip('NOTIFY');
    // The application answers it; the dialog ends behind that answer.
    expect(bench.engine.load.dialogs).toBe(1);
    expect((await app.respond(last.transactionId, 200)).token(3)).toBe('OK');
    await peer.response(200, 'NOTIFY');
    expect(bench.engine.load.dialogs).toBe(0);
    expect((await app.inDialog(dialogId, 'SUBSCRIBE')).token(3)).toBe('NOK');
  });

  it('that is refused makes no dialog', async () => {
    const { app, peer } = bench;
    const { request, dialogId } = await subscribe();
    await peer.answer(request, 489);
    expect((await app.sip('SIP/2.0 489')).dialogId).toBe(dialogId);
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('whose NOTIFY overtakes the 2xx has its dialog already (§4.1.2.4)', async () => {
    const { app, peer } = bench;
    const { request, dialogId, fields } = await subscribe();
    await notify(fields, 1, 'active;expires=600');
    const early = await app.sip('NOTIFY');
    expect(early.dialogId).toBe(dialogId);
    await app.respond(early.transactionId, 200);
    await peer.response(200, 'NOTIFY');
    await peer.answer(request, 200, { headers: ['Expires: 600'] });
    await app.sip('SIP/2.0 200');
    expect(bench.engine.load.dialogs).toBe(1);
    await app.inDialog(dialogId, 'SUBSCRIBE', PRESENCE);
    expect((await peer.request('SUBSCRIBE')).tag('To')).toBe('callee-tag');
  });

  it('that forks is one subscription: the NOTIFY of another fork gets 481, which ends it (§4.1.2.4)', async () => {
    const { app, peer, clock } = bench;
    const other = bench.own(await SipPeer.udp());
    const { request, fields } = await subscribe();
    await peer.answer(request, 200);
    await app.sip('SIP/2.0 200');
    await notify({ ...fields, fromTag: 'fork2' }, 1, 'active', other);
    await other.response(481, 'NOTIFY');
    // After timer N it is nobody's fork any more.
    clock.advance(32_000);
    await notify({ ...fields, fromTag: 'fork3' }, 1, 'active', other);
    expect((await app.sip('NOTIFY')).dialogId).toBe('');
  });

  it('whose NOTIFY never comes ends with timer N, 64*T1 after its SUBSCRIBE (§4.1.2.4)', async () => {
    const { app, peer, clock, engine } = bench;
    const { request, fields } = await subscribe('SUBSCRIBE', 600);
    await peer.answer(request, 200, { headers: ['Expires: 600'] });
    const { dialogId } = await app.sip('SIP/2.0 200');
    clock.advance(31_999);
    expect(engine.load.dialogs).toBe(1);
    clock.advance(1);
    expect(engine.load.dialogs).toBe(0);
    expect((await app.inDialog(dialogId, 'SUBSCRIBE')).token(4)).toContain('unable to find dialog');
    expect(fields.callId).not.toBe('');
  });

  it('that was notified in time outlives timer N (§4.1.2.4)', async () => {
    const { app, peer, clock, engine } = bench;
    const { request, fields } = await subscribe('SUBSCRIBE', 600);
    await peer.answer(request, 200, { headers: ['Expires: 600'] });
    await app.sip('SIP/2.0 200');
    clock.advance(31_000);
    await notify(fields, 1, 'active;expires=600');
    await app.respond((await app.sip('NOTIFY')).transactionId, 200);
    clock.advance(2_000);
    expect(engine.load.dialogs).toBe(1);
  });

  it('that is not refreshed is forgotten 64*T1 after its time; a NOTIFY names a new time', async () => {
    const { app, peer, clock } = bench;
    const { request, fields } = await subscribe('SUBSCRIBE', 100);
    await peer.answer(request, 200, { headers: ['Expires: 100'] });
    await app.sip('SIP/2.0 200');
    await notify(fields, 1, 'active;expires=100');
    await app.respond((await app.sip('NOTIFY')).transactionId, 200);
    clock.advance(90_000);
    await notify(fields, 2, 'active;expires=200');
    await app.respond((await app.sip('NOTIFY')).transactionId, 200);
    clock.advance(231_999);
    expect(bench.engine.load.dialogs).toBe(1);
    clock.advance(1);
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('whose refresh is answered 481 has ended; 503 leaves it (§4.1.2.2)', async () => {
    const { app, peer } = bench;
    const { request, dialogId } = await subscribe();
    await peer.answer(request, 200);
    await app.sip('SIP/2.0 200');
    for (const [status, dialogs] of [
      [503, 1],
      [481, 0],
    ] as const) {
      await app.inDialog(dialogId, 'SUBSCRIBE', PRESENCE);
      await peer.answer(await peer.request('SUBSCRIBE'), status);
      await app.sip(`SIP/2.0 ${status}`);
      expect(bench.engine.load.dialogs).toBe(dialogs);
    }
  });
});

describe('a subscription of the network (RFC 6665 §4.2)', () => {
  async function beSubscribed(headers: readonly string[] = ['Expires: 100']): Promise<RequestFields> {
    const { app, peer, port } = bench;
    const fields = { callId: 'sub', fromTag: 'watcher' };
    await peer.send(peer.build('SUBSCRIBE', { ...fields, headers: [...PRESENCE, ...headers] }), port);
    const echo = await app.respond((await app.sip('SUBSCRIBE')).transactionId, 200, 'OK', headers);
    expect(echo.token(11)).toBe('sub;from-tag=watcher');
    const ok = await peer.response(200, 'SUBSCRIBE');
    expect(ok.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    return { ...fields, toTag: ok.tag('To') };
  }

  async function sendNotify(state: string): Promise<PeerMessage> {
    await bench.app.inDialog('sub;from-tag=watcher', 'NOTIFY', [...PRESENCE, `Subscription-State: ${state}`]);
    return bench.peer.request('NOTIFY');
  }

  it('is notified in its dialog, refreshed, and ends with the answer to the last NOTIFY', async () => {
    const { app, peer, port } = bench;
    const fields = await beSubscribed();
    const active = await sendNotify('active;expires=100');
    expect([active.tag('From'), active.tag('To')]).toEqual([fields.toTag, 'watcher']);
    await peer.answer(active, 200);
    await app.sip('SIP/2.0 200');
    await peer.send(peer.build('SUBSCRIBE', { ...fields, cseq: 2, headers: PRESENCE }), port);
    const refresh = await app.sip('SUBSCRIBE');
    expect(refresh.dialogId).toBe('sub;from-tag=watcher');
    await app.respond(refresh.transactionId, 200, 'OK', ['Expires: 100']);
    await peer.response(200, 'SUBSCRIBE');
    const last = await sendNotify('terminated;reason=noresource');
    expect(bench.engine.load.dialogs).toBe(1);
    await peer.answer(last, 200);
    await app.sip('SIP/2.0 200');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it.each([481, 408])('ends when a NOTIFY is answered %i (§4.2.2)', async (status) => {
    await beSubscribed();
    await bench.peer.answer(await sendNotify('active'), status);
    await bench.app.sip(`SIP/2.0 ${status}`);
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('ends 64*T1 after its time when the watcher does not refresh', async () => {
    await beSubscribed();
    bench.clock.advance(131_999);
    expect(bench.engine.load.dialogs).toBe(1);
    bench.clock.advance(1);
    expect(bench.engine.load.dialogs).toBe(0);
  });
});

describe('REFER (RFC 3515)', () => {
  it('of the application outside a dialog: its 202 makes the dialog in which the NOTIFYs come (§2.4.4)', async () => {
    const { app, peer } = bench;
    const { request, dialogId, fields } = await subscribe('REFER');
    await peer.answer(request, 202);
    await app.sip('SIP/2.0 202');
    await notify(fields, 1, 'terminated;reason=noresource');
    const frame = await app.sip('NOTIFY');
    expect(frame.dialogId).toBe(dialogId);
    await app.respond(frame.transactionId, 200);
    await peer.response(200, 'NOTIFY');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('of the network outside a dialog: the 202 makes a dialog, the NOTIFYs go out in it', async () => {
    const { app, peer, port } = bench;
    const headers = ['Refer-To: <sip:c@192.0.2.1>'];
    await peer.send(peer.build('REFER', { callId: 'r', fromTag: 'boss', headers }), port);
    const echo = await app.respond((await app.sip('REFER')).transactionId, 202, 'Accepted');
    expect(echo.token(11)).toBe('r;from-tag=boss');
    await peer.response(202, 'REFER');
    await app.inDialog('r;from-tag=boss', 'NOTIFY', ['Event: refer', 'Subscription-State: terminated']);
    const done = await peer.request('NOTIFY');
    await peer.answer(done, 200);
    await app.sip('SIP/2.0 200');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('whose 2xx says Refer-Sub: false makes none (RFC 4488 §4)', async () => {
    const { app, peer } = bench;
    const { request } = await subscribe('REFER');
    await peer.answer(request, 202, { headers: ['Refer-Sub: false'] });
    await app.sip('SIP/2.0 202');
    expect(bench.engine.load.dialogs).toBe(0);
  });

  it('inside a call: its last NOTIFY does not end the call', async () => {
    const { app, peer, port } = bench;
    const call = await establishInbound(bench);
    await app.inDialog(call.dialogId, 'REFER', ['Refer-To: <sip:c@192.0.2.1>']);
    const refer = await peer.request('REFER');
    expect(refer.header('Contact')).toBe(`<sip:127.0.0.1:${port}>`);
    await peer.answer(refer, 202);
    await app.sip('SIP/2.0 202');
    await notify(call.fields, 2, 'terminated;reason=noresource');
    const frame = await app.sip('NOTIFY');
    expect(frame.dialogId).toBe(call.dialogId);
    await app.respond(frame.transactionId, 200);
    await peer.response(200, 'NOTIFY');
    expect(bench.engine.load.dialogs).toBe(1);
  });
});

describe('PUBLISH (RFC 3903)', () => {
  it('passes both ways with its entity tags', async () => {
    const { app, peer, port } = bench;
    const echo = await app.request(
      `PUBLISH sip:x@127.0.0.1:${peer.port}`,
      ['Event: presence', 'sip-if-match: abc', 'Expires: 60', 'Content-Type: application/pidf+xml'],
      '<presence/>',
    );
    const publish = await peer.request('PUBLISH');
    expect([publish.header('SIP-If-Match'), publish.header('Contact')]).toEqual(['abc', '']);
    await peer.answer(publish, 200, { headers: ['SIP-ETag: def', 'Expires: 60'] });
    const ok = await app.sip('SIP/2.0 200');
    expect([ok.transactionId, ok.sip?.header('SIP-ETag')]).toEqual([echo.token(10), 'def']);
    await peer.send(peer.build('PUBLISH', { headers: ['SIP-If-Match: old'] }), port);
    const frame = await app.sip('PUBLISH');
    expect(frame.sip?.header('SIP-If-Match')).toBe('old');
    await app.respond(frame.transactionId, 412, 'Conditional Request Failed', ['sip-etag: x']);
    expect((await peer.response(412, 'PUBLISH')).text).toContain('\r\nSIP-ETag: x\r\n');
  });
});
