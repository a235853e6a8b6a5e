/** The relay of the server (RFC 4976), byte by byte, by clients that share no code with it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../support/manual-clock.ts';
import { MsrpPeerListener, requestText } from '../support/msrp-peer.ts';
import { RelayWorld } from './relay-fixture.ts';

const text = (body: string | Buffer, id = 'm1') => ({
  headers: {
    'Message-ID': id,
    'Byte-Range': `1-${body.length}/${body.length}`,
    'Content-Type': 'text/plain',
  },
  body,
});

describe('AUTH (RFC 4976 §5.1)', () => {
  let world: RelayWorld;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock();
    world = await RelayWorld.open({ clock, limits: { maxPlacesPerUser: 2 } });
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it.each(['SHA-256', 'MD5'] as const)('lets in who knows the password, by %s', async (algorithm) => {
    await using bob = await world.connect('bob');
    const answer = await bob.signIn('bob', { algorithm });
    expect(answer.kind).toBe('200 OK');
    expect(answer.headers.get('To-Path')).toBe(bob.path);
    expect(answer.headers.get('From-Path')).toBe(world.uri);
    expect(answer.headers.get('Expires')).toBe('1800');
    // 144 random bits, nothing of the user.
    expect(bob.usePath).toMatch(
      new RegExp(`^msrp://127\\.0\\.0\\.1:${world.relay.port}/[A-Za-z0-9_-]{24};tcp$`),
    );
    // Renewed on the same connection it is the same place.
    const before = bob.usePath;
    expect((await bob.answerChallenge('bob', { algorithm, nc: 2 })).kind).toBe('200 OK');
    expect(bob.usePath).toBe(before);
    // Said twice, it is a replay.
    const replay = await bob.answerChallenge('bob', { algorithm, nc: 2 });
    expect(replay.kind).toMatch(/^401/);
    expect(replay.raw.toString()).toContain('stale=true');
    clock.advance(5 * 60_000 + 1);
    expect((await bob.answerChallenge('bob', { algorithm, nc: 3 })).kind).toMatch(/^401/);
  });

  it('offers both algorithms, the better one first; a wrong password and a nonce of others are refused', async () => {
    await using bob = await world.connect('bob');
    const challenge = (await bob.auth()).raw.toString();
    expect([...challenge.matchAll(/algorithm=([^,\r]+)/g)].map(([, name]) => name)).toEqual([
      'SHA-256',
      'MD5',
    ]);
    expect((await bob.signIn('bob', { password: 'guess' })).kind).toMatch(/^401/);
    expect((await bob.signIn('nobody')).kind).toMatch(/^401/);
    bob.nonce = 'made.up.nonce';
    expect((await bob.answerChallenge('bob')).kind).toMatch(/^401/);
    expect(world.relay.places.size).toBe(0);
  });

  it('a lifetime out of bounds is 423 with the bound', async () => {
    await using bob = await world.connect('bob');
    const short = await bob.signIn('bob', { headers: { Expires: '59' } });
    expect([short.kind.slice(0, 3), short.headers.get('Min-Expires')]).toEqual(['423', '60']);
    const long = await bob.answerChallenge('bob', { nc: 2, headers: { Expires: '7201' } });
    expect([long.kind.slice(0, 3), long.headers.get('Max-Expires')]).toEqual(['423', '7200']);
    expect((await bob.answerChallenge('bob', { nc: 3, headers: { Expires: '60' } })).kind).toBe('200 OK');
    expect((await bob.answerChallenge('bob', { nc: 4, headers: { Expires: '7200' } })).kind).toBe('200 OK');
  });

  it('whoever guesses is locked out where he is, and shuts nobody else out', async () => {
    await using owner = await world.join('bob');
    await using thief = await world.connect('bob', '127.0.0.2');
    for (let guess = 0; guess < 3; guess++) {
      expect((await thief.signIn('bob', { password: `guess ${guess}` })).kind).toMatch(/^401/);
    }
    expect((await thief.signIn('bob')).kind).toMatch(/^403/);
    // At his own address the owner comes and goes; over the other one he waits.
    expect((await owner.answerChallenge('bob', { nc: 2 })).kind).toBe('200 OK');
    await using second = await world.connect('bob');
    expect((await second.signIn('bob')).kind).toBe('200 OK');
    // Five in all for people who were never right there.
    for (const user of ['tom', 'eve']) await thief.signIn(user, { password: 'guess' });
    expect((await thief.signIn('tom')).kind).toMatch(/^403/);
    clock.advance(10 * 60_000);
    await using later = await world.connect('tom', '127.0.0.2');
    expect((await later.signIn('tom')).kind).toBe('200 OK');
  });

  it('as many places as a user may have, and not one more', async () => {
    await using _one = await world.join('bob');
    await using _two = await world.join('bob');
    await using three = await world.connect('bob');
    expect((await three.signIn('bob')).kind).toMatch(/^403/);
    await using _tom = await world.join('tom');
  });

  it('a place ends with its time: its owner is cut off, and nobody is led there', async () => {
    await using bob = await world.connect('bob');
    await bob.signIn('bob', { headers: { Expires: '60' } });
    await using tom = await world.join('tom');
    clock.advance(59_999);
    tom.post('a1', bob.route);
    expect((await bob.frame()).kind).toBe('SEND');
    clock.advance(1);
    await bob.untilEnded();
    tom.post('a2', bob.route);
    const answers = [await tom.frame(), await tom.frame()];
    expect(answers.map(({ id, kind }) => `${id} ${kind.slice(0, 3)}`).sort()).toEqual(['a1 408', 'a2 481']);
  });

  it('who is removed or disabled is cut off, though he keeps his socket', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    await world.users.remove('bob');
    await world.relay.sweep();
    await bob.untilEnded();
    tom.post('b1', bob.route);
    expect((await tom.frame()).kind).toMatch(/^481/);
  });
});

describe('requests through the relay (RFC 4976 §6)', () => {
  let world: RelayWorld;
  let clock: ManualClock;
  beforeEach(async () => {
    clock = new ManualClock();
    world = await RelayWorld.open({
      clock,
      limits: { maxStreamsPerConnection: 3, maxQueuedBytes: 1_000_000, maxNextHopsPerPlace: 1 },
    });
  });
  afterEach(() => world[Symbol.asyncDispose]());

  it('a visit is answered when its host has answered it (flow: steps 4 to 6)', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    tom.post('v1', bob.route, { headers: { 'Message-ID': 'visit', 'Byte-Range': '1-0/0' } });
    const visit = await bob.frame();
    expect(visit).toMatchObject({ kind: 'SEND', body: undefined, flag: '$' });
    expect(visit.headers.get('To-Path')).toBe(bob.path);
    expect(visit.headers.get('From-Path')).toBe(`${bob.usePath} ${tom.usePath} ${tom.path}`);
    expect(visit.headers.get('Message-ID')).toBe('visit');
    // Something of Tom's that the relay answers at once comes back before the visit is answered.
    expect((await tom.auth()).kind).toMatch(/^401/);
    // Responses go hop by hop (RFC 4975 §7.2).
    bob.send(
      `MSRP ${visit.id} 200 OK\r\nTo-Path: ${bob.usePath}\r\nFrom-Path: ${bob.path}\r\n-------${visit.id}$\r\n`,
    );
    const answer = await tom.frame();
    expect([answer.id, answer.kind]).toEqual(['v1', '200 OK']);
    expect(answer.headers.get('To-Path')).toBe(tom.path);
    expect(answer.headers.get('From-Path')).toBe(tom.usePath);
  });

  it('content goes on as it came and is answered hop by hop; a failure behind comes back as a report', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    const body = Buffer.from('ünïcode with -------c1$ in it\r\n-------');
    tom.post('c1', bob.route, {
      ...text(body),
      headers: { ...text(body).headers, 'Success-Report': 'yes', 'X-Name': 'Grüße' },
    });
    expect(await tom.frame()).toMatchObject({ id: 'c1', kind: '200 OK' });
    const frame = await bob.frame();
    expect(frame.body?.equals(body)).toBe(true);
    expect(Object.fromEntries(frame.headers)).toMatchObject({
      'Message-ID': 'm1',
      'Byte-Range': `1-${body.length}/${body.length}`,
      'Success-Report': 'yes',
      'Content-Type': 'text/plain',
    });
    expect(frame.raw.includes(Buffer.from('X-Name: Grüße\r\n'))).toBe(true);
    bob.answer(frame, 415, 'Media Type Not Supported');
    const report = await tom.frame();
    expect(report.kind).toBe('REPORT');
    expect(Object.fromEntries(report.headers)).toMatchObject({
      'To-Path': tom.path,
      'From-Path': tom.usePath,
      'Message-ID': 'm1',
      Status: '000 415 Media Type Not Supported',
    });
    // The success report of a peer goes to whom it names, without an answer.
    const back = frame.headers.get('From-Path') ?? '';
    const status = { 'Message-ID': 'm1', 'Byte-Range': '1-2/2', Status: '000 200 OK' };
    bob.send(requestText({ id: 'r1', method: 'REPORT', to: back, from: bob.path, headers: status }));
    const success = await tom.frame();
    expect(success.headers.get('Status')).toBe('000 200 OK');
    expect(success.headers.get('From-Path')).toBe(`${tom.usePath} ${bob.usePath} ${bob.path}`);
  });

  it('a large chunk is passed on while it comes, cut only where it may be', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    const body = Buffer.alloc(300_000, 'abcdefg');
    const headers = { 'Message-ID': 'large', 'Byte-Range': '1-*/300000', 'Content-Type': 'text/plain' };
    const whole = requestText({ id: 'l1', to: `${tom.usePath} ${bob.route}`, from: tom.path, headers, body });
    tom.send(whole.subarray(0, 150_000));
    const frames = [await bob.frame()];
    expect(frames[0]).toMatchObject({ flag: '+' });
    // Nothing more of it comes: what there is goes on all the same.
    const begun = whole.indexOf('\r\n\r\n') + 4;
    for (let got = frames[0]!.body!.length; got < 150_000 - begun; got += frames.at(-1)!.body!.length) {
      clock.advance(40);
      frames.push(await bob.frame());
    }
    tom.send(whole.subarray(150_000));
    while (frames.at(-1)?.flag === '+') frames.push(await bob.frame());
    expect(Buffer.concat(frames.map((frame) => frame.body ?? Buffer.alloc(0))).equals(body)).toBe(true);
    let at = 1;
    for (const frame of frames) {
      const [, start, end] = /^(\d+)-(\d+|\*)\/300000$/.exec(frame.headers.get('Byte-Range') ?? '') ?? [];
      expect(Number(start)).toBe(at);
      at += frame.body?.length ?? 0;
      expect(['*', String(at - 1)]).toContain(end);
      expect(frame.body?.length).toBeLessThanOrEqual(64 * 1024);
    }
    expect(new Set(frames.map(({ id }) => id)).size).toBe(frames.length);
    expect((await tom.frame()).kind).toBe('200 OK');
    // One with an end in its Byte-Range may not be interrupted: it is waited for.
    const fixed = Buffer.alloc(60_000, 'z');
    tom.post('f1', bob.route, text(fixed, 'fixed'));
    expect((await bob.frame()).body?.length).toBe(60_000);
  });

  it('a next hop that does not answer is reported as 408; with Failure-Report no and partial nothing is', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    for (const failureReport of ['no', 'partial', 'yes']) {
      const { headers, body } = text('x', `m-${failureReport}`);
      tom.post(`t-${failureReport}`, bob.route, {
        headers: { ...headers, 'Failure-Report': failureReport },
        body,
      });
      await bob.frame();
    }
    expect((await tom.frame()).id).toBe('t-yes');
    clock.advance(30_000);
    const report = await tom.frame();
    expect([report.headers.get('Message-ID'), report.headers.get('Status')]).toEqual([
      'm-yes',
      '000 408 Timeout',
    ]);
    expect(tom.received.length).toBe(0);
  });

  it('goes to people elsewhere for whom it has let in, and for nobody else (no open relay)', async () => {
    await using elsewhere = await MsrpPeerListener.listen();
    await using tom = await world.join('tom');
    await using eve = await world.connect('eve');
    // Without a place, with that of somebody else, with one that is made up, with nothing behind the relay.
    const made = tom.usePath.replace(/\/[^/]+;tcp$/, '/AAAAAAAAAAAAAAAAAAAAAAAA;tcp');
    for (const [to, status] of [
      [elsewhere.path, '481'],
      [`${world.uri} ${elsewhere.path}`, '481'],
      [`${made} ${elsewhere.path}`, '481'],
      [tom.usePath, '403'],
    ] as const) {
      eve.send(requestText({ id: 'open1', to, from: eve.path, ...text('spam') }));
      expect((await eve.frame()).kind.slice(0, 3), to).toBe(status);
    }
    eve.send(
      requestText({ id: 'open2', to: `${tom.usePath} ${elsewhere.path}`, from: eve.path, ...text('x') }),
    );
    expect((await tom.frame()).headers.get('To-Path')).toBe(elsewhere.path);
    // The owner of the place is led there, and answered from there.
    tom.post('out1', elsewhere.path, text('hello'));
    await using peer = await elsewhere.accept();
    const frame = await peer.frame();
    expect(frame.headers.get('To-Path')).toBe(elsewhere.path);
    expect(frame.headers.get('From-Path')).toBe(`${tom.usePath} ${tom.path}`);
    peer.answer(frame);
    expect(await tom.frame()).toMatchObject({ id: 'out1', kind: '200 OK' });
    peer.send(requestText({ id: 'in1', to: tom.route, from: peer.path, ...text('hello yourself', 'm2') }));
    const back = await tom.frame();
    expect(back.body?.toString()).toBe('hello yourself');
    expect(back.headers.get('From-Path')).toBe(`${tom.usePath} ${peer.path}`);
    // Nobody listens there; and one more next hop than he may have.
    peer.socket.destroy();
    await peer.untilEnded();
    tom.post('out2', 'msrp://127.0.0.1:1/nobody;tcp', text('x', 'm3'));
    expect(await tom.frame()).toMatchObject({ id: 'out2', kind: '408 Timeout' });
  });

  it('a slow reader holds up who writes to him alone; beside others his messages are refused, theirs go on', async () => {
    await using slow = await world.join('bob');
    await using quick = await world.join('eve');
    await using tom = await world.join('tom');
    slow.socket.pause();
    const body = Buffer.alloc(60_000, 's');
    let written = 0;
    // Alone: TCP stops Tom. The kernel's buffers and the ceiling of the queue are finite.
    while (tom.socket.writableLength < 2_000_000 && written < 1_000) {
      tom.post(`w${written}`, slow.route, text(body, `w${written++}`));
      await new Promise((done) => setImmediate(done));
    }
    expect(written).toBeLessThan(1_000);
    expect(world.relay.queuedBytes).toBeLessThan(1_500_000);
    // The reader goes on, and so does everything; nothing is missing.
    slow.socket.resume();
    for (let index = 0; index < written; index++) {
      const frame = await slow.frame();
      expect(frame.headers.get('Message-ID')).toBe(`w${index}`);
      slow.answer(frame);
    }
    for (let index = 0; index < written; index++) expect((await tom.frame()).kind).toBe('200 OK');
    // Beside a talk with somebody else: what does not fit is refused, the talk goes on.
    slow.socket.pause();
    const refused: string[] = [];
    for (let round = 0; refused.length === 0 && round < 1_000; round++) {
      tom.post(`s${round}`, slow.route, text(body, `s${round}`));
      tom.post(`q${round}`, quick.route, text('ping', `q${round}`));
      const frame = await quick.frame();
      expect(frame.headers.get('Message-ID')).toBe(`q${round}`);
      quick.answer(frame);
      for (;;) {
        const answer = await tom.frame();
        if (answer.kind.startsWith('408')) refused.push(answer.id);
        if (answer.id === `q${round}`) break;
      }
    }
    expect(refused).toHaveLength(1);
  });

  it('as many ways over one connection as there may be, and not one more; bad paths are said', async () => {
    await using bob = await world.join('bob');
    await using tom = await world.join('tom');
    for (const session of ['a', 'b', 'c', 'd']) {
      tom.post(`n${session}`, `${bob.usePath} msrp://127.0.0.1:9/${session};tcp`, text('x', session));
      expect((await tom.frame()).kind.slice(0, 3), session).toBe(session === 'd' ? '403' : '200');
    }
    tom.send(requestText({ id: 'bad1', to: 'sip:tom', from: tom.path, ...text('x') }));
    expect((await tom.frame()).kind).toMatch(/^400/);
    tom.send('GET / HTTP/1.1\r\n\r\n');
    await tom.untilEnded();
  });

  it('who goes in the middle of a message leaves nothing broken for the one behind', async () => {
    await using bob = await world.join('bob');
    await using eve = await world.join('eve');
    const tom = await world.join('tom');
    const headers = { 'Message-ID': 'half', 'Byte-Range': '1-*/300000', 'Content-Type': 'text/plain' };
    const whole = requestText({
      id: 'h1',
      to: `${tom.usePath} ${bob.route}`,
      from: tom.path,
      headers,
      body: Buffer.alloc(300_000),
    });
    tom.send(whole.subarray(0, 200_000));
    expect((await bob.frame()).flag).toBe('+');
    await tom[Symbol.asyncDispose]();
    eve.post('e1', bob.route, text('still here'));
    for (let frame = await bob.frame(); ; frame = await bob.frame()) {
      if (frame.headers.get('Message-ID') === 'half') continue;
      expect(frame.body?.toString()).toBe('still here');
      break;
    }
  });
});
