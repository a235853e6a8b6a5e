/**
 * Owns: one value for each of the ways over UDP that were used last. Thousands of transactions that wait out their time
 * hold their way: those to the same peer hold the same one. Called by: transport.ts. Calls: nothing.
 */
import type { Flow } from './transport.ts';
import type { UdpSocket } from './udp-socket.ts';

/** So few that looking through them costs less than a map. */
const REMEMBERED = 8;

/** The last ways. */
export class UdpFlows {
  readonly #flows: Flow[] = [];
  #next = 0;

  flow(socket: UdpSocket, remoteAddress: string, remotePort: number, localAddress: string): Flow {
    for (const known of this.#flows) {
      if (
        known.remotePort === remotePort &&
        known.socket === socket &&
        known.remoteAddress === remoteAddress &&
        known.localAddress === localAddress
      ) {
        return known;
      }
    }
    const flow: Flow = {
      transport: 'udp',
      remoteAddress,
      remotePort,
      localAddress,
      localPort: socket.port,
      socket,
    };
    this.#flows[this.#next] = flow;
    this.#next = (this.#next + 1) % REMEMBERED;
    return flow;
  }
}
