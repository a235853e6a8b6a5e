/** Messages from disk to disk (RFC 4975 §5.1, §7.1.1, §7.3.1, §10.5): bounded, interruptible, at their place. */
import { randomBytes } from 'node:crypto';
import { openSync } from 'node:fs';
import { mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ProtocolError } from '../../main/base/protocol-error.ts';
import { fileAttributes, parseFile, type FileDescription } from '../../main/msrp/file-sdp.ts';
import { FileDigests, FileSink } from '../../main/msrp/file-sink.ts';
import { FileSource } from '../../main/msrp/file-source.ts';
import { buildMsrpOffer, parseMsrpDescription } from '../../main/msrp/sdp.ts';
import type { MsrpBodySink, MsrpMessageHead, MsrpSinkFor } from '../../main/msrp/streams.ts';
import { requestText, type RecordingDelegate } from '../support/msrp-peer.ts';
import { openPair, openWithPeer, path, text } from './fixture.ts';

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'parley-streams-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** Lets the session of this delegate put messages into sinks. */
function divert(delegate: RecordingDelegate, sinkFor: MsrpSinkFor): void {
  Object.assign(delegate, { sinkFor });
}

/** A sink that keeps what it gets, and can be full. */
class MemorySink implements MsrpBodySink {
  readonly pieces: { readonly offset: number; readonly bytes: Buffer }[] = [];
  readonly resume: () => void;
  readonly head: MsrpMessageHead;
  isFull = false;
  ended: number | undefined;
  aborted = false;
  refuseWith: ProtocolError | undefined;
  #changed = Promise.withResolvers<undefined>();

  constructor(head: MsrpMessageHead, resume: () => void) {
    this.head = head;
    this.resume = resume;
  }

  write(offset: number, bytes: Buffer): boolean {
    if (this.refuseWith !== undefined) throw this.refuseWith;
    this.pieces.push({ offset, bytes });
    this.#notify();
    return !this.isFull;
  }

  end(size: number): Promise<void> {
    this.ended = size;
    this.#notify();
    return Promise.resolve();
  }

  abort(): void {
    this.aborted = true;
    this.#notify();
  }

  get body(): Buffer {
    const body = Buffer.alloc(this.ended ?? 0);
    for (const { offset, bytes } of this.pieces) bytes.copy(body, offset);
    return body;
  }

  async until(condition: (sink: this) => boolean): Promise<void> {
    while (!condition(this)) await this.#changed.promise;
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve(undefined);
  }
}

/** Every message but plain text goes into a sink; `next` waits for the next one. */
function divertToMemory(delegate: RecordingDelegate) {
  const sinks: MemorySink[] = [];
  let waiting: ((sink: MemorySink) => void) | undefined;
  divert(delegate, (head, resume) => {
    if (head.contentType === 'text/plain') return undefined;
    const sink = new MemorySink(head, resume);
    sinks.push(sink);
    waiting?.(sink);
    return sink;
  });
  const next = (): Promise<MemorySink> => {
    const { promise, resolve } = Promise.withResolvers<MemorySink>();
    waiting = resolve;
    return promise;
  };
  return { sinks, next };
}

async function fileOf(bytes: Buffer): Promise<number> {
  const name = join(await folder(), 'source');
  await writeFile(name, bytes);
  return openSync(name, 'r');
}

