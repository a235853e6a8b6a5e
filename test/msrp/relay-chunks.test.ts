/** The size of chunks on a way through relays (RFC 4976), against scripted relays that take what they like. */
import { randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileSource } from '../../main/msrp/file-source.ts';
import { MsrpPeerListener, RecordingDelegate, requestText, type MsrpPeer } from '../support/msrp-peer.ts';
import { openSide, path, text } from './fixture.ts';
import { letIn, openBehind, openClient, relayUri, REMOTE, reply, visitThrough } from './relay-fixture.ts';

/** Larger chunks are tried for small messages as well. */
const TRY = { relayTrialBytes: 1 };

/** We have no relay; the path of the peer begins with one. */
async function openPlain() {
  const relay = await MsrpPeerListener.listen();
  const side = await openSide();
  const visited = side.session.visit(
    path(`${relayUri(relay).replace(';tcp', '/at;tcp')} msrp://bob.example:7/b;tcp`),
  );
  const peer = await relay.accept();
  reply(peer, await peer.frame(), '200 OK');
  await visited;
  return {
    session: side.session,
    peer,
    async [Symbol.asyncDispose]() {
      await side[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}

/** Plays a relay until all of `size` bytes have been taken: frames above `limit` get `refusal`. */
async function relayFrames(peer: MsrpPeer, size: number, limit = Infinity, refusal = '501 Too large') {
  const taken = Buffer.alloc(size);
  const [sizes, refused, ids]: [number[], number[], Set<string>] = [[], [], new Set()];
  for (let end = 0; end < size;) {
    const frame = await peer.frame();
    const body = frame.body ?? Buffer.alloc(0);
    ids.add(frame.headers.get('Message-ID') ?? '');
    if (frame.raw.length >= limit) {
      refused.push(body.length);
      reply(peer, frame, refusal);
      continue;
    }
    const start = Number(/^(\d+)-/.exec(frame.headers.get('Byte-Range') ?? '')?.[1]) - 1;
    // In order, and nothing twice: some peers put together what comes as it comes.
    expect(start).toBe(end);
    expect(frame.headers.get('Byte-Range')).toMatch(new RegExp(`/${size}$`));
    body.copy(taken, start);
    end += body.length;
    expect(frame.flag).toBe(end === size ? '$' : '+');
    sizes.push(body.length);
    reply(peer, frame, '200 OK');
  }
  return { taken, sizes, refused, ids };
}

it('chunks of more than 8 KB are tried one at a time, and grow while they are answered with 200', async () => {
  await using behind = await openBehind(TRY);
  const { session, peer, createSession } = behind;
  await visitThrough(behind);
  const body = randomBytes(400_000);
  const sent = session.sendMessage(text(body));
  const { taken, sizes } = await relayFrames(peer, body.length);
  expect(await sent).toEqual({ status: 200 });
  expect(taken.equals(body)).toBe(true);
  expect(sizes.slice(0, 4)).toEqual([16_384, 32_768, 65_536, 65_536]);
  // What was learnt holds for all sessions through this relay.
  const another = createSession();
  await visitThrough({ session: another.session, peer });
  const second = another.session.sendMessage(text(body.subarray(0, 65_536)));
  expect((await relayFrames(peer, 65_536)).sizes).toEqual([65_536]);
  await second;
});

it.each(['501 Not Implemented', '413 Too large', '400 Bad request'])(
  'a larger chunk gets %s: the same bytes in 8 KB, with the same Message-ID, and no other attempt',
  async (refusal) => {
    await using behind = await openBehind(TRY);
    const { session, peer, createSession } = behind;
    await visitThrough(behind);
    for (const size of [100_000, 10_000, 16_384]) {
      const body = randomBytes(size);
      const sent = session.sendMessage(text(body));
      const { taken, sizes, refused, ids } = await relayFrames(peer, size, 12_000, refusal);
      expect(await sent).toEqual({ status: 200 });
      expect(taken.equals(body)).toBe(true);
      expect(ids.size).toBe(1);
      expect(Math.max(...sizes)).toBe(8_192);
      expect(refused).toEqual(size === 100_000 ? [16_384] : []);
    }
    const another = createSession();
    await visitThrough({ session: another.session, peer });
    const second = another.session.sendMessage(text(Buffer.alloc(50_000, 'x')));
    expect((await relayFrames(peer, 50_000, 12_000)).refused).toEqual([]);
    await second;
  },
);

it('a refused chunk that is the whole message, or its end, is sent again as well', async () => {
  await using behind = await openBehind(TRY);
  await visitThrough(behind);
  const body = randomBytes(15_000);
  const sent = behind.session.sendMessage(text(body));
  const { taken, sizes, refused } = await relayFrames(behind.peer, body.length, 12_000);
  expect(await sent).toEqual({ status: 200 });
  expect([refused, sizes]).toEqual([[15_000], [8_192, 6_808]]);
  expect(taken.equals(body)).toBe(true);
});

it('a file goes on behind a refused chunk without reading anything twice', async () => {
  await using behind = await openBehind(TRY);
  await visitThrough(behind);
  const folder = await mkdtemp(join(tmpdir(), 'relay-chunks-'));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  const body = randomBytes(1_300_000);
  await writeFile(join(folder, 'file'), body);
  const progress: number[] = [];
  const sent = behind.session.sendMessage({
    messageId: 'file-1',
    contentType: 'application/octet-stream',
    body: new FileSource(openSync(join(folder, 'file'), 'r'), { offset: 0, size: body.length }),
    receiveProgress: (bytes) => progress.push(bytes),
  });
  const { taken, refused } = await relayFrames(behind.peer, body.length, 12_000);
  expect(await sent).toEqual({ status: 200 });
  expect(refused).toEqual([16_384]);
  expect(taken.equals(body)).toBe(true);
  expect(progress.at(-1)).toBe(body.length);
  expect(progress.toSorted((a, b) => a - b)).toEqual(progress);
});

it('what a relay says of chunks that it is known to take is meant for the message', async () => {
  await using behind = await openBehind(TRY);
  const { session, peer } = behind;
  await visitThrough(behind);
  const sent = session.sendMessage(text(Buffer.alloc(8_000, 'x')));
  reply(peer, await peer.frame(), '413 Stop');
  expect(await sent).toEqual({ status: 413 });
  // And of one that is refused in small chunks as well.
  const large = session.sendMessage(text(Buffer.alloc(40_000, 'x')));
  reply(peer, await peer.frame(), '413 Stop');
  reply(peer, await peer.frame(), '413 Stop');
  expect(await large).toEqual({ status: 413 });
});

it('a relay that hangs up on a larger chunk is not asked for another one', async () => {
  const relay = await MsrpPeerListener.listen();
  await using side = await openClient([relayUri(relay)], { networkLimits: TRY });
  await using cleanup = new AsyncDisposableStack();
  cleanup.use(relay);
  const start = async () => {
    const bound = side.client.bind();
    const peer = await relay.accept();
    await letIn(peer);
    const session = side.endpoint.createSession({
      advertisedHost: '127.0.0.1',
      acceptTypes: ['*'],
      delegate: new RecordingDelegate(),
      encrypted: true,
      relay: await bound,
    });
    await visitThrough({ session, peer });
    return { session, peer };
  };
  const first = await start();
  const sent = first.session.sendMessage(text(Buffer.alloc(50_000, 'x'))).catch((error: unknown) => error);
  expect((await first.peer.frame()).body?.length).toBe(16_384);
  first.peer.socket.destroy();
  expect(await sent).toBeInstanceOf(Error);
  const second = await start();
  const again = second.session.sendMessage(text(Buffer.alloc(50_000, 'x')));
  expect((await relayFrames(second.peer, 50_000)).sizes.slice(0, 2)).toEqual([8_192, 8_192]);
  expect(await again).toEqual({ status: 200 });
});

it('for less than a megabyte no larger chunk is tried; what a larger message has learnt is used', async () => {
  await using behind = await openBehind();
  await visitThrough(behind);
  const small = behind.session.sendMessage(text(Buffer.alloc(60_000, 'x')));
  expect(new Set((await relayFrames(behind.peer, 60_000)).sizes)).toEqual(new Set([8_192, 2_656]));
  await small;
  const large = behind.session.sendMessage(text(randomBytes(1024 * 1024)));
  expect((await relayFrames(behind.peer, 1024 * 1024)).sizes.slice(0, 3)).toEqual([16_384, 32_768, 65_536]);
  await large;
  const after = behind.session.sendMessage(text(Buffer.alloc(60_000, 'x')));
  expect((await relayFrames(behind.peer, 60_000)).sizes).toEqual([60_000]);
  await after;
});

it('a relay behind ours that refuses larger chunks says so in a REPORT: later messages go in 8 KB (RFC 4975 §7.1.2)', async () => {
  await using behind = await openBehind(TRY);
  const { session, peer } = behind;
  await visitThrough(behind);
  const first = session.sendMessage(text(Buffer.alloc(100_000, 'x')));
  expect((await relayFrames(peer, 100_000)).sizes[1]).toBe(32_768);
  await first;
  const headers = { 'Message-ID': 'first', 'Byte-Range': '1-100000/100000', Status: '000 501 Too large' };
  peer.send(requestText({ id: 'report-1', method: 'REPORT', to: session.uri.text, from: REMOTE, headers }));
  await behind.delegate.until(({ reports }) => reports.length > 0);
  const second = session.sendMessage(text(Buffer.alloc(50_000, 'x')));
  expect(Math.max(...(await relayFrames(peer, 50_000)).sizes)).toBe(8_192);
  await second;
});

it('a peer behind a relay of its own is sent small chunks as well, by whoever has none', async () => {
  await using side = await openPlain();
  const large = side.session.sendMessage(text(Buffer.alloc(60_000, 'x')));
  expect(Math.max(...(await relayFrames(side.peer, 60_000)).sizes)).toBe(8_192);
  expect(await large).toEqual({ status: 200 });
});
