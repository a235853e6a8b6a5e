/**
 * Owns: what the search index holds of a text: case and accents away, and scripts without spaces cut into pairs.
 * Called by: search.ts, search-query.ts, search-snippet.ts, messages.ts. Calls: nothing.
 *
 * Chinese, Japanese, Thai and their neighbours write no spaces, so a run of such characters has no words to index. Each
 * character and each pair of neighbours becomes a word of its own (今天气 → 今 天 气 今天 天气): what is looked for has all
 * its pairs in the message, and the message itself tells whether they stand side by side.
 */

/** Characters of scripts that write no spaces between words. */
const UNSPACED_CLASS =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\u30fc';
const UNSPACED_RUN = new RegExp(`[${UNSPACED_CLASS}]+`, 'gu');
const RUNS = new RegExp(`([${UNSPACED_CLASS}]+)|((?:(?![${UNSPACED_CLASS}])[\\p{L}\\p{N}])+)`, 'gu');
const MARKS = /\p{M}+/gu;
/** Labels of the index begin with one of these; no text may. */
const PRIVATE_USE = /[\ue000-\uf8ff]/g;
const ASCII = /^[\x00-\x7f]*$/;

/** One piece of a text as the index sees it: a word, or a run that has to be found as it stands. */
export interface SearchRun {
  readonly kind: 'word' | 'unspaced';
  /** Folded. */
  readonly text: string;
}

/** Case, accents, width and ligatures away: `Ünïcode ﬁle` → `unicode file`. */
export function foldText(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(MARKS, '')
    .toLowerCase()
    .replaceAll('ß', 'ss')
    .replace(PRIVATE_USE, ' ');
}

/** The words and unspaced runs of a text that is folded already, in order. */
export function runsOf(folded: string): SearchRun[] {
  const runs: SearchRun[] = [];
  for (const [text, unspaced] of folded.matchAll(RUNS)) {
    runs.push({ kind: unspaced === undefined ? 'word' : 'unspaced', text });
  }
  return runs;
}

/** `今天天气` → `今天`, `天天`, `天气`; one character alone stays. */
export function pairsOf(run: string): string[] {
  const characters = Array.from(run);
  if (characters.length < 2) return characters;
  return characters.slice(0, -1).map((character, index) => character + (characters[index + 1] ?? ''));
}

/** What the index is given of a text. */
export function toIndexText(text: string): string {
  const folded = foldText(text);
  if (folded.length === text.length && ASCII.test(folded)) return folded;
  return folded.replace(UNSPACED_RUN, (run) => {
    const characters = Array.from(run);
    return ` ${characters.join(' ')} ${characters.length > 1 ? pairsOf(run).join(' ') : ''} `;
  });
}
