/**
 * Owns: cutting a byte stream into SIP messages (RFC 3261 §18.3) and keep-alives (RFC 5626 §4.4.1).
 * Called by: stream-connection.ts. Calls: sip/message.
 */
import { SIP_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { contentLengthOf, parseSipHead, type SipMessage } from '../message.ts';

/**
 * What the stream contained: a message with its size on the wire, one that cannot be read and whose end is known, a
 * keep-alive (CRLFCRLF between messages), or the answer to one of ours (CRLF).
 */
export type StreamItem =
  | { readonly message: SipMessage; readonly bytes: number }
  | { readonly fault: StreamFault }
  | 'keep-alive'
  | 'pong';

/** What is wrong with a message. `head` is there when it may still be answered with `error.answer`. */
export interface StreamFault {
  readonly error: ProtocolError;
  readonly head?: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 0x0d;
const LF = 0x0a;
const FIRST_CAPACITY = 4_096;
/** What a token may begin with, more or less. */
const BEGINNING = /^[!-9;-~]/;
const START_LINE = / SIP\/|^SIP\//i;
/** Whatever anybody might take for the length of a body. */
const ANY_LENGTH = /[\r\n][ \t]*(?:content-length|l)[ \t]*:/gi;
const CERTAIN_LENGTH = /\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,10})[ \t]*(?:\r\n(?![ \t])|$)/i;
const LONE_LINE_END = /\r(?!\n)|(?<!\r)\n/;

/**
 * How long the body of a message is whose head cannot be read; undefined unless everybody on the way has to read the same
 * length and the same end of the head: else somebody could hide a message of his in what another takes for a body.
 */
