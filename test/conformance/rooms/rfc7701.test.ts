/**
 * Chat rooms rule by rule: RFC 7701 (messages, nicknames), RFC 4579 (the focus), RFC 4575 (who is there), against a peer
 * of bytes.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOMAIN, World } from '../../support/im-world.ts';
import { requestText } from '../../support/msrp-peer.ts';
import { RawDevice } from '../../support/raw-device.ts';
import { cpimText, FACTORY, RoomPeer } from '../../support/room-peer.ts';
import { eventually } from '../../support/eventually.ts';

let world: World;
const KITCHEN = `sip:kitchen@${DOMAIN}`;
const uriOf = (user: string) => `sip:${user}@${DOMAIN}`;
const device = async (user: string) => world.own(await RawDevice.join(user, world.port));

beforeEach(async () => {
  world = await World.open(['bob', 'tom', 'eve'], {
    rooms: { plain: true, messageBytes: 4_096, nicknameLength: 12, nameLength: 20 },
    roomLimits: { byeMs: 200, nicknamesPerMinute: 6 },
  });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

async function join(user: string, options: { attributes?: readonly string[] } = {}): Promise<RoomPeer> {
  const first = world.server.rooms?.rooms.find('kitchen') === undefined;
  const uri = first ? FACTORY : KITCHEN;
  return world.own(await RoomPeer.join(await device(user), uri, { to: `<${KITCHEN}>`, ...options }));
}

describe('RFC 7701 §5.2: joining', () => {
  it('the answer has isfocus, message/cpim, any wrapped type, chatroom with both tokens, passive', async () => {
    const { answer } = await join('bob');
    expect(answer.header('Contact')).toMatch(/^<sip:kitchen@[^>]+>;isfocus$/);
    expect(answer.body).toMatch(/^a=accept-types:message\/cpim\r$/m);
    expect(answer.body).toMatch(/^a=accept-wrapped-types:\*\r$/m);
    expect(answer.body).toMatch(/^a=chatroom:nickname private-messages\r$/m);
    expect(answer.body).toMatch(/^a=setup:passive\r$/m);
    expect(answer.body).toMatch(/^a=max-size:4096\r$/m);
  });

  it('an offer of RFC 4975 alone, without a=setup, is answered without it', async () => {
    const bob = await device('bob');
    const sdp = RoomPeer.offer('msrp://127.0.0.1:9/plain1;tcp').replace('a=setup:active\r\n', '');
    const answer = await RoomPeer.call(bob, FACTORY, { sdp });
    expect([answer.status, /a=setup/.test(answer.body)]).toEqual([200, false]);
  });

  it.each([
    ['without message/cpim', (sdp: string) => sdp.replace('message/cpim', 'text/plain')],
    ['that wants us to connect', (sdp: string) => sdp.replace('setup:active', 'setup:passive')],
    ['of something else', (sdp: string) => sdp.replace('m=message 9 TCP/MSRP *', 'm=audio 9 RTP/AVP 0')],
  ])('an offer %s is refused with 488 and a Warning, and leaves no room', async (_name, change) => {
    const bob = await device('bob');
    const sdp = change(RoomPeer.offer('msrp://127.0.0.1:9/odd1;tcp'));
    const answer = await RoomPeer.call(bob, FACTORY, { to: `<${KITCHEN}>`, sdp });
    expect(answer.status).toBe(488);
    expect(answer.header('Warning')).toMatch(/^302 parley "/);
    // It is taken from the store after the answer.
    await eventually(async () => expect(await world.server.rooms?.overview()).toEqual([]));
  });

  it('who is no member of a room by invitation gets 403, for one that is not there 404', async () => {
    const bob = world.own(await RoomPeer.join(await device('bob'), FACTORY));
    const eve = await device('eve');
    expect((await RoomPeer.call(eve, bob.room)).status).toBe(403);
    expect((await RoomPeer.call(eve, uriOf('nowhere'))).status).toBe(404);
  });
});

describe('RFC 7701 §6.1: messages to everybody', () => {
  it('without To, and with To in other forms of the address', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    expect(await bob.send('one', { to: null })).toBe('200 OK');
    expect(await bob.send('two', { to: `sip:kitchen@${DOMAIN.toUpperCase()};x=y` })).toBe('200 OK');
    expect(await tom.texts(2)).toEqual(['one', 'two']);
  });

  it.each([
    ['From of somebody else (impersonation)', { from: uriOf('tom') }, '403 Forbidden'],
    ['From of another domain', { from: 'sip:bob@example.org' }, '403 Forbidden'],
    ['an anonymous From', { from: 'sip:anonymous@anonymous.invalid' }, '403 Forbidden'],
    ['two recipients', { headers: [`To: <${uriOf('tom')}>`] }, '403 Forbidden'],
    ['a cc', { headers: [`cc: <${uriOf('tom')}>`] }, '403 Forbidden'],
    ['To of nobody in the room', { to: uriOf('eve') }, '404 Not Found'],
    ['To of another domain', { to: 'sip:tom@example.org' }, '404 Not Found'],
    ['a body that is no CPIM', { body: 'From nobody' }, '400 Bad Request'],
    ['what only the room says', { type: 'application/conference-info+xml' }, '403 Forbidden'],
    ['no wrapping', { contentType: 'text/plain' }, '415 Media Type Not Supported'],
  ])('%s: %s', async (_name, options, answer) => {
    const bob = await join('bob');
    const tom = await join('tom');
    expect(await bob.send('bad', options)).toBe(answer);
    // Nothing of it reaches anybody.
    await bob.send('good');
    expect(await tom.texts(1)).toEqual(['good']);
  });

  it('more than a=max-size gets 413; as much as that passes', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    const room = 4_096 - cpimText({ from: bob.uri, to: bob.room, text: '' }).length;
    expect(await bob.send('x'.repeat(room))).toBe('200 OK');
    expect(await bob.send('x'.repeat(room + 1))).toBe('413 Stop Sending');
    expect((await tom.message()).text).toHaveLength(room);
  });

  it('Success-Report: yes is answered with a REPORT when the room has it', async () => {
    const bob = await join('bob');
    const body = cpimText({ from: bob.uri, to: bob.room, text: 'report me' });
    const headers = {
      'Message-ID': 'reported1',
      'Success-Report': 'yes',
      'Byte-Range': `1-${body.length}/${body.length}`,
      'Content-Type': 'message/cpim',
    };
    bob.msrp.send(requestText({ id: 'tid9', to: bob.path, from: bob.msrp.path, headers, body }));
    expect((await bob.msrp.frame()).kind).toBe('200 OK');
    const report = await bob.msrp.frame();
    expect([report.kind, report.headers.get('Status')]).toEqual(['REPORT', '000 200 OK']);
  });

  it('nobody is asked for reports to everybody, and none is passed on', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    const wish = [
      'NS: imdn <urn:ietf:params:imdn>',
      'imdn.Disposition-Notification: positive-delivery, display',
    ];
    await bob.send('please report', { headers: wish });
    const { cpim } = await tom.message();
    expect(cpim).not.toContain('Disposition-Notification');
    expect(await tom.send('<imdn/>', { type: 'message/imdn+xml' })).toBe('200 OK');
    await tom.send('words');
    expect(await bob.texts(1)).toEqual(['words']);
  });
});

describe('RFC 7701 §6.2: private messages', () => {
  it('go with the wish for reports, and the report goes back', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    const wish = ['NS: imdn <urn:ietf:params:imdn>', 'imdn.Disposition-Notification: display'];
    await bob.send('psst', { to: uriOf('tom'), headers: wish });
    const { cpim } = await tom.message();
    expect(cpim).toContain('imdn.Disposition-Notification: display');
    expect(cpim).toContain(`To: <${uriOf('tom')}>`);
    await tom.send('<imdn/>', { to: uriOf('bob'), type: 'message/imdn+xml' });
    expect((await bob.message()).text).toBe('<imdn/>');
  });

  it('to somebody whose program says that it takes none: 428', async () => {
    const bob = await join('bob');
    await join('tom', { attributes: ['a=chatroom:nickname'] });
    await join('eve', { attributes: ['a=chatroom:nickname private-messages'] });
    expect(await bob.send('psst', { to: uriOf('tom') })).toBe('428 Private Messages Not Supported');
    expect(await bob.send('psst', { to: uriOf('eve') })).toBe('200 OK');
  });
});

describe('RFC 7701 §7: nicknames', () => {
  it.each([
    ['in quotes', '"Chef Bob"', 'Chef Bob'],
    ['without them, as some write it', 'Chef Bob', 'Chef Bob'],
    ['with an escaped quotation mark', '"Bob \\"B\\""', 'Bob \\"B\\"'],
    ['in other scripts', '"厨师鲍勃"', '厨师鲍勃'],
  ])('%s: 200, and messages carry it', async (_name, header, shown) => {
    const bob = await join('bob');
    const tom = await join('tom');
    expect(await bob.nickname(header)).toBe('200 OK');
    await bob.send('hello');
    expect((await tom.message()).cpim).toContain(`From: "${shown}" <${uriOf('bob')}>`);
  });

  it('an empty one gives it up', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    expect(await bob.nickname('"Chef"')).toBe('200 OK');
    expect(await bob.nickname('""')).toBe('200 OK');
    expect(await tom.nickname('"Chef"')).toBe('200 OK');
    await bob.send('hello');
    expect((await tom.message()).cpim).toContain(`From: "bob" <${uriOf('bob')}>`);
  });

  it.each([
    ['as long as may be', '"twelve chars"', '200 OK'],
    ['one character longer', '"twelve chars!"', '423 Out Of Bounds'],
    ['half a quotation', '"half', '424 Malformed Nickname'],
    ['with spaces around it', '" Bob "', '424 Malformed Nickname'],
    ['with signs that turn the direction', '"a\u202eb"', '424 Malformed Nickname'],
    ["somebody's name at the server", '"TOM"', '425 Nickname Reserved'],
    ["somebody's nickname in another width and case", '"ＣＨＥＦ"', '425 Nickname Reserved'],
    ['his own again', '"Bob"', '200 OK'],
  ])('%s: %s', async (_name, header, answer) => {
    const bob = await join('bob');
    const tom = await join('tom');
    await tom.nickname('"chef"');
    expect(await bob.nickname(header)).toBe(answer);
  });

  it('a request without the header is malformed (424), one from elsewhere finds no session (481)', async () => {
    const bob = await join('bob');
    const request = (id: string, to: string, from: string) =>
      requestText({
        id,
        method: 'NICKNAME',
        to,
        from,
        headers: id === 'nick1' ? {} : { 'Use-Nickname': '"x"' },
      });
    bob.msrp.send(request('nick1', bob.path, bob.msrp.path));
    expect((await bob.msrp.frame()).kind).toBe('424 Malformed Nickname');
    const guess = bob.path.replace(/\/[0-9a-f]{24};/, '/000000000000000000000000;');
    bob.msrp.send(request('nick2', guess, bob.msrp.path));
    expect((await bob.msrp.frame()).kind).toBe('481 No Such Session');
  });

  it('a flood of them is refused (403): as many as allowed pass, one more does not', async () => {
    const bob = await join('bob');
    const answers: string[] = [];
    for (let index = 0; index < 7; index++) answers.push(await bob.nickname(`"n${index}"`));
    expect(answers).toEqual([...Array.from({ length: 6 }, () => '200 OK'), '403 Forbidden']);
  });
});

describe('RFC 4579: the focus', () => {
  it('§5.4: the factory makes a room under an address that nobody guesses', async () => {
    const bob = world.own(
      await RoomPeer.join(await device('bob'), FACTORY, { headers: ['Subject: Project X'] }),
    );
    expect(bob.room).toMatch(/^sip:room-[0-9a-f]{24}@/);
    const [room] = (await world.server.rooms?.overview()) ?? [];
    expect(room).toMatchObject({ title: 'Project X', owner: 'bob', named: false, members: 1, devices: 1 });
  });

  it('§5.5: a REFER invites: the focus calls, with its name, and says on whose behalf', async () => {
    const bob = await join('bob');
    const tom = await device('tom');
    expect((await bob.refer(uriOf('tom'))).status).toBe(202);
    const invite = await tom.peer.request('INVITE');
    expect(invite.header('From')).toContain(`<${KITCHEN}>`);
    expect(invite.header('Contact')).toMatch(/;isfocus$/);
    expect(invite.header('Referred-By')).toBe(`<${uriOf('bob')}>`);
    expect(invite.body).toMatch(/^a=setup:actpass\r$/m);
    expect(invite.body).toMatch(/^a=chatroom:nickname private-messages\r$/m);
  });

  it('RFC 3892 §2.1: the focus says the name of whoever invites, as the room has it', async () => {
    const bob = await join('bob');
    await bob.nickname('"Chef"');
    const tom = await device('tom');
    await bob.refer(uriOf('tom'));
    const invite = await tom.peer.request('INVITE');
    expect(invite.header('Referred-By')).toBe(`"Chef" <${uriOf('bob')}>`);
  });

  it('without Refer-Sub: false one NOTIFY says that it is done (RFC 3515 §2.4.4)', async () => {
    const bob = await join('bob');
    await bob.ask('REFER', { headers: [`Refer-To: <${uriOf('tom')}>`] });
    const notify = await bob.device.peer.request('NOTIFY');
    expect(notify.header('Subscription-State')).toMatch(/^terminated/);
    expect(notify.body).toBe('SIP/2.0 200 OK\r\n');
    await bob.device.peer.answer(notify, 200);
  });

  it.each([
    ['nobody of this server', 404, `sip:ghost@${DOMAIN}`],
    // Rooms are for people of one server, whatever other domains it talks with.
    ['somebody elsewhere', 403, 'sip:tom@example.org'],
  ])('an invitation of %s: %i', async (_name, status, uri) => {
    const bob = await join('bob');
    expect((await bob.refer(uri)).status).toBe(status);
  });

  it('who is no member invites nobody, and only the owner removes', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    const eve = await device('eve');
    const asked = await eve.ask('REFER', {
      uri: KITCHEN,
      to: `<${KITCHEN}>`,
      headers: [`Refer-To: <${uriOf('eve')}>`, 'Refer-Sub: false'],
    });
    expect(asked.status).toBe(403);
    expect((await tom.refer(`${uriOf('bob')};method=BYE`)).status).toBe(403);
    expect((await bob.refer(`${uriOf('tom')};method=BYE`)).status).toBe(202);
    await tom.msrp.untilEnded();
  });
});

describe('RFC 4575: who is there', () => {
  const watch = (peer: RoomPeer) =>
    peer.ask('SUBSCRIBE', {
      headers: ['Event: conference', 'Accept: application/conference-info+xml', 'Expires: 600'],
    });

  /** The next NOTIFY, answered. */
  async function notified(peer: RoomPeer): Promise<string> {
    const notify = await peer.device.peer.request('NOTIFY');
    await peer.device.peer.answer(notify, 200);
    return `${notify.header('Subscription-State')}\n${notify.body}`;
  }

  it('begins with everything, then tells what changes, each with the next version', async () => {
    const bob = await join('bob');
    expect((await watch(bob)).status).toBe(200);
    const whole = await notified(bob);
    expect(whole).toMatch(/^active;expires=/);
    expect(whole).toContain(`entity="${KITCHEN}" state="full" version="0"`);
    expect(whole).toContain('<display-text>kitchen</display-text>');
    expect(whole).toContain('<user-count>1</user-count>');
    expect(whole).toContain(`<user entity="${uriOf('bob')}" state="full">`);
    expect(whole).toContain('<roles><entry>owner</entry></roles>');
    await join('tom');
    const change = await notified(bob);
    expect(change).toContain('state="partial" version="1"');
    expect(change).toContain(`<user entity="${uriOf('tom')}"`);
    expect(change).toContain('<status>connected</status>');
    expect(change).not.toContain(uriOf('bob'));
    await bob.refer(`${uriOf('tom')};method=BYE`);
    const gone = await notified(bob);
    expect(gone).toContain('version="2"');
    expect(gone).toContain(`<user entity="${uriOf('tom')}" state="deleted">`);
  });

  it('is told of nicknames, names and owners', async () => {
    const bob = await join('bob');
    await join('tom');
    await watch(bob);
    await notified(bob);
    await bob.nickname('"Chef"');
    expect(await notified(bob)).toContain('<x:nickname>Chef</x:nickname>');
    const wish = (inner: string) =>
      bob.ask('MESSAGE', {
        contentType: 'application/conference-info+xml',
        body: `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="${KITCHEN}" state="partial" version="0">${inner}</conference-info>`,
      });
    const rename = '<conference-description><display-text>Cantina</display-text></conference-description>';
    expect((await wish(rename)).status).toBe(200);
    expect(await notified(bob)).toContain('<display-text>Cantina</display-text>');
    const hand = `<users><user entity="${uriOf('tom')}"><roles><entry>owner</entry></roles></user></users>`;
    expect((await wish(hand)).status).toBe(200);
    expect(await notified(bob)).toContain('<entry>owner</entry>');
    // Bob owns it no more.
    expect((await wish(rename.replace('Cantina', 'Mine'))).status).toBe(403);
  });

  it('a name as long as allowed passes, one character more does not (400)', async () => {
    const bob = await join('bob');
    const wish = (name: string) =>
      bob.ask('MESSAGE', {
        contentType: 'application/conference-info+xml',
        body: `<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="${KITCHEN}"><conference-description><display-text>${name}</display-text></conference-description></conference-info>`,
      });
    expect((await wish('n'.repeat(20))).status).toBe(200);
    expect((await wish('n'.repeat(21))).status).toBe(400);
  });

  it('nobody but members, and members no longer than they are', async () => {
    const bob = await join('bob');
    const tom = await join('tom');
    const eve = await device('eve');
    const asked = await eve.ask('SUBSCRIBE', {
      uri: KITCHEN,
      to: `<${KITCHEN}>`,
      headers: ['Event: conference', 'Expires: 600'],
    });
    expect(asked.status).toBe(403);
    await watch(tom);
    await notified(tom);
    await bob.refer(`${uriOf('tom')};method=BYE`);
    expect(await notified(tom)).toMatch(/^terminated;reason=rejected/);
  });
});
