/**
 * Owns: what leaves one conversation: stored first, sent in order, once, retried with the same id.
 * Called by: conversation-link.ts. Calls: store, chat.ts, delivery.ts.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import { MESSENGER_LIMITS, type MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { WaitingChange } from '../store/message-changes.ts';
import type { OutgoingState } from '../store/messages.ts';
import type { Store } from '../store/store.ts';
import type { Chat } from './chat.ts';
import type { UntoldFile } from './telling.ts';
import { outboxVerdict, type ChatEnd } from './chat-end.ts';
import type { SentMessage } from './delivery.ts';

/** What the outbox needs of its conversation. */
export interface OutboxDelegate {
  /** An open chat, or why there is none. Sets one up when needed. */
  openChat(): Promise<{ chat: Chat } | { end: ChatEnd }>;
  /** Sends one message over an open chat; resolves with the MSRP status and what it went out with. */
  sendOverChat(chat: Chat, message: Message): Promise<SentMessage>;
  /** Sends one message by way of the IM Server; resolves with the SIP status, 0 when that was not possible. */
  sendOverServer(message: Message): Promise<SentMessage>;
  /** The same of a change of a message. */
  sendChangeOverChat(chat: Chat, change: WaitingChange): Promise<SentMessage>;
  sendChangeOverServer(change: WaitingChange): Promise<SentMessage>;
  /** The state of a message has changed on disk. */
  receiveChange(message: Message): void;
}

/** Messages under way at once over one chat. */
const WINDOW = 16;

const FAILURE_OF_STATUS: Readonly<Record<number, string>> = {
  413: 'It is too large for the other side, or its disk is full.',
  415: 'The other side cannot show this kind of message.',
  403: 'The other side does not allow it.',
};

/** What the IM Server's refusals mean; any other status may be different the next time. */
const FAILURE_OF_SIP_STATUS: Readonly<Record<number, string>> = {
  400: 'The other side could not read it.',
  403: 'The server refused to deliver it.',
  404: 'The server does not know this address.',
  413: 'It is too large for the server.',
  415: 'The other side cannot show this kind of message.',
  603: 'The other side does not want it.',
  604: 'The server does not know this address.',
};

/** The queue of one conversation. */
export class Outbox implements Disposable {
  readonly #conversationId: ConversationId;
  readonly #store: Store;
  readonly #delegate: OutboxDelegate;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: MessengerLimits;
  readonly #untoldFile: () => UntoldFile | undefined;
  #running = false;
  #again = false;
  #disposed = false;
  #retry: Timer | undefined;
  #retryMs: number;

  constructor(options: {
    conversationId: ConversationId;
    store: Store;
    delegate: OutboxDelegate;
    log: Log;
    limits?: MessengerLimits;
    clock?: Clock;
    /** A file that messages behind it wait for, if there is one. */
    untoldFile: () => UntoldFile | undefined;
  }) {
    this.#untoldFile = options.untoldFile;
    this.#conversationId = options.conversationId;
    this.#store = options.store;
    this.#delegate = options.delegate;
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    this.#limits = options.limits ?? MESSENGER_LIMITS;
    this.#retryMs = this.#limits.retryFirstMs;
  }

  /** Something may have become possible: a new message, a session, a registration. Never two runs at once. */
  send(): void {
    if (this.#disposed) return;
    this.#retry?.[Symbol.dispose]();
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    void this.#run();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#retry?.[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    try {
      do {
        this.#again = false;
        const done = await this.#sendAll();
        if (!done && !this.#wanted()) this.#sendLater();
      } while (this.#wanted() && !this.#disposed);
    } catch (error) {
      this.#log.error('outbox.failed', { error });
      this.#sendLater();
    } finally {
      this.#running = false;
    }
  }

  /** Something has happened since the run began that may let it get further. */
  #wanted(): boolean {
    return this.#again;
  }

  #sendLater(): void {
    if (this.#disposed) return;
    this.#retry?.[Symbol.dispose]();
    this.#retry = this.#clock.startTimer(this.#retryMs, () => {
      this.send();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, this.#limits.retryMaxMs);
  }

  /** True when nothing is left that could be sent now. */
  async #sendAll(): Promise<boolean> {
    for (;;) {
      const queued = await this.#store.call('selectQueued', {
        conversationId: this.#conversationId,
        limit: WINDOW,
      });
      if (this.#disposed) return true;
      const changes = queued.length > 0 ? [] : await this.#waitingChanges();
      if (queued.length === 0 && changes.length === 0) return true;
      const opened = await this.#delegate.openChat();
      if ('end' in opened) return await this.#sendWithoutChat(opened.end);
      if (queued.length === 0) {
        if (!(await this.#sendChanges(opened.chat, changes))) return false;
        continue;
      }
      const free = await this.#unheld(queued);
      if (this.#isDisposed()) return true;
      if (free.length === 0) continue;
      const together = this.#window(free);
      const results = await Promise.all(together.map((message) => this.#sendOne(opened.chat, message)));
      if (results.includes(false)) return false;
      this.#retryMs = this.#limits.retryFirstMs;
    }
  }

  /** Those that may leave before the next file; none: that file has passed meanwhile, or others are to be asked for. */
  async #unheld(queued: readonly Message[]): Promise<readonly Message[]> {
    const file = this.#untoldFile();
    if (file === undefined) return queued;
    const free = queued.filter(({ position }) => position < file.position);
    if (free.length === 0) await file.passed;
    return free;
  }

  #isDisposed(): boolean {
    return this.#disposed;
  }

  /** The oldest messages that may be under way together: one of several chunks would be overtaken by a short one. */
  #window(queued: readonly Message[]): readonly Message[] {
    let bytes = 0;
    const end = queued.findIndex(({ text }) => {
      bytes += Buffer.byteLength(text, 'utf8');
      return bytes > this.#limits.maxWindowTextBytes;
    });
    return end < 0 ? queued : queued.slice(0, Math.max(1, end));
  }

  /** True when the message is settled; false when it stays queued because the session broke. */
  async #sendOne(chat: Chat, message: Message): Promise<boolean> {
    let sent: SentMessage;
    try {
      sent = await this.#delegate.sendOverChat(chat, message);
    } catch (error) {
      if (!(error instanceof MsrpSessionError)) throw error;
      this.#log.info('outbox.unconfirmed', { messageId: message.id, code: error.code });
      return false;
    }
    const { status, headers } = sent;
    if (status === 200) {
      await this.#move(message, 'sent', { headers });
      return true;
    }
    if (isWayBroken(status)) {
      void chat.end();
      return false;
    }
    const why = FAILURE_OF_STATUS[status] ?? `The other side refused it (${status}).`;
    await this.#move(message, 'failed', { failure: { code: `msrp-${status}`, message: why } });
    return true;
  }

