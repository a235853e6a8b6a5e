/**
 * Owns: from an application's `sip` frame to a complete request or response: what the engine fills in, drops and
 * replaces (RFC 3261 §8.1.1, §8.2.6, §12). Called by: the cores. Calls: sip/headers, sip/uri, ids.ts.
 */
import { ProtocolError } from '../../base/protocol-error.ts';
import { formatNameAddr, parseNameAddr, splitHeaderList, type NameAddr } from '../headers.ts';
import {
  headerKey,
  keptBytes,
  parseSipMessage,
  SipHeaders,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from '../message.ts';
import { formatSipUri, hostOfAddress, tryParseSipUri } from '../uri.ts';
import { newBranch, newTag } from './ids.ts';
import type { Flow } from './transport.ts';
import { warningValue } from './unreachable.ts';

const NAMES: Readonly<Partial<Record<string, string>>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'mime-version': 'MIME-Version',
  rack: 'RAck',
  rseq: 'RSeq',
  'sip-etag': 'SIP-ETag',
  'sip-if-match': 'SIP-If-Match',
  'www-authenticate': 'WWW-Authenticate',
  'min-se': 'Min-SE',
};

/** `some-thing` → `Some-Thing`; names that begin with X- stay as they are. */
export function prettyName(name: string): string {
  if (/^x-/i.test(name)) return name;
  const key = headerKey(name);
  return (
    NAMES[key] ??
    key.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
  );
}

/** `sip:host:port[;transport=tcp]`: how we are reached on this flow. */
export function ownUri(flow: Flow): string {
  const transport = flow.transport === 'udp' ? '' : `;transport=${flow.transport}`;
  return `sip:${hostOfAddress(flow.localAddress)}:${flow.localPort}${transport}`;
}

/** Our Via, with a branch of its own unless one is given (CANCEL). `rport` over UDP (RFC 3581). */
export function ownVia(flow: Flow, branch: string = newBranch()): string {
  const rport = flow.transport === 'udp' ? ';rport' : '';
  const sentBy = `${hostOfAddress(flow.localAddress)}:${flow.localPort}`;
  return `SIP/2.0/${flow.transport.toUpperCase()} ${sentBy}${rport};branch=${branch}`;
}

/**
 * Reads the SIP part of a frame. Header lines without a proper name are dropped, Content-Length is not believed.
 * @throws ProtocolError when even the start line is unusable
 */
export function parseFrameMessage(sip: Buffer): SipMessage {
  try {
    const message = parseSipMessage(sip, { contentLength: 'ignore' });
    // A part of what was read from the socket would keep all of it alive for as long as the call lasts.
    return message.body.length === 0 ? message : { ...message, body: keptBytes(message.body) };
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return parseSipMessage(withoutBadLines(sip), { contentLength: 'ignore' });
  }
}

