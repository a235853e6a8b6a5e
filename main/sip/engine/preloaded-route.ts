/**
 * Owns: the Route that an application puts into a new request, where it leads, and whether it wants TLS all the way
 * (RFC 3261 §8.1.2, §8.1.1.8, §12.1.1). Called by: outbound-requests.ts, inbound-request.ts. Calls: sip/headers, sip/uri.
 */
import { formatNameAddr, parseNameAddr, parseNameAddrList } from '../headers.ts';
import type { SipRequest } from '../message.ts';
import { formatSipUri, tryParseSipUri, type SipUri } from '../uri.ts';

/** A request as it leaves, and the place where it goes first. */
export interface Routed {
  readonly request: SipRequest;
  readonly nextHop: SipUri;
}

/**
 * Follows the first Route. A loose router (`lr`) leaves the Request-URI alone; a strict one takes its place, and the
 * Request-URI goes to the end of the Route. `undefined` when there is no Route.
 * @throws ProtocolError 400 when it cannot be read
 */
export function followRoute(request: SipRequest): Routed | undefined {
  const routes = request.headers.list('route');
  const [first, ...others] = routes.map((route) => parseNameAddr(route));
  if (first === undefined) return undefined;
  const nextHop = tryParseSipUri(first.uri);
  if (nextHop === undefined || nextHop.scheme === 'tel') return undefined;
  if (nextHop.params.has('lr')) return { request, nextHop };
  const headers = request.headers.clone();
  headers.remove('route');
  for (const route of others) headers.append('Route', formatNameAddr(route));
  headers.append('Route', `<${request.uri}>`);
  if (!headers.has('to')) headers.append('To', `<${request.uri}>`);
  return { request: { ...request, uri: first.uri, headers }, nextHop };
}

function isSips(text: string | undefined): boolean {
  return /^\s*(?:sips:|(?:"(?:[^"\\]|\\.)*"|[^<"]*)\s*<\s*sips:)/i.test(text ?? '');
}

/** §8.1.1.8: a `sips:` Request-URI or first Route wants a `sips:` Contact. */
export function wantsSecureContact(request: SipRequest): boolean {
  return isSips(request.uri) || isSips(request.headers.list('route')[0]);
}

/** §12.1.1: so do the Request-URI and the first Record-Route of a request that we answer, without one its Contact. */
export function answersWithSecureContact(request: SipRequest): boolean {
  const [first = request.headers.list('contact')[0]] = request.headers.list('record-route');
  return isSips(request.uri) || isSips(first);
}

/** The same Contact with `sips:` in place of `sip:`; TLS goes without saying then (§19.1.2, RFC 5630 §3.1.1). */
export function secureContact(contact: string): string {
  if (contact.trim() === '*') return contact;
  const values = parseNameAddrList(contact).map((value) => {
    const uri = tryParseSipUri(value.uri);
    if (uri?.scheme !== 'sip') return value;
    const params = new Map([...uri.params].filter(([name]) => name !== 'transport'));
    return { ...value, uri: formatSipUri({ ...uri, scheme: 'sips', params }) };
  });
  return values.map(formatNameAddr).join(', ');
}
