/**
 * Owns: what arrives: unwrap, drop duplicates, store, report.
 * Called by: conversation-link.ts (over a session), messenger.ts (by SIP MESSAGE). Calls: cpim, imdn, composing, store, delivery.
 */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { Message } from '../../shared/domain/message.ts';
import { systemClock, type Clock } from '../base/clock.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { MsrpIncomingMessage } from '../msrp/session.ts';
import { StoreError } from '../store/database.ts';
import type { Store } from '../store/store.ts';
import type { Chat } from './chat.ts';
import type { Composing } from './composing-state.ts';
import { COMPOSING_TYPE, parseComposing } from './composing.ts';
import { cpimHead, CPIM_TYPE, parseCpim } from '../base/cpim.ts';
import type { Delivery } from './delivery.ts';
import { IMDN_TYPE, parseImdnReport, readImdnRequest, type ImdnRequest } from './imdn.ts';
import { keepStrangeContent } from './strange-content.ts';
import { decodeText, htmlToText } from './text-content.ts';

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
  /** Its author wants to know that it is: `chat` is the session that it came over, if any. */
  readonly sendDelivered: (conversation: Conversation, chat: Chat | undefined, wireId: string) => void;
}

/** What came, with its wrapping read. */
interface Content {
  readonly type: string;
  /** With its parameters. */
  readonly contentType: string;
  /** Content-Disposition inside CPIM. */
  readonly disposition: string | undefined;
  readonly bytes: Buffer;
  readonly wireId: string;
  readonly sentAtMs: number | undefined;
  readonly wanted: readonly ImdnRequest[];
  /** Of CPIM, as they stand; null without. */
  readonly headers: string | null;
}

/** A clock that runs ahead must not push a message to the end of a conversation for ever. */
const MAX_AHEAD_MS = 60_000;
const MAX_WIRE_ID_CHARS = 200;

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
    const content = unwrap(message.contentType, message.body, message.messageId);
    if (content.type === COMPOSING_TYPE) {
      const { state, refreshS } = parseComposing(content.bytes);
      composing.setTheirs(state === 'active', refreshS * 1_000);
      return;
    }
    await this.#receiveContent(conversation, chat, content);
    if (content.type.startsWith('text/')) composing.setTheirs(false);
  }

  /** By SIP MESSAGE. Resolves when it is on disk; rejects with ProtocolError (a MSRP status: 413, 415, 400). */
  async receivePagerMessage(
    conversation: Conversation,
    message: { contentType: string; body: Buffer; fallbackId: string },
  ): Promise<void> {
    const content = unwrap(message.contentType, message.body, message.fallbackId);
    if (content.type === COMPOSING_TYPE) return;
    await this.#receiveContent(conversation, undefined, content);
  }

  async #receiveContent(conversation: Conversation, chat: Chat | undefined, content: Content): Promise<void> {
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
  async #receiveStrange(conversation: Conversation, chat: Chat | undefined, content: Content): Promise<void> {
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
    const isNew = await this.#keep(conversation, chat, content, { text: file.name, file });
    if (!isNew && file.path !== null) await rm(file.path, { force: true });
  }

  async #receiveText(conversation: Conversation, chat: Chat | undefined, content: Content): Promise<void> {
    if (content.bytes.length > this.#options.limits.maxTextBytes) {
      throw new ProtocolError('INBOX_TOO_LARGE', 413, 'text too large');
    }
    await this.#keep(conversation, chat, content, { text: readText(content) });
  }

  /** Stores it, tells the window, reports it. False: it was there. */
  async #keep(
    conversation: Conversation,
    chat: Chat | undefined,
    content: Content,
    kept: Pick<Parameters<Store['insertMessage']>[0], 'text' | 'file'>,
  ): Promise<boolean> {
    const nowMs = this.#clock.now();
    const { message, duplicate } = await this.#store({
      conversationId: conversation.id,
      direction: 'in',
      wireId: content.wireId,
      ...kept,
      sentAtMs: Math.min(content.sentAtMs ?? nowMs, nowMs + MAX_AHEAD_MS),
      storedAtMs: nowMs,
      state: 'received',
      displayReportWanted: content.wanted.includes('display'),
      headers: content.headers,
    });
    if (!duplicate) this.#options.receiveAdded(message);
    else this.#options.log.info('inbox.duplicate', { conversationId: conversation.id });
    if (content.wanted.includes('positive-delivery')) {
      this.#options.sendDelivered(conversation, chat, content.wireId);
    }
    return !duplicate;
  }

  async #store(message: Parameters<Store['insertMessage']>[0]): ReturnType<Store['insertMessage']> {
    try {
      return await this.#options.store.insertMessage(message);
    } catch (error) {
      // Not stored, so not acknowledged: the sender keeps it and is told.
      if (error instanceof StoreError) throw new ProtocolError(error.code, 413, error.message);
      throw error;
    }
  }
}

/** Reads the wrapping. Throws ProtocolError 400 when it is damaged. */
function unwrap(contentType: string, body: Buffer, fallbackId: string): Content {
  const type = mediaType(contentType);
  if (type !== CPIM_TYPE) {
    return {
      type,
      contentType,
      disposition: undefined,
      bytes: body,
      wireId: boundedId(fallbackId),
      sentAtMs: undefined,
      wanted: [],
      headers: null,
    };
  }
  const cpim = parseCpim(body);
  const imdn = readImdnRequest(cpim);
  const sentAtMs = Date.parse(cpim.dateTime ?? '');
  return {
    type: mediaType(cpim.contentType),
    contentType: cpim.contentType,
    disposition: cpim.contentHeaders.find(({ name }) => name.toLowerCase() === 'content-disposition')?.value,
    bytes: cpim.content,
    wireId: boundedId(imdn?.messageId ?? fallbackId),
    sentAtMs: Number.isNaN(sentAtMs) ? undefined : sentAtMs,
    wanted: imdn?.dispositions ?? [],
    headers: cpimHead(body, cpim.content),
  };
}

/** As a reader sees it: HTML as plain text, whatever the character set. */
function readText({ type, contentType, bytes }: Content): string {
  const text = decodeText(bytes, contentType);
  return type === 'text/html' ? htmlToText(text) : text;
}

function mediaType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

/** Ids of strangers may be long; what is stored is not. */
function boundedId(id: string): string {
  return id.length <= MAX_WIRE_ID_CHARS ? id : createHash('sha256').update(id).digest('hex');
}
