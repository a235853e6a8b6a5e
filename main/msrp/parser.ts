/**
 * Owns: the framing of an MSRP byte stream: bytes in, frame events out; nothing larger than a head is collected.
 * Called by: connection.ts with each read. Calls: message.ts for heads.
 */
import { MSRP_LIMITS, type MsrpLimits } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { findKnownPaths, parseMsrpHead, type KnownPaths, type MsrpFlag, type MsrpHead } from './message.ts';

/**
 * What a read contained, in order: a head, then any number of body pieces (views of the bytes pushed), then the end.
 * An error is the last event ever.
 */
export type MsrpParserEvent =
  | { readonly kind: 'head'; readonly head: MsrpHead }
  | { readonly kind: 'body'; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly flag: MsrpFlag }
  | { readonly kind: 'error'; readonly error: ProtocolError };

/** The ceilings that the parser applies. */
export type MsrpParserLimits = Pick<
  MsrpLimits,
  'maxHeadBytes' | 'maxHeaderLines' | 'maxChunkBytes' | 'maxNonSendBodyBytes' | 'maxTransactionIdChars'
>;

const CR = 13;
const LF = 10;
const HYPHEN = 45;
const SPACE = 32;
const START = Buffer.from('MSRP ', 'latin1');
const END_LINE_HYPHENS = 7;
const END_LINE_START = Buffer.from('\r\n-------', 'latin1');
const NEED_MORE = -1;
/** Of a start line behind its transaction id; with a longer one the head is scanned from its beginning. */
const MAX_KIND_CHARS = 48;
const EMPTY: Buffer = Buffer.alloc(0);

const END_EVENTS = {
  $: { kind: 'end', flag: '$' },
  '+': { kind: 'end', flag: '+' },
  '#': { kind: 'end', flag: '#' },
} as const satisfies Record<MsrpFlag, MsrpParserEvent>;

function flagOf(byte: number | undefined): MsrpFlag | undefined {
  if (byte === 36) return '$';
  if (byte === 43) return '+';
  return byte === 35 ? '#' : undefined;
}

/**
 * The push parser of one connection (RFC 4975 §7.3, §9). The work is linear in the bytes pushed, however they are
 * cut. After an error event `push` throws.
 */
export class MsrpParser {
  readonly #limits: MsrpParserLimits;
  #state: 'head' | 'body' | 'failed' = 'head';

  /** A head of which only a part has come. */
  #partial: Buffer = EMPTY;
  #partialLength = 0;
  /** Where in the head the search for its end goes on. */
  #scanned = 0;
  #headEnd = 0;
  #hasBody = false;
  #flag: MsrpFlag = '$';
  /** The path lines of the last head, which the next one likely repeats, and their bytes. */
  #paths: KnownPaths | undefined;
  #pathBytes: Buffer = EMPTY;
  #pathsRepeated = false;

  /** CRLF, hyphens, transaction id: the end-line of the body at hand up to its flag. Written anew for each frame. */
  #marker: Buffer = EMPTY;
  /** Bytes of the end-line seen at the end of the last read; of these, the first `#implied` are not body. */
  #matched = 0;
  #implied = 0;
  #bodyBytes = 0;
  #maxBodyBytes = 0;
  #oversizeAnswer: 413 | 'close' = 'close';

  constructor(limits: MsrpParserLimits = MSRP_LIMITS) {
    this.#limits = limits;
  }

  /** Whether a frame has begun and not ended. */
  get midFrame(): boolean {
    return this.#state === 'body' || this.#partialLength > 0;
  }

