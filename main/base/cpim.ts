/**
 * Owns: message/cpim, the envelope around a message (RFC 3862).
 * Called by: messenger/inbox.ts, messenger/delivery.ts, imserver/msrp-switch.ts. Calls: nothing.
 */
import { PAYLOAD_LIMITS } from './limits.ts';
import { ProtocolError } from './protocol-error.ts';

/** A formal name and a URI: `Bob <sip:bob@example.com>` (RFC 3862 §4.1). */
export interface CpimAddress {
  readonly displayName?: string;
  readonly uri: string;
}

/** A header of a namespace, or one of the MIME part. */
export interface CpimHeader {
  readonly name: string;
  readonly value: string;
}

/** A header of a declared namespace: `urn:ietf:params:imdn` and `Message-ID`. */
export interface CpimExtensionHeader extends CpimHeader {
  readonly namespace: string;
}

/** An unwrapped message. */
export interface CpimMessage {
  readonly from?: CpimAddress;
  readonly to: readonly CpimAddress[];
  readonly cc: readonly CpimAddress[];
  /** RFC 3339, as it stands. */
  readonly dateTime?: string;
  readonly subject?: string;
  /** Header names that the receiver has to understand. */
  readonly require: readonly string[];
  readonly extensions: readonly CpimExtensionHeader[];
  readonly contentType: string;
  /** MIME headers except Content-Type. */
  readonly contentHeaders: readonly CpimHeader[];
  /** A view of the bytes parsed. */
  readonly content: Buffer;
}

/** What is needed to wrap a message; the rest has defaults. */
export interface CpimMessageParts {
  readonly from: CpimAddress;
  readonly to: readonly CpimAddress[];
  readonly dateTime?: string;
  readonly subject?: string;
  readonly require?: readonly string[];
  readonly extensions?: readonly CpimExtensionHeader[];
  readonly contentType: string;
  readonly contentHeaders?: readonly CpimHeader[];
  readonly content: Buffer;
}

/** The content type of what this file builds and reads. */
export const CPIM_TYPE = 'message/cpim';

const CPIM_NAMESPACE = 'urn:ietf:params:cpim-headers:';
const IMDN_URN = 'urn:ietf:params:imdn';
const HEADER = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}):[ \t]?(.*)$/s;
const ADDRESS = /^(?:"((?:[^"\\]|\\.)*)"[ \t]*|([^"<>]*))<([^<>]+)>$/s;
const NAMESPACE = /^(?:([A-Za-z0-9_-]{1,64})\s*)?<([^<>]{1,512})>$/;

function fail(code: string, text: string): ProtocolError {
  return new ProtocolError(code, 400, text);
}

/** The names of RFC 3862 §4 as strangers write them: any case. Those of namespaces count it (§2). */
const NAMES = new Map(
  ['From', 'To', 'cc', 'DateTime', 'Subject', 'Require', 'NS'].map((name) => [name.toLowerCase(), name]),
);

/**
 * Unwraps a message (RFC 3862 §3). What strangers do is tolerated: names in lower case, folded lines, `imdn.` without its
 * NS. Throws ProtocolError `CPIM_…`, status 400.
 */
export function parseCpim(body: Buffer): CpimMessage {
  const head = readBlock(body, 0);
  const mime = readBlock(body, head.next);
  const prefixes = new Map([
    ['', CPIM_NAMESPACE],
    ['imdn', IMDN_URN],
  ]);
  const to: CpimAddress[] = [];
  const cc: CpimAddress[] = [];
  const require: string[] = [];
  const extensions: CpimExtensionHeader[] = [];
  const single: { from?: CpimAddress; dateTime?: string; subject?: string } = {};
  for (const { name, value } of head.headers) {
    switch (NAMES.get(name.toLowerCase()) ?? name) {
      case 'From':
        single.from ??= parseCpimAddress(value);
        break;
      case 'To':
        to.push(parseCpimAddress(value));
        break;
      case 'cc':
        cc.push(parseCpimAddress(value));
        break;
      case 'DateTime':
        single.dateTime ??= value.trim();
        break;
      case 'Subject':
        single.subject ??= unescapeText(value.replace(/^;lang=\S+ /, ''));
        break;
      case 'Require':
        require.push(...value.split(',').map((item) => item.trim()));
        break;
      case 'NS': {
        const [, prefix = '', uri] = NAMESPACE.exec(value.trim()) ?? [];
        if (uri === undefined) throw fail('CPIM_BAD_NAMESPACE', 'malformed NS header');
        prefixes.set(prefix, uri);
        break;
      }
      default: {
        const dot = name.indexOf('.');
        const namespace = prefixes.get(dot < 0 ? '' : name.slice(0, dot));
        if (namespace !== undefined) {
          extensions.push({ namespace, name: name.slice(dot + 1), value: unescapeText(value.trim()) });
        }
      }
    }
  }
  const contentType = mime.headers.find(({ name }) => name.toLowerCase() === 'content-type')?.value.trim();
  return {
    ...single,
    to,
    cc,
    require,
    extensions,
    // RFC 2045 §5.2: a part without Content-Type is plain text.
    contentType: contentType ?? 'text/plain',
    contentHeaders: mime.headers.filter(({ name }) => name.toLowerCase() !== 'content-type'),
    content: body.subarray(mime.next),
  };
}

