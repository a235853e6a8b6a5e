/**
 * Owns: what the search index holds of a text: case and accents away, and scripts without spaces cut into pairs.
 * Called by: search.ts, search-query.ts, search-snippet.ts, messages.ts. Calls: nothing.
 *
 * Chinese, Japanese, Thai and their neighbours write no spaces, so a run of such characters has no words to index. Each
 * character and each pair of neighbours becomes a word of its own (今天气 → 今 天 气 今天 天气): what is looked for has all
 * its pairs in the message, and the message itself tells whether they stand side by side.
 *
 * The beginnings of longer words stand in the index as words of their own, behind a mark (budget → budget ·bu ·bud ·budg):
 * FTS5's own index of beginnings would list every short word once more, and words of scripts without spaces too.
 */

/** Characters of scripts that write no spaces between words. */
const UNSPACED_CLASS =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\u30fc';
/** A letter or digit of a script that writes spaces. */
const WORD_CHARACTER = `(?:(?![${UNSPACED_CLASS}])[\\p{L}\\p{N}])`;
const RUNS = new RegExp(`([${UNSPACED_CLASS}]+)|(${WORD_CHARACTER}+)`, 'gu');
const MARKS = /\p{M}+/gu;
/** Marks and labels of the index are of these; no text may be. */
const PRIVATE_USE = /[\ue000-\uf8ff]/g;
const ASCII = /^[\x00-\x7f]*$/;

/** Stands before a beginning. */
const BEGINNING_MARK = '\ue000';
/** Beginnings have so many characters; a longer one is looked for among all words. */
const MIN_BEGINNING = 2;
const MAX_BEGINNING = 4;
const SURROGATE = /[\ud800-\udfff]/;

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

/**
 * Tells whether these runs stand side by side in a folded text, as whole words; `isOpen`: the last word may go on.
 * A pattern over the text as it is: much cheaper than to cut every text into runs.
 */
export function sequenceMatcher(runs: readonly SearchRun[], isOpen: boolean): (folded: string) => boolean {
  const [first, last] = [runs[0], runs.at(-1)];
  const patternOf = (character: string): string => {
    let pattern = first?.kind === 'word' ? `(?<!${character})` : '';
    for (const [index, { kind, text }] of runs.entries()) {
      const before = runs[index - 1];
      // Between scripts with and without spaces nothing needs to stand.
      const apart = before?.kind === 'word' && kind === 'word' ? '+' : '*';
      pattern += before === undefined ? text : `[^\\p{L}\\p{N}]${apart}${text}`;
    }
    return last?.kind === 'word' && !isOpen ? `${pattern}(?!${character})` : pattern;
  };
  const unicode = new RegExp(patternOf(WORD_CHARACTER), 'u');
  const isAscii = runs.every(({ text }) => ASCII.test(text));
  const ascii = isAscii
    ? new RegExp(patternOf('[a-z0-9]').replaceAll('[^\\p{L}\\p{N}]', '[^a-z0-9]'))
    : undefined;
  return (folded) => (ASCII.test(folded) ? ascii?.test(folded) === true : unicode.test(folded));
}

/** The first `count` characters of a word. */
function beginningOf(word: string, count: number): string {
  return SURROGATE.test(word) ? Array.from(word).slice(0, count).join('') : word.slice(0, count);
}

/** The FTS5 query for all words that begin so; `text` is folded. */
export function beginningQuery(text: string): string {
  const { length } = SURROGATE.test(text) ? Array.from(text) : text;
  // One letter as a beginning would be nearly everything.
  if (length < MIN_BEGINNING) return `"${text}"`;
  return length > MAX_BEGINNING ? `"${text}"*` : `("${text}" OR "${BEGINNING_MARK}${text}")`;
}

function isAsciiWord(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
}

/** The marked beginnings of the words of a folded text in ASCII: most texts, and much faster than by a pattern. */
function asciiBeginnings(folded: string): string {
  let beginnings = '';
  let start = 0;
  for (let at = 0; at <= folded.length; at += 1) {
    if (at < folded.length && isAsciiWord(folded.charCodeAt(at))) continue;
    const most = Math.min(MAX_BEGINNING, at - start - 1);
    for (let count = MIN_BEGINNING; count <= most; count += 1) {
      beginnings += ` ${BEGINNING_MARK}${folded.slice(start, start + count)}`;
    }
    start = at + 1;
  }
  return beginnings;
}

/** What the index is given of a text. */
export function toIndexText(text: string): string {
  const folded = foldText(text);
  if (ASCII.test(folded)) return folded + asciiBeginnings(folded);
  let words = '';
  for (const { kind, text: run } of runsOf(folded)) {
    words += ` ${run}`;
    if (kind === 'unspaced') {
      const characters = Array.from(run);
      if (characters.length > 1)
        words = `${words.slice(0, -run.length)}${characters.join(' ')} ${pairsOf(run).join(' ')}`;
      continue;
    }
    const most = Math.min(MAX_BEGINNING, run.length - 1);
    for (let count = MIN_BEGINNING; count <= most; count += 1) {
      words += ` ${BEGINNING_MARK}${beginningOf(run, count)}`;
    }
  }
  return words;
}
