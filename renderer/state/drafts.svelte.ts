/** Owns: what has been typed and not sent, per conversation. Called by: composer, list. Calls: nothing. */
import { SvelteMap } from 'svelte/reactivity';
import type { ConversationId } from '../../shared/domain/ids.ts';

export class Drafts {
  readonly #texts = new SvelteMap<ConversationId, string>();

  get(id: ConversationId): string {
    return this.#texts.get(id) ?? '';
  }

  set(id: ConversationId, text: string): void {
    if (text.trim() === '') this.#texts.delete(id);
    else this.#texts.set(id, text);
  }
}
