import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SIP_LIMITS } from '../../main/base/limits.ts';
import { SipEngine } from '../../main/sip/engine/engine.ts';
import { ControlPeer } from '../support/control-peer.ts';
import { SipPeer } from '../support/sip-peer.ts';

const FLOODER = fileURLToPath(new URL('../support/flooder.ts', import.meta.url));
const SECRET = 'flood';
const SECONDS = 4;
/** INVITEs that an address may begin in this time. */
const SHARE = (SIP_LIMITS.maxTokens + SECONDS * SIP_LIMITS.tokensPerS) / SIP_LIMITS.inviteCost;

interface Counts {
  readonly sent: number;
  readonly refused: number;
  readonly refusedWithoutRetryAfter: number;
}

/** Another process sends 10 000 INVITEs a second from an address of its own. */
async function flood(port: number, seconds: number): Promise<Counts> {
  const child = spawn(process.execPath, [FLOODER, String(port), '127.0.0.2', '10000', String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  await once(child, 'close');
  return JSON.parse(text) as Counts;
}

/** Of the system's buffer in front of our UDP socket: bytes that wait in it, and datagrams that found no room. */
async function readBuffer(port: number): Promise<{ waiting: number; lost: number }> {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile('/proc/net/udp', 'utf8')).split('\n').map((line) => line.trim().split(/\s+/));
  const fields = lines.find(([, address = '']) => address.endsWith(local));
  if (fields === undefined) throw new Error(`nobody listens on ${port}`);
  const [, waiting = ''] = (fields[4] ?? '').split(':');
  return { waiting: Number.parseInt(waiting, 16), lost: Number(fields.at(-1)) };
}

describe('a flood of 10 000 INVITEs a second from one address (RFC 3261 §21.5.4)', () => {
  it('others get through, what is kept stays bounded, and it is told to come back later', async () => {
    await using engine = new SipEngine({ secret: SECRET });
    const { port } = await engine.listenBoth('127.0.0.1', 0);
    const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
    using app = await ControlPeer.open(admin, SECRET, ['invite', 'options']);
    // The application is as slow as a person: it lets all of the flood ring.
    const put = app.frames.put.bind(app.frames);
    app.frames.put = (frame) => {
      const { type, sip, transactionId } = frame;
      if (type === 'sip' && sip?.method === 'OPTIONS')
        app.sendFrame(['sip', transactionId, ''], 'SIP/2.0 200 OK\r\n\r\n');
      else if (type !== 'sip') put(frame);
      app.log.length = 0;
    };
    const heapBefore = process.memoryUsage().heapUsed;
    let most = 0;
    const flooding = flood(port, SECONDS);
    let over = false;
    void flooding.then(() => {
      over = true;
    });
    let answered = 0;
    await using udp = await SipPeer.udp();
    while (!over) {
      const request = udp.build('OPTIONS');
      const callId = /Call-ID: (\S+)/.exec(request)?.[1] ?? '';
      const reply = udp.messages.next(
        (message) => message.header('Call-ID') === callId,
        'answer in the flood',
      );
      // As any client does over UDP (§17.1.2.2).
      const again = setInterval(() => void udp.send(request, port), 100);
      try {
        await udp.send(request, port);
        expect((await reply).status).toBe(200);
      } finally {
        clearInterval(again);
      }
      answered += 1;
      most = Math.max(most, engine.load.serverTransactions);
      // An ordinary client: it asks now and then.
      await new Promise((done) => setTimeout(done, 20));
    }
    const counts = await flooding;
    expect(counts.sent).toBeGreaterThan(20_000);
    await expect.poll(async () => (await readBuffer(port)).waiting).toBe(0);
    most = Math.max(most, engine.load.serverTransactions);
    // A machine that is too slow for the flood loses most of it before we see it, and what we see is within the share.
    const arrived = counts.sent - (await readBuffer(port)).lost;
    if (arrived > most) expect(counts.refused).toBeGreaterThan(0);
    else expect(most).toBeLessThanOrEqual(SHARE);
    expect(counts.refusedWithoutRetryAfter).toBe(0);
    expect(answered).toBeGreaterThan(3);
    expect(most).toBeLessThan(SIP_LIMITS.maxTransactions + answered + 10);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(300 * 1024 * 1024);
  });
});
