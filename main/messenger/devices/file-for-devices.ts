/**
 * Owns: leaving a file at our own server for the other devices of our user, who ask for it when they hear of it.
 * Called by: account-copies.ts. Calls: file-call.ts, msrp/file-source.ts.
 */
import { open as openFile } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FileSource } from '../../msrp/file-source.ts';
import { MsrpSessionError } from '../../msrp/session-error.ts';
import type { PlacedTransfer } from '../../store/transfers.ts';
import { FileCall, type FileCallContext } from '../file-call.ts';
import { fileFacts } from '../file-offer.ts';
import { createMessageId } from '../message-id.ts';

/** `not-kept`: the server does not take it, or it is not here any more. `later`: it may be taken when it is tried again. */
export type LeftFile = 'kept' | 'not-kept' | 'later';

const NO_SINK = () => undefined;

/** `context` leads to our own address. Never rejects for what the server or the way does. */
export async function leaveFile(context: FileCallContext, file: PlacedTransfer): Promise<LeftFile> {
  const source = await openUnchanged(file);
  if (source === undefined) return 'not-kept';
  const call = new FileCall(context, NO_SINK);
  try {
    const start = await call.invite({
      direction: 'sendonly',
      ...fileFacts(file),
      size: source.size,
      disposition: 'attachment',
      modifiedMs: undefined,
      start: 0,
      iconId: undefined,
    });
    if (start.kind === 'refused') return start.status === 0 || start.status >= 500 ? 'later' : 'not-kept';
    if (start.kind !== 'open') return 'later';
    if (!start.isKept) return 'not-kept';
    // Another device has left it already.
    if (start.theirs?.start === source.size) return 'kept';
    const sent = { messageId: createMessageId(), contentType: file.type, body: source };
    const status = await call.send(sent);
    return status === 200 ? 'kept' : status === 408 ? 'later' : 'not-kept';
  } catch (error) {
    if (!(error instanceof MsrpSessionError)) throw error;
    return 'later';
  } finally {
    source.close();
    await call.end();
  }
}

/** Undefined: it is not there, or another one by now. */
async function openUnchanged({
  path,
  size,
  direction,
  modifiedMs,
}: PlacedTransfer): Promise<FileSource | undefined> {
  const found = await stat(path ?? '').catch(() => undefined);
  if (found?.isFile() !== true || found.size !== size) return undefined;
  if (direction === 'out' && Math.round(found.mtimeMs) !== modifiedMs) return undefined;
  const { promise, resolve } = Promise.withResolvers<FileSource | undefined>();
  openFile(path ?? '', 'r', (error, file) => {
    resolve(error === null ? new FileSource(file, { offset: 0, size: found.size }) : undefined);
  });
  return promise;
}
