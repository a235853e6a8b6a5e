/**
 * Owns: one request on its way through the relay: what has come of it and was not passed on yet.
 * Called by: relay-stream.ts; the connection with each piece. Calls: relay-stream.ts.
 */
import type { MsrpFrameSink } from '../msrp/connection.ts';
import {
  formatByteRange,
  parseByteRange,
  type ByteRange,
  type MsrpFlag,
  type MsrpHead,
} from '../msrp/message.ts';
import { parseFailureReport, type FailureReport } from '../msrp/reports.ts';
import type { RelayStream } from './relay-stream.ts';

/** What every request costs beside its body, counted like bytes of it. */
export const CHUNK_OVERHEAD_BYTES = 512;
/** RFC 4975 §7.1.1: a longer chunk has to be interruptible. */
const FIXED_BYTES = 2_048;
const WHOLE: ByteRange = { start: 1, end: undefined, total: undefined };

/** A piece that leaves as a request of its own. */
export interface RelayPiece {
  readonly bodies: readonly Buffer[];
  readonly size: number;
  readonly byteRange: string | undefined;
  readonly flag: MsrpFlag;
}

/** A request that is coming in, or waits for its turn. */
export class RelayChunk implements MsrpFrameSink {
  readonly head: MsrpHead;
  readonly failureReport: FailureReport;
  /** Its response comes from the next hop: visits, and whatever is no SEND with content. */
  readonly isAwaited: boolean;
  readonly #stream: RelayStream;
  readonly #range: ByteRange;
  readonly #isFixed: boolean;
  #bodies: Buffer[] = [];
  #bytes = 0;
  #passedOn = 0;
  #flag: MsrpFlag | undefined;
  /** It has been answered: what still comes of it is dropped. */
  refused = false;

  /** Throws ProtocolError 400 for a Byte-Range that is none. */
  constructor(stream: RelayStream, head: MsrpHead) {
    this.#stream = stream;
    this.head = head;
    this.failureReport = parseFailureReport(head.failureReport);
    this.isAwaited = head.method !== 'REPORT' && (!head.hasBody || head.method !== 'SEND');
    this.#range = head.byteRange === undefined ? WHOLE : parseByteRange(head.byteRange);
    this.#isFixed = this.#range.end !== undefined || head.method !== 'SEND';
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get ended(): boolean {
    return this.#flag !== undefined;
  }

  receiveBody(bytes: Buffer): void {
    if (this.refused) return;
    this.#bodies.push(bytes);
    this.#bytes += bytes.length;
    this.#stream.receiveBytes(this, bytes.length);
  }

  receiveEnd(flag: MsrpFlag): void {
    this.#flag = flag;
    if (!this.refused) this.#stream.receiveEnd(this);
  }

  /** Whether a piece may leave: all of it, or enough of what may be cut (`hurry`: whatever there is). */
  isReady(pieceBytes: number, maxFixedBytes: number, hurry: boolean): boolean {
    if (this.ended) return true;
    if (this.#isFixed && this.#bytes + this.#passedOn <= maxFixedBytes) return false;
    return this.#bytes >= pieceBytes || (hurry && this.#bytes > 0);
  }

  /** The next piece. */
  take(pieceBytes: number, maxFixedBytes: number): RelayPiece {
    const isWhole = this.ended && this.#passedOn === 0;
    const mayStay = this.#isFixed && this.#bytes <= maxFixedBytes;
    if (isWhole && (mayStay || this.#bytes <= pieceBytes)) {
      const piece = this.#piece(this.#bodies, this.#bytes, this.head.byteRange, this.#flag ?? '$');
      this.drop();
      return piece;
    }
    const { bodies, size } = this.#cut(pieceBytes);
    const start = this.#range.start + this.#passedOn;
    this.#passedOn += size;
    const flag = this.ended && this.#bytes === 0 ? (this.#flag ?? '$') : '+';
    const end = size > FIXED_BYTES ? undefined : start + size - 1;
    return this.#piece(bodies, size, formatByteRange({ start, end, total: this.#range.total }), flag);
  }

  /** What waits is not wanted any more. Returns how much that was. */
  drop(): number {
    const bytes = this.#bytes;
    this.#bodies = [];
    this.#bytes = 0;
    return bytes;
  }

  #piece(bodies: readonly Buffer[], size: number, byteRange: string | undefined, flag: MsrpFlag): RelayPiece {
    return { bodies, size, byteRange, flag };
  }

  #cut(most: number): { bodies: Buffer[]; size: number } {
    const bodies: Buffer[] = [];
    let size = 0;
    while (size < most) {
      const next = this.#bodies.shift();
      if (next === undefined) break;
      const room = most - size;
      if (next.length > room) this.#bodies.unshift(next.subarray(room));
      const taken = next.length > room ? next.subarray(0, room) : next;
      bodies.push(taken);
      size += taken.length;
    }
    this.#bytes -= size;
    return { bodies, size };
  }
}