/** The message without the header lines that have no name, or line ends where none belong. */
function withoutBadLines(sip: Buffer): Buffer {
  const headEnd = sip.indexOf('\r\n\r\n');
  const head = sip.toString('utf8', 0, headEnd < 0 ? sip.length : headEnd);
  const body = headEnd < 0 ? Buffer.alloc(0) : sip.subarray(headEnd + 4);
  const [startLine = '', ...lines] = head.split(/\r\n(?![ \t])/);
  const kept = lines.filter(
    (line) => /^[\w\-.!%*+`'~]+[ \t]*:/.test(line) && !/[\n\r\0](?![ \t])/.test(line),
  );
  const text = Buffer.from(`${[startLine, ...kept].join('\r\n')}\r\n\r\n`, 'utf8');
  return Buffer.concat([text, body]);
}

const LOCALHOST_HEADERS = new Set(['from', 'to', 'contact', 'p-asserted-identity']);

/** The same name-addr with another URI, in brackets; what stands around it is not touched (quoted parameters). */
function withUri(text: string, nameAddr: NameAddr, uri: string): string {
  const bracketed = text.lastIndexOf(`<${nameAddr.uri}>`);
  if (bracketed >= 0) {
    return `${text.slice(0, bracketed)}<${uri}>${text.slice(bracketed + nameAddr.uri.length + 2)}`;
  }
  return text.startsWith(nameAddr.uri)
    ? `<${uri}>${text.slice(nameAddr.uri.length)}`
    : formatNameAddr({ ...nameAddr, uri });
}

/** Replaces `user@localhost` by the address of the flow; other values are returned as they are. */
function replaceLocalhost(value: string, flow: Flow): string {
  if (!/@localhost\b/i.test(value)) return value;
  const parts = splitHeaderList(value).map((part) => {
    const nameAddr = parseNameAddr(part);
    const uri = tryParseSipUri(nameAddr.uri);
    if (uri?.user === undefined || uri.host.toLowerCase() !== 'localhost') return part;
    const local = { ...uri, host: hostOfAddress(flow.localAddress), port: flow.localPort };
    return withUri(part, nameAddr, formatSipUri(local));
  });
  return parts.join(', ');
}

/** Names that the engine writes itself: never taken over from the application's header list as they come. */
const OWN_HEADERS = new Set([
  'via',
  'route',
  'record-route',
  'rseq',
  'content-length',
  'max-forwards',
  'from',
  'to',
  'call-id',
  'cseq',
  'contact',
  'content-type',
]);

const NUMBERS = new Set(['expires', 'min-expires', 'session-expires', 'min-se', 'retry-after']);
const NAME_ADDRS = new Set(['contact', 'refer-to', 'referred-by', 'reply-to', 'from', 'to']);

/** Can the value of a well-known header be read? Others are not judged. */
function isReadable(key: string, value: string): boolean {
  if (NUMBERS.has(key)) return /^\s*\d{1,10}\s*(?:[;(].*)?$/.test(value);
  if (!NAME_ADDRS.has(key) || value.trim() === '*') return true;
  try {
    splitHeaderList(value).forEach(parseNameAddr);
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

/** The headers of a response as the application gave them. @throws ProtocolError when one cannot be read */
export function checkGivenHeaders(given: SipHeaders): void {
  for (const { name, value } of given) {
    if (isReadable(headerKey(name), value)) continue;
    throw new ProtocolError('SIP_BAD_HEADER', 400, `bad ${name}`);
  }
}

/** Appends what the application gave beyond the headers that the engine writes. What cannot be read is left out. */
function appendOthers(into: SipHeaders, from: SipHeaders, flow: Flow): void {
  for (const { name, value } of from) {
    const key = headerKey(name);
    if (OWN_HEADERS.has(key) || !isReadable(key, value)) continue;
    into.append(prettyName(name), LOCALHOST_HEADERS.has(key) ? replaceLocalhost(value, flow) : value);
  }
}

/** @throws ProtocolError `SIP_NO_CONTENT_TYPE` when there is a body of unknown kind */
function appendContentType(into: SipHeaders, given: SipHeaders, body: Buffer): void {
  const type = given.get('content-type');
  if (type !== undefined) into.append('Content-Type', type);
  else if (body.subarray(0, 3).toString('latin1') === 'v=0') into.append('Content-Type', 'application/sdp');
  else if (body.length > 0) throw new ProtocolError('SIP_NO_CONTENT_TYPE', 400, 'missing content-type');
}

function appendAgent(into: SipHeaders, name: 'User-Agent' | 'Server', agent: string | undefined): void {
  if (agent !== undefined && !into.has('user-agent') && !into.has('server')) into.append(name, agent);
}

export interface RequestParts {
  readonly method: string;
  readonly uri: string;
  readonly flow: Flow;
  readonly routes?: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly contact?: string | undefined;
  readonly branch?: string;
  readonly userAgent: string | undefined;
  /** What the application gave. */
  readonly given: SipHeaders;
  readonly body: Buffer;
}

/** Puts a request together, in the order in which routers like to read it. @throws ProtocolError */
export function buildRequest(parts: RequestParts): SipRequest {
  const { given, flow } = parts;
  const headers = new SipHeaders([['Via', ownVia(flow, parts.branch)]]);
  for (const route of parts.routes ?? []) headers.append('Route', route);
  headers.append('Max-Forwards', given.get('max-forwards') ?? '70');
  headers.append('From', parts.from);
  headers.append('To', parts.to);
  headers.append('Call-ID', parts.callId);
  headers.append('CSeq', `${parts.cseq} ${parts.method}`);
  if (parts.contact !== undefined) headers.append('Contact', parts.contact);
  appendOthers(headers, given, flow);
  appendAgent(headers, 'User-Agent', parts.userAgent);
  appendContentType(headers, given, parts.body);
  headers.append('Content-Length', String(parts.body.length));
  return { kind: 'request', method: parts.method, uri: parts.uri, headers, body: parts.body };
}

/** In angle brackets, so that nobody takes a parameter of the URI for one of the header. @throws ProtocolError */
function bracketed(value: string): string {
  const parsed = parseNameAddr(value);
  return value.includes('<') ? value : withUri(value.trim(), parsed, parsed.uri);
}

/** From of a new request: the application's, or our own address; with a tag. @throws ProtocolError */
export function fromOf(given: SipHeaders, flow: Flow, makeTag: () => string): string {
  const value = bracketed(replaceLocalhost(given.get('from') ?? `<${ownUri(flow)}>`, flow));
  return parseNameAddr(value).params.has('tag') ? value : `${value};tag=${makeTag()}`;
}

/** To of a new request: the application's, or the Request-URI. @throws ProtocolError */
export function toOf(given: SipHeaders, uri: string, flow: Flow): string {
  const to = given.get('to');
  return bracketed(to === undefined ? `<${uri}>` : replaceLocalhost(to, flow));
}

/** Contact: the application's with `@localhost` replaced, or our own address where one is needed. */
export function contactOf(given: SipHeaders, flow: Flow, needed: boolean): string | undefined {
  const values = given.getAll('contact').filter((value) => isReadable('contact', value));
  if (values.length > 0) return replaceLocalhost(values.join(', '), flow);
  return needed ? `<${ownUri(flow)}>` : undefined;
}

export interface ResponseParts {
  readonly request: SipRequest;
  readonly status: number;
  readonly reason: string;
  readonly flow: Flow;
  /** Our tag, unless the request has one already; `undefined` for 100. */
  readonly toTag: string | undefined;
  readonly contact?: string | undefined;
  readonly recordRoute?: boolean;
  readonly server: string | undefined;
  readonly given?: SipHeaders;
  readonly body?: Buffer;
}

/** Also for a To that does not parse: the request is refused for it, and answered. */
function hasTag(text: string): boolean {
  try {
    return parseNameAddr(text).params.has('tag');
  } catch {
    return text.includes(';tag=');
  }
}

/** Puts a response together: the copied headers come from the request (RFC 3261 §8.2.6.2). @throws ProtocolError */
export function buildResponse(parts: ResponseParts): SipResponse {
  const { request, given = new SipHeaders(), body = Buffer.alloc(0) } = parts;
  const headers = new SipHeaders();
  for (const via of request.headers.getAll('via')) headers.append('Via', via);
  if (parts.recordRoute === true) {
    for (const route of request.headers.getAll('record-route')) headers.append('Record-Route', route);
  }
  headers.append('From', request.headers.get('from') ?? '');
  const to = request.headers.get('to') ?? '';
  const { toTag } = parts;
  headers.append('To', toTag === undefined || hasTag(to) ? to : `${to};tag=${toTag}`);
  headers.append('Call-ID', request.headers.get('call-id') ?? '');
  const cseq = request.headers.get('cseq');
  if (cseq !== undefined) headers.append('CSeq', cseq);
  if (parts.contact !== undefined) headers.append('Contact', parts.contact);
  appendOthers(headers, given, parts.flow);
  if (parts.status > 100) appendAgent(headers, 'Server', parts.server);
  appendContentType(headers, given, body);
  headers.append('Content-Length', String(body.length));
  return { kind: 'response', status: parts.status, reason: parts.reason, headers, body };
}

/** A response that stands for what the network did not bring: 408, 487, 503. `sentence`: what failed. */
export function buildMadeUpResponse(
  request: SipRequest,
  flow: Flow,
  status: number,
  reason: string,
  sentence?: string,
): SipResponse {
  const given = new SipHeaders();
  if (sentence !== undefined) given.append('Warning', warningValue(flow.localAddress, sentence));
  return buildResponse({ request, status, reason, flow, toTag: newTag(), server: undefined, given });
}
