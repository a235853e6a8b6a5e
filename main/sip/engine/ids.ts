/**
 * Owns: the making of identifiers: branches, tags, Call-IDs, transaction ids, and the growing CSeq.
 * Called by: the engine's builders and transactions. Calls: node:crypto.
 */
import { createHash, randomFillSync } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import type { SipRequest } from '../message.ts';

/** Random bytes are asked of the system in blocks: one call for each identifier costs more than the identifier. */
const pool = Buffer.alloc(8_192);
let used = pool.length;

/** Takes so many bytes out of the pool; where they begin. */
function takeRandom(bytes: number): number {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return used - bytes;
}

function randomHex(bytes: number): string {
  const at = takeRandom(bytes);
  return pool.toString('hex', at, at + bytes);
}

/** Begins each branch of an RFC 3261 element (§8.1.1.7). */
export const BRANCH_COOKIE = 'z9hG4bK';

/** A branch, unique across space and time (RFC 3261 §8.1.1.7). */
export function newBranch(): string {
  return BRANCH_COOKIE + randomHex(12);
}

/** A tag with more than 32 random bits (RFC 3261 §19.3). */
export function newTag(): string {
  return randomHex(8);
}

const TAG_SEED = randomHex(16);

/** The tag of an answer that is given without keeping a transaction: the same for each repeat (RFC 3261 §8.2.7). */
export function statelessTag(request: SipRequest): string {
  const hash = createHash('sha256').update(TAG_SEED);
  for (const name of ['via', 'from', 'call-id', 'cseq']) hash.update(request.headers.get(name) ?? '');
  return hash.digest('hex').slice(0, 16);
}

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
const uuid = Buffer.from('00000000-0000-4000-8000-000000000000', 'latin1');
/** Where the digits of a UUID stand that are random throughout; the one that says its variant is at 19. */
const RANDOM_PLACES = [...uuid.keys()].filter((place) => ![8, 13, 14, 18, 19, 23].includes(place));

/** A UUID of random bits (RFC 9562 §5.4) as one piece of text: Node puts it together from twenty, and keeps them. */
export function newUuid(): string {
  let at = takeRandom(16) * 2;
  const digit = (): number => {
    const byte = pool[at >> 1] ?? 0;
    return (at++ & 1) === 0 ? byte >> 4 : byte & 15;
  };
  for (const place of RANDOM_PLACES) uuid[place] = DIGITS[digit()] ?? 0;
  uuid[19] = DIGITS[8 | (digit() & 3)] ?? 0;
  return uuid.toString('latin1');
}

export function newCallId(): string {
  return newUuid();
}

/** Names one transaction towards the application. */
export function newTransactionId(): string {
  return newUuid();
}

const CSEQ_EPOCH_S = 1_600_000_000;

/**
 * CSeq numbers that always grow, also across restarts of the program (RFC 3261 §8.1.1.5: below 2^31), so that two
 * requests with the same Call-ID are in order.
 */
export class CSeqSource {
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): number {
    const byTime = Math.max(1, Math.floor(this.#clock.now() / 1_000) - CSEQ_EPOCH_S);
    this.#last = Math.max(this.#last + 1, byTime);
    return this.#last;
  }
}
