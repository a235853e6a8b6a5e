/**
 * Owns: the arithmetic of digest authentication (RFC 7616 §3.4). Called by: sip/digest.ts, msrp/relay-auth.ts,
 * imserver. Calls: node:crypto.
 */
import { createHash } from 'node:crypto';

/** The algorithms that we know, best first. */
export const DIGEST_ALGORITHMS = ['SHA-256', 'MD5'] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

function hash(algorithm: DigestAlgorithm, text: string): string {
  return createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text, 'utf8')
    .digest('hex');
}

/** H(user:realm:password), lower-case hexadecimal: what a server stores instead of the password. */
export function digestHa1(algorithm: DigestAlgorithm, user: string, realm: string, password: string): string {
  return hash(algorithm, `${user}:${realm}:${password}`);
}

/** The `response` of RFC 7616 §3.4.1. Without `qop` it is the old form of RFC 2069. */
export function digestResponse(input: {
  readonly algorithm: DigestAlgorithm;
  readonly ha1: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  readonly qop?: { readonly value: string; readonly nc: string; readonly cnonce: string };
}): string {
  const ha2 = hash(input.algorithm, `${input.method}:${input.uri}`);
  const middle = input.qop
    ? `${input.nonce}:${input.qop.nc}:${input.qop.cnonce}:${input.qop.value}`
    : input.nonce;
  return hash(input.algorithm, `${input.ha1}:${middle}:${ha2}`);
}
