/**
 * Owns: the messages of a session that are not settled, in the order of the calls.
 * Called by: sending.ts. Calls: nothing.
 */

/** A message as its line sees it. */
export interface UnsettledMessage {
  /** Where it stands; its line writes it. */
  place: number;
}

/** Free places before the line closes up. */
const MAX_GAPS = 1_024;

/**
 * Adds and removes without a trace. A `Set` would do, but for this: each time it has had as many members as it has room
 * for, it leaves a table behind that refers to all of that moment, and once the set is old such tables are collected
 * with the old memory only: they kept two of three messages alive long after their answer.
 */
export class UnsettledMessages<T extends UnsettledMessage> {
  readonly #places: (T | undefined)[] = [];
  #used = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(message: T): void {
    message.place = this.#used;
    this.#places[this.#used] = message;
    this.#used += 1;
    this.#size += 1;
  }

  /** Removing twice is harmless. */
  remove(message: T): void {
    if (this.#places[message.place] !== message) return;
    this.#places[message.place] = undefined;
    this.#size -= 1;
    const gaps = this.#used - this.#size;
    if (this.#size === 0) this.#used = 0;
    else if (gaps >= MAX_GAPS && gaps > this.#size) this.#closeUp();
  }

  /** All, as they are now. */
  toArray(): T[] {
    return this.#places.slice(0, this.#used).filter((message) => message !== undefined);
  }

  #closeUp(): void {
    let to = 0;
    for (let from = 0; from < this.#used; from += 1) {
      const message = this.#places[from];
      if (message === undefined) continue;
      this.#places[from] = undefined;
      this.#places[to] = message;
      message.place = to;
      to += 1;
    }
    this.#used = to;
  }
}