  /** Takes the next bytes of the stream; an empty list means that more are needed. */
  push(bytes: Buffer): MsrpParserEvent[] {
    if (this.#state === 'failed') throw new Error('the parser has failed before');
    const events: MsrpParserEvent[] = [];
    try {
      for (let at = 0; at < bytes.length;) {
        at = this.#state === 'head' ? this.#pushHead(bytes, at, events) : this.#pushBody(bytes, at, events);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#state = 'failed';
      this.#partial = EMPTY;
      events.push({ kind: 'error', error });
    }
    return events;
  }

  #pushHead(bytes: Buffer, from: number, events: MsrpParserEvent[]): number {
    if (this.#partialLength > 0) return this.#continueHead(bytes, from, events);
    let at = from;
    while (bytes[at] === CR || bytes[at] === LF) at++;
    if (at >= bytes.length) return at;
    this.#scanned = this.#skipPaths(bytes, at);
    const next = this.#scanHead(bytes, at, bytes.length);
    if (next === NEED_MORE) {
      this.#pathsRepeated = false;
      this.#keepPartial(bytes, at, bytes.length);
      return bytes.length;
    }
    this.#receiveHead(bytes, at, events);
    return next;
  }

  #continueHead(bytes: Buffer, from: number, events: MsrpParserEvent[]): number {
    const before = this.#partialLength;
    // Room for the largest head, its blank line and an end-line: the scan decides before this is used up.
    const room = this.#limits.maxHeadBytes + this.#limits.maxTransactionIdChars + 16 - before;
    const taken = Math.min(bytes.length - from, room);
    this.#keepPartial(bytes, from, from + taken);
    const next = this.#scanHead(this.#partial, 0, this.#partialLength);
    if (next === NEED_MORE) return from + taken;
    this.#receiveHead(this.#partial, 0, events);
    this.#partialLength = 0;
    this.#partial = EMPTY;
    return from + next - before;
  }

  #keepPartial(bytes: Buffer, from: number, to: number): void {
    const length = this.#partialLength + to - from;
    if (length > this.#partial.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(512, length * 2));
      this.#partial.copy(larger, 0, 0, this.#partialLength);
      this.#partial = larger;
    }
    bytes.copy(this.#partial, this.#partialLength, from, to);
    this.#partialLength = length;
  }

  /** How much of the head at `start` need not be scanned: the path lines are those of the head before. */
  #skipPaths(bytes: Buffer, start: number): number {
    const size = this.#pathBytes.length;
    if (size === 0) return 0;
    const longest = start + START.length + this.#limits.maxTransactionIdChars + MAX_KIND_CHARS;
    let at = start;
    while (at < longest && bytes[at] !== LF) at++;
    const paths = at + 1;
    // The byte behind them has to be there as well: the scan goes on with the last LF and looks at what follows.
    if (bytes[at - 1] !== CR || paths + size >= bytes.length) return 0;
    if (bytes.compare(this.#pathBytes, 0, size, paths, paths + size) !== 0) return 0;
    this.#pathsRepeated = true;
    return paths + size - 1 - start;
  }

  /** Finds the end of the head that begins at `start`; returns the index behind it, or NEED_MORE. */
  #scanHead(bytes: Buffer, start: number, end: number): number {
    for (let i = 0; i < START.length && start + i < end; i++) {
      if (bytes[start + i] !== START[i]) {
        throw new ProtocolError('MSRP_BAD_START_LINE', 'close', 'the stream is not MSRP');
      }
    }
    const ceiling = start + this.#limits.maxHeadBytes;
    const limit = Math.min(end, ceiling);
    let at = start + this.#scanned;
    for (; at < limit; at++) {
      if (bytes[at] !== LF) continue;
      if (bytes[at - 1] !== CR)
        throw new ProtocolError('MSRP_BAD_LINE', 'close', 'LF without CR in the head');
      const next = bytes[at + 1];
      if (at + 1 < end && next !== CR && next !== HYPHEN) continue;
      this.#scanned = at - start;
      if (at + 1 >= end || (next === CR && at + 2 >= end)) return NEED_MORE;
      this.#headEnd = at + 1;
      if (next === HYPHEN) return this.#scanEndLine(bytes, start, at + 1, end);
      if (bytes[at + 2] !== LF)
        throw new ProtocolError('MSRP_BAD_LINE', 'close', 'CR without LF in the head');
      this.#hasBody = true;
      return at + 3;
    }
    if (at >= ceiling) {
      throw new ProtocolError('MSRP_HEAD_TOO_LARGE', 'close', `head over ${this.#limits.maxHeadBytes} bytes`);
    }
    this.#scanned = at - start;
    return NEED_MORE;
  }

  /** The end-line of a bodiless frame, which follows its last header directly (RFC 4975 §9). */
  #scanEndLine(bytes: Buffer, start: number, line: number, end: number): number {
    const idStart = start + START.length;
    let idLength = 0;
    while (idLength <= this.#limits.maxTransactionIdChars && bytes[idStart + idLength] !== SPACE) idLength++;
    const flagAt = line + END_LINE_HYPHENS + idLength;
    if (flagAt + 3 > end) return NEED_MORE;
    let same = idLength <= this.#limits.maxTransactionIdChars;
    for (let i = 0; i < END_LINE_HYPHENS; i++) same &&= bytes[line + i] === HYPHEN;
    for (let i = 0; i < idLength; i++) same &&= bytes[line + END_LINE_HYPHENS + i] === bytes[idStart + i];
    const flag = flagOf(bytes[flagAt]);
    if (!same || flag === undefined || bytes[flagAt + 1] !== CR || bytes[flagAt + 2] !== LF) {
      throw new ProtocolError('MSRP_BAD_END_LINE', 'close', 'the end-line does not belong to the frame');
    }
    this.#hasBody = false;
    this.#flag = flag;
    return flagAt + 3;
  }

  #receiveHead(bytes: Buffer, start: number, events: MsrpParserEvent[]): void {
    const text = bytes.toString('latin1', start, this.#headEnd);
    const known = this.#pathsRepeated ? this.#paths : undefined;
    const head = parseMsrpHead(text, this.#hasBody, this.#limits, known);
    if (known !== undefined) this.#pathsRepeated = false;
    else if (head.toPath !== this.#paths?.toPath || head.fromPath !== this.#paths?.fromPath) {
      this.#paths = findKnownPaths(text, head);
      this.#pathBytes = this.#paths === undefined ? EMPTY : Buffer.from(this.#paths.text, 'latin1');
    }
    events.push({ kind: 'head', head });
    if (!this.#hasBody) {
      events.push(END_EVENTS[this.#flag]);
      return;
    }
    this.#keepMarker(head.transactionId);
    // The CRLF of the blank line may be the one before the end-line.
    this.#matched = 2;
    this.#implied = 2;
    this.#bodyBytes = 0;
    const isSend = head.method === 'SEND';
    this.#maxBodyBytes = isSend ? this.#limits.maxChunkBytes : this.#limits.maxNonSendBodyBytes;
    this.#oversizeAnswer = isSend ? 413 : 'close';
    this.#state = 'body';
  }

  #keepMarker(transactionId: string): void {
    const size = END_LINE_START.length + transactionId.length;
    if (this.#marker.length !== size) {
      this.#marker = Buffer.allocUnsafeSlow(size);
      this.#marker.set(END_LINE_START);
    }
    const marker = this.#marker;
    for (let i = 0; i < transactionId.length; i++) {
      marker[END_LINE_START.length + i] = transactionId.charCodeAt(i);
    }
  }

  #pushBody(bytes: Buffer, from: number, events: MsrpParserEvent[]): number {
    let at = from;
    if (this.#matched > 0) {
      at = this.#continueEndLine(bytes, at, events);
      if (this.#state === 'head' || this.#matched > 0) return at;
    }
    const marker = this.#marker;
    for (let search = at; ;) {
      const found = bytes.indexOf(marker, search);
      if (found < 0) {
        const kept = this.#prefixAtEnd(bytes, Math.max(search, bytes.length - marker.length + 1));
        this.#emitBody(bytes, at, bytes.length - kept, events);
        this.#matched = kept;
        return bytes.length;
      }
      const flagAt = found + marker.length;
      const flag = flagOf(bytes[flagAt]);
      if (flag !== undefined && bytes[flagAt + 1] === CR && bytes[flagAt + 2] === LF) {
        this.#emitBody(bytes, at, found, events);
        events.push(END_EVENTS[flag]);
        this.#state = 'head';
        return flagAt + 3;
      }
      const cut =
        flagAt >= bytes.length ||
        (flag !== undefined &&
          (flagAt + 1 >= bytes.length || (bytes[flagAt + 1] === CR && flagAt + 2 >= bytes.length)));
      if (cut) {
        this.#emitBody(bytes, at, found, events);
        this.#matched = bytes.length - found;
        if (flag !== undefined) this.#flag = flag;
        return bytes.length;
      }
      search = flagAt;
    }
  }

  /** How many of the last bytes, looking no further back than `from`, begin the marker. */
  #prefixAtEnd(bytes: Buffer, from: number): number {
    for (let at = bytes.length - 1; at >= from; at--) {
      if (bytes[at] !== CR) continue;
      const length = bytes.length - at;
      for (let i = 1; i < length; i++) {
        if (bytes[at + i] !== this.#marker[i]) return 0;
      }
      return length;
    }
    return 0;
  }

  /** Goes on with an end-line that was cut by the end of the last read. */
  #continueEndLine(bytes: Buffer, from: number, events: MsrpParserEvent[]): number {
    const size = this.#marker.length;
    let at = from;
    while (at < bytes.length) {
      const byte = bytes[at];
      const matched = this.#matched;
      const flag = matched === size ? flagOf(byte) : undefined;
      const expected = matched < size ? this.#marker[matched] : matched === size + 1 ? CR : LF;
      if (flag !== undefined || (matched !== size && byte === expected)) {
        if (flag !== undefined) this.#flag = flag;
        at++;
        this.#matched++;
        if (this.#matched < size + 3) continue;
        this.#matched = 0;
        this.#implied = 0;
        this.#state = 'head';
        events.push(END_EVENTS[this.#flag]);
        return at;
      }
      // Not an end-line: what was held back is body, but its last CR may begin one.
      const again = matched === size + 2 ? 1 : 0;
      this.#emitHeld(matched - again, events);
      this.#matched = again;
      this.#implied = 0;
      if (again === 0) return at;
    }
    return at;
  }

  #emitHeld(length: number, events: MsrpParserEvent[]): void {
    if (length <= this.#implied) return;
    const size = this.#marker.length;
    const held = Buffer.allocUnsafeSlow(size + 2);
    held.set(this.#marker);
    held.write(`${this.#flag}\r`, size, 'latin1');
    this.#emitBody(held, this.#implied, length, events);
  }

  #emitBody(bytes: Buffer, from: number, to: number, events: MsrpParserEvent[]): void {
    if (to <= from) return;
    this.#bodyBytes += to - from;
    if (this.#bodyBytes > this.#maxBodyBytes) {
      const text = `body over ${this.#maxBodyBytes} bytes`;
      throw new ProtocolError('MSRP_CHUNK_TOO_LARGE', this.#oversizeAnswer, text);
    }
    events.push({
      kind: 'body',
      bytes: from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to),
    });
  }
}
