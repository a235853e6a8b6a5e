/**
 * Owns: the calls of the search. Called by: commands.ts, reader/reader-commands.ts. Calls: the store.
 */
import type { CallOutput, CheckedInput } from '../../shared/ipc/contract.ts';
import type { Store } from '../store/store.ts';

/** With the time that it took. */
export async function searchIn(
  store: Store,
  { text, conversationId, limit, lane }: CheckedInput<'search.query'>,
): Promise<CallOutput<'search.query'>> {
  const began = performance.now();
  const hits = await store.search({ text, conversationId, limit }, lane);
  return { hits, tookMs: performance.now() - began };
}
