/**
 * Owns: a set of things by key, filled by a reading and kept up by events.
 * Called by: accounts, contacts, conversations, sessions. Calls: nothing.
 */
import { SvelteMap } from 'svelte/reactivity';

/** An event that arrives while a reading is under way is newer than the reading: it is applied again after it. */
export class KeyedList<Key extends string, Item> {
  readonly #keyOf: (item: Item) => Key;
  readonly #items = new SvelteMap<Key, Item>();
  #changedWhileReading: (() => void)[] = [];
  #readings = 0;

  constructor(keyOf: (item: Item) => Key) {
    this.#keyOf = keyOf;
  }

  get(key: Key): Item | undefined {
    return this.#items.get(key);
  }

  get all(): Item[] {
    return [...this.#items.values()];
  }

  set(item: Item): void {
    this.#change(() => this.#items.set(this.#keyOf(item), item));
  }

  delete(key: Key): void {
    this.#change(() => this.#items.delete(key));
  }

  async load(read: () => Promise<readonly Item[]>): Promise<void> {
    this.#readings += 1;
    try {
      const items = await read();
      const keys = new Set(items.map(this.#keyOf));
      for (const key of [...this.#items.keys()]) if (!keys.has(key)) this.#items.delete(key);
      for (const item of items) this.#items.set(this.#keyOf(item), item);
      for (const change of this.#changedWhileReading) change();
    } finally {
      this.#readings -= 1;
      if (this.#readings === 0) this.#changedWhileReading = [];
    }
  }

  #change(change: () => void): void {
    if (this.#readings > 0) this.#changedWhileReading.push(change);
    change();
  }
}
