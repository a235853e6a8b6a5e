/** Owns: the sessions of every conversation. Called by: app, session strip, inspector. Calls: the client. */
import { SvelteMap } from 'svelte/reactivity';
import type { Session } from '../../shared/domain/conversation.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Client } from '../api/client.ts';
import { KeyedList } from './keyed-list.svelte.ts';

export class Sessions {
  readonly #client: Client;
  readonly #list = new KeyedList<SessionId, Session>((session) => session.id);
  /** What the last try to start, answer or end a session of the conversation came to, when it was refused. */
  readonly problems = new SvelteMap<ConversationId, unknown>();

  constructor(client: Client) {
    this.#client = client;
  }

  load(): Promise<void> {
    return this.#list.load(() => this.#client.call('session.list', {}));
  }

  get(id: SessionId): Session | undefined {
    return this.#list.get(id);
  }

  /** The session that is not over, else the one that ended last. */
  latest(id: ConversationId): Session | undefined {
    return this.#list.all
      .filter(({ conversationId }) => conversationId === id)
      .sort(
        (a, b) => Number(a.state === 'ended') - Number(b.state === 'ended') || b.startedMs - a.startedMs,
      )[0];
  }

  /** Messages flow. */
  isOpen(id: ConversationId): boolean {
    return this.#list.all.some(({ conversationId, state }) => conversationId === id && state === 'open');
  }

  start(conversationId: ConversationId): Promise<void> {
    return this.#act(conversationId, () => this.#client.call('session.start', { conversationId }));
  }

  answer(session: Session, accept: boolean): Promise<void> {
    const input = { sessionId: session.id, accept };
    return this.#act(session.conversationId, () => this.#client.call('session.answer', input));
  }

  end(session: Session): Promise<void> {
    const input = { sessionId: session.id };
    return this.#act(session.conversationId, () => this.#client.call('session.end', input));
  }

  applySessionChanged(session: Session): void {
    this.#list.set(session);
    this.problems.delete(session.conversationId);
  }

  async #act(conversationId: ConversationId, call: () => Promise<Session>): Promise<void> {
    this.problems.delete(conversationId);
    const before = this.#list.all;
    try {
      const session = await call();
      const present = this.#list.get(session.id);
      if (present === undefined || before.includes(present)) this.#list.set(session);
    } catch (error) {
      this.problems.set(conversationId, error);
    }
  }
}
