/**
 * Owns: values that are mostly there at once and sometimes later, without giving up the order of what is sent.
 * Called by: the engine's senders (a numeric address needs no look-up). Calls: nothing.
 */

/** A value, or a promise for one. */
export type Soon<T> = T | Promise<T>;

/** Calls `use` at once when the value is there, else when it comes; `fail` when it does not come. */
export function whenReady<T>(value: Soon<T>, use: (value: T) => void, fail: (error: unknown) => void): void {
  if (value instanceof Promise) void value.then(use, fail);
  else use(value);
}
