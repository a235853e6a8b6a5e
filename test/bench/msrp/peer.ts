/**
 * Owns: the other process of the MSRP bench: an endpoint that takes everything, and raw sinks beside it.
 * Called by: stand.ts as a process. Calls: main/msrp, node:net and node:tls for the limits.
 */
import { createServer as createRawServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import type { MsrpBodySink } from '../../../main/msrp/streams.ts';
import {
  BENCH_LIMITS,
  FILE_TYPE,
  type PeerReply,
  type PeerRequest,
  type SessionKind,
} from './peer-protocol.ts';

const received: number[] = [];

/** Counts until the other side ends, then says so; or sends everything back. */
function sink(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.on('end', () => socket.end('done'));
}

function echo(socket: Socket): void {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.pipe(socket);
}

async function portOf(server: ReturnType<typeof createRawServer>): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

const [key = '', cert = ''] = process.argv.slice(2);
const endpoint = new MsrpEndpoint({ limits: BENCH_LIMITS });
await endpoint.identity();
await endpoint.listen({ host: '127.0.0.1', port: 0 });

/** Takes a file and keeps nothing of it. */
function countingSink(index: number): MsrpBodySink {
  return {
    write: (_offset, bytes) => {
      received[index] = (received[index] ?? 0) + bytes.length;
      return true;
    },
    end: () => Promise.resolve(),
    abort: () => undefined,
  };
}

async function openSession(remote: string, { encrypted, files }: SessionKind): Promise<string> {
  const index = received.push(0) - 1;
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['*'],
    ...(encrypted ? { encrypted, unprovenAllowed: true } : {}),
    delegate: {
      ...(files
        ? { sinkFor: ({ contentType }) => (contentType === FILE_TYPE ? countingSink(index) : undefined) }
        : {}),
      receiveMessage: ({ body }) => {
        received[index] = (received[index] ?? 0) + body.length;
        return Promise.resolve();
      },
      receiveReport: () => undefined,
      receiveVisit: () => undefined,
      receiveClose: () => undefined,
    },
  });
  const { status } = await session.visit(parseMsrpPath(remote, 16));
  if (status !== 200) throw new Error(`a visit was answered with ${status}`);
  return session.localPath[0]?.text ?? '';
}

async function inTurn<T>(paths: readonly string[], open: (path: string) => Promise<T>): Promise<T[]> {
  const opened: T[] = [];
  for (const path of paths) opened.push(await open(path));
  return opened;
}

/** What is left when everything that can be freed is. */
function measureMemory(): { bytes: number; rss: number } {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, rss };
}

async function answer(request: PeerRequest): Promise<PeerReply> {
  switch (request.ask) {
    case 'sessions':
      return { paths: await inTurn(request.paths, (path) => openSession(path, request)) };
    case 'memory':
      return measureMemory();
    case 'received':
      return { received: [...received] };
  }
}

process.on('message', (request: PeerRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));
process.send?.({
  raw: await portOf(createRawServer({ allowHalfOpen: true }, sink)),
  echo: await portOf(createRawServer(echo)),
  tls: await portOf(createTlsServer({ key, cert, allowHalfOpen: true }, sink)),
} satisfies PeerReply);
