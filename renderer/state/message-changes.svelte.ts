/**
 * Owns: what our user does to messages that are there: which one he answers or writes anew, reactions, taking back.
 * Called by: thread views. Calls: the client, thread.svelte.ts.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { CallInput } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';
import type { Thread } from './thread.svelte.ts';

/** Offered before all others. */
export const quickReactions = ['👍', '❤️', '😂', '😮', '😢', '🙏'] as const;

type ChangeName = 'message.react' | 'message.edit' | 'message.takeBack';

/** What the composer is for, beside a new message. */
export type ComposerTask =
  | { readonly kind: 'reply'; readonly message: Message }
  | { readonly kind: 'edit'; readonly message: Message };

export class MessageChanges {
  readonly #client: Client;
  readonly #thread: Thread;
  #task = $state.raw<ComposerTask | null>(null);

  constructor(client: Client, thread: Thread) {
    this.#client = client;
    this.#thread = thread;
  }

  /** Null: a new message, or one of another conversation. */
  taskOf(conversationId: ConversationId): ComposerTask | null {
    return this.#task?.message.conversationId === conversationId ? this.#task : null;
  }

  begin(task: ComposerTask): void {
    this.#task = task;
  }

  end(): void {
    this.#task = null;
  }

  /** The same reaction again takes it back. */
  async toggle(message: Message, emoji: string): Promise<void> {
    const ours = message.reactions?.find(({ isOurs }) => isOurs)?.emoji;
    await this.#change('message.react', { messageId: message.id, emoji: ours === emoji ? null : emoji });
  }

  /** @throws {CallError} */
  async edit(message: Message, text: string): Promise<void> {
    const changed = await this.#client.call('message.edit', { messageId: message.id, text });
    this.#thread.applyMessageChanged(changed.message);
  }

  async takeBack(message: Message): Promise<void> {
    if (this.#task?.message.id === message.id) this.#task = null;
    await this.#change('message.takeBack', { messageId: message.id });
  }

  async #change<Name extends ChangeName>(name: Name, input: CallInput<Name>): Promise<void> {
    try {
      const changed = await this.#client.call(name, input);
      this.#thread.applyMessageChanged(changed.message);
    } catch (error) {
      this.#thread.problem = error;
    }
  }
}
