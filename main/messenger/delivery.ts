/**
 * Owns: wrapping what leaves (CPIM, IMDN), and what reports say about messages that have left.
 * Called by: outbox.ts through conversation-link.ts, inbox.ts, commands.ts. Calls: chat.ts, sip/agent/pager-message.ts, store.
 */

import type { Conversation } from '../../shared/domain/conversation.ts';
import type { GroupPerson } from '../../shared/domain/group.ts';
import type { MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { MsrpSessionReport } from '../msrp/session.ts';
import { sendPagerMessage } from '../sip/agent/pager-message.ts';
import type { WaitingChange } from '../store/message-changes.ts';
import type { OutgoingState } from '../store/messages.ts';
import type { Store } from '../store/store.ts';
import type { AccountLink } from './account-link.ts';
import type { Chat } from './chat.ts';
import { buildComposing, COMPOSING_TYPE } from './composing.ts';
import { cpimHead, CPIM_TYPE, formatCpim, type CpimExtensionHeader } from '../base/cpim.ts';
import { createMessageId } from './message-id.ts';
import { changeInWords, referenceHeaders, withQuote, type MessageReference } from './message-reference.ts';
import { buildImdnReport, IMDN_TYPE, imdnRequestHeaders, type ImdnReport } from '../base/imdn.ts';

export interface DeliveryOptions {
  readonly store: Store;
  readonly log: Log;
  readonly limits: MessengerLimits;
  /** A message has moved on. */
  readonly receiveChange: (message: Message) => void;
  /** The person to whom we have offered a file has declined it. */
  readonly receiveFileDeclined: (messageId: MessageId) => Promise<void>;
}

/** A report that could not be sent, as it goes out. */
export interface KeptReport {
  readonly peerAddress: string;
  readonly body: Buffer;
}

/** What became of a message that was sent, and the headers that it had; null: it had none. */
export interface SentMessage {
  readonly status: number;
  readonly headers: string | null;
}

/** A text as it leaves. */
interface TextToSend {
  readonly id: string;
  readonly text: string;
  readonly sentAtMs: number;
  readonly reference?: MessageReference;
}

type TextDisposition = 'positive-delivery' | 'negative-delivery' | 'display';

/** It need not be sent: the other side would not know what it is about. */
const SAID_BY_NOTHING: SentMessage = { status: 200, headers: null };

interface Party {
  readonly address: string;
  readonly displayName: string;
}

/** Sends wrapped content and follows up on it. */
export class Delivery {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Steps 11 and 13: one text message over a session. Resolves with the MSRP status. */
  async sendOverChat(chat: Chat, message: Message): Promise<SentMessage> {
    return this.#sendToPeer(chat, await this.#toSend(message, chat.peerTakesReferences), ['display']);
  }

  /** A change of a message, over a session. Resolves with the MSRP status. */
  async sendChangeOverChat(chat: Chat, change: WaitingChange): Promise<SentMessage> {
    const toSend = changeToSend(change, chat.peerTakesReferences);
    return toSend === undefined ? SAID_BY_NOTHING : this.#sendToPeer(chat, toSend, []);
  }

  async #sendToPeer(
    chat: Chat,
    toSend: TextToSend,
    dispositions: readonly TextDisposition[],
  ): Promise<SentMessage> {
    const text = Buffer.from(toSend.text, 'utf8');
    const successReport = dispositions.length > 0;
    if (!chat.peerTakesCpim) {
      const contentType = 'text/plain;charset=UTF-8';
      const plain = { messageId: toSend.id, contentType, body: text, successReport };
      return { status: await chat.sendMessage(plain), headers: null };
    }
    const body = wrapText(chat.us, chat.peer, toSend, dispositions);
    const wrapped = { messageId: toSend.id, contentType: CPIM_TYPE, body, successReport };
    return { status: await chat.sendMessage(wrapped), headers: cpimHead(body, text) };
  }

  /** One text message into a room, or in it to one person. Nobody is asked for reports: the room has it, or has not. */
  async sendToRoom(chat: Chat, message: Message): Promise<SentMessage> {
    const { person = null, isPrivate = false } = message.group ?? {};
    return sendIntoRoom(chat, await this.#toSend(message, true), isPrivate ? person : null);
  }

  /** A change of a message in a room: its members read it, each as he can. */
  async sendChangeToRoom(chat: Chat, change: WaitingChange): Promise<SentMessage> {
    return sendIntoRoom(chat, referring(change), change.to);
  }

  /** What it answers is named to those who follow that, and quoted to others. */
  async #toSend(message: Message, takesReferences: boolean): Promise<TextToSend> {
    const position = message.reply?.position ?? null;
    const quoted = position === null ? null : await this.#options.store.call('selectQuoted', { position });
    if (quoted === null) return message;
    const { id, text, sentAtMs } = message;
    return takesReferences
      ? { id, text, sentAtMs, reference: { type: 'reply', id: quoted.wireId } }
      : { id, text: withQuote(quoted.text, text), sentAtMs };
  }

  /** A message of ours has come back from its room: it is there, whatever became of the answer. */
  async receiveFromRoom(messageId: string): Promise<void> {
    await this.#move(messageId, 'sent');
  }

  /** One text message by SIP MESSAGE, which the server keeps for the absent. Resolves with the SIP status, or 0. */
  async sendOverServer(
    account: AccountLink,
    conversation: Conversation,
    message: Message,
  ): Promise<SentMessage> {
    const us = { address: account.stored.address, displayName: account.stored.displayName };
    const peer = { address: conversation.peerAddress, displayName: '' };
    const toSend = await this.#toSend(message, conversation.takesChanges === true);
    const body = wrapText(us, peer, toSend, ['positive-delivery', 'negative-delivery', 'display']);
    const status = await this.#sendPager(account, conversation.peerAddress, body);
    return { status, headers: cpimHead(body, Buffer.from(toSend.text, 'utf8')) };
  }

  /** A change of a message by SIP MESSAGE. Resolves with the SIP status, or 0. */
  async sendChangeOverServer(
    account: AccountLink,
    conversation: Conversation,
    change: WaitingChange,
  ): Promise<SentMessage> {
    const toSend = changeToSend(change, conversation.takesChanges === true);
    if (toSend === undefined) return SAID_BY_NOTHING;
    const us = { address: account.stored.address, displayName: account.stored.displayName };
    const body = wrapText(us, { address: conversation.peerAddress, displayName: '' }, toSend, []);
    return { status: await this.#sendPager(account, conversation.peerAddress, body), headers: null };
  }

  /** Tells the peer that we type, or no longer. Lost silently with the session. */
  async sendComposing(chat: Chat, state: 'active' | 'idle'): Promise<void> {
    const content = buildComposing({
      state,
      contentType: 'text/plain',
      ...(state === 'active' ? { refreshS: 90 } : {}),
    });
    await this.#sendNotice(chat, COMPOSING_TYPE, content, []);
  }

  /**
   * Tells the author what became of his message: over the open session, else by way of the server. What cannot be told
   * now is told when the account is signed in again.
   */
  async sendNotification(
    account: AccountLink,
    chat: Chat | undefined,
    peerAddress: string,
    report: Pick<ImdnReport, 'messageId' | 'kind' | 'status'>,
  ): Promise<void> {
    const content = buildImdnReport({
      ...report,
      dateTime: new Date().toISOString(),
      recipientUri: `sip:${account.stored.address}`,
      originalRecipientUri: `sip:${account.stored.address}`,
    });
    const headers = [{ name: 'Content-Disposition', value: 'notification' }];
    if (chat?.isOpen && chat.peerTakesCpim && (await this.#sendNotice(chat, IMDN_TYPE, content, headers)))
      return;
    const us = { address: account.stored.address, displayName: '' };
    const body = wrap(us, { address: peerAddress, displayName: '' }, IMDN_TYPE, content, {
      contentHeaders: headers,
      extensions: imdnRequestHeaders({ messageId: createMessageId(), dispositions: [] }),
    });
    await this.#sendReport(account, { peerAddress, body });
  }

  /** Tells what could not be told before, in its order. */
  async sendKeptReports(account: AccountLink, kept: readonly KeptReport[]): Promise<void> {
    for (const report of kept) await this.#sendReport(account, report);
  }

  async #sendReport(account: AccountLink, report: KeptReport): Promise<void> {
    const status = await this.#sendPager(account, report.peerAddress, report.body);
    if (isForLater(status)) account.keepReport(report);
  }

  /** An MSRP REPORT: success means that the peer has stored the message (RFC 4975 §7.1.2). */
  async receiveReport(report: MsrpSessionReport): Promise<void> {
    if (report.status === 200) await this.#move(report.messageId, 'delivered');
    else {
      await this.#move(report.messageId, 'failed', {
        code: `msrp-${report.status}`,
        message: `It did not reach the other side (${report.status}).`,
      });
    }
  }

  /** An IMDN report (RFC 5438) about a message of ours, in the conversation with the person who sent it. */
  async receiveNotification(conversation: Conversation, report: ImdnReport): Promise<void> {
    const message = await this.#options.store.call('selectMessage', { id: report.messageId as MessageId });
    if (message?.conversationId !== conversation.id) return;
    if (report.kind === 'display' && report.status === 'displayed') await this.#move(message.id, 'displayed');
    else if (report.kind === 'delivery' && report.status === 'delivered')
      await this.#move(message.id, 'delivered');
    else if (report.kind === 'delivery' && report.status === 'forbidden' && message.file !== undefined)
      await this.#options.receiveFileDeclined(message.id);
    else if (report.kind === 'delivery' && report.status !== 'error') {
      await this.#move(message.id, 'failed', {
        code: `imdn-${report.status}`,
        message: 'The server could not deliver it.',
      });
    }
  }

  async #move(
    messageId: string,
    state: OutgoingState,
    failure?: { code: string; message: string },
  ): Promise<void> {
    const changed = await this.#options.store.call('updateMessageState', {
      id: messageId as MessageId,
      state,
      ...(failure ? { failure } : {}),
    });
    if (changed !== null) this.#options.receiveChange(changed);
  }

  async #sendNotice(
    chat: Chat,
    contentType: string,
    content: Buffer,
    contentHeaders: readonly { name: string; value: string }[],
  ): Promise<boolean> {
    const messageId = createMessageId();
    const wrapped = chat.peerTakesCpim
      ? { contentType: CPIM_TYPE, body: wrap(chat.us, chat.peer, contentType, content, { contentHeaders }) }
      : { contentType, body: content };
    try {
      await chat.sendMessage({ messageId, ...wrapped, successReport: false });
      return true;
    } catch (error) {
      this.#options.log.debug('notice.not-sent', { contentType, error });
      return false;
    }
  }

  async #sendPager(account: AccountLink, peerAddress: string, body: Buffer): Promise<number> {
    const route = account.pagerRoute();
    if (route === undefined || body.length > this.#options.limits.maxPagerBytes) return 0;
    try {
      const response = await sendPagerMessage(route.agent, {
        uri: `sip:${peerAddress}`,
        from: route.from,
        to: `<sip:${peerAddress}>`,
        ...route.way,
        digest: route.digest,
        contentType: CPIM_TYPE,
        body: body.toString('utf8'),
      });
      return response.status;
    } catch (error) {
      this.#options.log.info('pager.not-sent', { error });
      return 0;
    }
  }
}

