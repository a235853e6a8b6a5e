/**
 * Owns: the messages of one session on their way out: order, fairness, responses, drain.
 * Called by: session.ts. Calls: chunking.ts, transactions.ts, connection.ts.
 */
import type { Clock } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import { MsrpChunker, type MsrpChunk } from './chunking.ts';
import type { MsrpConnection, MsrpSendLane } from './connection.ts';
import { formatEndLine, isMessageId } from './message.ts';
import type { FailureReport, MsrpSessionReport } from './reports.ts';
import { mayBeTooLarge, type MsrpChunkGrowth, type MsrpRelayChunks } from './relay-chunks.ts';
import { MsrpSendWindow } from './send-window.ts';
import { MsrpSessionError } from './session-error.ts';
import type { MsrpBodySource } from './streams.ts';
import {
  createTransactionId,
  createTransactionIdFor,
  type MsrpResponseReceiver,
  type MsrpTransactions,
} from './transactions.ts';
import { UnsettledMessages, type UnsettledMessage } from './unsettled-messages.ts';

/** A message to send. A body in memory must not be changed until the promise has settled. */
export interface MsrpOutgoingMessage {
  /** 4 to 32 characters (RFC 4975 §9 `ident`). */
  readonly messageId: string;
  readonly contentType: string;
  /** From a source only with Failure-Report `yes`: it is the answers that set its memory free. */
  readonly body: Buffer | MsrpBodySource;
  /** Bytes that the peer has answered so far, in order; of a body from a source. */
  readonly receiveProgress?: (bytes: number) => void;
  /** Ask for a REPORT (default no). */
  readonly successReport?: boolean;
  /** Default `yes`. With `no` and `partial` a message counts as sent once it is written: status 0. */
  readonly failureReport?: FailureReport;
  readonly signal?: AbortSignal;
}

/** How a message was answered: the status of its last chunk, or the first failure. 0: no answer was asked for. */
export interface MsrpSendOutcome {
  readonly status: number;
}

/** The first line of a SEND and its end-line, with the CRLF before it. */
const FRAME_BYTES =
  `MSRP ${createTransactionId()} SEND\r\n`.length + `\r\n${formatEndLine(createTransactionId(), '+')}`.length;
const CONTENT_TYPE = /^[\x21-\x7e][\x20-\x7e]*$/;

class Outgoing implements MsrpResponseReceiver, UnsettledMessage {
  place = 0;
  readonly messageId: string;
  readonly chunker: MsrpChunker;
  readonly failureReport: FailureReport;
  readonly headAfterPaths: string;
  readonly headAfterRange: string;
  readonly size: number;
  /** Of the head of a chunk behind its paths, at most. */
  readonly headBytes: number;
  readonly done = Promise.withResolvers<MsrpSendOutcome>();
  readonly #sending: MsrpSending;
  settled = false;
  aborted = false;
  /** Waits for its source, or for answers. */
  waiting = false;
  readonly #source: MsrpBodySource | undefined;
  readonly #window: MsrpSendWindow | undefined;
  readonly #receiveProgress: ((bytes: number) => void) | undefined;
  #unanswered = 0;
  /** A larger chunk than this way is known to take: nothing follows it before its answer, whatever the peer expects. */
  #trial: MsrpChunk | undefined;

  constructor(sending: MsrpSending, message: MsrpOutgoingMessage, limits: MsrpLimits, clock: Clock) {
    this.#sending = sending;
    if (!Buffer.isBuffer(message.body)) {
      this.#source = message.body;
      this.#window = new MsrpSendWindow(limits, clock);
      this.#receiveProgress = message.receiveProgress;
      this.#source.open(() => sending.receiveMore(this));
    }
    this.messageId = message.messageId;
    this.chunker = new MsrpChunker(message.body, limits);
    this.failureReport = message.failureReport ?? 'yes';
    this.size = Buffer.isBuffer(message.body) ? message.body.length : message.body.size;
    const success = message.successReport === true ? 'Success-Report: yes\r\n' : '';
    const failure = this.failureReport === 'yes' ? '' : `Failure-Report: ${this.failureReport}\r\n`;
    this.headAfterPaths = `Message-ID: ${message.messageId}\r\n${success}${failure}Byte-Range: `;
    this.headAfterRange = `\r\nContent-Type: ${message.contentType}\r\n\r\n`;
    const rangeBytes = 2 * String(this.size).length + 3;
    this.headBytes = this.headAfterPaths.length + rangeBytes + this.headAfterRange.length;
  }

