/**
 * Owns: SIP messages as values: start line, ordered headers, body; parse from and serialise to bytes (RFC 3261 §7).
 * Called by: the engine, the user agent, the IM server. Calls: sip/headers, base/limits.
 */
import { SIP_LIMITS } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { TOKEN, parseCSeq, splitHeaderList } from './headers.ts';

const COMPACT: Readonly<Partial<Record<string, string>>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

/** Names that were seen: most messages are made of the same thirty. */
const KEYS = new Map<string, string>();
const MAX_KEYS = 1_000;

/** The name under which a header is looked up: lower case, compact form expanded (RFC 3261 §7.3.3). */
export function headerKey(name: string): string {
  const known = KEYS.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  const key = lower.length === 1 ? (COMPACT[lower] ?? lower) : lower;
  if (KEYS.size < MAX_KEYS && name.length <= 40) KEYS.set(name, key);
  return key;
}

/** Header lines in order; names as received; lookups ignore case and know the compact forms. */
export class SipHeaders implements Iterable<{ readonly name: string; readonly value: string }> {
  /** Three columns of one table. */
  #keys: string[] = [];
  #names: string[] = [];
  #values: string[] = [];

  /** Builds from `[name, value]` pairs. */
  constructor(lines: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of lines) this.append(name, value);
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The first line of that name. */
  get(name: string): string | undefined {
    const index = this.#keys.indexOf(headerKey(name));
    return index < 0 ? undefined : this.#values[index];
  }

