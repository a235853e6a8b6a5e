/**
 * Owns: how large chunks may be on a way through relays: small at first, larger once larger ones have worked.
 * Called by: sending.ts with each large chunk and its answer. Calls: nothing.
 */
import { setNewest } from '../base/bounded-map.ts';

/** Ways that are remembered; the oldest are learnt anew. */
const MAX_WAYS = 256;
const AUTHORITY = /^[^/]*\/\/[^/;]+/;
/** What relays answer to frames that are too large for them. */
const TOO_LARGE = new Set([400, 413, 501]);

/** Whether a status may mean that the chunk was too large. */
export function mayBeTooLarge(status: number): boolean {
  return TOO_LARGE.has(status);
}

/** The chunks of one way. One larger chunk is tried at a time; the first that fails was the last that is tried. */
export class MsrpChunkGrowth {
  readonly #first: number;
  readonly #most: number;
  #proven: number;
  #trying = false;
  #refused = false;

  constructor(firstBytes: number, mostBytes: number) {
    this.#first = Math.min(firstBytes, mostBytes);
    this.#most = mostBytes;
    this.#proven = this.#first;
  }

  /** Body bytes that work. */
  get provenBytes(): number {
    return this.#proven;
  }

  /** Body bytes of the next chunk whose answer will be told by `endTrial`. */
  get nextBytes(): number {
    return this.#trying || this.#refused ? this.#proven : Math.min(this.#most, this.#proven * 2);
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
    this.#proven = this.#first;
  }
}

/** The ways of one endpoint. */
export class MsrpRelayChunks {
  readonly #firstBytes: number;
  readonly #mostBytes: number;
  readonly #ways = new Map<string, MsrpChunkGrowth>();

  constructor(firstBytes: number, mostBytes: number) {
    this.#firstBytes = firstBytes;
    this.#mostBytes = mostBytes;
  }

  /** Of the relays that a To-Path names; undefined when it names the peer alone. */
  growthOf(toPath: string): MsrpChunkGrowth | undefined {
    const relays = toPath.split(' ').slice(0, -1);
    if (relays.length === 0) return undefined;
    const key = relays.map((uri) => AUTHORITY.exec(uri)?.[0] ?? uri).join(' ');
    const growth = this.#ways.get(key) ?? new MsrpChunkGrowth(this.#firstBytes, this.#mostBytes);
    setNewest(this.#ways, key, growth, MAX_WAYS);
    return growth;
  }
}
