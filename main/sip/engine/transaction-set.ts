/**
 * Owns: transactions of one kind by their key, and how many there may be.
 * Called by: transaction-table.ts (made, found), the transactions (finished, ended). Calls: nothing.
 */
import { SIP_LIMITS } from '../../base/limits.ts';

/** Those that are at work, and those that have their final response and absorb what comes again until their time is over. */
export class TransactionSet<T extends Disposable> implements Disposable {
  readonly #active = new Map<string, T>();
  /** In the order in which they got their final response. */
  readonly #finished = new Map<string, T>();

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

  add(key: string, transaction: T): void {
    this.#active.set(key, transaction);
  }

  get(key: string): T | undefined {
    return this.#active.get(key) ?? this.#finished.get(key);
  }

  /** It has its final response; above the ceiling of the finished ones the oldest ends before its time. */
  finish(key: string): void {
    const transaction = this.#active.get(key);
    if (transaction === undefined) return;
    this.#active.delete(key);
    this.#finished.set(key, transaction);
    if (this.#finished.size <= SIP_LIMITS.maxFinishedTransactions) return;
    const [oldest] = this.#finished.values();
    oldest?.[Symbol.dispose]();
  }

  remove(key: string): void {
    if (!this.#active.delete(key)) this.#finished.delete(key);
  }

  /** Ends all, silently. */
  [Symbol.dispose](): void {
    for (const all of [this.#active, this.#finished]) {
      for (const transaction of [...all.values()]) transaction[Symbol.dispose]();
    }
  }
}
