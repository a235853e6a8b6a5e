/**
 * Owns: capturing loopback traffic with dumpcap, and reading the capture file.
 * Called by: flow.ts. Calls: dumpcap (it comes with Wireshark's tshark).
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';

/** One packet's payload between two `address:port`. */
export interface CapturedPacket {
  readonly timeUs: number;
  readonly from: string;
  readonly to: string;
  readonly transport: 'udp' | 'tcp';
  /** TCP sequence number of the first byte; 0 for UDP. */
  readonly sequence: number;
  /** A TCP segment that ends its direction. */
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** A capture that is running. */
export interface Capture {
  /** When dumpcap has ended: stopped, or at its limits. */
  readonly ended: Promise<void>;
  /** Stops it and returns everything that was captured. */
  stop(): Promise<CapturedPacket[]>;
}

/** Where a capture ends by itself: nobody stops it when the program that began it was killed. */
export interface CaptureLimits {
  readonly maxSeconds: number;
  readonly maxKilobytes: number;
}

/** Many times what the flow takes. */
const LIMITS: CaptureLimits = { maxSeconds: 300, maxKilobytes: 1_000_000 };

const START_MS = 5_000;
const LAST_PACKET_MS = 5_000;
const LOOK_AGAIN_MS = 20;

/**
 * Starts to capture on the loopback interface into `file`. Undefined when this machine cannot: no dumpcap, or no
 * right to use it.
 */
export async function startCapture(
  file: string,
  { maxSeconds, maxKilobytes }: CaptureLimits = LIMITS,
): Promise<Capture | undefined> {
  const limits = ['-a', `duration:${maxSeconds}`, '-a', `filesize:${maxKilobytes}`];
  const child = spawn(
    'dumpcap',
    ['-i', 'lo', '-P', '-q', '-B', '32', ...limits, '-w', file, '-f', 'udp or tcp'],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
  const hasEnded = () => child.exitCode !== null || child.pid === undefined;
  const deadline = Date.now() + START_MS;
  // The file's header is written when the interface is open.
  while (!hasEnded() && ((await stat(file).catch(() => undefined))?.size ?? 0) < PCAP_HEADER_BYTES) {
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      return undefined;
    }
    await new Promise((done) => setTimeout(done, 5));
  }
  if (hasEnded()) return undefined;
  return {
    ended,
    stop: async () => {
      await untilCaptured(file);
      child.kill('SIGINT');
      await ended;
      return readCapture(await readFile(file));
    },
  };
}

/**
 * Packets reach the file some time after they crossed the sockets: sends a packet of its own, and waits until that
 * one is there, with everything before it.
 */
async function untilCaptured(file: string): Promise<void> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const last = randomBytes(16);
    const deadline = Date.now() + LAST_PACKET_MS;
    do {
      socket.send(last, socket.address().port, '127.0.0.1');
      await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
      if ((await readFile(file)).includes(last)) return;
    } while (Date.now() < deadline);
    throw new Error('dumpcap does not write what it captures');
  } finally {
    socket.close();
  }
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;
const IPV4 = 0x0800;
const TCP = 6;
const UDP = 17;
const FIN = 0x01;

/** Reads a pcap file of Ethernet (loopback) packets. Packets that are not UDP or TCP over IPv4 are passed over. */
export function readCapture(file: Buffer): CapturedPacket[] {
  const magic = file.readUInt32LE(0);
  if (magic !== MAGIC_US && magic !== MAGIC_NS) throw new Error('not a pcap file');
  const fraction = magic === MAGIC_NS ? 1_000 : 1;
  const packets: CapturedPacket[] = [];
  let offset = PCAP_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= file.length) {
    const timeUs =
      file.readUInt32LE(offset) * 1_000_000 + Math.floor(file.readUInt32LE(offset + 4) / fraction);
    const length = file.readUInt32LE(offset + 8);
    const packet = readPacket(
      file.subarray(offset + RECORD_HEADER_BYTES, offset + RECORD_HEADER_BYTES + length),
      timeUs,
    );
    if (packet !== undefined) packets.push(packet);
    offset += RECORD_HEADER_BYTES + length;
  }
  return packets;
}

function readPacket(bytes: Buffer, timeUs: number): CapturedPacket | undefined {
  if (bytes.length < ETHERNET_BYTES + 20 || bytes.readUInt16BE(12) !== IPV4) return undefined;
  const ip = bytes.subarray(ETHERNET_BYTES);
  const ipHeader = (ip.readUInt8(0) & 0x0f) * 4;
  const segment = ip.subarray(ipHeader, ip.readUInt16BE(2));
  const protocol = ip.readUInt8(9);
  if (protocol !== TCP && protocol !== UDP) return undefined;
  const address = (at: number) => [...ip.subarray(at, at + 4)].join('.');
  const tcp = protocol === TCP;
  const header = tcp ? (segment.readUInt8(12) >> 4) * 4 : 8;
  return {
    timeUs,
    from: `${address(12)}:${segment.readUInt16BE(0)}`,
    to: `${address(16)}:${segment.readUInt16BE(2)}`,
    transport: tcp ? 'tcp' : 'udp',
    sequence: tcp ? segment.readUInt32BE(4) : 0,
    fin: tcp && (segment.readUInt8(13) & FIN) !== 0,
    payload: segment.subarray(header),
  };
}
