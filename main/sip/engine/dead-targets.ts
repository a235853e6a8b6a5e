/**
 * Owns: which targets have failed lately, so that the next request begins with another one (RFC 3263 §4.3).
 * Called by: next-hops.ts, size-rule.ts. Calls: nothing.
 */
import { setNewest } from '../../base/bounded-map.ts';
import { monotonicMs, type Clock } from '../../base/clock.ts';
import { SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import type { Hop, TransportName } from './transport.ts';

function keyOf(transport: TransportName, address: string, port: number): string {
  return `${transport} ${address} ${port}`;
}

/** A memory with a ceiling; what it has forgotten counts as alive. */
export class DeadTargets {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** That target failed. */
  add(transport: TransportName, address: string, port: number, forMs: number): void {
    const untilMs = monotonicMs(this.#clock) + forMs;
    setNewest(this.#untilMs, keyOf(transport, address, port), untilMs, SIP_NETWORK_LIMITS.maxDeadTargets);
  }

  /** It has answered. */
  remove(transport: TransportName, address: string, port: number): void {
    if (this.#untilMs.size > 0) this.#untilMs.delete(keyOf(transport, address, port));
  }

  has(transport: TransportName, address: string, port: number): boolean {
    const untilMs = this.#untilMs.get(keyOf(transport, address, port));
    return untilMs !== undefined && untilMs > monotonicMs(this.#clock);
  }

  /** The same hops, those addresses that have failed behind all others: when nothing else is left they are tried. */
  order(hops: readonly Hop[]): Hop[] {
    if (this.#untilMs.size === 0) return [...hops];
    const split = (wanted: boolean): Hop[] =>
      hops
        .map((hop) => ({
          ...hop,
          addresses: hop.addresses.filter((address) => this.has(hop.transport, address, hop.port) === wanted),
        }))
        .filter(({ addresses }) => addresses.length > 0);
    return [...split(false), ...split(true)];
  }

  clear(): void {
    this.#untilMs.clear();
  }
}
