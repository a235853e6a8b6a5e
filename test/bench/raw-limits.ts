/**
 * Owns: what this machine can do without us, measured in the same run: the figures of the bench stand beside it.
 * Called by: main.ts. Calls: node:net, the file system.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { summarise, type Summary } from './summary.ts';

const ECHO = `const s = require('node:net').createServer((c) => { c.setNoDelay(true); c.pipe(c); });
s.listen(0, '127.0.0.1', () => console.log(s.address().port));`;
const ROUNDS = 2_000;
const SYNCS = 200;

/** Round trips of 300 bytes with an echo server in another process, in ms. */
export async function measureEcho(): Promise<Summary> {
  const child = spawn(process.execPath, ['-e', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve) => {
    child.stdout.once('data', (chunk: Buffer) => {
      resolve(Number(chunk.toString('utf8')));
    });
  });
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((done) => socket.once('connect', () => done()));
  const message = Buffer.alloc(300, 'x');
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    let got = 0;
    await new Promise<void>((done) => {
      const take = (chunk: Buffer) => {
        got += chunk.length;
        if (got < message.length) return;
        socket.off('data', take);
        done();
      };
      socket.on('data', take);
      socket.write(message);
    });
    times.push(performance.now() - began);
  }
  socket.destroy();
  child.kill();
  return summarise(times.slice(ROUNDS / 10));
}

/** Appends of 4 KB to a file, each forced to the disk, in ms. */
export async function measureSync(): Promise<Summary> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-bench-'));
  const file = await open(join(folder, 'sync'), 'w');
  const block = Buffer.alloc(4_096, 'x');
  const times: number[] = [];
  for (let round = 0; round < SYNCS; round++) {
    const began = performance.now();
    await file.write(block);
    await file.datasync();
    times.push(performance.now() - began);
  }
  await file.close();
  await rm(folder, { recursive: true, force: true });
  return summarise(times);
}
