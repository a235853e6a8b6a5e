/**
 * Owns: the files that are not over: one attempt after the other, as many at once as may be, broken ones again after a
 * while. Called by: transfers.ts. Calls: outgoing-transfer.ts, incoming-transfer.ts.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { CallError } from '../../shared/ipc/error-codes.ts';
import type { PlacedTransfer } from '../store/transfers.ts';
import { receiveFile } from './incoming-transfer.ts';
import { offerFile, prepareFile } from './outgoing-transfer.ts';
import { Telling, type UntoldFile } from './telling.ts';
import { textsBefore } from './texts-before.ts';
import { TransferRecord, type AskedFile, type NoFileWay, type TransferHost } from './transfer-record.ts';

/** What is under way, and what waits for its turn. */
export class TransferRuns implements AsyncDisposable {
  readonly #host: TransferHost;
  readonly #records = new Map<MessageId, TransferRecord>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(host: TransferHost) {
    this.#host = host;
  }

  get records(): Iterable<TransferRecord> {
    return this.#records.values();
  }

  /** Everything is left as it is on disk, to go on later. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#records.values()].map((record) => record.stop()));
    await Promise.all(this.#tasks);
  }

  /** Something may have changed: what waits goes on at once, whatever it has waited for. */
  goOn(conversationId?: ConversationId): void {
    this.#start(conversationId, () => true);
  }

  /** What waits for its turn has it; what failed a moment ago has its own time. */
  #goOnInTurn(): void {
    this.#start(undefined, ({ retry }) => retry?.active !== true);
  }

  /** Begins as many of those that wait as may be at once. */
  #start(conversationId: ConversationId | undefined, isDue: (record: TransferRecord) => boolean): void {
    if (this.#abort.signal.aborted) return;
    const held = new Set<ConversationId>();
    for (const record of this.#records.values()) {
      const place = record.stored.conversationId;
      if (conversationId !== undefined && place !== conversationId) continue;
      if (record.telling?.isTold === false) {
        // The other side hears of them one after the other, as they were sent.
        if (held.has(place)) continue;
        held.add(place);
      }
      if (record.state !== 'waiting' || record.busy || !isDue(record)) continue;
      if (this.#running >= this.#host.limits.maxTransfers) return;
      this.run(record, () => this.#attempt(record));
    }
  }

  get #running(): number {
    return [...this.#records.values()].filter(({ busy, state }) => busy && state !== 'offered').length;
  }

  async #attempt(record: TransferRecord): Promise<void> {
    if (record.telling?.isTold === false && (await this.#host.contextOf(record.stored.conversationId)))
      await textsBefore(this.#host, record, this.#abort.signal);
    const context = await this.#host.contextOf(record.stored.conversationId);
    if (context === undefined || record.state !== 'waiting') return;
    if (typeof context === 'string') await failWithoutWay(record, context);
    else if (record.isFetched) {
      // What our user has sent to a group is there for all who belong to it, else it lies at our own address.
      const toUs = context.isRoom === true ? context : { ...context, peerAddress: context.address };
      await receiveFile(this.#host, record, { context: toUs });
    } else if (record.stored.direction === 'out') await offerFile(this.#host, record, context);
    else if (record.stored.accepted) await receiveFile(this.#host, record, { context });
  }

  /** Takes it from this moment on: whoever else would begin an attempt meanwhile would write into the same file. */
  receive(record: TransferRecord, asked: AskedFile, kept: Promise<void>): void {
    if (record.busy) {
      kept.catch(() => undefined);
      void asked.invite.reject(486);
      return;
    }
    this.run(record, async () => {
      await kept;
      await receiveFile(this.#host, record, { asked });
    });
  }

  /** The oldest file that the other side has not heard of, as long as texts wait for that. */
  untold(conversationId: ConversationId): UntoldFile | undefined {
    const { clock, limits } = this.#host;
    // All of them are held for the same while: a text behind three files does not wait three times.
    const held = [...this.#records.values()].flatMap(({ telling, stored }): UntoldFile[] => {
      if (stored.conversationId !== conversationId) return [];
      const passed = telling?.hold(clock, limits.fileTellingMs);
      return passed === undefined ? [] : [{ position: stored.position, passed }];
    });
    return held[0];
  }

  /** It was under way when the program last stopped. */
  async restore(record: TransferRecord): Promise<void> {
    const { direction, bytesDone } = record.stored;
    if (direction === 'out' && !record.isFromElsewhere && bytesDone === 0) this.#keepPlace(record);
    await record.update({ state: 'waiting' });
  }

  /** Nobody may have heard of it: it keeps its place among what our user sends. */
  #keepPlace(record: TransferRecord): void {
    record.telling = new Telling(() => {
      this.#goOnInTurn();
    });
  }

  /** Reads it for its hashes, then goes on. */
  prepare(record: TransferRecord): void {
    this.#keepPlace(record);
    this.run(record, () => prepareFile(record, this.#abort.signal));
  }

  /** One attempt after the other; when one is over, what waits has its turn, and a broken one waits a little. */
  run(record: TransferRecord, attempt: () => Promise<void>): void {
    record.busy = true;
    record.retry?.[Symbol.dispose]();
    const wasPreparing = record.state === 'preparing';
    const task = attempt()
      .catch((error: unknown) => {
        this.#host.log.error('file.failed', { messageId: record.id, error });
      })
      .finally(() => {
        record.busy = false;
        record.call = undefined;
        this.#tasks.delete(task);
        if (this.#abort.signal.aborted) return;
        if (record.isSettled) {
          record.telling?.receiveTold();
          this.#records.delete(record.id);
        } else if (record.state === 'waiting' && !wasPreparing) this.#retryLater(record);
        // Whoever has taken one is there for the others.
        if (record.state === 'done') this.goOn(record.stored.conversationId);
        this.#goOnInTurn();
      });
    this.#tasks.add(task);
    record.task = task;
  }

  #retryLater(record: TransferRecord): void {
    record.retry = this.#host.clock.startTimer(record.retryMs, () => {
      this.#goOnInTurn();
    });
    record.retryMs = Math.min(record.retryMs * 2, this.#host.limits.retryMaxMs);
  }

  /** The record of a file that may go on. */
  keep(stored: PlacedTransfer): TransferRecord {
    const known = this.#records.get(stored.messageId);
    if (known !== undefined) return known;
    const record = new TransferRecord(this.#host, stored);
    this.#records.set(stored.messageId, record);
    return record;
  }

  /** Waits for the end of what is under way. Whoever had failed is forgotten then: the record that stands for it now. */
  async finish(record: TransferRecord): Promise<TransferRecord> {
    await record.task;
    return this.keep(record.stored);
  }

  /** Rejects with CallError. */
  async find(messageId: MessageId): Promise<TransferRecord> {
    const known = this.#records.get(messageId);
    if (known !== undefined) return known;
    const stored = await this.#host.store.call('selectTransfer', { messageId });
    if (stored === null) throw new CallError('not-found', 'There is no such file.');
    return this.keep(stored);
  }
}

async function failWithoutWay(record: TransferRecord, why: NoFileWay): Promise<void> {
  if (record.stored.direction === 'in' || record.isFetched) {
    await record.fail('gone', 'It cannot be had from the server any more.');
  } else if (why === 'left') await record.fail('refused', 'You are not in this group any more.');
  else await record.fail('not-supported', 'The server of this group keeps no files.');
}
