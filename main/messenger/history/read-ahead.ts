/**
 * Owns: reading the next while what was read last is being worked on. Called by: export.ts, archive-export.ts. Calls: nothing.
 */

/** The same values; each is asked for when the one before it is handed out. */
export async function* ahead<T>(values: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = values[Symbol.asyncIterator]();
  const ask = (): Promise<IteratorResult<T>> => {
    const next = iterator.next();
    // An error is thrown when its turn comes; nobody may be there any more then.
    next.catch(() => undefined);
    return next;
  };
  let next = ask();
  try {
    for (;;) {
      const result = await next;
      if (result.done === true) return;
      next = ask();
      yield result.value;
    }
  } finally {
    await next.catch(() => undefined);
    await iterator.return?.();
  }
}
