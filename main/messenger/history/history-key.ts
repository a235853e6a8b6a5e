/**
 * Owns: the key of a history: made once, kept in `history.key` beside it under the host's protection, or under a passphrase.
 * Called by: messenger.ts, reader/reader.ts, hosts/headless/history.ts. Calls: key-file.ts, key-wrapping.ts, secrets.ts.
 */
import { randomBytes } from 'node:crypto';
import { CallError } from '../../../shared/ipc/error-codes.ts';
import { restoreFileOf } from '../../store/backups.ts';
import { isEncryptedDatabase } from '../../store/database.ts';
import type { PassphraseSource, Unlocking } from '../opening.ts';
import { historyOf } from '../profile.ts';
import { filePermissionSecrets, type SecretBox } from '../secrets.ts';
import { checkOf, keyFileOf, locked, readKeyFile, writeKeyFile, type KeyFile } from './key-file.ts';
import { unwrapWithPassphrase, unwrapWithRecovery, wrapWithPassphrase } from './key-wrapping.ts';

const KEY_BYTES = 32;

export interface KeyOptions {
  /** Who is asked for a passphrase. Absent: nobody can be. */
  readonly source?: PassphraseSource | undefined;
  /** The file stays as it is, also when a forgotten passphrase would be replaced. */
  readonly readOnly?: boolean;
}

/**
 * The key of the profile's history; made when there is neither a key nor an encrypted history. Rejects with StoreError
 * `STORE_LOCKED`, which says what to do, when the key cannot be had; nothing has been changed then.
 */
export async function openHistoryKey(
  profile: string,
  secrets: SecretBox,
  { source, readOnly = false }: KeyOptions = {},
): Promise<Uint8Array> {
  const content = await readKeyFile(profile);
  if (content === undefined) return createKey(profile, secrets);
  if (content.version === 1) return reveal(profile, content, secrets);
  if (source === undefined) {
    throw locked('Its passphrase is needed: open it with a window, or give the passphrase in a file.');
  }
  return source.ask('profile', async (answer) => {
    const key = await unwrap(content, answer);
    if (key === undefined) return undefined;
    if (checkOf(key) !== content.check) throw wrongKey(profile);
    if (!('recoveryKey' in answer) || readOnly) return key;
    if (answer.newPassphrase === undefined) {
      throw new CallError('invalid-input', 'Choose a new passphrase.');
    }
    await writeKeyFile(profile, {
      ...content,
      passphrase: await wrapWithPassphrase(key, answer.newPassphrase),
    });
    return key;
  });
}

/** Undefined: that is not it. */
export function unwrap(
  { passphrase, recovery }: Extract<KeyFile, { version: 2 }>,
  answer: Unlocking,
): Promise<Uint8Array | undefined> {
  return 'recoveryKey' in answer
    ? Promise.resolve(unwrapWithRecovery(recovery, answer.recoveryKey))
    : unwrapWithPassphrase(passphrase, answer.passphrase);
}

/** A key that only the host's protection is around. */
export function protectedKey(key: Uint8Array, secrets: SecretBox): KeyFile {
  return {
    version: 1,
    backend: secrets.backend,
    secret: Buffer.from(secrets.protect(Buffer.from(key).toString('hex'))).toString('base64'),
    check: checkOf(key),
  };
}

function reveal(
  profile: string,
  { backend, secret, check }: Extract<KeyFile, { version: 1 }>,
  secrets: SecretBox,
): Uint8Array {
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
  if (key.length !== KEY_BYTES || checkOf(key) !== check) throw wrongKey(profile);
  return key;
}

function wrongKey(profile: string): Error {
  return locked(`${keyFileOf(profile)} has another key. Put the one that belongs to this history back.`);
}

async function createKey(profile: string, secrets: SecretBox): Promise<Uint8Array> {
  const history = historyOf(profile);
  // The history, and what is about to take its place.
  if ([history, restoreFileOf(history), `${history}.recovered`].some(isEncryptedDatabase)) {
    throw locked(`Its key is missing: put history.key back into ${profile} from a copy of the profile.`);
  }
  const key = Uint8Array.from(randomBytes(KEY_BYTES));
  await writeKeyFile(profile, protectedKey(key, secrets));
  return key;
}
