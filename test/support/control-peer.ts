/**
 * Owns: a bare application of the drachtio control protocol: frames out, frames in.
 * Called by: tests of the engine. Calls: node:net.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Inbox } from './inbox.ts';
import { PeerMessage } from './sip-peer.ts';

/** One frame of the engine. */
export class EngineFrame {
  readonly tokens: readonly string[];
  readonly sip: PeerMessage | undefined;

  constructor(payload: string) {
    const end = payload.indexOf('\r\n');
    this.tokens = (end < 0 ? payload : payload.slice(0, end)).split('|');
    this.sip = end < 0 ? undefined : new PeerMessage(payload.slice(end + 2), '', 0);
  }

  get type(): string {
    return this.tokens[1] ?? '';
  }

  token(index: number): string {
    return this.tokens[index] ?? '';
  }

  /** Of a `sip` frame. */
  get transactionId(): string {
    return this.token(8);
  }

  get dialogId(): string {
    return this.token(9);
  }

  get startLine(): string {
    return this.sip?.startLine ?? '';
  }
}

function show(frame: EngineFrame): string {
  return `${frame.tokens.slice(1).join('|')} ${frame.startLine}`;
}

/** A control connection that a test holds in its hands. */
export class ControlPeer implements Disposable {
  readonly frames = new Inbox<EngineFrame>(show);
  /** All frames in order. */
  readonly log: EngineFrame[] = [];
  readonly closed: Promise<unknown>;
  readonly #socket: Socket;
  #buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((done) => socket.once('close', done));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      this.#buffer = Buffer.concat([this.#buffer, chunk]);
      this.#cut();
    });
  }

  static async connect(where: { host: string; port: number }): Promise<ControlPeer> {
    const socket = connect(where.port, where.host);
    await once(socket, 'connect');
    return new ControlPeer(socket);
  }

  /** Connects, authenticates and routes. */
  static async open(
    where: { host: string; port: number },
    secret: string,
    routes: readonly string[],
  ): Promise<ControlPeer> {
    const peer = await ControlPeer.connect(where);
    await peer.ask(['authenticate', secret, '']);
    for (const route of routes) await peer.ask(['route', route]);
    return peer;
  }

  /** Writes raw bytes. */
  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Sends a frame; returns its id. */
  sendFrame(tokens: readonly string[], sip?: string): string {
    const id = randomUUID();
    const payload = [id, ...tokens].join('|') + (sip === undefined ? '' : `\r\n${sip}`);
    this.write(`${Buffer.byteLength(payload)}#${payload}`);
    return id;
  }

  /** Sends a frame and waits for the answer to it. */
  async ask(tokens: readonly string[], sip?: string): Promise<EngineFrame> {
    const id = this.sendFrame(tokens, sip);
    return this.frames.next(
      (frame) => frame.type === 'response' && frame.token(2) === id,
      `answer to ${tokens[0] ?? ''}`,
    );
  }

  /** Sends a new request; header lines without a body end by themselves. */
  async request(
    startLine: string,
    headers: readonly string[] = [],
    body = '',
    route = '',
  ): Promise<EngineFrame> {
    const sip = [`${startLine} SIP/2.0`, ...headers, '', body].join('\r\n');
    return this.ask(['sip', '', '', ...(route === '' ? [] : [route])], sip);
  }

  /** Sends a request in a dialog. */
  async inDialog(
    dialogId: string,
    method: string,
    headers: readonly string[] = [],
    body = '',
  ): Promise<EngineFrame> {
    return this.ask(
      ['sip', '', dialogId],
      [`${method} sip:placeholder SIP/2.0`, ...headers, '', body].join('\r\n'),
    );
  }

  /** Answers an inbound request. */
  async respond(
    transactionId: string,
    status: number,
    reason = 'Text',
    headers: readonly string[] = [],
    body = '',
  ): Promise<EngineFrame> {
    return this.ask(
      ['sip', transactionId, ''],
      [`SIP/2.0 ${status} ${reason}`, ...headers, '', body].join('\r\n'),
    );
  }

  /** The next `sip` frame whose message begins so (`INVITE`, `SIP/2.0 200`). */
  async sip(startsWith: string): Promise<EngineFrame> {
    return this.frames.next(
      (frame) => frame.type === 'sip' && frame.startLine.startsWith(startsWith),
      `${startsWith} frame`,
    );
  }

  /** Reads nothing more until {@link resume}. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #cut(): void {
    for (;;) {
      const hash = this.#buffer.indexOf('#');
      if (hash < 0) return;
      const length = Number(this.#buffer.toString('latin1', 0, hash));
      if (this.#buffer.length < hash + 1 + length) return;
      const frame = new EngineFrame(this.#buffer.toString('utf8', hash + 1, hash + 1 + length));
      this.#buffer = this.#buffer.subarray(hash + 1 + length);
      this.log.push(frame);
      this.frames.put(frame);
    }
  }
}
