/**
 * Owns: a stranger in a chat room: bare SIP and bare MSRP, written from RFC 7701 and not with the program's code.
 * Called by: tests of rooms. Calls: raw-device.ts, msrp-peer.ts.
 */
import { DOMAIN } from './im-world.ts';
import { MsrpPeer, requestText, type PeerFrame } from './msrp-peer.ts';
import { RawDevice } from './raw-device.ts';
import type { PeerMessage } from './sip-peer.ts';

export const FACTORY = `sip:conference-factory@${DOMAIN}`;
let serial = 0;

/** A CPIM body. `id`: as IMDN has it. */
export function cpimText(parts: {
  from: string;
  to?: string | undefined;
  text: string;
  id?: string | undefined;
  headers?: readonly string[];
  type?: string;
}): string {
  const { from, to, text, id, headers = [], type = 'text/plain' } = parts;
  return [
    `From: <${from}>`,
    ...(to === undefined ? [] : [`To: <${to}>`]),
    ...(id === undefined ? [] : ['NS: imdn <urn:ietf:params:imdn>', `imdn.Message-ID: ${id}`]),
    ...headers,
    '',
    `Content-Type: ${type}`,
    '',
    text,
  ].join('\r\n');
}

/** One device with its session in one room. */
export class RoomPeer implements AsyncDisposable {
  readonly device: RawDevice;
  readonly msrp: MsrpPeer;
  /** Path of the switch. */
  readonly path: string;
  readonly answer: PeerMessage;
  /** Frames that came while something else was waited for. */
  readonly #early: PeerFrame[] = [];
  #cseq = 10;

  private constructor(device: RawDevice, msrp: MsrpPeer, path: string, answer: PeerMessage) {
    this.device = device;
    this.msrp = msrp;
    this.path = path;
    this.answer = answer;
  }

  /** The SDP that such a stranger offers. */
  static offer(path: string, more: readonly string[] = []): string {
    return [
      'v=0',
      'o=- 1 1 IN IP4 127.0.0.1',
      's=-',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      'm=message 9 TCP/MSRP *',
      `a=path:${path}`,
      'a=accept-types:message/cpim',
      ...(more.some((line) => line.startsWith('a=accept-wrapped-types')) ? [] : ['a=accept-wrapped-types:*']),
      'a=setup:active',
      ...more,
      '',
    ].join('\r\n');
  }

  /** INVITE to a room, or to the factory; the final answer. */
  static call(
    device: RawDevice,
    uri: string,
    options: { to?: string; sdp?: string; headers?: readonly string[] } = {},
  ): Promise<PeerMessage> {
    const {
      to = `<${uri}>`,
      sdp = RoomPeer.offer(`msrp://127.0.0.1:9/s${++serial};tcp`),
      headers = [],
    } = options;
    return device.ask('INVITE', { uri, to, body: sdp, contentType: 'application/sdp', headers });
  }

  /** Joins: INVITE, ACK, connection, visit. */
  static async join(
    device: RawDevice,
    uri: string,
    options: {
      to?: string;
      attributes?: readonly string[];
      headers?: readonly string[];
      silent?: boolean;
    } = {},
  ): Promise<RoomPeer> {
    const own = `msrp://127.0.0.1:9/s${++serial};tcp`;
    const { attributes = [], silent = false, ...more } = options;
    const answer = await RoomPeer.call(device, uri, { ...more, sdp: RoomPeer.offer(own, attributes) });
    if (answer.status !== 200) throw new Error(`not let in: ${answer.startLine}`);
    const path = /^a=path:(\S+)\r?$/m.exec(answer.body)?.[1] ?? '';
    await device.ackSuccess(answer);
    const msrp = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), own);
    const peer = new RoomPeer(device, msrp, path, answer);
    if (!silent) await msrp.visit(path);
    return peer;
  }

  get user(): string {
    return this.device.user;
  }

  get uri(): string {
    return `sip:${this.user}@${DOMAIN}`;
  }

  /** The room's address, as the Contact of its answer says it. */
  get room(): string {
    const [, name = ''] = /<sip:([^@>]+)@/.exec(this.answer.header('Contact')) ?? [];
    return `sip:${name}@${DOMAIN}`;
  }

  /** Sends CPIM; returns the answer's start line without the transaction id. */
  async send(
    text: string,
    options: {
      to?: string | null;
      from?: string;
      id?: string;
      messageId?: string;
      headers?: readonly string[];
      type?: string;
      body?: string;
      contentType?: string;
    } = {},
  ): Promise<string> {
    const { from = this.uri, to = this.room, id, messageId = `mid${++serial}x`, headers, type } = options;
    const body =
      options.body ??
      cpimText({
        from,
        ...(to === null ? {} : { to }),
        text,
        id,
        ...(headers ? { headers } : {}),
        ...(type ? { type } : {}),
      });
    const tid = `t${++serial}x`;
    const length = Buffer.byteLength(body);
    this.msrp.send(
      requestText({
        id: tid,
        to: this.path,
        from: this.msrp.path,
        headers: {
          'Message-ID': messageId,
          'Byte-Range': `1-${length}/${length}`,
          'Content-Type': options.contentType ?? 'message/cpim',
        },
        body,
      }),
    );
    return this.#answerTo(tid);
  }

  /** NICKNAME; `header` as it stands on the wire. */
  nickname(header: string): Promise<string> {
    const tid = `n${++serial}x`;
    this.msrp.send(
      requestText({
        id: tid,
        method: 'NICKNAME',
        to: this.path,
        from: this.msrp.path,
        headers: { 'Use-Nickname': header },
      }),
    );
    return this.#answerTo(tid);
  }

  /** The next message, acknowledged unless told otherwise. */
  async message(
    options: { acknowledge?: boolean } = {},
  ): Promise<{ frame: PeerFrame; cpim: string; text: string }> {
    const frame = this.#early.shift() ?? (await this.msrp.frame());
    if (frame.kind !== 'SEND') throw new Error(`not a message: ${frame.kind}`);
    if (options.acknowledge !== false) this.msrp.answer(frame);
    const cpim = frame.body?.toString('utf8') ?? '';
    return { frame, cpim, text: cpim.slice(cpim.lastIndexOf('\r\n\r\n') + 4) };
  }

  async texts(count: number): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push((await this.message()).text);
    return texts;
  }

  /** A SIP request of this device to the room. */
  ask(method: string, fields: { headers?: readonly string[]; body?: string; contentType?: string } = {}) {
    return this.device.ask(method, { uri: this.room, to: `<${this.room}>`, ...fields });
  }

  refer(to: string): Promise<PeerMessage> {
    return this.ask('REFER', { headers: [`Refer-To: <${to}>`, 'Refer-Sub: false'] });
  }

  /** Hangs up. */
  async bye(): Promise<void> {
    const { device, answer } = this;
    await device.peer.send(
      device.peer.build('BYE', {
        uri: /<([^>]+)>/.exec(answer.header('Contact'))?.[1] ?? '',
        from: answer.header('From'),
        to: answer.header('To'),
        callId: answer.header('Call-ID'),
        cseq: ++this.#cseq,
        contact: device.contact,
      }),
      device.server,
    );
    await device.peer.messages.next(
      (message) => message.status === 200 && message.header('CSeq') === `${this.#cseq} BYE`,
      'answer to BYE',
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.msrp[Symbol.asyncDispose]();
  }

  async #answerTo(tid: string): Promise<string> {
    for (;;) {
      const frame = await this.msrp.frame();
      if (frame.id === tid) return frame.kind;
      this.#early.push(frame);
    }
  }
}
