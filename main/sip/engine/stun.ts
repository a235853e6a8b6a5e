/**
 * Owns: STUN binding requests and their answers as bytes (RFC 5389), as far as SIP keep-alive needs them
 * (RFC 5626 §4.4.2, §8). Called by: udp-socket.ts, keep-alive.ts. Calls: nothing.
 */
import { isIPv6 } from 'node:net';

/** One STUN message. `id` is its transaction id in hex. */
export interface StunMessage {
  readonly kind: 'request' | 'success' | 'failure';
  readonly id: string;
  /** Where the other side sees us: `address port`; of a success only. */
  readonly mapped: string | undefined;
  /** Attributes that have to be understood and are not (RFC 5389 §7.3.1). */
  readonly unknown: readonly number[];
}

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112_a442;
const MAGIC = Buffer.from([0x21, 0x12, 0xa4, 0x42]);
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_FAILURE = 0x0111;
const MAPPED_ADDRESS = 0x0001;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const XOR_MAPPED_ADDRESS = 0x0020;
/** From here on attributes may be ignored. */
const FIRST_OPTIONAL = 0x8000;
/** USERNAME, MESSAGE-INTEGRITY, PRIORITY and the like are for uses of STUN that need credentials. */
const UNDERSTOOD = new Set([MAPPED_ADDRESS, XOR_MAPPED_ADDRESS, ERROR_CODE, UNKNOWN_ATTRIBUTES]);
const MAX_UNKNOWN = 16;

/** Is the datagram STUN and not SIP? SIP begins with a letter, STUN with two zero bits (RFC 5626 §8). */
export function isStun(bytes: Buffer): boolean {
  return bytes.length >= HEADER_BYTES && (bytes[0] ?? 0xff) < 0x40 && bytes.readUInt32BE(4) === MAGIC_COOKIE;
}

function addressBytes(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const bare = address.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [head = '', tail] = bare.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...Array<string>(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  const bytes = Buffer.alloc(16);
  all
    .slice(0, 8)
    .forEach((group, index) => bytes.writeUInt16BE(Number.parseInt(group, 16) & 0xffff, index * 2));
  return bytes;
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  return groups.join(':');
}

/** The mask of XOR-MAPPED-ADDRESS: cookie, then transaction id (RFC 5389 §15.2). */
function xored(bytes: Buffer, id: Buffer): Buffer {
  const mask = Buffer.concat([MAGIC, id]);
  return Buffer.from(bytes.map((byte, index) => byte ^ (mask[index] ?? 0)));
}

function readAddress(value: Buffer, id: Buffer | undefined): string | undefined {
  const family = value[1];
  const length = family === 1 ? 4 : family === 2 ? 16 : 0;
  if (length === 0 || value.length !== 4 + length) return undefined;
  const port = value.readUInt16BE(2) ^ (id === undefined ? 0 : MAGIC_COOKIE >>> 16);
  const address = value.subarray(4);
  return `${addressText(id === undefined ? address : xored(address, id))} ${port}`;
}

/** Reads a STUN message; `undefined` for what is none, or for a method other than Binding. */
export function parseStun(bytes: Buffer): StunMessage | undefined {
  if (!isStun(bytes) || bytes.readUInt16BE(2) !== bytes.length - HEADER_BYTES || bytes.length % 4 !== 0) {
    return undefined;
  }
  const kinds: Readonly<Partial<Record<number, StunMessage['kind']>>> = {
    [BINDING_REQUEST]: 'request',
    [BINDING_SUCCESS]: 'success',
    [BINDING_FAILURE]: 'failure',
  };
  const kind = kinds[bytes.readUInt16BE(0)];
  if (kind === undefined) return undefined;
  const id = bytes.subarray(8, HEADER_BYTES);
  let xorMapped: string | undefined;
  let mapped: string | undefined;
  const unknown: number[] = [];
  for (let offset = HEADER_BYTES; offset < bytes.length;) {
    const type = bytes.readUInt16BE(offset);
    const length = bytes.readUInt16BE(offset + 2);
    const value = bytes.subarray(offset + 4, offset + 4 + length);
    if (value.length !== length) return undefined;
    if (type === XOR_MAPPED_ADDRESS) xorMapped ??= readAddress(value, id);
    else if (type === MAPPED_ADDRESS) mapped ??= readAddress(value, undefined);
    else if (type < FIRST_OPTIONAL && !UNDERSTOOD.has(type) && unknown.length < MAX_UNKNOWN)
      unknown.push(type);
    offset += 4 + Math.ceil(length / 4) * 4;
  }
  return { kind, id: id.toString('hex'), mapped: xorMapped ?? mapped, unknown };
}

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16BE(type, 0);
  bytes.writeUInt16BE(value.length, 2);
  value.copy(bytes, 4);
  return bytes;
}

function message(type: number, id: string, ...attributes: readonly Buffer[]): Buffer {
  const body = Buffer.concat(attributes);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(body.length, 2);
  header.writeUInt32BE(MAGIC_COOKIE, 4);
  header.write(id, 8, 'hex');
  return Buffer.concat([header, body]);
}

/** A binding request without attributes. `id`: 12 random bytes in hex. */
export function buildStunRequest(id: string): Buffer {
  return message(BINDING_REQUEST, id);
}

/**
 * The answer to a binding request from there; `undefined` when the message is no request. It is hardly larger than
 * what asked for it, so it is of no use to flood somebody else.
 */
export function answerStun(request: StunMessage, address: string, port: number): Buffer | undefined {
  if (request.kind !== 'request') return undefined;
  if (request.unknown.length > 0) {
    const types = Buffer.alloc(request.unknown.length * 2);
    request.unknown.forEach((type, index) => types.writeUInt16BE(type, index * 2));
    const code = Buffer.concat([Buffer.from([0, 0, 4, 20]), Buffer.from('Unknown Attribute')]);
    return message(
      BINDING_FAILURE,
      request.id,
      attribute(ERROR_CODE, code),
      attribute(UNKNOWN_ATTRIBUTES, types),
    );
  }
  const raw = addressBytes(address);
  const value = Buffer.alloc(4);
  value[1] = raw.length === 4 ? 1 : 2;
  value.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 2);
  const mapped = Buffer.concat([value, xored(raw, Buffer.from(request.id, 'hex'))]);
  return message(BINDING_SUCCESS, request.id, attribute(XOR_MAPPED_ADDRESS, mapped));
}
