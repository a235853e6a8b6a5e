import { randomUUID } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SipEngine } from '../../../main/sip/engine/engine.ts';
import { ControlPeer } from '../../support/control-peer.ts';
import { Inbox } from '../../support/inbox.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { INVALID } from './invalid.ts';
import { RFC_5118 } from './ipv6.ts';
import { SEMANTIC } from './semantic.ts';
import type { Outcome } from './torture-case.ts';
import { VALID } from './valid.ts';

const RFC_4475 = [...VALID, ...INVALID, ...SEMANTIC];

const FOLDER = fileURLToPath(new URL('../../../../shared/data/rfc4475/', import.meta.url));
const folderMissing = existsSync(FOLDER)
  ? undefined
  : `the messages of RFC 4475 are not beside the checkout (shared/data/rfc4475): only messages of our own are tried`;
if (folderMissing !== undefined) console.log(`skipped: ${folderMissing}`);

const SECRET = 'torture';
const ROUTES = ['invite', 'register', 'options', 'message'];

/** One engine; what it sends is read off its wire, since the messages name addresses that are nobody's. */
class Bench implements AsyncDisposable {
  readonly #engine: SipEngine;
  readonly #clock = new ManualClock();
  #sent = new Inbox<string>((text) => text);
  #app: ControlPeer | undefined;
  #socket: Socket | undefined;
  #port = 0;

  constructor() {
    this.#engine = new SipEngine({
      secret: SECRET,
      clock: this.#clock,
      tap: ({ direction, bytes }) => {
        if (direction === 'out') this.#sent.put(Buffer.from(bytes).toString('utf8'));
      },
    });
  }

  async open(): Promise<void> {
    ({ port: this.#port } = await this.#engine.listenBoth('127.0.0.1', 0));
    const admin = await this.#engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    this.#app = await ControlPeer.open(admin, SECRET, ROUTES);
    this.#socket = createSocket('udp4');
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
  }

  /** Sends a datagram. What becomes of it, and the text that was handed up or sent back. */
  async receive(message: Buffer): Promise<{ outcome: Outcome; text: string }> {
    // Some of the messages share a branch: the transactions of the last one are over.
    this.#clock.advance(70_000);
    // Answers that were repeated meanwhile, since nobody acknowledges here.
    this.#sent = new Inbox<string>((text) => text);
    this.#write(message);
    const fence = randomUUID();
    this.#write(
      Buffer.from(
        `OPTIONS sip:fence@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK${fence}\r\n` +
          `From: <sip:f@example.com>;tag=f\r\nTo: <sip:f@example.com>\r\nCall-ID: ${fence}\r\nCSeq: 1 OPTIONS\r\n` +
          'Content-Length: 0\r\n\r\n',
      ),
    );
    const app = this.#app;
    if (app === undefined) throw new Error('not open');
    let handedUp = '';
    for (;;) {
      const frame = await app.frames.next(({ type }) => type === 'sip', 'a request or the fence');
      await app.respond(frame.transactionId, 486, 'Busy Here');
      if (frame.sip?.header('Call-ID') === fence) break;
      handedUp = frame.sip?.text ?? '';
    }
    const answers: string[] = [];
    for (;;) {
      const text = await this.#sent.next(() => true, 'what the engine sends');
      if (text.includes(fence)) break;
      answers.push(text);
    }
    const final = answers.find((text) => /^SIP\/2\.0 [2-6]/.test(text)) ?? '';
    if (handedUp !== '') return { outcome: 'up', text: handedUp };
    return final === ''
      ? { outcome: 'dropped', text: '' }
      : { outcome: Number(final.slice(8, 11)), text: final };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket?.close();
    this.#app?.[Symbol.dispose]();
    await this.#engine[Symbol.asyncDispose]();
  }

  #write(bytes: Buffer): void {
    this.#socket?.send(bytes, this.#port, '127.0.0.1');
  }
}

let bench: Bench;
beforeAll(async () => {
  bench = new Bench();
  await bench.open();
});
afterAll(() => bench[Symbol.asyncDispose]());

async function check(message: Buffer, outcome: Outcome, contains: readonly string[] = []): Promise<void> {
  const result = await bench.receive(message);
  expect(result.outcome, result.text).toBe(outcome);
  for (const part of contains) expect(result.text).toContain(part);
}

function nameOf(outcome: Outcome): string {
  return outcome === 'up' ? 'is handed up' : outcome === 'dropped' ? 'is dropped' : `gets ${outcome}`;
}

describe.each([
  ['RFC 4475', RFC_4475],
  ['RFC 5118', RFC_5118],
])('torture messages of our own for each case of %s', (_rfc, cases) => {
  it.each(cases.map((one) => [one.section, one.title, nameOf(one.outcome), one] as const))(
    '§%s %s: %s',
    async (_section, _title, _name, { message, outcome, contains }) => {
      await check(message, outcome, contains);
    },
  );
});

describe.skipIf(folderMissing !== undefined)('the torture messages of RFC 4475 themselves', () => {
  it.each(
    RFC_4475.map((one) => [one.section, one.file ?? '', nameOf(one.rfcOutcome ?? one.outcome), one] as const),
  )('§%s %s %s', async (_section, file, _name, { outcome, rfcOutcome, rfcContains }) => {
    await check(readFileSync(join(FOLDER, file)), rfcOutcome ?? outcome, rfcContains);
  });

  it('each of the 49 files has its case', () => {
    const index = readFileSync(join(FOLDER, 'INDEX.tsv'), 'utf8').split('\n');
    const files = index.filter((line) => /^\S+\.dat\t/.test(line)).map((line) => line.split('\t')[0]);
    expect(RFC_4475.map(({ file }) => file)).toEqual(files);
  });
});
