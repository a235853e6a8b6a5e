/**
 * Owns: turning SIP URIs into addresses and addresses into name-addrs.
 * Called by: messenger, imserver, contact-rules.ts. Calls: uri.ts.
 */
import { tryParseSipUri } from './uri.ts';

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
