/**
 * Owns: transactions of one kind by their key, how many there may be, and when those that are done are over.
 * Called by: transaction-table.ts (made, found), the transactions (finished, ended). Calls: the clock.
 */
import { monotonicMs, type Clock, type Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';

/** A transaction as its set sees it. Disposing ends it and takes it out of the set; disposing twice is harmless. */
export interface SetMember extends Disposable {
  readonly key: string;
  /** When its time is over, in milliseconds of the monotonic clock; its set writes it. */
  overAtMs: number;
}

/** Taken-out places at the head of a line before it is made shorter. */
const MAX_GONE = 1_024;

/**
 * Those that wait equally long: who came first is over first, and one timer serves all. An array, not a list: where old
 * members point to younger ones, the collector of garbage keeps the young for as long as it has not looked at the old.
 */
class WaitingLine<T extends SetMember> implements Disposable {
  readonly #forMs: number;
  readonly #clock: Clock;
  #members: (T | undefined)[] = [];
  #head = 0;
  #timer: Timer | undefined;

  constructor(forMs: number, clock: Clock) {
    this.#forMs = forMs;
    this.#clock = clock;
  }

  get first(): T | undefined {
    return this.#members[this.#head];
  }

  add(transaction: T): void {
    transaction.overAtMs = this.#nowMs() + this.#forMs;
    this.#members.push(transaction);
    this.#timer ??= this.#clock.startTimer(this.#forMs, () => this.#endThose());
  }

  takeFirst(): void {
    this.#members[this.#head] = undefined;
    this.#head += 1;
    if (this.#head < MAX_GONE || this.#head * 2 < this.#members.length) return;
    this.#members = this.#members.slice(this.#head);
    this.#head = 0;
  }

  /** Ends those whose time is over. */
  #endThose(): void {
    this.#timer = undefined;
    const nowMs = this.#nowMs();
    for (let { first } = this; first !== undefined; { first } = this) {
      const leftMs = first.overAtMs - nowMs;
      if (leftMs > 0) {
        this.#timer = this.#clock.startTimer(leftMs, () => this.#endThose());
        return;
      }
      this.takeFirst();
      first[Symbol.dispose]();
    }
  }

  #nowMs(): number {
    return monotonicMs(this.#clock);
  }

  /** Stops its timer. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }
}

/** Those that are at work, and those that have their final response and absorb what comes again until their time is over. */
export class TransactionSet<T extends SetMember> implements Disposable {
  readonly #clock: Clock;
  readonly #active = new Map<string, T>();
  readonly #finished = new Map<string, T>();
  /** The finished ones, by how long they wait. One that has ended before its time still stands there. */
  readonly #lines = new Map<number, WaitingLine<T>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get full(): boolean {
    return this.#active.size >= SIP_LIMITS.maxTransactions;
  }

  get size(): number {
    return this.#active.size + this.#finished.size;
  }

  /** Those at work, as they are now. */
  get active(): T[] {
    return [...this.#active.values()];
  }

  add(transaction: T): void {
    this.#active.set(transaction.key, transaction);
  }

  get(key: string): T | undefined {
    return this.#active.get(key) ?? this.#finished.get(key);
  }

  /** It has its final response, and its time is over in `forMs`; above the ceiling of such the next one ends before. */
  finish(transaction: T, forMs: number): void {
    const { key } = transaction;
    if (this.get(key) !== transaction) return;
    this.#active.delete(key);
    this.#finished.set(key, transaction);
    this.#lineOf(forMs).add(transaction);
    if (this.#finished.size > SIP_LIMITS.maxFinishedTransactions) this.#endNext();
  }

  remove(transaction: T): void {
    const { key } = transaction;
    for (const all of [this.#active, this.#finished]) {
      if (all.get(key) === transaction) all.delete(key);
    }
  }

  /** Ends all, silently. */
  [Symbol.dispose](): void {
    for (const all of [this.#active, this.#finished]) {
      for (const transaction of [...all.values()]) transaction[Symbol.dispose]();
    }
    for (const line of this.#lines.values()) line[Symbol.dispose]();
  }

  /** Ends the finished one whose time is over first. */
  #endNext(): void {
    let next: T | undefined;
    for (const line of this.#lines.values()) {
      while (line.first !== undefined && this.#finished.get(line.first.key) !== line.first) line.takeFirst();
      if (next === undefined || (line.first?.overAtMs ?? Infinity) < next.overAtMs) next = line.first ?? next;
    }
    next?.[Symbol.dispose]();
  }

  #lineOf(forMs: number): WaitingLine<T> {
    const known = this.#lines.get(forMs);
    if (known !== undefined) return known;
    const line = new WaitingLine<T>(forMs, this.#clock);
    this.#lines.set(forMs, line);
    return line;
  }
}
