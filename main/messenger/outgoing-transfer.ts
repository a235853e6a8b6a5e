/**
 * Owns: a file on its way out: read once for its hashes, offered, sent from where the other side has it.
 * Called by: transfers.ts. Calls: file-call.ts, msrp/file-source.ts.
 */
import { open as openFile } from 'node:fs';
import { stat } from 'node:fs/promises';
import { MsrpSessionError } from '../msrp/session-error.ts';
import type { FileDescription } from '../msrp/file-sdp.ts';
import { FileSource } from '../msrp/file-source.ts';
import { FileCall, type FileCallContext, type FileCallStart } from './file-call.ts';
import { digestFile } from './file-digest.ts';
import { fileFacts, iconId, iconOf } from './file-offer.ts';
import { createMessageId } from './message-id.ts';
import type { AskedFile, TransferHost, TransferRecord } from './transfer-record.ts';

/** Reads the file once. Leaves it `waiting`, or `failed`. */
export async function prepareFile(record: TransferRecord, signal: AbortSignal): Promise<void> {
  const { path } = record.stored;
  try {
    const { size, mtimeMs } = await stat(path ?? '');
    const { sha1, sha256 } = (await digestFile(path ?? '', size, signal)).finish();
    if (record.state !== 'preparing') return;
    // The thumbnail was made of what was chosen, which it is no more.
    const isAnother = record.stored.sha1 !== null && record.stored.sha1 !== sha1;
    await record.update({
      ...{ state: 'waiting', size, sha1, sha256, modifiedMs: Math.round(mtimeMs) },
      ...(isAnother ? { preview: null } : {}),
    });
  } catch (error) {
    if (signal.aborted || record.state !== 'preparing') return;
    await record.fail('not-read', `The file could not be read (${codeOf(error)}).`);
  }
}

/** Offers the file and sends it. Whatever comes of it is in its state afterwards. */
export async function offerFile(
  host: TransferHost,
  record: TransferRecord,
  context: FileCallContext,
): Promise<void> {
  if (!(await isUnchanged(record))) return;
  const call = new FileCall(context, () => undefined);
  record.call = call;
  await record.update({ state: 'offered', failure: null });
  const message = await host.store.call('selectMessage', { id: record.id });
  const start = await call.invite(
    { ...describe(record, 0), sentMs: message?.sentAtMs },
    iconOf(record.stored),
    () => {
      record.telling?.receiveTold();
    },
  );
  const isKept = start.kind === 'open' && start.isKept;
  if (!isKept) record.telling?.receiveTold();
  const isRoom = context.isRoom === true;
  // What the server keeps waits for him, as a text does; his report says when he has it. In a group nobody says so.
  const sent = isRoom ? 'sent' : isKept ? 'waiting' : 'delivered';
  if (start.kind === 'open') await sendFrom(host, record, call, start.theirs?.start ?? 0, sent);
  else await receiveRefusal(record, start, isRoom);
  // What the server keeps has its place among the messages there when it is whole.
  record.telling?.receiveTold();
}

/** The other side asks for a file that we have offered: sends it from where it has it. */
export async function serveFile(
  host: TransferHost,
  record: TransferRecord,
  { invite, offer, context }: AskedFile,
  start: number,
): Promise<void> {
  if (!(await isUnchanged(record))) {
    await invite.reject(410);
    return;
  }
  const call = new FileCall(context, () => undefined);
  record.call = call;
  const begun = await call.accept(invite, offer, describe(record, start));
  if (begun.kind !== 'open') return;
  if (record.state === 'failed') {
    await host.moveMessage(record.id, 'queued');
    await record.update({ state: 'waiting', failure: null });
  }
  await sendFrom(host, record, call, start);
}

function isStopped({ state }: TransferRecord): boolean {
  return state === 'paused' || state === 'cancelled';
}

/** A file that has changed since its hashes were made is not the one that was offered. False: its state says why. */
async function isUnchanged(record: TransferRecord): Promise<boolean> {
  const { path, size, modifiedMs } = record.stored;
  const now = await stat(path ?? '').catch(() => undefined);
  if (isStopped(record)) return false;
  if (now === undefined) {
    await record.fail('not-read', 'The file is not there any more.');
    return false;
  }
  if (now.size === size && Math.round(now.mtimeMs) === modifiedMs) return true;
  await record.fail('changed', 'The file has changed since. Send it again.');
  return false;
}

/** What becomes of the message of a file that has arrived. */
type SentAs = 'sent' | 'waiting' | 'delivered';

