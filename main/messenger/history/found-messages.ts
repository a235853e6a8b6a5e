/**
 * Owns: everything that a search finds, page by page and oldest first, for exports. Called by: export.ts, archive-export.ts.
 * Calls: store.ts.
 */
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { ExportedMessage } from '../../store/export-rows.ts';
import type { Store } from '../../store/store.ts';

const PAGE = 500;

/** Where what is found lies: behind `after`, up to `upTo`, page by page. A page may be empty. */
export async function* foundPlaces(
  store: Store,
  text: string,
  conversationId: ConversationId | undefined,
  { after: begun, upTo }: { readonly after: number; readonly upTo: number } = {
    after: 0,
    upTo: Number.MAX_SAFE_INTEGER,
  },
): AsyncGenerator<number[]> {
  for (let after: number | null = begun; after !== null;) {
    const input = { text, conversationId, after, upTo, limit: PAGE };
    const page: { positions: number[]; last: number | null } = await store.call('selectFoundPage', input);
    yield page.positions;
    after = page.last;
  }
}

/** Whether a search finds anything in a conversation. Rejects with the reason of the signal. */
export async function hasFound(
  store: Store,
  text: string,
  conversationId: ConversationId,
  signal?: AbortSignal,
): Promise<boolean> {
  signal?.throwIfAborted();
  for await (const positions of foundPlaces(store, text, conversationId)) {
    if (positions.length > 0) return true;
    signal?.throwIfAborted();
  }
  return false;
}

/** What a search finds in a conversation. */
export async function* foundPagesOf(
  store: Store,
  text: string,
  conversationId: ConversationId,
): AsyncGenerator<ExportedMessage[]> {
  for await (const positions of foundPlaces(store, text, conversationId)) {
    const placed = await store.call('selectHistoryMessages', { positions });
    // An empty page as well: whoever is to stop is asked between them.
    yield placed.map(({ message }) => message);
  }
}
