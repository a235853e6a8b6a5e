/**
 * Owns: one direction of one session through the relay: what waits for its reader, responses, failure reports.
 * Called by: relay-link.ts with each request. Calls: relay-chunk.ts, the connection of the next hop.
 * Sources: RFC 4976 §6.3, RFC 4975 §7.
 */
import type { RelayLimits } from '../base/limits.ts';
import type { Timer } from '../base/clock.ts';
import type { MsrpSendLane } from '../msrp/connection.ts';
import { formatEndLine, statusComment, type MsrpHead } from '../msrp/message.ts';
import { sendResponse } from '../msrp/reports.ts';
import { createTransactionId, createTransactionIdFor } from '../msrp/transactions.ts';
import { CHUNK_OVERHEAD_BYTES, RelayChunk, type RelayPiece } from './relay-chunk.ts';
import type { RelayHost, RelayLink } from './relay-link.ts';
import type { RelayPlace } from './relay-place.ts';

/** Where a way leads. */
export interface RelayRoute {
  /** The places on the way; the first is the one that the request named. */
  readonly places: readonly RelayPlace[];
  /** What the next hop is asked: without us. */
  readonly toPath: string;
  /** Our URIs in front of those that it came by. */
  readonly fromPath: string;
}

const EMPTY: Buffer = Buffer.alloc(0);
/** Body bytes of a piece of a chunk: others have their turn behind it. */
const PIECE_BYTES = 64 * 1024;

/** One direction of one session: a queue with a ceiling in front of the connection of the next hop. */
export class RelayStream implements MsrpSendLane {
  readonly source: RelayLink;
  /** By which its source knows it. */
  readonly key: string;
  readonly #host: RelayHost;
  readonly #limits: RelayLimits;
  readonly #route: RelayRoute;
  readonly #paths: string;
  /** Where failure reports go. */
  readonly #reportPath: string;
  #target: RelayLink | undefined;
  #queue: RelayChunk[] = [];
  #next = 0;
  #queuedBytes = 0;
  #awaited = 0;
  #held: Timer | undefined;
  #flush: Timer | undefined;
  #hurry = false;
  readonly #failed = new Map<string, number>();
  #endedWith: number | undefined;
  #usedUs: number;

  constructor(host: RelayHost, source: RelayLink, key: string, route: RelayRoute, head: MsrpHead) {
    this.#host = host;
    this.#limits = host.limits;
    this.source = source;
    this.key = key;
    this.#route = route;
    this.#paths = `To-Path: ${route.toPath}\r\nFrom-Path: ${route.fromPath}\r\n`;
    this.#reportPath = head.fromPath ?? '';
    this.#usedUs = host.clock.monotonicUs();
    for (const place of route.places) place.streams.add(this);
  }

  /** The status with which everything is answered from now on; undefined while it is open. */
  get endedWith(): number | undefined {
    return this.#endedWith;
  }

  /** Whether something was sent this way lately. */
  isUsedSince(us: number): boolean {
    return this.#usedUs >= us || this.#queuedBytes > 0 || this.#awaited > 0;
  }

