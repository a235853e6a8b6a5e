/**
 * Owns: one file of a conversation as it stands: on disk, for the window, and what is under way for it.
 * Called by: transfers.ts, outgoing-transfer.ts, incoming-transfer.ts. Calls: store, feed.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { TransferFailureCode } from '../../shared/domain/transfer.ts';
import { monotonicMs, type Clock, type Timer } from '../base/clock.ts';
import type { MessengerLimits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { IncomingInvite } from '../sip/agent/invite.ts';
import type { MsrpDescription } from '../msrp/sdp.ts';
import type { Store } from '../store/store.ts';
import {
  isFetched,
  isFromElsewhere,
  shownTransfer,
  type PlacedTransfer,
  type StoredTransfer,
} from '../store/transfers.ts';
import type { FileCall, FileCallContext } from './file-call.ts';
import type { Feed } from './feed.ts';
import type { Telling } from './telling.ts';

type MessageFailure = NonNullable<Message['failure']>;
type ClosedState = 'declined' | 'cancelled';

/** Why the message of a file that is wanted no more has not gone out. */
export const CLOSED: Readonly<Record<ClosedState, MessageFailure>> = {
  declined: { code: 'file-declined', message: 'The other side declined the file.' },
  cancelled: { code: 'file-cancelled', message: 'The file was taken back.' },
};

/**
 * Why a file goes nowhere, whatever is tried: the server of a group keeps none, or our user does not belong to the group
 * any more.
 */
export type NoFileWay = 'no-files' | 'left';

/** What files need of the messenger. */
export interface TransferHost {
  readonly store: Store;
  readonly feed: Feed;
  readonly log: Log;
  readonly clock: Clock;
  readonly limits: MessengerLimits;
  /** Where received files are put. */
  readonly folder: string;
  /** Undefined while the account of the conversation cannot reach its server. */
  contextOf(
    conversationId: ConversationId,
    called?: 'called',
  ): Promise<FileCallContext | NoFileWay | undefined>;
  /** The message has moved on: `waiting`, `sent`, `delivered`, `failed`, or `queued` again. */
  moveMessage(
    id: MessageId,
    state: 'queued' | 'waiting' | 'sent' | 'delivered' | 'failed',
    failure?: MessageFailure,
  ): Promise<void>;
}

/** An invitation to a file that waits for the user's answer. */
export interface AskedFile {
  readonly invite: IncomingInvite;
  readonly offer: MsrpDescription;
  readonly context: FileCallContext;
}

/** One file while the program runs. */
export class TransferRecord {
  readonly #host: TransferHost;
  #stored: PlacedTransfer;
  /** The attempt under way. */
  call: FileCall | undefined;
  asked: AskedFile | undefined;
  /** Hashing, or an attempt from its first step to its last. */
  busy = false;
  /** Of ours: whether the other side has heard of it; undefined: it has, before the program was started. */
  telling: Telling | undefined;
  /** Resolves when the attempt under way is over; never rejects. */
  task: Promise<void> | undefined;
  retry: Timer | undefined;
  retryMs: number;
  #shownMs = -Infinity;
  #progress: Timer | undefined;
  #bytes: number;

  constructor(host: TransferHost, stored: PlacedTransfer) {
    this.#host = host;
    this.#stored = stored;
    this.#bytes = stored.bytesDone;
    this.retryMs = host.limits.retryFirstMs;
  }

  get stored(): PlacedTransfer {
    return this.#stored;
  }

  get id(): MessageId {
    return this.#stored.messageId;
  }

  get state(): StoredTransfer['state'] {
    return this.#stored.state;
  }

  /** Another device of our user has sent it: that one goes on with it, tries again, and says how it ends. */
  get isFromElsewhere(): boolean {
    return isFromElsewhere(this.#stored);
  }

  /** Another device of our user has sent it, and it comes from there. */
  get isFetched(): boolean {
    return isFetched(this.#stored);
  }

  /** Nothing goes on by itself any more. */
  get isSettled(): boolean {
    return ['done', 'declined', 'cancelled', 'failed'].includes(this.state);
  }

  /**
   * Changes it on disk, then for the window: what else the window is told of the message meanwhile was read from the disk,
   * and must not be the last word.
   */
  async update(change: Partial<StoredTransfer>): Promise<void> {
    this.#stored = { ...this.#stored, ...change };
    if (change.bytesDone !== undefined) this.#bytes = change.bytesDone;
    try {
      await this.#host.store.call('upsertTransfer', this.#stored);
    } finally {
      this.#show();
    }
  }

  /** Keeps how much is safe, without a word to the window. */
  async checkpoint(bytesDone: number): Promise<void> {
    this.#stored = { ...this.#stored, bytesDone };
    await this.#host.store.call('upsertTransfer', this.#stored);
  }

  /** So many bytes have arrived: the window is told, not too often. */
  receiveProgress(bytes: number): void {
    if (bytes > this.#bytes) this.retryMs = this.#host.limits.retryFirstMs;
    this.#bytes = bytes;
    if (this.#progress?.active === true) return;
    const { progressMs } = this.#host.limits;
    const leftMs = this.#shownMs + progressMs - monotonicMs(this.#host.clock);
    if (leftMs <= 0) this.#show();
    else this.#progress = this.#host.clock.startTimer(leftMs, () => this.#show());
  }

  async fail(code: TransferFailureCode, message: string): Promise<void> {
    if (this.isFetched) {
      // It has been sent, and is not to be had here: it is as if it had been moved away.
      await this.update({ state: 'done' });
      return;
    }
    const failure = { code, message };
    await this.#end({ state: 'failed', failure }, failure);
  }

  /** It is wanted no more, by either side: no failure of the file, but its message goes nowhere either. */
  async close(state: ClosedState, change: Partial<StoredTransfer> = {}): Promise<void> {
    await this.#end({ ...change, state }, CLOSED[state]);
  }

  /** The message first: whoever reads on the disk how the file has ended finds both. */
  async #end(change: Partial<StoredTransfer>, failure: MessageFailure): Promise<void> {
    const isOurs = this.#stored.direction === 'out';
    const moved = isOurs ? this.#host.moveMessage(this.id, 'failed', failure) : undefined;
    await Promise.all([moved, this.update(change)]);
  }

  /** Hangs up what is under way, and forgets what was to come. */
  async stop(status = 480): Promise<void> {
    this.retry?.[Symbol.dispose]();
    this.#progress?.[Symbol.dispose]();
    const { asked, call, telling } = this;
    telling?.receiveTold();
    this.asked = undefined;
    await asked?.invite.reject(status);
    await call?.end();
  }

  #show(): void {
    this.#progress?.[Symbol.dispose]();
    this.#shownMs = monotonicMs(this.#host.clock);
    const { conversationId, messageId } = this.#stored;
    const transfer = shownTransfer({ ...this.#stored, bytesDone: this.#bytes });
    this.#host.feed.publish('transfer.changed', { conversationId, messageId, transfer });
  }
}
