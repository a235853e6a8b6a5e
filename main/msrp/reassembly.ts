/**
 * Owns: incoming messages of one session that are not whole yet: byte ranges in any order, and their ceilings.
 * Called by: receiving.ts with each chunk. Calls: nothing. The way out is chunking.ts.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { parseByteRange, type MsrpFlag, type MsrpHead } from './message.ts';
import { isSuccessReportWanted } from './reports.ts';

/** A message of which every byte has come. */
export interface MsrpWholeMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly body: Buffer;
  readonly successReportWanted: boolean;
}

/** The ceilings of reassembly. */
export type ReassemblyLimits = Pick<
  MsrpLimits,
  | 'maxMessageBytes'
  | 'maxChunksPerMessage'
  | 'maxOpenMessages'
  | 'maxOpenBytes'
  | 'openMessageMs'
  | 'maxRefusedMessages'
  | 'maxMessageIdChars'
>;

const EMPTY: Buffer = Buffer.alloc(0);
const FIRST_CAPACITY = 4 * 1024;
/** An announced total up to this is allocated at once; a larger one when `PROVEN_BYTES` of it have come. */
const TRUSTED_TOTAL = 256 * 1024;
const PROVEN_BYTES = 512 * 1024;

interface Span {
  start: number;
  end: number;
}

function refusal(code: string, status: number, text: string): ProtocolError {
  return new ProtocolError(code, status, text);
}

