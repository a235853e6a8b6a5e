/**
 * Owns: the key of a history inside of another key: one made of a passphrase, or of a recovery key.
 * Called by: key-file.ts. Calls: node:crypto, passphrase.ts, recovery-key.ts.
 *
 * ChaCha20-Poly1305 with a fresh salt and nonce each time; the check is bound to what stands beside it, so that nobody can
 * make the next guess cheaper by writing other numbers there.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import * as v from 'valibot';
import { SALT_BYTES, STRETCH_COST, stretchPassphrase, type StretchCost } from './passphrase.ts';
import { readRecoveryKey } from './recovery-key.ts';

const CIPHER = 'chacha20-poly1305';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What scrypt may take of this computer's memory, whatever a file says. */
const MAX_STRETCH_BYTES = 1024 ** 3;

const bytes = v.pipe(v.string(), v.regex(/^[A-Za-z0-9+/]*={0,2}$/));
const sealed = { salt: bytes, nonce: bytes, sealed: bytes } as const;
const cost = v.pipe(v.number(), v.integer(), v.minValue(1));

/** The key as a passphrase opens it; `n`, `r`, `p`: the cost of a guess (scrypt). */
export const passphraseWrapSchema = v.pipe(
  v.object({ ...sealed, n: cost, r: cost, p: cost }),
  v.check(({ n, r, p }) => 128 * n * r <= MAX_STRETCH_BYTES && p <= 16),
);
export type PassphraseWrap = v.InferOutput<typeof passphraseWrapSchema>;

export const recoveryWrapSchema = v.object(sealed);
export type RecoveryWrap = v.InferOutput<typeof recoveryWrapSchema>;

export async function wrapWithPassphrase(
  key: Uint8Array,
  passphrase: string,
  stretch: StretchCost = STRETCH_COST,
): Promise<PassphraseWrap> {
  const salt = randomBytes(SALT_BYTES);
  const { n, r, p } = stretch;
  const wrap = seal(
    key,
    await stretchPassphrase(passphrase, salt, stretch),
    boundTo('passphrase', { n, r, p }),
  );
  return { n, r, p, salt: salt.toString('base64'), ...wrap };
}

/** Undefined: it is another passphrase. */
export async function unwrapWithPassphrase(
  wrap: PassphraseWrap,
  passphrase: string,
): Promise<Uint8Array | undefined> {
  const { n, r, p } = wrap;
  const opener = await stretchPassphrase(passphrase, Buffer.from(wrap.salt, 'base64'), { n, r, p });
  return open(wrap, opener, boundTo('passphrase', { n, r, p }));
}

/** `recovery`: the bytes of a recovery key. They are random: nothing has to be stretched. */
export function wrapWithRecovery(key: Uint8Array, recovery: Uint8Array): RecoveryWrap {
  const salt = randomBytes(SALT_BYTES);
  return { salt: salt.toString('base64'), ...seal(key, recoveryOpener(recovery, salt), boundTo('recovery')) };
}

/** `written`: a recovery key as it was printed. Undefined: it is another one, or none. */
export function unwrapWithRecovery(wrap: RecoveryWrap, written: string): Uint8Array | undefined {
  const recovery = readRecoveryKey(written);
  if (recovery === undefined) return undefined;
  return open(wrap, recoveryOpener(recovery, Buffer.from(wrap.salt, 'base64')), boundTo('recovery'));
}

function recoveryOpener(recovery: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', recovery, salt, 'parley history recovery', KEY_BYTES));
}

function boundTo(kind: 'passphrase' | 'recovery', stretch?: StretchCost): Buffer {
  const numbers = stretch === undefined ? '' : ` n=${stretch.n} r=${stretch.r} p=${stretch.p}`;
  return Buffer.from(`parley history.key 2 ${kind}${numbers}`);
}

function seal(key: Uint8Array, opener: Uint8Array, bound: Buffer): { nonce: string; sealed: string } {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, opener, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound, { plaintextLength: key.length });
  const content = Buffer.concat([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return { nonce: nonce.toString('base64'), sealed: content.toString('base64') };
}

function open(wrap: RecoveryWrap, opener: Uint8Array, bound: Buffer): Uint8Array | undefined {
  const content = Buffer.from(wrap.sealed, 'base64');
  if (content.length !== KEY_BYTES + TAG_BYTES) return undefined;
  const nonce = Buffer.from(wrap.nonce, 'base64');
  if (nonce.length !== NONCE_BYTES) return undefined;
  const cipher = createDecipheriv(CIPHER, opener, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound, { plaintextLength: KEY_BYTES });
  cipher.setAuthTag(content.subarray(KEY_BYTES));
  try {
    const key = Buffer.concat([cipher.update(content.subarray(0, KEY_BYTES)), cipher.final()]);
    return Uint8Array.from(key);
  } catch {
    return undefined;
  }
}
