import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Lifetime } from '../../../main/base/lifetime.ts';
import { ProtocolError } from '../../../main/base/protocol-error.ts';
import { SipAgent } from '../../../main/sip/agent/agent.ts';
import { sendInvite } from '../../../main/sip/agent/invite.ts';
import { SipEngine } from '../../../main/sip/engine/engine.ts';
import { newPeerId, SipPeer } from '../../support/sip-peer.ts';

let lifetime: Lifetime;
let agent: SipAgent;
let engine: SipEngine;
let port: number;
let peer: SipPeer;

beforeEach(async () => {
  lifetime = new Lifetime();
  const path = join(tmpdir(), `parley-${randomUUID()}.sock`);
  agent = lifetime.own(new SipAgent({ link: { kind: 'listen', path, secret: 'shared' } }));
  engine = lifetime.own(new SipEngine({ secret: 'shared' }));
  await agent.open();
  ({ port } = await engine.listenBoth('127.0.0.1', 0));
  await engine.dialApplication(path);
  await agent.whenConnected;
  peer = lifetime.own(await SipPeer.udp());
});
afterEach(async () => {
  await lifetime[Symbol.asyncDispose]();
});

const there = () => `sip:peer@127.0.0.1:${peer.port}`;

it.each([
  ['a header value', { Subject: 'hello\r\nInjected: yes' }],
  ['one of several values', { Subject: ['fine', 'hello\nInjected: yes'] }],
  ['a zero byte', { Subject: 'a\0b' }],
])('a line break in %s is refused before anything is sent', async (_what, headers) => {
  const request = agent.sendRequest({ method: 'OPTIONS', uri: there(), headers });
  await expect(request.final).rejects.toMatchObject({ name: 'EngineError', code: 'ENGINE_REFUSED' });
  expect(peer.log).toEqual([]);
});

it('several values are several lines', async () => {
  agent.handle('OPTIONS', async (request) => {
    await request.respond(200, { headers: { 'X-Test': ['one, still one', 'two'] } });
  });
  await peer.send(peer.build('OPTIONS'), port);
  expect((await peer.response(200, 'OPTIONS')).headers('X-Test')).toEqual(['one, still one', 'two']);
});

it.each([
  [new ProtocolError('TEST', 400, 'bad'), 400],
  [new ProtocolError('TEST', 413, 'large'), 413],
  [new Error('a bug'), 500],
])('a handler that throws %s is answered', async (error, status) => {
  agent.handle('OPTIONS', () => Promise.reject(error));
  await peer.send(peer.build('OPTIONS'), port);
  await peer.response(status, 'OPTIONS');
});

it('a method without a handler is 405 with those that there are; inside of no dialog 481', async () => {
  agent.handle('INVITE', () => undefined);
  agent.handle('MESSAGE', () => undefined);
  await peer.send(peer.build('PUBLISH'), port);
  expect((await peer.response(405, 'PUBLISH')).header('Allow')).toBe('INVITE, MESSAGE, ACK, BYE, CANCEL');
  await peer.send(peer.build('BYE', { toTag: 'none' }), port);
  await peer.response(481, 'BYE');
});

it('when the link to the engine is lost, what waits is rejected, and the next request as well', async () => {
  let told = 0;
  agent.onConnectionLost(() => {
    told += 1;
  });
  const pending = agent.sendRequest({ method: 'OPTIONS', uri: there() });
  const inviting = sendInvite(agent, {
    invite: { uri: there(), from: '<sip:a@b>', to: '<sip:c@d>', sdp: 'v=0\r\n' },
    delegate: { receiveBye: () => undefined },
    ringMs: 60_000,
  });
  await peer.request('OPTIONS');
  await peer.request('INVITE');
  await engine[Symbol.asyncDispose]();
  await expect(pending.final).rejects.toMatchObject({ code: 'ENGINE_NOT_CONNECTED' });
  await expect(inviting).rejects.toMatchObject({ code: 'ENGINE_NOT_CONNECTED' });
  expect([told, agent.connected]).toEqual([1, false]);
  const next = agent.sendRequest({ method: 'OPTIONS', uri: there() });
  await expect(next.final).rejects.toMatchObject({ name: 'EngineError' });
});

it('a dialog ends with the link, and its owner is told that it was not the peer', async () => {
  const bye = Promise.withResolvers<{ fromPeer: boolean }>();
  const inviting = sendInvite(agent, {
    invite: {
      uri: there(),
      from: '<sip:a@b>',
      to: '<sip:c@d>',
      sdp: 'v=0\r\n',
      headers: { Contact: '<sip:a@localhost>' },
    },
    delegate: { receiveBye: (ended) => bye.resolve(ended) },
    ringMs: 60_000,
  });
  await peer.answer(await peer.request('INVITE'), 200, { toTag: newPeerId(), body: 'v=0\r\n' });
  const outcome = await inviting;
  if (outcome.kind !== 'accepted') throw new Error(outcome.kind);
  await outcome.sendAck();
  await engine[Symbol.asyncDispose]();
  expect((await bye.promise).fromPeer).toBe(false);
  expect(outcome.dialog.state).toBe('ended');
  expect(await outcome.dialog.sendBye()).toBe(0);
});

it('no answer: cancelled after the time to ring; a 200 that crosses the CANCEL is hung up (RFC 3261 §15)', async () => {
  const stop = new AbortController();
  const inviting = sendInvite(agent, {
    invite: {
      uri: there(),
      from: '<sip:a@b>',
      to: '<sip:c@d>',
      sdp: 'v=0\r\n',
      headers: { Contact: '<sip:a@localhost>' },
    },
    delegate: { receiveBye: () => undefined },
    ringMs: 60_000,
    signal: stop.signal,
  });
  const invite = await peer.request('INVITE');
  await peer.answer(invite, 180);
  stop.abort();
  await peer.request('CANCEL');
  await peer.answer(invite, 200, { body: 'v=0\r\n' });
  expect(await inviting).toEqual({ kind: 'cancelled' });
  await peer.request('ACK');
  await peer.answer(await peer.request('BYE'), 200);
});
