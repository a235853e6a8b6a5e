/**
 * Owns: a file of a conversation as it begins: one of ours, or one that is offered to us. Called by: transfers.ts.
 * Calls: file-name.ts.
 */
import { createHash } from 'node:crypto';
import type { Message } from '../../shared/domain/message.ts';
import type { FileIcon } from '../msrp/file-body.ts';
import type { FileDescription } from '../msrp/file-sdp.ts';
import type { PlacedTransfer, StoredTransfer } from '../store/transfers.ts';
import { safeFileName } from './file-name.ts';

const MAX_WIRE_ID_CHARS = 200;

/** What is true of every file before anything has happened to it. */
export const unsent = {
  sha1: null,
  sha256: null,
  modifiedMs: null,
  accepted: false,
  bytesDone: 0,
  path: null,
  partPath: null,
  preview: null,
  failure: null,
} as const;

/** As its offer describes it; `wireId` is what it is called when the offer does not say. */
export function offeredTransfer(
  file: FileDescription,
  icon: FileIcon | undefined,
  wireId: string,
): Omit<StoredTransfer, 'messageId'> {
  return {
    ...unsent,
    transferId: file.transferId ?? wireId,
    name: safeFileName(file.name ?? ''),
    type: file.type ?? 'application/octet-stream',
    size: file.size ?? null,
    sha1: file.sha1 ?? null,
    sha256: file.sha256 ?? null,
    modifiedMs: file.modifiedMs ?? null,
    state: 'offered',
    preview: icon?.bytes ?? null,
  };
}

/** With the message that it was stored as. */
export function placed(
  file: Omit<StoredTransfer, 'messageId'>,
  { id, conversationId, direction, position }: Message,
): PlacedTransfer {
  return { ...file, messageId: id, conversationId, direction, position };
}

/** An id that others have made up, short enough for the store. */
export function boundedId(id: string): string {
  return id.length <= MAX_WIRE_ID_CHARS ? id : createHash('sha256').update(id).digest('hex');
}
