/**
 * Owns: which sessions there are, and the last one that each conversation had. Called by: messenger.ts. Calls: chat.ts.
 */
import type { Session } from '../../shared/domain/conversation.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Chat } from './chat.ts';

/** Sessions whose ladder can still be asked for. */
const MAX_REMEMBERED_CHATS = 64;

/** The sessions of one messenger. */
export class SessionBook {
  readonly #chats = new Map<SessionId, Chat>();
  readonly #last = new Map<ConversationId, Session>();

  /** What is known from an earlier run. */
  load(sessions: readonly Session[]): void {
    for (const session of sessions) this.#last.set(session.conversationId, session);
  }

  chat(id: SessionId): Chat | undefined {
    return this.#chats.get(id);
  }

  /** Sessions that are not over. */
  open(): Session[] {
    return [...this.#chats.values()].map((chat) => chat.session).filter(({ state }) => state !== 'ended');
  }

  /** Sessions that are not over, and the last ended one of each conversation. */
  all(): Session[] {
    const current = this.open();
    const busy = new Set(current.map((session) => session.conversationId));
    return [
      ...current,
      ...[...this.#last.values()].filter(({ conversationId }) => !busy.has(conversationId)),
    ];
  }

  /** A session has begun or changed. The oldest that are over are forgotten. */
  receiveSession(chat: Chat): void {
    const { session } = chat;
    this.#chats.set(session.id, chat);
    if (session.state === 'ended') this.#last.set(session.conversationId, session);
    for (const [id, old] of this.#chats) {
      if (this.#chats.size <= MAX_REMEMBERED_CHATS) break;
      if (old.session.state === 'ended') this.#chats.delete(id);
    }
  }
}
