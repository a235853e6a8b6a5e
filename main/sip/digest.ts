/**
 * Owns: digest authentication for SIP: answering challenges, and computing what a right answer would be.
 * Called by: sip/agent (client), imserver/credentials.ts (server). Calls: sip/headers.ts.
 * Sources: RFC 3261 §22, RFC 7616 §3.4, RFC 8760 (SHA-256 beside MD5).
 */
import { createHash, randomBytes } from 'node:crypto';
import { formatAuthValue, parseAuthValues, type AuthValue } from './headers.ts';
import type { SipResponse } from './message.ts';

/** The algorithms that we know, best first. */
export const DIGEST_ALGORITHMS = ['SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

function hash(algorithm: DigestAlgorithm, text: string): string {
  return createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text, 'utf8')
    .digest('hex');
}

/** H(user:realm:password), lower-case hexadecimal: what a server stores instead of the password. */
export function digestHa1(algorithm: DigestAlgorithm, user: string, realm: string, password: string): string {
  return hash(algorithm, `${user}:${realm}:${password}`);
}

/** The `response` of RFC 7616 §3.4.1. Without `qop` it is the old form of RFC 2069. */
export function digestResponse(input: {
  readonly algorithm: DigestAlgorithm;
  readonly ha1: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  readonly qop?: { readonly value: string; readonly nc: string; readonly cnonce: string };
}): string {
  const ha2 = hash(input.algorithm, `${input.method}:${input.uri}`);
  const middle = input.qop
    ? `${input.nonce}:${input.qop.nc}:${input.qop.cnonce}:${input.qop.value}`
    : input.nonce;
  return hash(input.algorithm, `${input.ha1}:${middle}:${ha2}`);
}

/** The algorithm that a challenge or credentials name; none named means MD5. */
export function digestAlgorithm(value: AuthValue): DigestAlgorithm | undefined {
  const named = (value.params.get('algorithm') ?? 'MD5').toUpperCase();
  return DIGEST_ALGORITHMS.find((known) => known === named);
}

/** Who we are to a server. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** A header that authorises one request. */
export interface Authorization {
  readonly header: 'Authorization' | 'Proxy-Authorization';
  readonly value: string;
}

interface Challenge {
  readonly header: Authorization['header'];
  readonly algorithm: DigestAlgorithm;
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly qop: boolean;
}

/**
 * The client side of digest authentication with one server. Remembers the last challenge, so that the requests
 * after the first are authorised without being asked (RFC 7616 §3.3: `nc` counts them).
 */
export class DigestClient {
  readonly #credentials: Credentials;
  #challenge: Challenge | undefined;
  #count = 0;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /**
   * Takes the first challenge of a 401 or 407 that we can answer (RFC 8760 §2.4: the server's order of preference).
   * `unknown`: there is none. `stale`: only the nonce was too old.
   */
  receiveChallenge(response: SipResponse): 'fresh' | 'stale' | 'unknown' {
    const proxy = response.status === 407;
    const lines = response.headers.getAll(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate');
    for (const value of lines.flatMap(readChallenges)) {
      const challenge = readChallenge(value, proxy ? 'Proxy-Authorization' : 'Authorization');
      if (challenge === undefined) continue;
      this.#challenge = challenge;
      this.#count = 0;
      return value.params.get('stale')?.toLowerCase() === 'true' ? 'stale' : 'fresh';
    }
    this.#challenge = undefined;
    return 'unknown';
  }

  /** Authorises a request; undefined before any challenge. */
  authorize(request: { readonly method: string; readonly uri: string }): Authorization | undefined {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const { algorithm, realm, nonce, opaque, header } = challenge;
    this.#count += 1;
    const qop = challenge.qop
      ? {
          value: 'auth',
          nc: this.#count.toString(16).padStart(8, '0'),
          cnonce: randomBytes(12).toString('hex'),
        }
      : undefined;
    const ha1 = digestHa1(algorithm, this.#credentials.user, realm, this.#credentials.password);
    const params = new Map<string, string>([
      ['username', this.#credentials.user],
      ['realm', realm],
      ['nonce', nonce],
      ['uri', request.uri],
      ['response', digestResponse({ algorithm, ha1, nonce, ...request, ...(qop ? { qop } : {}) })],
      ['algorithm', algorithm],
    ]);
    if (qop) params.set('cnonce', qop.cnonce).set('nc', qop.nc).set('qop', qop.value);
    if (opaque !== undefined) params.set('opaque', opaque);
    return { header, value: formatAuthValue({ scheme: 'Digest', params }, 'credentials') };
  }
}

function readChallenge(value: AuthValue, header: Authorization['header']): Challenge | undefined {
  const algorithm = digestAlgorithm(value);
  const realm = value.params.get('realm');
  const nonce = value.params.get('nonce');
  if (value.scheme.toLowerCase() !== 'digest' || !algorithm || realm === undefined || nonce === undefined) {
    return undefined;
  }
  const qops = value.params
    .get('qop')
    ?.split(',')
    .map((one) => one.trim().toLowerCase());
  if (qops !== undefined && !qops.includes('auth')) return undefined;
  return { header, algorithm, realm, nonce, opaque: value.params.get('opaque'), qop: qops !== undefined };
}

function readChallenges(line: string): AuthValue[] {
  try {
    return parseAuthValues(line);
  } catch {
    return [];
  }
}
