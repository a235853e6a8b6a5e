/**
 * Fuzzes the IM Server behind the password: a user who has signed in sends damaged requests, in and out of sessions, and
 * answers damagedly; nothing of ours fails on it, and two other people go on meanwhile.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLog } from '../../main/base/log.ts';
import { ImServer } from '../../main/imserver/imserver.ts';
import { checkServerConfig } from '../../main/imserver/server-config.ts';
import { formatPidf } from '../../main/sip/pidf.ts';
import { DOMAIN, passwordOf } from '../support/im-world.ts';
import { answerChallenge, RawDevice } from '../support/raw-device.ts';
import { newPeerId, SipPeer, type PeerMessage } from '../support/sip-peer.ts';
import { freshMs, seedsOf } from './seeds.ts';

const KEPT_BATCHES = 2;
/** Under the window of digest's counter: those that come in another order are still taken. */
const BATCH = 30;
const FRESH_MS = freshMs(1_500);
/** What the server may hold on to when all is over, beside what was there before. */
const MAX_GROWTH_BYTES = 128 * 1024 * 1024;

/**
 * Sessions of which nothing could be said any more are found within seconds, not minutes; a session does not wait long
 * for a device that has not taken its older messages.
 */
const TIMERS = { auditMs: 500, ringMs: 1_000, holdMs: 500 };

const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n';
const CHAT = `${SDP}m=message 2855 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://127.0.0.1:2855/s1;tcp\r\n`;
const FILE = `${CHAT}a=sendonly\r\na=file-selector:name:"a" type:text/plain size:3 hash:sha-1:${'AA:'.repeat(19)}AA\r\na=file-transfer-id:f1\r\n`;
const CPIM = [
  `From: <sip:eve@${DOMAIN}>\r\nTo: <sip:ann@${DOMAIN}>\r\nDateTime: 2026-11-30T08:00:00Z`,
  'NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1',
  'imdn.Disposition-Notification: positive-delivery, negative-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nhello',
].join('\r\n');
const IMDN = `From: <sip:eve@${DOMAIN}>\r\nTo: <sip:ann@${DOMAIN}>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m2\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n<?xml version="1.0"?><imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>m1</message-id><datetime>2026-11-30T08:00:00Z</datetime><delivery-notification><status><delivered/></status></delivery-notification></imdn>`;
const RULES = `<?xml version="1.0"?><ruleset xmlns="urn:ietf:params:xml:ns:common-policy"><rule id="a"><conditions><identity><one id="sip:tom@${DOMAIN}"/></identity></conditions></rule></ruleset>`;
const PIDF = formatPidf(`sip:eve@${DOMAIN}`, { show: 'away', note: 'x' });

/** A request that the server would take as it is. */
interface Whole {
  readonly method: string;
  /** A user of the server's. */
  readonly to?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly contentType?: string;
  /** Within the session with Tom. */
  readonly inDialog?: boolean;
}

const WHOLE: readonly Whole[] = [
  { method: 'REGISTER', headers: ['Expires: 60', 'Supported: path, outbound', 'Path: <sip:127.0.0.1;lr>'] },
  { method: 'INVITE', to: 'tom', body: CHAT },
  { method: 'INVITE', to: 'nobody-there', body: CHAT },
  { method: 'INVITE', to: 'ann', body: FILE },
  { method: 'INVITE', to: 'eve', body: FILE },
  { method: 'INVITE', to: 'eve', body: CHAT },
  { method: 'INVITE', to: 'conference-factory', body: CHAT },
  { method: 'MESSAGE', to: 'ann', body: 'hello', contentType: 'text/plain' },
  { method: 'MESSAGE', to: 'ann', body: CPIM, contentType: 'message/cpim' },
  { method: 'MESSAGE', to: 'tom', body: IMDN, contentType: 'message/cpim' },
  {
    ...{ method: 'MESSAGE', to: 'eve', body: CPIM, contentType: 'message/cpim' },
    headers: [
      'Accept-Contact: *;+u.parley.copies;require;explicit',
      'Reject-Contact: *;+sip.instance="<urn:uuid:1>"',
    ],
  },
  ...['presence', 'presence.winfo', 'reg', 'contact-rules', 'conference'].map((event) => ({
    ...{ method: 'SUBSCRIBE', to: event === 'presence' ? 'tom' : 'eve' },
    headers: [`Event: ${event}`, 'Expires: 60'],
  })),
  {
    ...{ method: 'PUBLISH', body: PIDF, contentType: 'application/pidf+xml' },
    headers: ['Event: presence', 'Expires: 60'],
  },
  {
    ...{ method: 'PUBLISH', body: RULES, contentType: 'application/auth-policy+xml' },
    headers: ['Event: contact-rules'],
  },
  {
    ...{ method: 'NOTIFY', to: 'tom', body: PIDF, contentType: 'application/pidf+xml' },
    headers: ['Event: presence', 'Subscription-State: active;expires=60'],
  },
  { method: 'OPTIONS' },
  { method: 'BYE', to: 'tom' },
  { method: 'REFER', to: 'conference-factory', headers: [`Refer-To: <sip:tom@${DOMAIN}>`] },
  { method: 'BYE', inDialog: true },
  { method: 'INVITE', inDialog: true, body: CHAT },
  { method: 'INFO', inDialog: true, body: 'x', contentType: 'text/plain' },
  { method: 'MESSAGE', inDialog: true, body: CPIM, contentType: 'message/cpim' },
];

