/**
 * Owns: the file `history.key`: its shapes, reading it, and writing it so that one of two is there whatever happens.
 * Called by: history-key.ts, history-lock.ts. Calls: key-wrapping.ts, node:fs.
 */
import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { StoreError } from '../../store/database.ts';
import { syncPath } from '../../store/sync-path.ts';
import { passphraseWrapSchema, recoveryWrapSchema } from './key-wrapping.ts';

const CHECK_CHARS = 16;

/** The beginning of the key's SHA-256: tells a wrong key from a damaged history. */
const check = v.string();

const keyFileSchema = v.variant('version', [
  v.object({
    version: v.literal(1),
    /** What protects `secret`, as for passwords. */
    backend: v.string(),
    /** Base64 of what the secret box made of the key in hexadecimal. */
    secret: v.string(),
    check,
  }),
  v.object({
    version: v.literal(2),
    /** What opens it is in its user's head, or in his drawer. */
    passphrase: passphraseWrapSchema,
    recovery: recoveryWrapSchema,
    check,
  }),
]);
export type KeyFile = v.InferOutput<typeof keyFileSchema>;

/** In the folder of the profile. */
export function keyFileOf(profile: string): string {
  return join(profile, 'history.key');
}

/** Undefined: there is none. Rejects with StoreError `STORE_LOCKED` when it cannot be understood. */
export async function readKeyFile(profile: string): Promise<KeyFile | undefined> {
  const path = keyFileOf(profile);
  let written: string;
  try {
    written = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    return undefined;
  }
  const parsed = v.safeParse(keyFileSchema, parseJson(written));
  if (!parsed.success) throw locked(`${path} is damaged. Put it back from a copy of the profile.`);
  return parsed.output;
}

/** Takes the place of the one before in one rename, when it is on the disk. */
export async function writeKeyFile(profile: string, content: KeyFile): Promise<void> {
  const path = keyFileOf(profile);
  const file = await open(`${path}.part`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  syncPath(dirname(path));
}

export function checkOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, CHECK_CHARS);
}

export function locked(what: string): StoreError {
  return new StoreError('STORE_LOCKED', `The history is encrypted. ${what} Nothing was changed.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
