import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Conversation } from '../../shared/domain/conversation.ts';
import { openPair, QUICK, World, type Person } from '../support/im-world.ts';
import { MsrpPeer, MsrpPeerListener, requestText } from '../support/msrp-peer.ts';
import { RawDevice } from '../support/raw-device.ts';
import { newPeerId, SipPeer, type PeerMessage } from '../support/sip-peer.ts';
import { openHistory } from '../support/open-history.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

/** Where a messenger's session listens for MSRP: from the ladder that its window can show. */
async function msrpPath(person: Person, conversation: Conversation): Promise<string> {
  const session = await person.session(conversation, 'open');
  const { entries } = await person.commands['session.ladder']({ sessionId: session.id });
  const path = entries.map(({ text }) => /^a=path:(\S+)/m.exec(text)?.[1]).find((one) => one !== undefined);
  if (path === undefined) throw new Error('no path in the ladder');
  return path;
}

const portOf = (path: string) => Number(/:(\d+)\//.exec(path)?.[1]);

/** A session between Bob and Tom that is open, by one message. */
async function talking() {
  const pair = await openPair(world);
  await pair.bob.becomes(await pair.bob.send(pair.ofBob, 'one'), 'delivered');
  return { ...pair, path: await msrpPath(pair.bob, pair.ofBob) };
}

/** A bare device of Tom's that accepts Bob's invitation and is visited, or visits, by hand. */
async function acceptByHand(tom: RawDevice, path: string, setup: 'active' | 'passive'): Promise<PeerMessage> {
  const offered = await tom.peer.request('INVITE');
  // It knows no TLS: the invitation comes again without.
  await tom.peer.answer(offered, 488, { toTag: newPeerId() });
  await tom.peer.request('ACK');
  const invite = await tom.peer.request('INVITE');
  const port = portOf(path);
  await tom.peer.answer(invite, 200, {
    toTag: newPeerId(),
    body: `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message ${port} TCP/MSRP *\r\na=path:${path}\r\na=setup:${setup}\r\na=accept-types:message/cpim text/plain *\r\n`,
  });
  await tom.peer.request('ACK');
  return invite;
}

const offeredPath = (invite: PeerMessage) => /^a=path:(\S+)/m.exec(invite.body)?.[1] ?? '';

describe('on the ports, while a conversation runs', () => {
  it('garbage on every SIP and MSRP port, over UDP and TCP', async () => {
    const { bob, tom, ofBob, ofTom, path } = await talking();
    const sipPorts = [world.port, ...[bob, tom].map((one) => sipPortOf(world, one.user))];
    const garbage = [
      randomBytes(3_000),
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from('INVITE sip:tom@chat.home.arpa SIP/2.0\r\n\r\n'),
      Buffer.from('MSRP \r\n\r\n'),
      Buffer.from(`MSRP abcd1234 SEND\r\nTo-Path: ${path}\r\n`),
      Buffer.alloc(20_000, '\r\n'),
    ];
    const udp = createSocket('udp4');
    const sockets = [];
    for (const port of [...sipPorts, portOf(path)]) {
      for (const bytes of garbage) {
        udp.send(bytes, port, '127.0.0.1');
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(bytes);
        sockets.push(socket);
      }
    }
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
    await tom.becomes(await tom.send(ofTom, 'three'), 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['one', 'two']);
    expect(bob.sessions(ofBob)).toHaveLength(1);
    // The signalling works as well.
    const { id } = await bob.session(ofBob, 'open');
    await bob.commands['session.end']({ sessionId: id });
    expect((await tom.session(ofTom, 'ended')).end?.code).toBe('ended-by-peer');
    await bob.becomes(await bob.send(ofBob, 'four'), 'delivered');
    for (const socket of sockets) socket.destroy();
    udp.close();
    await once(udp, 'close');
  });

  it('MSRP to an unknown session is answered 481 (RFC 4975 §7.3)', async () => {
    const { bob, ofBob, path } = await talking();
    await using peer = await MsrpPeer.connect(portOf(path));
    const answer = await peer.visit(path.replace(/\/[^/;]+;/, '/0123456789abcdef0123456789;'));
    expect(answer.kind).toMatch(/^481/);
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
  });

  it('a second connection for the same session is answered 506 (RFC 4975 §5.4), and hears nothing', async () => {
    const { bob, tom, ofBob, ofTom, path } = await talking();
    // What is encrypted is not spoken in the clear, not even to be refused.
    await using clear = await MsrpPeer.connect(portOf(path));
    expect((await clear.visit(path)).kind).toMatch(/^403/);
    const socket = connectTls({ host: '127.0.0.1', port: portOf(path), rejectUnauthorized: false });
    await using peer = new MsrpPeer(socket);
    expect((await peer.visit(path)).kind).toMatch(/^506/);
    peer.send(
      requestText({
        id: 'intruder1',
        to: path,
        from: peer.path,
        headers: { 'Message-ID': 'intruder1', 'Byte-Range': '1-6/6', 'Content-Type': 'text/plain' },
        body: 'forged',
      }),
    );
    expect((await peer.frame()).kind).toMatch(/^506/);
    await tom.becomes(await tom.send(ofTom, 'two'), 'delivered');
    expect(await bob.texts(ofBob, 'in')).toEqual(['two']);
    expect(peer.received.length).toBe(0);
  });

  it('a connection that never sends anything is closed, and nobody minds', async () => {
    const msrpLimits = { firstFrameMs: 200 };
    const { bob, ofBob } = await openPair(world, { msrpLimits });
    await bob.becomes(await bob.send(ofBob, 'one'), 'delivered');
    await using peer = await MsrpPeer.connect(portOf(await msrpPath(bob, ofBob)));
    await peer.untilEnded();
    await bob.becomes(await bob.send(ofBob, 'two'), 'delivered');
    expect(bob.sessions(ofBob)).toHaveLength(1);
  });

  it('requests that do not come from the server of the account are refused with 403', async () => {
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.2');
    await once(socket, 'listening');
    const answers: string[] = [];
    let answered = Promise.withResolvers<void>();
    socket.on('message', (bytes) => {
      const line = bytes.toString('utf8').split('\r\n')[0] ?? '';
      if (line.includes(' 100 ')) return;
      answers.push(line);
      answered.resolve();
    });
    await using text = await SipPeer.udp();
    const port = sipPortOf(world, 'tom');
    for (const method of ['INVITE', 'MESSAGE']) {
      answered = Promise.withResolvers();
      const request = text.build(method, {
        uri: `sip:tom@127.0.0.1:${port}`,
        from: '<sip:bob@chat.home.arpa>;tag=forged',
        to: '<sip:tom@chat.home.arpa>',
        via: `SIP/2.0/UDP 127.0.0.2:${socket.address().port};branch=z9hG4bK${newPeerId()}`,
        body: 'Please send me your password',
        contentType: 'text/plain',
      });
      socket.send(request, port, '127.0.0.1');
      await answered.promise;
    }
    socket.close();
    await once(socket, 'close');
    expect(answers).toEqual([
      'SIP/2.0 403 Only by way of the IM Server',
      'SIP/2.0 403 Only by way of the IM Server',
    ]);
    expect(await tom.messages(ofTom)).toEqual([]);
  });
});

/** Port at which a user's messenger takes SIP: what it registered. */
function sipPortOf({ server }: World, user: string): number {
  const [device] = server.registrar.devicesOf(user);
  return Number(/:(\d+)/.exec(device?.contact.slice(device.contact.indexOf('@')) ?? '')?.[1]);
}

describe('content', () => {
  /** A hand-driven device of Bob's inside a session with Tom. */
  async function sessionByHand(tomOptions: Parameters<World['join']>[1] = {}) {
    const tom = await world.join('tom', tomOptions);
    const ofTom = await tom.meet('bob');
    const bob = world.own(await RawDevice.join('bob', world.port));
    const listener = world.own(await MsrpPeerListener.listen());
    const port = portOf(listener.path);
    const answered = bob.ask('INVITE', {
      uri: 'sip:tom@chat.home.arpa',
      to: '<sip:tom@chat.home.arpa>',
      body: `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message ${port} TCP/MSRP *\r\na=path:${listener.path}\r\na=setup:actpass\r\na=accept-types:text/plain\r\n`,
    });
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    const answer = await answered;
    const to = offeredPath(answer);
    await bob.ackSuccess(answer);
    await tom.session(ofTom, 'open');
    return { tom, ofTom, peer, to };
  }

  function send(
    peer: MsrpPeer,
    to: string,
    id: string,
    body: string,
    range = `1-${body.length}/${body.length}`,
  ): void {
    peer.send(
      requestText({
        id,
        to,
        from: peer.path,
        headers: { 'Message-ID': `${id}m`, 'Byte-Range': range, 'Content-Type': 'text/plain' },
        body,
      }),
    );
  }

  it('a message of 10 MB is answered 413 at once, leaves the store untouched and the session open', async () => {
    const { tom, ofTom, peer, to } = await sessionByHand();
    send(peer, to, 'large10mb', 'x'.repeat(10 * 1024 * 1024));
    expect(await peer.frame()).toMatchObject({
      id: 'large10mb',
      kind: expect.stringMatching(/^413/) as string,
    });
    send(peer, to, 'after', 'still there');
    expect(await peer.frame()).toMatchObject({ id: 'after', kind: expect.stringMatching(/^200/) as string });
    expect(await tom.texts(ofTom, 'in')).toEqual(['still there']);
  });

  it.each([
    [1_000, 200],
    [1_001, 413],
  ])('a text of %i bytes, with a limit of 1000, is answered %i', async (bytes, status) => {
    const { tom, ofTom, peer, to } = await sessionByHand({
      limits: { ...QUICK.limits, maxTextBytes: 1_000 },
    });
    send(peer, to, 'sized1', 'y'.repeat(bytes));
    expect((await peer.frame()).kind).toMatch(new RegExp(`^${status}`));
    expect(await tom.texts(ofTom, 'in')).toHaveLength(status === 200 ? 1 : 0);
  });

  it('content that cannot be shown is kept as a file, damaged CPIM and IMDN are answered 400', async () => {
    const { tom, ofTom, peer, to } = await sessionByHand();
    const sendAs = (id: string, type: string, body: string) => {
      peer.send(
        requestText({
          id,
          to,
          from: peer.path,
          headers: {
            'Message-ID': id,
            'Byte-Range': `1-${body.length}/${body.length}`,
            'Content-Type': type,
          },
          body,
        }),
      );
    };
    sendAs('image1', 'image/png', 'PNG');
    expect((await peer.frame()).kind).toMatch(/^200/);
    sendAs('cpim1', 'message/cpim', 'no headers here');
    expect((await peer.frame()).kind).toMatch(/^400/);
    sendAs('imdn1', 'message/imdn+xml', '<imdn><unclosed>');
    expect((await peer.frame()).kind).toMatch(/^400/);
    expect((await tom.messages(ofTom)).map(({ file }) => [file?.type, file?.size, file?.state])).toEqual([
      ['image/png', 3, 'done'],
    ]);
    expect(tom.sessions(ofTom).map(({ state }) => state)).toEqual(['open']);
  });

  it('a message that the other side has no room for (413) fails with words', async () => {
    const bob = await world.join('bob');
    const tom = await world.join('tom', { limits: { ...QUICK.limits, maxTextBytes: 1_000 } });
    const ofBob = await bob.meet('tom');
    const ofTom = await tom.meet('bob');
    const small = await bob.send(ofBob, 'fits');
    const large = await bob.send(ofBob, 'z'.repeat(1_001));
    const failed = await bob.becomes(large, 'failed');
    expect(failed.failure).toEqual({
      code: 'msrp-413',
      message: 'It is too large for the other side, or its disk is full.',
    });
    await bob.becomes(small, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['fits']);
    await expect(bob.send(ofBob, 'ü'.repeat(600_000))).rejects.toMatchObject({
      code: 'too-large',
      message: 'This text is too long for one message. Send it in parts, or as a file.',
    });
  });

  it('a long message is not overtaken by the short ones behind it', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    const texts = ['first', 'L'.repeat(900_000), 'second', 'M'.repeat(300_000), 'third'];
    let last = await bob.send(ofBob, texts[0] ?? '');
    for (const text of texts.slice(1)) last = await bob.send(ofBob, text);
    await bob.becomes(last, 'delivered');
    expect((await tom.texts(ofTom, 'in')).map((text) => text.slice(0, 6))).toEqual(
      texts.map((text) => text.slice(0, 6)),
    );
  });

  it('a message that was sent twice is stored once, and both are acknowledged', async () => {
    const { tom, ofTom, peer, to } = await sessionByHand();
    for (const id of ['twice1', 'twice2']) {
      peer.send(
        requestText({
          id,
          to,
          from: peer.path,
          headers: { 'Message-ID': 'the-same', 'Byte-Range': '1-4/4', 'Content-Type': 'text/plain' },
          body: 'once',
        }),
      );
      expect((await peer.frame()).kind).toMatch(/^200/);
    }
    expect(await tom.texts(ofTom, 'in')).toEqual(['once']);
  });
});

