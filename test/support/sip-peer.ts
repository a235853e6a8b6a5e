/**
 * Owns: a bare SIP peer over UDP, TCP or TLS that knows nothing of the program's own parser: text out, text in.
 * Called by: tests of SIP. Calls: node:dgram, node:net, node:tls.
 */
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createServer as createTlsServer,
  type ConnectionOptions,
  type TlsOptions,
} from 'node:tls';
import { Inbox } from './inbox.ts';

/** One message as it came. */
export class PeerMessage {
  readonly text: string;
  readonly port: number;
  readonly address: string;

  constructor(text: string, address: string, port: number) {
    this.text = text;
    this.address = address;
    this.port = port;
  }

  get startLine(): string {
    return this.text.slice(0, this.text.indexOf('\r\n'));
  }

  /** 0 for a request. */
  get status(): number {
    return this.startLine.startsWith('SIP/2.0 ') ? Number(this.startLine.slice(8, 11)) : 0;
  }

  /** The method of a request, or of the CSeq of a response. */
  get method(): string {
    return this.header('CSeq').split(' ')[1] ?? '';
  }

  get body(): string {
    return this.text.slice(this.text.indexOf('\r\n\r\n') + 4);
  }

  headers(name: string): string[] {
    const head = this.text.slice(0, this.text.indexOf('\r\n\r\n'));
    return head
      .split('\r\n')
      .slice(1)
      .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(name.length + 1).trim());
  }

  /** The first header of that name, or `''`. */
  header(name: string): string {
    return this.headers(name)[0] ?? '';
  }

  tag(name: 'From' | 'To'): string {
    return /;tag=([^;>\s]*)/.exec(this.header(name))?.[1] ?? '';
  }

  get branch(): string {
    return /;branch=([^;\s]*)/.exec(this.header('Via'))?.[1] ?? '';
  }

  /** The Via parameter `received` or `rport`. */
  viaParam(name: string): string | undefined {
    return new RegExp(`;${name}=([^;\\s]*)`).exec(this.header('Via'))?.[1];
  }
}

export interface RequestFields {
  readonly uri?: string;
  readonly callId?: string;
  readonly fromTag?: string;
  readonly toTag?: string;
  readonly from?: string;
  readonly to?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly via?: string;
  readonly contact?: string | null;
  readonly maxForwards?: number;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly contentType?: string;
}

export function newPeerBranch(): string {
  return `z9hG4bK${randomBytes(6).toString('hex')}`;
}

export function newPeerId(): string {
  return randomBytes(6).toString('hex');
}

/** A SIP peer with one UDP socket, or one TCP connection, or a TCP listener with its last connection. */
export class SipPeer implements AsyncDisposable {
  readonly transport: 'udp' | 'tcp' | 'tls';
  readonly messages = new Inbox<PeerMessage>(({ startLine, method }) => `${startLine} (${method})`);
  /** Everything that came, in order; nothing is taken from it. */
  readonly log: PeerMessage[] = [];
  /** Bytes outside of messages on a stream (keep-alive answers). */
  pings = '';
  /** STUN requests that came, whether they are answered, and with which address. */
  stun = 0;
  answersStun = false;
  stunAddress: string | undefined;
  /** STUN answers that came. */
  readonly stunAnswers: Buffer[] = [];
  port = 0;
  /** Bytes of a stream that are no message (yet). */
  get bytes(): number {
    return this.#stream.length;
  }
  connections = 0;
  /** Connections that were opened, usable or not. */
  dialled = 0;
  closed = false;
  /** The other side has ended its side. */
  ended = false;
  #udp: UdpSocket | undefined;
  #server: Server | undefined;
  #socket: Socket | undefined;
  readonly #sockets = new Set<Socket>();
  #stream = Buffer.alloc(0);

  private constructor(transport: 'udp' | 'tcp' | 'tls') {
    this.transport = transport;
  }

  static async udp(port = 0, host = '127.0.0.1'): Promise<SipPeer> {
    const peer = new SipPeer('udp');
    const socket = createSocket('udp4');
    peer.#udp = socket;
    socket.on('message', (bytes, from) => {
      if (bytes.toString() === '\r\n\r\n') peer.pings += '\r\n\r\n';
      else if ((bytes[0] ?? 0xff) < 2) peer.#receiveStun(bytes, from.address, from.port);
      else peer.#receive(new PeerMessage(bytes.toString('utf8'), from.address, from.port));
    });
    const bound = once(socket, 'listening');
    socket.bind(port, host);
    try {
      await bound;
    } catch (error) {
      socket.close();
      throw error;
    }
    peer.port = socket.address().port;
    return peer;
  }

