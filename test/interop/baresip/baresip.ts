/**
 * Owns: a baresip of Debian's: signs in somewhere, sends a text to its contact, and tells what was sent to it.
 * Called by: test/interop/baresip/*.test.ts. Calls: /usr/bin/baresip.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';

const PROGRAM = '/usr/bin/baresip';

/** Why baresip cannot be run here, or `undefined`. */
export const baresipMissing: string | undefined = existsSync(PROGRAM)
  ? undefined
  : `${PROGRAM} is not installed (Debian package baresip-core): messages with baresip are not tested`;

/** A running baresip with one account and one contact. */
export class Baresip implements AsyncDisposable {
  readonly #stop: () => Promise<void>;
  readonly #control: Socket;
  #output = '';
  #listeners = new Set<() => void>();

  private constructor(control: Socket, stop: () => Promise<void>) {
    this.#control = control;
    this.#stop = stop;
  }

  /** `account` in its own words: `<sip:eve@example.org>;auth_pass=…;outbound="sip:127.0.0.1:5060"`. */
  static async start(options: { account: string; contact: string }): Promise<Baresip> {
    const folder = await mkdtemp(join(tmpdir(), 'baresip-'));
    const port = await freePort();
    await writeFile(
      join(folder, 'config'),
      [
        'poll_method epoll',
        'sip_listen 127.0.0.1:0',
        'module_path /usr/lib/baresip/modules',
        'module ctrl_tcp.so',
        'module_app account.so',
        'module_app contact.so',
        'module_app menu.so',
        `ctrl_tcp_listen 127.0.0.1:${port}`,
        '',
      ].join('\n'),
    );
    await writeFile(join(folder, 'accounts'), `${options.account}\n`);
    await writeFile(join(folder, 'contacts'), `"Contact" ${options.contact}\n`);
    const child = spawn(PROGRAM, ['-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(child, 'exit');
    let early = '';
    const collect = (chunk: Buffer): void => {
      early += chunk.toString('utf8');
      if (baresip !== undefined) baresip.#receive(chunk.toString('utf8'));
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const stop = async (): Promise<void> => {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    };
    let baresip: Baresip | undefined;
    try {
      baresip = new Baresip(await dial(port, ended), stop);
    } catch (error) {
      await stop();
      throw new Error(`baresip did not start:\n${early}`, { cause: error });
    }
    baresip.#receive(early);
    return baresip;
  }

  /** Sends a MESSAGE to the contact. */
  sendMessage(text: string): void {
    const command = JSON.stringify({ command: 'message', params: text, token: 'm' });
    this.#control.write(`${Buffer.byteLength(command)}:${command},`);
  }

  /** Waits until it has written a text. */
  async wrote(text: string): Promise<void> {
    const patience = AbortSignal.timeout(10_000);
    while (!this.#output.includes(text)) {
      const woken = Promise.withResolvers<void>();
      this.#listeners.add(woken.resolve);
      const late = (): void => woken.reject(new Error(`"${text}" is not in:\n${this.#output}`));
      patience.addEventListener('abort', late, { once: true });
      if (patience.aborted) late();
      await woken.promise;
      patience.removeEventListener('abort', late);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#control.destroy();
    await this.#stop();
  }

  #receive(text: string): void {
    this.#output += text;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

/** Connects to its control port as soon as it listens. Rejects when the program has ended. */
async function dial(port: number, ended: Promise<unknown>): Promise<Socket> {
  const over = ended.then((): never => {
    throw new Error('it has ended');
  });
  over.catch(() => undefined);
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const connected = once(socket, 'connect').then(
      () => true,
      () => false,
    );
    if (await Promise.race([connected, over])) return socket;
  }
}
