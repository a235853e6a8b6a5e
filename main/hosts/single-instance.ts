/**
 * Owns: that one profile has one program: a second copy asks the first to show its window, and ends.
 * Called by: browser/main.ts, headless/main.ts. Calls: a Unix socket or named pipe. (Electron has its own lock.)
 */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

const ASK_TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 4_096;

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
    const shown = await askFirst(path);
    if (shown !== undefined) return { shown };
    // Nobody answers there: a copy that was killed has left its socket behind.
    if (attempt > 1)
      throw new Error(`The lock ${path} is held by a program that does not answer. End it first.`);
    if (process.platform !== 'win32') await rm(path, { force: true });
  }
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
    void Promise.resolve(lock.onShow()).then((answer) => socket.end(answer));
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

function askFirst(path: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = connect(path);
  let answer = '';
  socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
  socket.on('data', (chunk) => {
    answer += chunk.toString('utf8');
    if (answer.length > MAX_ANSWER_BYTES) socket.destroy();
  });
  socket.on('end', () => {
    resolve(answer);
  });
  socket.on('error', () => {
    resolve(undefined);
  });
  socket.on('close', () => {
    resolve(undefined);
  });
  return promise;
}
