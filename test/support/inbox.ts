/**
 * Owns: waiting for something that arrives, without sleeping. Called by: test peers. Calls: nothing.
 */

/** Below the time of a test, so that it says what did not arrive. */
const PATIENCE_MS = 20_000;
const SHOWN = 8;

interface Waiter<T> {
  readonly match: (item: T) => boolean;
  readonly take: (item: T) => void;
}

/** Items in order of arrival; `next` takes the first that matches, or waits for it. */
export class Inbox<T> {
  readonly #items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();
  readonly #show: (item: T) => string;

  constructor(show: (item: T) => string) {
    this.#show = show;
  }

  put(item: T): void {
    for (const waiter of this.#waiters) {
      if (!waiter.match(item)) continue;
      this.#waiters.delete(waiter);
      waiter.take(item);
      return;
    }
    this.#items.push(item);
  }

  /** What nobody has taken yet. */
  get waiting(): readonly T[] {
    return this.#items;
  }

  async next(match: (item: T) => boolean, what: string): Promise<T> {
    const index = this.#items.findIndex(match);
    const [found] = index < 0 ? [] : this.#items.splice(index, 1);
    if (found !== undefined) return found;
    return new Promise((take, fail) => {
      const waiter: Waiter<T> = {
        match,
        take: (item) => {
          clearTimeout(timer);
          take(item);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const others = this.#items.slice(-SHOWN).map(this.#show).join(' / ');
        fail(new Error(`${what} did not arrive; not taken: ${others === '' ? 'nothing' : others}`));
      }, PATIENCE_MS);
      this.#waiters.add(waiter);
    });
  }
}
