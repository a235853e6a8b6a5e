/** Owns: the rows of the search, people first, then messages by conversation. Called by: app.svelte.ts. Calls: other state. */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { SearchHit } from '../../shared/ipc/contract.ts';
import type { Accounts } from './accounts.svelte.ts';
import type { Contacts } from './contacts.svelte.ts';
import type { Conversations } from './conversations.svelte.ts';
import { filtersIn, wordsIn } from './search-filters.ts';
import type { Search } from './search.svelte.ts';

/** What is looked through, and how a row is opened. */
interface Searched {
  readonly accounts: Accounts;
  readonly contacts: Contacts;
  readonly conversations: Conversations;
  readonly search: Search;
  openConversation(id: ConversationId): Promise<void>;
  showMessage(message: Message): Promise<void>;
}

export type SearchRow =
  | {
      readonly kind: 'person';
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

/** A letter is in a thousand names: more than these do not help, and would hold up the next key. */
const MAX_PEOPLE = 20;

/** Hits in the order of relevance of their conversations, those of one conversation together. */
function groupedHits(hits: readonly SearchHit[]): SearchHit[] {
  return [...Map.groupBy(hits, ({ conversation }) => conversation.id).values()].flat();
}

/** Those that are meant: first where a word of the name or address begins so, then where it stands anywhere. */
function meant<T>(all: readonly T[], wanted: string, namesOf: (one: T) => string): T[] {
  const [begun, within]: [T[], T[]] = [[], []];
  for (const one of all) {
    const names = namesOf(one).toLocaleLowerCase();
    const place = names.indexOf(wanted);
    if (place < 0) continue;
    const begins = place === 0 || names.includes(` ${wanted}`) || names.includes(`\n${wanted}`);
    (begins ? begun : within).push(one);
  }
  return [...begun, ...within].slice(0, MAX_PEOPLE);
}

/** Conversations, and contacts that there is no conversation with yet. */
function people(app: Searched, wanted: string): SearchRow[] {
  const { accounts, contacts, conversations, search } = app;
  const known = meant(conversations.sorted, wanted, ({ kind, peerName, peerAddress }) =>
    kind === 'group' ? peerName : `${peerName}\n${peerAddress}`,
  ).map(({ id, kind, peerName, peerAddress }) => ({
    kind: 'person' as const,
    name: peerName,
    address: peerAddress,
    isGroup: kind === 'group',
    open: () => {
      search.clear();
      void app.openConversation(id);
    },
  }));
  const currentId = accounts.current?.id;
  const met = new Set(
    conversations.sorted.flatMap((each) => (each.accountId === currentId ? [each.peerAddress] : [])),
  );
  const strangers = contacts.all.filter(
    ({ accountId, address }) => accountId === currentId && !met.has(address),
  );
  const others = meant(strangers, wanted, ({ displayName, address }) => `${displayName}\n${address}`).map(
    ({ accountId, displayName, address }) => ({
      kind: 'person' as const,
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
    }),
  );
  return [...known, ...others].slice(0, MAX_PEOPLE);
}

export function searchRows(app: Searched): SearchRow[] {
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
