/**
 * Owns: messages of a session as a capture that Wireshark opens: classic pcap with raw IP packets, the connections as
 * they were, without TLS, handshakes and acknowledgements. Called by: ladder-commands.ts. Calls: nothing.
 */
import type { WireMessage } from './wire-reader.ts';

/** A message with the bytes that stand for it. */
export interface CapturedMessage extends Pick<WireMessage, 'timeUs' | 'from' | 'to' | 'datagram'> {
  readonly bytes: Buffer;
}

const MAGIC = 0xa1b2c3d4;
/** LINKTYPE_RAW: each packet begins with its IP header. */
const RAW_IP = 101;
const MAX_PACKET = 65_535;
/** What of a message stands in one packet. */
const MAX_PAYLOAD = 32 * 1024;
const TCP = 6;
const UDP = 17;
const TCP_HEADER = 20;
const UDP_HEADER = 8;
const PUSH_ACK = 0x18;

interface End {
  readonly address: Buffer;
  readonly port: number;
}

/** `address:port`, IPv6 with or without brackets. */
function parseEnd(text: string): End & { readonly v6: boolean } {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
  const v6 = host.includes(':');
  return { address: v6 ? packV6(host) : packV4(host), port: Number(text.slice(colon + 1)) & 0xffff, v6 };
}

function packV4(host: string): Buffer {
  const parts = host.split('.').map((part) => Number(part) & 0xff);
  return Buffer.from(parts.length === 4 ? parts : [0, 0, 0, 0]);
}

function packV6(host: string): Buffer {
  const [head = '', tail] = (host.split('%', 1)[0] ?? '').split('::');
  const groups = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((group) => {
          if (!group.includes('.')) return [parseInt(group, 16) & 0xffff];
          const v4 = packV4(group);
          return [v4.readUInt16BE(0), v4.readUInt16BE(2)];
        });
  const [before, after] = [groups(head), groups(tail ?? '')];
  const middle = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => 0);
  const bytes = Buffer.alloc(16);
  [...before, ...middle, ...after]
    .slice(0, 8)
    .forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return bytes;
}

/** The Internet checksum (RFC 1071) over all pieces. */
function checksum(...pieces: readonly Buffer[]): number {
  const bytes = Buffer.concat(pieces);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function ipHeader(from: Buffer, to: Buffer, protocol: number, length: number): Buffer {
  if (from.length === 16) {
    const header = Buffer.alloc(8);
    header.writeUInt32BE(0x60000000);
    header.writeUInt16BE(length, 4);
    header.writeUInt8(protocol, 6);
    header.writeUInt8(64, 7);
    return Buffer.concat([header, from, to]);
  }
  const header = Buffer.alloc(12);
  header.writeUInt16BE(0x4500);
  header.writeUInt16BE(20 + length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.writeUInt16BE(checksum(header, from, to), 10);
  return Buffer.concat([header, from, to]);
}

/** What checksums of UDP and TCP count beside themselves. */
function pseudoHeader(from: Buffer, to: Buffer, protocol: number, length: number): Buffer {
  const tail = Buffer.alloc(from.length === 16 ? 8 : 4);
  if (from.length === 16) {
    tail.writeUInt32BE(length);
    tail.writeUInt8(protocol, 7);
  } else {
    tail.writeUInt8(protocol, 1);
    tail.writeUInt16BE(length, 2);
  }
  return Buffer.concat([from, to, tail]);
}

/** Sequence numbers of both directions of each connection. */
class Connections {
  readonly #next = new Map<string, number>();

  packet(from: End, to: End, names: readonly [string, string], payload: Buffer): Buffer {
    const [there, back] = [`${names[0]}>${names[1]}`, `${names[1]}>${names[0]}`];
    const sequence = this.#next.get(there) ?? 1;
    this.#next.set(there, (sequence + payload.length) >>> 0);
    const header = Buffer.alloc(TCP_HEADER);
    header.writeUInt16BE(from.port);
    header.writeUInt16BE(to.port, 2);
    header.writeUInt32BE(sequence, 4);
    header.writeUInt32BE(this.#next.get(back) ?? 1, 8);
    header.writeUInt8((TCP_HEADER / 4) << 4, 12);
    header.writeUInt8(PUSH_ACK, 13);
    header.writeUInt16BE(0xffff, 14);
    const length = header.length + payload.length;
    header.writeUInt16BE(checksum(pseudoHeader(from.address, to.address, TCP, length), header, payload), 16);
    return Buffer.concat([ipHeader(from.address, to.address, TCP, length), header, payload]);
  }
}

function datagram(from: End, to: End, payload: Buffer): Buffer {
  const header = Buffer.alloc(UDP_HEADER);
  header.writeUInt16BE(from.port);
  header.writeUInt16BE(to.port, 2);
  const length = header.length + payload.length;
  header.writeUInt16BE(length, 4);
  const sum = checksum(pseudoHeader(from.address, to.address, UDP, length), header, payload);
  header.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  return Buffer.concat([ipHeader(from.address, to.address, UDP, length), header, payload]);
}

function record(timeUs: number, packet: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(Math.floor(timeUs / 1e6) >>> 0);
  header.writeUInt32LE(Math.floor(timeUs % 1e6), 4);
  header.writeUInt32LE(packet.length, 8);
  header.writeUInt32LE(packet.length, 12);
  return Buffer.concat([header, packet]);
}

/** The file. `epochUs` is added to the times of the messages, so that they count from 1970. */
export function formatPcap(messages: readonly CapturedMessage[], epochUs: number): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(MAGIC);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(MAX_PACKET, 16);
  head.writeUInt32LE(RAW_IP, 20);
  const connections = new Connections();
  const packets = messages.flatMap(({ timeUs, from: fromText, to: toText, datagram: isDatagram, bytes }) => {
    let [from, to] = [parseEnd(fromText), parseEnd(toText)];
    // One packet has one family: an end that is not known yet is the unspecified one of the other's.
    if (from.v6 !== to.v6) {
      [from, to] = [from, to].map((end) =>
        end.v6 ? end : { ...end, address: Buffer.alloc(16), v6: true },
      ) as [typeof from, typeof to];
    }
    const made: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += MAX_PAYLOAD) {
      const payload = bytes.subarray(at, at + MAX_PAYLOAD);
      const packet = isDatagram
        ? datagram(from, to, payload)
        : connections.packet(from, to, [fromText, toText], payload);
      made.push(record(epochUs + timeUs, packet));
    }
    return made;
  });
  return Buffer.concat([head, ...packets]);
}
