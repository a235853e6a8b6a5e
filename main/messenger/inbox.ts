/**
 * Owns: what arrives: unwrap, drop duplicates, store, report.
 * Called by: conversation-link.ts (over a session), messenger.ts (by SIP MESSAGE). Calls: cpim, imdn, composing, store, delivery.
 */
import { rm } from 'node:fs/promises';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { GroupPerson, MessageGroup } from '../../shared/domain/group.ts';
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { MsrpIncomingMessage } from '../msrp/session.ts';
import { StoreError } from '../store/database.ts';
import type { NewMessage } from '../store/messages.ts';
import type { Store } from '../store/store.ts';
import type { Chat } from './chat.ts';
import type { Composing } from './composing-state.ts';
import { COMPOSING_TYPE, parseComposing } from './composing.ts';
import type { Delivery } from './delivery.ts';
import { IMDN_TYPE, parseImdnReport } from '../base/imdn.ts';
import { readMessageText, unwrapMessage, type MessageContent } from './message-content.ts';
import { changeOf, type MessageReference } from './message-reference.ts';
import { keepStrangeContent } from './strange-content.ts';

export interface InboxOptions {
  readonly store: Store;
  readonly delivery: Delivery;
  readonly log: Log;
  readonly limits: MessengerLimits;
  /** Where content goes that cannot be shown. */
  readonly filesFolder: string;
  readonly clock?: Clock;
  /** A new message is on disk. */
  readonly receiveAdded: (message: Message) => void;
  /** Something has happened to a message that was here. */
  readonly receiveChanged: (message: Message) => void;
  /** Nothing that is here may be lost. */
  readonly isOnHold: () => boolean;
  /** Its author wants to know that it is: `chat` is the session that it came over, if any. */
  readonly sendDelivered: (conversation: Conversation, chat: Chat | undefined, wireId: string) => void;
}

/** Who wrote something in a room; `out`: we did, on another device. */
export interface RoomMarks {
  readonly direction: 'in' | 'out';
  readonly group: MessageGroup;
}

/** A clock that runs ahead must not push a message to the end of a conversation for ever. */
const MAX_AHEAD_MS = 60_000;

