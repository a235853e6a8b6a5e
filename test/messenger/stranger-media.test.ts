/** How people whose programs are not ours answer and offer: no TLS, other certificates, CEMA, who connects. */
import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SettingKey } from '../../shared/settings.ts';
import { formatFingerprint } from '../../main/msrp/fingerprint.ts';
import { selfSigned } from '../support/certificates.ts';
import { World, type Person } from '../support/im-world.ts';
import { MsrpPeer, MsrpPeerListener } from '../support/msrp-peer.ts';
import { RawDevice } from '../support/raw-device.ts';
import type { PeerMessage } from '../support/sip-peer.ts';

let world: World;
beforeEach(async () => {
  world = await World.open(['bob', 'tom']);
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function describeMedia(lines: readonly string[], address = '127.0.0.1'): string {
  return ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', `c=IN IP4 ${address}`, 't=0 0', ...lines, ''].join(
    '\r\n',
  );
}

/** A session without TLS at `uri`. */
function plain(uri: string, ...more: string[]): string {
  const port = /:(\d+)\//.exec(uri)?.[1] ?? '9';
  return describeMedia([
    `m=message ${port} TCP/MSRP *`,
    'a=accept-types:text/plain',
    `a=path:${uri}`,
    ...more,
  ]);
}

function attribute(message: PeerMessage, name: string): string | undefined {
  return new RegExp(`^a=${name}:?(.*)$`, 'm').exec(message.body)?.[1]?.trim();
}

async function set(person: Person, key: SettingKey, value: unknown): Promise<void> {
  await person.commands['settings.set']({ key, value });
}

/** Bob, who writes to Tom: a stranger's device. */
async function begin(settings: Partial<Record<SettingKey, unknown>> = {}) {
  const bob = await world.join('bob');
  for (const [key, value] of Object.entries(settings)) await set(bob, key as SettingKey, value);
  const tom = await RawDevice.join('tom', world.port);
  world.own(tom);
  const ofBob = await bob.meet('tom');
  const sent = await bob.send(ofBob, 'Hello');
  return { bob, tom, ofBob, sent, invite: await tom.peer.request('INVITE') };
}

async function refuse(tom: RawDevice, invite: PeerMessage, headers: string[] = []): Promise<void> {
  await tom.peer.answer(invite, 488, { toTag: `tom${invite.header('Call-ID')}`, headers });
  await tom.peer.request('ACK');
}

/** Answers with `body`; returns when the ACK has come. */
async function accept(tom: RawDevice, invite: PeerMessage, body: string): Promise<void> {
  await tom.peer.answer(invite, 200, { toTag: `tom${invite.header('Call-ID')}`, contact: tom.contact, body });
  await tom.peer.request('ACK');
}

describe('a stranger who cannot encrypt', () => {
  it('refuses the offer with 488: it is made again without, and the window says so', async () => {
    const { bob, tom, ofBob, invite } = await begin();
    expect(invite.body).toMatch(/^m=message \d+ TCP\/TLS\/MSRP \*/m);
    expect(attribute(invite, 'setup')).toBe('actpass');
    await refuse(tom, invite);
    const second = await tom.peer.request('INVITE');
    expect(second.body).toMatch(/^m=message \d+ TCP\/MSRP \*/m);
    expect(attribute(second, 'fingerprint')).toBeUndefined();
    await using listener = await MsrpPeerListener.listen();
    await accept(tom, second, plain(listener.path, 'a=setup:passive'));
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    expect(await bob.session(ofBob, 'open')).toMatchObject({ encrypted: false, mediaPath: 'direct' });
    expect((await peer.frame()).headers.get('Content-Type')).toBeDefined();
  });

  it('refuses the line with port 0: the same', async () => {
    const { tom, invite } = await begin();
    await accept(tom, invite, describeMedia(['m=message 0 TCP/TLS/MSRP *']));
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
    expect((await tom.peer.request('INVITE')).body).toMatch(/^m=message \d+ TCP\/MSRP \*/m);
  });

  it('and we require it: no second offer, the message fails and says why', async () => {
    const { bob, tom, ofBob, sent, invite } = await begin({ 'messages.encryption': 'required' });
    await refuse(tom, invite);
    const failed = await bob.becomes(sent, 'failed');
    expect(failed.failure?.code).toBe('encryption-refused');
    expect((await bob.session(ofBob, 'ended')).end?.code).toBe('encryption-refused');
  });

  it('answers an offer of TLS without it (downgrade): hung up, and the reason is on the screen', async () => {
    const { bob, tom, ofBob, sent, invite } = await begin();
    await using listener = await MsrpPeerListener.listen();
    await accept(tom, invite, plain(listener.path, 'a=setup:passive'));
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
    const { end } = await bob.session(ofBob, 'ended');
    expect(end?.code).toBe('encryption-downgraded');
    expect(end?.message).toMatch(/nothing was sent/);
    await bob.becomes(sent, 'failed');
  });
});

describe('a stranger with another certificate than announced', () => {
  it('as the one who visits: the connection is cut, the session ends with the reason', async () => {
    const [shown, announced] = [selfSigned(['DNS:shown']), selfSigned(['DNS:announced'])];
    const { bob, tom, ofBob, sent, invite } = await begin();
    const path = attribute(invite, 'path') ?? '';
    const port = Number(/:(\d+)\//.exec(path)?.[1]);
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...shown });
    await using peer = new MsrpPeer(socket, 'msrps://127.0.0.1:9/tom;tcp');
    expect((await peer.visit(path)).kind).toBe('200 OK');
    const print = formatFingerprint(new X509Certificate(announced.cert).raw);
    await accept(
      tom,
      invite,
      describeMedia([
        'm=message 9 TCP/TLS/MSRP *',
        'a=accept-types:*',
        'a=setup:active',
        `a=path:${peer.path}`,
        `a=fingerprint:${print}`,
      ]),
    );
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
    const { end } = await bob.session(ofBob, 'ended');
    expect(end?.code).toBe('wrong-certificate');
    expect(end?.message).toMatch(/^Somebody else than tom was at the other end/);
    await peer.untilEnded();
    await bob.becomes(sent, 'failed');
  });
});

