import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../main/base/protocol-error.ts';
import type { WireRecord } from '../../main/base/wire-tap.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { requestText } from '../support/msrp-peer.ts';
import { openPair, openWithPeer, text } from './fixture.ts';

describe('messages both ways (RFC 4975 §5.1, §7.1)', () => {
  it('delivers text, empty and large bodies unchanged', async () => {
    await using pair = await openPair();
    const { a, b } = pair;
    const large = Buffer.from(Array.from({ length: 300_000 }, (_value, index) => index % 251));
    expect(await a.session.sendMessage(text('hello'))).toEqual({ status: 200 });
    expect(await b.session.sendMessage(text(''))).toEqual({ status: 200 });
    expect(await b.session.sendMessage(text(large))).toEqual({ status: 200 });
    expect(b.delegate.messages[0]).toMatchObject({ contentType: 'text/plain', successReportWanted: false });
    expect(b.delegate.messages[0]!.body.toString()).toBe('hello');
    expect(b.delegate.messages[0]!.fromPath[0]!.text).toBe(a.uri);
    expect(a.delegate.messages.map((message) => message.body.length)).toEqual([0, 300_000]);
    expect(a.delegate.messages[1]!.body.equals(large)).toBe(true);
  });

  it('keeps the order of the calls for messages of one chunk', async () => {
    await using pair = await openPair();
    const bodies = Array.from({ length: 500 }, (_value, index) => `message ${index}`);
    await Promise.all(bodies.map((body) => pair.a.session.sendMessage(text(body))));
    expect(pair.b.delegate.messages.map((message) => message.body.toString())).toEqual(bodies);
  });

  it('writes one chunk up to the chunk size and interruptible chunks above (RFC 4975 §7.1.1)', async () => {
    await using open = await openWithPeer({ limits: { sendChunkBytes: 4_000 } });
    const { side, peer } = open;
    const sent = [2_048, 2_049, 4_000, 4_001].map((size) =>
      side.session.sendMessage(text(Buffer.alloc(size, 'x'))),
    );
    const seen = [];
    for (let i = 0; i < 5; i++) {
      const frame = await peer.frame();
      seen.push([frame.headers.get('Byte-Range'), frame.body!.length, frame.flag]);
      expect([...frame.headers.keys()].slice(0, 2)).toEqual(['To-Path', 'From-Path']);
      expect([...frame.headers.keys()].at(-1)).toBe('Content-Type');
      peer.answer(frame);
    }
    expect(seen.sort()).toEqual([
      ['1-*/2049', 2_049, '$'],
      ['1-*/4000', 4_000, '$'],
      ['1-*/4001', 4_000, '+'],
      ['1-2048/2048', 2_048, '$'],
      ['4001-4001/4001', 1, '$'],
    ]);
    expect(await Promise.all(sent)).toEqual(sent.map(() => ({ status: 200 })));
  });

  it('a small message overtakes a large one between chunks', async () => {
    await using open = await openWithPeer({
      limits: { sendChunkBytes: 65_536, socketHighWaterBytes: 65_536 },
    });
    const { side, peer } = open;
    peer.socket.pause();
    const large = side.session.sendMessage(text(Buffer.alloc(8 * 1024 * 1024, 'x')));
    const small = side.session.sendMessage(text('small'));
    peer.socket.resume();
    let before = 0;
    for (let frame = await peer.frame(); frame.body!.length !== 5; frame = await peer.frame())
      before += frame.body!.length;
    expect(before).toBeLessThan(8 * 1024 * 1024);
    peer.socket.destroy();
    await expect(large).rejects.toMatchObject({ code: 'MSRP_CONNECTION_LOST' });
    await expect(small).rejects.toMatchObject({ code: 'MSRP_CONNECTION_LOST' });
  });

  it('200 comes only when the message is stored; other frames go on meanwhile', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const stored = Promise.withResolvers<undefined>();
    side.delegate.store = (message) => (message.messageId === 'slow' ? stored.promise : Promise.resolve());
    const send = (id: string) =>
      requestText({
        id: `t${id}`,
        to: side.uri,
        from: peer.path,
        headers: { 'Message-ID': id, 'Success-Report': 'yes', 'Byte-Range': '1-2/2', 'Content-Type': 'a/b' },
        body: 'hi',
      });
    peer.send(Buffer.concat([send('slow'), send('fast')]));
    expect(await peer.frame()).toMatchObject({ id: 'tfast', kind: '200 OK' });
    expect((await peer.frame()).headers.get('Message-ID')).toBe('fast');
    expect(side.delegate.messages.map((message) => message.messageId)).toEqual(['slow', 'fast']);
    stored.resolve(undefined);
    expect(await peer.frame()).toMatchObject({ id: 'tslow', kind: '200 OK' });
    const report = await peer.frame();
    expect(report.kind).toBe('REPORT');
    expect(Object.fromEntries(report.headers)).toEqual({
      'To-Path': peer.path,
      'From-Path': side.uri,
      'Message-ID': 'slow',
      'Byte-Range': '1-2/2',
      Status: '000 200 OK',
    });
  });

  it.each([
    [new ProtocolError('DISK_FULL', 413, 'disk full'), '413 Stop Sending'],
    [new ProtocolError('NOT_WANTED', 415, 'type'), '415 Media Type Not Supported'],
    [new Error('a bug'), '400 Bad Request'],
  ])('a message that is not stored is answered: %s', async (error, answer) => {
    await using open = await openWithPeer();
    open.side.delegate.store = () => Promise.reject(error);
    const { peer, side } = open;
    const headers = { 'Message-ID': 'aaaa', 'Success-Report': 'yes', 'Content-Type': 'a/b' };
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: 'x' }));
    expect((await peer.frame()).kind).toBe(answer);
    expect((await peer.visit(side.uri, 'next')).id).toBe('next');
  });

  it('415 for a type that was not announced; parameters and case do not count (RFC 4975 §8.6)', async () => {
    await using open = await openWithPeer({ acceptTypes: ['text/plain', 'image/*'] });
    const { peer, side } = open;
    const answers = [];
    for (const type of ['Text/Plain;charset=utf-8', 'image/png', 'text/html', 'imagex/png']) {
      const headers = { 'Message-ID': `m${answers.length}xx`, 'Content-Type': type };
      peer.send(requestText({ id: `t${answers.length}`, to: side.uri, from: peer.path, headers, body: 'x' }));
      answers.push((await peer.frame()).kind.slice(0, 3));
    }
    expect(answers).toEqual(['200', '200', '415', '415']);
  });

  it.each([
    ['no Message-ID', { 'Content-Type': 'a/b' }],
    ['no Content-Type', { 'Message-ID': 'aaaa' }],
    ['a bad Byte-Range', { 'Message-ID': 'aaaa', 'Byte-Range': '0-1/1', 'Content-Type': 'a/b' }],
    ['a backward Byte-Range', { 'Message-ID': 'aaaa', 'Byte-Range': '9-1/10', 'Content-Type': 'a/b' }],
  ])('400 for a SEND with %s', async (_name, headers) => {
    await using open = await openWithPeer();
    const { peer, side } = open;
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers: { ...headers }, body: 'x' }));
    expect((await peer.frame()).kind).toBe('400 Bad Request');
  });

  it('a keep-alive is answered and not delivered', async () => {
    await using open = await openWithPeer();
    const { peer, side } = open;
    const headers = { 'Message-ID': 'aaaa', 'Byte-Range': '1-0/0' };
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: '' }));
    expect((await peer.frame()).kind).toBe('200 OK');
    expect(side.delegate.messages).toEqual([]);
  });
});

