/** Owns: the session under inspection and its ladder. Called by: app, session strip, inspector. Calls: the client. */
import type { Session } from '../../shared/domain/conversation.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Ladder } from '../../shared/domain/ladder.ts';
import type { SavedFile } from '../../shared/ipc/contract.ts';
import type { Client } from '../api/client.ts';

export class Inspector {
  readonly #client: Client;
  shown = $state(false);
  sessionId = $state<SessionId | null>(null);
  ladder = $state.raw<Ladder | null>(null);
  chosen = $state<number | null>(null);
  problem = $state.raw<unknown>(null);
  /** Only messages with this in them are shown. */
  filter = $state('');
  /** The next file is to have credentials and texts in it. */
  isWhole = $state(false);
  #conversationId: ConversationId | null = null;
  #reading = false;
  #readAgain = false;

  constructor(client: Client) {
    this.#client = client;
  }

  toggle(session: Session | undefined): void {
    this.shown = !this.shown;
    this.follow(session);
  }

  close(): void {
    this.shown = false;
    this.isWhole = false;
  }

  /** Shows another session while the panel is open: the conversation or its session has changed. */
  follow(session: Session | undefined): void {
    const id = session?.id ?? null;
    this.#conversationId = session?.conversationId ?? null;
    if (id !== this.sessionId) {
      this.sessionId = id;
      this.ladder = null;
      this.chosen = null;
    }
    if (this.shown) void this.#read();
  }

  /** Something of this conversation has moved, so there may be new arrows. */
  applyActivity(conversationId: ConversationId): void {
    if (this.shown && conversationId === this.#conversationId) void this.#read();
  }

  /** Asks for a file of the session; what the host has not saved is for the window to save. */
  async save(format: 'text' | 'pcap'): Promise<SavedFile | null> {
    const { sessionId } = this;
    if (sessionId === null) return null;
    try {
      this.problem = null;
      const { isWhole } = this;
      // It is asked for each time.
      this.isWhole = false;
      return await this.#client.call('session.save', { sessionId, format, isWhole });
    } catch (error) {
      this.problem = error;
      return null;
    }
  }

  async #read(): Promise<void> {
    const sessionId = this.sessionId;
    if (sessionId === null) return;
    if (this.#reading) {
      this.#readAgain = true;
      return;
    }
    this.#reading = true;
    try {
      const ladder = await this.#client.call('session.ladder', { sessionId });
      if (this.sessionId === sessionId) {
        this.ladder = ladder;
        this.problem = null;
      }
    } catch (error) {
      this.problem = error;
    } finally {
      this.#reading = false;
    }
    if (this.#readAgain) {
      this.#readAgain = false;
      await this.#read();
    }
  }
}
