/**
 * Owns: the order in which the parts of something are shut down (last opened, first closed).
 * Called by: whatever holds a socket, timer, listener, thread or statement. Calls: their dispose functions.
 */

/** Unsubscribes or releases; calling it twice is harmless. */
export type Release = () => void;

/**
 * An owner of resources. Each resource is adopted on the line that creates it; disposing the owner closes all of
 * them in reverse order, even when one of them fails, and aborts `signal` first.
 */
export class Lifetime implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #abort = new AbortController();

  /** Aborted as soon as shutdown begins. Pending work carries it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get ended(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Adopts a resource and returns it. */
  own<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** Runs `release` at shutdown. */
  defer(release: () => void | Promise<void>): void {
    this.#stack.defer(release);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    await this.#stack.disposeAsync();
  }
}