describe('reports (RFC 4975 §7.1.2, §7.2)', () => {
  it.each([
    [undefined, 'no', ['200 OK']],
    ['no', 'no', []],
    ['partial', 'no', []],
    ['yes', 'yes', ['200 OK', 'REPORT']],
    ['no', 'yes', ['REPORT']],
    ['partial', 'yes', ['REPORT']],
  ])('Failure-Report %s, Success-Report %s: %j', async (failure, success, expected) => {
    await using open = await openWithPeer();
    const { peer, side } = open;
    const headers: Record<string, string> = { 'Message-ID': 'aaaa', 'Success-Report': success };
    if (failure !== undefined) headers['Failure-Report'] = failure;
    headers['Content-Type'] = 'a/b';
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: 'x' }));
    await side.delegate.until((delegate) => delegate.messages.length === 1);
    const seen = [];
    for (const _kind of expected) seen.push((await peer.frame()).kind);
    expect(seen).toEqual(expected);
    expect((await peer.visit(side.uri, 'last')).id).toBe('last');
  });

  it.each([
    ['yes', ['400 Bad Request']],
    ['partial', ['400 Bad Request']],
    ['no', []],
  ])('a failure with Failure-Report %s: %j', async (failure, expected) => {
    await using open = await openWithPeer();
    const { peer, side } = open;
    side.delegate.store = () => Promise.reject(new ProtocolError('NO', 400, 'no'));
    const headers = {
      'Message-ID': 'aaaa',
      'Success-Report': 'yes',
      'Failure-Report': failure,
      'Content-Type': 'a/b',
    };
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: 'x' }));
    await side.delegate.until((delegate) => delegate.messages.length === 1);
    for (const kind of expected) expect((await peer.frame()).kind).toBe(kind);
    expect((await peer.visit(side.uri, 'last')).id).toBe('last');
  });

  it('asks for reports and hands them up', async () => {
    await using pair = await openPair();
    const message = text('hello', { successReport: true });
    await pair.a.session.sendMessage(message);
    await pair.a.delegate.until((delegate) => delegate.reports.length > 0);
    expect(pair.a.delegate.reports).toEqual([
      { messageId: message.messageId, status: 200, byteRange: { start: 1, end: 5, total: 5 } },
    ]);
  });

  it('Failure-Report no and partial resolve with status 0 once sent; a late failure is told', async () => {
    await using open = await openWithPeer();
    const { peer, side } = open;
    expect(await side.session.sendMessage({ ...text('a'), failureReport: 'no' })).toEqual({ status: 0 });
    expect((await peer.frame()).headers.get('Failure-Report')).toBe('no');
    const partial = text('b');
    expect(await side.session.sendMessage({ ...partial, failureReport: 'partial' })).toEqual({ status: 0 });
    peer.answer(await peer.frame(), 415, 'No');
    await side.delegate.until((delegate) => delegate.reports.length > 0);
    expect(side.delegate.reports).toEqual([{ messageId: partial.messageId, status: 415 }]);
  });

  it('a failure REPORT from behind a relay ends the message it names', async () => {
    await using open = await openWithPeer({ limits: { sendChunkBytes: 10 } });
    const { peer, side } = open;
    const message = text('0123456789abcdef');
    const sent = side.session.sendMessage(message);
    peer.answer(await peer.frame());
    const headers = { 'Message-ID': message.messageId, 'Byte-Range': '1-10/16', Status: '000 413 Stop' };
    peer.send(requestText({ id: 'rep1', method: 'REPORT', to: side.uri, from: peer.path, headers }));
    expect(await sent).toEqual({ status: 413 });
    expect(side.delegate.reports).toMatchObject([{ status: 413 }]);
  });
});

