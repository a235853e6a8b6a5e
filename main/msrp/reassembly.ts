/**
 * Owns: incoming messages of one session that are not whole yet: byte ranges in any order, and their ceilings.
 * Called by: receiving.ts with each chunk. Calls: byte-spans.ts, and the sink of a message that is not collected in
 * memory. The way out is chunking.ts.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { ByteSpans } from './byte-spans.ts';
import { parseByteRange, type MsrpFlag, type MsrpHead } from './message.ts';
import { isSuccessReportWanted } from './reports.ts';
import type { MsrpBodySink, MsrpSinkFor } from './streams.ts';

/** A message of which every byte has come. */
export interface MsrpWholeMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly size: number;
  /** Empty when it went into `sink`. */
  readonly body: Buffer;
  readonly sink: MsrpBodySink | undefined;
  readonly successReportWanted: boolean;
}

/** The ceilings of reassembly. */
export type ReassemblyLimits = Pick<
  MsrpLimits,
  | 'maxMessageBytes'
  | 'maxChunksPerMessage'
  | 'minStreamedChunkBytes'
  | 'maxSpansPerMessage'
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

function refusal(code: string, status: number, text: string): ProtocolError {
  return new ProtocolError(code, status, text);
}

/** One message in the making. Offsets count from 0. */
class OpenMessage {
  readonly messageId: string;
  readonly contentType: string;
  readonly total: number | undefined;
  /** Where the bytes go as they come; undefined: into memory. */
  sink: MsrpBodySink | undefined;
  successReportWanted = false;
  /** Bytes of all chunks, those that came twice included. */
  received = 0;
  chunks = 0;
  /** Highest offset written. */
  extent = 0;
  size: number | undefined;
  lastChunkUs = 0;
  timer: Timer | undefined;
  dropped = false;
  #data: Buffer = EMPTY;
  readonly #spans = new ByteSpans();

  constructor(messageId: string, contentType: string, total: number | undefined) {
    this.messageId = messageId;
    this.contentType = contentType;
    this.total = total;
  }

  /** Pieces with a gap between them. */
  get pieces(): number {
    return this.#spans.size;
  }

