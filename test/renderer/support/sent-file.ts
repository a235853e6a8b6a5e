/** Owns: a file that our user has just sent. Called by: memory-backend.ts. */
import type { Transfer } from '../../../shared/domain/transfer.ts';

export const sentFile: Transfer = {
  name: '',
  type: 'application/octet-stream',
  size: 2_400_000,
  state: 'waiting',
  bytesDone: 0,
  failure: null,
  preview: null,
  available: true,
};
