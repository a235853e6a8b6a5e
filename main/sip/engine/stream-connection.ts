/**
 * Owns: one TCP connection: bytes in to messages, bytes out with a ceiling, keep-alive answers, timers.
 * Called by: transport.ts. Calls: stream-framing.ts and the sink that it was given.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/clock.ts';
import { SIP_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { SipMessage } from '../message.ts';
import { SipStreamFramer, type StreamFault } from './stream-framing.ts';

/** What a connection tells its owner. */
export interface StreamSink {
  receiveMessage(connection: StreamConnection, message: SipMessage, bytes: number): void;
  receiveFault(connection: StreamConnection, fault: StreamFault): void;
  closed(connection: StreamConnection): void;
  /** Sees each segment read or written. */
  tap(connection: StreamConnection, direction: 'in' | 'out', bytes: Buffer): void;
}

export interface StreamConnectionOptions {
  readonly socket: Socket;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** The listening port that peers use to reach this side. */
  readonly localPort: number;
  /** The local address; for an outgoing connection as the routing table says it. */
  readonly localAddress: string;
  readonly connecting: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly sink: StreamSink;
}

const KEEP_ALIVE_ANSWER = Buffer.from('\r\n');

/** A TCP connection in either direction. */
export class StreamConnection implements Disposable {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #sink: StreamSink;
  readonly #framer = new SipStreamFramer();
  readonly #closeListeners = new Set<() => void>();
  #connectTimer: Timer | undefined;
  #partialTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #lastActivityMs: number;
  #open = true;

  constructor(options: StreamConnectionOptions) {
    this.#socket = options.socket;
    this.remoteAddress = options.remoteAddress;
    this.remotePort = options.remotePort;
    this.localAddress = options.localAddress;
    this.localPort = options.localPort;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#sink = options.sink;
    this.#lastActivityMs = options.clock.now();
    if (options.connecting) {
      this.#connectTimer = options.clock.startTimer(SIP_LIMITS.connectTimeoutMs, () =>
        this.#fail('connect timeout'),
      );
    }
    this.#armIdle(SIP_LIMITS.idleConnectionMs);
    this.#socket.setNoDelay(true);
    this.#socket.on('connect', () => this.#connectTimer?.[Symbol.dispose]());
    this.#socket.on('data', (chunk) => this.#receiveBytes(chunk));
    this.#socket.on('error', (error) => this.#log.debug('sip.connection.error', { error }));
    this.#socket.on('close', () => this.#finish());
    // Half-open connections are of no use to SIP: when the peer ends, we end.
    this.#socket.on('end', () => this.#socket.end());
  }

  /** May messages be written? */
  get open(): boolean {
    return this.#open;
  }

  /** The port that the socket itself has; `localPort` is the one at which others reach us. */
  get socketPort(): number {
    return this.#socket.localPort ?? this.localPort;
  }

  /** Runs `listener` once when the connection is gone; returns the unsubscribe. */
  onClose(listener: () => void): () => void {
    if (!this.#open) {
      queueMicrotask(listener);
      return () => undefined;
    }
    this.#closeListeners.add(listener);
    return () => this.#closeListeners.delete(listener);
  }

  /** Writes bytes; a peer that does not read is cut off at the ceiling. */
  send(bytes: Buffer): void {
    if (!this.#open) return;
    this.#lastActivityMs = this.#clock.now();
    this.#sink.tap(this, 'out', bytes);
    this.#socket.write(bytes);
    if (this.#socket.writableLength > SIP_LIMITS.maxQueuedBytes) this.#fail('peer does not read');
  }

  /** Sends what is queued, then closes. */
  end(): void {
    this.#socket.end();
    // A peer that does not close its side is cut by the idle timer, which is short from now on.
    this.#armIdle(SIP_LIMITS.partialMessageMs);
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#finish();
  }

  #receiveBytes(chunk: Buffer): void {
    this.#lastActivityMs = this.#clock.now();
    this.#sink.tap(this, 'in', chunk);
    for (const item of this.#framer.push(chunk)) {
      if (item === 'keep-alive') this.send(KEEP_ALIVE_ANSWER);
      else this.#sink.receiveMessage(this, item.message, item.bytes);
      this.#partialTimer?.[Symbol.dispose]();
      this.#partialTimer = undefined;
    }
    const { fault } = this.#framer;
    if (fault !== undefined) {
      this.#partialTimer?.[Symbol.dispose]();
      this.#log.info('sip.connection.fault', { code: fault.error.code, remote: this.remoteAddress });
      this.#sink.receiveFault(this, fault);
      this.end();
    } else if (this.#framer.partial) {
      this.#partialTimer ??= this.#clock.startTimer(SIP_LIMITS.partialMessageMs, () =>
        this.#fail('partial message'),
      );
    }
  }

  #armIdle(delayMs: number): void {
    this.#idleTimer?.[Symbol.dispose]();
    if (!this.#open) return;
    this.#idleTimer = this.#clock.startTimer(delayMs, () => {
      const idleMs = this.#clock.now() - this.#lastActivityMs;
      if (this.#socket.writableEnded || idleMs >= SIP_LIMITS.idleConnectionMs) this.#fail('idle');
      else this.#armIdle(SIP_LIMITS.idleConnectionMs - idleMs);
    });
  }

  #fail(reason: string): void {
    this.#log.info('sip.connection.cut', { reason, remote: this.remoteAddress });
    this[Symbol.dispose]();
  }

  #finish(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const timer of [this.#connectTimer, this.#partialTimer, this.#idleTimer]) timer?.[Symbol.dispose]();
    this.#sink.closed(this);
    const listeners = [...this.#closeListeners];
    this.#closeListeners.clear();
    for (const listener of listeners) listener();
  }
}