interface Edit {
  /** In thousandths of what is edited. */
  readonly at: number;
  readonly drop: number;
  readonly put: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.integer({ min: 0, max: 999 }),
  drop: fc.nat(8),
  put: fc.oneof(
    fc.constantFrom(...'"<>;,@*%/: \u0000='.split(''), ':0', ';tag=', '%00', '-1', '99999999999', '\r\n x'),
    fc.constantFrom(';expires=0', ';transport=udp', ';lr', 'sip:', 'tel:1', '<![CDATA[', '&#0;', '\ud800'),
    fc.string({ maxLength: 4 }),
  ),
});

/** What is done to one part of a request; `part` is its number, from all of them. */
const wound = fc.record({
  part: fc.nat(1_000),
  kind: fc.constantFrom('edit', 'edit', 'edit', 'leave out', 'twice', 'empty'),
  edits: fc.array(edit, { minLength: 1, maxLength: 3 }),
});
type Wound = typeof wound extends fc.Arbitrary<infer T> ? T : never;

const sample = fc.record({
  whole: fc.constantFrom(...WHOLE),
  wounds: fc.array(wound, { maxLength: 2 }),
  /** Bytes of the whole, whatever comes of its framing: these go in a datagram. */
  raw: fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.array(edit, { minLength: 1, maxLength: 3 }) },
  ),
});

function editText(text: string, edits: readonly Edit[]): string {
  return edits.reduce((now, { at, drop, put }) => {
    const start = Math.floor((at * now.length) / 1_000);
    return now.slice(0, start) + put + now.slice(start + drop);
  }, text);
}

/** Where nobody knows any more which lines a head has, the server ends the stream. */
const UNREADABLE = /\r\n(?! )|\r(?!\n)|(?<!\r)\n/g;

/** Damages header fields and the body each as what it is; the length is right again, so that the stream goes on. */
function damage(text: string, wounds: readonly Wound[]): string {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...fields] = text.slice(0, end).split('\r\n');
  const parts = [...fields.filter((line) => !line.startsWith('Content-Length')), text.slice(end + 4)];
  for (const { part, kind, edits } of wounds) {
    const index = part % parts.length;
    const old = parts[index] ?? '';
    const isBody = index === parts.length - 1;
    const name = old.slice(0, old.indexOf(':') + 1);
    if (kind === 'edit')
      parts[index] = isBody ? editText(old, edits) : name + editText(old.slice(name.length), edits);
    else if (kind === 'empty' || isBody) parts[index] = isBody ? '' : name;
    else parts.splice(index, 1, ...(kind === 'twice' ? [old, old] : []));
  }
  const body = parts.pop() ?? '';
  const head = parts.map((line) => line.replace(UNREADABLE, ''));
  return [start, ...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}

