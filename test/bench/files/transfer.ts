/**
 * Owns: a file of 4 GB from disk to disk over MSRP between two processes: throughput and memory on both sides.
 * Called by: bench/main.ts; by itself as the two processes. Calls: main/msrp.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { openSync } from 'node:fs';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestFile } from '../../../main/messenger/file-digest.ts';
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import { FileDigests, FileSink } from '../../../main/msrp/file-sink.ts';
import { FileSource } from '../../../main/msrp/file-source.ts';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import type { Figure } from '../summary.ts';

const SIZE = 4 * 1024 ** 3;
const SAMPLE_MS = 20;

/** What the two processes tell each other by way of the parent. */
type Said =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'bound' }
  | {
      readonly kind: 'done';
      readonly seconds: number;
      /** What of it went by before the first byte was sent: the hashes of an offer. */
      readonly hashingSeconds: number;
      readonly extraBytes: number;
    };

/** Sends a sparse file of 4 GB; hashes are made on both sides as in the program. */
export async function measureFiles(): Promise<Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
  const source = join(folder, 'source');
  await writeFile(source, '');
  await truncate(source, SIZE);
  const receiver = startSide('receive', join(folder, 'target'));
  const sender = startSide('send', source);
  try {
    const [ofReceiver, ofSender] = await Promise.all([hear(receiver, 'path'), hear(sender, 'path')]);
    receiver.send(ofSender);
    await hear(receiver, 'bound');
    sender.send(ofReceiver);
    const [received, sent] = await Promise.all([hear(receiver, 'done'), hear(sender, 'done')]);
    const figure = (name: string, unit: Figure['unit'], p50: number): Figure => ({ name, unit, p50 });
    return [
      figure('file of 4 GB, disk to disk, hashed on both sides', 'MB/s', SIZE / 1e6 / sent.seconds),
      figure('its hashes, before it is offered', 'MB/s', SIZE / 1e6 / sent.hashingSeconds),
      figure('the way from disk to disk alone', 'MB/s', SIZE / 1e6 / (sent.seconds - sent.hashingSeconds)),
      figure('memory that it takes of its sender', 'bytes', sent.extraBytes),
      figure('memory that it takes of its receiver', 'bytes', received.extraBytes),
    ];
  } finally {
    receiver.kill();
    sender.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

function startSide(role: 'send' | 'receive', path: string): ChildProcess {
  return fork(import.meta.filename, ['side', role, path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

function hear<Kind extends Said['kind']>(
  side: ChildProcess,
  kind: Kind,
): Promise<Extract<Said, { kind: Kind }>> {
  const { promise, resolve, reject } = Promise.withResolvers<Extract<Said, { kind: Kind }>>();
  const listen = (said: Said): void => {
    if (said.kind === kind) resolve(said as Extract<Said, { kind: Kind }>);
  };
  side.on('message', listen);
  side.once('exit', (code) => {
    reject(new Error(`a side of the bench ended with ${code}`));
  });
  return promise.finally(() => side.off('message', listen));
}

/** One of the two processes. */
async function runSide(role: 'send' | 'receive', file: string): Promise<void> {
  const say = (said: Said): void => {
    process.send?.(said);
  };
  const whole = Promise.withResolvers<void>();
  const target = role === 'receive' ? await open(file, 'w+') : undefined;
  const digests = new FileDigests();
  await using endpoint = new MsrpEndpoint();
  await endpoint.listen({ host: '127.0.0.1', port: 0 });
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['*'],
    delegate: {
      receiveMessage: () => Promise.resolve(),
      receiveReport: () => undefined,
      receiveVisit: () => undefined,
      receiveClose: () => {
        whole.resolve();
      },
      sinkFor: (_message, resume) =>
        new FileSink({
          file: target?.fd ?? 0,
          offset: 0,
          size: SIZE,
          maxBytes: SIZE,
          digests,
          resume,
          receiveProgress: () => undefined,
          receiveAbort: () => undefined,
          receiveWhole: () => {
            digests.finish();
            whole.resolve();
            return Promise.resolve();
          },
        }),
    },
  });
  const theirs = Promise.withResolvers<string>();
  process.once('message', (said: Said) => {
    if (said.kind === 'path') theirs.resolve(said.path);
  });
  say({ kind: 'path', path: session.localPath[0]?.text ?? '' });
  const path = parseMsrpPath(await theirs.promise, 16);
  if (role === 'receive') {
    const bound = session.awaitVisit(path);
    say({ kind: 'bound' });
    await bound;
  } else await session.visit(path);
  // What a program has loaded and warmed up is not what a file costs.
  const before = process.memoryUsage.rss();
  let most = before;
  const sampler = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, SAMPLE_MS);
  const began = performance.now();
  let hashingSeconds = 0;
  if (role === 'send') {
    (await digestFile(file, SIZE)).finish();
    hashingSeconds = (performance.now() - began) / 1_000;
    const body = new FileSource(openSync(file, 'r'), { offset: 0, size: SIZE });
    const { status } = await session.sendMessage({ messageId: 'benchfile', contentType: 'video/mp4', body });
    if (status !== 200) throw new Error(`the file was answered with ${status}`);
  } else await whole.promise;
  const seconds = (performance.now() - began) / 1_000;
  clearInterval(sampler);
  say({ kind: 'done', seconds, hashingSeconds, extraBytes: most - before });
  await target?.close();
  await new Promise((stop) => process.once('disconnect', stop));
}

if (process.argv[2] === 'side') {
  const [, , , role, file] = process.argv;
  await runSide(role === 'send' ? 'send' : 'receive', file ?? '');
}
