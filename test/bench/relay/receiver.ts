/**
 * Owns: the receiving end of the relay bench, behind the relay, and a raw sink beside it. Called by: load.ts as a
 * process. Calls: place.ts.
 */
import { createServer, type AddressInfo } from 'node:net';
import { parseMsrpPath } from '../../../main/msrp/uri.ts';
import { FILE_TYPE } from '../msrp/peer-protocol.ts';
import { openPlace, type BenchPlace } from './place.ts';
import type { ReceiverReply, ReceiverRequest } from './process-protocol.ts';

let place: BenchPlace | undefined;

async function createSession(remote: string): Promise<string> {
  if (place === undefined) throw new Error('not bound');
  const session = place.endpoint.createSession({
    advertisedHost: '127.0.0.1',
    acceptTypes: ['*'],
    relay: await place.client.bind(),
    delegate: {
      sinkFor: ({ contentType }) =>
        contentType === FILE_TYPE
          ? { write: () => true, end: () => Promise.resolve(), abort: () => undefined }
          : undefined,
      receiveMessage: () => Promise.resolve(),
      receiveReport: () => undefined,
      receiveVisit: () => undefined,
      receiveClose: () => undefined,
    },
  });
  session.acceptAnswer(parseMsrpPath(remote, 16), { connectToAnswerer: false }).catch(() => undefined);
  return session.localPath.map(({ text }) => text).join(' ');
}

async function answer(request: ReceiverRequest): Promise<ReceiverReply> {
  if (request.ask === 'sessions') return { paths: await Promise.all(request.paths.map(createSession)) };
  await place?.client[Symbol.asyncDispose]();
  await place?.endpoint[Symbol.asyncDispose]();
  place = await openPlace('receiver', request.relay, request.encrypted);
  await place.client.bind();
  return { bound: true };
}

const sink = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.on('data', () => undefined);
  socket.on('end', () => socket.end('done'));
});
await new Promise<void>((done) => sink.listen(0, '127.0.0.1', () => done()));
process.on('message', (request: ReceiverRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ raw: (sink.address() as AddressInfo).port } satisfies ReceiverReply);
