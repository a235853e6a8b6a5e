import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { takeInstanceLock, type InstanceLock } from '../../main/hosts/single-instance.ts';

let profile: string;
const held: InstanceLock[] = [];
beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'parley-lock-'));
});
afterEach(async () => {
  for (const lock of held.splice(0)) await lock[Symbol.asyncDispose]();
  await rm(profile, { recursive: true, force: true });
});

async function take(): Promise<InstanceLock | string> {
  const taken = await takeInstanceLock(profile);
  if (!('lock' in taken)) return taken.shown;
  held.push(taken.lock);
  return taken.lock;
}

const socketPath = () => join(profile, 'instance.sock');

/** Leaves a socket behind as a killed program does. */
async function leaveStale(): Promise<void> {
  const script = `require('net').createServer().listen(${JSON.stringify(socketPath())}, () => console.log('up'))`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

it('the first copy has the profile, the second asks it for its window', async () => {
  const first = await take();
  if (typeof first === 'string') throw new Error('not taken');
  first.onShow = () => Promise.resolve('http://here');
  expect(await take()).toBe('http://here');
  await held.pop()?.[Symbol.asyncDispose]();
  expect(await take()).toBeTypeOf('object');
});

it('a socket that a killed copy has left is taken over', async () => {
  await leaveStale();
  expect(await take()).toBeTypeOf('object');
});

it('of many that start at once beside such a socket exactly one has the profile', async () => {
  for (let round = 0; round < 5; round++) {
    await leaveStale();
    const taken = await Promise.all(
      Array.from({ length: 8 }, () => take().catch((error: unknown) => String(error))),
    );
    expect(taken.filter((one) => typeof one === 'object')).toHaveLength(1);
    for (const lock of held.splice(0)) await lock[Symbol.asyncDispose]();
  }
});

it('a copy that is there but does not answer keeps its profile', async () => {
  const first = await take();
  if (typeof first === 'string') throw new Error('not taken');
  first.onShow = () => new Promise(() => undefined);
  await expect(take()).rejects.toThrow(/is held by a program that does not answer\. End it first\.$/);
});

it('a copy that was killed has given its profile back', async () => {
  const module = fileURLToPath(new URL('../../main/hosts/single-instance.ts', import.meta.url));
  const script = `import { takeInstanceLock } from ${JSON.stringify(module)}; await takeInstanceLock(${JSON.stringify(profile)}); console.log('up'); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  expect(await take()).toBe('');
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(await take()).toBeTypeOf('object');
});

it.each([
  () => {
    throw new Error('no window');
  },
  () => Promise.reject(new Error('no window')),
])('a copy that cannot show itself is there all the same', async (onShow) => {
  const first = await take();
  if (typeof first === 'string') throw new Error('not taken');
  first.onShow = onShow;
  expect(await take()).toBe('');
});
