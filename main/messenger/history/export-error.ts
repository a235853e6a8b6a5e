/**
 * Owns: the error of an export that is not what it says. Called by: main/messenger/history, hosts/headless/history.ts.
 * Calls: nothing.
 */

/** `message` says what is wrong, and where. `locked`: it needs a passphrase, or another one. */
export class ExportError extends Error {
  override readonly name = 'ExportError';
  readonly kind: 'wrong' | 'locked';

  constructor(message: string, kind: 'wrong' | 'locked' = 'wrong') {
    super(message);
    this.kind = kind;
  }
}
