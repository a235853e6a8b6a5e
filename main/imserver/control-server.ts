/**
 * Owns: what whoever runs the server asks it: over a socket in its data folder everything, over a port of the loopback
 * only how it is. Called by: main.ts. Calls: imserver.ts, metrics-text.ts, node:http.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IMSERVER_LIMITS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { ReloadOutcome } from './imserver-reload.ts';
import type { ImServer } from './imserver.ts';
import { metricsText } from './metrics-text.ts';
import type { ChatRooms } from './rooms/chat-rooms.ts';

/** Where the socket is, for commands; in the data folder. */
export const CONTROL_FILE = 'control.json';
/** A Unix socket's path has to fit into 104 bytes on every system. */
const MAX_SOCKET_PATH = 100;

export interface ControlServerOptions {
  readonly server: ImServer;
  readonly data: string;
  /** Undefined: no port. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly log: Log;
  /** Reads the configuration again. Rejects with ConfigError. */
  readonly reload: () => Promise<ReloadOutcome>;
}

type Answer = (request: IncomingMessage) => Promise<{ status: number; body: unknown }>;

/** Both listeners. */
export class ControlServer implements AsyncDisposable {
  readonly #options: ControlServerOptions;
  readonly #servers: Server[] = [];
  #socketFolder: string | undefined;
  #metricsUrl: string | undefined;

  private constructor(options: ControlServerOptions) {
    this.#options = options;
  }

  /** Rejects with the system's error when it cannot listen. */
  static async open(options: ControlServerOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    try {
      await control.#open();
      return control;
    } catch (error) {
      await control[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Undefined when the configuration wants no port. */
  get metricsUrl(): string | undefined {
    return this.#metricsUrl;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    }
    if (this.#socketFolder === undefined) return;
    await rm(join(this.#options.data, CONTROL_FILE), { force: true });
    await rm(this.#socketFolder, { recursive: true, force: true });
  }

  async #open(): Promise<void> {
    const { data, metrics } = this.#options;
    const { folder, path } = socketPlace(data);
    this.#socketFolder = folder;
    await removeLeftovers(data);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const local = this.#createServer({ ...this.#looks(), ...this.#commands() });
    await listen(local, { path });
    if (process.platform !== 'win32') await chmod(path, 0o600);
    await writeFile(join(data, CONTROL_FILE), `${JSON.stringify({ socket: path })}\n`, { mode: 0o600 });
    if (metrics === undefined) return;
    const open = this.#createServer(this.#looks());
    await listen(open, metrics);
    const { port } = open.address() as AddressInfo;
    const host = metrics.host.includes(':') ? `[${metrics.host}]` : metrics.host;
    this.#metricsUrl = `http://${host}:${port}`;
  }

  #looks(): Record<string, Answer> {
    const { server } = this.#options;
    return {
      // A database that others share is not cured by a restart of this node.
      'GET /healthz': () =>
        server.isShared ? Promise.resolve({ status: 200, body: 'ok\n' }) : health(server),
      'GET /readyz': async () => {
        if (server.draining) return { status: 503, body: 'draining\n' };
        return health(server);
      },
      'GET /metrics': async () => ({ status: 200, body: await metricsText(server) }),
    };
  }

  #commands(): Record<string, Answer> {
    const { server, reload } = this.#options;
    const ok = (body: unknown) => Promise.resolve({ status: 200, body });
    return {
      'GET /sessions': () => ok(server.sessions()),
      'GET /rooms': async () => ({ status: 200, body: await roomsOf(server).overview() }),
      'POST /rooms': async (request) => {
        const { name, title } = wishOf(request);
        const room = await roomsOf(server).rooms.create({ name, title });
        return { status: 200, body: { room: `${room.name}@${server.domain}`, title: room.title } };
      },
      'POST /rooms/remove': async (request) => {
        const { rooms } = roomsOf(server);
        const { name } = wishOf(request);
        const room = rooms.find(name);
        if (room === undefined) return { status: 404, body: { error: `There is no room "${name}".` } };
        await rooms.close(room);
        return { status: 200, body: {} };
      },
      'POST /drain': () => {
        server.draining = true;
        return ok({ draining: true, sessions: server.sessionCount });
      },
      'POST /resume': () => {
        server.draining = false;
        return ok({ draining: false, sessions: server.sessionCount });
      },
      'POST /users': async () => {
        await server.sweepUsers();
        return { status: 200, body: {} };
      },
      'POST /reload': async () => ({ status: 200, body: await reload() }),
    };
  }

  #createServer(answers: Readonly<Record<string, Answer>>): Server {
    const { maxControlConnections, controlRequestMs } = IMSERVER_LIMITS;
    const server = createServer(
      { requestTimeout: controlRequestMs, headersTimeout: controlRequestMs, maxHeaderSize: 8 * 1024 },
      (request, response) => {
        request.resume();
        this.#answer(answers, request, response).catch((error: unknown) => {
          this.#options.log.warn('control.failed', { path: request.url, error });
          reply(response, 500, { error: error instanceof Error ? error.message : String(error) });
        });
      },
    );
    server.maxConnections = maxControlConnections;
    this.#servers.push(server);
    return server;
  }

  async #answer(
    answers: Readonly<Record<string, Answer>>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const answer = answers[`${request.method ?? ''} ${path}`];
    // A page in somebody's browser has no business here.
    if (answer === undefined || request.headers.origin !== undefined) {
      reply(response, 404, { error: `there is no ${request.method ?? ''} ${request.url ?? ''} here` });
      return;
    }
    const { status, body } = await answer(request);
    reply(response, status, body);
  }
}

function roomsOf(server: ImServer): ChatRooms {
  if (server.rooms === undefined) throw new Error('The configuration has no rooms (rooms.enabled).');
  return server.rooms;
}

/** `?name=…&title=…` */
function wishOf({ url = '' }: IncomingMessage): { name: string; title: string } {
  const query = new URLSearchParams(url.split('?')[1] ?? '');
  return { name: query.get('name') ?? '', title: query.get('title') ?? '' };
}

/** Alive and answering: the store as well. */
async function health(server: ImServer): Promise<{ status: number; body: string }> {
  try {
    await server.deferredCount();
    return { status: 200, body: 'ok\n' };
  } catch {
    return { status: 503, body: 'the store does not answer\n' };
  }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const isText = typeof body === 'string';
  response.writeHead(status, {
    'Content-Type': isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json',
    'Cache-Control': 'no-store',
  });
  response.end(isText ? body : `${JSON.stringify(body)}\n`);
}

function listen(
  server: Server,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A server that was killed could not tidy up. */
async function removeLeftovers(data: string): Promise<void> {
  const run = join(data, 'run');
  const names = await readdir(run).catch(() => []);
  const old = names.filter((name) => name.startsWith('control-'));
  await Promise.all(old.map((name) => rm(join(run, name), { recursive: true, force: true })));
}

/** A folder that only we can enter, and the socket in it; on Windows a named pipe. */
function socketPlace(data: string): { readonly folder: string; readonly path: string } {
  const name = `control-${randomBytes(6).toString('hex')}`;
  const inside = join(data, 'run', name);
  const folder =
    inside.length + 5 <= MAX_SOCKET_PATH
      ? inside
      : join(process.env['XDG_RUNTIME_DIR'] ?? tmpdir(), `parley-${name}`);
  const path = process.platform === 'win32' ? `\\\\.\\pipe\\parley-${name}` : join(folder, 's');
  return { folder, path };
}