/** Everything before the content, as it stands on the wire. */
export function cpimHead(body: Buffer, content: Buffer): string {
  return body.toString('utf8', 0, body.length - content.length);
}

/** The value of a namespace's header, if it is there. */
export function cpimExtension(
  message: Pick<CpimMessage, 'extensions'>,
  namespace: string,
  name: string,
): string | undefined {
  return message.extensions.find((header) => header.namespace === namespace && header.name === name)?.value;
}

/** Wraps a message (RFC 3862 §3). Control characters in values are escaped. */
export function formatCpim(parts: CpimMessageParts): Buffer {
  const lines = [`From: ${formatCpimAddress(parts.from)}`];
  for (const address of parts.to) lines.push(`To: ${formatCpimAddress(address)}`);
  if (parts.dateTime !== undefined) lines.push(`DateTime: ${escapeText(parts.dateTime)}`);
  if (parts.subject !== undefined) lines.push(`Subject: ${escapeText(parts.subject)}`);
  const prefixes = new Map<string, string>();
  for (const { namespace } of parts.extensions ?? []) {
    if (prefixes.has(namespace)) continue;
    const prefix = /[A-Za-z0-9_-]+$/.exec(namespace)?.[0] ?? `ns${prefixes.size}`;
    prefixes.set(namespace, prefix);
    lines.push(`NS: ${prefix} <${escapeText(namespace)}>`);
  }
  if (parts.require !== undefined) lines.push(`Require: ${parts.require.map(escapeText).join(',')}`);
  for (const { namespace, name, value } of parts.extensions ?? []) {
    lines.push(`${prefixes.get(namespace) ?? ''}.${name}: ${escapeText(value)}`);
  }
  lines.push('', `Content-Type: ${mimeValue(parts.contentType)}`);
  for (const { name, value } of parts.contentHeaders ?? []) lines.push(`${name}: ${mimeValue(value)}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), parts.content]);
}

/** Parses `"Bob" <sip:bob@example.com>`; a bare URI is tolerated. Throws ProtocolError, status 400. */
export function parseCpimAddress(text: string): CpimAddress {
  const trimmed = text.trim();
  const match = ADDRESS.exec(trimmed);
  if (match === null) {
    if (/^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"]+$/.test(trimmed)) return { uri: trimmed };
    throw fail('CPIM_BAD_ADDRESS', 'malformed address');
  }
  const [, quoted, plain, uri = ''] = match;
  const displayName = unescapeText(quoted ?? plain?.trim() ?? '');
  return displayName === '' ? { uri: uri.trim() } : { displayName, uri: uri.trim() };
}

function formatCpimAddress(address: CpimAddress): string {
  const uri = address.uri.replace(/[<>\s]/g, (character) => encodeURIComponent(character));
  if (address.displayName === undefined || address.displayName === '') return `<${uri}>`;
  return `"${escapeText(address.displayName)}" <${uri}>`;
}

function readBlock(body: Buffer, from: number): { headers: CpimHeader[]; next: number } {
  const headers: CpimHeader[] = [];
  for (let at = from, lines = 0; ; lines++) {
    const end = body.indexOf('\n', at);
    if (end < 0) throw fail('CPIM_UNFINISHED', 'no blank line after the headers');
    if (end > PAYLOAD_LIMITS.maxCpimHeadBytes) throw fail('CPIM_HEAD_TOO_LARGE', 'headers too large');
    const line = body.toString('utf8', at, body[end - 1] === 13 ? end - 1 : end);
    at = end + 1;
    if (line === '') return { headers, next: at };
    const last = headers.at(-1);
    if (last !== undefined && /^[ \t]/.test(line)) {
      headers[headers.length - 1] = { name: last.name, value: `${last.value} ${line.trim()}` };
      continue;
    }
    if (lines >= PAYLOAD_LIMITS.maxCpimHeaderLines) throw fail('CPIM_TOO_MANY_HEADERS', 'too many headers');
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    if (name === undefined) throw fail('CPIM_BAD_HEADER', 'header line without a name');
    headers.push({ name, value });
  }
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', r: '\r' };

/** RFC 3862 §2.3.1 escapes. */
function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:u([0-9A-Fa-f]{4})|(.))/gs,
    (_all, hex: string | undefined, one: string | undefined) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      return one === undefined ? '' : (ESCAPES[one] ?? one);
    },
  );
}

/** Escapes are those of CPIM's own headers (RFC 3862 §2.3.1); in the MIME part quotes are quotes. */
function mimeValue(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f]/g, ' ');
}

function escapeText(text: string): string {
  return text.replace(/["\\\u0000-\u001f\u007f]/g, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
