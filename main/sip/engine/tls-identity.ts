/**
 * Owns: what TLS of the engine trusts, and what exactly is wrong with a certificate (RFC 5922 §7, RFC 5280 §6).
 * Called by: stream-dialer.ts, stream-listener.ts, stream-connection.ts. Calls: node:tls, sip/uri.
 */
import { X509Certificate } from 'node:crypto';
import {
  createSecureContext,
  getCACertificates,
  type DetailedPeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { addressOfHost, isNumericHost, tryParseSipUri } from '../uri.ts';
import { socketSentence } from './unreachable.ts';

/** TLS of one engine. All certificates and keys are PEM text. */
export interface SipTlsOptions {
  /** Authorities that are trusted beside those of the system. */
  readonly ca?: readonly string[];
  /** Our certificate with its chain, and its key: needed to listen, shown to a server that asks for it. */
  readonly cert?: string;
  readonly key?: string;
  /** Is the server's certificate checked when we connect? `true` unless said otherwise. */
  readonly checkPeer?: boolean;
}

/** Names in a certificate that matter to SIP, in lower case. */
interface CertificateNames {
  /** Hosts of `sip:` URIs without a user. */
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly addresses: readonly string[];
  readonly hasAlternatives: boolean;
}

/** Certificates of one chain that are looked at. */
const MAX_CHAIN = 10;

let systemAuthorities: readonly string[] | undefined;

/** Read once: there are hundreds of them. */
function authorities(): readonly string[] {
  if (systemAuthorities === undefined) {
    const found = new Set(getCACertificates('default'));
    try {
      for (const one of getCACertificates('system')) found.add(one);
    } catch {
      // A machine without a store of its own: the built-in list has to do.
    }
    systemAuthorities = [...found];
  }
  return systemAuthorities;
}

/** TLS 1.2 and 1.3, for one role. @throws Error when certificate and key do not fit */
export function createSipContext(role: 'client' | 'server', options: SipTlsOptions): SecureContext {
  const { cert, key } = options;
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(role === 'client' ? { ca: [...authorities(), ...(options.ca ?? [])] } : {}),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  });
}

/** `DNS:a, URI:sip:b, DNS:"with, comma"`: the form in which Node writes subjectAltName. */
function splitAlternatives(text: string): string[] {
  const parts: string[] = [];
  for (const [, kind = '', quoted, plain = ''] of text.matchAll(
    /([^:,\s][^:,]*):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g,
  )) {
    let value: unknown = plain;
    if (quoted !== undefined) {
      try {
        value = JSON.parse(quoted);
      } catch {
        continue;
      }
    }
    if (typeof value === 'string') parts.push(`${kind}:${value}`);
  }
  return parts;
}

function canonicalAddress(address: string): string {
  const bare = addressOfHost(address).toLowerCase();
  if (!bare.includes(':')) return bare;
  return addressOfHost(URL.canParse(`http://[${bare}]`) ? new URL(`http://[${bare}]`).hostname : bare);
}

function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

function namesOf(subjectAltName: string | undefined): CertificateNames {
  const uris: string[] = [];
  const dns: string[] = [];
  const addresses: string[] = [];
  for (const entry of splitAlternatives(subjectAltName ?? '')) {
    const value = entry.slice(entry.indexOf(':') + 1);
    if (entry.startsWith('DNS:')) dns.push(canonicalName(value));
    else if (entry.startsWith('IP Address:')) addresses.push(canonicalAddress(value));
    else if (entry.startsWith('URI:')) {
      // RFC 5922 §7.1: the scheme must be sip, and a URI with a user names a person, not a domain.
      const uri = tryParseSipUri(value);
      if (uri?.scheme === 'sip' && uri.user === undefined) uris.push(canonicalName(uri.host));
    }
  }
  return { uris, dns, addresses, hasAlternatives: subjectAltName !== undefined && subjectAltName !== '' };
}

/** The identities of a certificate by the rules of RFC 5922 §7.1, in lower case. */
function identitiesOf(certificate: X509Certificate): readonly string[] {
  const names = namesOf(certificate.subjectAltName);
  if (names.uris.length > 0) return [...names.uris, ...names.addresses];
  if (names.hasAlternatives) return [...names.dns, ...names.addresses];
  // Only a certificate without subjectAltName may speak through its CN.
  const commonName = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  return commonName === undefined ? [] : [canonicalName(commonName)];
}

/** Does the certificate speak for that domain or address? No wildcards (RFC 5922 §7.2). */
function speaksFor(certificate: X509Certificate, domain: string): boolean {
  const wanted =
    isNumericHost(domain) || domain.includes(':') ? canonicalAddress(domain) : canonicalName(domain);
  return identitiesOf(certificate).some((identity) => canonicalAddress(identity) === wanted);
}

