/**
 * Owns: reading SIP and MSRP messages back out of bytes seen on sockets or in a capture.
 * Called by: ladder-recorder.ts, hosts/headless/flow.ts. Calls: sip and msrp parsers.
 */
import { MESSENGER_LIMITS } from '../base/limits.ts';
import { ProtocolError } from '../base/protocol-error.ts';
import { MsrpParser } from '../msrp/parser.ts';
import type { MsrpHead } from '../msrp/message.ts';
import { SipStreamFramer } from '../sip/engine/stream-framing.ts';
import { cseqOf, headerKey, parseSipMessage, type SipMessage } from '../sip/message.ts';

/** Bytes that went from one `address:port` to another: a datagram, or the next piece of a stream. */
export interface WirePiece {
  readonly timeUs: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: 'sip' | 'msrp';
  readonly datagram: boolean;
  readonly bytes: Uint8Array;
}

/** One whole message. */
export interface WireMessage {
  readonly timeUs: number;
  readonly from: string;
  readonly to: string;
  readonly datagram: boolean;
  readonly protocol: 'sip' | 'msrp';
  readonly firstLine: string;
  /** Method; of a SIP response that of its CSeq, of an MSRP response empty. */
  readonly method: string;
  /** 0: a request. */
  readonly status: number;
  /** SIP: Call-ID. MSRP: the session-ids of To-Path and From-Path. */
  readonly keys: readonly string[];
  /** MSRP transaction id, or the CSeq of SIP. */
  readonly transactionId: string;
  readonly bodyBytes: number;
  readonly contentType: string;
  /** The message with credentials and what people wrote taken out. */
  readonly text: string;
  /** SIP only: the session description, for finding the MSRP paths. */
  readonly sdp: string;
}

export interface ReadMessage extends WireMessage {
  /** With credentials and what people wrote: for whoever asks for just that. */
  readonly whole: () => WholeMessage;
}

/** A message as it was on the wire; of a long body only the beginning. */
export interface WholeMessage {
  readonly head: string;
  readonly body: Buffer;
  readonly tail: string;
}

/** Streams remembered at once; the oldest is forgotten. */
const MAX_STREAMS = 512;

interface MsrpStream {
  readonly parser: MsrpParser;
  head: MsrpHead | undefined;
  timeUs: number;
  bodyBytes: number;
  /** The beginning of the body. */
  body: Buffer[];
}

/** Puts pieces together. Bytes that are neither protocol are passed over. */
export class WireReader {
  readonly #sip = new Map<string, SipStreamFramer>();
  readonly #msrp = new Map<string, MsrpStream>();

  /** The messages that this piece completes. */
  receive(piece: WirePiece): ReadMessage[] {
    const bytes = Buffer.from(piece.bytes.buffer, piece.bytes.byteOffset, piece.bytes.byteLength);
    try {
      if (piece.protocol === 'msrp') return this.#receiveMsrp(piece, bytes);
      return piece.datagram
        ? [toSipWireMessage(piece, parseSipMessage(bytes))]
        : this.#receiveSipStream(piece, bytes);
    } catch (error) {
      if (error instanceof ProtocolError) return [];
      throw error;
    }
  }

  #receiveSipStream(piece: WirePiece, bytes: Buffer): ReadMessage[] {
    const framer = remember(this.#sip, `${piece.from}>${piece.to}`, () => new SipStreamFramer());
    const messages: ReadMessage[] = [];
    for (const item of framer.push(Buffer.from(bytes))) {
      if (typeof item !== 'string' && 'message' in item) messages.push(toSipWireMessage(piece, item.message));
    }
    return messages;
  }

  #receiveMsrp(piece: WirePiece, bytes: Buffer): ReadMessage[] {
    const stream = remember(this.#msrp, `${piece.from}>${piece.to}`, () => ({
      parser: new MsrpParser(),
      head: undefined,
      timeUs: 0,
      bodyBytes: 0,
      body: [],
    }));
    const messages: ReadMessage[] = [];
    for (const event of stream.parser.push(bytes)) {
      if (event.kind === 'head') {
        stream.head = event.head;
        stream.timeUs = piece.timeUs;
        stream.bodyBytes = 0;
        stream.body = [];
      } else if (event.kind === 'body') receiveBody(stream, event.bytes);
      else if (event.kind === 'end' && stream.head !== undefined) {
        messages.push(
          toMsrpWireMessage({ ...piece, timeUs: stream.timeUs }, stream.head, stream, event.flag),
        );
        stream.head = undefined;
      }
    }
    return messages;
  }
}