/** Answers at once whatever a device is asked; `damaged` may change the answer. */
function answerAll(device: RawDevice, damaged: (answer: string) => string = (answer) => answer): void {
  const { peer } = device;
  const put = peer.messages.put.bind(peer.messages);
  peer.messages.put = (message) => {
    if (message.status > 0 || message.startLine.startsWith('ACK ')) {
      put(message);
      return;
    }
    const body = message.startLine.startsWith('INVITE ') ? CHAT : '';
    void peer.send(damaged(peer.reply(message, 200, { toTag: newPeerId(), body })));
    // What the test waits for.
    if (message.startLine.startsWith('MESSAGE ')) put(message);
  };
}

/** A session that is open; `ask` sends something within it. */
async function call(from: RawDevice, to: string) {
  const uri = `sip:${to}@${DOMAIN}`;
  const answer = await from.ask('INVITE', { uri, to: `<${uri}>`, body: CHAT });
  if (answer.status !== 200) throw new Error(`${from.user} does not reach ${to}: ${answer.startLine}`);
  return sessionOf(from, answer);
}

async function sessionOf(from: RawDevice, answer: PeerMessage) {
  const number = Number.parseInt(answer.header('CSeq'), 10);
  const fields = {
    uri: /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? '',
    from: answer.header('From'),
    to: answer.header('To'),
    callId: answer.header('Call-ID'),
    contact: from.contact,
  };
  await from.peer.send(from.peer.build('ACK', { ...fields, cseq: number }), from.server);
  const bye = { ...fields, cseq: number + 1_000 };
  return {
    fields,
    end: () => from.transact('BYE', bye),
    hangUp: () => from.peer.send(from.peer.build('BYE', bye), from.server),
  };
}

/** Eve: she knows her password, and does with it what she wants. */
class Attacker implements AsyncDisposable {
  readonly device: RawDevice;
  readonly #udp: SipPeer;
  readonly #challenge: string;
  /** How many of each kind of answer came to damaged requests. */
  static readonly heard = new Map<string, number>();
  #count = 0;

  private constructor(device: RawDevice, udp: SipPeer, challenge: string) {
    this.device = device;
    this.#udp = udp;
    this.#challenge = challenge;
  }

  static async join(port: number, damaged: (answer: string) => string): Promise<Attacker> {
    const device = await RawDevice.overTcp('eve', port);
    answerAll(device, damaged);
    const uri = `sip:${DOMAIN}`;
    const from = `<sip:eve@${DOMAIN}>;tag=${newPeerId()}`;
    const refused = await device.transact('REGISTER', {
      ...{ uri, from, to: `<sip:eve@${DOMAIN}>`, callId: newPeerId(), cseq: 1 },
    });
    const challenge = refused.header('WWW-Authenticate');
    if (challenge === '') throw new Error(`no challenge: ${refused.startLine}`);
    // What is left of her earlier devices would be too many.
    await device.register({ contact: '*', expires: 0 });
    const registered = await device.register();
    if (registered.status !== 200) throw new Error(`Eve is not let in: ${registered.startLine}`);
    return new Attacker(device, await SipPeer.udp(), challenge);
  }

  /** One batch, within a session and beside it. Resolves when all of it has been read. */
  async attack(samples: readonly (typeof sample extends fc.Arbitrary<infer T> ? T : never)[]): Promise<void> {
    const { peer, server } = this.device;
    const session = await call(this.device, 'tom');
    for (const { whole, wounds, raw } of samples) {
      const through = raw === null ? peer : this.#udp;
      const text = this.#build(through, whole, session.fields);
      await through.send(raw === null ? damage(text, wounds) : editText(text, raw), server);
    }
    await this.#fence();
    await session.end();
    for (const answer of peer.log.splice(0)) await this.#close(answer);
    await this.#fence();
  }

