/**
 * Owns: what the bench and its IM Server say to each other. Called by: figures.ts, server-process.ts. Calls: nothing.
 */

/** Users that the server knows. */
export const USERS = 10_000;

export function userName(index: number): string {
  return `u${index}`;
}

export type ServerAsk = { readonly ask: 'usage' } | { readonly ask: 'room'; readonly name: string };

/** Bytes after a collection, processor time since the start. */
export interface ServerAnswer {
  readonly rss: number;
  readonly heap: number;
  readonly cpuMs: number;
  readonly sessions: number;
}
