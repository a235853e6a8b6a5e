/**
 * Owns: what the search index holds of a text: case and accents away, and scripts without spaces cut into pairs.
 * Called by: search.ts, search-query.ts, search-snippet.ts, messages.ts. Calls: nothing.
 *
 * Chinese, Japanese, Thai and their neighbours write no spaces, so a run of such characters has no words to index. Each
 * character and each pair of neighbours becomes a word of its own (今天气 → 今 天 气 今天 天气): what is looked for has all
 * its pairs in the message, and the message itself tells whether they stand side by side.
 *
 * The beginnings of longer words stand in the index as words of their own, behind a mark (budget → budget ·bu ·bud):
 * FTS5's own index of beginnings would list every short word once more, and words of scripts without spaces too.
 */

/** Characters of scripts that write no spaces between words. */
const UNSPACED_CLASS =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\u30fc';
/** A letter or digit of a script that writes spaces. */
const WORD_CHARACTER = `(?:(?![${UNSPACED_CLASS}])[\\p{L}\\p{N}])`;
/** A run of unspaced characters, or (second group) a word; flags `gu`. */
export const RUNS_PATTERN = `([${UNSPACED_CLASS}]+)|(${WORD_CHARACTER}+)`;
const RUNS = new RegExp(RUNS_PATTERN, 'gu');
const MARKS = /\p{M}+/gu;
/** Marks and labels of the index are of these; no text may be. */
const PRIVATE_USE = /[\ue000-\uf8ff]/g;
const ASCII = /^[\x00-\x7f]*$/;

/** Stands before a beginning. */
const BEGINNING_MARK = '\ue000';
/** Beginnings have so many characters; a longer one is looked for among all words. */
const MIN_BEGINNING = 2;
const MAX_BEGINNING = 3;
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

/** The FTS5 query for all words that begin so; `text` is folded. */
export function beginningQuery(text: string): string {
  const { length } = SURROGATE.test(text) ? Array.from(text) : text;
  // One letter as a beginning would be nearly everything.
  if (length < MIN_BEGINNING) return `"${text}"`;
  return length > MAX_BEGINNING ? `"${text}"*` : `("${text}" OR "${BEGINNING_MARK}${text}")`;
}

/** The FTS5 query for a superset of it, which is read from its newest end on; undefined when it is the same. */
export function looseBeginningQuery(text: string): string | undefined {
  const characters = SURROGATE.test(text) ? Array.from(text) : text.split('');
  if (characters.length <= MAX_BEGINNING) return undefined;
  return `"${BEGINNING_MARK}${characters.slice(0, MAX_BEGINNING).join('')}"`;
}

/** What a character is to the index. */
const NOTHING = 1;
const WORD = 2;
const UNSPACED = 3;
const WORD_PATTERN = new RegExp(`^${WORD_CHARACTER}$`, 'u');
const UNSPACED_PATTERN = new RegExp(`^[${UNSPACED_CLASS}]$`, 'u');
const FIRST_BEYOND = 0x10000;
/** Of the characters that have been met; a pattern over each text would take several times as long. */
const KINDS = new Uint8Array(FIRST_BEYOND);

function kindOf(point: number): number {
  const known = point < FIRST_BEYOND ? KINDS[point] : undefined;
  if (known !== undefined && known !== 0) return known;
  const character = String.fromCodePoint(point);
  const kind = UNSPACED_PATTERN.test(character) ? UNSPACED : WORD_PATTERN.test(character) ? WORD : NOTHING;
  if (point < FIRST_BEYOND) KINDS[point] = kind;
  return kind;
}

/**
 * The character at a place. Not `codePointAt`: in V8 14 (Node 24.21) it has answered U+D801 for U+10000, now and then, in a
 * text that had come out of `normalize` and `replace`.
 */
function pointAt(text: string, at: number): number {
  const high = text.charCodeAt(at);
  if ((high & 0xfc00) !== 0xd800) return high;
  const low = text.charCodeAt(at + 1);
  return (low & 0xfc00) === 0xdc00 ? FIRST_BEYOND + ((high - 0xd800) << 10) + (low - 0xdc00) : high;
}

/** What the index is given of a text: words, each once and apart from each other by spaces. */
export function toIndexText(text: string): string {
  const folded = foldText(text);
  const { length } = folded;
  // FTS5 looks a repeated word up as often as it comes.
  const met = new Set<string>();
  let words = '';
  const add = (word: string): void => {
    const { size } = met;
    if (met.add(word).size !== size) words += ` ${word}`;
  };
  let at = 0;
  while (at < length) {
    const start = at;
    let point = pointAt(folded, at);
    const kind = kindOf(point);
    let isWide = false;
    let previous = '';
    do {
      const size = point < FIRST_BEYOND ? 1 : 2;
      if (size === 2) isWide = true;
      if (kind === UNSPACED) {
        const character = folded.slice(at, at + size);
        add(character);
        if (previous !== '') add(previous + character);
        previous = character;
      }
      at += size;
      if (at >= length) break;
      point = pointAt(folded, at);
    } while (kindOf(point) === kind);
    if (kind !== WORD) continue;
    const word = folded.slice(start, at);
    if (met.has(word)) continue;
    add(word);
    for (const beginning of beginningsOf(word, isWide)) add(beginning);
  }
  return words;
}

/** Marked, and shorter than the word; `isWide`: some of its characters are of two units. */
function beginningsOf(word: string, isWide: boolean): string[] {
  const characters = isWide ? Array.from(word) : word;
  const beginnings: string[] = [];
  for (let count = MIN_BEGINNING; count <= MAX_BEGINNING && count < characters.length; count += 1) {
    const beginning = characters.slice(0, count);
    beginnings.push(BEGINNING_MARK + (typeof beginning === 'string' ? beginning : beginning.join('')));
  }
  return beginnings;
}
