/**
 * Owns: a stranger with one file: bare SIP and bare MSRP, written from RFC 5547 and not with the program's code.
 * Called by: tests of files of rooms. Calls: raw-device.ts, msrp-peer.ts.
 */
import { createHash } from 'node:crypto';
import { MsrpPeer, requestText } from './msrp-peer.ts';
import type { RawDevice } from './raw-device.ts';
import type { PeerMessage } from './sip-peer.ts';

let serial = 0;

/** What such a stranger says of a file; each is as it stands in SDP. */
export interface FileWords {
  readonly direction?: 'sendonly' | 'recvonly';
  readonly name?: string;
  readonly type?: string;
  readonly size?: number | undefined;
  readonly sha1?: string | undefined;
  readonly transferId?: string | undefined;
  readonly range?: string;
  readonly setup?: string;
  /** A thumbnail beside the SDP. */
  readonly icon?: Buffer;
}

/** Upper-case pairs (RFC 5547 §6). */
export function sha1Of(bytes: Buffer): string {
  return (createHash('sha1').update(bytes).digest('hex').toUpperCase().match(/../g) ?? []).join(':');
}

function describe(path: string, file: FileWords): string {
  const { direction = 'sendonly', name = 'plan.txt', type = 'text/plain', size, sha1, range } = file;
  const { transferId = 'transfer-1', setup = 'active', icon } = file;
  const selector = [
    `name:"${name}"`,
    `type:${type}`,
    ...(size === undefined ? [] : [`size:${size}`]),
    ...(sha1 === undefined ? [] : [`hash:sha-1:${sha1}`]),
  ];
  return [
    'v=0',
    'o=- 1 1 IN IP4 127.0.0.1',
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    'm=message 9 TCP/MSRP *',
    `a=path:${path}`,
    'a=accept-types:*',
    `a=setup:${setup}`,
    `a=${direction}`,
    `a=file-selector:${selector.join(' ')}`,
    ...(transferId === '' ? [] : [`a=file-transfer-id:${transferId}`]),
    ...(range === undefined ? [] : [`a=file-range:${range}`]),
    ...(icon === undefined ? [] : ['a=file-icon:cid:icon@home.invalid']),
    '',
  ].join('\r\n');
}

/** The body of the INVITE, with its Content-Type. */
function bodyOf(path: string, file: FileWords): { body: string; contentType: string } {
  const sdp = describe(path, file);
  if (file.icon === undefined) return { body: sdp, contentType: 'application/sdp' };
  const parts = [
    ['Content-Type: application/sdp', '', sdp],
    [
      'Content-Type: image/jpeg',
      'Content-Transfer-Encoding: base64',
      'Content-ID: <icon@home.invalid>',
      '',
      file.icon.toString('base64'),
    ],
  ];
  const body = parts.map((lines) => `--b1\r\n${lines.join('\r\n')}\r\n`).join('');
  return { body: `${body}--b1--\r\n`, contentType: 'multipart/related;boundary=b1;type="application/sdp"' };
}

/** One session about one file. */
export class FilePeer implements AsyncDisposable {
  readonly msrp: MsrpPeer;
  readonly answer: PeerMessage;
  readonly #path: string;

  private constructor(msrp: MsrpPeer, path: string, answer: PeerMessage) {
    this.msrp = msrp;
    this.#path = path;
    this.answer = answer;
  }

  /** The final answer to an INVITE about a file. */
  static call(device: RawDevice, uri: string, file: FileWords): Promise<PeerMessage> {
    const said = bodyOf(`msrp://127.0.0.1:9/f${++serial};tcp`, file);
    return device.ask('INVITE', { uri, to: `<${uri}>`, ...said });
  }

  /** INVITE, ACK, connection, visit. */
  static async open(device: RawDevice, uri: string, file: FileWords): Promise<FilePeer> {
    const own = `msrp://127.0.0.1:9/f${++serial};tcp`;
    const answer = await device.ask('INVITE', { uri, to: `<${uri}>`, ...bodyOf(own, file) });
    if (answer.status !== 200) throw new Error(`not taken: ${answer.startLine}`);
    const path = /^a=path:(\S+)\r?$/m.exec(answer.body)?.[1] ?? '';
    await device.ackSuccess(answer);
    const msrp = await MsrpPeer.connect(Number(/:(\d+)\//.exec(path)?.[1]), own);
    const peer = new FilePeer(msrp, path, answer);
    await msrp.visit(path);
    return peer;
  }

  /** Sends a file and hangs its connection up; returns the answer's start line without the transaction id. */
  async send(bytes: Buffer): Promise<string> {
    this.msrp.send(
      requestText({
        id: `c${++serial}x`,
        to: this.#path,
        from: this.msrp.path,
        headers: {
          'Message-ID': `file${serial}`,
          'Byte-Range': `1-${bytes.length}/${bytes.length}`,
          'Content-Type': 'text/plain',
        },
        body: bytes,
      }),
    );
    return (await this.msrp.frame()).kind;
  }

  /** What is sent to us, to its end. */
  async receive(): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (;;) {
      const frame = await this.msrp.frame();
      if (frame.kind !== 'SEND') continue;
      pieces.push(frame.body ?? Buffer.alloc(0));
      this.msrp.answer(frame);
      if (frame.flag === '$') return Buffer.concat(pieces);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.msrp[Symbol.asyncDispose]();
  }
}
