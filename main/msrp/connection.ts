/**
 * Owns: one MSRP socket: bytes in, frames out, backpressure both ways, the timers of a silent or stalled peer.
 * Called by: endpoint.ts and session.ts. Calls: parser.ts, output.ts, then its owner with each frame.
 */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { MsrpLimits } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import type { WireTap } from '../base/wire-tap.ts';
import type { MsrpFlag, MsrpHead } from './message.ts';
import { MsrpOutput } from './output.ts';
import { MsrpParser, type MsrpParserEvent } from './parser.ts';
import type { MsrpReads } from './reads.ts';
import type { MsrpEndReason } from './session-error.ts';

/**
 * Takes the rest of a frame after its head. Body pieces are views; they stay valid when the connection was accepted, and
 * else until the call returns.
 */
export interface MsrpFrameSink {
  receiveBody(bytes: Buffer): void;
  receiveEnd(flag: MsrpFlag): void;
}

/** Where the frames of a connection go. A ProtocolError thrown here closes the connection. */
export interface MsrpFrameReceiver {
  /** `undefined` means: not now. The connection keeps the frame and stops reading until `release`. */
  receiveHead(connection: MsrpConnection, head: MsrpHead): MsrpFrameSink | undefined;
  /** The peer broke the framing. `head` is that of the frame at hand, if one had begun. The connection then closes. */
  receiveFault(connection: MsrpConnection, error: ProtocolError, head: MsrpHead | undefined): void;
  /** Something of ours failed while a frame was processed; the connection then closes. */
  receiveBug(connection: MsrpConnection, error: unknown): void;
}

/** A session, or a visitor that may become one, that lives on a connection. */
export interface MsrpConnectionUser {
  /** Returns whether the response belonged to this user. */
  receiveResponse(head: MsrpHead): boolean;
  /** The peer sends nothing more (FIN, loss, fault). Called once. */
  receiveConnectionEnd(reason: MsrpEndReason): void;
}

/** Has chunks to send. */
export interface MsrpSendLane {
  /** Sends one chunk, or returns false when there is nothing to send now. */
  sendNext(): boolean;
}

/** What a connection needs besides its socket. */
export interface MsrpConnectionOptions {
  readonly receiver: MsrpFrameReceiver;
  readonly clock: Clock;
  readonly limits: MsrpLimits;
  readonly tap: WireTap | undefined;
  /** Accepted rather than opened by us: then a first frame is due. */
  readonly inbound: boolean;
  /** Over TLS: the certificate that the other side has shown, as DER. */
  readonly security?: MsrpConnectionSecurity | undefined;
  /** Where the socket reads to, if we have told it. */
  readonly reads?: MsrpReads | undefined;
}

/** What TLS has shown of the other side. */
export interface MsrpConnectionSecurity {
  readonly certificate: Buffer | undefined;
}

/** One open MSRP connection (RFC 4975 §5.4). The socket is its own from construction on; it must be connected. */
export class MsrpConnection implements AsyncDisposable {
  readonly local: string;
  readonly remote: string;
  readonly remoteAddress: string;
  /** Undefined: not encrypted. */
  readonly security: MsrpConnectionSecurity | undefined;
  /** Sessions and visitors on this connection. */
  readonly users = new Set<MsrpConnectionUser>();
  readonly #socket: Socket;
  readonly #options: MsrpConnectionOptions;
  readonly #parser: MsrpParser;
  readonly #output: MsrpOutput;
  readonly #lanes = new Set<MsrpSendLane>();
  readonly #pausedBy = new Set<object>();
  readonly #closed = Promise.withResolvers<undefined>();

  /** Events that wait because the connection is paused. */
  #events: MsrpParserEvent[] = [];
  #nextEvent = 0;
  #dispatching = false;
  #pumping = false;
  #held = false;
  #head: MsrpHead | undefined;
  #sink: MsrpFrameSink | undefined;
  #finReceived = false;
  #ended: MsrpEndReason | undefined;

  #firstFrameTimer: Timer | undefined;
  #frameTimer: Timer | undefined;
  #frames = 0;
  #bytesRead = 0;
  #stalledTimer: Timer | undefined;

