/** Owns: a call that the memory backend refuses. Called by: memory-backend.ts and its parts. Calls: nothing. */
import type { ErrorCode } from '../../../shared/ipc/error-codes.ts';

export class Refusal extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
