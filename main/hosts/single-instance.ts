/**
 * Owns: that one profile has one program: a second copy asks the first to show its window, and ends.
 * Called by: browser/main.ts, headless/main.ts. Calls: a Unix socket or named pipe. (Electron has its own lock.)
 */
import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

const ASK_TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 4_096;
const MAX_ATTEMPTS = 5;

/** What a second copy hears: an answer, silence of one that is there, or nobody. */
type Answer = { readonly kind: 'shown'; readonly text: string } | { readonly kind: 'silent' | 'nobody' };

function lockPath(profile: string): string {
  const short = createHash('sha256').update(profile).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return `\\\\.\\pipe\\parley-${short}`;
  // The path of a Unix socket is limited to about 100 characters.
  const inside = join(profile, 'instance.sock');
  return inside.length <= 100
    ? inside
    : join(process.env['XDG_RUNTIME_DIR'] ?? '/tmp', `parley-${short}.sock`);
}

/** Held by the first copy on a profile. */
export interface InstanceLock extends AsyncDisposable {
  /** Called when a second copy asks for the window; what it returns is handed to that copy. */
  onShow: () => Promise<string> | string;
}

/**
 * Takes the lock of a profile. `{ shown }`: another copy has it, and this is what its `onShow` said.
 */
export async function takeInstanceLock(profile: string): Promise<{ lock: InstanceLock } | { shown: string }> {
  await mkdir(profile, { recursive: true, mode: 0o700 });
  const path = lockPath(profile);
  for (let attempt = 0; ; attempt++) {
    const lock = await listen(path);
    if (lock !== undefined) return { lock };
    const answer = await askFirst(path);
    if (answer.kind === 'shown') return { shown: answer.text };
    if (answer.kind === 'silent' || attempt >= MAX_ATTEMPTS)
      throw new Error(`The lock ${path} is held by a program that does not answer. End it first.`);
    if (process.platform !== 'win32') await clearStale(path);
  }
}

/**
 * A copy that was killed has left its socket behind. Only one that starts can take it away, and the socket of one that
 * has just started in its place is put back.
 */
async function clearStale(path: string): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await askFirst(aside)).kind !== 'nobody') await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function listen(path: string): Promise<InstanceLock | undefined> {
  const sockets = new Set<Socket>();
  const lock: InstanceLock = {
    onShow: () => '',
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    void (async () => {
      try {
        socket.end(await lock.onShow());
      } catch {
        // Nothing to show; that we are here is answer enough.
        socket.end();
      }
    })();
  });
  server.unref();
  const { promise, resolve, reject } = Promise.withResolvers<InstanceLock | undefined>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') resolve(undefined);
    else reject(error);
  });
  server.listen(path, () => {
    resolve(lock);
  });
  return promise;
}

function askFirst(path: string): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = connect(path);
  let answer = '';
  let there = false;
  socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
  socket.on('connect', () => {
    there = true;
  });
  socket.on('data', (chunk) => {
    answer += chunk.toString('utf8');
    if (answer.length > MAX_ANSWER_BYTES) socket.destroy();
  });
  socket.on('end', () => {
    resolve({ kind: 'shown', text: answer });
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    resolve({ kind: there ? 'silent' : 'nobody' });
  });
  return promise;
}
