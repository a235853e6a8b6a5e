/**
 * Owns: the head of an MSRP frame as a value, its grammar, and how frames of ours are written.
 * Called by: parser.ts, endpoint.ts, session.ts. Calls: base.
 */
import { ProtocolError } from '../base/protocol-error.ts';

/** The continuation flag of an end-line (RFC 4975 §7.1): complete, more to come, aborted. */
export type MsrpFlag = '$' | '+' | '#';

/** A Byte-Range (RFC 4975 §7.1.1); `undefined` stands for `*`. Bytes count from 1. */
export interface ByteRange {
  readonly start: number;
  readonly end: number | undefined;
  readonly total: number | undefined;
}

/** A header that this layer does not read itself. */
export interface MsrpHeader {
  readonly name: string;
  readonly value: string;
}

/** The head of a request or response. Header values are as on the wire, trimmed. */
export interface MsrpHead {
  readonly transactionId: string;
  /** Empty in a response. */
  method: string;
  /** 0 in a request. */
  status: number;
  comment: string;
  toPath: string | undefined;
  fromPath: string | undefined;
  messageId: string | undefined;
  byteRange: string | undefined;
  successReport: string | undefined;
  failureReport: string | undefined;
  /** The Status header of a REPORT. */
  reportStatus: string | undefined;
  contentType: string | undefined;
  others: readonly MsrpHeader[];
  /** A blank line followed the headers. Bodiless frames have none (RFC 4975 §9). */
  hasBody: boolean;
  /** A mistake that leaves the framing intact: to be answered, not fatal to the connection. */
  fault: ProtocolError | undefined;
}

type Field =
  | 'toPath'
  | 'fromPath'
  | 'messageId'
  | 'byteRange'
  | 'successReport'
  | 'failureReport'
  | 'reportStatus'
  | 'contentType';

const FIELDS = new Map<string, Field>();
for (const [name, field] of [
  ['To-Path', 'toPath'],
  ['From-Path', 'fromPath'],
  ['Message-ID', 'messageId'],
  ['Byte-Range', 'byteRange'],
  ['Success-Report', 'successReport'],
  ['Failure-Report', 'failureReport'],
  ['Status', 'reportStatus'],
  ['Content-Type', 'contentType'],
] as const) {
  FIELDS.set(name, field);
  FIELDS.set(name.toLowerCase(), field);
}

