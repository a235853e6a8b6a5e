/**
 * Owns: the language of the search field, and the FTS5 query that it becomes.
 * Called by: search.ts. Calls: search-text.ts.
 *
 *     budget "zürich office" -draft   every word as a beginning, the phrase as it stands, and not that word
 *     from:tom from:me in:"Ana B" before:2026-05-01 after:2025 has:file has:link has:image is:unread
 */
import {
  beginningQuery,
  foldText,
  looseBeginningQuery,
  pairsOf,
  runsOf,
  sequenceMatcher,
} from './search-text.ts';

/** Something that has to be in a message, or must not be. */
export interface SearchTerm {
  /** Folded. */
  readonly text: string;
  /** `beginning`: a word may go on behind it. `phrase`: it stands in the text like this, as whole words. */
  readonly kind: 'beginning' | 'phrase';
}

export type SearchTrait = 'file' | 'link' | 'image';

/** What the user looks for. */
export interface SearchQuery {
  readonly wanted: readonly SearchTerm[];
  readonly unwanted: readonly SearchTerm[];
  /** Folded beginnings of names or addresses; `me` for our own. */
  readonly from: readonly string[];
  readonly in: readonly string[];
  readonly has: readonly SearchTrait[];
  readonly unread: boolean;
  /** Sent at or after this, in ms since 1970. */
  readonly sinceMs: number | undefined;
  /** Sent before this. */
  readonly untilMs: number | undefined;
}

/** The most words that are looked at; further ones are left out. */
const MAX_TERMS = 16;
const PART = /(-?)(?:([a-z]+):)?(?:"([^"]*)("|$)|([^\s"]+))/giu;
const TRAITS: Readonly<Record<string, SearchTrait>> = {
  file: 'file',
  files: 'file',
  link: 'link',
  links: 'link',
  image: 'image',
  images: 'image',
};
const DAY = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/;

/** Reads what was typed. It never throws: what is no filter is a word. `now`: for `today` and `yesterday`. */
export function parseSearchQuery(text: string, now: Date = new Date()): SearchQuery {
  const wanted: SearchTerm[] = [];
  const unwanted: SearchTerm[] = [];
  const lists = { from: [] as string[], in: [] as string[], has: [] as SearchTrait[] };
  let unread = false;
  let sinceMs: number | undefined;
  let untilMs: number | undefined;

  const takeFilter = (name: string, value: string): boolean => {
    const folded = foldText(value.trim());
    if (folded === '') return false;
    if (name === 'from' || name === 'in') lists[name].push(folded);
    else if (name === 'has') {
      const trait = TRAITS[folded];
      if (trait === undefined) return false;
      lists.has.push(trait);
    } else if (name === 'is') {
      if (folded !== 'unread') return false;
      unread = true;
    } else {
      const period = name === 'before' || name === 'after' ? periodOf(folded, now) : undefined;
      if (period === undefined) return false;
      // After a day is from the next one on; before it ends with the one before.
      if (name === 'after') sinceMs = Math.max(sinceMs ?? 0, period.endMs);
      else untilMs = Math.min(untilMs ?? Number.MAX_SAFE_INTEGER, period.startMs);
    }
    return true;
  };

  for (const match of text.matchAll(PART)) {
    const [whole, minus = '', name, quoted, , bare] = match as readonly (string | undefined)[];
    const value = quoted ?? bare ?? '';
    if (name !== undefined && minus === '' && takeFilter(name.toLowerCase(), value)) continue;
    const terms = minus === '' ? wanted : unwanted;
    if (wanted.length + unwanted.length >= MAX_TERMS) break;
    if (quoted !== undefined && name === undefined) {
      // A phrase that is still being typed may end in half a word.
      const isOpen = whole?.endsWith('"') !== true;
      addTerm(terms, quoted, isOpen ? 'beginning' : 'phrase');
    } else
      addTerm(terms, name === undefined ? value : `${name} ${value}`, minus === '' ? 'beginning' : 'phrase');
  }
  return { wanted, unwanted, ...lists, unread, sinceMs, untilMs };
}

function addTerm(terms: SearchTerm[], text: string, kind: SearchTerm['kind']): void {
  const folded = foldText(text);
  if (kind === 'phrase') {
    const words = runsOf(folded).map((run) => run.text);
    if (words.length > 0) terms.push({ text: words.join(' '), kind });
    return;
  }
  for (const run of runsOf(folded)) terms.push({ text: run.text, kind });
}

