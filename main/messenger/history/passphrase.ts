/**
 * Owns: how a passphrase becomes a key (scrypt, RFC 7914), and the keys of archives that have one.
 * Called by: archive-export.ts, archive-source.ts, history-key.ts. Calls: node:crypto, node:fs.
 *
 * It takes some tenths of a second and 128 MB on purpose, in the thread pool: nobody else waits for it.
 */
import { randomBytes, scrypt } from 'node:crypto';
import { open } from 'node:fs/promises';

/** The cost of a guess. Of archives it is part of the format; beside the key of a history it is written down. */
export interface StretchCost {
  readonly n: number;
  readonly r: number;
  readonly p: number;
}

export const STRETCH_COST: StretchCost = { n: 2 ** 17, r: 8, p: 1 };
export const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** The key of a passphrase: 32 bytes. The same letters written in another way (Unicode's NFKC) are the same passphrase. */
export async function stretchPassphrase(
  passphrase: string,
  salt: Uint8Array,
  { n, r, p }: StretchCost = STRETCH_COST,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const options = { N: n, r, p, maxmem: 256 * n * r };
  scrypt(passphrase.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) => {
    if (error === null) resolve(Uint8Array.from(key));
    else reject(error);
  });
  return promise;
}

/** For a new archive: its key, and behind it what the file begins with. */
export async function newArchiveKey(passphrase: string): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES);
  return Uint8Array.from([...(await stretchPassphrase(passphrase, salt)), ...salt]);
}

/** The same for an archive that is there: the file begins with its salt. Rejects with the error of the system. */
export async function archiveKeyOf(path: string, passphrase: string): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const salt = Buffer.alloc(SALT_BYTES);
    await file.read(salt, 0, SALT_BYTES, 0);
    return Uint8Array.from([...(await stretchPassphrase(passphrase, salt)), ...salt]);
  } finally {
    await file.close();
  }
}