/** One message in the making. Offsets count from 0. */
class OpenMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly total: number | undefined;
  successReportWanted = false;
  chunks = 0;
  /** Highest offset written. */
  extent = 0;
  size: number | undefined;
  lastChunkUs = 0;
  timer: Timer | undefined;
  dropped = false;
  /** The only piece so far, uncopied; it began the message. */
  #piece: Buffer = EMPTY;
  #data: Buffer = EMPTY;
  /** Disjoint, ascending, never adjacent. */
  readonly #spans: Span[] = [];

  constructor(messageId: string, contentType: string, total: number | undefined) {
    this.messageId = messageId;
    this.contentType = contentType;
    this.total = total;
  }

  /** The later of two overlapping chunks wins (RFC 4975 §7.3.1). */
  write(offset: number, bytes: Buffer): void {
    if (this.extent === 0 && offset === 0) {
      this.#piece = bytes;
    } else {
      this.own();
      this.#reserve(offset + bytes.length);
      bytes.copy(this.#data, offset);
    }
    this.extent = Math.max(this.extent, offset + bytes.length);
    this.#addSpan(offset, offset + bytes.length);
  }

  /** Copies the first piece, so that the read that it came with can be freed. */
  own(): void {
    if (this.#piece.length === 0) return;
    const piece = this.#piece;
    this.#piece = EMPTY;
    this.#reserve(piece.length);
    piece.copy(this.#data, 0);
  }

  isWhole(): boolean {
    if (this.size === undefined) return false;
    if (this.extent > this.size) throw refusal('MSRP_BEYOND_END', 400, 'bytes beyond the end of the message');
    const first = this.#spans[0];
    return this.size === 0 || (first?.start === 0 && first.end === this.size);
  }

  body(): Buffer {
    return this.#piece.length > 0 ? this.#piece : this.#data.subarray(0, this.size ?? 0);
  }

  /** Doubles; the announced total is believed once a part of it has come, or when it is small. */
  #reserve(length: number): void {
    if (length <= this.#data.length) return;
    const total = this.total ?? 0;
    const believed = total <= TRUSTED_TOTAL || length >= PROVEN_BYTES ? total : 0;
    const capacity = Math.max(length, believed >= length ? believed : this.#data.length * 2, FIRST_CAPACITY);
    const larger = Buffer.allocUnsafeSlow(capacity);
    this.#data.copy(larger);
    this.#data = larger;
  }

  #addSpan(start: number, end: number): void {
    const spans = this.#spans;
    const last = spans.at(-1);
    if (last === undefined || start > last.end) {
      spans.push({ start, end });
      return;
    }
    if (start >= last.start) {
      last.end = Math.max(last.end, end);
      return;
    }
    // The first span that ends at or behind `start` is the first that may touch the new one.
    let low = 0;
    for (let high = spans.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((spans[middle]?.end ?? 0) < start) low = middle + 1;
      else high = middle;
    }
    let to = low;
    const merged = { start, end };
    for (let span = spans[to]; span !== undefined && span.start <= end; span = spans[++to]) {
      merged.start = Math.min(merged.start, span.start);
      merged.end = Math.max(merged.end, span.end);
    }
    spans.splice(low, to - low, merged);
  }
}

/** A chunk while it arrives. Whatever throws ProtocolError refuses the whole message. */
export class MsrpIncomingChunk {
  readonly #reassembly: MsrpReassembly;
  readonly #message: OpenMessage;
  readonly #start: number;
  #length = 0;

  constructor(reassembly: MsrpReassembly, message: OpenMessage, start: number) {
    this.#reassembly = reassembly;
    this.#message = message;
    this.#start = start;
  }

  /** Drops the message; further chunks of it are refused with the same error. */
  refuse(error: ProtocolError): void {
    this.#reassembly.refuse(this.#message, error);
  }

  /** The next bytes of the chunk. Throws ProtocolError 413 beyond a ceiling. */
  receiveBody(bytes: Buffer): void {
    this.#reassembly.admitBytes(this.#message, this.#start + this.#length + bytes.length);
    this.#message.write(this.#start + this.#length, bytes);
    this.#length += bytes.length;
  }

  /** The chunk is complete; returns the message if nothing of it is missing any more. */
  receiveEnd(flag: MsrpFlag): MsrpWholeMessage | undefined {
    return this.#reassembly.endChunk(this.#message, this.#start + this.#length, flag);
  }
}

/** The unfinished incoming messages of one session (RFC 4975 §5.1, §7.3.1). */
export class MsrpReassembly implements Disposable {
  readonly #limits: ReassemblyLimits;
  readonly #clock: Clock;
  readonly #open = new Map<string, OpenMessage>();
  readonly #refused = new Map<string, ProtocolError>();
  #openBytes = 0;

  constructor(limits: ReassemblyLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Messages that have begun and not ended. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * A chunk begins (step 5 of the way of a SEND). `checkType` throws for a Content-Type that is not accepted.
   * Throws ProtocolError 400 for a malformed head, 413 and 415 for a message that is not wanted.
   */
  receiveChunk(head: MsrpHead, checkType: (contentType: string) => void): MsrpIncomingChunk {
    const { messageId } = head;
    if (messageId === undefined || messageId === '' || messageId.length > this.#limits.maxMessageIdChars) {
      throw refusal('MSRP_BAD_MESSAGE_ID', 400, 'SEND without a usable Message-ID');
    }
    const range =
      head.byteRange === undefined ? { start: 1, total: undefined } : parseByteRange(head.byteRange);
    let message = this.#open.get(messageId);
    if (message === undefined) {
      const refused = this.#refused.get(messageId);
      if (refused !== undefined && range.start > 1) throw refused;
      this.#refused.delete(messageId);
      message = this.#begin(messageId, head, range.total, checkType);
    }
    message.successReportWanted ||= isSuccessReportWanted(head);
    if (++message.chunks > this.#limits.maxChunksPerMessage) {
      const error = refusal('MSRP_CHUNK_FLOOD', 413, `more than ${this.#limits.maxChunksPerMessage} chunks`);
      this.refuse(message, error);
      throw error;
    }
    return new MsrpIncomingChunk(this, message, range.start - 1);
  }

  /** Whether a message of this id has begun and not ended. */
  has(messageId: string | undefined): boolean {
    return messageId !== undefined && this.#open.has(messageId);
  }

  /** Drops a message and remembers that it was refused; called by its chunk. */
  refuse(message: OpenMessage, error: ProtocolError): void {
    this.#drop(message);
    this.#rememberRefusal(message.messageId, error);
  }

  #rememberRefusal(messageId: string, error: ProtocolError): void {
    this.#refused.set(messageId, error);
    if (this.#refused.size > this.#limits.maxRefusedMessages) {
      for (const oldest of this.#refused.keys()) {
        this.#refused.delete(oldest);
        break;
      }
    }
  }

  /** Called by a chunk before it writes. */
  admitBytes(message: OpenMessage, extent: number): void {
    const growth = extent - message.extent;
    if (growth <= 0) return;
    if (extent > this.#limits.maxMessageBytes) {
      throw refusal('MSRP_MESSAGE_TOO_LARGE', 413, `message over ${this.#limits.maxMessageBytes} bytes`);
    }
    if (this.#openBytes + growth > this.#limits.maxOpenBytes) {
      throw refusal('MSRP_OPEN_BYTES', 413, `unfinished messages over ${this.#limits.maxOpenBytes} bytes`);
    }
    this.#openBytes += growth;
  }

  /** Called by a chunk at its end. */
  endChunk(message: OpenMessage, end: number, flag: MsrpFlag): MsrpWholeMessage | undefined {
    if (flag === '#') {
      this.#drop(message);
      return undefined;
    }
    if (flag === '$') message.size = end;
    if (message.isWhole()) {
      this.#drop(message);
      return {
        messageId: message.messageId,
        contentType: message.contentType,
        body: message.body(),
        successReportWanted: message.successReportWanted,
      };
    }
    this.#keepOpen(message);
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const message of [...this.#open.values()]) this.#drop(message);
  }

  #begin(
    messageId: string,
    head: MsrpHead,
    total: number | undefined,
    checkType: (contentType: string) => void,
  ): OpenMessage {
    if (head.contentType === undefined) {
      throw refusal('MSRP_NO_CONTENT_TYPE', 400, 'a body without Content-Type');
    }
    try {
      checkType(head.contentType);
      if (total !== undefined && total > this.#limits.maxMessageBytes) {
        throw refusal('MSRP_MESSAGE_TOO_LARGE', 413, `message over ${this.#limits.maxMessageBytes} bytes`);
      }
    } catch (error) {
      if (error instanceof ProtocolError) this.#rememberRefusal(messageId, error);
      throw error;
    }
    return new OpenMessage(messageId, head.contentType, total);
  }

  #keepOpen(message: OpenMessage): void {
    message.own();
    message.lastChunkUs = this.#clock.monotonicUs();
    if (this.#open.has(message.messageId)) return;
    if (this.#open.size >= this.#limits.maxOpenMessages) {
      this.#drop(message);
      throw refusal(
        'MSRP_OPEN_MESSAGES',
        413,
        `more than ${this.#limits.maxOpenMessages} unfinished messages`,
      );
    }
    this.#open.set(message.messageId, message);
    this.#startTimer(message, this.#limits.openMessageMs);
  }

  #startTimer(message: OpenMessage, delayMs: number): void {
    message.timer = this.#clock.startTimer(delayMs, () => {
      const idleMs = (this.#clock.monotonicUs() - message.lastChunkUs) / 1_000;
      const left = this.#limits.openMessageMs - idleMs;
      if (left > 0) this.#startTimer(message, Math.ceil(left));
      else this.refuse(message, refusal('MSRP_MESSAGE_TIMEOUT', 413, 'the message was not finished in time'));
    });
  }

  #drop(message: OpenMessage): void {
    if (message.dropped) return;
    message.dropped = true;
    message.timer?.[Symbol.dispose]();
    message.timer = undefined;
    this.#openBytes -= message.extent;
    this.#open.delete(message.messageId);
  }
}
