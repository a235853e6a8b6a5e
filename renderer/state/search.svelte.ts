/** Owns: the search: its text, its scope, its results and the chosen one. Called by: search views. Calls: the client. */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { SearchHit } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';

const limit = 50;
/** Two windows do not overtake each other's searches. */
const lane = Math.floor(Math.random() * 64);

export class Search {
  readonly #client: Client;
  text = $state('');
  scope = $state.raw<Conversation | null>(null);
  hits = $state.raw<readonly SearchHit[]>([]);
  /** The text that the hits belong to: between typing and answer it is an older one. */
  answeredText = $state('');
  problem = $state.raw<unknown>(null);
  /** Place of the chosen row among people and hits, in the order in which they are shown. */
  chosen = $state(0);
  /** The user wants to search: not when the Tab key only passes, the list stays in its way then. */
  focused = $state(false);
  /** Grows with each wish to type into the search field. */
  focusWish = $state(0);
  /** Behind the text, instead of with all of it selected. */
  focusAtEnd = false;
  #lastQuery = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Something is looked for. */
  get active(): boolean {
    return this.text.trim() !== '' || this.scope !== null;
  }

  /** The panel stands in place of the list. */
  get shown(): boolean {
    return this.active || this.focused;
  }

  /** Back to the field, behind what stands in it. */
  focusEnd(): void {
    this.focusAtEnd = true;
    this.focused = true;
    this.focusWish += 1;
  }

  begin(scope: Conversation | null): void {
    this.focusAtEnd = false;
    this.focused = true;
    this.scope = scope;
    this.focusWish += 1;
    if (this.text.trim() !== '') void this.query(this.text);
  }

  clear(): void {
    this.#lastQuery += 1;
    this.text = '';
    this.scope = null;
    this.hits = [];
    this.answeredText = '';
    this.chosen = 0;
    this.problem = null;
    this.focused = false;
  }

  /** Looks for the same in one conversation only, or again everywhere. */
  setScope(scope: Conversation | null): void {
    this.scope = scope;
    if (this.text.trim() !== '') void this.query(this.text);
  }

  /** Asks with every keystroke; an answer that a newer question has overtaken is dropped. */
  async query(text: string): Promise<void> {
    this.text = text;
    this.#lastQuery += 1;
    const query = this.#lastQuery;
    const wanted = text.trim();
    if (wanted === '') {
      this.hits = [];
      this.answeredText = '';
      return;
    }
    try {
      const conversationId = this.scope?.id;
      const answer = await this.#client.call('search.query', {
        text: wanted,
        limit,
        lane,
        ...(conversationId === undefined ? {} : { conversationId }),
      });
      if (query !== this.#lastQuery) return;
      this.hits = answer.hits;
      this.answeredText = wanted;
      this.chosen = 0;
      this.problem = null;
    } catch (error) {
      if (query === this.#lastQuery) this.problem = error;
    }
  }
}
