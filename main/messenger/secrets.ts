/**
 * Owns: the shape of what protects passwords on disk. Implemented by: each host (Electron: the OS keyring).
 * Called by: messenger.ts. Calls: nothing.
 */

/** Protects small secrets. The name of the backend is stored beside what it protected. */
export interface SecretBox {
  readonly backend: string;
  protect(secret: string): Uint8Array;
  /** Throws when the secret cannot be read (another keyring, another user). */
  reveal(secret: Uint8Array): string;
}

/** For hosts without a keyring: the file permissions of the profile folder (owner only) are the protection. */
export const filePermissionSecrets: SecretBox = {
  backend: 'file-permissions',
  protect: (secret) => new TextEncoder().encode(secret),
  reveal: (secret) => new TextDecoder('utf-8', { fatal: true }).decode(secret),
};
