/**
 * Owns: the m=message part of an SDP offer or answer (RFC 4975 §8, RFC 6135, RFC 3264).
 * Called by: the messenger. Calls: uri.ts.
 */
import { MSRP_LIMITS } from '../base/limits.ts';
import { parseFingerprint, type MsrpFingerprint } from './fingerprint.ts';
import { formatMsrpPath, parseMsrpPath, type MsrpUri } from './uri.ts';

/** Who connects (RFC 6135 §4.2); `holdconn` is read as absent, and `a=connection` is not looked at. */
export type MsrpSetup = 'active' | 'passive' | 'actpass';

/** An attribute as it stands: `a=name` or `a=name:value`. */
export interface SdpAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

/** A media line; an answer needs all of them in the order of the offer (RFC 3264 §6). */
export interface SdpMediaLine {
  readonly media: string;
  readonly port: number;
  readonly protocol: string;
  readonly formats: string;
}

/** The first usable m=message part of a session description. */
export interface MsrpDescription {
  /** From c= and m=; with a relay or CEMA they may differ from the path. */
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly path: readonly MsrpUri[];
  readonly setup: MsrpSetup | undefined;
  /** Lower case, in the order of preference. */
  readonly acceptTypes: readonly string[];
  readonly acceptWrappedTypes: readonly string[];
  /** `a=max-size` in bytes. */
  readonly maxSize: number | undefined;
  /** `a=fingerprint` of the media part, else of the session (RFC 8122 §5); hashes that we know. */
  readonly fingerprints: readonly MsrpFingerprint[];
  /** `a=msrp-cema` (RFC 6714 §4). */
  readonly cema: boolean;
  /** All attributes of the media part, those above included. */
  readonly attributes: readonly SdpAttribute[];
  readonly mediaLines: readonly SdpMediaLine[];
  /** Which of `mediaLines` this is. */
  readonly mediaIndex: number;
}

/** What we say about ourselves. */
export interface MsrpLocalDescription {
  readonly path: readonly MsrpUri[];
  /** As listed in standards: the types by name, `*` last; some peers refuse `*` alone. */
  readonly acceptTypes: readonly string[];
  /** Default `*` when message/cpim is accepted. */
  readonly acceptWrappedTypes?: readonly string[];
  readonly setup?: MsrpSetup;
  readonly maxSize?: number;
  /** The value of `a=fingerprint`; goes with a path of `msrps`. */
  readonly fingerprint?: string;
  readonly cema?: boolean;
  /** Further attributes of the media part. */
  readonly attributes?: readonly SdpAttribute[];
  /** `o=` session id and version; random and 1 by default. */
  readonly origin?: { readonly id: string; readonly version: number };
}

const UNSAFE = /[\r\n\0]/;

/** Builds an offer with one message line (RFC 4975 §8). `setup` active has port 9 (RFC 6135 §4.2.1). */
export function buildMsrpOffer(local: MsrpLocalDescription): string {
  return describe(local, buildMedia(local, local.setup === 'active' ? 9 : portOf(local)));
}

/** Builds an answer that takes the message line which `offer` describes and refuses every other line. */
export function buildMsrpAnswer(answer: MsrpLocalDescription & { readonly offer: MsrpDescription }): string {
  const { offer } = answer;
  const lines = offer.mediaLines.flatMap((line, index) =>
    index === offer.mediaIndex ? buildMedia(answer, portOf(answer)) : [refusedLine(line)],
  );
  return describe(answer, lines);
}

function portOf(local: MsrpLocalDescription): number {
  return local.path[0]?.port ?? 9;
}

function refusedLine(line: SdpMediaLine): string {
  return `m=${line.media} 0 ${line.protocol} ${line.formats}`;
}

function buildMedia(local: MsrpLocalDescription, port: number): string[] {
  const protocol = local.path.some((uri) => uri.scheme === 'msrps') ? 'TCP/TLS/MSRP' : 'TCP/MSRP';
  const wrapped = local.acceptWrappedTypes ?? (local.acceptTypes.includes('message/cpim') ? ['*'] : []);
  const lines = [
    `m=message ${port} ${protocol} *`,
    `a=accept-types:${local.acceptTypes.join(' ')}`,
    ...(wrapped.length > 0 ? [`a=accept-wrapped-types:${wrapped.join(' ')}`] : []),
    ...(local.maxSize === undefined ? [] : [`a=max-size:${local.maxSize}`]),
    ...(local.setup === undefined ? [] : [`a=setup:${local.setup}`]),
    `a=path:${formatMsrpPath(local.path)}`,
    ...(local.fingerprint === undefined ? [] : [`a=fingerprint:${local.fingerprint}`]),
    ...(local.cema === true ? ['a=msrp-cema'] : []),
  ];
  for (const { name, value } of local.attributes ?? []) {
    lines.push(value === undefined ? `a=${name}` : `a=${name}:${value}`);
  }
  return lines;
}

function describe(local: MsrpLocalDescription, media: readonly string[]): string {
  const host = local.path[0]?.host ?? '0.0.0.0';
  const address = `IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host}`;
  const { id, version } = local.origin ?? { id: String(Date.now()), version: 1 };
  const lines = ['v=0', `o=- ${id} ${version} ${address}`, 's=-', `c=${address}`, 't=0 0', ...media];
  if (lines.some((line) => UNSAFE.test(line))) throw new TypeError('a line break within an SDP line');
  return `${lines.join('\r\n')}\r\n`;
}