describe('failures and the end of a session (RFC 4975 §5.4, §7.1.1)', () => {
  it('responseMs: 408 after it, not before', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock });
    const sent = open.side.session.sendMessage(text('unanswered'));
    await open.peer.frame();
    let settled = false;
    void sent.then(() => (settled = true));
    clock.advance(29_999);
    await Promise.resolve();
    expect(settled).toBe(false);
    clock.advance(1);
    expect(await sent).toEqual({ status: 408 });
  });

  it('a lost connection rejects what is under way and is told once', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const sent = [side.session.sendMessage(text('a')), side.session.sendMessage(text(Buffer.alloc(500_000)))];
    await peer.frame();
    peer.socket.resetAndDestroy();
    for (const outcome of await Promise.allSettled(sent)) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'MSRP_CONNECTION_LOST' } });
    }
    await side.delegate.until((delegate) => delegate.closes.length > 0);
    expect(side.delegate.closes).toMatchObject([{ code: 'MSRP_CONNECTION_LOST' }]);
    expect(side.session.state).toBe('closed');
    await expect(side.session.sendMessage(text('b'))).rejects.toMatchObject({ code: 'MSRP_SESSION_CLOSED' });
  });

  it('a connection that ends within a frame was lost; at its end it was closed', async () => {
    await using first = await openWithPeer();
    first.peer.socket.end('MSRP abcd SE');
    await first.side.delegate.until((delegate) => delegate.closes.length > 0);
    expect(first.side.delegate.closes[0]!.code).toBe('MSRP_CONNECTION_LOST');
    await using second = await openWithPeer();
    second.peer.socket.end();
    await second.side.delegate.until((delegate) => delegate.closes.length > 0);
    expect(second.side.delegate.closes[0]!.code).toBe('MSRP_CLOSED_BY_PEER');
    await second.peer.untilEnded();
  });

  it('garbage closes the connection', async () => {
    await using open = await openWithPeer();
    open.peer.send('GET / HTTP/1.1\r\n\r\n');
    await open.peer.untilEnded();
    expect(open.side.delegate.closes).toMatchObject([{ code: 'MSRP_BAD_START_LINE' }]);
    expect(open.peer.received.length).toBe(0);
  });

  it('close waits for messages both ways, then sends FIN', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const stored = Promise.withResolvers<undefined>();
    side.delegate.store = () => stored.promise;
    const headers = { 'Message-ID': 'aaaa', 'Content-Type': 'a/b' };
    peer.send(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: 'in' }));
    await side.delegate.until((delegate) => delegate.messages.length === 1);
    const sent = side.session.sendMessage(text('out'));
    const send = await peer.frame();
    const closed = side.session.close();
    expect(side.session.state).toBe('closing');
    await expect(side.session.sendMessage(text('late'))).rejects.toMatchObject({
      code: 'MSRP_SESSION_CLOSED',
    });
    expect(peer.ended).toBe(false);
    stored.resolve(undefined);
    expect((await peer.frame()).id).toBe('tid1');
    expect(peer.ended).toBe(false);
    peer.answer(send);
    expect(await sent).toEqual({ status: 200 });
    await peer.untilEnded();
    peer.socket.end();
    await closed;
    expect(side.session.state).toBe('closed');
    expect(side.delegate.closes).toEqual([]);
  });

  it('drainMs: close waits that long and not longer', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock });
    const sent = open.side.session.sendMessage(text('never answered')).catch((error: unknown) => error);
    await open.peer.frame();
    const closed = open.side.session.close();
    clock.advance(4_999);
    expect(open.side.session.state).toBe('closing');
    clock.advance(1);
    expect(await sent).toMatchObject({ code: 'MSRP_SESSION_CLOSED' });
    await open.peer.untilEnded();
    clock.advance(1_000);
    await closed;
  });

  it('answers what is still unsettled after the FIN of the peer', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const stored = Promise.withResolvers<undefined>();
    side.delegate.store = () => stored.promise;
    const headers = { 'Message-ID': 'aaaa', 'Content-Type': 'a/b' };
    peer.socket.end(requestText({ id: 'tid1', to: side.uri, from: peer.path, headers, body: 'in' }));
    await side.delegate.until((delegate) => delegate.closes.length === 1);
    stored.resolve(undefined);
    expect(await peer.frame()).toMatchObject({ id: 'tid1', kind: '200 OK' });
    await peer.untilEnded();
  });

  it('two sides close at the same time', async () => {
    await using pair = await openPair();
    await pair.a.session.sendMessage(text('x'));
    await Promise.all([pair.a.session.close(), pair.b.session.close()]);
    expect([pair.a.session.state, pair.b.session.state]).toEqual(['closed', 'closed']);
  });

  it('an aborted message ends with # and rejects', async () => {
    await using open = await openWithPeer({ limits: { sendChunkBytes: 10, maxPendingRequests: 1 } });
    const { side, peer } = open;
    const abort = new AbortController();
    const sent = side.session.sendMessage({ ...text('0123456789abcdefghijklmnop'), signal: abort.signal });
    const first = await peer.frame();
    abort.abort();
    await expect(sent).rejects.toMatchObject({ code: 'MSRP_ABORTED' });
    peer.answer(first);
    expect(await peer.frame()).toMatchObject({ flag: '#' });
  });

  it('a 413 stops the sender at once', async () => {
    await using open = await openWithPeer({ limits: { sendChunkBytes: 10, maxPendingRequests: 1 } });
    const { side, peer } = open;
    const sent = side.session.sendMessage(text('0123456789abcdefghijklmnop'));
    peer.answer(await peer.frame(), 413, 'Stop');
    expect(await sent).toEqual({ status: 413 });
    const next = side.session.sendMessage(text('next'));
    const frame = await peer.frame();
    expect(frame.body!.toString()).toBe('next');
    peer.answer(frame);
    await next;
  });

  it('taps every byte that crosses the socket, in order', async () => {
    const records: WireRecord[] = [];
    await using open = await openWithPeer({
      tap: (record) => records.push({ ...record, bytes: Buffer.from(record.bytes) }),
    });
    const sent = open.side.session.sendMessage(text('tapped'));
    open.peer.answer(await open.peer.frame());
    await sent;
    expect(records.map((record) => record.direction)).toEqual(['in', 'out', 'out', 'in']);
    expect(Buffer.from(records[2]!.bytes).toString()).toContain('\r\n\r\ntapped\r\n-------');
    expect(records[0]).toMatchObject({ protocol: 'msrp', transport: 'tcp' });
    expect(records[0]!.local).toBe(`127.0.0.1:${open.side.port}`);
  });
});

