/**
 * How real clients, servers and relays behave (the notes on strangers), each played by a scripted peer against the real
 * messenger, through the real IM Server, as caller and as callee.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MsrpPeer, requestText, type PeerFrame } from '../../support/msrp-peer.ts';
import { DOMAIN, World, type Person } from '../../support/im-world.ts';
import { attributeOf, blinkCpim, BLINK_TYPES, sendBody, Stranger, type StrangerSdp } from './stranger.ts';

const TOM = `tom@${DOMAIN}`;
const BOB = `bob@${DOMAIN}`;

let world: World;
let bob: Person;
let tom: Stranger;
let ofBob: Awaited<ReturnType<Person['meet']>>;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
  bob = await world.join('bob');
  ofBob = await bob.meet('tom');
  tom = world.own(await Stranger.join('tom', world.port));
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Tom is called and passive: resolves with Bob's connection, whose visit was answered. */
async function calledPassive(sdp: StrangerSdp = { setup: 'passive' }) {
  const dialog = await tom.answer(sdp);
  await tom.acked();
  const peer = await tom.listener.accept();
  const visit = await peer.frame();
  peer.answer(visit);
  return { dialog, peer, visit };
}

/** The next message with content, collected from its chunks, each answered. */
async function nextMessage(peer: MsrpPeer): Promise<{ chunks: PeerFrame[]; text: string }> {
  const chunks: PeerFrame[] = [];
  for (;;) {
    const frame = await peer.frame();
    if (frame.kind !== 'SEND') continue;
    peer.answer(frame);
    chunks.push(frame);
    if (frame.flag === '$') {
      return { chunks, text: Buffer.concat(chunks.map(({ body }) => body ?? Buffer.alloc(0))).toString() };
    }
  }
}

/** Tom calls and offers actpass; Bob visits before he answers, and Tom answers the visit. */
async function callsActpass(sdp: StrangerSdp = { setup: 'actpass' }) {
  const visited = tom.listener.accept().then(async (peer) => {
    const visit = await peer.frame();
    peer.answer(visit);
    return { peer, visit };
  });
  const { response, dialog } = await tom.invite('bob', sdp);
  expect(response.status).toBe(200);
  const { peer, visit } = await visited;
  await bob.session(ofBob, 'open');
  return { peer, visit, dialog, path: attributeOf(dialog.sdp, 'path') };
}

describe('as callee: Blink’s SDK', () => {
  it('answers passive to actpass; we connect, visit without a body, and only then send', async () => {
    const sent = await bob.send(ofBob, 'Hello Blink');
    const { dialog, peer, visit } = await calledPassive();
    expect(dialog.offers.map((offer) => attributeOf(offer, 'setup'))).not.toContain('passive');
    expect(visit.body).toBeUndefined();
    expect(visit.headers.has('Content-Type')).toBe(false);
    expect(visit.headers.get('To-Path')).toBe(tom.listener.path);
    const { chunks, text } = await nextMessage(peer);
    expect(chunks[0]!.headers.get('Content-Type')).toBe('message/cpim');
    expect(text).toContain('Hello Blink');
    await bob.becomes(sent, 'sent', 'delivered');
  });

  it('an answer without a=setup is passive as well (RFC 4975 §5.4)', async () => {
    const sent = await bob.send(ofBob, 'Who connects?');
    const { peer } = await calledPassive({});
    expect((await nextMessage(peer)).text).toContain('Who connects?');
    await bob.becomes(sent, 'sent', 'delivered');
  });

  it('an active answerer visits us with Byte-Range 1-0/0; that is no message', async () => {
    await bob.send(ofBob, 'Come in');
    const dialog = await tom.answer({ setup: 'active' });
    await tom.acked();
    const path = attributeOf(dialog.sdp, 'path');
    await using peer = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), tom.listener.path);
    peer.send(
      `MSRP v.1 SEND\r\nTo-Path: ${path}\r\nFrom-Path: ${peer.path}\r\nMessage-ID: v1v1\r\nByte-Range: 1-0/0\r\n-------v.1$\r\n`,
    );
    expect((await peer.frame()).kind).toBe('200 OK');
    expect((await nextMessage(peer)).text).toContain('Come in');
    expect(await bob.texts(ofBob, 'in')).toEqual([]);
  });

  it('takes a text of up to 64 KB in one chunk, never in several', async () => {
    const text = 'x'.repeat(60_000);
    await bob.send(ofBob, text);
    const { peer } = await calledPassive();
    const { chunks } = await nextMessage(peer);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]!.body!.toString()).toContain(text);
  });

  it('a peer that takes no CPIM gets plain text', async () => {
    await bob.send(ofBob, 'Plain, please');
    const { peer } = await calledPassive({ setup: 'passive', types: 'text/plain text/html' });
    const { chunks, text } = await nextMessage(peer);
    expect(chunks[0]!.headers.get('Content-Type')).toMatch(/^text\/plain/);
    expect(text).toBe('Plain, please');
  });

  it('we connect from the address in our path: some match it with the source', async () => {
    await bob.send(ofBob, 'From where?');
    const { dialog, peer } = await calledPassive();
    const host = /\/\/([^:/]+):/.exec(attributeOf(dialog.sdp, 'path'))?.[1];
    expect(peer.socket.remoteAddress).toBe(host);
  });

  it('ends the call when the MSRP connection has closed', async () => {
    await bob.send(ofBob, 'Bye soon');
    const { dialog, peer } = await calledPassive();
    await nextMessage(peer);
    peer.socket.end();
    // Both hang up at the same time: either BYE may find the call gone.
    expect([200, 481]).toContain((await tom.hangUp(dialog)).status);
    await bob.session(ofBob, 'ended');
  });

  it('a room’s answer (a=chatroom, isfocus, ;gr= in Contact) is a session like any other', async () => {
    await bob.send(ofBob, 'Is this a room?');
    const { peer } = await calledPassive({
      setup: 'passive',
      types: 'message/cpim',
      attributes: ['chatroom:nickname private-messages'],
    });
    expect((await nextMessage(peer)).text).toContain('Is this a room?');
    const { id } = await bob.session(ofBob, 'open');
    const ended = bob.commands['session.end']({ sessionId: id });
    const bye = await tom.device.peer.request('BYE');
    expect(bye.startLine).toContain(';gr=');
    await tom.device.peer.answer(bye, 200);
    await ended;
  });
});

