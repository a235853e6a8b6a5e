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

/** An answer to a 401 or 407: the header to add. `stale` says that only the nonce was too old. */
export interface ChallengeAnswer {
  readonly header: 'Authorization' | 'Proxy-Authorization';
  readonly value: string;
  readonly stale: boolean;
}

/**
 * Answers the first challenge of a 401 or 407 that we can (RFC 8760 §2.4: the server's order of preference).
 * Undefined when none can be answered.
 */
export function answerChallenge(
  response: SipResponse,
  request: { readonly method: string; readonly uri: string },
  credentials: Credentials,
): ChallengeAnswer | undefined {
  const proxy = response.status === 407;
  const lines = response.headers.getAll(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate');
  for (const challenge of lines.flatMap(readChallenges)) {
    const algorithm = digestAlgorithm(challenge);
    const realm = challenge.params.get('realm');
    const nonce = challenge.params.get('nonce');
    const qops = challenge.params
      .get('qop')
      ?.split(',')
      .map((one) => one.trim().toLowerCase());
    if (
      challenge.scheme.toLowerCase() !== 'digest' ||
      !algorithm ||
      realm === undefined ||
      nonce === undefined
    )
      continue;
    if (qops !== undefined && !qops.includes('auth')) continue;
    const qop = qops && { value: 'auth', nc: '00000001', cnonce: randomBytes(12).toString('hex') };
    const ha1 = digestHa1(algorithm, credentials.user, realm, credentials.password);
    const params = new Map<string, string>([
      ['username', credentials.user],
      ['realm', realm],
      ['nonce', nonce],
      ['uri', request.uri],
      ['response', digestResponse({ algorithm, ha1, nonce, ...request, ...(qop ? { qop } : {}) })],
      ['algorithm', algorithm],
    ]);
    if (qop) for (const name of ['cnonce', 'nc'] as const) params.set(name, qop[name]);
    if (qop) params.set('qop', qop.value);
    const opaque = challenge.params.get('opaque');
    if (opaque !== undefined) params.set('opaque', opaque);
    return {
      header: proxy ? 'Proxy-Authorization' : 'Authorization',
      value: formatAuthValue({ scheme: 'Digest', params }, 'credentials'),
      stale: challenge.params.get('stale')?.toLowerCase() === 'true',
    };
  }
  return undefined;
}

function readChallenges(line: string): AuthValue[] {
  try {
    return parseAuthValues(line);
  } catch {
    return [];
  }
}
