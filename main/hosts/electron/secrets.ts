/**
 * Owns: passwords in the keyring of the operating system. Called by: main.ts. Calls: Electron's safeStorage.
 */
/* eslint-disable @typescript-eslint/no-deprecated -- the store asks for secrets synchronously; so does this half of safeStorage. */
import type { SafeStorage } from 'electron';
import type { Log } from '../../base/log.ts';
import { filePermissionSecrets, type SecretBox } from '../../messenger/secrets.ts';

/** What Electron encrypts with when there is no keyring: a password that everybody knows. */
const NOT_A_KEYRING: ReadonlySet<string> = new Set(['basic_text', 'unknown']);

function backendName(safeStorage: SafeStorage, platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'keychain';
  if (platform === 'win32') return 'dpapi';
  return safeStorage.getSelectedStorageBackend();
}

/** The keyring; without one, the file permissions of the profile, with a warning. After Electron is ready. */
export function keyringSecrets(options: {
  safeStorage: SafeStorage;
  log: Log;
  platform?: NodeJS.Platform;
}): SecretBox {
  const { safeStorage, log, platform = process.platform } = options;
  const available = safeStorage.isEncryptionAvailable();
  const backend = available ? backendName(safeStorage, platform) : 'none';
  if (!available || NOT_A_KEYRING.has(backend)) {
    log.warn('keyring.missing', { backend });
    return filePermissionSecrets;
  }
  return {
    backend,
    protect: (secret) => new Uint8Array(safeStorage.encryptString(secret)),
    reveal: (secret) => safeStorage.decryptString(Buffer.from(secret)),
  };
}
