/**
 * Owns: header field values of SIP: name-addr, Via, CSeq, comma lists, authentication values (RFC 3261 §20, §25).
 * Called by: the engine, the user agent, the IM server. Calls: base/protocol-error.
 */
import { ProtocolError } from '../base/protocol-error.ts';
import { remembered } from './remembered.ts';

/** Parameters in order; names in lower case; quoted values are unquoted; without a value: `''`. */
export type HeaderParams = ReadonlyMap<string, string>;

/** From, To, Contact, Route, Refer-To and the like (RFC 3261 §20.10). `uri` is text: it may have any scheme. */
export interface NameAddr {
  readonly displayName?: string;
  readonly uri: string;
  readonly params: HeaderParams;
}

/** One Via value (RFC 3261 §20.42). `transport` is in upper case (`UDP`). */
export interface Via {
  readonly transport: string;
  readonly host: string;
  readonly port?: number;
  readonly params: HeaderParams;
}

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

/** One challenge or credentials: `Digest realm="…", nonce="…"`. Values are unquoted. */
export interface AuthValue {
  readonly scheme: string;
  readonly params: HeaderParams;
}

export const TOKEN = /^[\w\-.!%*+`'~]+$/;
const PARAM_VALUE = /^[^\s"<>;,?]*$/;

function bad(what: string, text: string): never {
  throw new ProtocolError('SIP_BAD_HEADER', 400, `bad ${what}: ${text.slice(0, 200)}`);
}

/** The index behind the quoted string that begins at `start`, or -1 when it does not end. */
function endOfQuoted(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i += 1) {
    const character = text[i];
    if (character === '\\') i += 1;
    else if (character === '"') return i + 1;
  }
  return -1;
}

/** Splits at `separator` outside quotes and angle brackets; trims. Linear time. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let inBrackets = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === '"' && !inBrackets) {
      const end = endOfQuoted(text, i);
      if (end < 0) break;
      i = end - 1;
    } else if (character === '<') inBrackets = true;
    else if (character === '>') inBrackets = false;
    else if (character === separator && !inBrackets) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

/** Splits a comma-separated header value; commas in quotes and angle brackets do not count (RFC 3261 §7.3.1). */
export function splitHeaderList(text: string): string[] {
  if (text.includes(',')) return splitOutside(text, ',').filter((part) => part !== '');
  return text.trim() === '' ? [] : [text.trim()];
}

/** `"a \"b\""` → `a "b"`; other text is returned as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\([\s\S])/g, '$1');
}

/** A quoted string (RFC 3261 §25.1). Line ends, which have no quoted form, become spaces. */
export function quote(text: string): string {
  return `"${text.replace(/[\r\n]+/g, ' ').replace(/["\\]/g, '\\$&')}"`;
}

/** Parses `;a=b;c`; nothing between two semicolons is a fault (RFC 4475 §3.1.2.1). */
function parseParams(text: string, what: string): HeaderParams {
  const params = new Map<string, string>();
  if (text === '') return params;
  const parts = splitOutside(text, ';');
  for (let i = 1; i < parts.length; i += 1) {
    const part = parts[i] ?? '';
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim();
    const value = equals < 0 ? '' : part.slice(equals + 1).trim();
    if (!TOKEN.test(name)) bad(what, text);
    const quoted = value.startsWith('"');
    if (quoted ? endOfQuoted(value, 0) !== value.length : !PARAM_VALUE.test(value)) bad(what, text);
    params.set(name.toLowerCase(), unquote(value));
  }
  return params;
}

/** Writes `;name=value` for each parameter; values that are no token or host are quoted. */
export function formatParams(params: HeaderParams): string {
  let text = '';
  for (const [name, value] of params) {
    if (value === '') text += `;${name}`;
    else text += `;${name}=${/^[\w\-.!%*+`'~:[\]]+$/.test(value) ? value : quote(value)}`;
  }
  return text;
}

/**
 * Parses one name-addr or addr-spec with its parameters (RFC 3261 §20.10: without brackets, what follows `;` belongs
 * to the header, not to the URI).
 * @throws ProtocolError `SIP_BAD_HEADER` (400)
 */
export const parseNameAddr: (text: string) => NameAddr = remembered(readNameAddr, 8);