describe('a store that cannot store', () => {
  it('the sender is told 413 and keeps the message; nothing is acknowledged that is not on disk', async () => {
    const { bob, tom, ofBob, ofTom } = await openPair(world);
    await bob.becomes(await bob.send(ofBob, 'before'), 'delivered');
    const database = await openHistory(join(world.folder, 'tom'));
    database.exec(
      `CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END`,
    );
    const sent = await bob.send(ofBob, 'during');
    expect((await bob.becomes(sent, 'failed')).failure?.code).toBe('msrp-413');
    await expect(tom.send(ofTom, 'mine')).rejects.toMatchObject({ code: 'STORE_FAILED' });
    database.exec('DROP TRIGGER full');
    database.close();
    await bob.commands['message.retry']({ messageId: sent.id });
    await bob.becomes(sent, 'delivered');
    expect(await tom.texts(ofTom, 'in')).toEqual(['before', 'during']);
  });

  it('for the absent: the server keeps what the returning device cannot store, and delivers it later', async () => {
    const bob = await world.join('bob');
    const ofBob = await bob.meet('tom');
    const first = await world.join('tom');
    await first.meet('bob');
    await first[Symbol.asyncDispose]();
    const database = await openHistory(join(world.folder, 'tom'));
    database.exec(`CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(FAIL, 'full'); END`);
    const sent = await bob.send(ofBob, 'for later');
    await bob.becomes(sent, 'waiting');
    const tom = await world.openPerson('tom');
    await tom.online();
    const ofTom = await tom.with('bob');
    const refused = () =>
      world.wire.some(({ direction, text }) => direction === 'in' && text.startsWith('SIP/2.0 500 '));
    await expect.poll(refused).toBe(true);
    expect((await bob.message(sent)).state).toBe('waiting');
    database.exec('DROP TRIGGER full');
    database.close();
    // The next sign of life brings it.
    await bob.send(ofBob, 'and this');
    expect(await tom.received(ofTom, 2)).toEqual(['for later', 'and this']);
    await bob.becomes(sent, 'delivered');
  });
});

