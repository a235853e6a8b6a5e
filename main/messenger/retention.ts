/**
 * Owns: what leaves the history, and when: by the age that the setting or a conversation's own rule says, or because the
 * user deletes it; and that nothing does while it is on hold.
 * Called by: messenger.ts, retention-commands.ts. Calls: store (deletion.ts), feed.ts.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { Settings } from '../../shared/settings.ts';
import { systemClock, type Clock, type Timer } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { DeletedMessages } from '../store/deletion.ts';
import type { Store } from '../store/store.ts';
import type { Feed } from './feed.ts';

export interface RetentionOptions {
  readonly store: Pick<Store, 'call'>;
  readonly feed: Pick<Feed, 'publish'>;
  readonly log: Log;
  readonly settings: () => Pick<Settings, 'history.keepDays' | 'history.hold'>;
  /** The newest message of a conversation may be another one now. */
  readonly publishConversation: (id: ConversationId) => Promise<void>;
  readonly clock?: Clock;
}

const DAY_MS = 86_400_000;
/** Deleted in one commit: what else is asked of the store is not behind more than these. */
const BATCH = 100;
/** After the start, when the window is up. */
const FIRST_MS = 5_000;
/** What has come due is not looked for more often, nor more seldom: clocks are set, computers sleep. */
const SOONEST_MS = 1_000;
const LATEST_MS = 3_600_000;

/** Deletes what is due. The constructor starts nothing. */
export class Retention implements AsyncDisposable {
  readonly #options: RetentionOptions;
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Begins: a while after the start, so that it is in nobody's way. */
  start(): void {
    this.#again(FIRST_MS);
  }

  /** A rule has changed: what is due now goes now. */
  receiveChange(): void {
    this.#timer?.[Symbol.dispose]();
    void this.#sweep();
  }

  /** How long messages of a conversation are kept, in ms; 0: for ever; null: as the setting says. */
  rule(conversationId: ConversationId): Promise<number | null> {
    return this.#options.store.call('selectRetention', { conversationId });
  }

  async setRule(conversationId: ConversationId, keepMs: number | null): Promise<void> {
    await this.#options.store.call('updateRetention', { conversationId, keepMs });
    this.receiveChange();
  }

  /** Deletes messages. Rejects with CallError while the history is on hold, or when a file is under way. */
  async delete(conversationId: ConversationId, ids: readonly MessageId[]): Promise<void> {
    this.#requireFree();
    const deleted = await this.#options.store.call('deleteMessages', { conversationId, ids });
    if (deleted.positions.length === 0)
      throw new CallError('not-allowed', 'This file is still under way. Cancel it first.');
    await this.#finish([deleted]);
  }

  /** Deletes every message of a conversation; files under way stay. Rejects with CallError while it is on hold. */
  async clear(conversationId: ConversationId): Promise<void> {
    this.#requireFree();
    const all: DeletedMessages[] = [];
    for (;;) {
      const deleted = await this.#options.store.call('clearConversation', { conversationId, limit: BATCH });
      if (deleted.positions.length === 0) break;
      all.push(deleted);
    }
    await this.#finish(all);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#turn;
  }

  #requireFree(): void {
    if (!this.#options.settings()['history.hold']) return;
    throw new CallError(
      'not-allowed',
      'This history is on hold: nothing may be deleted. Ask whoever administers this computer.',
    );
  }

  /** One after the other. Never rejects. */
  #sweep(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#closed) return;
      try {
        await this.#deleteDue();
        await this.#schedule();
      } catch (error) {
        this.#options.log.error('retention.failed', { error });
        this.#again(LATEST_MS);
      }
    });
    return this.#turn;
  }

  async #deleteDue(): Promise<void> {
    const { store, settings } = this.#options;
    const all: DeletedMessages[] = [];
    while (!this.#closed && !settings()['history.hold']) {
      const deleted = await store.call('deleteExpired', {
        nowMs: this.#clock.now(),
        keepMs: this.#keepMs,
        limit: BATCH,
      });
      if (deleted === null) break;
      all.push(deleted);
    }
    await this.#finish(all);
  }

  get #keepMs(): number {
    return this.#options.settings()['history.keepDays'] * DAY_MS;
  }

  async #schedule(): Promise<void> {
    if (this.#closed || this.#options.settings()['history.hold']) return;
    const next = await this.#options.store.call('selectNextExpiry', { keepMs: this.#keepMs });
    if (next === null) return;
    this.#again(Math.min(LATEST_MS, Math.max(SOONEST_MS, next - this.#clock.now())));
  }

  #again(afterMs: number): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#closed) return;
    this.#timer = this.#clock.startTimer(afterMs, () => void this.#sweep());
  }

  /** Tells the window, and has what was deleted overwritten. */
  async #finish(all: readonly DeletedMessages[]): Promise<void> {
    if (all.length === 0) return;
    const { store, feed, publishConversation } = this.#options;
    for (const { conversationId, positions } of all)
      feed.publish('messages.deleted', { conversationId, positions: [...positions] });
    for (const id of new Set(all.map(({ conversationId }) => conversationId))) await publishConversation(id);
    await store.call('forgetDeleted', null);
  }
}
