/**
 * Owns: the shape in which bytes on a SIP or MSRP socket are shown to observers (session ladder, flow proof).
 * Called by: sip/engine/transport.ts and msrp/connection.ts, once for each datagram, write and read.
 * Calls: whoever listens.
 */

/** Bytes as they crossed a socket: after TLS when reading, before TLS when writing. */
export interface WireRecord {
  /** `Clock.monotonicUs()` at the read or write. */
  readonly timeUs: number;
  readonly direction: 'in' | 'out';
  readonly protocol: 'sip' | 'msrp';
  readonly transport: 'udp' | 'tcp' | 'tls';
  /** `address:port` of this side. */
  readonly local: string;
  /** `address:port` of the other side. */
  readonly remote: string;
  /** Not to be changed or kept by the observer beyond the call unless copied. */
  readonly bytes: Uint8Array;
}

/** An observer of the wire. It must not throw. */
export type WireTap = (record: WireRecord) => void;

/**
 * A line of a tap file for bytes that were sent: what was received is the other side's line. Undefined otherwise.
 * Messages stand in it in full, so a tap file is for proofs and tests only.
 */
export function formatTapLine({
  direction,
  timeUs,
  local,
  remote,
  transport,
  protocol,
  bytes,
}: WireRecord): string | undefined {
  if (direction === 'in') return undefined;
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  return `${JSON.stringify({ timeUs, local, remote, transport, protocol, bytes: base64 })}\n`;
}
