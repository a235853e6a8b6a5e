import { describe, expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeer, MsrpPeerListener, requestText } from '../support/msrp-peer.ts';
import { openSide, path, text } from './fixture.ts';

describe('the answerer visits (RFC 4975 §5.4)', () => {
  it('sends a bodiless SEND at once and is bound by the 200', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const peer = await listener.accept();
    const visit = await peer.frame();
    expect(visit.kind).toBe('SEND');
    expect(visit.body).toBeUndefined();
    expect(visit.headers.get('To-Path')).toBe(listener.path);
    expect(visit.headers.get('From-Path')).toBe(side.uri);
    expect(visit.headers.has('Content-Type')).toBe(false);
    peer.answer(visit);
    expect(await outcome).toEqual({ kind: 'answered', status: 200 });
    expect(side.session.state).toBe('bound');
  });

  it('keeps the connection when a strict peer refuses, and visits again after the ACK', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const peer = await listener.accept();
    peer.answer(await peer.frame(), 481, 'No Such Session');
    expect(await outcome).toEqual({ kind: 'answered', status: 481 });
    expect(side.session.state).toBe('unconfirmed');
    const again = side.session.revisit();
    peer.answer(await peer.frame());
    expect(await again).toEqual({ kind: 'answered', status: 200 });
    expect(side.session.state).toBe('bound');
    expect(await side.session.revisit()).toEqual({ kind: 'answered', status: 200 });
  });

  it('visitTimeoutMs: unanswered after it, not before; a late 200 still binds', async () => {
    const clock = new ManualClock();
    await using side = await openSide({ clock });
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const peer = await listener.accept();
    const visit = await peer.frame();
    let settled = false;
    void outcome.then(() => (settled = true));
    clock.advance(999);
    await Promise.resolve();
    expect(settled).toBe(false);
    clock.advance(1);
    expect(await outcome).toEqual({ kind: 'unanswered', status: 0 });
    expect(side.session.state).toBe('unconfirmed');
    const sent = side.session.sendMessage(text('waits for the visit'));
    peer.answer(visit);
    const send = await peer.frame();
    expect(send.body?.toString()).toBe('waits for the visit');
    peer.answer(send);
    expect(await sent).toEqual({ status: 200 });
  });

  it('connects again for the second visit when the strict peer hung up', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const first = await listener.accept();
    await first.frame();
    first.socket.end();
    await expect(outcome).rejects.toMatchObject({ code: 'MSRP_CLOSED_BY_PEER' });
    expect(side.session.state).toBe('unconfirmed');
    const again = side.session.revisit();
    const second = await listener.accept();
    second.answer(await second.frame());
    expect(await again).toMatchObject({ status: 200 });
    expect(side.delegate.closes).toEqual([]);
  });

  it('says which address was tried and why it failed', async () => {
    await using side = await openSide();
    const listener = await MsrpPeerListener.listen();
    const gone = listener.path;
    await listener[Symbol.asyncDispose]();
    const { port } = path(gone)[0]!;
    await expect(side.session.visit(path(gone))).rejects.toMatchObject({
      code: 'MSRP_CONNECT_REFUSED',
      message: `cannot connect to 127.0.0.1:${port!}: ECONNREFUSED`,
    });
    expect(side.session.state).toBe('listening');
    await expect(side.session.visit(path('msrp://127.0.0.1:9/x;sctp'))).rejects.toMatchObject({
      code: 'MSRP_UNSUPPORTED_URI',
    });
  });

  it('can be given up', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const abort = new AbortController();
    const outcome = side.session.visit(path(listener.path), { signal: abort.signal });
    const peer = await listener.accept();
    await peer.frame();
    abort.abort();
    await expect(outcome).rejects.toMatchObject({ code: 'MSRP_ABORTED' });
  });

  it('takes the peer that comes to us instead, when both believe they are active (RFC 6135)', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const passive = await listener.accept();
    await passive.frame();
    await using active = await MsrpPeer.connect(side.port, listener.path);
    expect((await active.visit(side.uri)).kind).toBe('200 OK');
    expect(await outcome).toMatchObject({ status: 200 });
    await passive.untilEnded();
    const sent = side.session.sendMessage(text('on your connection'));
    active.answer(await active.frame());
    expect(await sent).toEqual({ status: 200 });
  });

  it('answers the bodiless SEND of the peer on our own connection with 200', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const outcome = side.session.visit(path(listener.path));
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    await outcome;
    expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    expect(side.delegate.visits).toEqual([listener.path]);
  });
});