/** Nobody has taken it, and nobody has said that it is of no use. */
function isForLater(status: number): boolean {
  return (
    status === 0 || status === 401 || status === 407 || status === 408 || (status >= 500 && status < 600)
  );
}

async function sendIntoRoom(chat: Chat, toSend: TextToSend, to: GroupPerson | null): Promise<SentMessage> {
  const recipient = to === null ? chat.peer : { address: to.address, displayName: '' };
  const body = wrapText(chat.us, recipient, toSend, []);
  const wrapped = { messageId: toSend.id, contentType: CPIM_TYPE, body, successReport: false };
  const status = await chat.sendMessage(wrapped);
  return { status, headers: cpimHead(body, Buffer.from(toSend.text, 'utf8')) };
}

/** Undefined: there is no text that would tell somebody who does not follow changes. */
function changeToSend(change: WaitingChange, takesReferences: boolean): TextToSend | undefined {
  const { reference, ...said } = referring(change);
  if (takesReferences) return { ...said, reference };
  return change.change.kind === 'reaction' ? said : undefined;
}

function referring(change: WaitingChange): TextToSend & { readonly reference: MessageReference } {
  return { id: change.wireId, sentAtMs: change.atMs, ...changeInWords(change) };
}

function wrapText(
  us: Party,
  peer: Party,
  { id, text, sentAtMs, reference }: TextToSend,
  dispositions: readonly TextDisposition[],
): Buffer {
  return wrap(us, peer, 'text/plain; charset="utf8"', Buffer.from(text, 'utf8'), {
    dateTime: new Date(sentAtMs).toISOString(),
    extensions: [
      ...imdnRequestHeaders({ messageId: id, dispositions }),
      ...(reference === undefined ? [] : referenceHeaders(reference)),
    ],
  });
}

function wrap(
  us: Party,
  peer: Party,
  contentType: string,
  content: Buffer,
  more: {
    dateTime?: string;
    extensions?: readonly CpimExtensionHeader[];
    contentHeaders?: readonly { name: string; value: string }[];
  } = {},
): Buffer {
  return formatCpim({
    from: { uri: `sip:${us.address}`, ...(us.displayName ? { displayName: us.displayName } : {}) },
    to: [{ uri: `sip:${peer.address}` }],
    dateTime: more.dateTime ?? new Date().toISOString(),
    contentType,
    content,
    ...(more.extensions ? { extensions: more.extensions } : {}),
    ...(more.contentHeaders ? { contentHeaders: more.contentHeaders } : {}),
  });
}
