/**
 * Owns: the details of the open conversation: its figures, and its pictures, files and links page by page.
 * Called by: app, details views. Calls: the client.
 */
import type { ConversationFigures, MessageTrait } from '../../shared/domain/history.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message, MessageDetails } from '../../shared/domain/message.ts';
import type { Client } from '../api/client.ts';

const pageSize = 30;

export class Details {
  readonly #client: Client;
  readonly #writes: () => boolean;
  shown = $state(false);
  trait = $state<MessageTrait>('image');
  figures = $state.raw<ConversationFigures | null>(null);
  /** Newest first. */
  messages = $state.raw<readonly Message[]>([]);
  hasMore = $state(false);
  /** Which kind the messages are of; null while the first page is on its way. */
  loaded = $state<MessageTrait | null>(null);
  problem = $state.raw<unknown>(null);
  /** How long messages of this conversation are kept; 0: for ever; null: as the settings say. */
  keepMs = $state<number | null>(null);
  /** What keeping or deleting was refused with. */
  refusal = $state.raw<unknown>(null);
  /** The message whose details are shown, and what is kept of it. */
  messageId = $state<MessageId | null>(null);
  facts = $state.raw<MessageDetails | null>(null);
  #conversationId: ConversationId | null = null;
  #generation = 0;

  /** `writes`: false where nothing can be changed, so nothing is asked that only who changes it needs. */
  constructor(client: Client, writes: () => boolean) {
    this.#client = client;
    this.#writes = writes;
  }

  toggle(id: ConversationId | null): void {
    this.shown = !this.shown;
    this.follow(id);
  }

  close(): void {
    this.shown = false;
  }

  /** Another conversation is open. */
  follow(id: ConversationId | null): void {
    if (id !== this.#conversationId) {
      this.#conversationId = id;
      this.figures = null;
      this.refusal = null;
      this.forgetMessage();
      this.#forget();
    }
    if (this.shown) void this.#read();
  }

  /** Shows what is kept of one message of the open conversation. */
  async showMessage({ id, conversationId }: Message): Promise<void> {
    this.shown = true;
    this.follow(conversationId);
    this.messageId = id;
    this.facts = null;
    try {
      const facts = await this.#client.call('message.details', { messageId: id });
      if (this.messageId === id) this.facts = facts;
    } catch (error) {
      this.problem = error;
    }
  }

  async keep(keepMs: number | null): Promise<void> {
    const conversationId = this.#conversationId;
    if (conversationId === null) return;
    await this.#try(async () => {
      this.keepMs = (await this.#client.call('retention.set', { conversationId, keepMs })).keepMs;
    });
  }

  /** Every message of a conversation leaves this computer. */
  async clear(conversationId: ConversationId): Promise<void> {
    await this.#try(async () => {
      await this.#client.call('conversation.clear', { conversationId });
    });
  }

  forgetMessage(): void {
    this.messageId = null;
    this.facts = null;
  }

  choose(trait: MessageTrait): void {
    if (trait === this.trait) return;
    this.trait = trait;
    this.#forget();
    void this.#read();
  }

  /** Something has come to this conversation, or gone out of it. */
  applyActivity(id: ConversationId): void {
    if (this.shown && id === this.#conversationId && this.messages.length <= pageSize) void this.#read();
  }

  async loadMore(): Promise<void> {
    const last = this.messages.at(-1);
    if (last === undefined || !this.hasMore) return;
    await this.#load(last.position);
  }

  #forget(): void {
    this.messages = [];
    this.hasMore = false;
    this.loaded = null;
  }

  async #read(): Promise<void> {
    const conversationId = this.#conversationId;
    if (conversationId === null) return;
    await this.#load();
    try {
      const figures = await this.#client.call('browse.figures', { conversationId });
      const { keepMs } = this.#writes()
        ? await this.#client.call('retention.get', { conversationId })
        : { keepMs: null };
      if (conversationId !== this.#conversationId) return;
      this.figures = figures;
      this.keepMs = keepMs;
    } catch (error) {
      this.problem = error;
    }
  }

  async #try(work: () => Promise<void>): Promise<void> {
    this.refusal = null;
    try {
      await work();
    } catch (error) {
      this.refusal = error;
    }
  }

  async #load(before?: number): Promise<void> {
    const conversationId = this.#conversationId;
    if (conversationId === null) return;
    this.#generation += 1;
    const generation = this.#generation;
    const { trait } = this;
    try {
      const { messages, hasMore } = await this.#client.call('browse.withTrait', {
        conversationId,
        trait,
        limit: pageSize,
        ...(before === undefined ? {} : { before }),
      });
      if (generation !== this.#generation) return;
      this.messages = before === undefined ? messages : [...this.messages, ...messages];
      this.hasMore = hasMore;
      this.loaded = trait;
      this.problem = null;
    } catch (error) {
      if (generation === this.#generation) this.problem = error;
    }
  }
}