  /** The next chunk; undefined: not now, `receiveMore` follows. Gives the message up when its source has failed. */
  next(): MsrpChunk | undefined {
    if (this.#trial !== undefined || this.#window?.isFull === true) return undefined;
    try {
      return this.chunker.next(this.#sending.fittingBytes(this, this.#maxBytes()));
    } catch (error) {
      if (this.#source === undefined) throw error;
      this.aborted = true;
      this.fail(new MsrpSessionError('MSRP_SOURCE_FAILED', 'the rest cannot be read', { cause: error }));
      return this.chunker.started ? this.chunker.abort() : undefined;
    }
  }

  /** What chunks may have on this way; only answers say whether a larger one has worked. */
  #maxBytes(): number | undefined {
    const { growth } = this.#sending;
    return this.failureReport === 'yes' ? growth?.nextBytes(this.size) : growth?.provenBytes;
  }

  /** Who is told how `chunk` was answered. */
  receiverOf(chunk: MsrpChunk): MsrpResponseReceiver {
    const { growth } = this.#sending;
    if (growth === undefined || chunk.body.length <= growth.provenBytes) return this;
    this.#trial = chunk;
    growth.beginTrial();
    return { receiveStatus: (status) => this.#endTrial(growth, chunk, status) };
  }

  #endTrial(growth: MsrpChunkGrowth, chunk: MsrpChunk, status: number): void {
    this.#trial = undefined;
    growth.endTrial(chunk.body.length, status === 200);
    if (this.settled || !mayBeTooLarge(status)) this.receiveStatus(status);
    else {
      this.#unanswered--;
      this.#window?.takeBack();
      // It is in no queue any more when it was the last one.
      this.waiting ||= this.chunker.ended;
      this.chunker.takeBack(chunk);
      this.#sending.requestAnswered();
    }
    this.#sending.receiveMore(this);
  }

  /** The session is over: whether that was the larger chunk is not tried again. */
  giveUpTrial(): void {
    if (this.#trial !== undefined) this.#sending.growth?.endTrial(this.#trial.body.length, false);
    this.#trial = undefined;
  }

  chunkSent(bytes: number): void {
    this.#window?.add(bytes);
    if (this.failureReport === 'yes') {
      this.#unanswered++;
      this.#sending.requestSent();
    } else if (this.chunker.ended) this.settle(0);
  }

  receiveStatus(status: number): void {
    if (this.failureReport === 'partial') {
      // Silence is success here; what fails after the promise has settled is told like a report.
      if (status === 200 || status === 408) return;
      if (this.settled) this.#sending.receiveLateFailure({ messageId: this.messageId, status });
      else this.settle(status);
      return;
    }
    this.#unanswered--;
    if (this.#window !== undefined && !this.settled) this.#receiveAnswer(this.#window);
    if (status !== 200) this.settle(status);
    else if (this.chunker.ended && this.#unanswered === 0) this.settle(200);
    // Last: a refused message must not send another chunk into the room that its answer makes.
    this.#sending.requestAnswered();
  }

  /** What was answered has left this computer, and everything that was sent before it. */
  #receiveAnswer(window: MsrpSendWindow): void {
    const bytes = window.take();
    this.#source?.release(bytes);
    this.#receiveProgress?.(window.answered);
    if (this.waiting) this.#sending.receiveMore(this);
  }

  settle(status: number): void {
    if (this.settled) return;
    this.settled = true;
    this.#source?.close();
    this.#sending.forget(this);
    this.done.resolve({ status });
  }

  fail(error: MsrpSessionError): void {
    if (this.settled) return;
    this.settled = true;
    this.#source?.close();
    this.#sending.forget(this);
    this.done.reject(error);
  }
}

/** What the outgoing side of a session needs of its endpoint. */
export interface MsrpSendHost {
  readonly clock: Clock;
  readonly relayChunks: MsrpRelayChunks;
}

/** The outgoing side of one session. */
export class MsrpSending implements MsrpSendLane {
  readonly receiveLateFailure: (report: MsrpSessionReport) => void;
  /** How large chunks may be; undefined while no relay is on the way. */
  growth: MsrpChunkGrowth | undefined;
  readonly #limits: MsrpLimits;
  readonly #clock: Clock;
  readonly #relayChunks: MsrpRelayChunks;
  readonly #transactions: MsrpTransactions;
  readonly #unsettled = new UnsettledMessages<Outgoing>();
  /** Messages of one chunk, in the order of the calls. */
  #small: Outgoing[] = [];
  #nextSmall = 0;
  /** Messages of several chunks; each sends one in turn. */
  readonly #large: Outgoing[] = [];
  /** Bytes that small messages may still send before a large one has its turn. */
  #credit = 0;
  #connection: MsrpConnection | undefined;
  #paths = '';
  /** Requests whose response is due, whatever it says. */
  #awaited = 0;
  #ended: MsrpSessionError | undefined;
  #drained: PromiseWithResolvers<undefined> | undefined;

  constructor(
    limits: MsrpLimits,
    host: MsrpSendHost,
    transactions: MsrpTransactions,
    receiveLateFailure: (report: MsrpSessionReport) => void,
  ) {
    this.#limits = limits;
    this.#clock = host.clock;
    this.#relayChunks = host.relayChunks;
    this.#transactions = transactions;
    this.receiveLateFailure = receiveLateFailure;
  }

  /** The session has its connection: what has waited goes out. */
  bind(connection: MsrpConnection, toPath: string, fromPath: string): void {
    this.#connection = connection;
    this.growth = this.#relayChunks.growthOf(toPath);
    this.#paths = `To-Path: ${toPath}\r\nFrom-Path: ${fromPath}\r\n`;
    connection.schedule(this);
  }

  /** Queues a message. Rejects with MsrpSessionError when it is aborted or the session ends first. */
  send(message: MsrpOutgoingMessage): Promise<MsrpSendOutcome> {
    if (!isMessageId(message.messageId)) throw new TypeError('messageId must be 4 to 32 ident characters');
    if (!CONTENT_TYPE.test(message.contentType)) throw new TypeError('contentType must be printable ASCII');
    if (!Buffer.isBuffer(message.body) && (message.failureReport ?? 'yes') !== 'yes') {
      throw new TypeError('a body from a source needs Failure-Report yes');
    }
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const { signal } = message;
    if (signal?.aborted === true) return Promise.reject(abortError());
    const outgoing = new Outgoing(this, message, this.#limits, this.#clock);
    if (signal !== undefined) {
      const abort = () => this.#abort(outgoing);
      signal.addEventListener('abort', abort, { once: true });
      const release = () => signal.removeEventListener('abort', abort);
      outgoing.done.promise.then(release, release);
    }
    this.#unsettled.add(outgoing);
    if (outgoing.chunker.isOneChunk) this.#small.push(outgoing);
    else this.#large.push(outgoing);
    this.#connection?.schedule(this);
    return outgoing.done.promise;
  }

  /** Sends one chunk of the message whose turn it is. */
  sendNext(): boolean {
    const connection = this.#connection;
    if (connection === undefined || this.#awaited >= this.#limits.maxPendingRequests) return false;
    for (;;) {
      const outgoing = this.#takeSmall() ?? this.#takeLarge();
      if (outgoing === undefined) return false;
      const chunk = outgoing.settled ? outgoing.chunker.abort() : outgoing.next();
      if (chunk === undefined) {
        outgoing.waiting = true;
        continue;
      }
      if (chunk.flag !== '#' || outgoing.aborted) this.#sendChunk(connection, outgoing, chunk);
      if (!outgoing.chunker.ended) this.#large.push(outgoing);
      return true;
    }
  }

  /** A message that has waited for its source or for answers may go on; called by itself. */
  receiveMore(outgoing: Outgoing): void {
    if (!outgoing.waiting) return;
    outgoing.waiting = false;
    this.#large.push(outgoing);
    this.#connection?.schedule(this);
  }

  /** Called by a message for each request that has to be answered. */
  requestSent(): void {
    this.#awaited++;
  }

  /** Called by a message for each answer, a late 408 included: there is room for another request. */
  requestAnswered(): void {
    this.#awaited--;
    this.#resume();
  }

  #resume(): void {
    if (this.#nextSmall < this.#small.length || this.#large.length > 0) this.#connection?.schedule(this);
  }

  /** A failure REPORT ends the message that it names (RFC 4975 §7.1.2). */
  receiveFailureReport(messageId: string, status: number): void {
    // Our own relay took its chunks, one behind it did not. 413 says more about the message than about them.
    if (status === 400 || status === 501) this.growth?.refuse();
    for (const outgoing of this.#unsettled.toArray()) {
      if (outgoing.messageId === messageId) outgoing.settle(status);
    }
  }

  /** Resolves when no message is on its way. */
  drained(): Promise<undefined> {
    if (this.#unsettled.size === 0) return Promise.resolve(undefined);
    this.#drained ??= Promise.withResolvers<undefined>();
    return this.#drained.promise;
  }

  /** The session is over: every message that was not answered fails, later ones as well. */
  end(error: MsrpSessionError): void {
    this.#ended ??= error;
    this.#connection = undefined;
    for (const outgoing of this.#unsettled.toArray()) {
      outgoing.giveUpTrial();
      outgoing.fail(error);
    }
    this.#small = [];
    this.#nextSmall = 0;
    this.#large.length = 0;
  }

  /**
   * Body bytes of a chunk of `maxBytes` at most. Over TLS a frame fills whole records: each record costs the peer a
   * decryption and a read of its own, however small.
   */
  fittingBytes(outgoing: Outgoing, maxBytes: number = this.#limits.sendChunkBytes): number {
    const { sendChunkBytes } = this.#limits;
    const isEncrypted = this.#connection?.security !== undefined;
    if (!isEncrypted || outgoing.chunker.isOneChunk || maxBytes < sendChunkBytes) return maxBytes;
    return sendChunkBytes - FRAME_BYTES - this.#paths.length - outgoing.headBytes;
  }

  /** A message has settled; called by itself. */
  forget(outgoing: Outgoing): void {
    this.#unsettled.remove(outgoing);
    if (this.#unsettled.size === 0) this.#drained?.resolve(undefined);
  }

  #abort(outgoing: Outgoing): void {
    if (outgoing.settled) return;
    outgoing.aborted = true;
    outgoing.fail(abortError());
    // Of a message in progress the queue still sends the abort.
    this.receiveMore(outgoing);
    this.#resume();
  }

  #takeSmall(): Outgoing | undefined {
    if (this.#credit <= 0 && this.#large.length > 0) return undefined;
    for (;;) {
      const outgoing = this.#small[this.#nextSmall];
      if (outgoing === undefined) {
        if (this.#nextSmall > 0) this.#small = [];
        this.#nextSmall = 0;
        return undefined;
      }
      this.#nextSmall++;
      if (this.#nextSmall > 1_024) {
        this.#small.splice(0, this.#nextSmall);
        this.#nextSmall = 0;
      }
      if (outgoing.settled) continue;
      if (this.#large.length > 0) this.#credit -= outgoing.size + 1;
      return outgoing;
    }
  }

  #takeLarge(): Outgoing | undefined {
    this.#credit = this.#limits.sendChunkBytes;
    for (;;) {
      const outgoing = this.#large.shift();
      if (outgoing === undefined) return this.#takeSmall();
      // Refused or aborted before its first chunk: nothing to say. Aborted halfway: one more frame says so.
      if (!outgoing.settled || (outgoing.chunker.started && outgoing.aborted)) return outgoing;
    }
  }

  /** With `partial` only failures come: as many requests as there is room for are remembered for them. */
  #isAnswerExpected({ failureReport }: Outgoing): boolean {
    if (failureReport !== 'partial') return failureReport === 'yes';
    return this.#transactions.size < 2 * this.#limits.maxPendingRequests;
  }

  #sendChunk(connection: MsrpConnection, outgoing: Outgoing, chunk: MsrpChunk): void {
    const id = createTransactionIdFor(chunk.body);
    const head = `MSRP ${id} SEND\r\n${this.#paths}${outgoing.headAfterPaths}${chunk.byteRange}${outgoing.headAfterRange}`;
    if (chunk.flag !== '#' && this.#isAnswerExpected(outgoing)) {
      this.#transactions.add(id, outgoing.receiverOf(chunk));
    }
    connection.sendFrame(head, chunk.body, `\r\n${formatEndLine(id, chunk.flag)}`);
    if (chunk.flag !== '#') outgoing.chunkSent(chunk.body.length);
  }
}

function abortError(): MsrpSessionError {
  return new MsrpSessionError('MSRP_ABORTED', 'sending was given up');
}
