/**
 * Owns: the thread that reads an export: lines checked and taken apart, files copied, messages made ready for the store.
 * Called by: import-reader.ts through messages. Calls: export-source.ts, store/message-preparing.ts.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import { messageStateSchema, type MessageState, type MessageTime } from '../../../shared/domain/message.ts';
import { messagePreparer, type ImportedMessage } from '../../store/message-preparing.ts';
import { safeFileName } from '../file-name.ts';
import type { Attachments } from './attachments.ts';
import { ExportError } from './export-error.ts';
import { hashFile, type ExportLine } from './export-format.ts';
import { openExport } from './export-source.ts';
import { MAX_AHEAD, type ConversationLine, type ImportPiece, type ImportStart } from './import-protocol.ts';

type MessageLine = Extract<ExportLine, { type: 'message' }>;

const port = parentPort;
if (port === null) throw new Error('an export is read for an import in a thread only');
const { from, passphrase, filesFolder } = workerData as ImportStart;

/** Messages of one part: whoever asks the store for something else waits for no more than these. */
const PART = 1_000;

let handedOut = 0;
let settled = 0;
let wake: (() => void) | undefined;
/** Nobody wants the rest. */
const stop = new AbortController();
port.on('message', (said: 'settled' | 'stop') => {
  if (said === 'stop') stop.abort();
  else settled += 1;
  wake?.();
});

function tell(piece: ImportPiece): void {
  port?.postMessage(piece);
}

/** Waits until not too much is under way. */
async function room(): Promise<void> {
  while (handedOut - settled >= MAX_AHEAD) {
    stop.signal.throwIfAborted();
    await new Promise<void>((done) => {
      wake = done;
    });
  }
}

/** Nothing that is taken in goes out again. */
function importedState(state: string): MessageState {
  const known = messageStateSchema.options.find((option) => option === state) ?? 'read';
  if (known === 'queued' || known === 'waiting') return 'failed';
  return known === 'received' ? 'read' : known;
}

/** A state that a newer program has is none here. */
function toTime({ state, at }: NonNullable<MessageLine['times']>[number]): MessageTime[] {
  const known = messageStateSchema.options.find((option) => option === state);
  return known === undefined ? [] : [{ state: known, atMs: Date.parse(at) }];
}

/** `conversationId` is still that of the export. */
function toMessage(line: MessageLine): ImportedMessage {
  const { direction, wireId, text, headers } = line;
  return {
    // An outgoing message is known by the same id to both sides; an incoming one gets one of ours.
    ...(direction === 'out' ? { id: wireId as MessageId } : {}),
    conversationId: line.conversation as ConversationId,
    direction,
    wireId,
    text,
    sentAtMs: Date.parse(line.sentAt),
    storedAtMs: Date.parse(line.storedAt),
    state: importedState(line.state),
    ...(line.times === undefined ? {} : { times: line.times.flatMap(toTime) }),
    displayReportWanted: false,
    ...(line.group === undefined ? {} : { group: line.group }),
    ...(line.replyTo === undefined ? {} : { replyTo: line.replyTo }),
    ...(line.changes === undefined
      ? {}
      : { changes: line.changes.map(({ at, ...change }) => ({ ...change, atMs: Date.parse(at) })) }),
    headers,
  };
}

async function withFile(
  message: ImportedMessage,
  file: NonNullable<MessageLine['file']>,
  attachments: Attachments,
): Promise<ImportedMessage> {
  const { wireId } = message;
  let path: string | null = null;
  if (file.path !== null) {
    const target = join(filesFolder, safeFileName(`${wireId.slice(0, 16)}-${file.name}`));
    if ((await isThere(target, file)) || (await copyTo(target, file.path, attachments))) path = target;
  }
  const { name, type, size, sha256 } = file;
  return {
    ...message,
    file: {
      transferId: wireId.slice(0, 32),
      name: safeFileName(name),
      type,
      size,
      sha1: null,
      sha256,
      modifiedMs: null,
      state: path === null ? 'cancelled' : 'done',
      accepted: true,
      bytesDone: path === null ? 0 : (size ?? 0),
      path,
      partPath: null,
      preview: null,
      failure: null,
    },
  };
}

/** An import of before has left it here, or begun to. Rejects with the error of the system. */
async function isThere(target: string, { size, sha256 }: NonNullable<MessageLine['file']>): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  if (found?.isFile() !== true || sha256 === null || (size !== null && found.size !== size)) return false;
  return (await hashFile(target)).sha256 === sha256;
}

/** False: the export has not got it. Rejects with the error of the system, as when the disk is full. */
async function copyTo(target: string, path: string, attachments: Attachments): Promise<boolean> {
  await mkdir(dirname(target), { recursive: true });
  const part = `${target}.part`;
  try {
    await pipeline(attachments(path), createWriteStream(part), { signal: stop.signal });
    await rename(part, target);
    return true;
  } catch (error) {
    await rm(part, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

async function read(): Promise<void> {
  await using source = await openExport(from, passphrase);
  const prepare = messagePreparer();
  const known = new Set<string>();
  let conversations: ConversationLine[] = [];
  let batch: ImportedMessage[] = [];
  const hand = async (): Promise<void> => {
    handedOut += 1;
    tell({ type: 'part', conversations, messages: prepare(batch) });
    conversations = [];
    batch = [];
    await room();
  };
  for await (const line of source.lines()) {
    stop.signal.throwIfAborted();
    if (line.type === 'conversation') {
      known.add(line.id);
      conversations.push(line);
    }
    if (line.type !== 'message') continue;
    if (!known.has(line.conversation)) {
      throw new ExportError(`${line.conversation}: no such conversation`);
    }
    const message = toMessage(line);
    batch.push(line.file === null ? message : await withFile(message, line.file, source.attachments));
    if (batch.length >= PART) await hand();
  }
  if (batch.length + conversations.length > 0) await hand();
}

try {
  await read();
  tell({ type: 'end' });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  tell({
    type: 'failed',
    kind: error instanceof ExportError ? error.kind : null,
    code: code ?? null,
    message,
  });
}
port.close();
