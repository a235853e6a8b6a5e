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

/** The name under which a header is looked up: lower case, compact form expanded (RFC 3261 §7.3.3). */
export function headerKey(name: string): string {
  const lower = name.toLowerCase();
  return lower.length === 1 ? (COMPACT[lower] ?? lower) : lower;
}

interface HeaderLine {
  readonly key: string;
  readonly name: string;
  value: string;
}

/** Header lines in order; names as received; lookups ignore case and know the compact forms. */
export class SipHeaders implements Iterable<{ readonly name: string; readonly value: string }> {
  readonly #lines: HeaderLine[] = [];

  /** Builds from `[name, value]` pairs. */
  constructor(lines: Iterable<readonly [name: string, value: string]> = []) {
    for (const [name, value] of lines) this.append(name, value);
  }

  get size(): number {
    return this.#lines.length;
  }

  /** The first line of that name. */
  get(name: string): string | undefined {
    const key = headerKey(name);
    return this.#lines.find((line) => line.key === key)?.value;
  }

  /** Each line of that name, in order, not split at commas. */
  getAll(name: string): string[] {
    const key = headerKey(name);
    return this.#lines.filter((line) => line.key === key).map((line) => line.value);
  }

  /** Each value of that name: all lines, split at commas (RFC 3261 §7.3.1). Not for Date or authentication headers. */
  list(name: string): string[] {
    return this.getAll(name).flatMap(splitHeaderList);
  }

  has(name: string): boolean {
    const key = headerKey(name);
    return this.#lines.some((line) => line.key === key);
  }

  append(name: string, value: string): void {
    this.#lines.push({ key: headerKey(name), name, value });
  }

  prepend(name: string, value: string): void {
    this.#lines.unshift({ key: headerKey(name), name, value });
  }

  /** Replaces the first line of that name in its place and drops the others; appends when there is none. */
  set(name: string, value: string): void {
    const key = headerKey(name);
    const first = this.#lines.find((line) => line.key === key);
    if (first === undefined) {
      this.append(name, value);
      return;
    }
    first.value = value;
    const kept = this.#lines.filter((line) => line === first || line.key !== key);
    if (kept.length !== this.#lines.length) this.#lines.splice(0, this.#lines.length, ...kept);
  }

  /** Replaces the first value of a list header, keeping the rest of its line (the top Via). */
  setFirst(name: string, value: string): void {
    const key = headerKey(name);
    const first = this.#lines.find((line) => line.key === key);
    if (first === undefined) this.prepend(name, value);
    else first.value = [value, ...splitHeaderList(first.value).slice(1)].join(', ');
  }

  remove(name: string): void {
    const key = headerKey(name);
    const kept = this.#lines.filter((line) => line.key !== key);
    if (kept.length !== this.#lines.length) this.#lines.splice(0, this.#lines.length, ...kept);
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    for (const line of this.#lines) copy.#lines.push({ ...line });
    return copy;
  }

  *[Symbol.iterator](): Iterator<{ readonly name: string; readonly value: string }> {
    yield* this.#lines;
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
const FORBIDDEN = /[\u0000\r\n]/;

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
  let name: string | undefined;
  let parts: string[] = [];
  const flush = (): void => {
    if (name !== undefined) headers.append(name, parts.length === 1 ? (parts[0] ?? '') : parts.join(' '));
  };
  for (const line of lines) {
    if (FORBIDDEN.test(line)) refuse('SIP_BAD_HEADER', 400, 'control character in a header');
    if (line.startsWith(' ') || line.startsWith('\t')) {
      // Folding (RFC 3261 §7.3.1): white space and the line end stand for one space.
      if (name === undefined) refuse('SIP_BAD_HEADER', 400, 'continuation without a header');
      parts.push(line.trim());
      continue;
    }
    flush();
    const colon = line.indexOf(':');
    name = line.slice(0, Math.max(colon, 0)).trimEnd();
    if (!TOKEN.test(name)) refuse('SIP_BAD_HEADER', 400, 'header line without a name');
    parts = [line.slice(colon + 1).trim()];
  }
  flush();
  return headers;
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

/** Parses start line and headers, without the empty line that ends them. @throws ProtocolError */
export function parseSipHead(head: Buffer): SipMessage {
  if (head.length > SIP_LIMITS.maxHeadBytes) refuse('SIP_HEAD_TOO_LARGE', 513, 'head too large');
  const lines = head.toString('utf8').split('\r\n');
  if (lines.length - 1 > SIP_LIMITS.maxHeaderLines)
    refuse('SIP_HEAD_TOO_LARGE', 513, 'too many header lines');
  const startLine = lines[0] ?? '';
  if (FORBIDDEN.test(startLine)) refuse('SIP_BAD_START_LINE', 400, 'control character in the start line');
  return { ...parseStartLine(startLine), headers: parseHeaderLines(lines.slice(1)), body: Buffer.alloc(0) };
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
  if (options.contentLength === 'ignore') return { ...message, body: rest };
  const length = contentLengthOf(message.headers) ?? rest.length;
  if (length > rest.length) refuse('SIP_CONTENT_LENGTH', 400, 'body shorter than Content-Length');
  return { ...message, body: rest.subarray(0, length) };
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
    if (!TOKEN.test(name) || FORBIDDEN.test(line)) continue;
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

/** Writes a message. Content-Length is always there and always right (RFC 3261 §20.14). */
export function serialiseSipMessage(message: SipMessage): Buffer {
  const lines: string[] = [
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`,
  ];
  let counted = false;
  for (const { name, value } of message.headers) {
    if (headerKey(name) === 'content-length') {
      if (counted) continue;
      counted = true;
      lines.push(`${name}: ${message.body.length}`);
    } else lines.push(`${name}: ${value}`);
  }
  if (!counted) lines.push(`Content-Length: ${message.body.length}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8');
  return message.body.length === 0 ? head : Buffer.concat([head, message.body]);
}