  /** The next hop is there. */
  connect(target: RelayLink): void {
    if (this.#endedWith !== undefined) return;
    this.#target = target;
    target.arriving.add(this);
    target.connection.schedule(this);
  }

  /** A request begins. Throws ProtocolError. */
  receiveRequest(head: MsrpHead): RelayChunk {
    this.#usedUs = this.#host.clock.monotonicUs();
    const chunk = new RelayChunk(this, head);
    const failed = head.method === 'SEND' ? this.#failed.get(head.messageId ?? '') : undefined;
    if (failed !== undefined) this.#refuse(chunk, failed);
    else {
      this.#queue.push(chunk);
      this.#count(CHUNK_OVERHEAD_BYTES);
    }
    return chunk;
  }

  receiveBytes(chunk: RelayChunk, bytes: number): void {
    this.#count(bytes);
    if (chunk === this.#queue[this.#next]) this.#offer(chunk);
    if (this.#queuedBytes > this.#ceiling()) this.#receiveFull(chunk);
  }

  receiveEnd(chunk: RelayChunk): void {
    if (chunk === this.#queue[this.#next]) this.#target?.connection.schedule(this);
    if (!chunk.refused && this.#queuedBytes > this.#ceiling()) this.#receiveFull(chunk);
  }

  /** Sends one piece to the next hop. */
  sendNext(): boolean {
    const chunk = this.#queue[this.#next];
    const target = this.#target;
    if (chunk === undefined || target === undefined || this.#awaited >= this.#limits.maxAwaited) return false;
    if (chunk.refused) {
      this.#shift();
      return true;
    }
    const { maxFixedChunkBytes } = this.#limits;
    if (!chunk.isReady(PIECE_BYTES, maxFixedChunkBytes, this.#hurry)) {
      this.#flushLater();
      return false;
    }
    const piece = chunk.take(PIECE_BYTES, maxFixedChunkBytes);
    this.#hurry = false;
    this.#sendPiece(target, chunk, piece);
    this.#count(-piece.size);
    if (chunk.ended && chunk.bytes === 0) {
      this.#shift();
      this.#receiveSent(chunk, piece);
    }
    if (this.#held !== undefined && this.#queuedBytes <= this.#ceiling() / 2) this.#release();
    return true;
  }

  /** Ends this way: whatever waits is answered with `status`, and so is what still comes. */
  end(status: number): void {
    if (this.#endedWith !== undefined) return;
    this.#endedWith = status;
    this.#flush?.[Symbol.dispose]();
    for (const chunk of this.#queue.slice(this.#next)) this.#refuse(chunk, status);
    this.#queue = [];
    this.#next = 0;
    this.#count(-this.#queuedBytes);
    this.#release();
    for (const place of this.#route.places) place.streams.delete(this);
    this.source.forget(this);
    this.#target?.arriving.delete(this);
  }

  /** A reader that is slow holds up whoever writes to it, if nobody else is behind that writer; else it is told so. */
  #receiveFull(chunk: RelayChunk): void {
    if (this.#held === undefined && this.source.isAloneOn(this)) {
      this.source.connection.pause(this);
      this.#held = this.#host.clock.startTimer(this.#limits.heldMs, () => {
        // Others may have come behind what is not read.
        if (this.#queuedBytes > this.#ceiling()) this.#refuseNewest();
        this.#release();
      });
      return;
    }
    if (this.#held === undefined) this.#fail(chunk, 408);
  }

  #refuseNewest(): void {
    const chunk = this.#queue.at(-1);
    if (chunk !== undefined && this.#next < this.#queue.length && !chunk.refused) this.#fail(chunk, 408);
  }

  #release(): void {
    this.#held?.[Symbol.dispose]();
    this.#held = undefined;
    this.source.connection.resume(this);
  }

  #ceiling(): number {
    const { maxQueuedBytes, minQueuedBytes, maxTotalQueuedBytes } = this.#limits;
    return this.#host.queuedBytes > maxTotalQueuedBytes ? minQueuedBytes : maxQueuedBytes;
  }

  #count(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#host.queuedBytes += bytes;
  }

  #shift(): void {
    this.#count(-CHUNK_OVERHEAD_BYTES);
    this.#next++;
    if (this.#next === this.#queue.length) {
      this.#queue = [];
      this.#next = 0;
    } else if (this.#next >= 256) {
      this.#queue.splice(0, this.#next);
      this.#next = 0;
    }
  }

  #offer(chunk: RelayChunk): void {
    if (chunk.isReady(PIECE_BYTES, this.#limits.maxFixedChunkBytes, false)) {
      this.#target?.connection.schedule(this);
    } else this.#flushLater();
  }

  /** What has come of a chunk does not wait for a sender that pauses. */
  #flushLater(): void {
    if (this.#flush?.active === true) return;
    this.#flush = this.#host.clock.startTimer(this.#limits.flushMs, () => {
      this.#hurry = true;
      this.#target?.connection.schedule(this);
    });
  }

  #sendPiece(target: RelayLink, chunk: RelayChunk, piece: RelayPiece): void {
    const { head } = chunk;
    const [only] = piece.bodies;
    const id = piece.bodies.length < 2 ? createTransactionIdFor(only ?? EMPTY) : idFor(piece.bodies);
    const start = `MSRP ${id} ${head.method}\r\n${this.#paths}${headersOf(head, piece.byteRange)}`;
    const end = formatEndLine(id, piece.flag);
    const { connection } = target;
    if (!head.hasBody) connection.sendFrame(`${start}${end}`);
    else if (piece.bodies.length < 2) connection.sendFrame(`${start}\r\n`, only, `\r\n${end}`);
    else {
      connection.sendFrame(`${start}\r\n`);
      for (const body of piece.bodies) connection.sendFrame('', body);
      connection.sendFrame('', undefined, `\r\n${end}`);
    }
    this.#host.stats.relayBytes += piece.size;
    if (head.method === 'REPORT' || chunk.failureReport === 'no') return;
    const isAnswerDue = chunk.isAwaited || chunk.failureReport === 'yes';
    // With `partial` only failures come: as many requests as there is room for are remembered for them.
    if (!isAnswerDue && target.transactions.size >= this.#limits.maxAwaited) return;
    if (isAnswerDue) this.#awaited++;
    target.transactions.add(id, {
      receiveStatus: (status) => {
        if (isAnswerDue) this.#awaited--;
        this.#receiveStatus(chunk, piece, status);
        this.#target?.connection.schedule(this);
      },
    });
  }

  /** All of it is with the next hop, as far as we can tell (RFC 4976 §6.3.1). */
  #receiveSent(chunk: RelayChunk, piece: RelayPiece): void {
    if (chunk.head.method === 'SEND' && chunk.head.hasBody && piece.flag === '$') this.#host.stats.messages++;
    if (!chunk.isAwaited) sendResponse(this.source.connection, chunk.head, 200, piece.flag === '+');
  }

  /** The next hop has answered, or has not in time (408). */
  #receiveStatus(chunk: RelayChunk, piece: RelayPiece, status: number): void {
    if (chunk.isAwaited) {
      if (!chunk.refused) sendResponse(this.source.connection, chunk.head, status);
      chunk.refused = true;
      return;
    }
    // With `partial` silence is success.
    if (status === 200 || (status === 408 && chunk.failureReport === 'partial')) return;
    this.#fail(chunk, status, piece);
  }

  /** A message has failed: its chunk is answered if it was not, or its sender gets a report, once. */
  #fail(chunk: RelayChunk, status: number, piece?: RelayPiece): void {
    const { messageId = '' } = chunk.head;
    if (this.#failed.has(messageId)) return;
    this.#failed.set(messageId, status);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > this.#limits.maxFailedMessages && oldest !== undefined)
      this.#failed.delete(oldest);
    let answered = false;
    for (const queued of this.#queue.slice(this.#next)) {
      if (queued.head.messageId !== messageId || queued.refused) continue;
      this.#refuse(queued, status);
      answered = true;
    }
    if (!answered) this.#sendReport(chunk.head, piece?.byteRange ?? chunk.head.byteRange, status);
  }

  #refuse(chunk: RelayChunk, status: number): void {
    if (chunk.refused) return;
    chunk.refused = true;
    this.#count(-chunk.drop());
    this.#host.stats.refused++;
    sendResponse(this.source.connection, chunk.head, status);
  }

  /** RFC 4975 §7.1.2: to whom the message came from, from us. */
  #sendReport(head: MsrpHead, byteRange: string | undefined, status: number): void {
    const [place] = this.#route.places;
    if (head.messageId === undefined || place === undefined) return;
    const id = createTransactionId();
    const range = byteRange === undefined ? '' : `Byte-Range: ${byteRange}\r\n`;
    this.#host.stats.failureReports++;
    this.source.connection.sendFrame(
      `MSRP ${id} REPORT\r\nTo-Path: ${this.#reportPath}\r\nFrom-Path: ${place.uri.text}\r\nMessage-ID: ${head.messageId}\r\n${range}Status: 000 ${status} ${statusComment(status)}\r\n${formatEndLine(id, '$')}`,
    );
  }
}

/** The header lines behind the paths, as they came. */
function headersOf(head: MsrpHead, byteRange: string | undefined): string {
  let text = '';
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined) text += `${name}: ${value}\r\n`;
  };
  add('Message-ID', head.messageId);
  add('Success-Report', head.successReport);
  add('Failure-Report', head.failureReport);
  add('Byte-Range', byteRange);
  add('Status', head.reportStatus);
  for (const { name, value } of head.others) add(name, asLatin1(value));
  add('Content-Type', head.contentType);
  return text;
}

/** Heads are written as Latin-1: text of others goes out in the bytes that it came in. */
function asLatin1(value: string): string {
  return /^[\x00-\x7f]*$/.test(value) ? value : Buffer.from(value, 'utf8').toString('latin1');
}

function idFor(bodies: readonly Buffer[]): string {
  for (;;) {
    const id = createTransactionId();
    if (!bodies.some((body) => body.includes(`-------${id}`, 0, 'latin1'))) return id;
  }
}