function readNameAddr(text: string): NameAddr {
  const trimmed = text.trim();
  let displayName: string | undefined;
  let rest = trimmed;
  if (trimmed.startsWith('"')) {
    const end = endOfQuoted(trimmed, 0);
    if (end < 0) bad('name-addr', text);
    displayName = unquote(trimmed.slice(0, end));
    rest = trimmed.slice(end).trimStart();
    if (!rest.startsWith('<')) bad('name-addr', text);
  }
  const open = rest.indexOf('<');
  const semicolon = rest.indexOf(';');
  if (open >= 0 && (semicolon < 0 || open < semicolon)) {
    const close = rest.indexOf('>', open);
    if (close < 0) bad('name-addr', text);
    const name = rest.slice(0, open).trim();
    if (name !== '') {
      if (/["<>:@,]/.test(name)) bad('name-addr', text);
      displayName = name;
    }
    const uri = rest.slice(open + 1, close).trim();
    const after = rest.slice(close + 1).trim();
    if (uri === '' || /[\s"<>]/.test(uri) || (after !== '' && !after.startsWith(';'))) bad('name-addr', text);
    return {
      ...(displayName === undefined ? {} : { displayName }),
      uri,
      params: parseParams(after, 'name-addr'),
    };
  }
  const uri = (semicolon < 0 ? rest : rest.slice(0, semicolon)).trim();
  // What has a comma, a question mark or a semicolon in it needs the brackets (§20.10).
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:[^\s"<>,?]+$/.test(uri)) bad('name-addr', text);
  return { uri, params: semicolon < 0 ? new Map() : parseParams(rest.slice(semicolon), 'name-addr') };
}

/** Parses a comma-separated list of name-addr (Contact, Route, Record-Route). `*` is not handled here. */
export function parseNameAddrList(text: string): NameAddr[] {
  return splitHeaderList(text).map(parseNameAddr);
}

/** Writes a name-addr, always with angle brackets. */
export function formatNameAddr(value: NameAddr): string {
  const name =
    value.displayName === undefined || value.displayName === '' ? '' : `${quote(value.displayName)} `;
  return `${name}<${value.uri}>${formatParams(value.params)}`;
}

const VIA =
  /^SIP\s*\/\s*2\.0\s*\/\s*([\w\-.!%*+`'~]+)\s+(\[[0-9A-Fa-f:.]+\]|[^\s;:[\],]+)(?:\s*:\s*(\d{1,5}))?\s*(?=;|$)/i;

/** Parses one Via value. @throws ProtocolError `SIP_BAD_HEADER` (400) */
export const parseVia: (text: string) => Via = remembered(readVia, 4);

function readVia(text: string): Via {
  const trimmed = text.trim();
  const match = VIA.exec(trimmed);
  const [whole, transport, host, digits] = match ?? [];
  if (whole === undefined || transport === undefined || host === undefined) bad('Via', text);
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && port > 65_535) bad('Via', text);
  return {
    transport: transport.toUpperCase(),
    host,
    ...(port === undefined ? {} : { port }),
    params: parseParams(trimmed.slice(whole.length), 'Via'),
  };
}

/**
 * Reads of a Via what an answer needs, whatever version it names and whatever stands in its parameters.
 * @throws ProtocolError `SIP_BAD_HEADER` (400) when not even transport and host can be read
 */
export function parseViaLeniently(text: string): Via {
  const [, transport, host, digits, rest = ''] =
    /^SIP\s*\/\s*[\d.]+\s*\/\s*([\w\-.]+)\s+(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?(.*)$/is.exec(
      text.trim(),
    ) ?? [];
  if (transport === undefined || host === undefined) bad('Via', text);
  const branch = /;\s*branch\s*=\s*([\w\-.!%*+`'~]+)/i.exec(rest)?.[1];
  const params = new Map(branch === undefined ? [] : [['branch', branch]]);
  const port = digits === undefined ? {} : { port: Number(digits) };
  return { transport: transport.toUpperCase(), host, ...port, params };
}

/** Writes one Via value. */
export function formatVia(via: Via): string {
  const port = via.port === undefined ? '' : `:${via.port}`;
  return `SIP/2.0/${via.transport} ${via.host}${port}${formatParams(via.params)}`;
}

/** Parses a CSeq; its number is below 2^32 (RFC 3261 §20.16; RFC 4475 §3.1.2.4). */
export const parseCSeq: (text: string) => CSeq = remembered(readCSeq, 4);

function readCSeq(text: string): CSeq {
  const [, digits, method] = /^\s*(\d{1,10})\s+([\w\-.!%*+`'~]+)\s*$/.exec(text) ?? [];
  if (digits === undefined || method === undefined) bad('CSeq', text);
  const number = Number(digits);
  if (number > 4_294_967_295) bad('CSeq', text);
  return { number, method };
}

/**
 * Parses a WWW-/Proxy-Authenticate or (Proxy-)Authorization value. Several challenges joined by commas come back one
 * by one, in order.
 * @throws ProtocolError `SIP_BAD_HEADER` (400)
 */
export function parseAuthValues(text: string): AuthValue[] {
  const values: { scheme: string; params: Map<string, string> }[] = [];
  for (const part of splitHeaderList(text)) {
    const equals = part.indexOf('=');
    const head = (equals < 0 ? part : part.slice(0, equals)).trim();
    const [first = '', second] = head.split(/\s+/, 2);
    if (!TOKEN.test(first)) bad('authentication value', text);
    if (second !== undefined || equals < 0) values.push({ scheme: first, params: new Map() });
    const name = second ?? first;
    if (equals < 0) continue;
    const current = values.at(-1);
    if (current === undefined || !TOKEN.test(name)) bad('authentication value', text);
    current.params.set(name.toLowerCase(), unquote(part.slice(equals + 1).trim()));
  }
  return values;
}

const NEVER_QUOTED = new Set(['algorithm', 'nc', 'stale']);

/**
 * Writes a challenge (`qop` quoted) or credentials (`qop` bare): RFC 7616 §3.3 and §3.4, RFC 3261 §25.1.
 */
export function formatAuthValue(value: AuthValue, kind: 'challenge' | 'credentials'): string {
  const params = [...value.params].map(([name, text]) => {
    const bare = NEVER_QUOTED.has(name) || (name === 'qop' && kind === 'credentials');
    return `${name}=${bare ? text : quote(text)}`;
  });
  return `${value.scheme} ${params.join(', ')}`;
}