  /** The later of two overlapping chunks wins (RFC 4975 §7.3.1). False: the sink is full. */
  write(offset: number, bytes: Buffer): boolean {
    let room = true;
    if (this.sink !== undefined) room = this.sink.write(offset, bytes);
    else {
      this.#reserve(offset + bytes.length);
      bytes.copy(this.#data, offset);
    }
    this.received += bytes.length;
    this.extent = Math.max(this.extent, offset + bytes.length);
    this.#spans.add(offset, offset + bytes.length);
    return room;
  }

  isWhole(): boolean {
    if (this.size === undefined) return false;
    if (this.extent > this.size) throw refusal('MSRP_BEYOND_END', 400, 'bytes beyond the end of the message');
    return this.size === 0 || this.#spans.prefix === this.size;
  }

  body(): Buffer {
    return this.#data.subarray(0, this.size ?? 0);
  }

  /** Doubles; the announced total is believed once a part of it has come, or when it is small. */
  #reserve(length: number): void {
    if (length <= this.#data.length) return;
    const total = this.total ?? 0;
    const believed = total <= TRUSTED_TOTAL || length >= PROVEN_BYTES ? total : 0;
    const larger =
      believed >= length
        ? Buffer.allocUnsafe(believed)
        : Buffer.allocUnsafeSlow(Math.max(length, this.#data.length * 2, FIRST_CAPACITY));
    this.#data.copy(larger);
    this.#data = larger;
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

  /** The next bytes of the chunk. False: no more for now. Throws ProtocolError 413 beyond a ceiling. */
  receiveBody(bytes: Buffer): boolean {
    const offset = this.#start + this.#length;
    this.#reassembly.admitBytes(this.#message, offset + bytes.length);
    this.#length += bytes.length;
    return this.#message.write(offset, bytes);
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
   * A chunk begins (step 5 of the way of a SEND). `checkType` throws for a Content-Type that is not accepted, `sinkFor`
   * says where a new message goes. Throws ProtocolError 400 for a malformed head, 413 and 415 for a message that is not
   * wanted.
   */
  receiveChunk(
    head: MsrpHead,
    checkType: (contentType: string) => void,
    sinkFor?: (message: Parameters<MsrpSinkFor>[0]) => MsrpBodySink | undefined,
  ): MsrpIncomingChunk {
    const { messageId } = head;
    if (messageId === undefined || messageId === '' || messageId.length > this.#limits.maxMessageIdChars) {
      throw refusal('MSRP_BAD_MESSAGE_ID', 400, 'SEND without a usable Message-ID');
    }
    const range =
      head.byteRange === undefined
        ? { start: 1, end: undefined, total: undefined }
        : parseByteRange(head.byteRange);
    let message = this.#open.get(messageId);
    if (message === undefined) {
      const refused = this.#refused.get(messageId);
      if (refused !== undefined && range.start > 1) throw refused;
      this.#refused.delete(messageId);
      message = this.#begin(messageId, head, checkType, () => ({
        total: range.total,
        sink: sinkFor?.({ messageId, contentType: head.contentType ?? '', byteRange: range }),
      }));
    }
    message.successReportWanted ||= isSuccessReportWanted(head);
    if (++message.chunks > this.#limits.maxChunksPerMessage && !this.#isEarned(message)) {
      const error = refusal('MSRP_CHUNK_FLOOD', 413, `more than ${this.#limits.maxChunksPerMessage} chunks`);
      this.refuse(message, error);
      throw error;
    }
    return new MsrpIncomingChunk(this, message, range.start - 1);
  }

  /** A large file has many chunks; those that bring next to nothing are a flood all the same. */
  #isEarned({ sink, chunks, received }: OpenMessage): boolean {
    const { maxChunksPerMessage, minStreamedChunkBytes } = this.#limits;
    return sink !== undefined && (chunks - maxChunksPerMessage) * minStreamedChunkBytes <= received;
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
    if (message.pieces > this.#limits.maxSpansPerMessage) {
      throw refusal('MSRP_SCATTERED', 413, `a message in over ${this.#limits.maxSpansPerMessage} pieces`);
    }
    if (message.sink !== undefined) {
      // It has a ceiling of its own, and a chunk of it may take longer than the time for a message at rest.
      message.lastChunkUs = this.#clock.monotonicUs();
      return;
    }
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
      this.#drop(message, 'whole');
      return {
        messageId: message.messageId,
        contentType: message.contentType,
        size: message.extent,
        body: message.body(),
        sink: message.sink,
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
    checkType: (contentType: string) => void,
    place: () => { total: number | undefined; sink: MsrpBodySink | undefined },
  ): OpenMessage {
    if (head.contentType === undefined) {
      throw refusal('MSRP_NO_CONTENT_TYPE', 400, 'a body without Content-Type');
    }
    try {
      checkType(head.contentType);
      const { total, sink } = place();
      if (sink === undefined && total !== undefined && total > this.#limits.maxMessageBytes) {
        throw refusal('MSRP_MESSAGE_TOO_LARGE', 413, `message over ${this.#limits.maxMessageBytes} bytes`);
      }
      const message = new OpenMessage(messageId, head.contentType, total);
      message.sink = sink;
      // Open from its first byte on: whatever ends the session ends the sink.
      if (sink !== undefined) this.#keepOpen(message);
      return message;
    } catch (error) {
      if (error instanceof ProtocolError) this.#rememberRefusal(messageId, error);
      throw error;
    }
  }

  #keepOpen(message: OpenMessage): void {
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

  #drop(message: OpenMessage, as: 'whole' | 'unfinished' = 'unfinished'): void {
    if (message.dropped) return;
    message.dropped = true;
    message.timer?.[Symbol.dispose]();
    message.timer = undefined;
    if (message.sink === undefined) this.#openBytes -= message.extent;
    else if (as === 'unfinished') message.sink.abort();
    this.#open.delete(message.messageId);
  }
}