  /** Both on one port. */
  static async udpAndTcp(): Promise<{ udp: SipPeer; tcp: SipPeer }> {
    for (;;) {
      const tcp = await SipPeer.tcpListener();
      try {
        return { udp: await SipPeer.udp(tcp.port), tcp };
      } catch {
        // Somebody has it for UDP.
        await tcp[Symbol.asyncDispose]();
      }
    }
  }

  /** Connects to an engine. */
  static async tcp(port: number, options: { readonly allowHalfOpen?: boolean } = {}): Promise<SipPeer> {
    const peer = new SipPeer('tcp');
    const socket = connect({ port, host: '127.0.0.1', ...options });
    await once(socket, 'connect');
    peer.#adopt(socket);
    peer.port = socket.localPort ?? 0;
    return peer;
  }

  /** Connects to an engine with TLS. */
  static async tls(port: number, options: ConnectionOptions = {}): Promise<SipPeer> {
    const peer = new SipPeer('tls');
    const socket = connectTls({ rejectUnauthorized: false, ...options, port, host: '127.0.0.1' });
    await once(socket, 'secureConnect');
    peer.#adopt(socket);
    peer.port = socket.localPort ?? 0;
    return peer;
  }

  /** Waits for connections of an engine. */
  static async tcpListener(port = 0, host = '127.0.0.1'): Promise<SipPeer> {
    const peer = new SipPeer('tcp');
    return peer.#listen(
      createServer((socket) => peer.#adopt(socket)),
      port,
      host,
    );
  }

  /** Waits for connections of an engine with TLS. */
  static async tlsListener(options: TlsOptions, host = '127.0.0.1'): Promise<SipPeer> {
    const peer = new SipPeer('tls');
    const server = createTlsServer(options, (socket) => peer.#adopt(socket));
    server.on('tlsClientError', () => undefined);
    return peer.#listen(server, 0, host);
  }

  async #listen(server: Server, port: number, host: string): Promise<this> {
    this.#server = server;
    server.on('connection', () => (this.dialled += 1));
    server.listen(port, host);
    await once(server, 'listening');
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
    return this;
  }

