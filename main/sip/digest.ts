/**
 * Owns: digest authentication for SIP: answering challenges, and computing what a right answer would be.
 * Called by: sip/agent (client), imserver/credentials.ts (server). Calls: base/digest.ts, sip/headers.ts.
 * Sources: RFC 3261 §22, RFC 7616 §3.4, RFC 8760 (SHA-256 beside MD5).
 */
import { randomBytes } from 'node:crypto';
import { DIGEST_ALGORITHMS, digestHa1, digestResponse, type DigestAlgorithm } from '../base/digest.ts';
import { formatAuthValue, parseAuthValues, type AuthValue } from './headers.ts';
import type { SipResponse } from './message.ts';

export { DIGEST_ALGORITHMS, digestHa1, digestResponse, type DigestAlgorithm } from '../base/digest.ts';

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

type AuthorizationHeader = 'Authorization' | 'Proxy-Authorization';

/** Headers that authorise one request: one value for each realm. */
export type AuthorizationHeaders = Readonly<Record<AuthorizationHeader, readonly string[]>>;

interface Challenge {
  readonly header: AuthorizationHeader;
  readonly algorithm: DigestAlgorithm;
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly qop: boolean;
  /** How often it has been answered. */
  count: number;
}

/** What a 401 or 407 asks for. */
export interface ReceivedChallenge {
  /** `unknown`: nothing that we can answer. `stale`: only the nonce was too old. */
  readonly verdict: 'fresh' | 'stale' | 'unknown';
  /** Who asks: header and realm. A proxy and the server behind it ask one after the other (RFC 3261 §22.3). */
  readonly askers: readonly string[];
}

/** Proxies on the way that ask for credentials of their own, and the server. */
const MAX_ASKERS = 8;

/**
 * The client side of digest authentication with one server and the proxies before it. Remembers the last challenge of
 * each, so that the requests after the first are authorised without being asked (RFC 7616 §3.3: `nc` counts them).
 */
export class DigestClient {
  readonly #credentials: Credentials;
  readonly #challenges = new Map<string, Challenge>();

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  /**
   * Takes, for each realm of a 401 or 407, the first challenge that we can answer (RFC 8760 §2.4: the server's order
   * of preference).
   */
  receiveChallenge(response: SipResponse): ReceivedChallenge {
    const proxy = response.status === 407;
    const header = proxy ? 'Proxy-Authorization' : 'Authorization';
    const lines = response.headers.getAll(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate');
    const askers = new Set<string>();
    let verdict: ReceivedChallenge['verdict'] = 'unknown';
    for (const value of lines.flatMap(readChallenges)) {
      const challenge = readChallenge(value, header);
      const asker = `${header} ${challenge?.realm ?? ''}`;
      if (challenge === undefined || askers.has(asker)) continue;
      if (!this.#challenges.has(asker) && this.#challenges.size >= MAX_ASKERS) continue;
      askers.add(asker);
      this.#challenges.set(asker, challenge);
      const stale = value.params.get('stale')?.toLowerCase() === 'true';
      if (!stale) verdict = 'fresh';
      else if (verdict === 'unknown') verdict = 'stale';
    }
    if (verdict === 'unknown') this.#challenges.clear();
    return { verdict, askers: [...askers] };
  }

  /** Authorises a request toward everybody who has asked; `uri` is its request line's, exactly as it is sent. */
  authorize(request: { readonly method: string; readonly uri: string }): Partial<AuthorizationHeaders> {
    const headers: Partial<Record<AuthorizationHeader, string[]>> = {};
    for (const challenge of this.#challenges.values()) {
      (headers[challenge.header] ??= []).push(this.#answer(challenge, request));
    }
    return headers;
  }

  #answer(challenge: Challenge, request: { readonly method: string; readonly uri: string }): string {
    const { algorithm, realm, nonce, opaque } = challenge;
    challenge.count += 1;
    const qop = challenge.qop
      ? {
          value: 'auth',
          nc: challenge.count.toString(16).padStart(8, '0'),
          cnonce: randomBytes(12).toString('hex'),
        }
      : undefined;
    const ha1 = digestHa1(algorithm, this.#credentials.user, realm, this.#credentials.password);
    const params = new Map<string, string>([
      ['username', this.#credentials.user],
      ['realm', realm],
      ['nonce', nonce],
      ['uri', request.uri],
      [
        'response',
        digestResponse({
          algorithm,
          ha1,
          nonce,
          method: request.method,
          uri: request.uri,
          ...(qop ? { qop } : {}),
        }),
      ],
      ['algorithm', algorithm],
    ]);
    if (qop) params.set('cnonce', qop.cnonce).set('nc', qop.nc).set('qop', qop.value);
    if (opaque !== undefined) params.set('opaque', opaque);
    return formatAuthValue({ scheme: 'Digest', params }, 'credentials');
  }
}

function readChallenge(value: AuthValue, header: AuthorizationHeader): Challenge | undefined {
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
  return {
    header,
    algorithm,
    realm,
    nonce,
    opaque: value.params.get('opaque'),
    qop: qops !== undefined,
    count: 0,
  };
}

function readChallenges(line: string): AuthValue[] {
  try {
    return parseAuthValues(line);
  } catch {
    return [];
  }
}