describe('from a file', () => {
  it('into a file, in chunks of 64 KB with their total, the same to the byte', async () => {
    await using pair = await openPair();
    const bytes = randomBytes(5_000_001);
    const target = join(await folder(), 'target');
    await using file = await open(target, 'w+');
    const digests = new FileDigests();
    const heads: MsrpMessageHead[] = [];
    divert(pair.a.delegate, (head, resume) => {
      heads.push(head);
      return new FileSink({
        file: file.fd,
        offset: 0,
        size: bytes.length,
        maxBytes: bytes.length,
        digests,
        resume,
        receiveProgress: () => undefined,
        receiveWhole: () => Promise.resolve(),
        receiveAbort: () => undefined,
      });
    });
    const progress: number[] = [];
    const outcome = await pair.b.session.sendMessage({
      messageId: 'file1',
      contentType: 'video/mp4',
      body: new FileSource(await fileOf(bytes), { offset: 0, size: bytes.length }),
      receiveProgress: (done) => progress.push(done),
    });
    expect(outcome.status).toBe(200);
    expect((await readFile(target)).equals(bytes)).toBe(true);
    expect(heads).toEqual([
      {
        messageId: 'file1',
        contentType: 'video/mp4',
        byteRange: { start: 1, end: undefined, total: bytes.length },
      },
    ]);
    expect(digests.length).toBe(bytes.length);
    expect(progress.at(-1)).toBe(bytes.length);
    expect(pair.a.delegate.messages).toEqual([]);
  });

  it('a small message is not behind it (§5.1), and it can start anywhere', async () => {
    await using pair = await openPair();
    const bytes = randomBytes(40_000_000);
    const { sinks, next } = divertToMemory(pair.a.delegate);
    const begun = next();
    const source = new FileSource(await fileOf(bytes), { offset: 1_000_000, size: bytes.length });
    const sent = pair.b.session.sendMessage({ messageId: 'file1', contentType: 'a/b', body: source });
    await begun;
    await pair.b.session.sendMessage(text('hello'));
    expect(sinks[0]?.ended).toBeUndefined();
    expect((await sent).status).toBe(200);
    expect(sinks[0]?.body.equals(bytes.subarray(1_000_000))).toBe(true);
  });

  it('a full sink stops the connection, and the sender with it; what waits is bounded', async () => {
    await using pair = await openPair();
    const size = 60_000_000;
    const name = join(await folder(), 'holes');
    await writeFile(name, '');
    await truncate(name, size);
    let taken = 0;
    const source = new FileSource(openSync(name, 'r'), { offset: 0, size });
    const take = source.take.bind(source);
    source.take = (maxBytes) => {
      const bytes = take(maxBytes);
      taken += bytes?.length ?? 0;
      return bytes;
    };
    const whenFirst = Promise.withResolvers<MemorySink>();
    divert(pair.a.delegate, (head, resume) => {
      const sink = new MemorySink(head, resume);
      sink.isFull = true;
      whenFirst.resolve(sink);
      return sink;
    });
    const sent = pair.b.session.sendMessage({ messageId: 'file1', contentType: 'a/b', body: source });
    const sink = await whenFirst.promise;
    await sink.until(({ pieces }) => pieces.length > 0);
    // A message of another session arrives: this much time the file had to run on.
    const other = await openPair();
    await using _other = other;
    for (let round = 0; round < 200; round++) await other.b.session.sendMessage(text('meanwhile'));
    expect(taken).toBeLessThan(16_000_000);
    sink.isFull = false;
    sink.resume();
    expect((await sent).status).toBe(200);
    expect(sink.ended).toBe(size);
  });

  it('413 in the middle stops it at once (§10.5); the session lives', async () => {
    await using pair = await openPair();
    const begun = divertToMemory(pair.a.delegate).next();
    const bytes = randomBytes(30_000_000);
    const source = new FileSource(await fileOf(bytes), { offset: 0, size: bytes.length });
    const sent = pair.b.session.sendMessage({ messageId: 'file1', contentType: 'a/b', body: source });
    const sink = await begun;
    sink.refuseWith = new ProtocolError('FILE_DISK_FULL', 413, 'full');
    expect((await sent).status).toBe(413);
    expect(sink.aborted).toBe(true);
    expect(sink.pieces.reduce((sum, { bytes: piece }) => sum + piece.length, 0)).toBeLessThan(1_000_000);
    expect((await pair.b.session.sendMessage(text('still here'))).status).toBe(200);
  });

  it('given up by its sender it is aborted with # (§7.1.1); a file that becomes shorter as well', async () => {
    await using pair = await openPair();
    const { sinks, next } = divertToMemory(pair.a.delegate);
    const begun = next();
    const bytes = randomBytes(30_000_000);
    const stop = new AbortController();
    const source = new FileSource(await fileOf(bytes), { offset: 0, size: bytes.length });
    const sent = pair.b.session.sendMessage({
      messageId: 'file1',
      contentType: 'a/b',
      body: source,
      signal: stop.signal,
    });
    await begun;
    stop.abort();
    await expect(sent).rejects.toMatchObject({ code: 'MSRP_ABORTED' });
    await sinks[0]?.until(({ aborted }) => aborted);
    const shorter = new FileSource(await fileOf(bytes), { offset: 0, size: bytes.length + 10 });
    await expect(
      pair.b.session.sendMessage({ messageId: 'file2', contentType: 'a/b', body: shorter }),
    ).rejects.toMatchObject({ code: 'MSRP_SOURCE_FAILED' });
    await sinks[1]?.until(({ aborted }) => aborted);
    expect((await pair.b.session.sendMessage(text('still here'))).status).toBe(200);
  });

  it('a lost connection ends both sides', async () => {
    await using pair = await openPair();
    const begun = divertToMemory(pair.a.delegate).next();
    const bytes = randomBytes(30_000_000);
    const source = new FileSource(await fileOf(bytes), { offset: 0, size: bytes.length });
    const sent = pair.b.session.sendMessage({ messageId: 'file1', contentType: 'a/b', body: source });
    const sink = await begun;
    pair.b.session.destroy();
    await expect(sent).rejects.toMatchObject({ name: 'MsrpSessionError' });
    await sink.until(({ aborted }) => aborted);
  });
});

