/**
 * Owns: finding a port for a program that has to be told one. Called by: tests with sipp, Kamailio, baresip; the bench.
 * Calls: node:net, node:dgram.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port that was free for UDP and TCP a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await tryPort(0);
    if (port !== undefined) return port;
  }
}

/** One that stays free: Linux gives nobody a port below 32768 who has not asked for it. */
export async function keptPort(): Promise<number> {
  for (;;) {
    const port = await tryPort(randomInt(12_000, 32_000));
    if (port !== undefined) return port;
  }
}

/** 0: any. Undefined: somebody has it. */
async function tryPort(wanted: number): Promise<number | undefined> {
  const server = createServer();
  server.listen(wanted, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return undefined;
  }
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket = createSocket('udp4');
  const free = await new Promise<boolean>((done) => {
    socket.once('error', () => {
      done(false);
    });
    socket.bind(port, '127.0.0.1', () => {
      done(true);
    });
  });
  await new Promise<void>((done) => socket.close(() => done()));
  await new Promise<void>((done) => server.close(() => done()));
  return free ? port : undefined;
}