describe('many requests at once (RFC 4975 §7.1.1)', () => {
  it('a response that never comes makes room after its timeout', async () => {
    const clock = new ManualClock();
    await using open = await openWithPeer({ clock, limits: { maxPendingRequests: 1 } });
    const { side, peer } = open;
    const first = side.session.sendMessage(text('first'));
    const second = side.session.sendMessage(text('second'));
    await peer.frame();
    clock.advance(30_000);
    expect(await first).toEqual({ status: 408 });
    peer.answer(await peer.frame());
    expect(await second).toEqual({ status: 200 });
  });

  it('Failure-Report partial is not held up by responses that never come', async () => {
    await using open = await openWithPeer({ limits: { maxPendingRequests: 2 } });
    const { side, peer } = open;
    for (let i = 0; i < 6; i++) {
      expect(await side.session.sendMessage({ ...text(`${i}`), failureReport: 'partial' })).toEqual({
        status: 0,
      });
      expect((await peer.frame()).body!.toString()).toBe(`${i}`);
    }
  });

  it('those that wait for their answer among thousands that had it fail in the order of their calls', async () => {
    await using open = await openWithPeer();
    const { side, peer } = open;
    const unanswered = [3, 900, 2_800];
    const failed: number[] = [];
    const sent = Array.from({ length: 4_000 }, (_value, index) =>
      side.session.sendMessage(text(`message ${index}`)).then(
        ({ status }) => status,
        () => failed.push(index),
      ),
    );
    for (let index = 0; index < sent.length; index++) {
      const frame = await peer.frame();
      if (!unanswered.includes(index)) peer.answer(frame);
    }
    const answered = sent.filter((_sent, index) => !unanswered.includes(index));
    expect(new Set(await Promise.all(answered))).toEqual(new Set([200]));
    expect(failed).toEqual([]);
    peer.socket.destroy();
    await Promise.all(sent);
    expect(failed).toEqual(unanswered);
  });

  it('large messages take turns, and small ones do not starve them', async () => {
    await using open = await openWithPeer({ limits: { sendChunkBytes: 100, maxPendingRequests: 1 } });
    const { side, peer } = open;
    const sent = [
      text(Buffer.alloc(300, 'x')),
      text(Buffer.alloc(300, 'y')),
      ...Array.from({ length: 6 }, () => text(Buffer.alloc(60, 's'))),
    ];
    const done = sent.map((message) => side.session.sendMessage(message));
    let order = '';
    for (let i = 0; i < 12; i++) {
      const frame = await peer.frame();
      order += frame.body!.toString('latin1', 0, 1);
      peer.answer(frame);
    }
    expect(order).toBe('xssxssyssxyy');
    expect(await Promise.all(done)).toEqual(sent.map(() => ({ status: 200 })));
  });
});