interface MediaPart {
  readonly line: SdpMediaLine;
  readonly attributes: SdpAttribute[];
  address: string | undefined;
}

const MEDIA = /^(\S{1,64}) (\d{1,5})(?:\/\d{1,5})? (\S{1,64})(?: (.{0,256}))?$/;
const CONNECTION = /^IN IP[46] (\S{1,255})$/;

/**
 * Finds the first message line over MSRP that has a path and is not refused with port 0. Returns undefined when there
 * is none, and for what is no SDP or beyond the ceilings: it never throws.
 */
export function parseMsrpDescription(sdp: string): MsrpDescription | undefined {
  if (sdp.length > MSRP_LIMITS.maxSdpBytes) return undefined;
  const lines = sdp.split(/\r?\n/, MSRP_LIMITS.maxSdpLines + 1);
  if (lines.length > MSRP_LIMITS.maxSdpLines || lines[0]?.trimEnd() !== 'v=0') return undefined;
  const session: SdpAttribute[] = [];
  const parts: MediaPart[] = [];
  let address: string | undefined;
  for (const line of lines) {
    const part = parts.at(-1);
    const value = line.slice(2).trim();
    if (line.startsWith('m=')) {
      const [, media = '', port, protocol = '', formats = '*'] = MEDIA.exec(value) ?? [];
      if (port === undefined) return undefined;
      parts.push({
        line: { media, port: Number(port), protocol, formats },
        attributes: [],
        address: undefined,
      });
    } else if (line.startsWith('c=')) {
      const found = CONNECTION.exec(value)?.[1];
      if (part === undefined) address = found;
      else part.address = found;
    } else if (line.startsWith('a=')) {
      (part?.attributes ?? session).push(parseAttribute(value));
    }
  }
  const mediaLines = parts.map((part) => part.line);
  for (const [mediaIndex, part] of parts.entries()) {
    const description = readPart(part, session, address, mediaLines, mediaIndex);
    if (description !== undefined) return description;
  }
  return undefined;
}

function parseAttribute(text: string): SdpAttribute {
  const colon = text.indexOf(':');
  if (colon < 0) return { name: text.toLowerCase(), value: undefined };
  return { name: text.slice(0, colon).toLowerCase(), value: text.slice(colon + 1).trim() };
}

function readPart(
  part: MediaPart,
  session: readonly SdpAttribute[],
  sessionAddress: string | undefined,
  mediaLines: readonly SdpMediaLine[],
  mediaIndex: number,
): MsrpDescription | undefined {
  const { line, attributes } = part;
  const value = (name: string): string | undefined =>
    attributes.find((attribute) => attribute.name === name)?.value;
  const pathText = value('path');
  const isMsrp = /^TCP\/(?:TLS\/)?MSRP$/i.test(line.protocol);
  if (line.media !== 'message' || !isMsrp || line.port === 0 || pathText === undefined) return undefined;
  const path = readPath(pathText);
  if (path === undefined) return undefined;
  const setup = value('setup') ?? session.find((attribute) => attribute.name === 'setup')?.value;
  const maxSize = Number(value('max-size') ?? Number.NaN);
  return {
    address: part.address ?? sessionAddress ?? path[0]?.host ?? '',
    port: line.port,
    protocol: line.protocol,
    path,
    setup: setup === 'active' || setup === 'passive' || setup === 'actpass' ? setup : undefined,
    acceptTypes: splitTypes(value('accept-types')),
    acceptWrappedTypes: splitTypes(value('accept-wrapped-types')),
    maxSize: Number.isSafeInteger(maxSize) ? maxSize : undefined,
    fingerprints: readFingerprints(attributes, session),
    cema: attributes.some((attribute) => attribute.name === 'msrp-cema'),
    attributes,
    mediaLines,
    mediaIndex,
  };
}

function readFingerprints(...levels: readonly (readonly SdpAttribute[])[]): readonly MsrpFingerprint[] {
  for (const attributes of levels) {
    const values = attributes.filter(({ name }) => name === 'fingerprint');
    if (values.length > 0) return values.flatMap(({ value }) => parseFingerprint(value ?? '') ?? []);
  }
  return [];
}

/**
 * Whether c= and m= lead elsewhere than the path: a middlebox wants the connection to itself (RFC 6714 §4.3). Not for
 * names, whose address is not known here; not for relays, and not for who will connect to us (port 9).
 */
export function isAnchored({ address, port, path }: MsrpDescription): boolean {
  const [first] = path;
  if (first === undefined || path.length > 1 || port === 9) return false;
  if (!isNumeric(first.host) || !isNumeric(address)) return first.port !== undefined && first.port !== port;
  return normaliseAddress(address) !== first.host || first.port !== port;
}

function isNumeric(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
}

/** Paths write IPv6 in its shortest form. */
function normaliseAddress(address: string): string {
  if (!address.includes(':')) return address;
  return URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1) ?? address;
}

function readPath(text: string): readonly MsrpUri[] | undefined {
  try {
    return parseMsrpPath(text, MSRP_LIMITS.maxPathUris);
  } catch {
    return undefined;
  }
}

function splitTypes(value: string | undefined): readonly string[] {
  return value === undefined ? [] : value.toLowerCase().split(/\s+/).filter(Boolean);
}
