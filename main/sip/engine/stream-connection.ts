/**
 * Owns: one TCP or TLS connection: bytes in to messages, bytes out with a ceiling, keep-alive answers, timers.
 * Called by: transport.ts, connection-table.ts, keep-alive.ts. Calls: stream-framing.ts and the sink that it was given.
 */
import type { Socket } from 'node:net';
import { monotonicMs, type Clock, type Timer } from '../../base/clock.ts';
import { SIP_LIMITS, SIP_NETWORK_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { SipMessage } from '../message.ts';
import { SipStreamFramer, type StreamFault } from './stream-framing.ts';
import { tlsSentence } from './tls-identity.ts';
import { placeOf, socketSentence, Unreachable } from './unreachable.ts';

/** What a connection tells its owner. */
export interface StreamSink {
  receiveMessage(connection: StreamConnection, message: SipMessage, bytes: number): void;
  receiveFault(connection: StreamConnection, fault: StreamFault): void;
  closed(connection: StreamConnection): void;
  /** Sees each segment read or written, in plain text. */
  tap(connection: StreamConnection, direction: 'in' | 'out', bytes: Buffer): void;
}

/** How a socket becomes usable. */
export interface StreamOpening {
  /** `secureConnect` or `secure` for TLS, `connect` for TCP; `undefined`: it is usable. */
  readonly event: 'connect' | 'secureConnect' | 'secure' | undefined;
  /** Says in one sentence what is wrong with the peer; `undefined` when nothing is. */
  readonly check?: () => string | undefined;
}

export interface StreamConnectionOptions {
  readonly socket: Socket;
  readonly transport: 'tcp' | 'tls';
  /** Did we open it? */
  readonly outgoing: boolean;
  readonly opening: StreamOpening;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** For outgoing TLS the domain that the peer has proved; `''` otherwise. */
  readonly domain: string;
  /** The port at which others reach this side; `undefined`: the socket's own (TLS without a listener). */
  readonly localPort: number | undefined;
  /** The local address as the routing table says it; `undefined`: as the socket says it when it is connected. */
  readonly localAddress: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly sink: StreamSink;
}

const KEEP_ALIVE = Buffer.from('\r\n\r\n');
const KEEP_ALIVE_ANSWER = Buffer.from('\r\n');

/** A connection in either direction. What is sent before it is usable waits, unseen by a peer that is not checked. */
export class StreamConnection implements Disposable {
  readonly transport: 'tcp' | 'tls';
  readonly outgoing: boolean;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly domain: string;
  readonly #localAddress: string | undefined;
  readonly #localPort: number | undefined;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sink: StreamSink;
  readonly #framer = new SipStreamFramer();
  readonly #closeListeners = new Set<() => void>();
  readonly #ready: Promise<void>;
  #settleReady: { done: () => void; fail: (error: Unreachable) => void } | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #openingTimer: Timer | undefined;
  #partialTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #stallTimer: Timer | undefined;
  #answerTimer: Timer | undefined;
  #lastActivityMs: number;
  /** `answering`: nothing more is read, but what was asked before is still answered. `ending`: not even that. */
  #state: 'opening' | 'open' | 'answering' | 'ending' | 'ended' = 'opening';
  /** Requests of the peer that have no final response yet. */
  #unanswered = 0;
  /** What to do about the last answers when the peer turns out to be gone altogether. */
  #lost: (() => void)[] = [];
  #closeReason: string | undefined;
  #received = 0;
  #ponged = false;

  constructor(options: StreamConnectionOptions) {
    this.#socket = options.socket;
    this.transport = options.transport;
    this.outgoing = options.outgoing;
    this.remoteAddress = options.remoteAddress;
    this.remotePort = options.remotePort;
    this.domain = options.domain;
    this.#localAddress = options.localAddress;
    this.#localPort = options.localPort;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#sink = options.sink;
    this.#lastActivityMs = monotonicMs(options.clock);
    this.#ready = new Promise((done, fail) => {
      this.#settleReady = { done, fail };
    });
    // Nobody has to wait for it.
    this.#ready.catch(() => undefined);
    this.#armIdle(SIP_LIMITS.idleConnectionMs);
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.#receiveError(error));
    this.#socket.on('close', () => this.#finish());
    this.#socket.on('drain', () => this.#settleStall());
    this.#socket.on('end', () => {
      this.#closeReason ??= `${this.place} closed the connection`;
      if (this.#socket.allowHalfOpen) this.#endWhenAnswered(SIP_LIMITS.transactionTimeoutMs);
      else this.#socket.end();
    });
    this.#open(options.opening);
  }

  /** Is it alive in both directions? Messages may be written, also before it is usable. */
  get open(): boolean {
    return this.#state === 'opening' || this.#state === 'open';
  }

  /** May a response to what came here still be written? Also when the peer has ended its side. */
  get writable(): boolean {
    return this.open || this.#state === 'answering';
  }

  /** Is it connected, and its peer checked? */
  get usable(): boolean {
    return this.#state === 'open';
  }

  /** `address:port` of the peer. */
  get place(): string {
    return placeOf(this.remoteAddress, this.remotePort);
  }

  /** Where others reach us: see {@link StreamConnectionOptions}. */
  get localPort(): number {
    return this.#localPort ?? this.socketPort;
  }

  /** The address that others see, as far as it is known. */
  get localAddress(): string {
    return this.#localAddress ?? this.#socket.localAddress ?? '';
  }

  /** The port that the socket itself has. */
  get socketPort(): number {
    return this.#socket.localPort ?? this.#localPort ?? 0;
  }

  /** The address that the socket itself has; `undefined` before it is connected. */
  get socketAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  /** Why it ended, as one plain sentence. */
  get closeReason(): string {
    return this.#closeReason ?? `connection to ${this.place} lost`;
  }

  /** Bytes that have come so far: a sign of life. */
  get received(): number {
    return this.#received;
  }

  /** Has the peer ever answered a keep-alive of ours (RFC 5626 §4.4.1)? */
  get ponged(): boolean {
    return this.#ponged;
  }

  /** Resolves when it is usable; rejects with {@link Unreachable} when it never will be. */
  async whenUsable(): Promise<this> {
    await this.#ready;
    return this;
  }

  /** Runs `listener` once when nothing more will come on the connection; returns the unsubscribe. */
  onClose(listener: () => void): () => void {
    if (!this.open) {
      queueMicrotask(listener);
      return () => undefined;
    }
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /**
   * Writes bytes; a peer that does not read is cut off at the ceiling. `lost` is called, perhaps, when they are an
   * answer to a peer that had ended its side: it is only then seen whether it has ended the other side as well.
   */
  send(bytes: Buffer, lost?: () => void): void {
    if (!this.writable) return;
    if (this.#state === 'answering' && lost !== undefined) this.#lost.push(lost);
    this.#lastActivityMs = monotonicMs(this.#clock);
    if (this.#state === 'opening') {
      this.#waiting.push(bytes);
      this.#waitingBytes += bytes.length;
    } else this.#write(bytes);
    if (this.#waitingBytes + this.#socket.writableLength > SIP_LIMITS.maxQueuedBytes) {
      this.cut(`${this.place} does not read`);
    } else if (this.#unanswered > 0 && isFinalResponse(bytes)) {
      this.#unanswered -= 1;
      if (this.#state === 'answering' && this.#unanswered === 0) this.#endWhenTaken();
    }
  }

  /** CRLFCRLF; its CRLF makes {@link ponged} true (RFC 5626 §4.4.1). */
  sendKeepAlive(): void {
    if (!this.usable) return;
    this.#lastActivityMs = monotonicMs(this.#clock);
    this.#framer.expectPong();
    this.#write(KEEP_ALIVE);
  }

  /** Sends what is queued, then closes. */
  end(): void {
    if (this.#state === 'ended' || this.#state === 'ending') return;
    this.#state = 'ending';
    this.#lost = [];
    this.#answerTimer?.[Symbol.dispose]();
    this.#tellClosed();
    this.#socket.end();
    // A peer that does not close its side is cut by the idle timer, which is short from now on.
    this.#armIdle(SIP_LIMITS.partialMessageMs);
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  /** Closes at once; `reason` is a sentence. */
  cut(reason: string): void {
    this.#closeReason ??= reason;
    this.#log.info('sip.connection.cut', { reason, remote: this.remoteAddress });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#finish();
  }

  #open(opening: StreamOpening): void {
    const secure = this.transport === 'tls';
    const slow = secure
      ? `${this.place} did not finish the TLS handshake in time`
      : `no answer from ${this.place}`;
    const arm = (delayMs: number, reason: string): void => {
      this.#openingTimer?.[Symbol.dispose]();
      this.#openingTimer = this.#clock.startTimer(delayMs, () => this.cut(reason));
    };
    if (opening.event === undefined) {
      this.#becomeUsable(opening);
      return;
    }
    if (this.outgoing) {
      arm(SIP_LIMITS.connectTimeoutMs, `no answer from ${this.place}`);
      if (secure) this.#socket.once('connect', () => arm(SIP_NETWORK_LIMITS.tlsHandshakeMs, slow));
    } else arm(SIP_NETWORK_LIMITS.tlsHandshakeMs, slow);
    this.#socket.once(opening.event, () => this.#becomeUsable(opening));
  }

  #becomeUsable(opening: StreamOpening): void {
    if (this.#state !== 'opening') return;
    const fault = opening.check?.();
    if (fault !== undefined) {
      this.cut(fault);
      return;
    }
    this.#openingTimer?.[Symbol.dispose]();
    this.#state = 'open';
    this.#socket.on('data', (chunk) => this.#receiveBytes(chunk));
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const bytes of waiting) this.#write(bytes);
    this.#settleReady?.done();
  }

  #write(bytes: Buffer): void {
    this.#sink.tap(this, 'out', bytes);
    if (!this.#socket.write(bytes) && this.#stallTimer === undefined) this.#watchStall();
  }

  /** Bytes wait: the peer has to take some of them in each period. */
  #watchStall(): void {
    const taken = (): number => this.#socket.bytesWritten - this.#socket.writableLength;
    const before = taken();
    this.#stallTimer = this.#clock.startTimer(SIP_LIMITS.stalledPeerMs, () => {
      if (taken() === before) this.cut(`${this.place} does not read`);
      else this.#watchStall();
    });
  }

  #settleStall(): void {
    this.#stallTimer?.[Symbol.dispose]();
    this.#stallTimer = undefined;
  }

  /**
   * Nothing more is taken from the peer. It has what it asked before answered (RFC 3261 §18.2.2: on the connection on
   * which the request came), and no longer than `forMs`.
   */
  #endWhenAnswered(forMs: number): void {
    if (this.#state === 'answering') return;
    if (this.#state !== 'open' || this.#unanswered === 0) {
      this.end();
      return;
    }
    this.#state = 'answering';
    this.#answerTimer = this.#clock.startTimer(forMs, () => this.end());
    this.#tellClosed();
  }

  /** A peer that is gone answers our bytes with a reset: a line end after T1 shows it. */
  #endWhenTaken(): void {
    this.#answerTimer?.[Symbol.dispose]();
    this.#answerTimer = this.#clock.startTimer(SIP_LIMITS.t1Ms, () => {
      this.#socket.write(KEEP_ALIVE_ANSWER, (error) => {
        if (error === null || error === undefined) this.end();
      });
    });
  }

  #receiveError(error: Error): void {
    for (const lost of this.#lost.splice(0)) lost();
    this.#log.debug('sip.connection.error', { error });
    this.#closeReason ??=
      this.transport === 'tls' ? tlsSentence(error, this.place) : socketSentence(error, this.place);
  }

  #receiveBytes(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#lastActivityMs = monotonicMs(this.#clock);
    this.#received += chunk.length;
    this.#sink.tap(this, 'in', chunk);
    for (const item of this.#framer.push(chunk)) {
      if (item === 'keep-alive') this.send(KEEP_ALIVE_ANSWER);
      else if (item === 'pong') this.#ponged = true;
      else if ('fault' in item) this.#receiveFault(item.fault);
      else {
        if (item.message.kind === 'request' && item.message.method !== 'ACK') this.#unanswered += 1;
        this.#sink.receiveMessage(this, item.message, item.bytes);
      }
      this.#partialTimer?.[Symbol.dispose]();
      this.#partialTimer = undefined;
    }
    const { fault } = this.#framer;
    if (fault !== undefined) {
      this.#partialTimer?.[Symbol.dispose]();
      this.#closeReason ??= `${this.place} sent what is not SIP`;
      this.#receiveFault(fault);
      this.#endWhenAnswered(SIP_LIMITS.partialMessageMs);
    } else if (this.#framer.partial) {
      this.#partialTimer ??= this.#clock.startTimer(SIP_LIMITS.partialMessageMs, () =>
        this.cut(`${this.place} began a message and did not end it`),
      );
    }
  }

  #receiveFault(fault: StreamFault): void {
    this.#log.info('sip.connection.fault', { code: fault.error.code, remote: this.remoteAddress });
    // Its own answer is not one of those that are waited for.
    const unanswered = this.#unanswered;
    this.#sink.receiveFault(this, fault);
    this.#unanswered = unanswered;
  }

  #armIdle(delayMs: number): void {
    this.#idleTimer?.[Symbol.dispose]();
    if (this.#state === 'ended') return;
    this.#idleTimer = this.#clock.startTimer(delayMs, () => {
      const idleMs = monotonicMs(this.#clock) - this.#lastActivityMs;
      if (this.#socket.writableEnded || idleMs >= SIP_LIMITS.idleConnectionMs)
        this.cut(`nothing was said to ${this.place} for long`);
      else this.#armIdle(SIP_LIMITS.idleConnectionMs - idleMs);
    });
  }

  #finish(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    const timers = [this.#openingTimer, this.#partialTimer, this.#idleTimer, this.#answerTimer];
    for (const timer of timers) timer?.[Symbol.dispose]();
    this.#settleStall();
    this.#waiting = [];
    this.#settleReady?.fail(new Unreachable('connection', this.closeReason));
    this.#sink.closed(this);
    this.#tellClosed();
  }

  #tellClosed(): void {
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    for (const listener of listeners) listener();
  }
}

const FINAL_RESPONSE = /^SIP\/2\.0 [2-6]/;

function isFinalResponse(bytes: Buffer): boolean {
  return FINAL_RESPONSE.test(bytes.toString('latin1', 0, 9));
}
