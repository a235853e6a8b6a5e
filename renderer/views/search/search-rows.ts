/** Owns: the rows of the search, people first, then messages by conversation. Called by: search views. Calls: state. */
import type { SearchHit } from '../../../shared/ipc/contract.ts';
import type { AppState } from '../../state/app.svelte.ts';
import { filtersIn, wordsIn } from '../../state/search-filters.ts';

export type SearchRow =
  | {
      readonly kind: 'person';
      readonly key: string;
      readonly name: string;
      readonly address: string;
      readonly isGroup: boolean;
      readonly open: () => void;
    }
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

/** Conversations, and contacts that there is no conversation with yet. */
function people(app: AppState, wanted: string): SearchRow[] {
  const { accounts, contacts, conversations, search } = app;
  const isMeant = (name: string, address: string): boolean =>
    `${name}\n${address}`.toLocaleLowerCase().includes(wanted);
  const known = conversations.sorted
    .filter(({ kind, peerName, peerAddress }) => isMeant(peerName, kind === 'group' ? '' : peerAddress))
    .map(({ id, kind, peerName, peerAddress }) => ({
      kind: 'person' as const,
      key: id,
      name: peerName,
      address: peerAddress,
      isGroup: kind === 'group',
      open: () => {
        search.clear();
        void app.openConversation(id);
      },
    }));
  const others = contacts.all
    .filter(({ accountId }) => accountId === accounts.current?.id)
    .filter(({ displayName, address }) => isMeant(displayName, address))
    .filter(({ accountId, address }) =>
      conversations.sorted.every((each) => each.accountId !== accountId || each.peerAddress !== address),
    )
    .map(({ accountId, displayName, address }) => ({
      kind: 'person' as const,
      key: `${accountId} ${address}`,
      name: displayName || address,
      address,
      isGroup: false,
      open: () => {
        search.clear();
        void conversations
          .openWith(accountId, address)
          .then(({ id }) => app.openConversation(id))
          .catch((error: unknown) => (search.problem = error));
      },
    }));
  return [...known, ...others];
}

export function searchRows(app: AppState): SearchRow[] {
  const { search } = app;
  const wanted = wordsIn(search.text).toLocaleLowerCase();
  const isFiltered = filtersIn(search.text).length > 0;
  const hits = groupedHits(search.hits);
  return [
    ...(wanted === '' || isFiltered || search.scope !== null ? [] : people(app, wanted)),
    ...hits.map((hit, place) => ({
      kind: 'message' as const,
      hit,
      heads: hits[place - 1]?.conversation.id !== hit.conversation.id,
      open: () => void app.showMessage(hit.message),
    })),
  ];
}