describe('the offerer is visited (RFC 4975 §5.4, flow: who connects)', () => {
  it.each(['SEND', 'VISIT'])('answers a bodiless %s with 200, To-Path being one URI', async (method) => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port, 'msrp://r:1/q;tcp msrp://b:2/y;tcp');
    const answer = await peer.visit(side.uri, 'tid12345', method);
    expect(answer).toMatchObject({ id: 'tid12345', kind: '200 OK', body: undefined });
    expect(answer.headers.get('To-Path')).toBe('msrp://r:1/q;tcp');
    expect(answer.headers.get('From-Path')).toBe(side.uri);
    expect(side.session.state).toBe('visited');
    expect(side.delegate.visits).toEqual([peer.path]);
  });

  it('the answer decides between forks; the others are closed; a later one gets 506', async () => {
    await using side = await openSide();
    await using one = await MsrpPeer.connect(side.port);
    await using two = await MsrpPeer.connect(side.port);
    expect((await one.visit(side.uri)).kind).toBe('200 OK');
    expect((await two.visit(side.uri)).kind).toBe('200 OK');
    await side.session.acceptAnswer(path(two.path), { connectToAnswerer: false });
    await one.untilEnded();
    expect(side.session.state).toBe('bound');
    await using three = await MsrpPeer.connect(side.port);
    expect((await three.visit(side.uri)).kind).toBe('506 Session In Use');
    const sent = side.session.sendMessage(text('for two'));
    const send = await two.frame();
    expect(send.headers.get('To-Path')).toBe(two.path);
    two.answer(send);
    expect(await sent).toEqual({ status: 200 });
  });

  it('keeps a SEND that comes before the SIP answer', async () => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    const visit = requestText({
      id: 'visit1',
      to: side.uri,
      from: peer.path,
      headers: { 'Message-ID': 'aaaa' },
    });
    const send = requestText({
      id: 'send1',
      to: side.uri,
      from: peer.path,
      headers: { 'Message-ID': 'bbbb', 'Content-Type': 'text/plain' },
      body: 'early',
    });
    peer.send(Buffer.concat([visit, send, visit]));
    expect(await peer.frame()).toMatchObject({ id: 'visit1', kind: '200 OK' });
    expect(side.delegate.messages).toEqual([]);
    await side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false });
    expect(await peer.frame()).toMatchObject({ id: 'visit1' });
    expect(await peer.frame()).toMatchObject({ id: 'send1', kind: '200 OK' });
    expect(side.delegate.messages.map((message) => message.body.toString())).toEqual(['early']);
  });

  it('waits for a strict answerer that visits after the ACK, and refuses other paths with 506', async () => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    await using stranger = await MsrpPeer.connect(side.port);
    const accepted = side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false });
    expect(side.session.state).toBe('awaiting');
    expect((await stranger.visit(side.uri)).kind).toBe('506 Session In Use');
    expect((await peer.visit(side.uri)).kind).toBe('200 OK');
    await accepted;
    expect(side.session.state).toBe('bound');
  });

  it('awaitVisitMs: rejects after it, not before', async () => {
    const clock = new ManualClock();
    await using side = await openSide({ clock, limits: { awaitVisitMs: 100 } });
    const accepted = side.session.acceptAnswer(path('msrp://127.0.0.1:9/z;tcp'), {
      connectToAnswerer: false,
    });
    const outcome = accepted.catch((error: unknown) => error);
    clock.advance(99);
    expect(side.session.state).toBe('awaiting');
    clock.advance(1);
    expect(await outcome).toMatchObject({ code: 'MSRP_NO_VISIT' });
  });

  it('connects to a passive answerer', async () => {
    await using side = await openSide();
    await using listener = await MsrpPeerListener.listen();
    const accepted = side.session.acceptAnswer(path(listener.path), { connectToAnswerer: true });
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    await accepted;
    expect(side.session.state).toBe('bound');
  });

  it('forgets a visitor that leaves', async () => {
    await using side = await openSide();
    const peer = await MsrpPeer.connect(side.port);
    await peer.visit(side.uri);
    await peer[Symbol.asyncDispose]();
    await using again = await MsrpPeer.connect(side.port, peer.path);
    expect((await again.visit(side.uri)).kind).toBe('200 OK');
    await side.session.acceptAnswer(path(peer.path), { connectToAnswerer: false });
    expect(side.session.state).toBe('bound');
    expect(side.delegate.closes).toEqual([]);
  });

  it('maxVisitorsPerSession: at the limit passes, one over gets 506', async () => {
    await using side = await openSide({ limits: { maxVisitorsPerSession: 1 } });
    await using one = await MsrpPeer.connect(side.port);
    await using two = await MsrpPeer.connect(side.port);
    expect((await one.visit(side.uri)).kind).toBe('200 OK');
    expect((await two.visit(side.uri)).kind).toBe('506 Session In Use');
  });
});

