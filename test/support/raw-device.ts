/**
 * Owns: a device of a user that is a bare SIP peer: registers with digest, then does only what the test says.
 * Called by: test/bad-days, test/imserver. Calls: sip-peer.ts, node:crypto.
 */
import { createHash } from 'node:crypto';
import { DOMAIN, passwordOf } from './im-world.ts';
import { newPeerId, SipPeer, type PeerMessage, type RequestFields } from './sip-peer.ts';

function hash(algorithm: string, text: string): string {
  return createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');
}

/** The `Authorization` value that answers `challenge`: written from RFC 7616, not with the program's code. */
export function answerChallenge(
  challenge: string,
  who: { user: string; password: string; method: string; uri: string; nc?: number; cnonce?: string },
): string {
  const param = (name: string) => new RegExp(`${name}="?([^",]*)"?`).exec(challenge)?.[1] ?? '';
  const [algorithm, realm, nonce] = [param('algorithm') || 'MD5', param('realm'), param('nonce')];
  const [nc, cnonce] = [(who.nc ?? 1).toString(16).padStart(8, '0'), who.cnonce ?? 'c0ffee'];
  const ha1 = hash(algorithm, `${who.user}:${realm}:${who.password}`);
  const ha2 = hash(algorithm, `${who.method}:${who.uri}`);
  const response = hash(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}`);
  return `Digest username="${who.user}", realm="${realm}", nonce="${nonce}", uri="${who.uri}", response="${response}", algorithm=${algorithm}, cnonce="${cnonce}", qop=auth, nc=${nc}`;
}

/** One device over UDP, or over one TCP connection. */
export class RawDevice implements AsyncDisposable {
  readonly peer: SipPeer;
  readonly user: string;
  readonly server: number;
  readonly #taken = new Set<string>();

  private constructor(peer: SipPeer, user: string, server: number) {
    this.peer = peer;
    this.user = user;
    this.server = server;
  }

  /** `host`: the address from which it speaks. */
  static async open(user: string, server: number, host = '127.0.0.1'): Promise<RawDevice> {
    return new RawDevice(await SipPeer.udp(0, host), user, server);
  }

  /** Over TCP: nothing is lost on the way. */
  static async overTcp(user: string, server: number): Promise<RawDevice> {
    return new RawDevice(await SipPeer.tcp(server), user, server);
  }

  /** Registered with the server. */
  static async join(user: string, server: number): Promise<RawDevice> {
    const device = await RawDevice.open(user, server);
    const answer = await device.register();
    if (answer.status !== 200) throw new Error(`not registered: ${answer.startLine}`);
    return device;
  }

  get contact(): string {
    const transport = this.peer.transport === 'udp' ? '' : `;transport=${this.peer.transport}`;
    return `<sip:${this.user}@127.0.0.1:${this.peer.port}${transport}>`;
  }

  register(
    fields: RequestFields & { expires?: number; algorithm?: 'SHA-256' | 'MD5'; password?: string } = {},
  ) {
    const { expires = 600, ...more } = fields;
    const aor = `<sip:${this.user}@${DOMAIN}>`;
    return this.ask('REGISTER', {
      uri: `sip:${DOMAIN}`,
      to: aor,
      contact: this.contact,
      ...more,
      headers: [`Expires: ${expires}`, ...(more.headers ?? [])],
    });
  }

  /** Sends a request outside of dialogs, answers its challenge, returns the final response. */
  async ask(
    method: string,
    fields: RequestFields & { algorithm?: 'SHA-256' | 'MD5'; password?: string } = {},
  ): Promise<PeerMessage> {
    const {
      algorithm = 'SHA-256',
      password = passwordOf(this.user),
      cseq = 1,
      callId = newPeerId(),
      ...more
    } = fields;
    const request = {
      from: `<sip:${this.user}@${DOMAIN}>;tag=${newPeerId()}`,
      contact: this.contact,
      ...more,
      callId,
    };
    const first = await this.transact(method, { ...request, cseq });
    if (first.status !== 401) return first;
    if (method === 'INVITE') await this.ack(first, request.uri ?? '');
    const challenge =
      first.headers('WWW-Authenticate').find((line) => line.includes(`algorithm=${algorithm}`)) ?? '';
    const uri = request.uri ?? '';
    const value = answerChallenge(challenge, { user: this.user, password, method, uri });
    return this.transact(method, {
      ...request,
      cseq: cseq + 1,
      headers: [...(request.headers ?? []), `Authorization: ${value}`],
    });
  }

  /** Sends one request and waits for its final response. */
  async transact(
    method: string,
    fields: RequestFields & { callId: string; cseq: number },
  ): Promise<PeerMessage> {
    await this.peer.send(this.peer.build(method, fields), this.server);
    return this.peer.messages.next(
      (message) =>
        message.status >= 200 &&
        message.header('Call-ID') === fields.callId &&
        message.header('CSeq') === `${fields.cseq} ${method}`,
      `final response to ${method}`,
    );
  }

  /** The next request that has not been taken yet: one that came twice because the machine is slow counts once. */
  async next(method: string): Promise<PeerMessage> {
    const keyOf = (message: PeerMessage) =>
      `${message.header('Call-ID')} ${message.tag('From')} ${message.header('CSeq')}`;
    const request = await this.peer.messages.next(
      (message) => message.startLine.startsWith(`${method} `) && !this.#taken.has(keyOf(message)),
      method,
    );
    this.#taken.add(keyOf(request));
    return request;
  }

  /** ACK of a failure response: same branch. */
  async ack(response: PeerMessage, uri: string): Promise<void> {
    const from = response.header('From');
    await this.peer.send(
      this.peer.build('ACK', {
        uri,
        from,
        to: response.header('To'),
        callId: response.header('Call-ID'),
        cseq: Number.parseInt(response.header('CSeq'), 10),
        branch: response.branch,
        contact: null,
      }),
      this.server,
    );
  }

  /** ACK of a 200: a transaction of its own, to where its Contact says (RFC 3261 §13.2.2.4). */
  async ackSuccess(response: PeerMessage): Promise<void> {
    await this.peer.send(
      this.peer.build('ACK', {
        uri: /<([^>]+)>/.exec(response.header('Contact'))?.[1] ?? '',
        from: response.header('From'),
        to: response.header('To'),
        callId: response.header('Call-ID'),
        cseq: Number.parseInt(response.header('CSeq'), 10),
        contact: this.contact,
      }),
      this.server,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}