  /** Sends text as it is; over UDP to `port`. */
  async send(text: string | Buffer, port = 0): Promise<void> {
    if (this.#udp !== undefined) {
      const socket = this.#udp;
      await new Promise<void>((done, fail) => {
        socket.send(text, port, '127.0.0.1', (error) => (error === null ? done() : fail(error)));
      });
    } else await new Promise<void>((done) => this.#socket?.write(text, () => done()));
  }

  /** The next response to `method` with that status. */
  async response(status: number, method: string): Promise<PeerMessage> {
    return this.messages.next(
      (message) => message.status === status && message.method === method,
      `${status} to ${method}`,
    );
  }

  /** The next request of that method. */
  async request(method: string): Promise<PeerMessage> {
    return this.messages.next(
      (message) => message.status === 0 && message.startLine.startsWith(`${method} `),
      method,
    );
  }

  /** A request as text. */
  build(method: string, fields: RequestFields = {}): string {
    const { body = '', callId = newPeerId(), cseq = 1, maxForwards = 70 } = fields;
    const here = `127.0.0.1:${this.port}`;
    const tcp = this.transport === 'udp' ? '' : `;transport=${this.transport}`;
    const to = fields.to ?? `<sip:app@127.0.0.1>${fields.toTag === undefined ? '' : `;tag=${fields.toTag}`}`;
    const contact = fields.contact === undefined ? `<sip:peer@${here}${tcp}>` : fields.contact;
    return [
      `${method} ${fields.uri ?? 'sip:app@127.0.0.1'} SIP/2.0`,
      `Via: ${fields.via ?? `SIP/2.0/${this.transport.toUpperCase()} ${here};branch=${fields.branch ?? newPeerBranch()}`}`,
      `From: ${fields.from ?? `<sip:peer@${here}>;tag=${fields.fromTag ?? 'peer-tag'}`}`,
      `To: ${to}`,
      `Call-ID: ${callId}`,
      `CSeq: ${cseq} ${method}`,
      `Max-Forwards: ${maxForwards}`,
      ...(contact === null ? [] : [`Contact: ${contact}`]),
      ...(fields.headers ?? []),
      ...(body === '' ? [] : [`Content-Type: ${fields.contentType ?? 'application/sdp'}`]),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  /** A response to `request` as text. */
  reply(
    request: PeerMessage,
    status: number,
    fields: { toTag?: string; contact?: string | null; headers?: readonly string[]; body?: string } = {},
  ): string {
    const { body = '' } = fields;
    const tcp = this.transport === 'udp' ? '' : `;transport=${this.transport}`;
    const contact = fields.contact === undefined ? `<sip:peer@127.0.0.1:${this.port}${tcp}>` : fields.contact;
    const tagged = request.tag('To') !== '' || status === 100;
    return [
      `SIP/2.0 ${status} Status ${status}`,
      ...request.headers('Via').map((via) => `Via: ${via}`),
      `From: ${request.header('From')}`,
      `To: ${request.header('To')}${tagged ? '' : `;tag=${fields.toTag ?? 'callee-tag'}`}`,
      `Call-ID: ${request.header('Call-ID')}`,
      `CSeq: ${request.header('CSeq')}`,
      ...(contact === null ? [] : [`Contact: ${contact}`]),
      ...(fields.headers ?? []),
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n');
  }

  /** Builds and sends a response to where the request came from. */
  async answer(
    request: PeerMessage,
    status: number,
    fields: Parameters<SipPeer['reply']>[2] = {},
  ): Promise<void> {
    await this.send(this.reply(request, status, fields), request.port);
  }

  /**
   * Proves that everything sent before has been dealt with: asks something and waits for the answer, which comes
   * behind whatever else was under way.
   */
  async fence(port: number): Promise<void> {
    const callId = `fence-${newPeerId()}`;
    await this.send(this.build('UPDATE', { callId }), port);
    await this.messages.next((message) => message.header('Call-ID') === callId, 'answer to the fence');
  }

  /** Ends our side of the TCP connection. */
  end(): void {
    this.#socket?.end();
  }

  /** Closes both sides of it. */
  cut(): void {
    this.#socket?.destroy();
  }

  /** Reads nothing more. */
  pause(): void {
    this.#socket?.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((done) => server.close(() => done()));
    const udp = this.#udp;
    if (udp !== undefined) await new Promise<void>((done) => udp.close(done));
  }

  /** RFC 5389 by hand, IPv4 only: the address is masked by the cookie. */
  #receiveStun(bytes: Buffer, address: string, port: number): void {
    if (bytes.readUInt16BE(0) !== 1) {
      this.stunAnswers.push(bytes);
      return;
    }
    this.stun += 1;
    if (!this.answersStun) return;
    const answer = Buffer.from('0101000c2112a4420000000000000000000000000020000800010000', 'hex');
    bytes.copy(answer, 8, 8, 20);
    answer.writeUInt16BE(port ^ 0x2112, 26);
    const seen = (this.stunAddress ?? address).split('.').map(Number);
    const masked = Buffer.from([0x21, 0x12, 0xa4, 0x42].map((mask, index) => mask ^ (seen[index] ?? 0)));
    this.#udp?.send(Buffer.concat([answer, masked]), port, address);
  }

  #receive(message: PeerMessage): void {
    this.log.push(message);
    this.messages.put(message);
  }

  #adopt(socket: Socket): void {
    this.connections += 1;
    this.#socket = socket;
    this.#sockets.add(socket);
    this.#stream = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk) => {
      this.#stream = Buffer.concat([this.#stream, chunk]);
      this.#cut(socket);
    });
  }

  #cut(socket: Socket): void {
    for (;;) {
      while (this.#stream.subarray(0, 2).toString() === '\r\n') {
        this.pings += '\r\n';
        this.#stream = this.#stream.subarray(2);
      }
      const end = this.#stream.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(
        /\r\nContent-Length:\s*(\d+)/i.exec(this.#stream.toString('utf8', 0, end))?.[1] ?? 0,
      );
      if (this.#stream.length < end + 4 + length) return;
      const text = this.#stream.toString('utf8', 0, end + 4 + length);
      this.#stream = this.#stream.subarray(end + 4 + length);
      this.#receive(new PeerMessage(text, socket.remoteAddress ?? '', socket.remotePort ?? 0));
    }
  }
}
