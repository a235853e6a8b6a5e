/** Owns: which conversations are pinned, muted, archived or marked as unread. Called by: app, list, details. Calls: the client. */
import { SvelteMap } from 'svelte/reactivity';
import type { Conversation, Marks } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';

const none: Marks = { pinned: false, muted: false, archived: false };

export class MarksState {
  readonly #client: Client;
  readonly #marks = new SvelteMap<ConversationId, Marks>();
  problem = $state.raw<unknown>(null);

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    for (const { conversationId, marks } of await this.#client.call('marks.list', {})) {
      this.#marks.set(conversationId, marks);
    }
  }

  get(id: ConversationId): Marks {
    return this.#marks.get(id) ?? none;
  }

  async set(conversationId: ConversationId, change: Partial<Marks>): Promise<void> {
    this.problem = null;
    const marks = { ...this.get(conversationId), ...change };
    try {
      await this.#client.call('marks.set', { conversationId, marks });
      this.#marks.set(conversationId, marks);
    } catch (error) {
      this.problem = error;
    }
  }

  applyMarksChanged(id: ConversationId, marks: Marks): void {
    this.#marks.set(id, marks);
  }

  /** Its user looks at it. */
  applyOpened(id: ConversationId): void {
    if (this.get(id).unread === true) void this.set(id, { unread: false });
  }

  /** Something new in it takes it out of the archive for good, unless it is muted. */
  applyNews(id: ConversationId): void {
    const { archived, muted } = this.get(id);
    if (archived && !muted) void this.set(id, { archived: false });
  }

  /** Archived, and nothing new in it that its user wants to see. */
  isPutAway({ id, unreadCount }: Conversation): boolean {
    const { archived, muted } = this.get(id);
    return archived && (unreadCount === 0 || muted);
  }

  /** Pinned ones first, each part in the order that it had. */
  pinnedFirst(conversations: readonly Conversation[]): Conversation[] {
    return [
      ...conversations.filter(({ id }) => this.get(id).pinned),
      ...conversations.filter(({ id }) => !this.get(id).pinned),
    ];
  }
}