  /** What was sent over the stream before has been read when this is answered. */
  async #fence(): Promise<void> {
    await this.device.ask('OPTIONS', { uri: `sip:${DOMAIN}`, to: `<sip:${DOMAIN}>` });
  }

  /** Takes part in what has come about of a damaged request, and counts it. */
  async #close(answer: PeerMessage): Promise<void> {
    const { device } = this;
    if (answer.status < 200) return;
    const kind = `${answer.status} ${answer.method}`;
    Attacker.heard.set(kind, (Attacker.heard.get(kind) ?? 0) + 1);
    if (answer.method !== 'INVITE') return;
    if (answer.status >= 300) await device.ack(answer, `sip:tom@${DOMAIN}`);
    else await (await sessionOf(device, answer)).hangUp();
  }

  #build(through: SipPeer, whole: Whole, dialog: object): string {
    const { method, to = 'eve', headers = [], body, contentType, inDialog = false } = whole;
    const uri = method === 'REGISTER' ? `sip:${DOMAIN}` : `sip:${to}@${DOMAIN}`;
    const who = { user: 'eve', password: passwordOf('eve'), method, uri, nc: ++this.#count };
    const authorization = `Authorization: ${answerChallenge(this.#challenge, who)}`;
    return through.build(method, {
      ...{ uri, from: `<sip:eve@${DOMAIN}>;tag=${newPeerId()}`, to: `<sip:${to}@${DOMAIN}>` },
      contact: this.device.contact,
      headers: [...headers, authorization],
      ...(inDialog ? { ...dialog, cseq: 10 + this.#count } : {}),
      ...(body === undefined ? {} : { body }),
      ...(contentType === undefined ? {} : { contentType }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#udp[Symbol.asyncDispose]();
    await this.device[Symbol.asyncDispose]();
  }
}

/** Bytes on the heap that somebody still holds. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

it(
  'nothing that a user sends makes the server fail, and it serves others as before',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-fuzz-'));
    const failed: string[] = [];
    const log = createLog({ level: 'error', sink: (line) => failed.push(line) });
    // Damaged passwords are wrong ones; nobody is to be shut out here.
    const limits = { maxWrongPasswords: 1e6, maxWrongPasswordsPerAddress: 1e6, byeMs: 500, ...TIMERS };
    const server = await ImServer.start({
      config: checkServerConfig({ domain: DOMAIN, port: 0, data: folder, rooms: { plain: true } }, 'fuzz'),
      ...{ log, limits },
    });
    try {
      for (const user of ['eve', 'tom', 'ann', 'bob']) await server.users.add(user, passwordOf(user));
      await using tom = await RawDevice.overTcp('tom', server.port);
      await using bob = await RawDevice.overTcp('bob', server.port);
      answerAll(tom);
      answerAll(bob);
      const before = heldBytes();
      let batch = 0;
      for (const { seed, kept } of seedsOf('imserver')) {
        const ends = performance.now() + FRESH_MS;
        for (let round = 0; kept ? round < KEPT_BATCHES : performance.now() < ends; round += 1) {
          const samples = fc.sample(sample, { numRuns: BATCH, seed: seed + round });
          const answers = fc.sample(fc.array(wound, { maxLength: 1 }), {
            numRuns: BATCH,
            seed: seed + round,
          });
          expect((await tom.register()).status).toBe(200);
          {
            await using eve = await Attacker.join(server.port, (text) => damage(text, answers.pop() ?? []));
            await eve.attack(samples);
          }
          const text = `still here ${++batch}`;
          expect((await bob.register()).status).toBe(200);
          const said = await bob.ask('MESSAGE', {
            ...{ uri: `sip:tom@${DOMAIN}`, to: `<sip:tom@${DOMAIN}>`, body: text, contentType: 'text/plain' },
          });
          expect(said.status).toBe(200);
          await tom.peer.messages.next((message) => message.status === 0 && message.body === text, text);
          expect((await (await call(bob, 'tom')).end()).status).toBe(200);
          expect(failed, `seed ${seed}, round ${round}`).toEqual([]);
          for (const { peer } of [tom, bob]) {
            peer.log.length = 0;
            // Only answers that nobody waits for are left.
            while (peer.messages.waiting.length > 0) await peer.messages.next(() => true, 'anything');
          }
        }
      }
      console.log(`imserver: ${batch} batches`);
      // Of each kind some were good enough to be taken.
      for (const kind of ['200 INVITE', '202 MESSAGE', '200 PUBLISH', '200 SUBSCRIBE'])
        expect(Attacker.heard.get(kind) ?? 0, kind).toBeGreaterThan(0);
      // What came about of the damaged ones is over as well, at the latest with a transaction that nobody answers (32 s).
      await expect.poll(() => server.sessionCount, { timeout: 45_000 }).toBe(0);
      expect(heldBytes() - before).toBeLessThan(MAX_GROWTH_BYTES);
    } finally {
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    }
  },
  120_000 + FRESH_MS * 2,
);
