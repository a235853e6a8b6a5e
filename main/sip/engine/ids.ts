/**
 * Owns: the making of identifiers: branches, tags, Call-IDs, transaction ids, and the growing CSeq.
 * Called by: the engine's builders and transactions. Calls: node:crypto.
 */
import { createHash, randomFillSync, randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { keptText, type SipRequest } from '../message.ts';

/** Random bytes are asked of the system in blocks: one call for each identifier costs more than the identifier. */
const pool = Buffer.alloc(8_192);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
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

export function newCallId(): string {
  return keptText(randomUUID());
}

/** Names one transaction towards the application. Node puts a UUID together from twenty pieces, and keeps them. */
export function newTransactionId(): string {
  return keptText(randomUUID());
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