const IDENT = /^[A-Za-z0-9][A-Za-z0-9.\-+%=]*$/;
const METHOD = /^[A-Z][A-Za-z0-9-]{0,31}$/;
const STATUS = /^(\d{3})(?: (.*))?$/;
const HEADER_NAME = /^[A-Za-z][!#$%&'*+\-.^_`|~0-9A-Za-z]*$/;
const NO_HEADERS: readonly MsrpHeader[] = [];
const COLON = 58;

/** Ceilings that the head parser applies. */
export interface HeadLimits {
  readonly maxHeaderLines: number;
  readonly maxTransactionIdChars: number;
}

/** The two path lines right behind a start line: the next frame of a connection usually repeats them. */
export interface KnownPaths {
  /** Both lines, each with its CRLF. */
  readonly text: string;
  readonly toPath: string;
  readonly fromPath: string;
}

/** Heads are read as Latin-1, which is a copy; only what may carry names is decoded, and only if it is not ASCII. */
function decodeValue(value: string): string {
  for (let at = 0; at < value.length; at++) {
    if (value.charCodeAt(at) > 127) return Buffer.from(value, 'latin1').toString('utf8');
  }
  return value;
}

/**
 * Parses the start line and header lines, each with its CRLF (RFC 4975 §9); `text` is Latin-1. Throws ProtocolError
 * with `close` when the start line is not MSRP; mistakes in headers are recorded in `fault`. `known` says that the
 * headers begin with those lines.
 */
export function parseMsrpHead(
  text: string,
  hasBody: boolean,
  limits: HeadLimits,
  known?: KnownPaths,
): MsrpHead {
  const firstEnd = text.indexOf('\r\n');
  const space = text.indexOf(' ', 5);
  const transactionId = text.slice(5, space);
  if (
    !text.startsWith('MSRP ') ||
    space < 0 ||
    space > firstEnd ||
    transactionId.length > limits.maxTransactionIdChars ||
    !IDENT.test(transactionId)
  ) {
    throw new ProtocolError('MSRP_BAD_START_LINE', 'close', 'not an MSRP start line');
  }
  const head: MsrpHead = {
    transactionId,
    method: '',
    status: 0,
    comment: '',
    toPath: undefined,
    fromPath: undefined,
    messageId: undefined,
    byteRange: undefined,
    successReport: undefined,
    failureReport: undefined,
    reportStatus: undefined,
    contentType: undefined,
    others: NO_HEADERS,
    hasBody,
    fault: undefined,
  };
  parseKind(text.slice(space + 1, firstEnd), head);
  let at = firstEnd + 2;
  let lines = 0;
  if (known !== undefined) {
    head.toPath = known.toPath;
    head.fromPath = known.fromPath;
    at += known.text.length;
    lines = 2;
  }
  parseHeaders(text, at, head, limits.maxHeaderLines, lines);
  return head;
}

/** The path lines of a head for the next one, when they stand together right behind the start line. */
export function findKnownPaths(text: string, head: MsrpHead): KnownPaths | undefined {
  const { toPath, fromPath } = head;
  if (toPath === undefined || fromPath === undefined) return undefined;
  const lines = `To-Path: ${toPath}\r\nFrom-Path: ${fromPath}\r\n`;
  return text.startsWith(lines, text.indexOf('\r\n') + 2) ? { text: lines, toPath, fromPath } : undefined;
}

function parseKind(kind: string, head: MsrpHead): void {
  if (kind === 'SEND') {
    head.method = 'SEND';
    return;
  }
  if (kind === '200 OK') {
    head.status = 200;
    head.comment = 'OK';
    return;
  }
  const status = STATUS.exec(kind);
  if (status !== null) {
    head.status = Number(status[1]);
    head.comment = decodeValue(status[2] ?? '');
  } else if (METHOD.test(kind)) {
    head.method = kind;
  } else {
    throw new ProtocolError('MSRP_BAD_START_LINE', 'close', 'neither a method nor a status');
  }
}

function parseHeaders(text: string, from: number, head: MsrpHead, maxLines: number, before: number): void {
  let others: MsrpHeader[] | undefined;
  let lines = before;
  for (let at = from; at < text.length;) {
    const end = text.indexOf('\r\n', at);
    let colon = at;
    while (colon < end && text.charCodeAt(colon) !== COLON) colon++;
    if (colon >= end) {
      head.fault ??= new ProtocolError('MSRP_BAD_HEADER', 400, 'header line without a colon');
    } else if (++lines > maxLines) {
      head.fault ??= new ProtocolError('MSRP_TOO_MANY_HEADERS', 400, `more than ${maxLines} header lines`);
    } else {
      const name = text.slice(at, colon);
      const value = text.slice(colon + 1, end).trim();
      const field = FIELDS.get(name) ?? FIELDS.get(name.toLowerCase());
      if (field !== undefined) {
        if (head[field] !== undefined) {
          head.fault ??= new ProtocolError('MSRP_DUPLICATE_HEADER', 400, `${name} occurs twice`);
        } else {
          head[field] = value;
        }
      } else if (HEADER_NAME.test(name)) {
        (others ??= []).push({ name, value: decodeValue(value) });
      } else {
        head.fault ??= new ProtocolError('MSRP_BAD_HEADER', 400, 'bad header name');
      }
    }
    if (end < 0) break;
    at = end + 2;
  }
  if (others !== undefined) head.others = others;
}

const RANGE = /^(\d{1,32})-(\d{1,32}|\*)\/(\d{1,32}|\*)$/;

/**
 * Parses a Byte-Range value (RFC 4975 §9). Throws ProtocolError `MSRP_BAD_BYTE_RANGE`, status 400, or 413 for numbers that
 * nobody can count to.
 */
export function parseByteRange(text: string): ByteRange {
  return parseWholeRange(text) ?? parseAnyRange(text);
}

const MAX_QUICK_DIGITS = 9;

/** `1-300/300`, digit by digit: what nearly every message says. Anything else is left to the grammar. */
function parseWholeRange(text: string): ByteRange | undefined {
  if (!text.startsWith('1-') || text.length > 3 + 2 * MAX_QUICK_DIGITS) return undefined;
  let at = 2;
  let end = 0;
  let digit = text.charCodeAt(at) - 48;
  for (; digit >= 0 && digit <= 9; digit = text.charCodeAt(++at) - 48) end = end * 10 + digit;
  const slash = at;
  if (slash === 2 || text.charCodeAt(slash) !== 47) return undefined;
  let total = 0;
  digit = text.charCodeAt(++at) - 48;
  for (; digit >= 0 && digit <= 9; digit = text.charCodeAt(++at) - 48) total = total * 10 + digit;
  const digits = Math.max(slash - 2, at - slash - 1);
  const fits = at === text.length && at > slash + 1 && digits <= MAX_QUICK_DIGITS;
  return fits && end <= total ? { start: 1, end, total } : undefined;
}

function parseAnyRange(text: string): ByteRange {
  const match = RANGE.exec(text);
  const start = Number(match?.[1] ?? 0);
  const end = match?.[2] === '*' ? undefined : Number(match?.[2]);
  const total = match?.[3] === '*' ? undefined : Number(match?.[3]);
  if (match !== null && ![start, end ?? 0, total ?? 0].every(Number.isSafeInteger)) {
    throw new ProtocolError('MSRP_MESSAGE_TOO_LARGE', 413, 'a Byte-Range beyond 2^53');
  }
  const backwards = end !== undefined && end < start - 1;
  const beyond = total !== undefined && (start - 1 > total || (end !== undefined && end > total));
  if (match === null || start < 1 || backwards || beyond) {
    throw new ProtocolError('MSRP_BAD_BYTE_RANGE', 400, `not a Byte-Range: ${text.slice(0, 60)}`);
  }
  return { start, end, total };
}

/** A Byte-Range as it stands in a header. */
export function formatByteRange(range: ByteRange): string {
  return `${range.start}-${range.end ?? '*'}/${range.total ?? '*'}`;
}

const COMMENTS: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  408: 'Timeout',
  413: 'Stop Sending',
  415: 'Media Type Not Supported',
  423: 'Out Of Bounds',
  424: 'Malformed Nickname',
  425: 'Nickname Reserved',
  428: 'Private Messages Not Supported',
  481: 'No Such Session',
  501: 'Unknown Method',
  506: 'Session In Use',
};

