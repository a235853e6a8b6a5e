/**
 * Owns: how an outgoing message is cut into chunks (RFC 4975 §5.1, §7.1.1).
 * Called by: sending.ts for each chunk. Calls: nothing. The way back is reassembly.ts.
 */
import type { MsrpLimits } from '../base/limits.ts';
import { formatByteRange, type MsrpFlag } from './message.ts';

/** One chunk, ready for its frame. `body` is a view. */
export interface MsrpChunk {
  readonly byteRange: string;
  readonly body: Buffer;
  readonly flag: MsrpFlag;
}

/** Cuts one body: a single chunk up to `sendChunkBytes`, several of that size above. */
export class MsrpChunker {
  readonly #body: Buffer;
  readonly #limits: Pick<MsrpLimits, 'sendChunkBytes' | 'maxFixedRangeBytes'>;
  #offset = 0;
  #ended = false;

  constructor(body: Buffer, limits: Pick<MsrpLimits, 'sendChunkBytes' | 'maxFixedRangeBytes'>) {
    this.#body = body;
    this.#limits = limits;
  }

  get isOneChunk(): boolean {
    return this.#body.length <= this.#limits.sendChunkBytes;
  }

  get started(): boolean {
    return this.#offset > 0 || this.#ended;
  }

  /** The last chunk, or the abort, was taken. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The next chunk. Chunks that may be interrupted leave their end open (`1-*`). */
  next(): MsrpChunk {
    if (this.#ended) throw new Error('no chunk left');
    const total = this.#body.length;
    const from = this.#offset;
    const to = Math.min(total, from + this.#limits.sendChunkBytes);
    this.#offset = to;
    this.#ended = to === total;
    const end = to - from > this.#limits.maxFixedRangeBytes ? undefined : to;
    return {
      byteRange: formatByteRange({ start: from + 1, end, total }),
      body: from === 0 && to === total ? this.#body : this.#body.subarray(from, to),
      flag: this.#ended ? '$' : '+',
    };
  }

  /** Gives up a message of which a part was sent: an empty chunk with the flag `#` (RFC 4975 §7.1.1). */
  abort(): MsrpChunk {
    this.#ended = true;
    const byteRange = formatByteRange({ start: this.#offset + 1, end: undefined, total: this.#body.length });
    return { byteRange, body: this.#body.subarray(0, 0), flag: '#' };
  }
}
