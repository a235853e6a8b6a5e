/**
 * Owns: the frames of the drachtio control protocol: `<bytes>#<msgId>|<type>|token|…[CRLF SIP message]`.
 * Called by: application.ts and the cores. Calls: ids.ts.
 */
import { CONTROL_LIMITS } from '../../base/limits.ts';
import { ProtocolError } from '../../base/protocol-error.ts';
import { newUuid } from './ids.ts';
import type { Flow } from './transport.ts';

/** One frame from the application. `tokens` are those behind the type. */
export interface ControlFrame {
  readonly msgId: string;
  /** `undefined` when the frame has one token only. */
  readonly type: string | undefined;
  readonly tokens: readonly string[];
  readonly sip: Buffer | undefined;
}

const HASH = 0x23;
const CRLF = Buffer.from('\r\n');
/** Digits of the ceiling of a frame, leading zeros included. */
const MAX_LENGTH_DIGITS = 7;

function parsePayload(payload: Buffer): ControlFrame {
  const end = payload.indexOf(CRLF);
  const line = payload.toString('utf8', 0, end < 0 ? payload.length : end);
  const [msgId = '', type, ...tokens] = line.split('|');
  return { msgId, type, tokens, sip: end < 0 ? undefined : payload.subarray(end + CRLF.length) };
}

/** Push bytes, read frames, however the bytes are cut. Linear in the bytes. */
export class ControlFrameReader {
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes of the payload that is being collected. */
  #needed: number | undefined;

  /** @throws ProtocolError `CONTROL_FRAME` (close) when the length is no number or over the ceiling. */
  *push(chunk: Buffer): Generator<ControlFrame> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#needed === undefined) {
        const hash = rest.indexOf(HASH);
        this.#keep(hash < 0 ? rest : rest.subarray(0, hash));
        if (this.#held > MAX_LENGTH_DIGITS) this.#refuse('length too long');
        if (hash < 0) return;
        this.#needed = this.#parseLength(this.#take().toString('latin1'));
        rest = rest.subarray(hash + 1);
      }
      const missing = this.#needed - this.#held;
      this.#keep(rest.subarray(0, missing));
      rest = rest.subarray(missing);
      if (this.#held < this.#needed) return;
      this.#needed = undefined;
      yield parsePayload(this.#take());
    }
  }

  #keep(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#chunks.push(piece);
    this.#held += piece.length;
  }

  #take(): Buffer {
    const [first] = this.#chunks;
    const whole = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#held = 0;
    return whole;
  }

  #parseLength(digits: string): number {
    const length = Number(digits);
    if (!/^\d+$/.test(digits) || length === 0) this.#refuse('length is no number');
    if (length > CONTROL_LIMITS.maxFrameBytes) this.#refuse('frame too large');
    return length;
  }

  #refuse(message: string): never {
    throw new ProtocolError('CONTROL_FRAME', 'close', message);
  }
}

/** Writes one frame with a new message id, as pieces that follow each other. */
export function encodeFrame(tokens: readonly string[], sip?: Buffer): readonly Buffer[] {
  const line = `${newUuid()}|${tokens.join('|')}`;
  const lineBytes = Buffer.byteLength(line, 'utf8');
  if (sip === undefined) return [Buffer.from(`${lineBytes}#${line}`, 'utf8')];
  return [Buffer.from(`${lineBytes + CRLF.length + sip.length}#${line}\r\n`, 'utf8'), sip];
}

let shownMs = Number.NaN;
let shownTime = '';

/** `HH:MM:SS.micros`, UTC. Many frames share one millisecond: its text is made once. */
export function frameTime(nowMs: number): string {
  if (nowMs !== shownMs) {
    shownMs = nowMs;
    shownTime = `${new Date(nowMs).toISOString().slice(11, 23)}000`;
  }
  return shownTime;
}

/** What a `sip` frame says about where its message came from. */
export interface FrameSource {
  readonly source: 'network' | 'application';
  readonly bytes: number;
  readonly transport: string;
  readonly address: string;
  readonly port: number;
}

/** A message that arrived on `flow`. */
export function fromNetwork(flow: Flow, bytes: number): FrameSource {
  const { transport, remoteAddress: address, remotePort: port } = flow;
  return { source: 'network', bytes, transport, address, port };
}

/** A message that the engine made up in place of the network (408, 487, 503). */
export function madeUp(transport: string): FrameSource {
  return { source: 'network', bytes: 0, transport, address: '', port: 0 };
}

/** A message that we sent on `flow`: for UDP the local end is named, for streams the remote one. */
export function sentOn(flow: Flow, bytes: number): FrameSource {
  const udp = flow.transport === 'udp';
  return {
    source: 'application',
    bytes,
    transport: flow.transport,
    address: udp ? flow.localAddress : flow.remoteAddress,
    port: udp ? flow.localPort : flow.remotePort,
  };
}

function sourceTokens(source: FrameSource, nowMs: number): string[] {
  const { bytes, transport, address, port } = source;
  return [source.source, String(bytes), transport, address, String(port), frameTime(nowMs)];
}

/** Something arrived, or the engine did something on its own. `receivedOn` only for a new request. */
export function sipTokens(
  source: FrameSource,
  nowMs: number,
  ids: { readonly transactionId: string; readonly dialogId: string },
  receivedOn?: Flow,
): string[] {
  const tail = receivedOn === undefined ? [] : [receivedOn.localAddress, String(receivedOn.localPort)];
  return ['sip', ...sourceTokens(source, nowMs), ids.transactionId, ids.dialogId, ...tail, ''];
}

/** The echo of a request that was sent. */
export function requestEchoTokens(
  msgId: string,
  source: FrameSource,
  nowMs: number,
  transactionId: string,
): string[] {
  return ['response', msgId, 'OK', ...sourceTokens(source, nowMs), transactionId, 'Msg sent:', ''];
}

/** The echo of a response that was sent. */
export function responseEchoTokens(
  msgId: string,
  source: FrameSource,
  nowMs: number,
  ids: { readonly transactionId: string; readonly dialogId: string },
): string[] {
  return [
    'response',
    msgId,
    'OK',
    ...sourceTokens(source, nowMs),
    ids.transactionId,
    ids.dialogId,
    '',
    'Msg sent:',
    '',
  ];
}
