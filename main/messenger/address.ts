/**
 * Owns: turning what users and configurations call a server into SIP URIs, and SIP URIs into addresses.
 * Called by: account-link.ts, messenger.ts. Calls: sip/uri.ts.
 */
import { formatSipUri, parseSipUri, tryParseSipUri } from '../sip/uri.ts';

/**
 * The next hop of an account as a SIP URI with a transport: `server` is empty, `host`, `host:port` or a SIP URI.
 * TCP unless a URI says otherwise: messages of any size pass, and a lost server is noticed.
 * Throws ProtocolError when it is none of these.
 */
export function toServerUri(server: string, address: string): string {
  const text = server === '' ? `sip:${address.slice(address.lastIndexOf('@') + 1)}` : server;
  const uri = parseSipUri(/^sips?:/i.test(text) ? text : `sip:${text}`);
  const params = new Map(uri.params);
  if (!params.has('transport')) params.set('transport', 'tcp');
  return formatSipUri({ ...uri, params });
}

/** `sip:Bob@Example.org;x=y` → `Bob@example.org`; undefined for anything without a user. */
export function toAddress(uri: string): string | undefined {
  const parsed = tryParseSipUri(uri);
  if (parsed?.user === undefined || parsed.scheme === 'tel') return undefined;
  return `${parsed.user}@${parsed.host.toLowerCase()}`;
}

/** A name-addr for From and To. */
export function toNameAddr(address: string, displayName = ''): string {
  const name = displayName.replace(/["\\\r\n]/g, ' ').trim();
  return name === '' ? `<sip:${address}>` : `"${name}" <sip:${address}>`;
}

/** The part before the `@`. */
export function userOf(address: string): string {
  return address.slice(0, address.lastIndexOf('@'));
}
