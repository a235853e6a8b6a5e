/**
 * Owns: the piece of a message that shows why it was found. Called by: search.ts. Calls: search-text.ts.
 */
import type { SearchQuery, SearchTerm } from './search-query.ts';
import { foldText, runsOf } from './search-text.ts';

/** Characters before the first match, and of the whole piece. */
const LEAD_CHARS = 32;
const PIECE_CHARS = 140;
/** A match behind so many characters is not looked for: the beginning is shown. */
const LOOKED_AT_CHARS = 64 * 1024;

const WORD_CHARACTER = /[\p{L}\p{N}]/u;

/** A text, folded, and where each of its folded characters comes from. */
interface Folded {
  readonly text: string;
  readonly from: readonly number[];
}

function foldWithOrigins(text: string): Folded {
  let folded = '';
  const from: number[] = [];
  let at = 0;
  for (const character of text) {
    const piece = foldText(character);
    folded += piece;
    for (let unit = 0; unit < piece.length; unit += 1) from.push(at);
    at += character.length;
  }
  from.push(at);
  return { text: folded, from };
}

/** Where a term stands in the folded text: `[start, end)`. */
function* placesOf(term: SearchTerm, folded: string): Generator<[start: number, end: number]> {
  for (const { kind, text } of runsOf(term.text)) {
    for (let at = folded.indexOf(text); at >= 0; at = folded.indexOf(text, at + text.length)) {
      const end = at + text.length;
      if (kind === 'word') {
        if (at > 0 && WORD_CHARACTER.test(folded[at - 1] ?? '')) continue;
        if (term.kind === 'phrase' && WORD_CHARACTER.test(folded[end] ?? '')) continue;
      }
      yield [at, end];
    }
  }
}

/** Plain and matching text in turn, beginning with plain; `…` where something is left out. */
export function snippetOf(query: Pick<SearchQuery, 'wanted'>, text: string): string[] {
  const looked = text.slice(0, LOOKED_AT_CHARS);
  const { text: folded, from } = foldWithOrigins(looked);
  const places = query.wanted
    .flatMap((term) => [...placesOf(term, folded)])
    .map(([start, end]) => [from[start] ?? 0, from[end] ?? looked.length] as const)
    .sort(([left], [right]) => left - right);
  const [first] = places;
  const start = first === undefined ? 0 : wordStart(looked, first[0] - LEAD_CHARS, first[0]);
  const end = pieceEnd(text, start + PIECE_CHARS);
  const pieces: string[] = [];
  let at = start;
  let plain = start > 0 ? '…' : '';
  for (const [matchStart, matchEnd] of places) {
    if (matchStart < at || matchStart >= end) continue;
    pieces.push(plain + text.slice(at, matchStart), text.slice(matchStart, matchEnd));
    plain = '';
    at = matchEnd;
  }
  const rest = at < end ? text.slice(at, end) : '';
  pieces.push(plain + rest + (Math.max(at, end) < text.length ? '…' : ''));
  return pieces;
}

/** The beginning of the first word at or behind `wanted`, not behind `limit`. */
function wordStart(text: string, wanted: number, limit: number): number {
  if (wanted <= 0) return 0;
  const space = text.indexOf(' ', wanted);
  return space >= 0 && space < limit ? space + 1 : isLowSurrogate(text, wanted) ? wanted + 1 : wanted;
}

function pieceEnd(text: string, wanted: number): number {
  if (wanted >= text.length) return text.length;
  return isLowSurrogate(text, wanted) ? wanted + 1 : wanted;
}

function isLowSurrogate(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