/** A year, a month, a day, `today` or `yesterday`, in local time. */
function periodOf(text: string, now: Date): { startMs: number; endMs: number } | undefined {
  const [year, month, day] = [now.getFullYear(), now.getMonth(), now.getDate()];
  const span = (start: Date, end: Date) => ({ startMs: start.getTime(), endMs: end.getTime() });
  if (text === 'today') return span(new Date(year, month, day), new Date(year, month, day + 1));
  if (text === 'yesterday') return span(new Date(year, month, day - 1), new Date(year, month, day));
  const match = DAY.exec(text);
  if (match === null) return undefined;
  const [y, m, d] = (match.slice(1) as (string | undefined)[]).map((part) =>
    part === undefined ? undefined : Number(part),
  );
  if (y === undefined) return undefined;
  if (m === undefined) return span(new Date(y, 0, 1), new Date(y + 1, 0, 1));
  if (m < 1 || m > 12) return undefined;
  if (d === undefined) return span(new Date(y, m - 1, 1), new Date(y, m, 1));
  const start = new Date(y, m - 1, d);
  return start.getDate() === d ? span(start, new Date(y, m - 1, d + 1)) : undefined;
}

/** Index words never hold a quotation mark: they are letters and digits, or a label of ours. */
function quote(word: string): string {
  return `"${word}"`;
}

/** Which terms are looked for by a shorter beginning: what is found then has to be looked at. */
export type Looseness = (term: SearchTerm) => boolean;
export const allLoose: Looseness = () => true;
export const noneLoose: Looseness = () => false;

/** Every index word that a message with this term has. A word alone may be a beginning; `isLoose`: of one that is longer. */
function indexWords(term: SearchTerm, isLoose = false): string[] {
  return runsOf(term.text).flatMap(({ kind, text }) => {
    if (kind !== 'word') return pairsOf(text).map(quote);
    if (term.kind !== 'beginning') return [quote(text)];
    return [(isLoose ? looseBeginningQuery(text) : undefined) ?? beginningQuery(text)];
  });
}

/**
 * The terms that FTS5 gathers: all words that begin with four letters or more, before it tells the first. With a common word
 * that takes long, and {@link toMatchQuery} with a {@link Looseness} is quicker.
 */
export function gatheredTerms({ wanted }: SearchQuery): SearchTerm[] {
  return wanted.filter(
    (term) =>
      term.kind === 'beginning' &&
      runsOf(term.text).some(({ kind, text }) => kind === 'word' && looseBeginningQuery(text) !== undefined),
  );
}

/**
 * The FTS5 query for the words of a search and for labels, of which each group needs one; undefined when there is
 * nothing to ask the index. What it finds has the words; {@link matcherOf} tells whether it has the phrases.
 */
export function toMatchQuery(
  query: SearchQuery,
  labels: readonly (readonly string[])[] = [],
  isLoose: Looseness = noneLoose,
): string | undefined {
  const parts = [
    ...query.wanted.flatMap((term) => indexWords(term, isLoose(term))),
    ...labels.map((group) => `(${group.map(quote).join(' OR ')})`),
  ];
  if (parts.length === 0) return undefined;
  const without = query.unwanted
    .map((term) => indexWords(term))
    // Of a phrase only the text itself tells whether it is there.
    .filter((words) => words.length === 1)
    .flat();
  const wanted = parts.join(' AND ');
  return without.length === 0 ? wanted : `(${wanted}) NOT (${without.join(' OR ')})`;
}

/** Does the index alone not know whether a message matches? */
export function needsText({ wanted, unwanted }: SearchQuery): boolean {
  return [...wanted, ...unwanted].some((term) => indexWords(term).length > 1);
}

/** Tells of a text whether it has every phrase, and none that it must not have. */
export function matcherOf(query: SearchQuery): (text: string) => boolean {
  const matcher = (term: SearchTerm) => sequenceMatcher(runsOf(term.text), term.kind === 'beginning');
  const wanted = query.wanted.map(matcher);
  const unwanted = query.unwanted.map(matcher);
  return (text) => {
    const folded = foldText(text);
    return wanted.every((has) => has(folded)) && !unwanted.some((has) => has(folded));
  };
}
