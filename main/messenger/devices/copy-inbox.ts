/**
 * Owns: what another device of our user has told us: the same happens here. Called by: request-routing.ts through
 * account-link.ts, which has made sure that it is one of ours. Calls: copy-format.ts, the store.
 */
import type { Conversation, Marks } from '../../../shared/domain/conversation.ts';
import type { AccountId, ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import type { Message } from '../../../shared/domain/message.ts';
import { systemClock } from '../../base/clock.ts';
import type { MessengerLimits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { StoreError } from '../../store/database.ts';
import type { OutgoingState } from '../../store/messages.ts';
import type { Store } from '../../store/store.ts';
import { changeOf } from '../message-reference.ts';
import type { CopiedFile, ToldFile } from '../file-offer.ts';
import { CLOSED } from '../transfer-record.ts';
import { parseCopy, type ReceivedCopy } from './copy-format.ts';

export interface CopyInboxOptions {
  readonly accountId: AccountId;
  readonly store: Store;
  readonly log: Log;
  readonly limits: MessengerLimits;
  /** Nothing that is here may be lost. */
  readonly isOnHold: () => boolean;
  openConversation(peerAddress: string, theirName: string): Promise<Conversation>;
  setStanding(conversation: Conversation, standing: 'accepted'): Promise<Conversation>;
  receiveTakesChanges(conversation: Conversation): void;
  receiveFile(conversation: Conversation, file: CopiedFile): Promise<ToldFile>;
  receiveHello(): Promise<void>;
  receiveMarks(conversationId: ConversationId, marks: Marks): void;
  receiveAdded(message: Message): void;
  receiveChanged(message: Message): void;
}

/** What a message of ours may be by the time that others hear of it. */
const OUTGOING: readonly OutgoingState[] = ['waiting', 'sent', 'delivered', 'displayed', 'failed'];

/** Why something that our user has sent from another device has failed: that one knows more. */
const ELSEWHERE = { code: 'elsewhere', message: 'It could not be sent.' };

/** Takes copies in for one account. */
export class CopyInbox {
  readonly #options: CopyInboxOptions;

  constructor(options: CopyInboxOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it is on disk; false: it is no copy, but a message as any other. Rejects with ProtocolError: `STORE_…`
   * may be better later.
   */
  async receive(body: Buffer): Promise<boolean> {
    const copy = parseCopy(body);
    if (copy === undefined) return false;
    try {
      await this.#apply(copy);
    } catch (error) {
      if (error instanceof StoreError) throw new ProtocolError(error.code, 413, error.message);
      throw error;
    }
    return true;
  }

  async #apply(copy: ReceivedCopy): Promise<void> {
    const whole = await this.#whole(copy);
    if (whole === undefined) return;
    switch (copy.kind) {
      case 'hello':
        await this.#options.receiveHello();
        return;
      case 'message':
        if (copy.fileState === undefined) await this.#receiveMessage(copy, whole.toString('utf8'));
        else await this.#receiveFile(copy, copy.fileState, whole);
        return;
      case 'state':
        await this.#receiveState(copy);
        return;
      case 'change':
        await this.#receiveChange(copy, whole.toString('utf8'));
        return;
      case 'read':
        await this.#receiveRead(copy);
        return;
      case 'marks':
        await this.#receiveMarks(copy);
    }
  }

  /** Undefined: pieces are missing. */
  async #whole({ wireId, part, parts, content }: ReceivedCopy): Promise<Buffer | undefined> {
    const { store, accountId, limits } = this.#options;
    if (parts === 1) return content;
    const whole = await store.call('insertCopyPart', { accountId, wireId, part, total: parts, content });
    if (whole !== null && whole.length > limits.maxTextBytes) {
      throw new ProtocolError('COPY_TOO_LARGE', 400, 'the text of a copy is too long');
    }
    return whole === null ? undefined : Buffer.from(whole);
  }

  async #receiveMessage(copy: ReceivedCopy, text: string): Promise<void> {
    const { store, accountId } = this.#options;
    const { wireId, direction, reference, device } = copy;
    const isOurs = direction === 'out';
    const conversation = await this.#conversation(copy);
    const nowMs = systemClock.now();
    const { message, duplicate } = await store.insertMessage({
      // What we have written ourselves is known by the same id to everybody.
      ...(isOurs ? { id: wireId as MessageId } : {}),
      conversationId: conversation.id,
      direction,
      wireId,
      text,
      sentAtMs: Math.min(copy.sentAtMs ?? nowMs, nowMs),
      storedAtMs: nowMs,
      state: isOurs ? (outgoingState(copy) ?? 'sent') : copy.state === 'read' ? 'read' : 'received',
      displayReportWanted: !isOurs && copy.wantsDisplay,
      ...(reference?.type === 'reply' ? { replyTo: reference.id } : {}),
      isCopy: true,
    });
    if (duplicate) {
      if (isOurs) await this.#receiveState(copy);
      return;
    }
    if (isOurs && device !== '') await store.call('upsertMessageDevice', { id: message.id, device });
    this.#options.log.debug('copy.stored', { accountId });
    this.#options.receiveAdded(message);
  }

  async #receiveFile(copy: ReceivedCopy, fileState: CopiedFile['fileState'], content: Buffer): Promise<void> {
    const { wireId, direction, contentType, sentAtMs, device } = copy;
    const conversation = await this.#conversation(copy);
    const file = { wireId, direction, contentType, content, sentAtMs, fileState };
    const isUnsent = fileState === 'offered' && copy.state === 'queued';
    const state = isUnsent ? 'queued' : (outgoingState(copy) ?? 'sent');
    const told = await this.#options.receiveFile(conversation, { ...file, state });
    if (told === 'unreadable') {
      throw new ProtocolError('COPY_MALFORMED', 400, 'a copy does not say which file it is');
    }
    if (direction === 'in' || told === 'ours') return;
    const isClosed = fileState === 'declined' || fileState === 'cancelled';
    await this.#moveTo(wireId as MessageId, state, isClosed ? CLOSED[fileState] : ELSEWHERE);
    if (device !== '') {
      await this.#options.store.call('upsertMessageDevice', { id: wireId as MessageId, device });
    }
  }

  /** As it is on the device that has told us: what our user has written to is accepted, and whom he lets in there. */
  async #conversation({
    peerAddress,
    peerName,
    direction,
    takesChanges,
    isAccepted,
  }: ReceivedCopy): Promise<Conversation> {
    const opened = await this.#options.openConversation(peerAddress, peerName || peerAddress);
    if (takesChanges && opened.takesChanges !== true) this.#options.receiveTakesChanges(opened);
    const letsIn = direction === 'out' || (isAccepted && opened.standing === 'asked');
    if (!letsIn || opened.standing === 'accepted') return opened;
    return this.#options.setStanding(opened, 'accepted');
  }

  /** Undefined: there is no such conversation here. */
  async #known({ peerAddress }: ReceivedCopy): Promise<Conversation | undefined> {
    const { store, accountId } = this.#options;
    return (await store.call('selectConversationWith', { accountId, peerAddress })) ?? undefined;
  }

  async #receiveState(copy: ReceivedCopy): Promise<void> {
    const { store } = this.#options;
    const id = copy.wireId as MessageId;
    const state = outgoingState(copy);
    const [message, conversation] = await Promise.all([
      store.call('selectMessage', { id }),
      this.#known(copy),
    ]);
    if (state === undefined || message === null || message.conversationId !== conversation?.id) return;
    await this.#moveTo(id, state);
  }

  async #moveTo(id: MessageId, state: OutgoingState, why = ELSEWHERE): Promise<void> {
    const { store } = this.#options;
    const failure = state === 'failed' ? { failure: why } : {};
    const changed = await store.call('updateMessageState', { id, state, isCopy: true, ...failure });
    if (changed !== null) this.#options.receiveChanged(changed);
  }

  async #receiveChange(copy: ReceivedCopy, text: string): Promise<void> {
    const { store, isOnHold } = this.#options;
    const { reference, direction, wireId } = copy;
    const conversation = await this.#known(copy);
    const change = reference === undefined ? undefined : changeOf(reference, text);
    if (conversation === undefined || reference === undefined || change === undefined) return;
    const nowMs = systemClock.now();
    const done = await store.call('applyMessageChange', {
      conversationId: conversation.id,
      targetWireId: reference.id,
      change,
      direction,
      person: null,
      atMs: Math.min(copy.sentAtMs ?? nowMs, nowMs),
      wireId,
      waits: false,
      keepsText: isOnHold(),
      isCopy: true,
    });
    if (done.outcome === 'changed') this.#options.receiveChanged(done.message);
  }

  /** Whichever device was told last how it is to be has the say. */
  async #receiveMarks(copy: ReceivedCopy): Promise<void> {
    const { store } = this.#options;
    const conversation = await this.#known(copy);
    if (conversation === undefined) return;
    const { id: conversationId } = conversation;
    const nowMs = systemClock.now();
    const changedAtMs = Math.min(copy.sentAtMs ?? nowMs, nowMs);
    const { marks } = copy;
    const isNews = await store.call('upsertMarks', { conversationId, marks, changedAtMs, isCopy: true });
    if (isNews) this.#options.receiveMarks(conversationId, marks);
  }

  async #receiveRead(copy: ReceivedCopy): Promise<void> {
    const { store } = this.#options;
    const conversation = await this.#known(copy);
    if (conversation === undefined) return;
    const conversationId = conversation.id;
    const position = await store.call('selectReadPosition', { conversationId, wireId: copy.wireId });
    if (position === null) return;
    // The device on which it was read tells the authors.
    const { messages } = await store.call('markRead', { conversationId, position, isCopy: true });
    for (const message of messages) this.#options.receiveChanged(message);
  }
}

function outgoingState({ state }: ReceivedCopy): OutgoingState | undefined {
  return OUTGOING.find((known) => known === state);
}
