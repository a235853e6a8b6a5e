/** Owns: the conversations, which one is open, and who types. Called by: app, list, thread, search. Calls: the client. */
import { SvelteMap } from 'svelte/reactivity';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { GroupPerson } from '../../shared/domain/group.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

export class Conversations {
  readonly #client: Client;
  readonly #list = new KeyedList<ConversationId, Conversation>((conversation) => conversation.id);
  readonly #composing = new SvelteMap<ConversationId, readonly GroupPerson[]>();
  openId = $state<ConversationId | null>(null);
  /** Newest activity first. */
  readonly sorted = $derived(this.#list.all.sort((a, b) => b.lastActivityMs - a.lastActivityMs));
  readonly open = $derived(this.openId === null ? undefined : this.#list.get(this.openId));

  constructor(client: Client) {
    this.#client = client;
  }

  async load(): Promise<void> {
    this.#composing.clear();
    await this.#list.load(() => this.#client.call('conversation.list', {}));
  }

  get(id: ConversationId): Conversation | undefined {
    return this.#list.get(id);
  }

  ofAccount(id: AccountId | undefined): Conversation[] {
    return id === undefined ? this.sorted : this.sorted.filter(({ accountId }) => accountId === id);
  }

  /** The others who type there. */
  composing(id: ConversationId): readonly GroupPerson[] {
    return this.#composing.get(id) ?? [];
  }

  /** Finds or creates the conversation with a person. */
  async openWith(accountId: AccountId, address: string): Promise<Conversation> {
    const conversation = await this.#client.call('conversation.open', { accountId, address });
    if (this.#list.get(conversation.id) === undefined) this.#list.set(conversation);
    return conversation;
  }

  /** The user's answer to a stranger. */
  async answer(conversationId: ConversationId, accept: boolean): Promise<void> {
    const before = this.#list.get(conversationId);
    const conversation = await this.#client.call('conversation.answer', { conversationId, accept });
    if (this.#list.get(conversationId) === before) this.#list.set(conversation);
  }

  /** Tells the peer that our user types, or has stopped; not worth a word to the user when it fails. */
  setComposing(conversationId: ConversationId, active: boolean): void {
    this.#client.call('conversation.setComposing', { conversationId, active }).catch(() => undefined);
  }

  applyConversationChanged(conversation: Conversation): void {
    this.#list.set(conversation);
  }

  applyComposingChanged(id: ConversationId, people: readonly GroupPerson[]): void {
    if (people.length === 0) this.#composing.delete(id);
    else this.#composing.set(id, people);
  }

  /** Whose message has come does not type any more. */
  applyMessageFrom({ conversationId, group }: Message): void {
    const author = group?.person?.address;
    const others = this.composing(conversationId).filter(
      ({ address }) => author !== undefined && address !== author,
    );
    this.applyComposingChanged(conversationId, others);
  }
}
