/**
 * Owns: how large chunks may be on a way through relays: small at first, larger once larger ones have worked.
 * Called by: sending.ts with each large chunk and its answer. Calls: nothing.
 */
import { setNewest } from '../base/bounded-map.ts';
import type { MsrpNetworkLimits } from '../base/msrp-network-limits.ts';

/** Ways that are remembered; the oldest are learnt anew. */
const MAX_WAYS = 256;
const AUTHORITY = /^[^/]*\/\/[^/;]+/;
/** What relays answer to frames that are too large for them. */
const TOO_LARGE = new Set([400, 413, 501]);

type ChunkLimits = Pick<MsrpNetworkLimits, 'relayChunkBytes' | 'relayTrialBytes'>;

/** Whether a status may mean that the chunk was too large. */
export function mayBeTooLarge(status: number): boolean {
  return TOO_LARGE.has(status);
}

/** The chunks of one way. One larger chunk is tried at a time; the first that fails was the last that is tried. */
export class MsrpChunkGrowth {
  readonly #limits: ChunkLimits;
  readonly #most: number;
  #proven: number;
  #trying = false;
  #refused = false;

  constructor(limits: ChunkLimits, mostBytes: number) {
    this.#limits = limits;
    this.#most = mostBytes;
    this.#proven = Math.min(limits.relayChunkBytes, mostBytes);
  }

  /** Body bytes that work. */
  get provenBytes(): number {
    return this.#proven;
  }

  /** Body bytes of the next chunk of a message of `size` bytes; more than proven: its answer is told by `endTrial`. */
  nextBytes(size: number): number {
    return this.#trying || this.#refused || size < this.#limits.relayTrialBytes
      ? this.#proven
      : Math.min(this.#most, this.#proven * 2);
  }

  /** A chunk larger than what is proven was sent. */
  beginTrial(): void {
    this.#trying = true;
  }

  /** It was answered, or its connection has ended without. */
  endTrial(bytes: number, worked: boolean): void {
    this.#trying = false;
    if (!worked) this.refuse();
    else if (!this.#refused) this.#proven = Math.max(this.#proven, Math.min(this.#most, bytes));
  }

  /** Something on this way does not take larger ones: it is not tried again. */
  refuse(): void {
    this.#refused = true;
    this.#proven = Math.min(this.#limits.relayChunkBytes, this.#most);
  }
}

/** The ways of one endpoint. */
export class MsrpRelayChunks {
  readonly #limits: ChunkLimits;
  readonly #mostBytes: number;
  readonly #ways = new Map<string, MsrpChunkGrowth>();

  constructor(limits: ChunkLimits, mostBytes: number) {
    this.#limits = limits;
    this.#mostBytes = mostBytes;
  }

  /** Of the relays that a To-Path names; undefined when it names the peer alone. */
  growthOf(toPath: string): MsrpChunkGrowth | undefined {
    const relays = toPath.split(' ').slice(0, -1);
    if (relays.length === 0) return undefined;
    const key = relays.map((uri) => AUTHORITY.exec(uri)?.[0] ?? uri).join(' ');
    const growth = this.#ways.get(key) ?? new MsrpChunkGrowth(this.#limits, this.#mostBytes);
    setNewest(this.#ways, key, growth, MAX_WAYS);
    return growth;
  }
}
