/**
 * Owns: who may speak: digest authentication of requests, and that nobody speaks as somebody else.
 * Called by: registrar.ts, b2bua.ts, deferred-messages.ts. Calls: user-file.ts, sip/digest.ts.
 * Sources: RFC 3261 §22, RFC 7616, RFC 8760.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { systemClock, type Clock } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import type { AgentServerRequest } from '../sip/agent/agent-server-request.ts';
import { DIGEST_ALGORITHMS, digestAlgorithm, digestResponse, type DigestAlgorithm } from '../sip/digest.ts';
import { formatAuthValue, parseAuthValues, parseNameAddr, type AuthValue } from '../sip/headers.ts';
import { tryParseSipUri } from '../sip/uri.ts';
import type { UserFile } from './user-file.ts';

/** Checks the Authorization of requests. Nonces carry their own time and seal; only their counters are kept. */
export class Credentials {
  readonly #users: UserFile;
  readonly #realm: string;
  readonly #algorithms: readonly DigestAlgorithm[];
  readonly #clock: Clock;
  readonly #limits: ImServerLimits;
  readonly #seal = randomBytes(32);
  /** The `nc` seen of each nonce: a repeated one is a replay. */
  readonly #counts = new Map<string, SeenCounts>();

  constructor(options: {
    users: UserFile;
    realm: string;
    /** What is offered, in this order; default: all, the best first. */
    algorithms?: readonly DigestAlgorithm[];
    limits?: ImServerLimits;
    clock?: Clock;
  }) {
    this.#users = options.users;
    this.#realm = options.realm;
    this.#algorithms = options.algorithms ?? DIGEST_ALGORITHMS;
    this.#clock = options.clock ?? systemClock;
    this.#limits = options.limits ?? IMSERVER_LIMITS;
  }

  /**
   * The user who sent the request, or undefined: then it has been answered, with 401 (no or wrong credentials) or
   * 403 (right credentials, but From is somebody else).
   */
  async authenticate(request: AgentServerRequest): Promise<string | undefined> {
    const outcome = await this.#check(request);
    if (outcome.kind !== 'right') {
      await request.respond(401, {
        headers: { 'WWW-Authenticate': this.#challenges(outcome.kind === 'stale') },
      });
      return undefined;
    }
    if (this.userOf(request.message.headers.get('from')) !== outcome.user) {
      await request.respond(403, { reason: 'You may only speak as yourself' });
      return undefined;
    }
    return outcome.user;
  }

  /** The user part of a From, To or Contact value in our domain; undefined for any other domain or form. */
  userOf(nameAddr: string | undefined): string | undefined {
    if (nameAddr === undefined) return undefined;
    return this.userOfUri(parseNameAddr(nameAddr).uri);
  }

  userOfUri(text: string): string | undefined {
    const uri = tryParseSipUri(text);
    return uri?.host.toLowerCase() === this.#realm ? uri.user : undefined;
  }

  async #check(
    request: AgentServerRequest,
  ): Promise<{ kind: 'right'; user: string } | { kind: 'wrong' } | { kind: 'stale' }> {
    const value = readCredentials(request, this.#realm);
    const user = value?.params.get('username');
    if (value === undefined || user === undefined) return { kind: 'wrong' };
    const algorithm = digestAlgorithm(value);
    const known = await this.#users.find(user);
    if (algorithm === undefined || !this.#algorithms.includes(algorithm) || known === undefined)
      return { kind: 'wrong' };
    const nonce = value.params.get('nonce') ?? '';
    const nc = value.params.get('nc') ?? '';
    const expected = digestResponse({
      algorithm,
      ha1: known.ha1[algorithm],
      nonce,
      method: request.method,
      uri: value.params.get('uri') ?? '',
      qop: { value: value.params.get('qop') ?? '', nc, cnonce: value.params.get('cnonce') ?? '' },
    });
    if (!sameText(expected, value.params.get('response') ?? '')) return { kind: 'wrong' };
    // Right, but the nonce has to be ours, young enough, and its counter has to grow.
    return this.#isFresh(nonce, nc) ? { kind: 'right', user } : { kind: 'stale' };
  }

  #isFresh(nonce: string, nc: string): boolean {
    const [issued = '', salt = '', seal = ''] = nonce.split('.');
    if (!sameText(seal, this.#sealOf(`${issued}.${salt}`))) return false;
    const age = this.#clock.now() - Number.parseInt(issued, 36);
    if (!(age >= 0 && age <= this.#limits.nonceLifeMs)) return false;
    const count = Number.parseInt(nc, 16);
    const seen = this.#counts.get(nonce) ?? { highest: 0, recent: new Set() };
    if (!isNewCount(seen, count)) return false;
    const oldest = this.#counts.keys().next().value;
    if (this.#counts.size >= this.#limits.maxNonces && oldest !== undefined) this.#counts.delete(oldest);
    this.#counts.set(nonce, seen);
    return true;
  }

  /** One challenge for each algorithm, the best first (RFC 8760 §2.4). */
  #challenges(stale: boolean): string[] {
    const text = `${this.#clock.now().toString(36)}.${randomBytes(9).toString('base64url')}`;
    const nonce = `${text}.${this.#sealOf(text)}`;
    return this.#algorithms.map((algorithm) =>
      formatAuthValue(
        {
          scheme: 'Digest',
          params: new Map([
            ['realm', this.#realm],
            ['nonce', nonce],
            ['algorithm', algorithm],
            ['qop', 'auth'],
            ...(stale ? ([['stale', 'true']] as const) : []),
          ]),
        },
        'challenge',
      ),
    );
  }

  #sealOf(text: string): string {
    return createHmac('sha256', this.#seal).update(text).digest('base64url').slice(0, 22);
  }
}

interface SeenCounts {
  highest: number;
  readonly recent: Set<number>;
}

/** Requests that left together may come in another order: so many counts behind the highest are still new. */
const COUNT_WINDOW = 64;

function isNewCount(seen: SeenCounts, count: number): boolean {
  if (!(count > 0 && count > seen.highest - COUNT_WINDOW) || seen.recent.has(count)) return false;
  seen.recent.add(count);
  seen.highest = Math.max(seen.highest, count);
  for (const old of seen.recent) if (old <= seen.highest - COUNT_WINDOW) seen.recent.delete(old);
  return true;
}

function readCredentials(request: AgentServerRequest, realm: string): AuthValue | undefined {
  const { headers } = request.message;
  for (const line of headers.getAll('authorization')) {
    try {
      const value = parseAuthValues(line).find(({ params }) => params.get('realm') === realm);
      if (value?.scheme.toLowerCase() === 'digest' && value.params.get('qop') === 'auth') return value;
    } catch {
      // Unreadable credentials are no credentials.
    }
  }
  return undefined;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
