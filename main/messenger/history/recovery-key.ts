/**
 * Owns: recovery keys as people print and type them. Called by: key-wrapping.ts, history-lock.ts. Calls: node:crypto.
 *
 * 160 random bits and 20 of a check, in nine groups of four signs (Crockford's base 32: no I, L, O, U; case does not matter).
 */
import { createHash, randomBytes } from 'node:crypto';

const SIGNS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const BYTES = 20;
const KEY_SIGNS = 32;
const CHECK_SIGNS = 4;

export interface RecoveryKey {
  readonly bytes: Uint8Array;
  /** `3F7K-…`, for people. */
  readonly text: string;
}

export function newRecoveryKey(): RecoveryKey {
  const bytes = randomBytes(BYTES);
  const signs = toSigns(bytes, KEY_SIGNS) + checkOf(bytes);
  return { bytes, text: (signs.match(/.{4}/g) ?? []).join('-') };
}

/** Its bytes; undefined when it is none, or is not as it was printed. What people mix up is taken as it was meant. */
export function readRecoveryKey(text: string): Uint8Array | undefined {
  const signs = text
    .toUpperCase()
    .replace(/[\s\p{Pd}]/gu, '')
    .replace(/O/g, '0')
    .replace(/[IL]/g, '1');
  if (signs.length !== KEY_SIGNS + CHECK_SIGNS) return undefined;
  const values = Array.from(signs, (sign) => SIGNS.indexOf(sign));
  if (values.includes(-1)) return undefined;
  let number = 0n;
  for (const value of values.slice(0, KEY_SIGNS)) number = number * 32n + BigInt(value);
  const bytes = Buffer.from(number.toString(16).padStart(BYTES * 2, '0'), 'hex');
  return checkOf(bytes) === signs.slice(KEY_SIGNS) ? bytes : undefined;
}

function checkOf(bytes: Uint8Array): string {
  return toSigns(createHash('sha256').update('parley recovery key').update(bytes).digest(), CHECK_SIGNS);
}

/** The first so many signs. */
function toSigns(bytes: Uint8Array, count: number): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return Array.from({ length: count }, (_, at) => SIGNS[parseInt(bits.slice(at * 5, at * 5 + 5), 2)]).join(
    '',
  );
}
