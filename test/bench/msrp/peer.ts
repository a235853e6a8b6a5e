/**
 * Owns: the other process of the MSRP bench: an endpoint that takes everything, and raw sinks beside it.
 * Called by: stand.ts as a process. Calls: main/msrp, node:net and node:tls for the limits.
 */
import { createServer as createRawServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { MsrpEndpoint } from '../../../main/msrp/endpoint.ts';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import type { MsrpBodySink } from '../../../main/msrp/streams.ts';
import { BENCH_LIMITS, FILE_TYPE, type PeerReply, type PeerRequest } from './peer-protocol.ts';

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

function createSession(remote: string, encrypted: boolean): string {
  const index = received.push(0) - 1;
  const session = endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['*'],
    ...(encrypted ? { encrypted, unprovenAllowed: true } : {}),
    delegate: {
      sinkFor: ({ contentType }) => (contentType === FILE_TYPE ? countingSink(index) : undefined),
      receiveMessage: ({ body }) => {
        received[index] = (received[index] ?? 0) + body.length;
        return Promise.resolve();
      },
      receiveReport: () => undefined,
      receiveVisit: () => undefined,
      receiveClose: () => undefined,
    },
  });
  const path = parseMsrpPath(remote, 16);
  void session.acceptAnswer(path, { connectToAnswerer: false }).catch(() => undefined);
  return session.localPath[0]?.text ?? '';
}

/** What is left when everything that can be freed is. */
function measureMemory(): { bytes: number; rss: number } {
  for (let round = 0; round < 4; round++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { bytes: heapUsed + external, rss };
}

function answer(request: PeerRequest): PeerReply {
  switch (request.ask) {
    case 'sessions':
      return { paths: request.paths.map((path) => createSession(path, request.encrypted)) };
    case 'memory':
      return measureMemory();
    case 'received':
      return { received: [...received] };
  }
}

process.on('message', (request: PeerRequest) => process.send?.(answer(request)));
process.on('disconnect', () => process.exit(0));
process.send?.({
  raw: await portOf(createRawServer({ allowHalfOpen: true }, sink)),
  echo: await portOf(createRawServer(echo)),
  tls: await portOf(createTlsServer({ key, cert, allowHalfOpen: true }, sink)),
} satisfies PeerReply);
