/**
 * Owns: which local address is used toward a destination, when a socket is bound to the wildcard address.
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
  readonly #pending = new Map<string, Promise<string>>();
  #ended = false;

  /** The address to show to `remote`, for a socket that is bound to `bound`. */
  toward(remote: string, bound: string): Soon<string> {
    if (bound !== '0.0.0.0' && bound !== '::') return bound;
    const known = this.#known.get(remote);
    if (known !== undefined) return known;
    const asked = this.#pending.get(remote);
    if (asked === undefined && this.#pending.size >= MAX_PENDING) return bound;
    const pending = asked ?? this.#ask(remote, bound);
    this.#pending.set(remote, pending);
    return pending;
  }

  [Symbol.dispose](): void {
    this.#ended = true;
  }

  async #ask(remote: string, bound: string): Promise<string> {
    const socket = createSocket(isIPv6(remote) ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((done, fail) => {
        socket.once('error', fail);
        socket.connect(ANY_PORT, remote, done);
      });
      const { address } = socket.address();
      if (this.#known.size >= SIP_LIMITS.maxCachedRoutes) this.#known.clear();
      if (!this.#ended) this.#known.set(remote, address);
      return address;
    } catch {
      return bound;
    } finally {
      socket.close();
      this.#pending.delete(remote);
    }
  }
}
