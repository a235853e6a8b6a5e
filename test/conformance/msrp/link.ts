/**
 * Owns: the connection of the conformance suite to the endpoint under test: what is asked, what comes back, and a record
 * of both. Called by: sections.ts, visit-sections.ts, suite.ts. Calls: the scripted peer, which knows nothing of our own parser.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MsrpPeer, requestText, type PeerFrame } from '../../support/msrp-peer.ts';

/** What a check asks of the endpoint. */
export interface LinkRequest {
  readonly method?: string;
  readonly to?: string;
  readonly from?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: bodiless. */
  readonly body?: string | Buffer;
  readonly flag?: '$' | '+' | '#';
  readonly id?: string;
}

/** The endpoint did not do what it has to. */
export class NotConformant extends Error {}

/** Something that the endpoint cannot show here. */
export class CannotTell extends Error {}

export function newId(): string {
  return randomBytes(8).toString('hex');
}

/** Where a URI leads; throws for what is none. */
function authorityOf(uri: string): { scheme: string; host: string; port: number } {
  const [, scheme = '', host = '', port = ''] =
    /^(msrps?):\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/;]+):(\d+)\/[^;]+;tcp/i.exec(uri) ?? [];
  if (port === '') throw new Error(`not an MSRP URI with a port and a session: ${uri}`);
  return { scheme: scheme.toLowerCase(), host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

/** One connection to the endpoint under test, as one of its sessions sees it. */
export class Link implements AsyncDisposable {
  readonly peer: MsrpPeer;
  /** The session under test. */
  readonly target: string;
  readonly patienceMs: number;
  /** What went over the wire since `clear`, bodies shortened. */
  readonly record: string[] = [];
  readonly #waiting: PeerFrame[] = [];

  constructor(peer: MsrpPeer, target: string, patienceMs: number) {
    this.peer = peer;
    this.target = target;
    this.patienceMs = patienceMs;
  }

  /** Connects to the authority of a URI, over TLS for `msrps` (whatever certificate is there). */
  static async open(target: string, patienceMs: number, path?: string): Promise<Link> {
    const { scheme, host, port } = authorityOf(target);
    const secure = scheme === 'msrps';
    const options = { host, port, noDelay: true, allowHalfOpen: true };
    const socket = secure ? connectTls({ ...options, rejectUnauthorized: false }) : connect(options);
    await once(socket, secure ? 'secureConnect' : 'connect', { signal: AbortSignal.timeout(patienceMs) });
    const address =
      socket.localAddress?.includes(':') === true ? `[${socket.localAddress}]` : socket.localAddress;
    const own = path ?? `${scheme}://${address ?? ''}:${socket.localPort ?? 9}/conformance${newId()};tcp`;
    return new Link(new MsrpPeer(socket, own), target, patienceMs);
  }

  get path(): string {
    return this.peer.path;
  }

  /** The record of the check before is over. */
  clear(): void {
    this.record.length = 0;
  }

  /** Sends a request without waiting; returns its transaction id. */
  send(request: LinkRequest): string {
    const { id = newId(), to = this.target, from = this.path, method, headers, body, flag } = request;
    const bytes = requestText({
      id,
      to,
      from,
      ...(method === undefined ? {} : { method }),
      ...(headers === undefined ? {} : { headers: { ...headers } }),
      ...(body === undefined ? {} : { body }),
      ...(flag === undefined ? {} : { flag }),
    });
    this.write(bytes);
    return id;
  }

  /** Sends bytes as they are. */
  write(bytes: Buffer | string): void {
    this.#note('>', Buffer.from(bytes));
    this.peer.send(bytes);
  }

  /** Sends a SEND of plain text in one chunk; further headers stand before Content-Type. */
  sendText(body: string | Buffer, headers: Readonly<Record<string, string>> = {}): string {
    const size = Buffer.byteLength(body);
    return this.send({
      body,
      headers: {
        'Message-ID': newId(),
        'Byte-Range': `1-${size}/${size}`,
        ...headers,
        'Content-Type': 'text/plain',
      },
    });
  }

  /** The response to a transaction; what else comes meanwhile is kept. */
  async responseTo(id: string): Promise<PeerFrame> {
    return this.frame(`the response to ${id}`, (frame) => frame.id === id && isResponse(frame));
  }

  async request(request: LinkRequest): Promise<PeerFrame> {
    return this.responseTo(this.send(request));
  }

  /** The REPORT on a message. */
  reportOn(messageId: string): Promise<PeerFrame> {
    return this.frame(
      `a REPORT on ${messageId}`,
      (frame) => frame.kind === 'REPORT' && frame.headers.get('Message-ID') === messageId,
    );
  }

  /** A frame that fits, waited for. */
  async frame(what: string, fits: (frame: PeerFrame) => boolean): Promise<PeerFrame> {
    const kept = this.#waiting.findIndex(fits);
    if (kept >= 0) return this.#waiting.splice(kept, 1)[0]!;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      late.reject(new NotConformant(`nothing came within ${this.patienceMs} ms: ${what}`));
    }, this.patienceMs);
    try {
      for (;;) {
        const frame = await Promise.race([this.#next(what), late.promise]);
        if (fits(frame)) return frame;
        this.#waiting.push(frame);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Everything that has come and that nobody has asked for. Takes it away. */
  leftOver(): PeerFrame[] {
    return this.#waiting.splice(0);
  }

  /** A keep-alive and its answer: everything that was sent before has been read by then. */
  async settle(): Promise<void> {
    await this.request({ headers: { 'Message-ID': newId() } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }

  async #next(what: string): Promise<PeerFrame> {
    let frame: PeerFrame;
    try {
      frame = await this.peer.frame();
    } catch (error) {
      throw new NotConformant(`the connection ended instead of: ${what}`, { cause: error });
    }
    this.#note('<', frame.raw);
    return frame;
  }

  #note(direction: '>' | '<', bytes: Buffer): void {
    const text = bytes.toString('latin1', 0, 600).replace(/[^\x20-\x7e\r\n]/g, '.');
    this.record.push(
      `${direction} ${text.trimEnd().replace(/\r?\n/g, `\n${direction} `)}${bytes.length > 600 ? ' …' : ''}`,
    );
  }
}

export function isResponse(frame: PeerFrame): boolean {
  return /^\d{3}/.test(frame.kind);
}

export function statusOf(frame: PeerFrame): number {
  return Number(frame.kind.slice(0, 3));
}

/** Throws NotConformant with `what` when `condition` does not hold. */
export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new NotConformant(what);
}

export function demandStatus(frame: PeerFrame, ...wanted: number[]): void {
  demand(wanted.includes(statusOf(frame)), `answered with ${frame.kind}, not with ${wanted.join(' or ')}`);
}
