/**
 * Owns: which stream connections there are, how many from whom, and which of them a message to a place goes by
 * (RFC 3261 §18, RFC 5923). Called by: transport.ts. Calls: nothing.
 */
import { SIP_LIMITS } from '../../base/limits.ts';
import type { StreamConnection } from './stream-connection.ts';

/**
 * Over TLS a connection that we opened serves the domain that its peer has proved, no other (RFC 5922 §7.5); one that
 * was opened to us serves what is sent to its very address and port: the way back of who has registered over it
 * (RFC 5626 §5.3).
 */
function keyOf(transport: 'tcp' | 'tls', address: string, port: number, domain: string): string {
  return `${transport} ${address} ${port} ${transport === 'tls' ? domain.toLowerCase() : ''}`;
}

/** All stream connections of an engine. */
export class ConnectionTable {
  readonly #byPlace = new Map<string, StreamConnection>();
  readonly #all = new Set<StreamConnection>();
  readonly #perAddress = new Map<string, number>();

  /** A copy: connections may end while it is walked. */
  get all(): StreamConnection[] {
    return [...this.#all];
  }

  /** May one more connection from there stay? */
  admits(remoteAddress: string): boolean {
    return (
      this.#all.size < SIP_LIMITS.maxConnections &&
      (this.#perAddress.get(remoteAddress) ?? 0) < SIP_LIMITS.maxConnectionsPerAddress
    );
  }

  add(connection: StreamConnection): void {
    const { transport, remoteAddress, remotePort, domain } = connection;
    this.#all.add(connection);
    this.#byPlace.set(keyOf(transport, remoteAddress, remotePort, domain), connection);
    this.#perAddress.set(remoteAddress, (this.#perAddress.get(remoteAddress) ?? 0) + 1);
  }

  remove(connection: StreamConnection): void {
    if (!this.#all.delete(connection)) return;
    const { transport, remoteAddress, remotePort, domain } = connection;
    const key = keyOf(transport, remoteAddress, remotePort, domain);
    if (this.#byPlace.get(key) === connection) this.#byPlace.delete(key);
    const count = (this.#perAddress.get(remoteAddress) ?? 1) - 1;
    if (count === 0) this.#perAddress.delete(remoteAddress);
    else this.#perAddress.set(remoteAddress, count);
  }

  /** The open connection to one of these addresses, whoever opened it. */
  find(
    transport: 'tcp' | 'tls',
    addresses: readonly string[],
    port: number,
    domain: string,
  ): StreamConnection | undefined {
    for (const address of addresses) {
      const found = this.#byPlace.get(keyOf(transport, address, port, domain));
      if (found?.open === true) return found;
      const incoming =
        domain === address ? this.#byPlace.get(keyOf(transport, address, port, '')) : undefined;
      if (incoming?.open === true) return incoming;
    }
    return undefined;
  }
}
