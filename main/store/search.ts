/**
 * Owns: the search of messages. Called by: messenger-tables.ts. Calls: search-query.ts, search-labels.ts, SQLite's FTS5.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { conversationProcedures } from './conversations.ts';
import type { Database } from './database.ts';
import { personName } from './groups.ts';
import { FILE, MESSAGE_SELECT, toMessage, UNREAD, VALUE, type MessageRow } from './message-rows.ts';
import {
  conversationLabel,
  directionLabel,
  periodLabels,
  personLabel,
  traitLabel,
  traitsOf,
} from './search-labels.ts';
import {
  allLoose,
  gatheredTerms,
  matcherOf,
  needsText,
  noneLoose,
  parseSearchQuery,
  toMatchQuery,
  type Looseness,
  type SearchQuery,
  type SearchTerm,
} from './search-query.ts';
import { snippetOf } from './search-snippet.ts';
import { foldText } from './search-text.ts';
import type { SearchTicket } from './worker-protocol.ts';

/** One match. `snippet` alternates plain and matching text, beginning with plain. */
export interface FoundMessage {
  readonly message: Message;
  readonly conversation: Conversation;
  readonly snippet: readonly string[];
}

/**
 * Conversations that a name in `from:` or `in:` is looked up for in the index. While somebody types, further ones are left
 * out; for everything that is found each message tells whether it is of one of them.
 */
const MAX_NAMED = 200;
/** A search looks at so many candidates and no longer than this: the newest matches are what people want. */
const MAX_CANDIDATES = 50_000;
const MAX_SEARCH_MS = 250;
/**
 * Before words with a long beginning are gathered, so many messages are looked at that have a word with a shorter one; and more
 * of them while it seems that a page will be found among the second number: that takes the same time however long a history is.
 */
const MIN_LOOSE_CANDIDATES = 200;
const MAX_LOOSE_CANDIDATES = 1_000;
/**
 * Then, of several words, only the rarest is gathered, and what has it is looked at for the others: a common one has half a
 * million messages among ten. How rare each is, so many of its messages tell.
 */
const SAMPLE = 200;
const MIN_RAREST_CANDIDATES = 1_000;
const MAX_RAREST_CANDIDATES = 2_000;
/** For one page of everything that is found: whoever asks for something else waits for no more than these. */
const MAX_PAGE_CANDIDATES = 1_000;
/** Looks at the clock once in so many candidates. */
const CLOCK_STRIDE = 64;

interface NamedRow {
  key: number;
  peer_name: string;
  peer_address: string;
}

/** What is looked at of a message that the index has found. */
interface Candidate {
  position: number;
  conversation: number;
  kind: number;
  sent_at_ms: number;
  text: string;
}

/** What a search is limited to, beside its words. */
interface Frame {
  readonly labels: readonly (readonly string[])[];
  /** Undefined: any. */
  readonly conversations: ReadonlySet<number> | undefined;
  /** Whose messages; undefined: anybody's. */
  readonly authors: Authors | undefined;
}

/** Whoever has a name: the other one of these conversations, and these people of groups. */
interface Authors {
  readonly conversations: ReadonlySet<number>;
  readonly people: ReadonlySet<number>;
}

