/**
 * Owns: one control connection: authentication, routes, frames in both directions.
 * Called by: control-server.ts (sockets), the cores (send…). Calls: control-frame.ts and the handler it was given.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { CONTROL_LIMITS } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { ControlFrameReader, encodeFrame, type ControlFrame } from './control-frame.ts';

/** What the engine does for applications. */
export interface ApplicationHandler {
  /** `proto/host:port`, comma-separated: what the answer to `authenticate` shows. */
  readonly hostports: string;
  receiveAuthenticated(application: Application): void;
  /** A `sip` frame: a request, a response, a CANCEL or an ACK. */
  receiveSip(application: Application, frame: ControlFrame, sip: Buffer): void;
  receiveProxy(application: Application, frame: ControlFrame): void;
  receiveClosed(application: Application): void;
}

/** srf starts its pings only when this looks like a version of at least v0.8.2. */
const VERSION = 'v0.9.10-parley';

function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

/** One application, from the socket's opening to its end. */
export class Application implements Disposable {
  readonly #socket: Socket;
  readonly #secret: string;
  readonly #log: Log;
  readonly #handler: ApplicationHandler;
  readonly #everything: boolean;
  readonly #reader = new ControlFrameReader();
  readonly #routes = new Set<string>();
  readonly #authenticateTimer: Disposable;
  #state: 'waiting' | 'authenticated' | 'closed' = 'waiting';
  #refused = false;
  /** Frames of this turn of the event loop. */
  #unwritten: Buffer[] = [];
  #unwrittenBytes = 0;

  constructor(options: {
    readonly socket: Socket;
    readonly secret: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly handler: ApplicationHandler;
    /** A dialled application gets every known method: in that mode it sends no `route` frames. */
    readonly everything: boolean;
  }) {
    this.#socket = options.socket;
    this.#secret = options.secret;
    this.#log = options.log;
    this.#handler = options.handler;
    this.#everything = options.everything;
    this.#authenticateTimer = options.clock.startTimer(CONTROL_LIMITS.authenticateMs, () =>
      this.#close('not authenticated'),
    );
    this.#socket.setNoDelay(true);
    this.#socket.setKeepAlive(true);
    this.#socket.on('data', (chunk) => this.#receiveBytes(chunk));
    this.#socket.on('error', (error) => this.#log.debug('control.error', { error }));
    this.#socket.on('close', () => this.#finish());
  }

  get authenticated(): boolean {
    return this.#state === 'authenticated';
  }

  /** Was it turned away for a wrong secret? */
  get refused(): boolean {
    return this.#refused;
  }

  /** Has it so much unread that it gets nothing new? */
  get overloaded(): boolean {
    return this.#socket.writableLength + this.#unwrittenBytes > CONTROL_LIMITS.overloadedBytes;
  }

  /** Does it take new requests of this method? `known` methods go to a dialled application without being routed. */
  routes(method: string, known: boolean): boolean {
    if (this.#state !== 'authenticated') return false;
    return (this.#everything && known) || this.#routes.has(method.toLowerCase());
  }

  /**
   * Sends one frame. Does nothing when the application is gone. Frames of one turn of the event loop leave in one
   * write: under load a write for each costs more than everything else that is done for a message.
   */
  sendFrame(tokens: readonly string[], sip?: Buffer): void {
    if (this.#state === 'closed') return;
    if (this.#unwritten.length === 0) setImmediate(() => this.#flush());
    for (const piece of encodeFrame(tokens, sip)) {
      this.#unwritten.push(piece);
      this.#unwrittenBytes += piece.length;
    }
    if (this.#socket.writableLength + this.#unwrittenBytes > CONTROL_LIMITS.maxQueuedBytes) {
      this.#close('does not read');
    }
  }

  /** The operation of that frame failed; the connection stays. */
  sendNok(msgId: string, text: string): void {
    this.sendFrame(['response', msgId, 'NOK', text]);
  }

  /** A refusal on the level of the protocol: the connection is closed. */
  sendNo(msgId: string, text: string): void {
    this.sendFrame(['response', msgId, 'NO', text]);
    this.#close(text);
  }

  [Symbol.dispose](): void {
    this.#flush();
    this.#socket.destroy();
    this.#finish();
  }

  #flush(): void {
    if (this.#unwritten.length === 0) return;
    const pieces = this.#unwritten;
    const bytes = this.#unwrittenBytes;
    this.#unwritten = [];
    this.#unwrittenBytes = 0;
    this.#socket.write(Buffer.concat(pieces, bytes));
  }

  #receiveBytes(chunk: Buffer): void {
    if (this.#state === 'closed') return;
    try {
      for (const frame of this.#reader.push(chunk)) {
        this.#receiveFrame(frame);
        // No look-ahead: `closed` may have been set by the frame just handled.
        if (this.#isClosed()) return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#close(error.message);
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #receiveFrame(frame: ControlFrame): void {
    const { msgId, type, tokens } = frame;
    if (type === undefined) this.sendNo(msgId, 'Invalid message format');
    else if (type === 'authenticate') this.#receiveAuthenticate(msgId, tokens[0] ?? '');
    else if (this.#state !== 'authenticated') this.sendNo(msgId, 'not authenticated');
    else if (type === 'ping') this.sendFrame(['response', msgId, 'OK', 'pong']);
    else if (type === 'route' || type === 'remove_route') this.#receiveRoute(msgId, type, tokens[0] ?? '');
    else if (type === 'sip') this.#handler.receiveSip(this, frame, frame.sip ?? Buffer.alloc(0));
    else if (type === 'proxy') this.#handler.receiveProxy(this, frame);
    else this.sendNo(msgId, 'Unknown message type');
  }

  #receiveAuthenticate(msgId: string, secret: string): void {
    if (!sameSecret(secret, this.#secret)) {
      this.#refused = true;
      this.sendNo(msgId, 'incorrect secret');
      return;
    }
    const { hostports } = this.#handler;
    this.sendFrame(['response', msgId, 'OK', hostports, VERSION, hostports]);
    if (this.#state === 'authenticated') return;
    this.#state = 'authenticated';
    this.#authenticateTimer[Symbol.dispose]();
    this.#handler.receiveAuthenticated(this);
  }

  #receiveRoute(msgId: string, type: 'route' | 'remove_route', verb: string): void {
    if (type === 'route') this.#routes.add(verb.toLowerCase());
    else this.#routes.delete(verb.toLowerCase());
    this.sendFrame(['response', msgId, 'OK']);
  }

  #close(reason: string): void {
    this.#log.info('control.close', { reason });
    this.#flush();
    this.#socket.end();
    this.#socket.destroySoon();
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#authenticateTimer[Symbol.dispose]();
    this.#handler.receiveClosed(this);
  }
}
