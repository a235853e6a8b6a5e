/**
 * Owns: a scripted MSRP peer of bytes, independent of our parser, and a delegate that records.
 * Called by: tests of main/msrp. Calls: Node's sockets.
 */
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import type {
  MsrpEndReason,
  MsrpIncomingMessage,
  MsrpSessionDelegate,
  MsrpSessionReport,
} from '../../main/msrp/session.ts';

/** A frame as the peer saw it. */
export interface PeerFrame {
  readonly id: string;
  /** `SEND`, `REPORT`, `200 OK` … */
  readonly kind: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer | undefined;
  readonly flag: string;
  readonly raw: Buffer;
}

/** Text of a request; `body` undefined = bodiless. */
export function requestText(request: {
  id: string;
  method?: string;
  to: string;
  from: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  flag?: string;
}): Buffer {
  const { id, method = 'SEND', to, from, headers = {}, body, flag = '$' } = request;
  const head = [`MSRP ${id} ${method}`, `To-Path: ${to}`, `From-Path: ${from}`];
  for (const [name, value] of Object.entries(headers)) head.push(`${name}: ${value}`);
  const end = `-------${id}${flag}\r\n`;
  if (body === undefined) return Buffer.from(`${head.join('\r\n')}\r\n${end}`);
  return Buffer.concat([
    Buffer.from(`${head.join('\r\n')}\r\n\r\n`),
    Buffer.from(body),
    Buffer.from(`\r\n${end}`),
  ]);
}

let serial = 0;

/** So long nothing is waited for: below the time of a test, so that it says what did not come. */
const PATIENCE_MS = 25_000;

/** One raw connection. */
export class MsrpPeer implements AsyncDisposable {
  readonly socket: net.Socket;
  readonly path: string;
  /** The other side's path once it is known, for scripts that keep it here. */
  remotePath = '';
  /** Everything received and not yet taken as a frame. */
  received = Buffer.alloc(0);
  ended = false;
  closed = false;
  #changed = Promise.withResolvers<undefined>();