/** `isOvertaken` is asked now and then: a search that nobody waits for any more stops. */
export function searchProcedures(database: Database, isOvertaken: (search: SearchTicket) => boolean) {
  const reader = conversationProcedures(database);
  const find = database.prepare<[string], Candidate>(
    `SELECT m.position, m.conversation, m.kind, m.sent_at_ms, m.text
     FROM message_words CROSS JOIN messages m ON m.position = message_words.rowid
     WHERE message_words MATCH ? ORDER BY message_words.rowid DESC`,
  );
  const findFrom = database.prepare<[string, number, number], Candidate>(
    `SELECT m.position, m.conversation, m.kind, m.sent_at_ms, m.text
     FROM message_words CROSS JOIN messages m ON m.position = message_words.rowid
     WHERE message_words MATCH ? AND message_words.rowid > ? AND message_words.rowid <= ? ORDER BY message_words.rowid`,
  );
  const unreadFrom = database.prepare<[number, number], Candidate>(
    `SELECT position, conversation, kind, sent_at_ms, text FROM messages
     WHERE state >= ${UNREAD} AND position > ? AND position <= ? ORDER BY position`,
  );
  const unread = database.prepare<[], Candidate>(
    `SELECT position, conversation, kind, sent_at_ms, text FROM messages
     WHERE state >= ${UNREAD} ORDER BY position DESC`,
  );
  const whole = database.prepare<[number], MessageRow>(`${MESSAGE_SELECT} WHERE m.position = ${VALUE}`);
  const named = database.prepare<[], NamedRow>(
    'SELECT key, peer_name, peer_address FROM conversations ORDER BY last_activity_ms DESC',
  );
  const inPairs = database.prepare<[], NamedRow>(
    `SELECT key, peer_name, peer_address FROM conversations c
     WHERE NOT EXISTS (SELECT 1 FROM groups g WHERE g.conversation = c.key) ORDER BY last_activity_ms DESC`,
  );
  const people = database.prepare<[], NamedRow>(
    `SELECT p.key, ${personName('p')} || ' ' || p.name || ' ' || p.nickname AS peer_name, p.address AS peer_address
     FROM group_people p ORDER BY p.key DESC`,
  );
  const authorOf = database.prepare<[number], { person: number | null }>(
    'SELECT person FROM group_messages WHERE position = ?',
  );
  const keyOf = database.prepare<[string], { key: number }>('SELECT key FROM conversations WHERE id = ?');

  /** Conversations, or people, whose name has a word, or whose address, begins so. */
  function keysNamed(rows: readonly NamedRow[], names: readonly string[]): number[] {
    return rows
      .filter(({ peer_name, peer_address }) => {
        const text = ` ${foldText(peer_name)} ${foldText(peer_address)}`;
        return names.some((name) => text.includes(` ${name}`));
      })
      .map(({ key }) => key);
  }

  /** `isWhole`: names stand for all that have them, else for the newest so many. */
  function frameOf(
    query: SearchQuery,
    conversationId: ConversationId | undefined,
    isWhole: boolean,
  ): Frame | undefined {
    const most = isWhole ? Infinity : MAX_NAMED;
    const labels: string[][] = query.has.map((trait) => [traitLabel(trait)]);
    let conversations: Set<number> | undefined;
    if (conversationId !== undefined) {
      const known = keyOf.get(conversationId);
      if (known === undefined) return undefined;
      conversations = new Set([known.key]);
    }
    const keepOnly = (ids: readonly number[]): void => {
      const before = conversations;
      conversations = new Set(before === undefined ? ids : ids.filter((id) => before.has(id)));
    };
    let authors: Authors | undefined;
    if (query.in.length > 0) keepOnly(keysNamed(named.all(), query.in).slice(0, most));
    if (query.from.length > 0) {
      const others = query.from.filter((name) => name !== 'me');
      const isMine = others.length < query.from.length;
      if (isMine && others.length > 0) return undefined;
      labels.push([directionLabel(isMine ? 'out' : 'in')]);
      if (!isMine) {
        authors = {
          conversations: new Set(keysNamed(inPairs.all(), others).slice(0, most)),
          people: new Set(keysNamed(people.all(), others).slice(0, most)),
        };
        const { conversations: pairs, people: members } = authors;
        if (pairs.size + members.size === 0) return undefined;
        if (pairs.size <= MAX_NAMED && members.size <= MAX_NAMED) {
          labels.push([...[...pairs].map(conversationLabel), ...new Set([...members].map(personLabel))]);
        }
      }
    }
    if (conversations !== undefined) {
      if (conversations.size === 0) return undefined;
      labels.push(
        conversations.size <= MAX_NAMED
          ? [...conversations].map(conversationLabel)
          : [directionLabel('in'), directionLabel('out')],
      );
    }
    if (query.sinceMs !== undefined || query.untilMs !== undefined) {
      const period = periodLabels(query.sinceMs, query.untilMs);
      if (period.length === 0) return undefined;
      labels.push(period);
    }
    return { labels, conversations, authors };
  }

  function isBy({ position, conversation }: Candidate, authors: Authors): boolean {
    if (authors.conversations.has(conversation)) return true;
    if (authors.people.size === 0) return false;
    const person = authorOf.get(position)?.person ?? null;
    return person !== null && authors.people.has(person);
  }

  function* candidates(query: SearchQuery, frame: Frame, isLoose: Looseness): Generator<Candidate> {
    if (query.unread) {
      for (const row of unread.iterate()) {
        if (query.has.length === 0 || query.has.every((trait) => hasTrait(row, trait))) yield row;
      }
      return;
    }
    const match = toMatchQuery(query, frame.labels, isLoose);
    if (match !== undefined) yield* find.iterate(match);
  }

  const changes = database.prepare<[], { count: number }>('SELECT total_changes() AS count');
  const shown = new Map<number, Conversation | null>();
  let shownAt = -1;

  /** The conversations of hits, as they are: asked for anew when anything has been written since. */
  function conversationOf(key: number): Conversation | null {
    let conversation = shown.get(key);
    if (conversation === undefined) {
      conversation = reader.selectConversationByKey({ key });
      shown.set(key, conversation);
    }
    return conversation;
  }

  function forgetOutdated(): void {
    const { count } = changes.get() ?? { count: -1 };
    if (count !== shownAt) shown.clear();
    shownAt = count;
  }

  /** What the index alone does not know of a message: its time to the millisecond, labels that several share, phrases. */
  function tester(query: SearchQuery, frame: Frame, isLoose: Looseness): (row: Candidate) => boolean {
    const { sinceMs = Number.MIN_SAFE_INTEGER, untilMs = Number.MAX_SAFE_INTEGER } = query;
    const isMatch =
      query.unread || needsText(query) || gatheredTerms(query).some(isLoose) ? matcherOf(query) : undefined;
    return (row) =>
      row.sent_at_ms >= sinceMs &&
      row.sent_at_ms < untilMs &&
      frame.conversations?.has(row.conversation) !== false &&
      (frame.authors === undefined || isBy(row, frame.authors)) &&
      isMatch?.(row.text) !== false;
  }

  function* candidatesFrom(
    query: SearchQuery,
    frame: Frame,
    after: number,
    upTo: number,
  ): Generator<Candidate> {
    if (query.unread) {
      for (const row of unreadFrom.iterate(after, upTo)) {
        if (query.has.every((trait) => hasTrait(row, trait))) yield row;
      }
      return;
    }
    // Never gathered: each page would gather all of them again.
    const match = toMatchQuery(query, frame.labels, allLoose);
    if (match !== undefined) yield* findFrom.iterate(match, after, upTo);
  }

  /** All but the term that fewest messages seem to have, as its newest messages tell. */
  function butRarest(terms: readonly SearchTerm[]): Looseness {
    const nothing = parseSearchQuery('');
    let rarest: { term: SearchTerm; share: number } | undefined;
    for (const term of terms) {
      const query = { ...nothing, wanted: [term] };
      const isMatch = matcherOf(query);
      let [count, hits, newest, oldest] = [0, 0, 0, 0];
      for (const { position, text } of find.iterate(toMatchQuery(query, [], allLoose) ?? '')) {
        if (count === 0) newest = position;
        oldest = position;
        count += 1;
        if (isMatch(text)) hits += 1;
        if (count >= SAMPLE) break;
      }
      const share = hits / (newest - oldest + 1);
      if (rarest === undefined || share < rarest.share) rarest = { term, share };
    }
    return (term) => term !== rarest?.term;
  }

  /** What is tried before everything is gathered, as long as so many candidates promise a page. */
  function* looseAttempts(
    query: SearchQuery,
  ): Generator<{ isLoose: Looseness; least: number; most: number }> {
    const gathered = query.unread ? [] : gatheredTerms(query);
    if (gathered.length === 0) return;
    yield { isLoose: allLoose, least: MIN_LOOSE_CANDIDATES, most: MAX_LOOSE_CANDIDATES };
    if (gathered.length === 1) return;
    yield { isLoose: butRarest(gathered), least: MIN_RAREST_CANDIDATES, most: MAX_RAREST_CANDIDATES };
  }

  interface Sought {
    readonly query: SearchQuery;
    readonly frame: Frame;
    readonly limit: number;
    /** Nobody waits for it any more, or it has taken long enough. */
    readonly isOver: () => boolean;
  }

  /** What is found as long as it is worthwhile; `isWhole`: there was no more to find, or no room for more. */
  function look(
    { query, frame, limit, isOver }: Sought,
    isLoose: Looseness,
    isWorthwhile: (count: number, found: number) => boolean,
  ): { found: FoundMessage[]; isWhole: boolean } {
    const isMatch = tester(query, frame, isLoose);
    const found: FoundMessage[] = [];
    let count = 0;
    for (const row of candidates(query, frame, isLoose)) {
      count += 1;
      if (!isWorthwhile(count, found.length)) return { found, isWhole: false };
      if (count % CLOCK_STRIDE === 0 && isOver()) return { found, isWhole: true };
      if (!isMatch(row)) continue;
      const conversation = conversationOf(row.conversation);
      const message = whole.get(row.position);
      if (conversation !== null && message !== undefined) {
        found.push({ message: toMessage(message), conversation, snippet: snippetOf(query, row.text) });
      }
      if (found.length >= limit) break;
    }
    return { found, isWhole: true };
  }

  return {
    /**
     * Where everything is that a search finds, oldest first, page by page: behind `after`, up to `upTo`. `last`: where the
     * next page begins; null at the end. A page may be empty: only so many messages are looked at for one.
     */
    selectFoundPage(input: {
      text: string;
      conversationId?: ConversationId | undefined;
      after: number;
      upTo: number;
      limit: number;
    }): { positions: number[]; last: number | null } {
      const { after, upTo, limit } = input;
      const query = parseSearchQuery(input.text);
      const frame = frameOf(query, input.conversationId, true);
      if (frame === undefined) return { positions: [], last: null };
      const isMatch = tester(query, frame, allLoose);
      const positions: number[] = [];
      let count = 0;
      for (const row of candidatesFrom(query, frame, after, upTo)) {
        count += 1;
        if (isMatch(row)) positions.push(row.position);
        if (positions.length >= limit || count >= MAX_PAGE_CANDIDATES)
          return { positions, last: row.position };
      }
      return { positions, last: null };
    },
    /** Newest first. */
    searchMessages(input: {
      text: string;
      conversationId?: ConversationId | undefined;
      limit: number;
      ticket?: SearchTicket | undefined;
    }): FoundMessage[] {
      const { ticket, limit } = input;
      const isLate = (): boolean => ticket !== undefined && isOvertaken(ticket);
      if (isLate()) return [];
      const query = parseSearchQuery(input.text);
      const frame = frameOf(query, input.conversationId, false);
      if (frame === undefined) return [];
      forgetOutdated();
      const began = performance.now();
      const isOver = (): boolean => performance.now() - began > MAX_SEARCH_MS || isLate();
      const sought: Sought = { query, frame, limit, isOver };
      for (const { isLoose, least, most } of looseAttempts(query)) {
        const { found, isWhole } = look(
          sought,
          isLoose,
          (count, hits) => count <= least || hits * most >= limit * count,
        );
        if (isWhole) return found;
      }
      return look(sought, noneLoose, (count) => count <= MAX_CANDIDATES).found;
    },
  };
}

function hasTrait(row: Candidate, trait: SearchQuery['has'][number]): boolean {
  return traitsOf(row.text, row.kind === FILE).includes(trait);
}
