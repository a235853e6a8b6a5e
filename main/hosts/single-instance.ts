/**
 * Owns: that one profile has one program: a second copy asks the first to show its window, and ends.
 * Called by: browser/main.ts, headless/main.ts. Calls: store/database.ts for the lock, a Unix socket or named pipe to ask.
 * (Electron has its own lock.)
 */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { takeFileLock } from '../store/database.ts';

const ASK_TIMEOUT_MS = 3_000;
const MAX_ANSWER_BYTES = 16_384;
const MAX_QUESTION_CHARS = 256 * 1024;
const MAX_ATTEMPTS = 50;
const ASK_AGAIN_MS = 100;

/** What a second copy hears: an answer, silence of one that is there, or nobody. */
type Answer = { readonly kind: 'shown'; readonly text: string } | { readonly kind: 'silent' | 'nobody' };

function socketPath(profile: string): string {
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
  /**
   * Called when a second copy asks for the window, or for windows that read these files; what it returns is handed to
   * that copy.
   */
  onShow: (files: readonly string[]) => Promise<string> | string;
}

/**
 * Takes the lock of a profile. `{ shown }`: another copy has it, and this is what its `onShow` said. Rejects when that
 * copy says nothing.
 */
export async function takeInstanceLock(profile: string): Promise<{ lock: InstanceLock } | { shown: string }> {
  await mkdir(profile, { recursive: true, mode: 0o700 });
  const path = socketPath(profile);
  for (let attempt = 1; ; attempt++) {
    const file = await takeFileLock(join(profile, 'instance.lock'));
    if (file !== undefined) return { lock: await listen(path, file) };
    const answer = await askFirst(path, []);
    if (answer.kind === 'shown') return { shown: answer.text };
    if (answer.kind === 'silent' || attempt >= MAX_ATTEMPTS) {
      throw new Error(`The profile ${profile} is held by a program that does not answer. End it first.`);
    }
    // It is just starting, or just ending.
    await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
  }
}

/** Has the copy that runs on a profile, when there is one, read these files. Resolves with what its `onShow` said. */
export async function askRunning(profile: string, files: readonly string[]): Promise<string | undefined> {
  const answer = await askFirst(socketPath(profile), files);
  return answer.kind === 'shown' ? answer.text : undefined;
}

/** The file is ours, so a socket that lies there was left behind by a copy that was killed. */
async function listen(path: string, file: Disposable): Promise<InstanceLock> {
  const sockets = new Set<Socket>();
  const lock: InstanceLock = {
    onShow: () => '',
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => server.close(() => done()));
      file[Symbol.dispose]();
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    receiveQuestion(socket, async (files) => {
      try {
        socket.end(await lock.onShow(files));
      } catch {
        // Nothing to show; that we are here is answer enough.
        socket.end();
      }
    });
  });
  server.unref();
  try {
    if (process.platform !== 'win32') await rm(path, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    return lock;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}

/** One line: the files that are to be read, as JSON. Anything else asks for the window. */
function receiveQuestion(socket: Socket, answer: (files: string[]) => Promise<void>): void {
  let text = '';
  const receive = (chunk: Buffer): void => {
    text += chunk.toString('utf8');
    if (text.length > MAX_QUESTION_CHARS) socket.destroy();
    if (!text.includes('\n')) return;
    socket.off('data', receive);
    void answer(parseFiles(text));
  };
  socket.on('data', receive);
}

function parseFiles(text: string): string[] {
  try {
    const files: unknown = JSON.parse(text);
    return Array.isArray(files) ? files.filter((file) => typeof file === 'string') : [];
  } catch {
    return [];
  }
}

function askFirst(path: string, files: readonly string[]): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = connect(path);
  let answer = '';
  let there = false;
  socket.setTimeout(ASK_TIMEOUT_MS, () => socket.destroy());
  socket.on('connect', () => {
    there = true;
    socket.write(`${JSON.stringify(files)}\n`);
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