  /** Each line of that name, in order, not split at commas. */
  getAll(name: string): string[] {
    const key = headerKey(name);
    const found: string[] = [];
    for (let i = this.#keys.indexOf(key); i >= 0; i = this.#keys.indexOf(key, i + 1)) {
      found.push(this.#values[i] ?? '');
    }
    return found;
  }

  /** Each value of that name: all lines, split at commas (RFC 3261 §7.3.1). Not for Date or authentication headers. */
  list(name: string): string[] {
    const lines = this.getAll(name);
    const [only] = lines;
    if (lines.length === 1 && only !== undefined) return splitHeaderList(only);
    return lines.flatMap(splitHeaderList);
  }

  has(name: string): boolean {
    return this.#keys.includes(headerKey(name));
  }

  /** How many lines of that name there are. */
  count(name: string): number {
    const key = headerKey(name);
    let count = 0;
    for (const one of this.#keys) if (one === key) count += 1;
    return count;
  }

  append(name: string, value: string): void {
    this.#keys.push(headerKey(name));
    this.#names.push(name);
    this.#values.push(value);
  }

  prepend(name: string, value: string): void {
    this.#keys.unshift(headerKey(name));
    this.#names.unshift(name);
    this.#values.unshift(value);
  }

  /** Replaces the first line of that name in its place and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const key = headerKey(name);
    const first = this.#keys.indexOf(key);
    if (first < 0) {
      this.append(name, value);
      return;
    }
    this.#values[first] = value;
    this.#keep((index) => index <= first || this.#keys[index] !== key);
  }

  /** Replaces the first value of a list header, keeping the rest of its line (the top Via). */
  setFirst(name: string, value: string): void {
    const first = this.#keys.indexOf(headerKey(name));
    if (first < 0) {
      this.prepend(name, value);
      return;
    }
    const line = this.#values[first] ?? '';
    this.#values[first] = line.includes(',') ? [value, ...splitHeaderList(line).slice(1)].join(', ') : value;
  }

  remove(name: string): void {
    const key = headerKey(name);
    this.#keep((index) => this.#keys[index] !== key);
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    copy.#keys = [...this.#keys];
    copy.#names = [...this.#names];
    copy.#values = [...this.#values];
    return copy;
  }

  *[Symbol.iterator](): Iterator<{ readonly name: string; readonly value: string }> {
    for (let i = 0; i < this.#keys.length; i += 1) {
      yield { name: this.#names[i] ?? '', value: this.#values[i] ?? '' };
    }
  }

  /**
   * The lines as they stand on the wire, each with its line end. Content-Length is written once, with `bodyBytes`,
   * whatever it says here (RFC 3261 §20.14).
   */
  format(bodyBytes: number): string {
    let text = '';
    let counted = false;
    for (let i = 0; i < this.#keys.length; i += 1) {
      if (this.#keys[i] !== 'content-length') text += `${this.#names[i] ?? ''}: ${this.#values[i] ?? ''}\r\n`;
      else if (!counted) {
        counted = true;
        text += `${this.#names[i] ?? ''}: ${bodyBytes}\r\n`;
      }
    }
    return counted ? text : `${text}Content-Length: ${bodyBytes}\r\n`;
  }

  #keep(wanted: (index: number) => boolean): void {
    if (this.#keys.every((_, index) => wanted(index))) return;
    const kept = [...this.#keys.keys()].filter(wanted);
    this.#names = kept.map((index) => this.#names[index] ?? '');
    this.#values = kept.map((index) => this.#values[index] ?? '');
    this.#keys = kept.map((index) => this.#keys[index] ?? '');
  }
}

export interface SipRequest {
  readonly kind: 'request';
  readonly method: string;
  /** The Request-URI as text. */
  readonly uri: string;
  readonly headers: SipHeaders;
  readonly body: Buffer;
}

export interface SipResponse {
  readonly kind: 'response';
  readonly status: number;
  readonly reason: string;
  readonly headers: SipHeaders;
  readonly body: Buffer;
}

export type SipMessage = SipRequest | SipResponse;

export interface ParseOptions {
  /**
   * `count` (default): Content-Length bounds the body (RFC 3261 §18.3); missing means "the rest".
   * `ignore`: the body is the rest whatever Content-Length says (drachtio control frames).
   */
  readonly contentLength?: 'count' | 'ignore';
}

const HEAD_END = Buffer.from('\r\n\r\n');
/** Line ends stand in pairs only; a NUL only behind a backslash in a quoted string (RFC 3261 §25.1, RFC 4475 §3.1.1.2). */
function isForbidden(line: string): boolean {
  return line.includes('\n') || line.includes('\r') || (line.includes('\0') && /(?<!\\)\u0000/.test(line));
}

function refuse(code: string, status: number, message: string): never {
  throw new ProtocolError(code, status, message);
}

type StartLine =
  { kind: 'request'; method: string; uri: string } | { kind: 'response'; status: number; reason: string };

function parseStartLine(line: string): StartLine {
  if (/^SIP\//i.test(line)) {
    const [, version, digits, reason] = /^SIP\/(\d+\.\d+) (\d{3})(?: (.*))?$/i.exec(line) ?? [];
    if (digits === undefined || version !== '2.0') refuse('SIP_BAD_START_LINE', 400, 'bad status line');
    const status = Number(digits);
    if (status < 100 || status > 699) refuse('SIP_BAD_START_LINE', 400, 'status code out of range');
    return { kind: 'response', status, reason: reason ?? '' };
  }
  const first = line.indexOf(' ');
  const last = line.lastIndexOf(' ');
  const method = line.slice(0, Math.max(first, 0));
  const uri = line.slice(first + 1, Math.max(last, first + 1));
  const version = line.slice(last + 1);
  if (first <= 0 || last <= first || !TOKEN.test(method))
    refuse('SIP_BAD_START_LINE', 400, 'bad request line');
  if (!/^SIP\/\d+\.\d+$/i.test(version)) refuse('SIP_BAD_START_LINE', 400, 'bad request line');
  if (version.slice(4) !== '2.0') refuse('SIP_VERSION', 505, `unsupported version ${version.slice(0, 20)}`);
  if (uri === '' || /[\s<>"]/.test(uri)) refuse('SIP_BAD_START_LINE', 400, 'bad Request-URI');
  return { kind: 'request', method, uri };
}

function parseHeaderLines(lines: readonly string[]): SipHeaders {
  const headers = new SipHeaders();
  for (let i = 1; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (isForbidden(line)) refuse('SIP_BAD_HEADER', 400, 'control character in a header');
    // Folding (RFC 3261 §7.3.1): white space and the line end stand for one space.
    if (isContinuation(line)) refuse('SIP_BAD_HEADER', 400, 'continuation without a header');
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trimEnd();
    if (!KEYS.has(name) && !TOKEN.test(name)) refuse('SIP_BAD_HEADER', 400, 'header line without a name');
    let value = line.slice(colon + 1).trim();
    if (isContinuation(lines[i + 1])) {
      const parts = [value];
      for (; isContinuation(lines[i + 1]); i += 1) {
        const more = lines[i + 1] ?? '';
        if (isForbidden(more)) refuse('SIP_BAD_HEADER', 400, 'control character in a header');
        parts.push(more.trim());
      }
      value = parts.join(' ');
    }
    headers.append(name, value);
  }
  return headers;
}

function isContinuation(line: string | undefined): boolean {
  return line !== undefined && (line.startsWith(' ') || line.startsWith('\t'));
}

/**
 * The value of Content-Length.
 * @throws ProtocolError 400 when it is no number, or when two lines differ.
 */
export function contentLengthOf(headers: SipHeaders): number | undefined {
  const values = headers.getAll('content-length');
  const [first] = values;
  if (first === undefined) return undefined;
  if (!/^\d{1,10}$/.test(first) || values.some((value) => Number(value) !== Number(first))) {
    refuse('SIP_CONTENT_LENGTH', 400, 'bad Content-Length');
  }
  return Number(first);
}

const NO_BODY = Buffer.alloc(0);

/** Parses start line and headers, without the empty line that ends them. @throws ProtocolError */
export function parseSipHead(head: Buffer): SipMessage {
  if (head.length > SIP_LIMITS.maxHeadBytes) refuse('SIP_HEAD_TOO_LARGE', 513, 'head too large');
  const text = head.toString('utf8');
  const lines = text.split('\r\n');
  if (lines.length - 1 > SIP_LIMITS.maxHeaderLines)
    refuse('SIP_HEAD_TOO_LARGE', 513, 'too many header lines');
  const startLine = lines[0] ?? '';
  if (isForbidden(startLine)) refuse('SIP_BAD_START_LINE', 400, 'control character in the start line');
  const start = parseStartLine(startLine);
  const headers = parseHeaderLines(lines);
  return start.kind === 'request'
    ? { kind: 'request', method: start.method, uri: start.uri, headers, body: NO_BODY }
    : { kind: 'response', status: start.status, reason: start.reason, headers, body: NO_BODY };
}

/**
 * Parses one whole message, in linear time. Leading line ends are skipped (RFC 3261 §7.5).
 * @throws ProtocolError with the status for the wire (400, 505, 513); nothing else.
 */
export function parseSipMessage(bytes: Buffer, options: ParseOptions = {}): SipMessage {
  let start = 0;
  while (bytes[start] === 0x0d && bytes[start + 1] === 0x0a) start += 2;
  if (bytes.length - start > SIP_LIMITS.maxMessageBytes) refuse('SIP_TOO_LARGE', 513, 'message too large');
  const headEnd = bytes.indexOf(HEAD_END, start);
  if (headEnd < 0) refuse('SIP_BAD_MESSAGE', 400, 'no empty line after the headers');
  const message = parseSipHead(bytes.subarray(start, headEnd));
  const rest = bytes.subarray(headEnd + HEAD_END.length);
  if (options.contentLength === 'ignore') return rest.length === 0 ? message : { ...message, body: rest };
  const length = contentLengthOf(message.headers) ?? rest.length;
  if (length > rest.length) refuse('SIP_CONTENT_LENGTH', 400, 'body shorter than Content-Length');
  // An empty part would keep the whole block alive.
  return length === 0 ? message : { ...message, body: rest.subarray(0, length) };
}

/**
 * What can be saved from a request that does not parse, so that it can be answered 400 (RFC 3261 §16.3, §21.4.1):
 * the headers that a response copies. `undefined` when one of them is missing or it is not a request.
 */
export function salvageRequest(bytes: Buffer): SipRequest | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  const head = bytes.subarray(0, Math.min(headEnd < 0 ? bytes.length : headEnd, SIP_LIMITS.maxHeadBytes));
  const [startLine = '', ...lines] = head.toString('utf8').split('\r\n', SIP_LIMITS.maxHeaderLines);
  const method = startLine.slice(0, Math.max(startLine.indexOf(' '), 0));
  if (/^SIP\//i.test(startLine) || !TOKEN.test(method) || method === 'ACK') return undefined;
  const headers = new SipHeaders();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trimEnd();
    if (!TOKEN.test(name) || isForbidden(line)) continue;
    if (COPIED_INTO_RESPONSES.includes(headerKey(name))) headers.append(name, line.slice(colon + 1).trim());
  }
  if (!COPIED_INTO_RESPONSES.every((name) => headers.has(name))) return undefined;
  return { kind: 'request', method, uri: '', headers, body: Buffer.alloc(0) };
}

const COPIED_INTO_RESPONSES = ['via', 'from', 'to', 'call-id', 'cseq'];

/** The CSeq of a message. @throws ProtocolError 400 */
export function cseqOf(message: SipMessage): ReturnType<typeof parseCSeq> {
  return parseCSeq(message.headers.get('cseq') ?? '');
}

/**
 * The same bytes in a block of their own: for what is kept for long. Small buffers are cut from shared blocks of 8 KB,
 * which live as long as the last piece of them.
 */
export function keptBytes(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(own);
  return own;
}

/**
 * The same text with a memory of its own: for what is kept for long. What is cut out of a message keeps the whole message
 * alive, and what was put together keeps its pieces.
 */
export function keptText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

/** Writes a message. Content-Length is always there and always right (RFC 3261 §20.14). */
export function serialiseSipMessage(message: SipMessage): Buffer {
  const { body } = message;
  const startLine =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  const head = `${startLine}\r\n${message.headers.format(body.length)}\r\n`;
  if (body.length === 0) return Buffer.from(head, 'utf8');
  const headBytes = Buffer.byteLength(head, 'utf8');
  const bytes = Buffer.allocUnsafe(headBytes + body.length);
  bytes.write(head, 0, 'utf8');
  body.copy(bytes, headBytes);
  return bytes;
}
