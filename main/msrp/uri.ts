/**
 * Owns: MSRP URIs and paths: parse, format, compare.
 * Called by: endpoint.ts, session.ts, sdp.ts. Calls: base.
 */
import { ProtocolError } from '../base/protocol-error.ts';

/** An MSRP URI (RFC 4975 §6). `text` is exactly what stood, or will stand, on the wire. */
export interface MsrpUri {
  readonly scheme: 'msrp' | 'msrps';
  /** Without brackets; lower case; IPv6 in its shortest form. */
  readonly host: string;
  readonly port: number | undefined;
  /** Case counts. */
  readonly sessionId: string | undefined;
  /** Lower case. */
  readonly transport: string;
  readonly text: string;
}

const URI =
  /^(msrps?):\/\/(?:[^@/;\s]*@)?(\[[0-9a-f:.]+\]|[^[\]@/:;\s]+)(?::(\d{1,5}))?(?:\/([^;\s]*))?;([a-z0-9]+)(?:;[^\s]*)?$/i;

function normaliseHost(host: string): string {
  if (!host.startsWith('[')) return host.includes('%') ? decodeHost(host) : host.toLowerCase();
  const url = URL.parse(`http://${host}/`);
  if (url === null) throw new ProtocolError('MSRP_BAD_URI', 400, `not an IPv6 address: ${host}`);
  return url.hostname.slice(1, -1);
}

function decodeHost(host: string): string {
  try {
    return decodeURIComponent(host).toLowerCase();
  } catch {
    throw new ProtocolError('MSRP_BAD_URI', 400, 'bad percent-encoding in host');
  }
}

/** Parses one URI (RFC 4975 §9). Throws ProtocolError `MSRP_BAD_URI`, status 400. */
export function parseMsrpUri(text: string): MsrpUri {
  const match = URI.exec(text);
  const [, scheme = '', host = '', portText, sessionId, transport = ''] = match ?? [];
  const port = portText === undefined ? undefined : Number(portText);
  if (match === null || (port !== undefined && port > 65_535)) {
    throw new ProtocolError('MSRP_BAD_URI', 400, `not an MSRP URI: ${text.slice(0, 100)}`);
  }
  return {
    scheme: scheme.toLowerCase() === 'msrps' ? 'msrps' : 'msrp',
    host: normaliseHost(host),
    port,
    sessionId: sessionId === '' ? undefined : sessionId,
    transport: transport.toLowerCase(),
    text,
  };
}

/** Builds the URI of a session of ours (RFC 4975 §6). */
export function buildMsrpUri(parts: {
  scheme: 'msrp' | 'msrps';
  host: string;
  port: number;
  sessionId: string;
}): MsrpUri {
  const host = parts.host.includes(':') && !parts.host.startsWith('[') ? `[${parts.host}]` : parts.host;
  return parseMsrpUri(`${parts.scheme}://${host}:${parts.port}/${parts.sessionId};tcp`);
}

/**
 * Compares two URIs (RFC 4975 §6.1): scheme, host and transport without case, session-id with case; a URI with a
 * port never equals one without; userinfo and further parameters do not count.
 */
export function msrpUrisEqual(a: MsrpUri, b: MsrpUri): boolean {
  if (a === b || a.text === b.text) return true;
  return (
    a.sessionId === b.sessionId &&
    a.port === b.port &&
    a.host === b.host &&
    a.scheme === b.scheme &&
    a.transport === b.transport
  );
}

/** Parses a To-Path, From-Path or `a=path` value (RFC 4975 §9). Throws ProtocolError, status 400. */
export function parseMsrpPath(text: string, maxUris: number): readonly MsrpUri[] {
  const parts = text.split(' ', maxUris + 1).filter((part) => part !== '');
  if (parts.length === 0) throw new ProtocolError('MSRP_BAD_PATH', 400, 'empty path');
  if (parts.length > maxUris) throw new ProtocolError('MSRP_PATH_TOO_LONG', 400, `more than ${maxUris} URIs`);
  return parts.map(parseMsrpUri);
}

/** A path as it stands in a header. */
export function formatMsrpPath(path: readonly MsrpUri[]): string {
  return path.map((uri) => uri.text).join(' ');
}

/** Whether two paths lead to the same endpoint: their last URIs are equal; relays in front may be named anyhow. */
export function msrpPathsLeadToSameEndpoint(a: readonly MsrpUri[], b: readonly MsrpUri[]): boolean {
  const lastA = a.at(-1);
  const lastB = b.at(-1);
  return lastA !== undefined && lastB !== undefined && msrpUrisEqual(lastA, lastB);
}