function day(text: string): string {
  const time = Date.parse(text);
  return Number.isNaN(time) ? text : new Date(time).toISOString().slice(0, 10);
}

function nameOf(subject: DetailedPeerCertificate['subject'] | undefined): string {
  const { CN, O } = (subject ?? {}) as { CN?: string | string[]; O?: string | string[] };
  return [CN ?? O ?? 'somebody without a name'].flat()[0] ?? '';
}

/** Node gives an empty object for no certificate, and no issuer where the chain is cut short. */
function isCertificate(value: unknown): value is DetailedPeerCertificate {
  return typeof value === 'object' && value !== null && 'raw' in value;
}

/** The certificate and those above it, as far as they are known. */
function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: unknown = socket.getPeerCertificate(true);
  while (isCertificate(next) && chain.length < MAX_CHAIN) {
    const { fingerprint256 } = next;
    if (chain.some((one) => one.fingerprint256 === fingerprint256)) break;
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

/** The one of the chain that the date rules out; in its absence the first. */
function outdated(
  chain: readonly DetailedPeerCertificate[],
  isBad: (one: DetailedPeerCertificate) => boolean,
): DetailedPeerCertificate | undefined {
  return chain.find(isBad) ?? chain[0];
}

function chainFault(code: string, chain: readonly DetailedPeerCertificate[], place: string): string {
  const [own] = chain;
  const top = chain.at(-1);
  const whose = (one: DetailedPeerCertificate | undefined): string =>
    one === undefined || one === own
      ? `the certificate of ${place}`
      : `the authority "${nameOf(one.subject)}" behind the certificate of ${place}`;
  const now = Date.now();
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const bad = outdated(chain, ({ valid_to }) => Date.parse(valid_to) < now);
      return `${whose(bad)} expired on ${day(bad?.valid_to ?? '')}`;
    }
    case 'CERT_NOT_YET_VALID': {
      const bad = outdated(chain, ({ valid_from }) => Date.parse(valid_from) > now);
      return `${whose(bad)} is not valid before ${day(bad?.valid_from ?? '')}`;
    }
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `${whose(own)} is self-signed and nobody here trusts it`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `${whose(own)} was issued by "${nameOf(top?.issuer)}", which is not trusted here`;
    case 'CERT_REVOKED':
      return `${whose(own)} was revoked`;
    default:
      return `${whose(own)} is not acceptable (${code})`;
  }
}

/**
 * What is wrong with the certificate of the server at the other end, as one sentence; `undefined` when it is trusted
 * and speaks for `domain`: the host of the URI that was looked up, never what DNS made of it (RFC 5922 §4).
 */
export function certificateFault(socket: TLSSocket, domain: string, place: string): string | undefined {
  const chain = chainOf(socket);
  const [own] = chain;
  if (own === undefined) return `${place} showed no certificate`;
  if (!socket.authorized) {
    // Typed as an error, in fact the code of OpenSSL as text.
    const reason: unknown = socket.authorizationError;
    return chainFault(reason instanceof Error ? reason.message : String(reason), chain, place);
  }
  const certificate = new X509Certificate(own.raw);
  if (speaksFor(certificate, domain)) return undefined;
  const identities = identitiesOf(certificate);
  const issuedFor = identities.length === 0 ? 'no name that SIP knows' : identities.slice(0, 5).join(', ');
  return `the certificate of ${place} is issued for ${issuedFor} and not for ${domain}`;
}

/** Why a handshake or a TLS connection failed. `place` is the peer. */
export function tlsSentence(error: unknown, place: string): string {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNEXPECTED_MESSAGE|BAD_RECORD_TYPE/.test(code)
  ) {
    return `${place} does not speak TLS`;
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_PROTOCOLS_AVAILABLE/.test(code)) {
    return `${place} offers no TLS version that is safe: 1.2 or 1.3 is needed`;
  }
  if (/CERTIFICATE_REQUIRED|PEER_DID_NOT_RETURN/.test(code)) return `${place} asks for a client certificate`;
  if (/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_)/.test(code)) {
    return `${place} does not accept our certificate`;
  }
  if (/HANDSHAKE_FAILURE|NO_SHARED_CIPHER|NO_CIPHERS/.test(code)) {
    return `${place} and this side have no TLS settings in common`;
  }
  if (code === 'ECONNRESET' || /disconnected before secure/.test(message)) {
    return `${place} broke the TLS handshake off`;
  }
  return code.startsWith('ERR_SSL') ? `TLS with ${place} failed (${code})` : socketSentence(error, place);
}
