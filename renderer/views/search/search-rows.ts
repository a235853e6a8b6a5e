/** Owns: the rows of the search, people first, then messages by conversation. Called by: search views. Calls: state. */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { SearchHit } from '../../../shared/ipc/contract.ts';
import type { AppState } from '../../state/app.svelte.ts';

export type SearchRow =
  | { readonly kind: 'person'; readonly conversation: Conversation; readonly open: () => void }
  | {
      readonly kind: 'message';
      readonly hit: SearchHit;
      /** The row opens the group of its conversation. */
      readonly heads: boolean;
      readonly open: () => void;
    };

/** Hits in the order of relevance of their conversations, those of one conversation together. */
function groupedHits(hits: readonly SearchHit[]): SearchHit[] {
  return [...Map.groupBy(hits, ({ conversation }) => conversation.id).values()].flat();
}

export function searchRows(app: AppState): SearchRow[] {
  const { conversations, search } = app;
  const wanted = search.text.trim().toLocaleLowerCase();
  const people =
    wanted === '' || search.scope !== null
      ? []
      : conversations.sorted.filter((conversation) =>
          `${conversation.peerName}\n${conversation.peerAddress}`.toLocaleLowerCase().includes(wanted),
        );
  const hits = groupedHits(search.hits);
  return [
    ...people.map((conversation) => ({
      kind: 'person' as const,
      conversation,
      open: () => {
        search.clear();
        void app.openConversation(conversation.id);
      },
    })),
    ...hits.map((hit, place) => ({
      kind: 'message' as const,
      hit,
      heads: hits[place - 1]?.conversation.id !== hit.conversation.id,
      open: () => void app.showMessage(hit.message),
    })),
  ];
}
