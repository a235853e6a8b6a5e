/**
 * Owns: certificate fingerprints in SDP, and whether a certificate is the one that was announced (RFC 8122 §5).
 * Called by: sdp.ts, dialer.ts, session.ts. Calls: node:crypto.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

/** The hashes that we know, best first. SHA-1 counts only when the peer has nothing better (RFC 8122 §5.1). */
const HASHES = ['sha-512', 'sha-384', 'sha-256', 'sha-1'] as const;
type HashName = (typeof HASHES)[number];

/** One `a=fingerprint`. */
export interface MsrpFingerprint {
  readonly hash: HashName;
  readonly digest: Buffer;
}

const FINGERPRINT = /^([A-Za-z0-9-]+)\s+([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)$/;
const SIZES: Readonly<Record<HashName, number>> = {
  'sha-512': 64,
  'sha-384': 48,
  'sha-256': 32,
  'sha-1': 20,
};

/** Reads the value of `a=fingerprint`; undefined for hashes that we do not know and for what is none. */
export function parseFingerprint(value: string): MsrpFingerprint | undefined {
  const [, name = '', hex = ''] = FINGERPRINT.exec(value.trim()) ?? [];
  const hash = HASHES.find((known) => known === name.toLowerCase());
  const digest = Buffer.from(hex.replaceAll(':', ''), 'hex');
  return hash !== undefined && digest.length === SIZES[hash] ? { hash, digest } : undefined;
}

function digestOf(hash: HashName, certificate: Uint8Array): Buffer {
  return createHash(hash.replace('-', '')).update(certificate).digest();
}

/** The value of `a=fingerprint` for a certificate in DER: upper-case pairs. */
export function formatFingerprint(certificate: Uint8Array): string {
  const pairs = digestOf('sha-256', certificate).toString('hex').toUpperCase().match(/../g) ?? [];
  return `SHA-256 ${pairs.join(':')}`;
}

/**
 * Whether `certificate` (DER) is one of those announced. Only the best hash among them counts (RFC 8122 §5.1): whoever
 * can forge a weak one gains nothing when there is a strong one.
 */
export function isAnnounced(
  certificate: Uint8Array | undefined,
  announced: readonly MsrpFingerprint[],
): boolean {
  const best = HASHES.find((hash) => announced.some((one) => one.hash === hash));
  if (certificate === undefined || best === undefined) return false;
  const actual = digestOf(best, certificate);
  return announced.some((one) => one.hash === best && timingSafeEqual(one.digest, actual));
}
