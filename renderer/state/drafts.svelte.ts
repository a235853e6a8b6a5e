/**
 * Owns: what has been typed and not sent, per conversation; kept over a restart. Called by: app, composer, list.
 * Calls: the client.
 */
import { SvelteMap } from 'svelte/reactivity';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';

/** A pause in typing after which it is written down. */
const pauseMs = 300;

export class Drafts {
  readonly #client: Client;
  readonly #texts = new SvelteMap<ConversationId, string>();
  readonly #unsaved = new Map<ConversationId, ReturnType<typeof setTimeout>>();

  constructor(client: Client) {
    this.#client = client;
  }

  /** What is not written down yet is newer than what is. */
  async load(): Promise<void> {
    const drafts = await this.#client.call('draft.list', {});
    for (const { conversationId, text } of drafts) {
      if (!this.#unsaved.has(conversationId)) this.#texts.set(conversationId, text);
    }
  }

  get(id: ConversationId): string {
    return this.#texts.get(id) ?? '';
  }

  set(id: ConversationId, text: string): void {
    if (text.trim() === '') this.#texts.delete(id);
    else this.#texts.set(id, text);
    clearTimeout(this.#unsaved.get(id));
    this.#unsaved.set(
      id,
      setTimeout(() => this.#save(id), pauseMs),
    );
  }

  /** Writes down at once what waits for a pause: the window is about to go. */
  flush(): void {
    for (const [id, timer] of [...this.#unsaved]) {
      clearTimeout(timer);
      this.#save(id);
    }
  }

  #save(conversationId: ConversationId): void {
    this.#unsaved.delete(conversationId);
    // Without a connection it stays in the window, and is written down with the next change.
    this.#client.call('draft.set', { conversationId, text: this.get(conversationId) }).catch(() => undefined);
  }
}
