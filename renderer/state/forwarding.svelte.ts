/**
 * Owns: which messages are to be sent on, to whom, and what came of it. Called by: app, forward views. Calls: the client.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { maxForwardTargets } from '../../shared/ipc/message-change-calls.ts';
import type { Client } from '../api/client.ts';
import type { Transfers } from './transfers.svelte.ts';

/** A message that was not sent, beside the conversation that it was for. */
export interface NotForwarded {
  readonly message: Message;
  readonly error: CallError;
}

export class Forwarding {
  readonly #client: Client;
  readonly #transfers: Transfers;
  /** Empty: nothing is to be sent on. */
  messages = $state.raw<readonly Message[]>([]);
  chosen = $state.raw<readonly ConversationId[]>([]);
  refused = $state.raw<ReadonlyMap<ConversationId, readonly NotForwarded[]>>(new Map());
  /** What the whole of it was refused with. */
  problem = $state.raw<unknown>(null);
  busy = $state(false);

  constructor(client: Client, transfers: Transfers) {
    this.#client = client;
    this.#transfers = transfers;
  }

  /** Whether there is something of it that can be sent on from here. */
  takes({ deletedAtMs, file, group }: Message): boolean {
    const isMessage = deletedAtMs === undefined && (group?.notice ?? null) === null;
    return isMessage && (file === undefined || file.available);
  }

  begin(messages: readonly Message[]): void {
    this.end();
    this.messages = [...messages].sort((a, b) => a.position - b.position);
  }

  end(): void {
    this.messages = [];
    this.chosen = [];
    this.refused = new Map();
    this.problem = null;
  }

  get isFull(): boolean {
    return this.chosen.length >= maxForwardTargets;
  }

  toggle(id: ConversationId): void {
    if (this.chosen.includes(id)) this.chosen = this.chosen.filter((each) => each !== id);
    else if (!this.isFull) this.chosen = [...this.chosen, id];
  }

  /** Resolves with whether all of it went everywhere; what did not stands in `refused`, and beside its file. */
  async send(): Promise<boolean> {
    if (this.chosen.length === 0 || this.busy) return false;
    this.busy = true;
    this.problem = null;
    const { chosen, messages } = this;
    try {
      const { refused } = await this.#client.call('message.forward', {
        messageIds: messages.map(({ id }) => id),
        conversationIds: [...chosen],
      });
      const told = new Map<ConversationId, NotForwarded[]>();
      for (const { conversationId, messageId, code, message: reason } of refused) {
        const message = messages.find(({ id }) => id === messageId);
        if (message === undefined) continue;
        const error = new CallError(code, reason);
        told.set(conversationId, [...(told.get(conversationId) ?? []), { message, error }]);
        if (message.file !== undefined && code === 'not-found')
          this.#transfers.problems.set(messageId, error);
      }
      this.refused = told;
      this.chosen = [];
      return refused.length === 0;
    } catch (error) {
      this.problem = error;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
