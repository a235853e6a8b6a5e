import { describe, expect, it } from 'vitest';
import { MSRP_LIMITS } from '../../main/base/limits.ts';
import type { MsrpSession } from '../../main/msrp/session.ts';
import { MsrpPeerListener } from '../support/msrp-peer.ts';
import { openSide, path, text, type Side } from './fixture.ts';

/** A session of `b` that has visited a session of `a`. */
async function bind(a: Side, b: Side) {
  const [host, guest] = [a.createSession(), b.createSession()];
  const accepted = host.session.awaitVisit(guest.session.localPath);
  expect(await guest.session.visit(host.session.localPath)).toMatchObject({ status: 200 });
  await accepted;
  return { host, guest };
}

describe('sessions that share a connection (RFC 4975 §5.4)', () => {
  it('a second session to the same authority takes the connection that is there', async () => {
    await using a = await openSide();
    await using b = await openSide();
    const first = await bind(a, b);
    const second = await bind(a, b);
    expect(a.endpoint.connectionCount).toBe(1);
    for (const { host, guest } of [first, second]) {
      expect(await guest.session.sendMessage(text('there'))).toEqual({ status: 200 });
      expect(await host.session.sendMessage(text('back'))).toEqual({ status: 200 });
      expect(host.delegate.messages.map(({ body }) => body.toString())).toEqual(['there']);
      expect(guest.delegate.messages.map(({ body }) => body.toString())).toEqual(['back']);
    }
  });

  it('one session ends, the other one stays; the last one takes the connection with it', async () => {
    await using a = await openSide();
    await using b = await openSide();
    const first = await bind(a, b);
    const second = await bind(a, b);
    await Promise.all([first.guest.session.close(), first.host.session.close()]);
    expect(await second.guest.session.sendMessage(text('still here'))).toEqual({ status: 200 });
    await Promise.all([second.guest.session.close(), second.host.session.close()]);
    expect(a.endpoint.connectionCount).toBe(0);
  });

  it('a lost connection ends every session on it', async () => {
    await using a = await openSide();
    const b = await openSide();
    const pairs = [await bind(a, b), await bind(a, b)];
    await b[Symbol.asyncDispose]();
    for (const { host } of pairs) {
      await host.delegate.until(({ closes }) => closes.length === 1);
      expect(host.session.state).toBe('closed');
    }
  });

  it('maxSharingSessions: so many share one, one more opens another', async () => {
    await using a = await openSide();
    await using b = await openSide();
    const sessions: MsrpSession[] = [];
    for (let count = 0; count < MSRP_LIMITS.maxSharingSessions; count++) {
      sessions.push((await bind(a, b)).guest.session);
    }
    expect(sessions.every(({ state }) => state === 'bound')).toBe(true);
    expect(a.endpoint.connectionCount).toBe(1);
    await bind(a, b);
    expect(a.endpoint.connectionCount).toBe(2);
  });

  it('a session that takes files has a connection of its own: a full sink holds up nobody else', async () => {
    await using a = await openSide();
    await using b = await openSide();
    await bind(a, b);
    const [host, guest] = [a.createSession(), b.createSession()];
    Object.assign(guest.delegate, { sinkFor: () => undefined });
    const accepted = host.session.awaitVisit(guest.session.localPath);
    await guest.session.visit(host.session.localPath);
    await accepted;
    expect(a.endpoint.connectionCount).toBe(2);
    await bind(a, b);
    expect(a.endpoint.connectionCount).toBe(2);
  });

  it('another authority is another connection', async () => {
    await using a = await openSide();
    await using other = await openSide();
    await using b = await openSide();
    await bind(a, b);
    await bind(other, b);
    expect([a.endpoint.connectionCount, other.endpoint.connectionCount]).toEqual([1, 1]);
  });

  it('a peer that has sent FIN is not visited on that connection again', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const first = side.session.visit(path(listener.path));
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    await first;
    peer.socket.end();
    await side.delegate.until(({ closes }) => closes.length === 1);
    const again = side.createSession().session.visit(path(listener.path));
    const next = await listener.accept();
    next.answer(await next.frame());
    expect(await again).toMatchObject({ status: 200 });
  });
});
