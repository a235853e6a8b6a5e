/**
 * Owns: the sockets of control connections: the loopback listener (applications connect) and the dialler (the engine
 * connects to a listening application). Called by: engine.ts. Calls: application.ts.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { Lifetime } from '../../base/lifetime.ts';
import { CONTROL_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { Application, type ApplicationHandler } from './application.ts';

/** Whoever asked for an application to be dialled. */
interface DialCaller {
  readonly done: () => void;
  readonly fail: (error: Error) => void;
  /** It has authenticated once: a wrong secret later is no reason to give it up. */
  known: boolean;
}

/** All control connections. */
export class ControlServer implements AsyncDisposable {
  readonly #secret: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #handler: ApplicationHandler;
  readonly #lifetime = new Lifetime();
  /** In the order in which they authenticated. */
  readonly #applications: Application[] = [];
  readonly #open = new Set<Application>();
  /** Per method: how many new requests were handed out. */
  readonly #turns = new Map<string, number>();

  constructor(options: { secret: string; clock: Clock; log: Log; handler: ApplicationHandler }) {
    this.#secret = options.secret;
    this.#clock = options.clock;
    this.#log = options.log;
    const { handler } = options;
    this.#handler = {
      get hostports() {
        return handler.hostports;
      },
      receiveAuthenticated: (application) => {
        this.#applications.push(application);
        handler.receiveAuthenticated(application);
      },
      receiveSip: (application, frame, sip) => handler.receiveSip(application, frame, sip),
      receiveProxy: (application, frame) => handler.receiveProxy(application, frame),
      receiveClosed: (application) => {
        this.#open.delete(application);
        const index = this.#applications.indexOf(application);
        if (index >= 0) this.#applications.splice(index, 1);
        handler.receiveClosed(application);
      },
    };
    this.#lifetime.defer(() => this.#cutAll());
  }

  /** Waits for applications that connect (inbound mode). @throws the error of the operating system */
  async listen(where: { host: string; port: number }): Promise<{ host: string; port: number }> {
    const server = createServer({ noDelay: true });
    const bound = once(server, 'listening');
    server.listen(where.port, where.host);
    await bound;
    this.#lifetime.defer(async () => {
      const closed = new Promise<void>((done) => server.close(() => done()));
      // A server is closed only when its connections are.
      this.#cutAll();
      await closed;
    });
    server.on('error', (error) => this.#log.warn('control.listen-error', { error }));
    server.on('connection', (socket) => {
      if (this.#open.size >= CONTROL_LIMITS.maxConnections) {
        this.#log.warn('control.too-many-connections');
        socket.destroy();
      } else this.#serve(socket, false);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('control server without an address');
    return { host: address.address, port: address.port };
  }

  /**
   * Connects to an application that listens on a Unix socket or named pipe (outbound mode), and connects again
   * whenever that connection ends. Resolves when it has authenticated; rejects when its secret is wrong from the
   * beginning, or the engine ends.
   */
  dial(path: string): Promise<void> {
    return new Promise((done, fail) => {
      const { signal } = this.#lifetime;
      if (signal.aborted) {
        fail(new Error('engine closed'));
        return;
      }
      signal.addEventListener('abort', () => fail(new Error('engine closed')), { once: true });
      this.#dial(path, CONTROL_LIMITS.redialFirstMs, { done, fail, known: false });
    });
  }

  /**
   * Who takes the next new request of that method: round robin, the most recent application first; `undefined` when
   * nobody routed it.
   */
  applicationFor(method: string, known: boolean): Application | undefined {
    const takers = this.#applications.filter((application) => application.routes(method, known)).reverse();
    if (takers.length < 2) return takers[0];
    const turn = this.#turns.get(method) ?? 0;
    this.#turns.set(method, turn + 1);
    return takers[turn % takers.length];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lifetime[Symbol.asyncDispose]();
  }

  #cutAll(): void {
    for (const application of [...this.#open]) application[Symbol.dispose]();
  }

  #serve(socket: Socket, everything: boolean): Application {
    const application = new Application({
      socket,
      secret: this.#secret,
      clock: this.#clock,
      log: this.#log,
      handler: this.#handler,
      everything,
    });
    this.#open.add(application);
    return application;
  }

  #dial(path: string, waitMs: number, caller: DialCaller): void {
    if (this.#lifetime.ended) return;
    const socket = connect(path);
    const application = this.#serve(socket, true);
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('data', () => {
      if (!application.authenticated) return;
      caller.known = true;
      caller.done();
    });
    socket.on('close', () => {
      if (this.#lifetime.ended) return;
      if (application.refused && !caller.known) {
        caller.fail(new Error('the application does not know the secret'));
        return;
      }
      const nextMs = connected && !application.refused ? CONTROL_LIMITS.redialFirstMs : waitMs;
      this.#log.info('control.redial', { path, waitMs: nextMs });
      const grownMs = Math.min(nextMs * 2, CONTROL_LIMITS.redialMaxMs);
      this.#clock.startTimer(nextMs, () => this.#dial(path, grownMs, caller));
    });
  }
}