function certainLength(head: Buffer): number | undefined {
  const text = head.toString('latin1');
  const [startLine = ''] = text.split('\r\n', 1);
  const isSip = BEGINNING.test(startLine) && START_LINE.test(startLine);
  if (!isSip || startLine.length >= SIP_LIMITS.maxStartLineBytes || LONE_LINE_END.test(text))
    return undefined;
  if (text.match(ANY_LENGTH)?.length !== 1) return undefined;
  const [, digits] = CERTAIN_LENGTH.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Push chunks, read items. Work is linear in the bytes, however they are cut. A message that cannot be read is passed over
 * as long as its end is known: many users may share a connection of a proxy. After a fault of the stream the framer takes
 * nothing more.
 */
export class SipStreamFramer {
  #buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Where the search for the end of the head goes on. */
  #searched = 0;
  /** Is the first line known to be a start line? */
  #beginningSeen = false;
  #head: { message: SipMessage; bodyStart: number; bodyEnd: number } | undefined;
  /** Bytes of the body of an unreadable message that are still to come. */
  #passing = 0;
  #lineEnds = 0;
  #pongExpected = false;
  #fault: StreamFault | undefined;

  /** Has a message begun and not ended? */
  get partial(): boolean {
    return this.#end > this.#start || this.#passing > 0;
  }

  /** What has ended the stream. */
  get fault(): StreamFault | undefined {
    return this.#fault;
  }

  /** We have sent a keep-alive: a single CRLF is its answer. */
  expectPong(): void {
    this.#pongExpected = true;
  }

  /** Takes a chunk and returns what became whole. Check {@link fault} afterwards. */
  push(chunk: Buffer): StreamItem[] {
    const items: StreamItem[] = [];
    if (this.#fault !== undefined) return items;
    this.#append(chunk);
    try {
      for (let item = this.#next(); item !== undefined; item = this.#next()) items.push(item);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const headEnd = this.#buffer.subarray(0, this.#end).indexOf(HEAD_END, this.#start);
      const head = headEnd < 0 ? undefined : Buffer.from(this.#buffer.subarray(this.#start, headEnd));
      this.#fault = { error, ...(head === undefined ? {} : { head }) };
    }
    return items;
  }

  #append(bytes: Buffer): void {
    const passed = Math.min(this.#passing, bytes.length);
    this.#passing -= passed;
    const chunk = bytes.subarray(passed);
    const held = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      const capacity = Math.max(FIRST_CAPACITY, 2 * (held + chunk.length));
      const grown = Buffer.allocUnsafe(capacity);
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#searched -= this.#start;
      if (this.#head !== undefined) {
        this.#head.bodyStart -= this.#start;
        this.#head.bodyEnd -= this.#start;
      }
      this.#buffer = grown;
      this.#start = 0;
      this.#end = held;
    }
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  #next(): StreamItem | undefined {
    if (this.#head === undefined) {
      const keepAlive = this.#skipLineEnds();
      if (keepAlive !== undefined) return keepAlive;
      const headEnd = this.#findHeadEnd();
      if (headEnd === undefined) return undefined;
      const fault = this.#readHead(headEnd);
      if (fault !== undefined) return { fault };
    }
    const head = this.#head;
    if (head === undefined || this.#end < head.bodyEnd) return undefined;
    const body = Buffer.from(this.#buffer.subarray(head.bodyStart, head.bodyEnd));
    const bytes = head.bodyEnd - this.#start;
    this.#head = undefined;
    this.#consumeTo(head.bodyEnd);
    return { message: { ...head.message, body }, bytes };
  }

  /**
   * Line ends between messages; each second one in a row completes a keep-alive. Two that come together are one
   * (RFC 5626 §4.4.1) even while an answer to ours is open.
   */
  #skipLineEnds(): StreamItem | undefined {
    while (this.#hasLineEnd(this.#start)) {
      const isPong = this.#pongExpected && this.#lineEnds % 2 === 0 && !this.#hasLineEnd(this.#start + 2);
      this.#consumeTo(this.#start + 2);
      if (isPong) {
        this.#pongExpected = false;
        return 'pong';
      }
      this.#lineEnds += 1;
      if (this.#lineEnds % 2 === 0) return 'keep-alive';
    }
    return undefined;
  }

  #hasLineEnd(offset: number): boolean {
    return this.#end - offset >= 2 && this.#buffer[offset] === CR && this.#buffer[offset + 1] === LF;
  }

  /** Undefined: it has not come yet. @throws ProtocolError when it will not come */
  #findHeadEnd(): number | undefined {
    const held = this.#end - this.#start;
    if (held === 0) return undefined;
    const view = this.#buffer.subarray(0, this.#end);
    const headEnd = view.indexOf(HEAD_END, Math.max(this.#start, this.#searched - HEAD_END.length + 1));
    if (headEnd >= 0) return headEnd;
    if (held > SIP_LIMITS.maxHeadBytes)
      throw new ProtocolError('SIP_HEAD_TOO_LARGE', 'close', 'head too large');
    if (!this.#beginningSeen) this.#checkBeginning(view);
    this.#searched = this.#end;
    return undefined;
  }

  /** Returns what is wrong with a message that is passed over. @throws ProtocolError when nobody knows where it ends */
  #readHead(headEnd: number): StreamFault | undefined {
    this.#lineEnds = 0;
    const head = this.#buffer.subarray(this.#start, headEnd);
    try {
      this.#takeHead(parseSipHead(head), headEnd);
      return undefined;
    } catch (error) {
      const length = error instanceof ProtocolError ? certainLength(head) : undefined;
      if (length === undefined || length > SIP_LIMITS.maxPassedBytes) throw error;
      const fault = { error: error as ProtocolError, head: Buffer.from(head) };
      this.#passOver(headEnd + HEAD_END.length, length);
      return fault;
    }
  }

  /** @throws ProtocolError */
  #takeHead(message: SipMessage, headEnd: number): void {
    const length = contentLengthOf(message.headers);
    if (length === undefined) {
      // RFC 3261 §18.3: on a stream Content-Length is mandatory, without it the end cannot be found.
      throw new ProtocolError('SIP_CONTENT_LENGTH', 400, 'no Content-Length on a stream');
    }
    const bodyStart = headEnd + HEAD_END.length;
    if (bodyStart - this.#start + length > SIP_LIMITS.maxMessageBytes) {
      throw new ProtocolError('SIP_TOO_LARGE', 513, 'message too large');
    }
    this.#head = { message, bodyStart, bodyEnd: bodyStart + length };
  }

  #passOver(bodyStart: number, length: number): void {
    const passed = Math.min(length, this.#end - bodyStart);
    this.#passing = length - passed;
    this.#consumeTo(bodyStart + passed);
  }

  /** Garbage is known as such long before the ceiling of a head: its first line is no start line. */
  #checkBeginning(view: Buffer): void {
    const first = view[this.#start] ?? 0;
    const looksLikeToken = first > 0x20 && first < 0x7f && first !== 0x3a;
    const isLineEnd = first === CR && this.#end - this.#start < 2;
    const lineEnd = view.indexOf(LF, Math.max(this.#start, this.#searched));
    const lineLength = (lineEnd < 0 ? this.#end : lineEnd) - this.#start;
    if ((!looksLikeToken && !isLineEnd) || lineLength > SIP_LIMITS.maxStartLineBytes) {
      throw new ProtocolError('SIP_GARBAGE', 'close', 'not SIP');
    }
    if (lineEnd < 0) return;
    this.#beginningSeen = true;
    if (!START_LINE.test(view.toString('latin1', this.#start, lineEnd))) {
      throw new ProtocolError('SIP_GARBAGE', 'close', 'not SIP');
    }
  }

  #consumeTo(offset: number): void {
    this.#start = offset;
    this.#searched = offset;
    this.#beginningSeen = false;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      this.#searched = 0;
    }
  }
}