describe('CEMA (RFC 6714)', () => {
  it('is not offered unless a setting says so', async () => {
    const { invite } = await begin();
    expect(attribute(invite, 'msrp-cema')).toBeUndefined();
    expect(attribute(invite, 'connection')).toBeUndefined();
  });

  it('on both sides: c= and m= are dialled, To-Path still names the path', async () => {
    const settings = { 'messages.cema': true, 'messages.encryption': 'off' };
    const { bob, tom, ofBob, invite } = await begin(settings);
    expect(attribute(invite, 'msrp-cema')).toBe('');
    await using middlebox = await MsrpPeerListener.listen();
    const port = /:(\d+)\//.exec(middlebox.path)?.[1] ?? '';
    const path = 'msrp://192.0.2.7:2855/tom;tcp';
    await accept(
      tom,
      invite,
      describeMedia([
        `m=message ${port} TCP/MSRP *`,
        'a=accept-types:text/plain',
        'a=setup:passive',
        `a=path:${path}`,
        'a=msrp-cema',
      ]),
    );
    const peer = await middlebox.accept();
    const visit = await peer.frame();
    expect(visit.headers.get('To-Path')).toBe(path);
    peer.answer(visit);
    await bob.session(ofBob, 'open');
  });

  it('answered without it and from elsewhere: offered again without it', async () => {
    const settings = { 'messages.cema': true, 'messages.encryption': 'off' };
    const { tom, invite } = await begin(settings);
    const body = plain('msrp://192.0.2.7:2855/tom;tcp', 'a=setup:passive').replace(
      'm=message 2855',
      'm=message 9999',
    );
    await accept(tom, invite, body);
    await tom.peer.answer(await tom.peer.request('BYE'), 200);
    expect(attribute(await tom.peer.request('INVITE'), 'msrp-cema')).toBeUndefined();
  });

  it.each([
    ['offered without it from elsewhere: 488', [], 'c= and m= lead elsewhere than the path'],
    ['offered with it: c= and m= are visited', ['a=msrp-cema'], undefined],
  ])('%s', async (_name, more, warning) => {
    const tom = await world.join('tom');
    await tom.meet('bob');
    const bob = await RawDevice.join('bob', world.port);
    world.own(bob);
    await using middlebox = await MsrpPeerListener.listen();
    const port = /:(\d+)\//.exec(middlebox.path)?.[1] ?? '';
    const body = plain('msrp://192.0.2.7:2855/bob;tcp', 'a=setup:actpass', ...more).replace(
      'm=message 2855',
      `m=message ${port}`,
    );
    const asked = bob.ask('INVITE', { uri: 'sip:tom@chat.home.arpa', to: '<sip:tom@chat.home.arpa>', body });
    if (warning === undefined) {
      const peer = await middlebox.accept();
      const visit = await peer.frame();
      expect(visit.headers.get('To-Path')).toBe('msrp://192.0.2.7:2855/bob;tcp');
      peer.answer(visit);
    }
    const answer = await asked;
    expect(answer.status).toBe(warning === undefined ? 200 : 488);
    if (warning === undefined) expect(attribute(answer, 'msrp-cema')).toBe('');
    else expect(answer.header('Warning')).toContain(warning);
  });
});

