/**
 * Owns: the listening socket and its ceilings.
 * Called by: endpoint.ts. Calls: its owner with each accepted socket.
 */
import net from 'node:net';
import type { MsrpLimits } from '../base/limits.ts';

/** Accepts MSRP connections on one address (RFC 4975 §5.4). */
export class MsrpListener implements AsyncDisposable {
  readonly #limits: Pick<MsrpLimits, 'maxConnections' | 'maxConnectionsPerAddress'>;
  readonly #receiveSocket: (socket: net.Socket) => void;
  readonly #perAddress = new Map<string, number>();
  #server: net.Server | undefined;
  #connections = 0;

  constructor(
    limits: Pick<MsrpLimits, 'maxConnections' | 'maxConnectionsPerAddress'>,
    receiveSocket: (socket: net.Socket) => void,
  ) {
    this.#limits = limits;
    this.#receiveSocket = receiveSocket;
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
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.close(() => resolve(undefined));
    await promise;
  }

  #accept(socket: net.Socket): void {
    const address = socket.remoteAddress ?? '';
    const count = this.#perAddress.get(address) ?? 0;
    if (
      address === '' ||
      this.#connections >= this.#limits.maxConnections ||
      count >= this.#limits.maxConnectionsPerAddress
    ) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.#connections++;
    this.#perAddress.set(address, count + 1);
    socket.once('close', () => this.#forget(address));
    this.#receiveSocket(socket);
  }

  #forget(address: string): void {
    this.#connections--;
    const count = (this.#perAddress.get(address) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(address);
    else this.#perAddress.set(address, count);
  }
}
