/**
 * Owns: everything that a search finds, page by page and oldest first, for exports. Called by: export.ts, archive-export.ts.
 * Calls: store.ts.
 */
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { ExportedMessage } from '../../store/export-rows.ts';
import type { Store } from '../../store/store.ts';

const PAGE = 500;

export type FoundPage = Awaited<ReturnType<typeof foundPage>>;

/** Where what is found lies: behind `after`, up to `upTo`. A page may be empty; `last` is null at the end. */
export function foundPage(
  store: Store,
  text: string,
  conversationId: ConversationId | undefined,
  { after, upTo = Number.MAX_SAFE_INTEGER }: { readonly after: number; readonly upTo?: number },
) {
  return store.call('selectFoundPage', { text, conversationId, after, upTo, limit: PAGE });
}

/** Whether a search finds anything in a conversation. Rejects with the reason of the signal. */
export async function hasFound(
  store: Store,
  text: string,
  conversationId: ConversationId,
  signal?: AbortSignal,
): Promise<boolean> {
  for (let after: number | null = 0; after !== null;) {
    signal?.throwIfAborted();
    const page: FoundPage = await foundPage(store, text, conversationId, { after });
    if (page.positions.length > 0) return true;
    after = page.last;
  }
  return false;
}

/** What a search finds in a conversation. */
export async function* foundPagesOf(
  store: Store,
  text: string,
  conversationId: ConversationId,
): AsyncGenerator<ExportedMessage[]> {
  for (let after: number | null = 0; after !== null;) {
    const page: FoundPage = await foundPage(store, text, conversationId, { after });
    const placed = await store.call('selectHistoryMessages', { positions: page.positions });
    // An empty page as well: whoever is to stop is asked between them.
    yield placed.map(({ message }) => message);
    after = page.last;
  }
}
