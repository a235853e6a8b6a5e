/**
 * Owns: the targets that one request has left, and the flow to the next of them (RFC 3263 §4.3).
 * Called by: outbound-requests.ts, request-attempts.ts. Calls: transport.ts, dead-targets.ts.
 */
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { DeadTargets } from './dead-targets.ts';
import type { Soon } from './soon.ts';
import type { Flow, Hop, SipTransport } from './transport.ts';
import { Unreachable } from './unreachable.ts';

/** The targets of one request, in order. Each is given out once. */
export class NextHops {
  readonly #transport: SipTransport;
  readonly #dead: DeadTargets;
  readonly #hops: Hop[];
  #given = 0;

  constructor(transport: SipTransport, dead: DeadTargets, hops: readonly Hop[]) {
    this.#transport = transport;
    this.#dead = dead;
    this.#hops = dead.order(hops);
  }

  /** Is there another target? */
  get more(): boolean {
    return this.#hops.length > 0 && this.#given < SIP_NETWORK_LIMITS.maxTargets;
  }

  /**
   * The flow to the next target that can be reached. Targets that cannot be connected to are passed over. Throws, or
   * rejects, when none is left: with {@link Unreachable}, or ProtocolError when there is no socket for any of them.
   */
  next(): Soon<Flow> {
    const [hop] = this.#hops;
    if (hop === undefined || !this.more) throw new Unreachable('connection', 'no server is left to try');
    this.#given += 1;
    let flow: Soon<Flow>;
    try {
      flow = this.#transport.flowTo(hop);
    } catch (error) {
      return this.#passOver(hop, error);
    }
    if (!(flow instanceof Promise)) return this.#take(hop, flow);
    return flow.then(
      (found) => this.#take(hop, found),
      (error: unknown) => this.#passOver(hop, error),
    );
  }

  /** This address is used up; others of the same name stay. */
  #take(hop: Hop, flow: Flow): Flow {
    const addresses = hop.addresses.filter((address) => address !== flow.remoteAddress);
    const isHead = this.#hops[0] === hop;
    if (isHead) this.#hops.splice(0, 1, ...(addresses.length > 0 ? [{ ...hop, addresses }] : []));
    return flow;
  }

  #passOver(hop: Hop, error: unknown): Soon<Flow> {
    if (!(error instanceof Unreachable) && !(error instanceof ProtocolError)) throw error;
    if (this.#hops[0] === hop) this.#hops.shift();
    if (error instanceof Unreachable) {
      for (const address of hop.addresses) {
        this.#dead.add(hop.transport, address, hop.port, SIP_NETWORK_LIMITS.deadTargetMs);
      }
    }
    if (!this.more) throw error;
    return this.next();
  }
}