/** What is over the ceiling is only counted. */
function receiveBody(stream: MsrpStream, bytes: Uint8Array): void {
  const room = MESSENGER_LIMITS.ladderMessageBytes - stream.bodyBytes;
  if (room > 0) stream.body.push(Buffer.from(bytes.subarray(0, room)));
  stream.bodyBytes += bytes.length;
}

function remember<T>(streams: Map<string, T>, key: string, create: () => T): T {
  const known = streams.get(key);
  if (known !== undefined) return known;
  const oldest = streams.keys().next().value;
  if (streams.size >= MAX_STREAMS && oldest !== undefined) streams.delete(oldest);
  const stream = create();
  streams.set(key, stream);
  return stream;
}

const CREDENTIAL_HEADERS = new Set(['authorization', 'proxy-authorization', 'authentication-info']);

function toSipWireMessage(piece: WirePiece, message: SipMessage): ReadMessage {
  const firstLine =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  const contentType = message.headers.get('content-type') ?? '';
  const isSdp = contentType.toLowerCase().startsWith('application/sdp');
  const lines = [firstLine];
  for (const { name, value } of message.headers) {
    lines.push(`${name}: ${CREDENTIAL_HEADERS.has(headerKey(name)) ? '(credentials redacted)' : value}`);
  }
  const body = isSdp ? message.body.toString('utf8') : '';
  lines.push('', body || (message.body.length > 0 ? `(${message.body.length} bytes redacted)` : ''));
  const cseq = cseqOf(message);
  return {
    ...wherefrom(piece),
    protocol: 'sip',
    firstLine,
    method: cseq.method,
    status: message.kind === 'response' ? message.status : 0,
    keys: [message.headers.get('call-id') ?? ''],
    transactionId: String(cseq.number),
    bodyBytes: message.body.length,
    contentType,
    text: lines.join('\r\n'),
    sdp: body,
    whole: () => ({
      head: [firstLine, ...[...message.headers].map(({ name, value }) => `${name}: ${value}`), '', ''].join(
        '\r\n',
      ),
      body: message.body.subarray(0, MESSENGER_LIMITS.ladderMessageBytes),
      tail: '',
    }),
  };
}

function toMsrpWireMessage(
  piece: WirePiece,
  head: MsrpHead,
  { bodyBytes, body }: Pick<MsrpStream, 'bodyBytes' | 'body'>,
  flag: string,
): ReadMessage {
  const response = head.status !== 0;
  const firstLine = response
    ? `MSRP ${head.transactionId} ${head.status} ${head.comment}`.trimEnd()
    : `MSRP ${head.transactionId} ${head.method}`;
  const lines = headOf(firstLine, head, (name, value) =>
    CREDENTIAL_HEADERS.has(name.toLowerCase()) ? '(credentials redacted)' : value,
  );
  if (bodyBytes > 0) lines.push('', `(${bodyBytes} bytes redacted)`);
  const end = `-------${head.transactionId}${flag}`;
  lines.push(end);
  return {
    ...wherefrom(piece),
    protocol: 'msrp',
    firstLine,
    method: head.method,
    status: head.status,
    keys: [head.toPath, head.fromPath].map((path) => sessionIdOf(path ?? '')),
    transactionId: head.transactionId,
    bodyBytes,
    contentType: head.contentType ?? '',
    text: lines.join('\r\n'),
    sdp: '',
    whole: () => ({
      head: `${headOf(firstLine, head, (_, value) => value).join('\r\n')}\r\n${bodyBytes > 0 ? '\r\n' : ''}`,
      body: Buffer.concat(body),
      tail: `${bodyBytes > 0 ? '\r\n' : ''}${end}\r\n`,
    }),
  };
}

/** The lines above the body. `show`: what stands behind the name of a header that is none of MSRP's own. */
function headOf(firstLine: string, head: MsrpHead, show: (name: string, value: string) => string): string[] {
  const fields: readonly (readonly [name: string, value: string | undefined])[] = [
    ['To-Path', head.toPath],
    ['From-Path', head.fromPath],
    ['Message-ID', head.messageId],
    ['Byte-Range', head.byteRange],
    ['Success-Report', head.successReport],
    ['Failure-Report', head.failureReport],
    ['Status', head.reportStatus],
    ...head.others.map(({ name, value }) => [name, show(name, value)] as const),
    ['Content-Type', head.contentType],
  ];
  return [
    firstLine,
    ...fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`])),
  ];
}

function wherefrom({
  timeUs,
  from,
  to,
  datagram,
}: WirePiece): Pick<WirePiece, 'timeUs' | 'from' | 'to' | 'datagram'> {
  return { timeUs, from, to, datagram };
}

/** The session-id of the last URI of a path. */
function sessionIdOf(path: string): string {
  return /\/([^/;]+);[^/]*$/.exec(path)?.[1] ?? '';
}
