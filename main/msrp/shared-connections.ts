/**
 * Owns: which connection of ours a further session to the same authority goes over (RFC 4975 §5.4).
 * Called by: endpoint.ts when a session visits. Calls: nothing.
 */
import type { MsrpConnection } from './connection.ts';
import type { MsrpDialTarget } from './dialer.ts';

/** What sessions must agree on to share a connection: scheme, host, port, transport, and our own address. */
export function sharedConnectionKey(target: MsrpDialTarget, localHost: string): string {
  return `${target.scheme}://${target.host}:${target.port ?? ''};${target.transport} ${localHost}`;
}

/** The newest connection to each authority that we opened. Those that peers opened lead to no authority. */
export class SharedConnections {
  readonly #newest = new Map<string, MsrpConnection>();

  /** A connection with room for one more session and nothing in its way, if there is one. */
  find(key: string, maxSessions: number): MsrpConnection | undefined {
    const connection = this.#newest.get(key);
    return connection?.shareable === true && connection.users.size < maxSessions ? connection : undefined;
  }

  add(key: string, connection: MsrpConnection): void {
    this.#newest.set(key, connection);
    void connection.closed.then(() => {
      if (this.#newest.get(key) === connection) this.#newest.delete(key);
    });
  }
}
