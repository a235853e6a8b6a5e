/**
 * Owns: the key of a history: made once, kept in `history.key` beside it under the host's protection.
 * Called by: messenger.ts, hosts/headless/history.ts. Calls: secrets.ts, node:crypto, node:fs.
 */
import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { restoreFileOf } from '../../store/backups.ts';
import { isEncryptedDatabase, StoreError } from '../../store/database.ts';
import { syncPath } from '../../store/sync-path.ts';
import { historyOf } from '../profile.ts';
import { filePermissionSecrets, type SecretBox } from '../secrets.ts';

const KEY_BYTES = 32;
const CHECK_CHARS = 16;

const keyFileSchema = v.object({
  version: v.literal(1),
  /** What protects `secret`, as for passwords. */
  backend: v.string(),
  /** Base64 of what the secret box made of the key in hexadecimal. */
  secret: v.string(),
  /** The beginning of the key's SHA-256: tells a wrong key from a damaged history. */
  check: v.string(),
});

/** In the folder of the profile. */
export function keyFileOf(profile: string): string {
  return join(profile, 'history.key');
}

/**
 * The key of the profile's history; made when there is neither a key nor an encrypted history. Rejects with StoreError
 * `STORE_LOCKED`, which says what to do, when the key cannot be had; nothing has been changed then.
 */
export async function openHistoryKey(profile: string, secrets: SecretBox): Promise<Uint8Array> {
  const path = keyFileOf(profile);
  let written: string;
  try {
    written = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    return createKey(profile, secrets);
  }
  const parsed = v.safeParse(keyFileSchema, parseJson(written));
  if (!parsed.success) {
    throw locked(`${path} is damaged. Put it back from a copy of the profile.`);
  }
  const { backend, secret, check } = parsed.output;
  const box = backend === filePermissionSecrets.backend ? filePermissionSecrets : secrets;
  if (box.backend !== backend) {
    throw locked(
      `Its key is kept by ${backend}, which cannot be asked here. Open the profile with the program that made it.`,
    );
  }
  let key: Uint8Array;
  try {
    key = Uint8Array.from(Buffer.from(box.reveal(Buffer.from(secret, 'base64')), 'hex'));
  } catch {
    throw locked(`Its key could not be read from ${backend}. Unlock it, or sign in as the user who made it.`);
  }
  if (key.length !== KEY_BYTES || checkOf(key) !== check) {
    throw locked(`${path} has another key. Put the one that belongs to this history back.`);
  }
  return key;
}

function locked(what: string): StoreError {
  return new StoreError('STORE_LOCKED', `The history is encrypted. ${what} Nothing was changed.`);
}

async function createKey(profile: string, secrets: SecretBox): Promise<Uint8Array> {
  const path = keyFileOf(profile);
  const history = historyOf(profile);
  // The history, and what is about to take its place.
  if ([history, restoreFileOf(history), `${history}.recovered`].some(isEncryptedDatabase)) {
    throw locked(`Its key is missing: put history.key back into ${profile} from a copy of the profile.`);
  }
  const key = Uint8Array.from(randomBytes(KEY_BYTES));
  const content = {
    version: 1,
    backend: secrets.backend,
    secret: Buffer.from(secrets.protect(Buffer.from(key).toString('hex'))).toString('base64'),
    check: checkOf(key),
  } satisfies v.InferOutput<typeof keyFileSchema>;
  const file = await open(`${path}.part`, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(content)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  syncPath(dirname(path));
  return key;
}

function checkOf(key: Uint8Array): string {
  return createHash('sha256').update(key).digest('hex').slice(0, CHECK_CHARS);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