  async #sendWithoutChat(end: ChatEnd): Promise<boolean> {
    const verdict = outboxVerdict(end.code);
    if (verdict === 'keep') return false;
    for (;;) {
      const queued = await this.#store.call('selectQueued', {
        conversationId: this.#conversationId,
        limit: WINDOW,
      });
      if (this.#disposed) return true;
      if (queued.length === 0) return await this.#sendChangesToServer(verdict);
      const free = await this.#unheld(queued);
      if (this.#isDisposed()) return true;
      for (const message of free) {
        if (verdict === 'fail') await this.#move(message, 'failed', { failure: end });
        else if (!(await this.#sendToServer(message))) return false;
      }
    }
  }

  /** By way of the IM Server, which keeps it for the absent. False: not now. */
  async #sendToServer(message: Message): Promise<boolean> {
    const { status, headers } = await this.#delegate.sendOverServer(message);
    if (status === 202) await this.#move(message, 'waiting', { headers });
    else if (status >= 200 && status < 300) await this.#move(message, 'sent', { headers });
    else {
      const why = FAILURE_OF_SIP_STATUS[status];
      if (why === undefined) return false;
      await this.#move(message, 'failed', { failure: { code: `sip-${status}`, message: why } });
    }
    return true;
  }

  #waitingChanges(): Promise<WaitingChange[]> {
    return this.#store.call('selectWaitingChanges', { conversationId: this.#conversationId, limit: WINDOW });
  }

  /** After the messages: each is about one that has left. False when the session broke. */
  async #sendChanges(chat: Chat, changes: readonly WaitingChange[]): Promise<boolean> {
    for (const change of changes) {
      let status: number;
      try {
        ({ status } = await this.#delegate.sendChangeOverChat(chat, change));
      } catch (error) {
        if (!(error instanceof MsrpSessionError)) throw error;
        return false;
      }
      if (isWayBroken(status)) {
        void chat.end();
        return false;
      }
      await this.#settleChange(change, status !== 200);
    }
    return true;
  }

  async #sendChangesToServer(verdict: 'fail' | 'defer'): Promise<boolean> {
    for (;;) {
      const changes = await this.#waitingChanges();
      if (changes.length === 0 || this.#disposed) return true;
      for (const change of changes) {
        const { status } =
          verdict === 'fail' ? { status: 603 } : await this.#delegate.sendChangeOverServer(change);
        const isTaken = status >= 200 && status < 300;
        if (!isTaken && FAILURE_OF_SIP_STATUS[status] === undefined) return false;
        await this.#settleChange(change, !isTaken);
      }
    }
  }

  async #settleChange({ key, wireId }: WaitingChange, refused: boolean): Promise<void> {
    if (refused) this.#log.info('outbox.change-refused', { wireId });
    await this.#store.call('updateWaitingChange', { key, refused });
  }

  async #move(
    message: Message,
    state: OutgoingState,
    { failure, headers }: { failure?: { code: string; message: string }; headers?: string | null },
  ): Promise<void> {
    const changed = await this.#store.call('updateMessageState', {
      id: message.id,
      state,
      headers,
      ...(failure ? { failure: { code: failure.code, message: failure.message } } : {}),
    });
    if (changed !== null) this.#delegate.receiveChange(changed);
  }
}

/** Timed out, or the session is unknown there: the way is broken, not what was sent. */
function isWayBroken(status: number): boolean {
  return status === 408 || status === 481 || status === 506;
}
