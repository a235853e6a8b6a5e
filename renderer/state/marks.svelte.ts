/** Owns: which conversations are pinned, muted, archived or marked as unread. Called by: app, list, details. Calls: the client. */
import { SvelteMap } from 'svelte/reactivity';
import { noMarks, type Conversation, type Marks } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';

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
    return this.#marks.get(id) ?? noMarks;
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

  /** Everything in it is read, though it has not been opened. */
  async setRead({ id, unreadCount }: Conversation): Promise<void> {
    this.problem = null;
    try {
      if (unreadCount > 0) await this.#client.call('conversation.markRead', { conversationId: id });
    } catch (error) {
      this.problem = error;
      return;
    }
    this.applyOpened(id);
  }

  /** Its user looks at it, or writes there. */
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

  /** Is there something to read, or is it marked so? What is put away waits. */
  hasUnread(conversation: Conversation): boolean {
    const { id, standing, unreadCount } = conversation;
    const wanted = unreadCount > 0 || this.get(id).unread === true;
    return standing === 'accepted' && wanted && !this.isPutAway(conversation);
  }

  /** Pinned ones first, each part in the order that it had. */
  pinnedFirst(conversations: readonly Conversation[]): Conversation[] {
    return [
      ...conversations.filter(({ id }) => this.get(id).pinned),
      ...conversations.filter(({ id }) => !this.get(id).pinned),
    ];
  }
}
