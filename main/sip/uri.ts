/**
 * Owns: SIP, SIPS and tel URIs as values: parse, format, compare (RFC 3261 §19.1, RFC 3966).
 * Called by: the engine, the user agent, the IM server. Calls: base/protocol-error.
 */
import { ProtocolError } from '../base/protocol-error.ts';
import { remembered } from './remembered.ts';

export type UriScheme = 'sip' | 'sips' | 'tel';

/**
 * A URI as it stands on the wire: escapes (`%41`) are kept. For `tel` the number is in `user` and `host` is empty.
 * `host` keeps its case and the brackets of an IPv6 reference.
 */
export interface SipUri {
  readonly scheme: UriScheme;
  readonly user?: string;
  readonly password?: string;
  readonly host: string;
  readonly port?: number;
  /** Names in lower case; a parameter without a value (`;lr`) has the value `''`. */
  readonly params: ReadonlyMap<string, string>;
  /** The part after `?`; names as written. */
  readonly headers: ReadonlyMap<string, string>;
}

const USER = /^(?:[\w\-.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})*$/;
const PASSWORD = /^(?:[\w\-.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*$/;
const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$/;
const PORT = /^\d{1,5}$/;
const PARAM = /^[^\s"<>@,;?=]+$/;
const PARAM_VALUE = /^[^\s"<>@;?]*$/;
const HEADER_PART = /^[^\s"<>&=]*$/;
const TEL_NUMBER = /^\+?[0-9A-Fa-f*#().-]+$/;
const NO_ENTRIES: ReadonlyMap<string, string> = new Map();

function refuse(text: string): never {
  throw new ProtocolError('SIP_BAD_URI', 400, `not a SIP URI: ${text.slice(0, 200)}`);
}

function parseParams(text: string, whole: string): ReadonlyMap<string, string> {
  if (text === '') return NO_ENTRIES;
  const params = new Map<string, string>();
  for (const part of text.split(';')) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? '' : part.slice(equals + 1);
    if (!PARAM.test(name) || !PARAM_VALUE.test(value)) refuse(whole);
    // RFC 3261 §19.1.1: a parameter name must not appear more than once.
    if (params.has(name.toLowerCase())) refuse(whole);
    params.set(name.toLowerCase(), value);
  }
  return params;
}

function parseUriHeaders(text: string, whole: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const part of text.split('&')) {
    const equals = part.indexOf('=');
    if (equals <= 0) refuse(whole);
    const [name, value] = [part.slice(0, equals), part.slice(equals + 1)];
    if (!HEADER_PART.test(name) || !HEADER_PART.test(value)) refuse(whole);
    headers.set(name, value);
  }
  return headers;
}

function parseTel(rest: string, whole: string): SipUri {
  const semicolon = rest.indexOf(';');
  const number = semicolon < 0 ? rest : rest.slice(0, semicolon);
  if (!TEL_NUMBER.test(number)) refuse(whole);
  const params = semicolon < 0 ? NO_ENTRIES : parseParams(rest.slice(semicolon + 1), whole);
  return { scheme: 'tel', user: number, host: '', params, headers: NO_ENTRIES };
}

function parseHostPort(text: string, whole: string): { host: string; port?: number } {
  const bracket = text.startsWith('[') ? text.indexOf(']') : -1;
  const colon = text.indexOf(':', bracket + 1);
  const host = colon < 0 ? text : text.slice(0, colon);
  if (!HOST.test(host)) refuse(whole);
  if (colon < 0) return { host };
  const digits = text.slice(colon + 1);
  const port = Number(digits);
  if (!PORT.test(digits) || port > 65_535) refuse(whole);
  return { host, port };
}

/**
 * Parses a `sip:`, `sips:` or `tel:` URI without angle brackets, in linear time.
 * @throws ProtocolError `SIP_BAD_URI` (400), or `SIP_URI_SCHEME` (416) for another scheme.
 */
export const parseSipUri: (text: string) => SipUri = remembered(readSipUri, 8);

function readSipUri(text: string): SipUri {
  const colon = text.indexOf(':');
  if (colon <= 0) refuse(text);
  const scheme = text.slice(0, colon).toLowerCase();
  const rest = text.slice(colon + 1);
  if (scheme === 'tel') return parseTel(rest, text);
  if (scheme !== 'sip' && scheme !== 'sips') {
    if (!/^[a-z][a-z0-9+.-]*$/.test(scheme)) refuse(text);
    throw new ProtocolError('SIP_URI_SCHEME', 416, `unsupported URI scheme: ${scheme.slice(0, 40)}`);
  }
  const at = rest.indexOf('@');
  const address = rest.slice(at + 1);
  let user: string | undefined;
  let password: string | undefined;
  if (at >= 0) {
    const info = rest.slice(0, at);
    const split = info.indexOf(':');
    user = split < 0 ? info : info.slice(0, split);
    password = split < 0 ? undefined : info.slice(split + 1);
    if (user === '' || !USER.test(user) || (password !== undefined && !PASSWORD.test(password))) refuse(text);
  }
  const question = address.indexOf('?');
  const beforeHeaders = question < 0 ? address : address.slice(0, question);
  const semicolon = beforeHeaders.indexOf(';');
  const hostPort = semicolon < 0 ? beforeHeaders : beforeHeaders.slice(0, semicolon);
  return {
    scheme,
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...parseHostPort(hostPort, text),
    params: semicolon < 0 ? NO_ENTRIES : parseParams(beforeHeaders.slice(semicolon + 1), text),
    headers: question < 0 ? NO_ENTRIES : parseUriHeaders(address.slice(question + 1), text),
  };
}

/** Like {@link parseSipUri}, but `undefined` instead of an error: for URIs that may be of any scheme. */
export function tryParseSipUri(text: string): SipUri | undefined {
  try {
    return parseSipUri(text);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/** Writes a URI without angle brackets (RFC 3261 §19.1.1). */
export function formatSipUri(uri: SipUri): string {
  let text = `${uri.scheme}:`;
  if (uri.user !== undefined) {
    text += uri.user;
    if (uri.password !== undefined) text += `:${uri.password}`;
    if (uri.scheme !== 'tel') text += '@';
  }
  text += uri.host;
  if (uri.port !== undefined) text += `:${uri.port}`;
  for (const [name, value] of uri.params) text += value === '' ? `;${name}` : `;${name}=${value}`;
  let separator = '?';
  for (const [name, value] of uri.headers) {
    text += `${separator}${name}=${value}`;
    separator = '&';
  }
  return text;
}

/** Escapes stand for the character unless it is reserved (RFC 3261 §19.1.4, RFC 2396 §2.2). */
function unescapeUnreserved(text: string): string {
  if (!text.includes('%')) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[\w\-.!~*'()]/.test(character) ? character : escape.toUpperCase();
  });
}

function foldParam(value: string): string {
  return unescapeUnreserved(value).toLowerCase();
}

const SIGNIFICANT_PARAMS = ['user', 'ttl', 'method', 'maddr', 'transport'];

function sameTel(a: SipUri, b: SipUri): boolean {
  const bare = (uri: SipUri): string => (uri.user ?? '').replace(/[-.()]/g, '').toLowerCase();
  if (bare(a) !== bare(b) || a.params.size !== b.params.size) return false;
  return [...a.params].every(([name, value]) => {
    const other = b.params.get(name);
    return other !== undefined && foldParam(other) === foldParam(value);
  });
}

/** Are the two URIs equivalent (RFC 3261 §19.1.4; for tel RFC 3966 §4)? */
export function sameSipUri(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme) return false;
  if (a.scheme === 'tel') return sameTel(a, b);
  if ((a.user === undefined) !== (b.user === undefined)) return false;
  if (unescapeUnreserved(a.user ?? '') !== unescapeUnreserved(b.user ?? '')) return false;
  if ((a.password === undefined) !== (b.password === undefined)) return false;
  if (unescapeUnreserved(a.password ?? '') !== unescapeUnreserved(b.password ?? '')) return false;
  if (a.host.toLowerCase() !== b.host.toLowerCase() || a.port !== b.port) return false;
  for (const [name, value] of a.params) {
    const other = b.params.get(name);
    if (other !== undefined && foldParam(other) !== foldParam(value)) return false;
  }
  if (SIGNIFICANT_PARAMS.some((name) => a.params.has(name) !== b.params.has(name))) return false;
  if (a.headers.size !== b.headers.size) return false;
  const fold = (uri: SipUri): string[] =>
    [...uri.headers].map(([name, value]) => `${name.toLowerCase()}=${unescapeUnreserved(value)}`).sort();
  const [left, right] = [fold(a), fold(b)];
  return left.every((header, index) => header === right[index]);
}

/** An address as host part of a URI or Via: an IPv6 address gets its brackets. */
export function hostOfAddress(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** The host part without the brackets of an IPv6 reference. */
export function addressOfHost(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** `::ffff:127.0.0.1` is 127.0.0.1. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** Is the host part a numeric address (then nothing is looked up)? */
export function isNumericHost(host: string): boolean {
  if (host.startsWith('[')) return true;
  const parts = host.split('.');
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}