/** The comment that goes with a status code (RFC 4975 §10). */
export function statusComment(status: number): string {
  return COMMENTS[status] ?? 'Unknown';
}

/** The end-line with its CRLF, without the CRLF that separates it from a body (RFC 4975 §9). */
export function formatEndLine(transactionId: string, flag: MsrpFlag): string {
  return `-------${transactionId}${flag}\r\n`;
}

/**
 * A whole response (RFC 4975 §7.2). `toPath` is exactly one URI: the first of the request's From-Path; `fromPath`
 * the first of its To-Path.
 */
export function formatResponse(
  transactionId: string,
  status: number,
  toPath: string,
  fromPath: string,
): string {
  return `MSRP ${transactionId} ${status} ${statusComment(status)}\r\nTo-Path: ${toPath}\r\nFrom-Path: ${fromPath}\r\n-------${transactionId}$\r\n`;
}

/** Whether `text` may stand for a Message-ID that we send (RFC 4975 §9 `ident`: 4 to 32 characters). */
export function isMessageId(text: string): boolean {
  return text.length >= 4 && text.length <= 32 && IDENT.test(text);
}

/** The first URI of a raw path header, for answers to requests whose path was not parsed. */
export function firstPathUri(rawPath: string): string {
  const space = rawPath.indexOf(' ');
  return space < 0 ? rawPath : rawPath.slice(0, space);
}