/** Takes content in. */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #clock: Clock;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Over a session. Resolves when it is on disk; rejects with ProtocolError when it cannot be. */
  async receiveSessionMessage(
    conversation: Conversation,
    chat: Chat,
    message: MsrpIncomingMessage,
    composing: Composing,
  ): Promise<void> {
    const content = unwrapMessage(message.contentType, message.body, message.messageId);
    if (content.type === COMPOSING_TYPE) {
      const { state, refreshS } = parseComposing(content.bytes);
      composing.setTheirs(peerOf(conversation), state === 'active', refreshS * 1_000);
      return;
    }
    await this.#receiveContent(conversation, chat, content);
    if (content.type.startsWith('text/')) composing.setTheirs(peerOf(conversation), false);
  }

  /** By SIP MESSAGE. Resolves when it is on disk; rejects with ProtocolError (a MSRP status: 413, 415, 400). */
  async receivePagerMessage(
    conversation: Conversation,
    message: {
      contentType: string;
      body: Buffer;
      fallbackId: string;
      /** The server may tell of a file that it keeps; false: it is none. */
      receiveOffer: (content: MessageContent) => Promise<boolean>;
    },
  ): Promise<void> {
    const content = unwrapMessage(message.contentType, message.body, message.fallbackId);
    if (content.type === COMPOSING_TYPE) return;
    const isOffer = content.type === 'application/sdp' || content.type === 'multipart/related';
    if (isOffer && (await message.receiveOffer(content))) return;
    await this.#receiveContent(conversation, undefined, content);
  }

  /** Of a room; `marks` say who wrote it. Resolves when it is on disk; rejects with ProtocolError. */
  async receiveRoomContent(
    conversation: Conversation,
    content: MessageContent,
    marks: RoomMarks,
  ): Promise<void> {
    if (content.type === 'text/plain' || content.type === 'text/html') {
      await this.#receiveText(conversation, undefined, content, marks);
    } else await this.#receiveStrange(conversation, undefined, content, marks);
  }

  async #receiveContent(
    conversation: Conversation,
    chat: Chat | undefined,
    content: MessageContent,
  ): Promise<void> {
    switch (content.type) {
      case IMDN_TYPE:
        await this.#options.delivery.receiveNotification(conversation, parseImdnReport(content.bytes));
        return;
      case 'text/plain':
      case 'text/html':
        await this.#receiveText(conversation, chat, content);
        return;
      default:
        await this.#receiveStrange(conversation, chat, content);
    }
  }

  /** What cannot be shown is kept as a file. */
  async #receiveStrange(
    conversation: Conversation,
    chat: Chat | undefined,
    content: MessageContent,
    marks?: RoomMarks,
  ): Promise<void> {
    const { filesFolder, limits, log } = this.#options;
    if (content.bytes.length > limits.maxTextBytes) {
      throw new ProtocolError('INBOX_TOO_LARGE', 413, 'too large for a message');
    }
    let file: Awaited<ReturnType<typeof keepStrangeContent>>;
    try {
      file = await keepStrangeContent(filesFolder, content);
    } catch (error) {
      log.error('inbox.file-not-written', { error });
      throw new ProtocolError('INBOX_NOT_WRITTEN', 413, 'it cannot be stored');
    }
    const isNew = await this.#keep(conversation, chat, content, { text: file.name, file, ...marks });
    if (!isNew && file.path !== null) await rm(file.path, { force: true });
  }

  async #receiveText(
    conversation: Conversation,
    chat: Chat | undefined,
    content: MessageContent,
    marks?: RoomMarks,
  ): Promise<void> {
    if (content.bytes.length > this.#options.limits.maxTextBytes) {
      throw new ProtocolError('INBOX_TOO_LARGE', 413, 'text too large');
    }
    const text = readMessageText(content);
    const { reference } = content;
    if (reference !== undefined && (await this.#change(conversation, content, reference, text, marks)))
      return;
    const replyTo = reference?.type === 'reply' ? { replyTo: reference.id } : {};
    await this.#keep(conversation, chat, content, { text, ...replyTo, ...marks });
  }

  /**
   * What it says about another message is done to that. False: it is a text as any other, also when there is no such
   * message, or it is another one's; so nothing is lost.
   */
  async #change(
    conversation: Conversation,
    content: MessageContent,
    reference: MessageReference,
    text: string,
    { direction = 'in', group }: Partial<RoomMarks> = {},
  ): Promise<boolean> {
    const change = changeOf(reference, text);
    if (change === undefined) return false;
    const { store, log } = this.#options;
    const nowMs = this.#clock.now();
    try {
      const done = await store.call('applyMessageChange', {
        conversationId: conversation.id,
        targetWireId: reference.id,
        change,
        direction,
        person: direction === 'in' ? (group?.person ?? null) : null,
        atMs: Math.min(content.sentAtMs ?? nowMs, nowMs),
        wireId: content.wireId,
        waits: false,
        keepsText: this.#options.isOnHold(),
      });
      if (done.outcome === 'changed') this.#options.receiveChanged(done.message);
      else if (done.outcome !== 'there') log.info('inbox.change-not-done', { why: done.outcome });
      return done.outcome === 'changed' || done.outcome === 'there';
    } catch (error) {
      throw asProtocolError(error);
    }
  }

  /** Stores it, tells the window, reports it. False: it was there. */
  async #keep(
    conversation: Conversation,
    chat: Chat | undefined,
    content: MessageContent,
    kept: Pick<NewMessage, 'text' | 'file' | 'replyTo'> & Partial<RoomMarks>,
  ): Promise<boolean> {
    const nowMs = this.#clock.now();
    const isOurs = kept.direction === 'out';
    const { message, duplicate } = await this.#store({
      conversationId: conversation.id,
      direction: 'in',
      wireId: content.wireId,
      // What we have written ourselves is known by the same id to everybody.
      ...(isOurs ? { id: content.wireId as MessageId } : {}),
      ...kept,
      sentAtMs: Math.min(content.sentAtMs ?? nowMs, nowMs + MAX_AHEAD_MS),
      storedAtMs: nowMs,
      state: isOurs ? 'sent' : 'received',
      displayReportWanted: kept.group === undefined && content.wanted.includes('display'),
      headers: content.headers,
    });
    if (!duplicate) this.#options.receiveAdded(message);
    else this.#options.log.info('inbox.duplicate', { conversationId: conversation.id });
    if (isOurs && duplicate) await this.#options.delivery.receiveFromRoom(message.id);
    if (kept.group === undefined && content.wanted.includes('positive-delivery')) {
      this.#options.sendDelivered(conversation, chat, content.wireId);
    }
    return !duplicate;
  }

  async #store(message: NewMessage): ReturnType<Store['insertMessage']> {
    try {
      return await this.#options.store.insertMessage(message);
    } catch (error) {
      throw asProtocolError(error);
    }
  }
}

function peerOf({ peerAddress, peerName }: Conversation): GroupPerson {
  return { address: peerAddress, name: peerName };
}

/** Not stored, so not acknowledged: the sender keeps it and is told. */
function asProtocolError(error: unknown): unknown {
  return error instanceof StoreError ? new ProtocolError(error.code, 413, error.message) : error;
}