describe('from a stranger', () => {
  const chunk = (id: string, range: string, body: string, flag: string) => ({ id, range, body, flag });

  it.each([
    ['in any order (§7.3.1)', [chunk('c2', '6-10/10', 'world', '$'), chunk('c1', '1-5/10', 'hello', '+')]],
    ['with an unknown total', [chunk('c1', '1-*/*', 'hello', '+'), chunk('c2', '6-*/*', 'world', '$')]],
    ['in one chunk', [chunk('c1', '1-10/10', 'helloworld', '$')]],
    ['overlapping', [chunk('c1', '1-7/10', 'hellowo', '+'), chunk('c2', '6-10/10', 'world', '$')]],
  ])('%s', async (_name, chunks) => {
    await using link = await openWithPeer();
    const { sinks } = divertToMemory(link.side.delegate);
    for (const { id, range, body, flag } of chunks) {
      link.peer.send(
        requestText({
          id,
          to: link.side.uri,
          from: link.peer.path,
          headers: { 'Message-ID': 'file1', 'Byte-Range': range, 'Content-Type': 'a/b' },
          body,
          flag,
        }),
      );
      expect((await link.peer.frame()).kind).toMatch(/^200/);
    }
    expect(sinks).toHaveLength(1);
    expect(sinks[0]?.body.toString()).toBe('helloworld');
  });

  it('at the limit a scattered message passes, one gap more is refused with 413', async () => {
    await using link = await openWithPeer({ limits: { maxSpansPerMessage: 4 } });
    divertToMemory(link.side.delegate);
    const statuses: string[] = [];
    for (let nth = 0; nth < 7; nth++) {
      link.peer.send(
        requestText({
          id: `gap${nth}`,
          to: link.side.uri,
          from: link.peer.path,
          headers: {
            'Message-ID': 'file1',
            'Byte-Range': `${nth * 2 + 1}-${nth * 2 + 1}/100`,
            'Content-Type': 'a/b',
          },
          body: 'x',
          flag: '+',
        }),
      );
      statuses.push((await link.peer.frame()).kind.slice(0, 3));
    }
    expect(statuses).toEqual(['200', '200', '200', '200', '200', '413', '413']);
  });

  it('a chunk flood that brings nothing is refused with 413, a long file is not', async () => {
    await using link = await openWithPeer({ limits: { maxChunksPerMessage: 3, minStreamedChunkBytes: 4 } });
    divertToMemory(link.side.delegate);
    const send = async (messageId: string, nth: number, body: string): Promise<string> => {
      link.peer.send(
        requestText({
          id: `${messageId}${nth}`,
          to: link.side.uri,
          from: link.peer.path,
          headers: {
            'Message-ID': messageId,
            'Byte-Range': `${nth * body.length + 1}-*/1000`,
            'Content-Type': 'a/b',
          },
          body,
          flag: '+',
        }),
      );
      return (await link.peer.frame()).kind.slice(0, 3);
    };
    const statuses = { wide: [] as string[], empty: [] as string[] };
    for (let nth = 0; nth < 8; nth++) statuses.wide.push(await send('wide', nth, 'four'));
    for (let nth = 0; nth < 4; nth++) statuses.empty.push(await send('empty', nth, ''));
    expect(statuses.wide).toEqual(Array(8).fill('200'));
    expect(statuses.empty).toEqual(['200', '200', '200', '413']);
  });
});

describe('what SDP says about a file (RFC 5547 §6)', () => {
  const file: FileDescription = {
    direction: 'sendonly',
    name: 'My "cool" 100% 你好.jpg',
    type: 'image/jpeg',
    size: 4_092,
    sha1: '72245fe8653ddaf371362f86d471913ee4a2ce2e',
    sha256: 'ab'.repeat(32),
    transferId: 'vBnG916bdberum2fFEABR1FR3ExZMUrd',
    disposition: 'render',
    modifiedMs: Date.UTC(2006, 4, 15, 13, 1, 31),
    start: 1_000,
    iconId: 'id2@alicepc.example.com',
  };
  const offer = (attributes: readonly { name: string; value: string | undefined }[]) =>
    buildMsrpOffer({
      path: path('msrp://127.0.0.1:7394/s1;tcp'),
      acceptTypes: ['*'],
      setup: 'actpass',
      attributes,
    });

  it('is read as it was written', () => {
    const sdp = offer(fileAttributes(file));
    expect(sdp).toContain(
      'a=file-selector:name:"My %22cool%22 100%25 你好.jpg" type:image/jpeg size:4092 hash:sha-1:72:24:5F:E8',
    );
    expect(sdp).toContain('a=file-range:1001-4092\r\n');
    expect(sdp).toContain('a=file-date:modification:"Mon, 15 May 2006 13:01:31 +0000"\r\n');
    const description = parseMsrpDescription(sdp);
    expect(description && parseFile(description)).toEqual(file);
  });

  it('is read as other makes write it: selectors in any order, no id, no hash, no size', () => {
    const read = (...attributes: [string, string?][]) => {
      const description = parseMsrpDescription(offer(attributes.map(([name, value]) => ({ name, value }))));
      return description && parseFile(description);
    };
    expect(read(['recvonly'], ['file-selector', 'hash:SHA-1:72:24:5f:e8'])).toMatchObject({
      direction: 'recvonly',
      sha1: undefined,
      size: undefined,
    });
    expect(
      read(['file-selector', 'size:10 name:"a b.txt" hash:md5:AA type:text/plain'], ['file-range', '1-*']),
    ).toMatchObject({ name: 'a b.txt', size: 10, type: 'text/plain', start: 0, transferId: undefined });
    expect(read(['file-selector'])).toMatchObject({ name: undefined, start: 0 });
    expect(read(['sendonly'])).toBeUndefined();
  });
});