  constructor(socket: net.Socket, path = `msrp://127.0.0.1:9/peer${++serial};tcp`) {
    this.socket = socket;
    this.path = path;
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.#notify();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#notify();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
      this.#notify();
    });
  }

  static async connect(port: number, path?: string): Promise<MsrpPeer> {
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    socket.once('connect', () => resolve(undefined));
    socket.once('error', reject);
    await promise;
    return new MsrpPeer(socket, path);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** The next whole frame. */
  async frame(): Promise<PeerFrame> {
    for (;;) {
      const frame = takeFrame(this.received);
      if (frame !== undefined) {
        this.received = this.received.subarray(frame.raw.length);
        return frame;
      }
      if (this.ended || this.closed) throw new Error(`ended before a frame: ${this.received.toString()}`);
      await this.#change('a whole frame');
    }
  }

  /** Answers a request as RFC 4975 §7.2 asks. */
  answer(frame: PeerFrame, status = 200, comment = 'OK'): void {
    this.send(
      `MSRP ${frame.id} ${status} ${comment}\r\nTo-Path: ${frame.headers.get('From-Path') ?? ''}\r\nFrom-Path: ${this.path}\r\n-------${frame.id}$\r\n`,
    );
  }

  /** Sends a bodiless SEND and returns the answer. */
  async visit(to: string, id = `visit${++serial}`, method = 'SEND'): Promise<PeerFrame> {
    this.send(requestText({ id, method, to, from: this.path, headers: { 'Message-ID': `${id}m` } }));
    return this.frame();
  }

  /** Resolves when the other side has sent FIN or is gone. */
  async untilEnded(): Promise<void> {
    while (!this.ended && !this.closed) await this.#change('the end of the connection');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    while (!this.closed) await this.#change('the end of the socket');
  }

  /** Resolves when something has come. Rejects with what was waited for, and what has come of it. */
  async #change(what: string): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new Error(`no ${what} at ${this.path}; so far: ${this.received.toString('latin1')}`));
    }, PATIENCE_MS);
    try {
      await Promise.race([this.#changed.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve(undefined);
  }
}

/** A listener whose connections are scripted. */
export class MsrpPeerListener implements AsyncDisposable {
  readonly #server = net.createServer({ allowHalfOpen: true, noDelay: true });
  readonly #waiting: MsrpPeer[] = [];
  readonly #all: MsrpPeer[] = [];
  #arrived = Promise.withResolvers<undefined>();
  path = '';

  static async listen(): Promise<MsrpPeerListener> {
    const listener = new MsrpPeerListener();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    listener.#server.listen({ host: '127.0.0.1', port: 0 }, () => resolve(undefined));
    await promise;
    listener.path = `msrp://127.0.0.1:${(listener.#server.address() as AddressInfo).port}/listener;tcp`;
    listener.#server.on('connection', (socket) => {
      const peer = new MsrpPeer(socket, listener.path);
      listener.#waiting.push(peer);
      listener.#all.push(peer);
      listener.#arrived.resolve(undefined);
    });
    return listener;
  }

  async accept(): Promise<MsrpPeer> {
    for (;;) {
      const peer = this.#waiting.shift();
      if (peer !== undefined) return peer;
      this.#arrived = Promise.withResolvers();
      await this.#arrived.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#server.close(() => resolve(undefined));
    for (const peer of this.#all) peer.socket.destroy();
    await promise;
  }
}

function takeFrame(bytes: Buffer): PeerFrame | undefined {
  const firstEnd = bytes.indexOf('\r\n');
  if (firstEnd < 0) return undefined;
  const [, id = '', kind = ''] = /^MSRP (\S+) (.*)$/.exec(bytes.toString('latin1', 0, firstEnd)) ?? [];
  if (id === '') throw new Error(`not MSRP: ${bytes.toString('latin1', 0, 60)}`);
  let end = -1;
  let flag = '';
  for (let from = 0; ; from = end + 1) {
    end = bytes.indexOf(`\r\n-------${id}`, from);
    if (end < 0) return undefined;
    const rest = bytes.toString('latin1', end + 9 + id.length, end + 12 + id.length);
    if (rest.length < 3) return undefined;
    if (/^[$+#]\r\n$/.test(rest)) {
      flag = rest.charAt(0);
      break;
    }
  }
  const raw = bytes.subarray(0, end + 12 + id.length);
  const blank = raw.indexOf('\r\n\r\n');
  const body =
    blank >= 0 && blank + 4 <= end + 2 ? raw.subarray(blank + 4, Math.max(blank + 4, end)) : undefined;
  const headText = raw.toString('latin1', firstEnd + 2, body === undefined ? end : blank);
  const headers = new Map(
    headText.split('\r\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    }),
  );
  return { id, kind, headers, body, flag, raw };
}

/** Records what a session says; `until` waits for it. `store` decides how messages settle. */
export class RecordingDelegate implements MsrpSessionDelegate {
  readonly messages: MsrpIncomingMessage[] = [];
  readonly reports: MsrpSessionReport[] = [];
  readonly visits: string[] = [];
  readonly closes: MsrpEndReason[] = [];
  store: (message: MsrpIncomingMessage) => Promise<void> = () => Promise.resolve();
  #changed = Promise.withResolvers<undefined>();

  async until(condition: (delegate: this) => boolean): Promise<void> {
    while (!condition(this)) await this.#changed.promise;
  }

  receiveMessage(message: MsrpIncomingMessage): Promise<void> {
    this.messages.push(message);
    this.#notify();
    return this.store(message);
  }

  receiveReport(report: MsrpSessionReport): void {
    this.reports.push(report);
    this.#notify();
  }

  receiveVisit(fromPath: readonly { readonly text: string }[]): void {
    this.visits.push(fromPath.map((uri) => uri.text).join(' '));
    this.#notify();
  }

  receiveClose(reason: MsrpEndReason): void {
    this.closes.push(reason);
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve(undefined);
  }
}