  constructor(socket: Socket, options: MsrpConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#parser = new MsrpParser(options.limits);
    this.security = options.security;
    this.remoteAddress = socket.remoteAddress ?? '';
    this.local = `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
    this.remote = `${this.remoteAddress}:${socket.remotePort ?? 0}`;
    this.#output = new MsrpOutput(
      socket,
      (bytes) => this.#record('out', bytes),
      () => this.#watchOutput(),
    );
    socket.setNoDelay(true);
    socket.on('drain', () => this.#receiveDrain());
    socket.on('end', () => this.#receiveFin());
    socket.on('error', (error) => this.#end('MSRP_CONNECTION_LOST', error.message));
    socket.on('close', () => this.#receiveClose());
    if (options.reads === undefined) socket.on('data', (bytes: Buffer) => this.receiveBytes(bytes));
    else {
      options.reads.attach((bytes) => this.receiveBytes(bytes));
      // It flows for its end only.
      socket.resume();
    }
    if (options.inbound) {
      this.#firstFrameTimer = options.clock.startTimer(options.limits.firstFrameMs, () => {
        this.#end('MSRP_FRAME_TIMEOUT', 'no frame that names a session');
        this.destroy();
      });
    }
  }

  /** Whether frames may still be sent. */
  get writable(): boolean {
    return this.#socket.writable;
  }

  /** Whether a further session may live here: both directions are open, and neither is held up. */
  get shareable(): boolean {
    return (
      this.writable &&
      this.#ended === undefined &&
      !this.#finReceived &&
      this.#pausedBy.size === 0 &&
      !this.#held &&
      this.#socket.writableLength < this.#options.limits.socketHighWaterBytes
    );
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<undefined> {
    return this.#closed.promise;
  }

  /** The first frame named a session: the connection may stay. */
  confirm(): void {
    this.#firstFrameTimer?.[Symbol.dispose]();
    this.#firstFrameTimer = undefined;
  }

  /** Bytes from the socket (step 1 of the way of a SEND). */
  receiveBytes(bytes: Buffer): void {
    this.#record('in', bytes);
    this.#bytesRead += bytes.length;
    this.#output.receiveRead();
    if (this.#ended !== undefined) return;
    const events = this.#parser.push(bytes);
    if (this.#nextEvent < this.#events.length) {
      for (const event of events) this.#events.push(event);
    } else {
      this.#events = events;
      this.#nextEvent = 0;
    }
    this.#dispatch();
    if (this.#options.reads !== undefined && this.#nextEvent < this.#events.length) this.#keepEvents();
    if (this.#parser.midFrame) this.#watchFrame();
  }

  /** Writes one frame or response at once (`patient`: soon); not subject to the lanes. `head` and `tail` are ASCII. */
  sendFrame(head: string, body?: Buffer, tail?: string, patient = false): void {
    if (!this.#socket.writable) return;
    this.#output.append(head, body, tail, patient);
  }

  /** A lane has something to send. */
  schedule(lane: MsrpSendLane): void {
    this.#lanes.add(lane);
    this.#pump();
  }

  /** Stops reading until `resume` with the same owner. */
  pause(owner: object): void {
    this.#pausedBy.add(owner);
    this.#socket.pause();
  }

  /** Goes on reading when nobody else holds the connection. */
  resume(owner: object): void {
    if (!this.#pausedBy.delete(owner) || this.#pausedBy.size > 0) return;
    this.#dispatch();
    if (this.#pausedBy.size === 0 && !this.#held) this.#socket.resume();
  }

  /** Lets frames through that `receiveHead` did not want before. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#pausedBy.add(this);
    this.resume(this);
  }

  /** Removes a user; the last one takes the connection with it. */
  leave(user: MsrpConnectionUser): void {
    if (!this.users.delete(user)) return;
    if (this.users.size === 0) void this.close();
  }

  /** Sends what is queued, then FIN, then waits briefly for the peer's. */
  async close(): Promise<void> {
    this.#output.flush();
    this.#socket.end();
    this.#held = false;
    this.#pausedBy.clear();
    this.#socket.resume();
    using _timer = this.#options.clock.startTimer(this.#options.limits.finWaitMs, () => this.destroy());
    await this.#closed.promise;
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    await this.#closed.promise;
  }

  #dispatch(): void {
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      while (
        this.#nextEvent < this.#events.length &&
        this.#pausedBy.size === 0 &&
        this.#ended === undefined
      ) {
        const event = this.#events[this.#nextEvent];
        if (event === undefined || !this.#receiveEvent(event)) break;
        this.#nextEvent++;
      }
    } catch (error) {
      this.#receiveThrown(error);
    } finally {
      this.#dispatching = false;
    }
    if (this.#nextEvent >= this.#events.length && this.#finReceived) this.#finish();
  }

  /** What waits is copied out of the block that the next read goes into. */
  #keepEvents(): void {
    this.#events = this.#events
      .slice(this.#nextEvent)
      .map((event) => (event.kind === 'body' ? { kind: 'body', bytes: Buffer.from(event.bytes) } : event));
    this.#nextEvent = 0;
  }

  #receiveEvent(event: MsrpParserEvent): boolean {
    switch (event.kind) {
      case 'head':
        this.#sink = this.#options.receiver.receiveHead(this, event.head);
        if (this.#sink === undefined) {
          this.#held = true;
          this.#socket.pause();
          return false;
        }
        this.#head = event.head;
        return true;
      case 'body':
        this.#sink?.receiveBody(event.bytes);
        return true;
      case 'end':
        this.#frames++;
        this.#head = undefined;
        this.#sink?.receiveEnd(event.flag);
        return true;
      case 'error':
        throw event.error;
    }
  }

  #receiveThrown(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.#options.receiver.receiveFault(this, error, this.#head);
      this.#end(error.code as MsrpEndReason['code'], error.message);
    } else {
      this.#options.receiver.receiveBug(this, error);
      this.#end('MSRP_CONNECTION_LOST', 'internal error');
    }
    void this.close();
  }

  #receiveFin(): void {
    this.#finReceived = true;
    if (this.#nextEvent >= this.#events.length) this.#finish();
  }

  #finish(): void {
    if (this.#parser.midFrame) this.#end('MSRP_CONNECTION_LOST', 'the connection ended within a frame');
    else this.#end('MSRP_CLOSED_BY_PEER', 'the peer closed the connection');
    if (this.users.size === 0) this.#socket.end();
  }

  #receiveClose(): void {
    this.#end('MSRP_CONNECTION_LOST', 'the connection was lost');
    this.confirm();
    this.#frameTimer?.[Symbol.dispose]();
    this.#stalledTimer?.[Symbol.dispose]();
    this.#events = [];
    this.#nextEvent = 0;
    this.#closed.resolve(undefined);
  }

  #end(code: MsrpEndReason['code'], message: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = { code, message };
    this.#lanes.clear();
    for (const user of [...this.users]) user.receiveConnectionEnd(this.#ended);
  }

  /** Lets each lane send a chunk in turn while the socket takes it. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      const { socketHighWaterBytes, sendChunkBytes } = this.#options.limits;
      // What waits behind a write to TLS, or goes there with another one, is copied once more: one chunk at a time.
      const ceiling = this.security === undefined ? socketHighWaterBytes : sendChunkBytes / 2;
      while (this.#lanes.size > 0 && this.#output.queuedBytes < ceiling && this.#socket.writable) {
        for (const lane of this.#lanes) {
          if (!lane.sendNext()) this.#lanes.delete(lane);
        }
      }
    } finally {
      this.#pumping = false;
    }
  }

  #receiveDrain(): void {
    this.#pump();
    this.resume(this.#output);
  }

  /** After each write: a peer that does not read is not read from either, and not waited for without end. */
  #watchOutput(): void {
    const queued = this.#socket.writableLength;
    if (queued === 0) {
      if (this.#lanes.size > 0) this.#pump();
      return;
    }
    const { limits, clock } = this.#options;
    // Chunks stop at the ceiling; what lies above it are answers to requests that the peer goes on sending.
    if (queued > 2 * limits.socketHighWaterBytes + limits.sendChunkBytes) this.pause(this.#output);
    if (this.#stalledTimer?.active === true) return;
    const taken = this.#socket.bytesWritten - queued;
    this.#stalledTimer = clock.startTimer(limits.stalledPeerMs, () => {
      const left = this.#socket.writableLength;
      if (left === 0) return;
      if (this.#socket.bytesWritten - left > taken) {
        this.#watchOutput();
        return;
      }
      this.#end('MSRP_PEER_STALLED', 'the peer does not read');
      this.destroy();
    });
  }

  /** A frame has begun: it has to end, or at least to grow. */
  #watchFrame(): void {
    if (this.#frameTimer?.active === true) return;
    const { limits, clock } = this.#options;
    const frames = this.#frames;
    const bytes = this.#bytesRead;
    this.#frameTimer = clock.startTimer(limits.partialFrameMs, () => {
      if (!this.#parser.midFrame) return;
      const grown = this.#frames > frames || this.#bytesRead - bytes >= limits.partialFrameMinBytes;
      if (grown || this.#pausedBy.size > 0 || this.#held) {
        this.#watchFrame();
        return;
      }
      this.#end('MSRP_FRAME_TIMEOUT', 'a frame was begun and not ended');
      this.destroy();
    });
  }

  #record(direction: 'in' | 'out', bytes: Buffer): void {
    this.#options.tap?.({
      timeUs: this.#options.clock.monotonicUs(),
      direction,
      protocol: 'msrp',
      transport: this.security === undefined ? 'tcp' : 'tls',
      local: this.local,
      remote: this.remote,
      bytes,
    });
  }
}
