/**
 * Owns: the IM Server inside this program, and the demo with its bot; both come back with the program.
 * Called by: app.ts, commands through ImServerControl. Calls: imserver/imserver.ts, demo-bot.ts.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import type { ImServerStatus } from '../../shared/ipc/contract.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Log } from '../base/log.ts';
import { ImServer } from '../imserver/imserver.ts';
import { checkServerConfig, ConfigError } from '../imserver/server-config.ts';
import { UserFileError } from '../imserver/user-file.ts';
import type { ImServerControl } from '../messenger/im-server-control.ts';
import { DemoBot } from './demo-bot.ts';

const DEMO_DOMAIN = 'try.home.arpa';
const DEMO_USER = 'bob';

/** What is remembered of a server between two runs of the program. */
const rememberedSchema = v.object({
  domain: v.string(),
  host: v.string(),
  port: v.number(),
  password: v.optional(v.string()),
});
type Remembered = v.InferOutput<typeof rememberedSchema>;

/** The servers of one profile. */
export class EmbeddedImServer implements ImServerControl, AsyncDisposable {
  readonly #profile: string;
  readonly #log: Log;
  readonly #receiveChange: () => void;
  #server: ImServer | undefined;
  #demo: { server: ImServer; bot: DemoBot; password: string } | undefined;
  /** Starting and stopping happens one after the other: two servers cannot share one folder. */
  #turn: Promise<unknown> = Promise.resolve();

  /** `receiveChange`: what `status` says has changed by itself, as a user came or signed off. */
  constructor(options: { profile: string; log: Log; receiveChange: () => void }) {
    this.#profile = options.profile;
    this.#log = options.log;
    this.#receiveChange = options.receiveChange;
  }

  /** Starts again what ran when the program was last closed. A failure is logged: the history is there all the same. */
  async resume(): Promise<void> {
    const [server, demo] = await Promise.all([this.#recall('imserver'), this.#recall('demo')]);
    try {
      if (server !== undefined) await this.start(server);
      if (demo !== undefined) await this.startDemo();
    } catch (error) {
      this.#log.error('imserver.not-resumed', { error });
    }
  }

  async status(): Promise<ImServerStatus> {
    const server = this.#server;
    if (server === undefined) return { running: false, domain: '', sip: [], users: [] };
    const users = [...(await server.users.list())].map(([user, { displayName }]) => ({
      user,
      displayName,
      online: server.registrar.isOnline(user),
    }));
    return { running: true, domain: server.domain, sip: reachable(server), users };
  }

  start(input: { domain: string; host: string; port: number }): Promise<ImServerStatus> {
    return this.#inTurn(() => this.#start(input));
  }

  stop(): Promise<ImServerStatus> {
    return this.#inTurn(() => this.#stop());
  }

  startDemo(): ReturnType<ImServerControl['startDemo']> {
    return this.#inTurn(() => this.#startDemo());
  }

  async #start(input: { domain: string; host: string; port: number }): Promise<ImServerStatus> {
    if (this.#server !== undefined) return this.status();
    this.#server = await this.#open(input, join(this.#profile, 'imserver'));
    await this.#remember('imserver', { ...input, port: this.#server.port });
    return this.status();
  }

  async #stop(): Promise<ImServerStatus> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
    await this.#remember('imserver', undefined);
    return this.status();
  }

  async addUser(input: { user: string; password: string; displayName: string }): Promise<ImServerStatus> {
    if (this.#server === undefined) throw new CallError('not-running', 'Start the server first.');
    try {
      await this.#server.users.add(input.user, input.password, input.displayName);
    } catch (error) {
      if (error instanceof UserFileError) throw new CallError('invalid-input', error.message);
      throw error;
    }
    return this.status();
  }

  async #startDemo(): ReturnType<ImServerControl['startDemo']> {
    const folder = join(this.#profile, 'demo');
    if (this.#demo === undefined) {
      const before = await this.#recall('demo');
      const password = before?.password ?? randomBytes(12).toString('base64url');
      const place = { domain: DEMO_DOMAIN, host: '127.0.0.1' };
      const data = join(folder, 'imserver');
      // The port of last time, so that the account finds its server; another one when that is taken.
      const server = await this.#open({ ...place, port: before?.port ?? 0 }, data).catch(() =>
        this.#open({ ...place, port: 0 }, data),
      );
      await server.users.add(DEMO_USER, password, 'Bob');
      const bot = await DemoBot.start({
        folder,
        server,
        peer: `${DEMO_USER}@${DEMO_DOMAIN}`,
        log: this.#log,
      });
      this.#demo = { server, bot, password };
      await this.#remember('demo', { ...place, port: server.port, password });
    }
    const { server, bot, password } = this.#demo;
    return {
      address: `${DEMO_USER}@${DEMO_DOMAIN}`,
      password,
      server: `sip:127.0.0.1:${server.port};transport=tcp`,
      peerAddress: bot.address,
      peerName: bot.name,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#demo?.bot[Symbol.asyncDispose]();
    await this.#demo?.server[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
    this.#demo = undefined;
    this.#server = undefined;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #open(input: { domain: string; host: string; port: number }, data: string): Promise<ImServer> {
    try {
      return await ImServer.start({
        config: checkServerConfig({ ...input, data }, 'IM Server'),
        log: this.#log,
        receivePresence: this.#receiveChange,
      });
    } catch (error) {
      if (error instanceof ConfigError) throw new CallError('invalid-input', error.message);
      const code = (error as { code?: unknown }).code;
      if (code === 'EADDRINUSE') {
        throw new CallError(
          'port-in-use',
          `Port ${input.port} is taken by another program. Choose another port.`,
        );
      }
      if (code === 'EADDRNOTAVAIL') {
        throw new CallError('invalid-input', `${input.host} is not an address of this computer.`);
      }
      throw error;
    }
  }

  async #recall(name: 'imserver' | 'demo'): Promise<Remembered | undefined> {
    try {
      const parsed = v.safeParse(rememberedSchema, JSON.parse(await readFile(this.#path(name), 'utf8')));
      return parsed.success ? parsed.output : undefined;
    } catch {
      return undefined;
    }
  }

  async #remember(name: 'imserver' | 'demo', value: Remembered | undefined): Promise<void> {
    const path = this.#path(name);
    await writeFile(`${path}.new`, JSON.stringify(value ?? null), { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  #path(name: string): string {
    return join(this.#profile, `${name}.json`);
  }
}

/**
 * How the server is reached: by TCP, which takes messages of any size. One that listens on every address is reached at
 * each address of this computer, from others too; without a network only from here.
 */
function reachable(server: ImServer): string[] {
  const everywhere = server.sip.some((uri) => uri.startsWith('sip:0.0.0.0:'));
  if (!everywhere) return server.sip.filter((uri) => uri.endsWith('transport=tcp'));
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
  return (addresses.length > 0 ? addresses : ['127.0.0.1']).map(
    (address) => `sip:${address}:${server.port};transport=tcp`,
  );
}
