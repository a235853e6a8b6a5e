/**
 * Owns: one conversation's way to the other person: its chat, its outbox, who is typing.
 * Called by: account-link.ts, commands.ts. Calls: chat.ts, outbox.ts, inbox.ts, delivery.ts.
 */
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { GroupPerson } from '../../shared/domain/group.ts';
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import { MESSENGER_LIMITS } from '../base/limits.ts';
import type { MsrpIncomingMessage, MsrpSessionReport } from '../msrp/session.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import { Chat, type ChatContext } from './chat.ts';
import { chatEnd, type ChatEnd } from './chat-end.ts';
import { Composing } from './composing-state.ts';
import type { Delivery, SentMessage } from './delivery.ts';
import type { Inbox } from './inbox.ts';
import { Outbox } from './outbox.ts';
import type { WaitingChange } from '../store/message-changes.ts';

/** What a conversation needs of its account. */
export interface ConversationHost {
  readonly inbox: Pick<Inbox, 'receiveSessionMessage'>;
  readonly delivery: Pick<
    Delivery,
    'sendOverChat' | 'sendChangeOverChat' | 'sendComposing' | 'receiveReport'
  >;
  /**
   * Undefined while the account cannot reach its server; then `unavailable` says why. For a chat to which the server
   * calls us (`called`) it need not be reached.
   */
  chatContext(conversation: Conversation, called?: 'called'): Omit<ChatContext, 'delegate'> | undefined;
  unavailable(peerName: string): ChatEnd;
  createOutbox(
    conversationId: ConversationId,
    delegate: ConstructorParameters<typeof Outbox>[0]['delegate'],
  ): Outbox;
  createComposing(conversation: Conversation, send: (state: 'active' | 'idle') => void): Composing;
  /** Sends the message by way of the IM Server. Resolves with the SIP status, 0 when not possible. */
  sendOverServer(conversation: Conversation, message: Message): Promise<SentMessage>;
  sendChangeOverServer(conversation: Conversation, change: WaitingChange): Promise<SentMessage>;
  receiveSession(chat: Chat): void;
  receiveTakesChanges(conversation: Conversation, takes: boolean): void;
  receiveMessageChange(message: Message): void;
}

/** One conversation while the program runs. */
export class ConversationLink implements AsyncDisposable {
  readonly #host: ConversationHost;
  readonly #outbox: Outbox;
  readonly #composing: Composing;
  #conversation: Conversation;
  #chat: Chat | undefined;
  #asked: { chat: Chat; invite: IncomingInvite } | undefined;
  /** A session that was there when the server took a message to keep: over it the next one would overtake that. */
  #overtaking: Chat | undefined;

