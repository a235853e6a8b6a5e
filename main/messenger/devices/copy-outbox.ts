/**
 * Owns: telling the other devices of our user what has happened here: from the disk, in order, again until the server has
 * it. Called by: account-copies.ts. Calls: copy-format.ts, sip/agent/pager-message.ts, the store.
 */
import type { AccountId } from '../../../shared/domain/ids.ts';
import type { EventName } from '../../../shared/ipc/contract.ts';
import { systemClock, type Clock, type Timer } from '../../base/clock.ts';
import { COPY_LIMITS } from '../../base/copy-limits.ts';
import type { MessengerLimits } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { CPIM_TYPE } from '../../base/cpim.ts';
import { copyRequestHeaders, otherDevicesOf } from '../../sip/agent/copy-request.ts';
import { sendPagerMessage } from '../../sip/agent/pager-message.ts';
import type { Store } from '../../store/store.ts';
import type { PlacedTransfer } from '../../store/transfers.ts';
import type { AccountLink } from '../account-link.ts';
import type { Feed } from '../feed.ts';
import { stateForDevices } from '../file-offer.ts';
import type { LeftFile } from './file-for-devices.ts';
import { formatCopy, formatHello, type CopySender } from './copy-format.ts';

export interface CopyOutboxOptions {
  readonly accountId: AccountId;
  readonly sender: CopySender;
  /** How many other devices there were in the last run. */
  readonly knownOthers: number;
  readonly store: Store;
  readonly feed: Feed;
  readonly log: Log;
  readonly limits: MessengerLimits;
  /** Our user lets this device tell the others. */
  readonly isWanted: () => boolean;
  readonly route: AccountLink['pagerRoute'];
  /** Leaves a file at the server, for those who read the copy. */
  readonly leaveFile: (file: PlacedTransfer) => Promise<LeftFile>;
  readonly clock?: Clock;
}

/** Events behind which there may be something to tell. */
const WORK: ReadonlySet<EventName> = new Set([
  'message.added',
  'message.changed',
  'transfer.changed',
  'marks.changed',
]);
const BATCH = 32;
/** A file that could not be left at the server so often is told of without it. */
const MAX_FILE_TRIES = 3;

/** The copies of one account. */
export class CopyOutbox implements Disposable {
  readonly #options: CopyOutboxOptions;
  readonly #clock: Clock;
  readonly #release: () => void;
  /** Other devices that want copies; undefined: the server has not said, or keeps none. */
  #others: number | undefined;
  /** As it is on the disk. */
  #stored: number;
  /** The others know of this device. */
  #hasGreeted: boolean;
  #running = false;
  #again = false;
  #disposed = false;
  #timer: Timer | undefined;
  #retryMs: number;
  /** Of the file whose turn it is. */
  #fileTries = 0;

  constructor(options: CopyOutboxOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#retryMs = options.limits.retryFirstMs;
    this.#stored = options.knownOthers;
    this.#hasGreeted = options.knownOthers > 0;
    this.#release = options.feed.subscribe(({ event }) => {
      if (WORK.has(event) && this.#hasOthers()) this.#sendLater(COPY_LIMITS.gatherMs);
    });
  }

  /** Whether the server passes on what a device tells the others: only then one of theirs is believed. */
  get isServed(): boolean {
    return this.#others !== undefined;
  }

  /** The server has said how many others there are; undefined: it does not know of such things. */
  async receiveOthers(count: number | undefined): Promise<void> {
    if (this.#disposed) return;
    this.#others = count;
    // A server that says nothing does not say that there are none.
    const told = this.#options.isWanted() ? count : 0;
    if (told === undefined) return;
    if (told !== this.#stored) {
      this.#stored = told;
      await this.#options.store.call('updateOtherDevices', { id: this.#options.accountId, count: told });
    }
    const isNews = !this.#hasGreeted;
    this.#hasGreeted = told > 0;
    if (told === 0) return;
    if (isNews) {
      await this.#post(formatHello(this.#options.sender));
    }
    this.#send();
  }

  /** Another device has told us that it is there. */
  async receiveHello(): Promise<void> {
    this.#hasGreeted = true;
    await this.receiveOthers(Math.max(1, this.#others ?? 0));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#release();
    this.#timer?.[Symbol.dispose]();
  }

  /** There are other devices, as far as we know now. */
  #hasOthers(): boolean {
    return this.#others !== undefined && this.#others > 0;
  }

  #sendLater(afterMs: number): void {
    if (this.#disposed || this.#timer?.active === true) return;
    this.#timer = this.#clock.startTimer(afterMs, () => {
      this.#send();
    });
  }

  #send(): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = true;
    this.#again = false;
    void this.#sendAll()
      .catch((error: unknown) => {
        this.#options.log.error('copies.failed', { error });
        return false;
      })
      .then((done) => {
        this.#running = false;
        if (done) this.#retryMs = this.#options.limits.retryFirstMs;
        if (this.#again) this.#send();
        else if (!done) this.#retryLater();
      });
  }

  #retryLater(): void {
    this.#sendLater(this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, this.#options.limits.retryMaxMs);
  }

  /** True when nothing is left, or nobody wants it; false when the server cannot take it now. */
  async #sendAll(): Promise<boolean> {
    const { store, accountId, sender } = this.#options;
    while (this.#hasOthers() && !this.#disposed) {
      const copies = await store.call('selectDeviceCopies', { accountId, limit: BATCH });
      if (copies.length === 0) return true;
      for (const copy of copies) {
        if (copy.kind === 'message' && copy.file !== null && !(await this.#leave(copy.file))) return false;
        for (const body of formatCopy(copy, sender)) {
          if (!(await this.#post(body))) return false;
          if (!this.#hasOthers()) return true;
        }
        const isOpen =
          copy.kind === 'message' && copy.file !== null && stateForDevices(copy.file) === 'offered';
        await store.call(isOpen ? 'keepFileEnd' : 'deleteDeviceCopy', { key: copy.key });
      }
    }
    return true;
  }

  /** True when it lies at the server, or never will; false when that is to be tried again. */
  async #leave(file: PlacedTransfer): Promise<boolean> {
    if (file.state !== 'done' || file.path === null) return true;
    const left = await this.#options.leaveFile(file);
    if (left === 'later') {
      // While there is no way to the server nothing can be told of it either.
      if (this.#options.route() !== undefined) this.#fileTries++;
      if (this.#fileTries < MAX_FILE_TRIES) return false;
    }
    this.#fileTries = 0;
    return true;
  }

  /** True when it is settled: the server has it, or says that it will never do. */
  async #post(body: Buffer): Promise<boolean> {
    const { log, accountId, sender } = this.#options;
    const route = this.#options.route();
    if (route === undefined) return false;
    const uri = `sip:${sender.address}`;
    try {
      const { status, message } = await sendPagerMessage(route.agent, {
        uri,
        from: route.from,
        to: `<${uri}>`,
        ...route.way,
        digest: route.digest,
        contentType: CPIM_TYPE,
        body: body.toString('utf8'),
        headers: copyRequestHeaders(`urn:uuid:${accountId}`),
      });
      if (status >= 200 && status < 300) {
        const others = otherDevicesOf(message.headers);
        if (others !== this.#others) await this.receiveOthers(others);
        return true;
      }
      log.info('copy.refused', { status });
      return status === 400 || status === 413 || status === 415;
    } catch (error) {
      log.info('copy.not-sent', { error });
      return false;
    }
  }
}