describe('requests that find no session (RFC 4975 §7.3, §10)', () => {
  it.each([
    ['another session-id', (uri: string) => uri.replace(/\/[0-9a-f]+;/, '/0000;'), '481 No Such Session'],
    [
      'another case',
      (uri: string) => uri.replace(/\/([0-9a-f]+);/, (part) => part.toUpperCase().replace(/\/0*/, '/F')),
      '481 No Such Session',
    ],
    ['another port', (uri: string) => uri.replace(/:\d+\//, ':1/'), '481 No Such Session'],
    ['another transport', (uri: string) => uri.replace(';tcp', ';sctp'), '481 No Such Session'],
    ['further URIs', (uri: string) => `${uri} msrp://x:1/y;tcp`, '481 No Such Session'],
    ['no URI', () => 'nonsense', '400 Bad Request'],
    ['too many URIs', (uri: string) => Array.from({ length: 17 }, () => uri).join(' '), '400 Bad Request'],
  ])('To-Path with %s', async (_name, change, answer) => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    expect((await peer.visit(change(side.uri))).kind).toBe(answer);
    expect(side.session.state).toBe('listening');
  });

  it('host and scheme without case, userinfo ignored (RFC 4975 §6.1)', async () => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    expect((await peer.visit(side.uri.replace('msrp://', 'MSRP://tom@').replace('tcp', 'TCP'))).kind).toBe(
      '200 OK',
    );
  });

  it.each(['AUTH', 'NICKNAME', 'FETCH'])('%s gets 501', async (method) => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    expect((await peer.visit(side.uri, 'tid1', method)).kind).toBe('501 Unknown Method');
  });

  it('a REPORT is never answered', async () => {
    await using side = await openSide();
    await using peer = await MsrpPeer.connect(side.port);
    const headers = { 'Message-ID': 'aaaa', Status: '000 200 OK' };
    peer.send(
      requestText({ id: 'rep1', method: 'REPORT', to: 'msrp://x:1/y;tcp', from: peer.path, headers }),
    );
    expect((await peer.visit(side.uri, 'tid1')).id).toBe('tid1');
  });

  it('maxSessionsPerConnection: at the limit passes, one over gets 403', async () => {
    await using side = await openSide({ limits: { maxSessionsPerConnection: 2 } });
    await using peer = await MsrpPeer.connect(side.port);
    const uris = [side.uri, side.createSession().uri, side.createSession().uri];
    const answers = [];
    for (const uri of uris) answers.push((await peer.visit(uri)).kind);
    expect(answers).toEqual(['200 OK', '200 OK', '403 Forbidden']);
  });
});