  constructor(host: ConversationHost, conversation: Conversation) {
    this.#host = host;
    this.#conversation = conversation;
    this.#outbox = host.createOutbox(conversation.id, {
      openChat: () => this.#openChat(),
      sendOverChat: (chat, message) => host.delivery.sendOverChat(chat, message),
      sendOverServer: (message) => this.#sendOverServer(message),
      sendChangeOverChat: (chat, change) => host.delivery.sendChangeOverChat(chat, change),
      sendChangeOverServer: (change) => host.sendChangeOverServer(this.#conversation, change),
      receiveChange: (message) => {
        host.receiveMessageChange(message);
      },
    });
    this.#composing = host.createComposing(conversation, (state) => {
      if (this.#chat?.isOpen) void host.delivery.sendComposing(this.#chat, state);
    });
  }

  get conversation(): Conversation {
    return this.#conversation;
  }

  /** The chat that is open or on its way, or waits for the user's answer. */
  get chat(): Chat | undefined {
    return this.#chat ?? this.#asked?.chat;
  }

  /** The conversation has changed in the store. */
  apply(conversation: Conversation): void {
    this.#conversation = conversation;
  }

  /** There may be something to send. */
  send(): void {
    this.#outbox.send();
  }

  /** A message of ours is in the outbox: typing is over, and it goes out. */
  messageQueued(): void {
    this.#composing.messageSent();
    this.#outbox.send();
  }

  /** Our user types, or has stopped. */
  setComposing(active: boolean): void {
    this.#composing.setOurs(active);
  }

  /** Somebody of a group is not there any more: he does not type. */
  personGone(person: GroupPerson): void {
    this.#composing.setTheirs(person, false);
  }

  /** Sets a session up, unless there is one. Rejects with CallError when the account is not online. */
  startSession(): Session {
    if (this.#chat === undefined) {
      const context = this.#host.chatContext(this.#conversation);
      if (context === undefined) {
        const { message } = this.#host.unavailable(this.#conversation.peerName);
        throw new CallError('not-signed-in', message);
      }
      return this.#invite(context).session;
    }
    return this.#chat.session;
  }

  async endSession(): Promise<Session | undefined> {
    const chat = this.#chat;
    const isOurInvitation = chat?.session.direction === 'outgoing' && !chat.isOpen;
    await chat?.end(isOurInvitation ? 'cancelled' : 'ended-by-us');
    return chat?.session;
  }

  /** Steps 3 to 10 of the flow, with Tom's rules: contacts are let in, strangers are asked about. */
  async receiveInvite(invite: IncomingInvite, letIn: boolean): Promise<void> {
    const context = this.#host.chatContext(this.#conversation, 'called');
    if (context === undefined) {
      await invite.reject(480);
      return;
    }
    if (!letIn) {
      await this.#ask(context, invite);
      return;
    }
    const ours = this.#chat;
    // Both invited at once: the smaller address keeps its invitation, both sides decide alike (RFC 3261 §14.1).
    const keepsOurs = context.address <= this.#conversation.peerAddress;
    if (ours !== undefined && keepsOurs && mayBeCrossed(ours.session)) {
      await invite.reject(491);
      return;
    }
    if (ours?.session.state === 'inviting') ours.drop();
    await this.#accept(Chat.incoming({ ...context, delegate: this.#chatDelegate() }), invite);
  }

  /** The user's answer to a stranger. Undefined when nothing waits for one (the invitation was taken back). */
  async answer(accept: boolean): Promise<Session | undefined> {
    const asked = this.#asked;
    this.#asked = undefined;
    if (asked === undefined) return undefined;
    if (!accept) {
      await asked.chat.decline(asked.invite);
      return asked.chat.session;
    }
    if (this.#chat?.session.state === 'inviting') this.#chat.drop();
    void this.#accept(asked.chat, asked.invite);
    return asked.chat.session;
  }

  isAsked(sessionId: SessionId): boolean {
    return this.#asked?.chat.session.id === sessionId;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#outbox[Symbol.dispose]();
    this.#composing[Symbol.dispose]();
    await this.#asked?.chat.decline(this.#asked.invite, 480);
    await this.#chat?.end('shutdown');
  }

  async #ask(context: Omit<ChatContext, 'delegate'>, invite: IncomingInvite): Promise<void> {
    const before = this.#asked;
    const chat = Chat.incoming({ ...context, delegate: this.#chatDelegate() });
    this.#asked = { chat, invite };
    // He asks again: whoever sent the first invitation does not wait for its answer any more.
    await before?.chat.decline(before.invite, 480);
    if (invite.cancelled.aborted) {
      chat.receiveCancel(invite);
      return;
    }
    invite.cancelled.addEventListener('abort', () => {
      if (this.#asked?.chat === chat) this.#asked = undefined;
      chat.receiveCancel(invite);
    });
    this.#host.receiveSession(chat);
    await invite.sendRinging();
  }

  /**
   * Answers an invitation. An older session stays until the new one is open: the invitation may be one that its
   * sender has given up meanwhile.
   */
  async #accept(chat: Chat, invite: IncomingInvite): Promise<void> {
    this.#chat ??= chat;
    this.#host.receiveSession(chat);
    await chat.accept(invite);
    const older = this.#chat;
    if (chat.isOpen && older !== chat) {
      this.#chat = chat;
      void older.end('media-lost');
    }
    this.#outbox.send();
  }

  async #sendOverServer(message: Message): Promise<SentMessage> {
    const sent = await this.#host.sendOverServer(this.#conversation, message);
    // The server holds sessions that are set up from now on until it has delivered what it keeps.
    if (sent.status === 202) this.#overtaking = this.#chat;
    return sent;
  }

  #invite(context: Omit<ChatContext, 'delegate'>): Chat {
    const chat = Chat.outgoing({ ...context, delegate: this.#chatDelegate() });
    this.#chat = chat;
    this.#host.receiveSession(chat);
    void chat.invite().then(() => {
      // When it failed there is nothing that could be sent now; the outbox has its own time for the next attempt.
      if (chat.isOpen) this.#outbox.send();
    });
    return chat;
  }

  async #openChat(): Promise<{ chat: Chat } | { end: ChatEnd }> {
    if (this.#chat !== undefined && this.#chat === this.#overtaking) await this.#chat.end();
    if (this.#chat?.session.state === 'ending') await this.#chat.over;
    // Our user writes to somebody who waits for his answer: that is the answer.
    if (this.#chat === undefined && this.#conversation.standing === 'accepted') await this.answer(true);
    let chat = this.#chat;
    if (chat === undefined) {
      const context = this.#host.chatContext(this.#conversation);
      if (context === undefined) return { end: this.#host.unavailable(this.#conversation.peerName) };
      chat = this.#invite(context);
    }
    await chat.settled;
    if (chat.isOpen) return { chat };
    return { end: chat.session.end ?? chatEnd('media-lost', this.#conversation.peerName) };
  }

  #chatDelegate(): ChatContext['delegate'] {
    return {
      receiveMessage: (chat: Chat, message: MsrpIncomingMessage) =>
        this.#host.inbox.receiveSessionMessage(this.#conversation, chat, message, this.#composing),
      receiveReport: (_chat: Chat, report: MsrpSessionReport) => {
        void this.#host.delivery.receiveReport(report);
      },
      receiveChange: (chat: Chat) => {
        const takes = chat.peerTakesReferences;
        if (chat.isOpen && takes !== (this.#conversation.takesChanges ?? false)) {
          this.#host.receiveTakesChanges(this.#conversation, takes);
        }
        if (chat.session.state === 'ended') {
          if (this.#chat === chat) this.#chat = undefined;
          if (this.#asked?.chat === chat) this.#asked = undefined;
          this.#composing.clearTheirs();
        }
        this.#host.receiveSession(chat);
      },
    };
  }
}

/** Our own invitation, unanswered or answered so lately that one of the other side may have crossed it. */
function mayBeCrossed({ direction, state, openedMs }: Session): boolean {
  if (direction !== 'outgoing') return false;
  if (state === 'inviting' || state === 'opening') return true;
  return state === 'open' && openedMs !== null && Date.now() - openedMs < MESSENGER_LIMITS.crossingMs;
}
