/**
 * Owns: made-up messages that look like what people write: several languages, a Zipf vocabulary, most of them short.
 * The same seed gives the same messages. Called by: the bench and stress runs of the history. Calls: nothing.
 */

/** A pseudo-random generator that can be started anew (mulberry32). Returns numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const SYLLABLES = {
  english: [
    'th',
    'er',
    'on',
    'an',
    're',
    'he',
    'in',
    'ed',
    'nd',
    'ha',
    'at',
    'en',
    'es',
    'of',
    'or',
    'nt',
    'ea',
    'ti',
    'to',
    'it',
    'st',
    'io',
    'le',
    'is',
    'ou',
    'ar',
    'as',
    'de',
    'rt',
    've',
  ],
  german: [
    'er',
    'en',
    'ch',
    'de',
    'ei',
    'nd',
    'te',
    'in',
    'ie',
    'ge',
    'st',
    'ne',
    'be',
    'es',
    'un',
    're',
    'an',
    'he',
    'au',
    'ng',
    'se',
    'it',
    'dä',
    'ör',
    'ü',
    'ß',
  ],
  russian: [
    'ст',
    'но',
    'то',
    'на',
    'ен',
    'ов',
    'ни',
    'ра',
    'во',
    'ко',
    'пр',
    'ли',
    'по',
    'ре',
    'ос',
    'ер',
    'ва',
    'го',
  ],
} as const;
const HAN_FIRST = 0x4e00;
const HAN_COUNT = 3_000;
const THAI_FIRST = 0x0e01;
const THAI_COUNT = 46;

type Pick = (count: number) => number;

/** A rank of a Zipf distribution: few words are very common, most are rare. */
function zipf(random: () => number, count: number): number {
  return Math.min(count - 1, Math.floor(count ** random()) - 1);
}

function vocabulary(syllables: readonly string[], count: number, pick: Pick): string[] {
  const words = new Set<string>();
  while (words.size < count) {
    const length = 1 + pick(4);
    words.add(Array.from({ length }, () => syllables[pick(syllables.length)] ?? '').join(''));
  }
  // Common words are short, as in every language, though not strictly.
  return [...words]
    .map((word) => ({ word, key: word.length + pick(4) }))
    .sort((left, right) => left.key - right.key)
    .map(({ word }) => word);
}

/** Writes messages. */
export class Corpus {
  readonly #random: () => number;
  readonly #words: readonly (readonly string[])[];

  /** `words`: the size of each vocabulary. */
  constructor(seed = 1, words = 30_000) {
    this.#random = seededRandom(seed);
    const pick: Pick = (count) => Math.floor(this.#random() * count);
    this.#words = [SYLLABLES.english, SYLLABLES.german, SYLLABLES.russian].map((syllables) =>
      vocabulary(syllables, words, pick),
    );
  }

  random(): number {
    return this.#random();
  }

  /** The word of that rank in the first vocabulary; 0 is the most common one. */
  word(rank: number): string {
    return this.#words[0]?.[rank] ?? '';
  }

  /** About 93 characters on average; one in eight in a script without spaces, one in thirty with a link. */
  text(): string {
    const random = this.#random;
    const language = random();
    const length = 2 + Math.floor(-Math.log(1 - random()) * 16);
    if (language > 0.875) return this.#unspaced(length * 2, language > 0.96);
    const words = this.#words[language < 0.55 ? 0 : language < 0.75 ? 1 : 2] ?? [];
    const parts = Array.from({ length }, () => words[zipf(random, words.length)] ?? '');
    if (random() < 1 / 30) parts.push(`https://example.org/${parts[0] ?? ''}/${Math.floor(random() * 1e6)}`);
    return `${parts.join(' ')}${random() < 0.5 ? '.' : ''}`;
  }

  #unspaced(length: number, isThai: boolean): string {
    const [first, count] = isThai ? [THAI_FIRST, THAI_COUNT] : [HAN_FIRST, HAN_COUNT];
    return Array.from({ length }, () => String.fromCodePoint(first + zipf(this.#random, count))).join('');
  }
}
