/**
 * Owns: whether somebody knows a user's password: digest credentials, nonces, their counters, and who may still try.
 * Called by: credentials.ts for SIP, relay-admission.ts for MSRP. Calls: user-file.ts, attempt-guard.ts, base/digest.ts.
 * Sources: RFC 7616, RFC 8760.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { systemClock, type Clock } from '../base/clock.ts';
import { IMSERVER_LIMITS, type ImServerLimits } from '../base/limits.ts';
import { DIGEST_ALGORITHMS, digestAlgorithm, digestResponse, type DigestAlgorithm } from '../sip/digest.ts';
import { formatAuthValue, parseAuthValues, type AuthValue } from '../sip/headers.ts';
import { keptText } from '../sip/message.ts';
import { AttemptGuard } from './attempt-guard.ts';
import type { Users } from './users.ts';

/** What credentials are for. */
export interface PasswordRequest {
  readonly method: string;
  /** What the digest is over when the credentials name no `uri`. */
  readonly uri: string;
  /** Where the request came from. */
  readonly address: string;
}

/** `stale`: the password is right, the nonce is not. `locked`: nothing was looked at. */
export type PasswordOutcome =
  { readonly kind: 'right'; readonly user: string } | { readonly kind: 'wrong' | 'stale' | 'locked' };

export interface PasswordCheckOptions {
  readonly users: Users;
  readonly realm: string;
  /** What is offered, in this order; default: all, the best first. */
  readonly algorithms?: readonly DigestAlgorithm[];
  readonly limits?: ImServerLimits;
  readonly clock?: Clock;
  /** With what nonces are sealed: nodes that share it take each other's. Default: one of its own. */
  readonly secret?: Buffer;
}

/** Nonces carry their own time and seal; only their counters are kept. */
export class PasswordCheck {
  readonly realm: string;
  readonly stats = { wrong: 0, locked: 0 };
  readonly #users: Users;
  #algorithms: readonly DigestAlgorithm[];
  readonly #clock: Clock;
  readonly #limits: ImServerLimits;
  readonly #guard: AttemptGuard;
  readonly #seal: Buffer;
  /** The `nc` seen of each nonce: a repeated one is a replay. */
  readonly #counts = new Map<string, SeenCounts>();

  constructor(options: PasswordCheckOptions) {
    this.#users = options.users;
    this.realm = options.realm;
    this.#algorithms = options.algorithms ?? DIGEST_ALGORITHMS;
    this.#clock = options.clock ?? systemClock;
    this.#seal = options.secret ?? randomBytes(32);
    this.#limits = options.limits ?? IMSERVER_LIMITS;
    this.#guard = new AttemptGuard(this.#limits, this.#clock);
  }

  /** Looks at the values of the Authorization headers of one request. */
  async check(authorizations: readonly string[], request: PasswordRequest): Promise<PasswordOutcome> {
    const value = readCredentials(authorizations, this.realm);
    const user = value?.params.get('username');
    if (value === undefined || user === undefined) return { kind: 'wrong' };
    const nonce = value.params.get('nonce') ?? '';
    // Who has been right with this nonce is no guesser, and shut out by none.
    if (this.#counts.get(nonce)?.user !== user && this.#guard.isLocked(user, request.address)) {
      this.stats.locked++;
      return { kind: 'locked' };
    }
    if (!(await this.#isRight(value, user, request))) {
      this.stats.wrong++;
      this.#guard.receiveWrong(user, request.address);
      return { kind: 'wrong' };
    }
    // Right, but the nonce has to be ours, young enough, and its counter has to grow.
    if (!this.#isFresh(user, nonce, value.params.get('nc') ?? '')) return { kind: 'stale' };
    this.#guard.receiveRight(user, request.address);
    return { kind: 'right', user };
  }

  /** Other algorithms are offered and taken from now on. */
  renew(algorithms: readonly DigestAlgorithm[]): void {
    this.#algorithms = algorithms;
  }

  /** One challenge for each algorithm, the best first (RFC 8760 §2.4). */
  challenges(stale: boolean): string[] {
    const text = `${this.#clock.now().toString(36)}.${randomBytes(9).toString('base64url')}`;
    const nonce = `${text}.${this.#sealOf(text)}`;
    return this.#algorithms.map((algorithm) =>
      formatAuthValue(
        {
          scheme: 'Digest',
          params: new Map([
            ['realm', this.realm],
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

  async #isRight(value: AuthValue, user: string, { method, uri }: PasswordRequest): Promise<boolean> {
    const algorithm = digestAlgorithm(value);
    const known = await this.#users.find(user);
    if (algorithm === undefined || !this.#algorithms.includes(algorithm)) return false;
    if (known === undefined || known.disabled) return false;
    const text = (name: string): string => value.params.get(name) ?? '';
    const expected = digestResponse({
      algorithm,
      ha1: known.ha1[algorithm],
      nonce: text('nonce'),
      method,
      uri: value.params.get('uri') ?? uri,
      qop: { value: text('qop'), nc: text('nc'), cnonce: text('cnonce') },
    });
    return sameText(expected, text('response'));
  }

  #isFresh(user: string, nonce: string, nc: string): boolean {
    const [issued = '', salt = '', seal = ''] = nonce.split('.');
    if (!sameText(seal, this.#sealOf(`${issued}.${salt}`))) return false;
    const age = this.#clock.now() - Number.parseInt(issued, 36);
    if (!(age >= 0 && age <= this.#limits.nonceLifeMs)) return false;
    const count = Number.parseInt(nc, 16);
    const seen = this.#counts.get(nonce) ?? { user, highest: 0, recent: new Set() };
    if (seen.user !== user || !isNewCount(seen, count)) return false;
    const oldest = this.#counts.keys().next().value;
    if (this.#counts.size >= this.#limits.maxNonces && oldest !== undefined) this.#counts.delete(oldest);
    this.#counts.set(keptText(nonce), seen);
    return true;
  }

  #sealOf(text: string): string {
    return createHmac('sha256', this.#seal).update(text).digest('base64url').slice(0, 22);
  }
}

interface SeenCounts {
  /** A nonce belongs to whom was first right with it. */
  readonly user: string;
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

function readCredentials(authorizations: readonly string[], realm: string): AuthValue | undefined {
  for (const line of authorizations) {
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
