/**
 * Owns: which local address is used toward a destination, when a socket is bound to the wildcard address, and whether
 * there is a way to it at all.
 * Called by: transport.ts. Calls: node:dgram (a connected socket asks the routing table; nothing is sent).
 */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { Soon } from './soon.ts';

const ANY_PORT = 9;
/** A flood from invented addresses must not open a socket for each. */
const MAX_PENDING = 64;

/** Local addresses by destination, remembered. */
export class LocalAddresses implements Disposable {
  readonly #known = new Map<string, string>();
  readonly #pending = new Map<string, Promise<string | undefined>>();
  /** Grows when the network changes: answers to older questions are not remembered. */
  #generation = 0;
  #ended = false;

  /** The address to show to `remote`, for a socket that is bound to `bound`. */
  toward(remote: string, bound: string): Soon<string> {
    if (bound !== '0.0.0.0' && bound !== '::') return bound;
    const known = this.#known.get(remote);
    if (known !== undefined) return known;
    const pending = this.#find(remote);
    return pending === undefined ? bound : pending.then((address) => address ?? bound);
  }

  /** Has this machine a route to `remote`? Nothing is sent. */
  async hasRoute(remote: string): Promise<boolean> {
    return this.#known.has(remote) || (await this.#find(remote)) !== undefined;
  }

  /** The network has changed. */
  forget(): void {
    this.#generation += 1;
    this.#known.clear();
    this.#pending.clear();
  }

  [Symbol.dispose](): void {
    this.#ended = true;
  }

  #find(remote: string): Promise<string | undefined> | undefined {
    const asked = this.#pending.get(remote);
    if (asked !== undefined || this.#pending.size >= MAX_PENDING) return asked;
    const pending = this.#ask(remote).finally(() => {
      if (this.#pending.get(remote) === pending) this.#pending.delete(remote);
    });
    this.#pending.set(remote, pending);
    return pending;
  }

  async #ask(remote: string): Promise<string | undefined> {
    const generation = this.#generation;
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((done, fail) => {
        socket.once('error', fail);
        socket.connect(ANY_PORT, remote, done);
      });
      const { address } = socket.address();
      if (this.#known.size >= SIP_LIMITS.maxCachedRoutes) this.#known.clear();
      if (!this.#ended && generation === this.#generation) this.#known.set(remote, address);
      return address;
    } catch {
      return undefined;
    } finally {
      socket.close();
    }
  }
}
