/**
 * Owns: what node:net and node:tls do between the same two processes: the limits of the MSRP figures.
 * Called by: load.ts. Calls: the sinks of peer.ts.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { summarise, type Summary } from '../summary.ts';
import type { Stand } from './stand.ts';

const PIECE = 64 * 1024;
const ROUNDS = 3_000;
const SMALL_BYTES = 300;

async function pour(socket: Socket, bytes: number): Promise<number> {
  const piece = randomBytes(PIECE);
  const began = performance.now();
  for (let sent = 0; sent < bytes; sent += PIECE) {
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  socket.end();
  socket.resume();
  await once(socket, 'end');
  return bytes / 1e6 / ((performance.now() - began) / 1_000);
}

/** MB/s of a TCP connection that carries nothing but pieces of 64 KB. */
export async function pourRaw({ ports }: Stand, bytes: number): Promise<number> {
  const socket = connect({ port: ports.raw, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return pour(socket, bytes);
}

/** The same over TLS. */
export async function pourTls({ ports, certificate }: Stand, bytes: number): Promise<number> {
  const socket = connectTls({ port: ports.tls, host: '127.0.0.1', ca: [certificate.cert] });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  return pour(socket, bytes);
}

/** Round trips of 300 bytes between the two processes, in µs. */
export async function echoRaw({ ports }: Stand): Promise<Summary> {
  const socket = connect({ port: ports.echo, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const message = Buffer.alloc(SMALL_BYTES, 'x');
  const times: number[] = [];
  let waiting = Promise.withResolvers<undefined>();
  let got = 0;
  socket.on('data', (bytes: Buffer) => {
    got += bytes.length;
    if (got < SMALL_BYTES) return;
    got = 0;
    waiting.resolve(undefined);
  });
  for (let round = 0; round < ROUNDS; round++) {
    waiting = Promise.withResolvers();
    const began = performance.now();
    socket.write(message);
    await waiting.promise;
    times.push((performance.now() - began) * 1_000);
  }
  socket.destroy();
  return summarise(times.slice(ROUNDS / 10));
}