describe('who connects (RFC 6135 §4.2)', () => {
  async function offered(...setup: string[]) {
    const tom = await world.join('tom');
    const ofTom = await tom.meet('bob');
    const bob = await RawDevice.join('bob', world.port);
    world.own(bob);
    const listener = await MsrpPeerListener.listen();
    world.own(listener);
    const body = plain(listener.path, ...setup);
    const asked = bob.ask('INVITE', { uri: 'sip:tom@chat.home.arpa', to: '<sip:tom@chat.home.arpa>', body });
    return { tom, ofTom, bob, listener, asked };
  }

  async function acknowledge(bob: RawDevice, answer: PeerMessage): Promise<void> {
    const contact = /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? '';
    await bob.peer.send(
      bob.peer.build('ACK', {
        uri: contact,
        from: answer.header('From'),
        to: answer.header('To'),
        callId: answer.header('Call-ID'),
        cseq: Number.parseInt(answer.header('CSeq'), 10),
        headers: answer.headers('Record-Route').map((route) => `Route: ${route}`),
      }),
      world.port,
    );
  }

  it.each([['actpass'], ['passive']])('%s in an offer: we visit, and answer active', async (setup) => {
    const { tom, ofTom, bob, listener, asked } = await offered(`a=setup:${setup}`, 'a=connection:new');
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    const answer = await asked;
    expect(attribute(answer, 'setup')).toBe('active');
    expect(attribute(answer, 'connection')).toBeUndefined();
    await acknowledge(bob, answer);
    await tom.session(ofTom, 'open');
  });

  it('a strict peer leaves the early visit unanswered: active all the same, and again after the ACK', async () => {
    const { tom, ofTom, bob, listener, asked } = await offered('a=setup:actpass');
    const peer = await listener.accept();
    await peer.frame();
    const answer = await asked;
    expect(attribute(answer, 'setup')).toBe('active');
    await acknowledge(bob, answer);
    const second = await peer.frame();
    expect(second.kind).toBe('SEND');
    peer.answer(second);
    await tom.session(ofTom, 'open');
  });

  it('a strict peer hangs up on the early visit: we come again after the ACK', async () => {
    const { tom, ofTom, bob, listener, asked } = await offered('a=setup:actpass');
    const early = await listener.accept();
    await early.frame();
    early.socket.end();
    const answer = await asked;
    expect(attribute(answer, 'setup')).toBe('active');
    await acknowledge(bob, answer);
    const peer = await listener.accept();
    peer.answer(await peer.frame());
    await tom.session(ofTom, 'open');
  });

  it.each([
    ['active, port 9', ['a=setup:active'], 'passive'],
    ['holdconn, which counts as nothing', ['a=setup:holdconn'], undefined],
    ['nothing (RFC 4975 alone)', [], undefined],
  ])('%s: the offerer comes to us', async (_name, setup, expected) => {
    const { tom, ofTom, bob, asked } = await offered(...setup);
    const answer = await asked;
    expect(attribute(answer, 'setup')).toBe(expected);
    await acknowledge(bob, answer);
    const path = attribute(answer, 'path') ?? '';
    const from = attributeOf(world.received('INVITE').at(-1) ?? '', 'path');
    await using peer = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), from);
    expect((await peer.visit(path)).kind).toBe('200 OK');
    await tom.session(ofTom, 'open');
  });

  it('an answer that believes itself active and comes, while nobody said who connects', async () => {
    const { bob, tom, ofBob, invite } = await begin({ 'messages.encryption': 'off' });
    const path = attribute(invite, 'path') ?? '';
    await using listener = await MsrpPeerListener.listen();
    await accept(tom, invite, plain(listener.path));
    const ours = await listener.accept();
    await ours.frame();
    await using theirs = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), listener.path);
    expect((await theirs.visit(path)).kind).toBe('200 OK');
    await bob.session(ofBob, 'open');
    expect((await theirs.frame()).body).toBeDefined();
  });
});

function attributeOf(text: string, name: string): string {
  return new RegExp(`^a=${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
}