describe('as callee: reports in any number', () => {
  it.each([
    ['once for the message', (size: number) => [[1, size]]],
    [
      'for each piece',
      (size: number) => [
        [1, 100],
        [101, 200],
        [201, size],
      ],
    ],
    [
      'twice for the message',
      (size: number) => [
        [1, size],
        [1, size],
      ],
    ],
  ])('%s: delivered, once', async (_name, pieces) => {
    const sent = await bob.send(ofBob, 'Report this '.repeat(40));
    const { peer } = await calledPassive({ setup: 'passive', types: 'text/plain' });
    const { chunks, text } = await nextMessage(peer);
    const { headers } = chunks[0]!;
    for (const [from, to] of pieces(Buffer.byteLength(text))) {
      peer.send(
        `MSRP r.${from} REPORT\r\nTo-Path: ${headers.get('From-Path')}\r\nFrom-Path: ${peer.path}\r\nMessage-ID: ${headers.get('Message-ID')}\r\nByte-Range: ${from}-${to}/${Buffer.byteLength(text)}\r\nStatus: 000 200 OK\r\n-------r.${from}$\r\n`,
      );
    }
    await bob.becomes(sent, 'delivered');
  });

  it('none at all, only 200: sent', async () => {
    const sent = await bob.send(ofBob, 'No reports here');
    const { peer } = await calledPassive({ setup: 'passive', types: 'text/plain' });
    await nextMessage(peer);
    await bob.becomes(sent, 'sent', 'delivered');
  });
});

