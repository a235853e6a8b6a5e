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

/** Ceilings that the head parser applies. */
export interface HeadLimits {
  readonly maxHeaderLines: number;
  readonly maxTransactionIdChars: number;
}

/**
 * Parses the start line and header lines, each with its CRLF (RFC 4975 §9). Throws ProtocolError with `close` when
 * the start line is not MSRP; mistakes in headers are recorded in `fault`.
 */
export function parseMsrpHead(text: string, hasBody: boolean, limits: HeadLimits): MsrpHead {
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
  const kind = text.slice(space + 1, firstEnd);
  const status = STATUS.exec(kind);
  if (status !== null) {
    head.status = Number(status[1]);
    head.comment = status[2] ?? '';
  } else if (METHOD.test(kind)) {
    head.method = kind;
  } else {
    throw new ProtocolError('MSRP_BAD_START_LINE', 'close', 'neither a method nor a status');
  }
  parseHeaders(text, firstEnd + 2, head, limits.maxHeaderLines);
  return head;
}

function parseHeaders(text: string, from: number, head: MsrpHead, maxLines: number): void {
  let others: MsrpHeader[] | undefined;
  let lines = 0;
  for (let at = from; at < text.length;) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon);
    if (colon < 0 || colon > end || end < 0) {
      head.fault ??= new ProtocolError('MSRP_BAD_HEADER', 400, 'header line without a colon');
    } else if (++lines > maxLines) {
      head.fault ??= new ProtocolError('MSRP_TOO_MANY_HEADERS', 400, `more than ${maxLines} header lines`);
    } else {
      const value = text.slice(colon + 1, end).trim();
      const field = FIELDS.get(name) ?? FIELDS.get(name.toLowerCase());
      if (field !== undefined) {
        if (head[field] !== undefined) {
          head.fault ??= new ProtocolError('MSRP_DUPLICATE_HEADER', 400, `${name} occurs twice`);
        } else {
          head[field] = value;
        }
      } else if (HEADER_NAME.test(name)) {
        (others ??= []).push({ name, value });
      } else {
        head.fault ??= new ProtocolError('MSRP_BAD_HEADER', 400, 'bad header name');
      }
    }
    if (end < 0) break;
    at = end + 2;
  }
  if (others !== undefined) head.others = others;
}

const RANGE = /^(\d{1,15})-(\d{1,15}|\*)\/(\d{1,15}|\*)$/;

/** Parses a Byte-Range value (RFC 4975 §9). Throws ProtocolError `MSRP_BAD_BYTE_RANGE`, status 400. */
export function parseByteRange(text: string): ByteRange {
  const match = RANGE.exec(text);
  const start = Number(match?.[1] ?? 0);
  const end = match?.[2] === '*' ? undefined : Number(match?.[2]);
  const total = match?.[3] === '*' ? undefined : Number(match?.[3]);
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
