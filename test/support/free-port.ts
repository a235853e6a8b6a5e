/**
 * Owns: finding a port for a program that has to be told one. Called by: tests with sipp, Kamailio, baresip; the bench.
 * Calls: node:net, node:dgram.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port that was free for UDP and TCP a moment ago. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
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
    if (free) return port;
  }
}