async function sendFrom(
  host: TransferHost,
  record: TransferRecord,
  call: FileCall,
  wanted: number,
  sent: SentAs = 'delivered',
): Promise<void> {
  const { path, type } = record.stored;
  const size = record.stored.size ?? 0;
  const start = wanted <= size ? wanted : 0;
  // It may have rung for days: nothing leaves of a file that is another one by now.
  if (!(await isUnchanged(record))) {
    await call.end();
    return;
  }
  const source = await openSource(path ?? '', start, size);
  if (source === undefined || isStopped(record)) {
    source?.close();
    await call.end();
    if (source === undefined) await record.fail('not-read', 'The file could not be read.');
    return;
  }
  await record.update({ state: 'transferring', bytesDone: start });
  const status = await send(call, source, type, (bytes) => {
    record.receiveProgress(start + bytes);
  });
  source.close();
  await settle(host, record, status, { size, start, sent });
  if (status !== undefined) await call.end();
}

/** The MSRP status; undefined when the way broke first, `not-read` when the file did. */
async function send(
  call: FileCall,
  body: FileSource,
  contentType: string,
  receiveProgress: (bytes: number) => void,
): Promise<number | 'not-read' | undefined> {
  try {
    return await call.send({ messageId: createMessageId(), contentType, body, receiveProgress });
  } catch (error) {
    if (!(error instanceof MsrpSessionError)) throw error;
    return error.code === 'MSRP_SOURCE_FAILED' ? 'not-read' : undefined;
  }
}

async function settle(
  host: TransferHost,
  record: TransferRecord,
  status: number | 'not-read' | undefined,
  { size, start, sent }: { readonly size: number; readonly start: number; readonly sent: SentAs },
): Promise<void> {
  // Our user has paused or cancelled it meanwhile.
  if (record.state !== 'transferring') return;
  switch (status) {
    case 200:
      await record.update({ state: 'done', bytesDone: size });
      await host.moveMessage(record.id, sent);
      return;
    case 'not-read':
      // It may have changed between its offer and its way out.
      if (await isUnchanged(record)) await record.fail('not-read', 'The rest of the file could not be read.');
      return;
    case 413:
      await record.fail('too-large', 'It is too large for the other side, or the disk there is full.');
      return;
    case 400:
      if (await isUnchanged(record)) await record.fail('damaged', 'It did not arrive as it was sent.');
      return;
    case 415:
      await record.fail('not-supported', 'The other side does not take this kind of file.');
      return;
    case 408: {
      // A relay took all of it, or stopped answering; whoever has it says so when it is offered again.
      const before = unconfirmed.get(record);
      const times = before?.start === start ? before.times + 1 : 1;
      unconfirmed.set(record, { start, times });
      if (times < MAX_UNCONFIRMED) await record.update({ state: 'waiting' });
      else await record.fail('refused', 'Nobody has confirmed that it arrived.');
      return;
    }
    default:
      // The way broke, not the file: it goes on from where the other side has it.
      await record.update({ state: 'waiting' });
  }
}

const MAX_UNCONFIRMED = 4;
/** How often it ended so without anything having arrived since. */
const unconfirmed = new WeakMap<TransferRecord, { readonly start: number; readonly times: number }>();
const MAX_REFUSED_MEDIA = 3;
const refusedMedia = new WeakMap<TransferRecord, number>();

async function receiveRefusal(
  record: TransferRecord,
  start: Exclude<FileCallStart, { kind: 'open' }>,
  isRoom: boolean,
): Promise<void> {
  if (record.state !== 'offered' || start.kind === 'no-answer') return;
  const status = start.kind === 'refused' ? start.status : 0;
  switch (status) {
    case 603:
      await record.close('declined');
      return;
    // It is known there and will be asked for.
    case 486:
    case 600:
      return;
    case 413:
      if (isRoom && start.kind === 'refused' && start.isForNow)
        await record.fail('server-full', 'The server has no room for it now.');
      else await record.fail('too-large', 'It is too large for the other side, or the disk there is full.');
      return;
    case 403:
    case 404:
    case 604:
      await record.fail('refused', 'The server did not pass it on.');
      return;
    case 415:
    case 606:
      await record.fail('not-supported', 'The other side does not take files.');
      return;
    case 488: {
      // Said by programs that know no files, and when no connection came about: that may be different soon.
      const times = (refusedMedia.get(record) ?? 0) + 1;
      refusedMedia.set(record, times);
      if (times < MAX_REFUSED_MEDIA) await record.update({ state: 'waiting' });
      else await record.fail('not-supported', 'The other side does not take files.');
      return;
    }
    default:
      await record.update({ state: 'waiting' });
  }
}

function describe(record: TransferRecord, start: number): FileDescription {
  const { stored } = record;
  return {
    direction: 'sendonly',
    ...fileFacts(record.stored),
    disposition: stored.type.startsWith('image/') ? 'render' : 'attachment',
    modifiedMs: stored.modifiedMs ?? undefined,
    start,
    iconId: stored.preview === null ? undefined : iconId(stored.transferId),
  };
}

function openSource(path: string, offset: number, size: number): Promise<FileSource | undefined> {
  const { promise, resolve } = Promise.withResolvers<FileSource | undefined>();
  openFile(path, 'r', (error, file) => {
    resolve(error === null ? new FileSource(file, { offset, size }) : undefined);
  });
  return promise;
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'changed while it was read';
}
