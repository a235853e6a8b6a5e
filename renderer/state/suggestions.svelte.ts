/**
 * Owns: what is offered for the letters in front of the caret, which of it is chosen, and what is written when it is taken.
 * Called by: mention-suggestions, emoji-suggestions, the composer. Calls: nothing.
 */
const shownAtOnce = 6;

export interface SuggestionSource<Item> {
  /** The letters behind the sign that asks for suggestions, at the end of the text in front of the caret; null: none. */
  readonly typed: (before: string) => string | null;
  /** What fits them, the best first; read again whenever what it reads changes. */
  readonly find: (typed: string) => readonly Item[];
  readonly keyOf: (item: Item) => string;
  /** What is written for it. */
  readonly textOf: (item: Item) => string;
}

export class Suggestions<Item> {
  readonly #source: SuggestionSource<Item>;
  /** Null: nothing is asked for. */
  #typed = $state<string | null>(null);
  /** What comes and goes meanwhile does not change what is chosen. */
  #chosen = $state<string | null>(null);
  /** Empty: nothing is offered. */
  readonly items = $derived.by<readonly Item[]>(() => {
    const typed = this.#typed;
    return typed === null ? [] : this.#source.find(typed).slice(0, shownAtOnce);
  });
  readonly place = $derived(
    Math.max(
      0,
      this.items.findIndex((item) => this.#source.keyOf(item) === this.#chosen),
    ),
  );

  constructor(source: SuggestionSource<Item>) {
    this.#source = source;
  }

  keyOf(item: Item): string {
    return this.#source.keyOf(item);
  }

  /** `before`: the text in front of the caret. */
  update(before: string): void {
    this.#typed = this.#source.typed(before);
    this.#choose(0);
  }

  close(): void {
    this.#typed = null;
  }

  move(step: 1 | -1): void {
    this.#choose((this.place + step + this.items.length) % this.items.length);
  }

  /** What takes the place of the last characters in front of the caret, and how many these are. */
  take(place: number): { readonly text: string; readonly instead: number } | null {
    const item = this.items[place];
    if (item === undefined) return null;
    const instead = (this.#typed?.length ?? 0) + 1;
    this.close();
    return { text: this.#source.textOf(item), instead };
  }

  #choose(place: number): void {
    const item = this.items[place];
    this.#chosen = item === undefined ? null : this.#source.keyOf(item);
  }
}
