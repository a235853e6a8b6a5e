/**
 * Owns: the closed list of codes that a call may return. Called by: commands, api-server, renderer.
 * Calls: nothing. Nobody matches on the text that comes with a code.
 */
export const errorCodes = [
  'invalid-input',
  'unknown-call',
  'not-found',
  'already-exists',
  'not-signed-in',
  'not-allowed',
  'locked',
  'busy',
  'too-large',
  'too-many',
  'server-unreachable',
  'wrong-password',
  'not-running',
  'not-open',
  'read-only',
  'port-in-use',
  'disk-full',
  'store-failed',
  'closed',
  'internal',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

/** An expected outcome of a call that is not success. `message` tells the user what to do. */
export class CallError extends Error {
  override readonly name = 'CallError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
