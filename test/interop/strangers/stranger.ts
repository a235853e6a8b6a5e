/**
 * Owns: a stranger behind the IM Server: a SIP device and an MSRP peer that do only what the test says.
 * Called by: the tests beside it. Calls: test/support.
 */
import { RawDevice } from '../../support/raw-device.ts';
import { DOMAIN } from '../../support/im-world.ts';
import { MsrpPeer, MsrpPeerListener, requestText, type PeerFrame } from '../../support/msrp-peer.ts';
import type { PeerMessage } from '../../support/sip-peer.ts';

/** How a stranger describes itself. */
export interface StrangerSdp {
  readonly setup?: 'active' | 'passive' | 'actpass' | undefined;
  /** `a=accept-types`. */
  readonly types?: string;
  readonly path?: string;
  readonly attributes?: readonly string[];
}

/** What Blink's SDK lists. */
export const BLINK_TYPES =
  'message/cpim text/* image/* application/im-iscomposing+xml message/imdn+xml application/blink-zrtp-sas';

/** The value of an attribute of a session description. */
export function attributeOf(sdp: string, name: string): string {
  return new RegExp(`^a=${name}:(.*)$`, 'm').exec(sdp)?.[1]?.trim() ?? '';
}

/** A dialog of the stranger, whoever began it. */
export interface StrangerDialog {
  /** The messenger's session description. */
  readonly sdp: string;
  readonly callId: string;
  readonly us: string;
  readonly them: string;
  /** Where requests of this dialog go. */
  readonly target: string;
  /** CSeq of our last request. */
  readonly cseq: number;
}

let serial = 0;

/** A user of the server that none of our code plays. */
export class Stranger implements AsyncDisposable {
  readonly device: RawDevice;
  readonly listener: MsrpPeerListener;

  private constructor(device: RawDevice, listener: MsrpPeerListener) {
    this.device = device;
    this.listener = listener;
  }

  /** Signed in as `user`; reachable for MSRP under a session-id as relays and odd clients make them. */
  static async join(user: string, port: number, sessionId = 'aB/c+d=='): Promise<Stranger> {
    const listener = await MsrpPeerListener.listen();
    listener.path = listener.path.replace(/\/[^/;]*;/, `/${sessionId};`);
    return new Stranger(await RawDevice.join(user, port), listener);
  }

  /** A Contact as a client with GRUU and rooms has it. */
  get contact(): string {
    return `${this.device.contact.slice(0, -1)};gr=urn:uuid:5e1c1b1a>;isfocus`;
  }

  describe({ setup, types = BLINK_TYPES, path = this.listener.path, attributes = [] }: StrangerSdp): string {
    const port = /:(\d+)\//.exec(path)?.[1] ?? '9';
    return [
      'v=0',
      'o=- 3471 3471 IN IP4 127.0.0.1',
      's=A stranger',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      `m=message ${port} TCP/MSRP *`,
      `a=path:${path}`,
      ...(setup === undefined ? [] : [`a=setup:${setup}`]),
      `a=accept-types:${types}`,
      'a=accept-wrapped-types:*',
      ...attributes.map((attribute) => `a=${attribute}`),
      '',
    ].join('\r\n');
  }

  /** Answers the next invitation; one that offers encryption is refused first, as plain clients do. */
  async answer(sdp: StrangerSdp): Promise<StrangerDialog & { readonly offers: readonly string[] }> {
    const { peer } = this.device;
    const offers: string[] = [];
    for (;;) {
      const invite = await peer.request('INVITE');
      offers.push(invite.body);
      if (/^m=message \d+ TCP\/TLS\/MSRP/m.test(invite.body)) {
        await peer.answer(invite, 488, { toTag: `refused${++serial}` });
        continue;
      }
      const toTag = `stranger${++serial}`;
      const contact = this.contact;
      await peer.answer(invite, 200, { toTag, contact, headers: [], body: this.describe(sdp) });
      return {
        offers,
        sdp: invite.body,
        callId: invite.header('Call-ID'),
        us: `${invite.header('To')};tag=${toTag}`,
        them: invite.header('From'),
        target: /<([^>]+)>/.exec(invite.header('Contact'))?.[1] ?? '',
        cseq: 1,
      };
    }
  }

  /** Waits for the ACK of what it has answered. */
  async acked(): Promise<PeerMessage> {
    return this.device.peer.messages.next(
      ({ startLine, body }) => startLine.startsWith('ACK ') && body === '',
      'the ACK',
    );
  }

  /** Invites `user`; resolves with the final response, acknowledged when it is a 200. */
  async invite(user: string, sdp: StrangerSdp): Promise<{ response: PeerMessage; dialog: StrangerDialog }> {
    const callId = `stranger-call-${++serial}`;
    const to = `<sip:${user}@${DOMAIN}>`;
    const from = `<sip:${this.device.user}@${DOMAIN}>;tag=stranger${++serial}`;
    const uri = `sip:${user}@${DOMAIN}`;
    const { contact } = this;
    const response = await this.device.ask('INVITE', {
      uri,
      to,
      from,
      callId,
      contact,
      body: this.describe(sdp),
    });
    const cseq = Number.parseInt(response.header('CSeq'), 10);
    const dialog: StrangerDialog = {
      sdp: response.body,
      callId,
      us: from,
      them: response.header('To'),
      target: /<([^>]+)>/.exec(response.header('Contact'))?.[1] ?? uri,
      cseq,
    };
    if (response.status === 200) {
      const { peer, server } = this.device;
      const fields = { uri: dialog.target, from, to: dialog.them, callId, cseq, contact };
      await peer.send(peer.build('ACK', fields), server);
    }
    return { response, dialog };
  }

  /** Ends a dialog, with `;gr=` in the Contact as with everything else. */
  async hangUp({ callId, us, them, target, cseq }: StrangerDialog): Promise<PeerMessage> {
    return this.device.transact('BYE', {
      uri: target,
      from: us,
      to: them,
      callId,
      cseq: cseq + 1,
      contact: this.contact,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener[Symbol.asyncDispose]();
    await this.device[Symbol.asyncDispose]();
  }
}

/** CPIM as Blink's SDK writes it. */
export function blinkCpim(from: string, to: string, contentType: string, body: string): string {
  return `From: <sip:${from}>\r\nTo: <sip:${to}>\r\nDateTime: 2026-01-02T03:04:05.678901+00:00\r\n\r\nContent-Type: ${contentType}\r\n\r\n${body}`;
}

/** Sends one message in one chunk and returns the answer. */
export async function sendBody(
  peer: MsrpPeer,
  to: string,
  contentType: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<PeerFrame> {
  const size = Buffer.byteLength(body);
  const id = `a.${++serial}.b`;
  peer.send(
    requestText({
      id,
      to,
      from: peer.path,
      headers: {
        'Message-ID': `stranger${serial}`,
        'Byte-Range': `1-${size}/${size}`,
        ...headers,
        'Content-Type': contentType,
      },
      body,
    }),
  );
  for (;;) {
    const frame = await peer.frame();
    if (frame.id === id) return frame;
    // A request of the messenger that crossed: answered and forgotten.
    if (!/^\d{3}/.test(frame.kind) && frame.kind !== 'REPORT') peer.answer(frame);
  }
}