describe('as caller: Blink’s SDK', () => {
  it('offers actpass: we visit before we answer, and answer active', async () => {
    const { visit, dialog } = await callsActpass();
    expect(visit.body).toBeUndefined();
    expect(visit.headers.get('To-Path')).toBe(tom.listener.path);
    expect(attributeOf(dialog.sdp, 'setup')).toBe('active');
  });

  it('types are listed by name, * last: * alone is refused with 488 by some', async () => {
    const { dialog } = await callsActpass();
    const types = attributeOf(dialog.sdp, 'accept-types').split(' ');
    expect(types.slice(0, 2)).toEqual(['message/cpim', 'text/plain']);
    expect(types.indexOf('*')).toBe(types.length - 1);
  });

  it.each([
    ['message/cpim', blinkCpim(TOM, BOB, 'text/plain; charset="utf8"', 'Grüße'), 'Grüße'],
    ['message/cpim', blinkCpim(TOM, BOB, 'text/html; charset=utf-8', '<p>Hi <b>Bob</b></p>'), 'Hi Bob'],
    ['text/plain', 'unwrapped', 'unwrapped'],
    ['text/plain; charset=iso-8859-1', Buffer.from('Grüße', 'latin1'), 'Grüße'],
    ['text/plain;charset=utf-16', Buffer.from('\ufeffGrüße', 'utf16le'), 'Grüße'],
    ['Text/HTML', '<html><body>only HTML<br>here</body></html>', 'only HTML\nhere'],
    [
      'message/cpim',
      'from: <sip:tom@x>\r\nto: <sip:bob@x>\r\nsubject: a\r\n folded one\r\n\r\ncontent-type: text/plain\r\n\r\nlower case',
      'lower case',
    ],
  ])('%s', async (contentType, body, text) => {
    const { peer, path } = await callsActpass();
    expect((await sendBody(peer, path, contentType, body)).kind).toBe('200 OK');
    expect(await bob.received(ofBob, 1)).toEqual([text]);
  });

  it('IMDN asked for without NS is reported', async () => {
    const { peer, path } = await callsActpass();
    const body = `From: <sip:${TOM}>\r\nTo: <sip:${BOB}>\r\nimdn.Message-ID: abcdef\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nReport?`;
    const id = 'imdn.1';
    const headers = { 'Message-ID': 'imdn1', 'Content-Type': 'message/cpim' };
    peer.send(requestText({ id, to: path, from: peer.path, headers, body }));
    const { text } = await nextMessage(peer);
    expect(text).toContain('message/imdn+xml');
    expect(text).toContain('<message-id>abcdef</message-id>');
  });

  it('isComposing inside CPIM, and without it', async () => {
    const { peer, path } = await callsActpass();
    const document =
      '<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd"><state>active</state><refresh>90</refresh></isComposing>';
    const type = 'application/im-iscomposing+xml';
    const typing = (active: boolean) =>
      bob.until('typing', () =>
        Promise.resolve(
          bob.events.findLast(({ event }) => event === 'composing.changed')?.data as
            { people: readonly unknown[] } | undefined,
        ).then((data) => data !== undefined && data.people.length > 0 === active),
      );
    expect((await sendBody(peer, path, 'message/cpim', blinkCpim(TOM, BOB, type, document))).kind).toBe(
      '200 OK',
    );
    await typing(true);
    await sendBody(peer, path, type, document.replace('active', 'idle'));
    await typing(false);
    expect(await bob.texts(ofBob, 'in')).toEqual([]);
  });

  it.each([
    ['image/png', Buffer.from('89504e470d0a1a0a', 'hex'), 'image.png'],
    ['application/x-something; v=1', Buffer.from([0, 1, 2]), 'application.bin'],
    [
      'message/cpim',
      'From: <sip:tom@x>\r\nTo: <sip:bob@x>\r\n\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="../../a report.pdf"\r\n\r\n%PDF',
      'a report.pdf',
    ],
  ])('an unknown type is kept, as a file: %s', async (contentType, body, name) => {
    const { peer, path } = await callsActpass();
    expect((await sendBody(peer, path, contentType, body)).kind).toBe('200 OK');
    const [message] = await bob.until('the file', async () => {
      const all = await bob.messages(ofBob);
      return all.length > 0 && all;
    });
    expect(message).toMatchObject({ text: name, file: { name, state: 'done' } });
    const bytes = Buffer.from(body);
    const kept = await readFile(join(world.folder, 'bob', 'files', name));
    expect(bytes.subarray(bytes.length - kept.length)).toEqual(kept);
    expect(kept.length).toBeGreaterThan(2);
  });

  it('sends BYE when the connection closes; the next message is a new call', async () => {
    const { dialog, peer } = await callsActpass();
    peer.socket.end();
    expect([200, 481]).toContain((await tom.hangUp(dialog)).status);
    await bob.session(ofBob, 'ended');
    await bob.send(ofBob, 'Again');
    const { peer: next } = await calledPassive();
    expect((await nextMessage(next)).text).toContain('Again');
  });

  it('a bodiless keep-alive of each shape is answered and not shown', async () => {
    const { peer, path } = await callsActpass();
    for (const range of ['', 'Byte-Range: 1-0/0\r\n', 'Byte-Range: 1-0/0\r\nSuccess-Report: no\r\n']) {
      peer.send(
        `MSRP k.1 SEND\r\nTo-Path: ${path}\r\nFrom-Path: ${peer.path}\r\nMessage-ID: k1k1\r\n${range}-------k.1$\r\n`,
      );
      expect((await peer.frame()).kind).toBe('200 OK');
    }
    await sendBody(peer, path, 'text/plain', 'the only one');
    expect(await bob.received(ofBob, 1)).toEqual(['the only one']);
  });

  it.each([undefined, 'active'] as const)('offers a=setup %s: it connects to us', async (setup) => {
    const { response, dialog } = await tom.invite('bob', { setup, types: BLINK_TYPES });
    expect(response.status).toBe(200);
    expect(attributeOf(dialog.sdp, 'setup')).toBe(setup === undefined ? '' : 'passive');
    const path = attributeOf(dialog.sdp, 'path');
    await using peer = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), tom.listener.path);
    expect((await peer.visit(path)).kind).toBe('200 OK');
    await sendBody(peer, path, 'text/plain', 'I came to you');
    expect(await bob.received(ofBob, 1)).toEqual(['I came to you']);
  });

  it('a strict one leaves the early visit unanswered, and takes it after the ACK', async () => {
    const invited = tom.invite('bob', { setup: 'actpass' });
    const peer = await tom.listener.accept();
    await peer.frame();
    const { response } = await invited;
    expect(response.status).toBe(200);
    const again = await peer.frame();
    peer.answer(again);
    await bob.session(ofBob, 'open');
  });
});
