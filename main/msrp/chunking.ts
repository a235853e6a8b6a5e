/**
 * Owns: how an outgoing message is cut into chunks (RFC 4975 §5.1, §7.1.1).
 * Called by: sending.ts for each chunk. Calls: nothing. The way back is reassembly.ts.
 */
import type { MsrpLimits } from '../base/limits.ts';
import { formatByteRange, type MsrpFlag } from './message.ts';
import type { MsrpBodySource } from './streams.ts';

/** One chunk, ready for its frame. `body` is a view. */
export interface MsrpChunk {
  readonly byteRange: string;
  readonly body: Buffer;
  readonly flag: MsrpFlag;
  /** Bytes of the message in front of it. */
  readonly offset: number;
}

type ChunkLimits = Pick<MsrpLimits, 'sendChunkBytes' | 'maxFixedRangeBytes'>;

/** Cuts one body: a single chunk up to `sendChunkBytes`, several of that size above. */
export class MsrpChunker {
  readonly #body: Buffer | MsrpBodySource;
  readonly #total: number;
  readonly #limits: ChunkLimits;
  #offset = 0;
  #ended = false;
  #again: Buffer | undefined;

  constructor(body: Buffer | MsrpBodySource, limits: ChunkLimits) {
    this.#body = body;
    this.#total = Buffer.isBuffer(body) ? body.length : body.size;
    this.#limits = limits;
  }

  get isOneChunk(): boolean {
    return Buffer.isBuffer(this.#body) && this.#total <= this.#limits.sendChunkBytes;
  }

  get started(): boolean {
    return this.#offset > 0 || this.#ended;
  }

  /** The last chunk, or the abort, was taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /**
   * The next chunk, of `maxBytes` at most; undefined when its source has none now. Chunks that may be interrupted leave
   * their end open (`1-*`).
   */
  next(maxBytes = this.#limits.sendChunkBytes): MsrpChunk | undefined {
    if (this.#ended) throw new Error('no chunk left');
    const from = this.#offset;
    const body = this.#takeAgain(maxBytes) ?? this.#take(from, maxBytes);
    if (body === undefined) return undefined;
    const to = from + body.length;
    this.#offset = to;
    this.#ended = to === this.#total;
    const end = body.length > this.#limits.maxFixedRangeBytes ? undefined : to;
    return {
      byteRange: formatByteRange({ start: from + 1, end, total: this.#total }),
      body,
      flag: this.#ended ? '$' : '+',
      offset: from,
    };
  }

  /** The chunk that was taken last was refused for its size: it is taken again, in smaller ones. Its bytes must stay. */
  takeBack({ offset, body }: MsrpChunk): void {
    this.#offset = offset;
    this.#ended = false;
    if (!Buffer.isBuffer(this.#body)) this.#again = body;
  }

  /** Gives up a message of which a part was sent: an empty chunk with the flag `#` (RFC 4975 §7.1.1). */
  abort(): MsrpChunk {
    this.#ended = true;
    const byteRange = formatByteRange({ start: this.#offset + 1, end: undefined, total: this.#total });
    return { byteRange, body: EMPTY, flag: '#', offset: this.#offset };
  }

  /** Of what its source gave and was taken back. */
  #takeAgain(maxBytes: number): Buffer | undefined {
    const again = this.#again;
    if (again === undefined) return undefined;
    this.#again = again.length > maxBytes ? again.subarray(maxBytes) : undefined;
    return again.subarray(0, maxBytes);
  }

  #take(from: number, maxBytes: number): Buffer | undefined {
    const body = this.#body;
    const to = Math.min(this.#total, from + maxBytes);
    if (!Buffer.isBuffer(body)) return to === from ? EMPTY : body.take(to - from);
    return from === 0 && to === this.#total ? body : body.subarray(from, to);
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
