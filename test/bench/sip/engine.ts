/**
 * Owns: the engine of the bench in a process of its own; a line on its input asks for its memory.
 * Called by: load.ts with `--expose-gc`: SECRET. Calls: main/sip/engine.
 */
import { createInterface } from 'node:readline';
import { SipEngine } from '../../../main/sip/engine/engine.ts';

const engine = new SipEngine({ secret: process.argv[2] ?? '' });
const { port } = await engine.listenBoth('127.0.0.1', 0);
const admin = await engine.listenAdmin({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ port, admin: admin.port })}\n`);
for await (const _line of createInterface({ input: process.stdin })) {
  for (let round = 0; round < 4; round += 1) {
    globalThis.gc?.();
    await new Promise((done) => setImmediate(done));
  }
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const report = { bytes: heapUsed + arrayBuffers, rss, cpuS: (user + system) / 1e6, ...engine.load };
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
await engine[Symbol.asyncDispose]();
