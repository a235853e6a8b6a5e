/** Owns: which messages of a conversation are chosen together. Called by: app (events), thread views. Calls: nothing. */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { maxChosenMessages } from '../../shared/ipc/message-change-calls.ts';

export class Selection {
  /** Null: nothing is being chosen. */
  conversationId = $state<ConversationId | null>(null);
  #chosen = $state.raw<ReadonlyMap<MessageId, Message>>(new Map());
  /** Where a row of several begins. */
  #anchor: number | null = null;

  /** In the order of the conversation. */
  readonly messages = $derived([...this.#chosen.values()].sort((a, b) => a.position - b.position));
  readonly isFull = $derived(this.#chosen.size >= maxChosenMessages);

  isIn(id: ConversationId): boolean {
    return this.conversationId === id;
  }

  has(id: MessageId): boolean {
    return this.#chosen.has(id);
  }

  begin(message: Message): void {
    this.conversationId = message.conversationId;
    this.#chosen = new Map([[message.id, message]]);
    this.#anchor = message.position;
  }

  end(): void {
    this.conversationId = null;
    this.#chosen = new Map();
    this.#anchor = null;
  }

  toggle(message: Message): void {
    const chosen = new Map(this.#chosen);
    if (!chosen.delete(message.id) && !this.isFull) chosen.set(message.id, message);
    this.#chosen = chosen;
    this.#anchor = message.position;
  }

  /** And all between the last one that was chosen by itself and this one. `among`: what is in the window. */
  extendTo({ position }: Message, among: readonly Message[]): void {
    const anchor = this.#anchor ?? position;
    const [from, to] = [Math.min(anchor, position), Math.max(anchor, position)];
    const chosen = new Map(this.#chosen);
    for (const message of among) {
      const isNotice = (message.group?.notice ?? null) !== null;
      if (isNotice || message.position < from || message.position > to) continue;
      if (chosen.size < maxChosenMessages) chosen.set(message.id, message);
    }
    this.#chosen = chosen;
  }

  applyMessageChanged(message: Message): void {
    if (this.has(message.id)) this.#chosen = new Map(this.#chosen).set(message.id, message);
  }

  applyMessagesDeleted(conversationId: ConversationId, positions: readonly number[]): void {
    if (conversationId !== this.conversationId) return;
    this.#chosen = new Map([...this.#chosen].filter(([, { position }]) => !positions.includes(position)));
  }
}
