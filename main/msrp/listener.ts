/**
 * Owns: the listening socket and its ceilings; on one port plain connections and TLS, told apart by their first byte.
 * Called by: endpoint.ts. Calls: its owner with each accepted socket.
 */
import net from 'node:net';
import tls from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import type { MsrpNetworkLimits } from '../base/msrp-network-limits.ts';

/** What a listener needs. */
export interface MsrpListenerOptions {
  readonly clock: Clock;
  readonly limits: Pick<MsrpLimits, 'maxConnections' | 'maxConnectionsPerAddress' | 'firstFrameMs'> &
    Pick<MsrpNetworkLimits, 'tlsHandshakeMs' | 'maxHandshakes' | 'maxHandshakesPerAddress'>;
  /** What our side of TLS shows and insists on. */
  tls(): Promise<tls.SecureContextOptions>;
  /** A connection has said its first byte, and over TLS has shaken hands. */
  receiveSocket(socket: net.Socket | tls.TLSSocket): void;
}

/** A record of type handshake (RFC 8446 §5.1). MSRP begins with `M`, or with a line end before it. */
const TLS_HANDSHAKE = 0x16;

/** How many of something there are, by address. */
class Counter {
  readonly #counts = new Map<string, number>();
  total = 0;

  of(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  add(address: string): void {
    this.total++;
    this.#counts.set(address, this.of(address) + 1);
  }

  remove(address: string): void {
    this.total--;
    const left = this.of(address) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }
}

/** Accepts MSRP connections on one address (RFC 4975 §5.4). */
export class MsrpListener implements AsyncDisposable {
  readonly #options: MsrpListenerOptions;
  readonly #connections = new Counter();
  readonly #handshakes = new Counter();
  /** Sockets whose first byte, or whose handshake, is awaited. */
  readonly #pending = new Map<string, { readonly socket: net.Socket; readonly settle: () => void }>();
  #server: net.Server | undefined;
  #secure: Promise<tls.Server> | undefined;

  constructor(options: MsrpListenerOptions) {
    this.#options = options;
  }

  /** Starts to listen; port 0 takes any free port. Rejects with the system's error. */
  async listen(where: { host: string; port: number }): Promise<{ host: string; port: number }> {
    if (this.#server !== undefined) throw new Error('already listening');
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#server = server;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    server.once('error', reject);
    server.listen({ host: where.host, port: where.port, backlog: 511 }, () => resolve(undefined));
    try {
      await promise;
    } catch (error) {
      this.#server = undefined;
      throw error;
    }
    server.off('error', reject);
    server.on('error', () => undefined);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the listener has no address');
    return { host: address.address, port: address.port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const { socket } of [...this.#pending.values()]) socket.destroy();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.close(() => resolve(undefined));
    await promise;
  }

  /** Whoever comes from now on is shown what `tls` says now. Rejects when certificate and key do not fit. */
  async renewTls(): Promise<void> {
    const server = await this.#secure;
    server?.setSecureContext(await this.#options.tls());
  }

  #accept(socket: net.Socket): void {
    const address = socket.remoteAddress ?? '';
    const { limits, clock } = this.#options;
    socket.on('error', () => undefined);
    if (
      address === '' ||
      this.#connections.total >= limits.maxConnections ||
      this.#connections.of(address) >= limits.maxConnectionsPerAddress
    ) {
      socket.destroy();
      return;
    }
    this.#connections.add(address);
    socket.once('close', () => this.#connections.remove(address));
    const timer = clock.startTimer(limits.firstFrameMs, () => socket.destroy());
    this.#await(socket, timer);
    socket.once('readable', () => {
      const first: unknown = socket.read();
      this.#settle(socket);
      // Nobody says anything: there is nothing to answer either.
      if (!(first instanceof Buffer)) {
        socket.destroy();
        return;
      }
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) this.#shakeHands(socket, address);
      else this.#options.receiveSocket(socket);
    });
  }

  /** The certificate of the client is asked for and not judged here: the SDP says which one is right. */
  #shakeHands(socket: net.Socket, address: string): void {
    const { limits, clock } = this.#options;
    if (
      this.#handshakes.total >= limits.maxHandshakes ||
      this.#handshakes.of(address) >= limits.maxHandshakesPerAddress
    ) {
      socket.destroy();
      return;
    }
    this.#handshakes.add(address);
    const timer = clock.startTimer(limits.tlsHandshakeMs, () => socket.destroy());
    this.#await(socket, timer, () => this.#handshakes.remove(address));
    this.#secure ??= this.#createSecureServer();
    this.#secure.then(
      (server) => {
        if (!socket.destroyed) server.emit('connection', socket);
      },
      () => socket.destroy(),
    );
  }

  /** Never listens: it only takes over sockets that have begun a handshake. */
  async #createSecureServer(): Promise<tls.Server> {
    const server = tls.createServer({
      ...(await this.#options.tls()),
      requestCert: true,
      rejectUnauthorized: false,
      // Ours ends before this one, which cannot be turned by hand.
      handshakeTimeout: 2 * this.#options.limits.tlsHandshakeMs,
    });
    server.on('secureConnection', (secure) => {
      if (this.#settle(secure)) this.#options.receiveSocket(secure);
      else secure.destroy();
    });
    server.on('tlsClientError', (_error, secure) => secure.destroy());
    return server;
  }

  #await(socket: net.Socket, timer: Timer, release: () => void = () => undefined): void {
    const key = keyOf(socket);
    const gone = () => {
      this.#settle(socket, key);
    };
    socket.once('close', gone);
    this.#pending.set(key, {
      socket,
      settle: () => {
        timer[Symbol.dispose]();
        socket.off('close', gone);
        release();
      },
    });
  }

  /** Ends the waiting for a socket; false when nobody waits for it any more. */
  #settle(socket: net.Socket, key = keyOf(socket)): boolean {
    const pending = this.#pending.get(key);
    this.#pending.delete(key);
    pending?.settle();
    return pending !== undefined;
  }
}

/** A TLS socket has the address of the one below it. */
function keyOf({ remoteAddress = '', remotePort = 0 }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