describe('a peer that is there and is not', () => {
  /** Bob's hand-made invitation, with what his MSRP side does when it is visited. */
  async function inviteTom(visited: (peer: MsrpPeer) => Promise<void>) {
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    const bob = world.own(await RawDevice.join('bob', world.port));
    const listener = world.own(await MsrpPeerListener.listen());
    const answered = bob.ask('INVITE', {
      uri: 'sip:tom@chat.home.arpa',
      to: '<sip:tom@chat.home.arpa>',
      body: `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message ${portOf(listener.path)} TCP/MSRP *\r\na=path:${listener.path}\r\na=setup:actpass\r\na=accept-types:text/plain\r\n`,
    });
    const peer = await listener.accept();
    await visited(peer);
    const answer = await answered;
    if (answer.status === 200) {
      await bob.ackSuccess(answer);
    }
    return { tom, ofTom, bob, peer, answer };
  }

  it('refuses the visit before and after the answer: the session ends instead of being open without a way', async () => {
    const { tom, ofTom, bob, peer } = await inviteTom(async (visited) => {
      visited.answer(await visited.frame(), 481, 'Not yet');
    });
    peer.answer(await peer.frame(), 481, 'Not at all');
    await bob.peer.answer(await bob.peer.request('BYE'), 200);
    const { end } = await tom.session(ofTom, 'ended');
    expect(end).toEqual({
      code: 'media-failed',
      message: 'No direct connection to bob came about (the visit was answered with 481).',
    });
  });

  it('leaves the visit unanswered at first, as strict peers do: the session opens after the ACK', async () => {
    const { tom, ofTom, peer } = await inviteTom(async (visited) => {
      await visited.frame();
    });
    peer.answer(await peer.frame());
    await tom.session(ofTom, 'open');
  });

  it('is gone as soon as it was visited: whoever invited hears of it, and nothing stays open', async () => {
    const { tom, ofTom, bob, answer } = await inviteTom(async (visited) => {
      visited.answer(await visited.frame());
      visited.socket.destroy();
    });
    if (answer.status === 200) await bob.peer.answer(await bob.peer.request('BYE'), 200);
    else expect(answer.status).toBe(488);
    expect((await tom.session(ofTom, 'ended')).end?.code).toBe('media-lost');
  });

  it('stops reading: the session is given up, and its messages go out in the next one, once', async () => {
    const msrpLimits = { responseMs: 400, drainMs: 200, finWaitMs: 100, stalledPeerMs: 500 };
    const bob = await world.join('bob', { msrpLimits });
    const ofBob = await bob.meet('tom');
    const device = await RawDevice.join('tom', world.port);
    const listener = world.own(await MsrpPeerListener.listen());
    const sent = await bob.send(ofBob, 'Are you reading?');
    await acceptByHand(device, listener.path, 'passive');
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    await bob.session(ofBob, 'open');
    peer.socket.pause();
    const second = await bob.send(ofBob, 'r'.repeat(900_000));
    await device.peer.answer(await device.peer.request('BYE'), 200);
    await bob.session(ofBob, 'ended');
    expect((await bob.message(sent)).state).toBe('queued');
    await device.register({ expires: 0 });
    await device[Symbol.asyncDispose]();
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    await bob.becomes(second, 'delivered');
    expect((await tom.texts(ofTom, 'in')).map((text) => text.length)).toEqual([16, 900_000]);
  });

  it('accepts the invitation and never visits: the session ends in words, the message is deferred', async () => {
    const bob = await world.join('bob', { msrpLimits: { awaitVisitMs: 200 } });
    const ofBob = await bob.meet('tom');
    await using device = await RawDevice.join('tom', world.port);
    const sent = await bob.send(ofBob, 'Come in');
    await acceptByHand(device, 'msrp://127.0.0.1:9/never;tcp', 'active');
    await device.peer.answer(await device.peer.request('BYE'), 200);
    const { end } = await bob.session(ofBob, 'ended');
    expect(end?.code).toBe('media-failed');
    expect(end?.message).toContain('No direct connection to tom came about');
    await device.peer.answer(await device.peer.request('MESSAGE'), 200);
    await bob.becomes(sent, 'sent');
  });
});
