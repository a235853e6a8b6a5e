/**
 * Owns: what comes from a room: who said it and to whom, what has happened there. Called by: group-link.ts through
 * conversation-link.ts. Calls: inbox.ts, transfers.ts, delivery.ts, the store.
 */
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { GroupNotice, GroupPerson, MessageGroup } from '../../../shared/domain/group.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { systemClock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import type { MsrpIncomingMessage } from '../../msrp/session.ts';
import {
  CONFERENCE_INFO_TYPE,
  parseConferenceInfo,
  type ConferenceDeparture,
  type ConferenceInfo,
} from '../../sip/conference-info.ts';
import { StoreError } from '../../store/database.ts';
import type { Store } from '../../store/store.ts';
import { toAddress, userOf } from '../../sip/address.ts';
import { parseComposing, COMPOSING_TYPE } from '../composing.ts';
import type { Composing } from '../composing-state.ts';
import type { Delivery } from '../delivery.ts';
import { IMDN_TYPE, parseImdnReport } from '../../base/imdn.ts';
import type { Inbox, RoomMarks } from '../inbox.ts';
import { unwrapMessage, type MessageContent } from '../message-content.ts';

export interface RoomInboxOptions {
  readonly inbox: Pick<Inbox, 'receiveRoomContent'>;
  readonly delivery: Pick<Delivery, 'receiveNotification'>;
  readonly store: Store;
  /** Our own address. */
  readonly address: string;
  /** The name of a member as it is shown. */
  readonly nameOf: (address: string) => string | undefined;
  /** The room may tell of a file that its server keeps; false: it is none. */
  readonly receiveFile: (
    conversation: Conversation,
    content: MessageContent,
    marks: RoomMarks,
  ) => Promise<boolean>;
  readonly receiveAdded: (message: Message) => void;
}

const LEFT_BY: Readonly<Record<ConferenceDeparture, GroupNotice['kind']>> = {
  departed: 'left',
  booted: 'removed',
  busy: 'declined',
  failed: 'left',
};

/** What one room says. */
export class RoomInbox {
  readonly #options: RoomInboxOptions;

  constructor(options: RoomInboxOptions) {
    this.#options = options;
  }

  /** Resolves when it is on disk; rejects with ProtocolError: 408 lets the room try again. */
  async receive(
    conversation: Conversation,
    message: MsrpIncomingMessage,
    composing: Composing,
  ): Promise<void> {
    const content = unwrapMessage(message.contentType, message.body, message.messageId);
    const author = this.#personAt(content.from, content.fromName);
    if (author === undefined) throw new ProtocolError('ROOM_NO_AUTHOR', 400, 'nobody has written it');
    const isOurs = author.address === this.#options.address;
    try {
      if (content.type === CONFERENCE_INFO_TYPE) await this.#keepNotice(conversation, content, author);
      else if (content.type === COMPOSING_TYPE) {
        const { state, refreshS } = parseComposing(content.bytes);
        if (!isOurs) composing.setTheirs(author, state === 'active', refreshS * 1_000);
      } else if (content.type === IMDN_TYPE) {
        await this.#options.delivery.receiveNotification(conversation, parseImdnReport(content.bytes));
      } else {
        const group = this.#marks(conversation, content, author, isOurs);
        await this.#keepContent(conversation, content, { direction: isOurs ? 'out' : 'in', group });
        if (!isOurs) composing.setTheirs(author, false);
      }
    } catch (error) {
      // Our disk is full, or does not answer: the room keeps it and offers it again.
      const isDisk = error instanceof ProtocolError && /^(?:STORE_|INBOX_NOT_WRITTEN)/.test(error.code);
      if (isDisk || error instanceof StoreError) throw new ProtocolError(error.code, 408, error.message);
      throw error;
    }
  }

  async #keepContent(conversation: Conversation, content: MessageContent, marks: RoomMarks): Promise<void> {
    const { inbox, receiveFile } = this.#options;
    const isOffer = content.type === 'application/sdp' || content.type === 'multipart/related';
    if (isOffer && (await receiveFile(conversation, content, marks))) return;
    await inbox.receiveRoomContent(conversation, content, marks);
  }

  /** Something that we know without the room having said it. */
  async keepOwnNotice(conversation: Conversation, notice: GroupNotice, wireId: string): Promise<void> {
    await this.#insertNotice(conversation, notice, wireId, systemClock.now(), null);
  }

  #marks(
    conversation: Conversation,
    content: MessageContent,
    author: GroupPerson,
    isOurs: boolean,
  ): MessageGroup {
    const to = this.#personAt(content.to);
    const isPrivate = to !== undefined && to.address !== conversation.peerAddress;
    return { person: isOurs ? (isPrivate ? to : null) : author, isPrivate, notice: null };
  }

  async #keepNotice(conversation: Conversation, content: MessageContent, by: GroupPerson): Promise<void> {
    const info = parseConferenceInfo(content.bytes);
    const notice = this.#noticeOf(info, by);
    if (notice === undefined) return;
    await this.#insertNotice(
      conversation,
      notice,
      content.wireId,
      content.sentAtMs ?? systemClock.now(),
      content.headers,
    );
  }

  async #insertNotice(
    conversation: Conversation,
    notice: GroupNotice,
    wireId: string,
    sentAtMs: number,
    headers: string | null,
  ): Promise<void> {
    const { message, duplicate } = await this.#options.store.insertMessage({
      conversationId: conversation.id,
      direction: 'in',
      wireId,
      text: '',
      sentAtMs: Math.min(sentAtMs, systemClock.now()),
      storedAtMs: systemClock.now(),
      state: 'read',
      displayReportWanted: false,
      headers,
      group: { person: null, isPrivate: false, notice },
    });
    if (!duplicate) this.#options.receiveAdded(message);
  }

  /** What a changed state says in words; undefined: nothing that is shown. */
  #noticeOf({ displayText, users }: ConferenceInfo, by: GroupPerson): GroupNotice | undefined {
    const [user] = users;
    if (user === undefined) {
      return displayText === undefined ? undefined : { kind: 'renamed', by, who: null, title: displayText };
    }
    const who = this.#personAt(user.entity, user.displayText);
    if (who === undefined) return undefined;
    const about = (kind: GroupNotice['kind']): GroupNotice => ({ kind, by, who, title: null });
    if (user.state === 'deleted') {
      return about(LEFT_BY[user.departure ?? 'departed']);
    }
    if (user.roles.includes('owner')) return about('owner');
    if (user.status === 'pending') return about('invited');
    return user.status === 'connected' ? about('joined') : undefined;
  }

  #personAt(uri: string | undefined, theirName = ''): GroupPerson | undefined {
    const address = toAddress(uri ?? '');
    if (address === undefined) return undefined;
    return { address, name: this.#options.nameOf(address) ?? (theirName || userOf(address)) };
  }
}
