/**
 * Owns: taking an exported history in. Called by: history-jobs.ts, hosts/headless/history.ts. Calls: export-source.ts,
 * store.ts.
 *
 * What is there already (same conversation, same side, same id between the messengers) stays as it is, so that an import
 * can be repeated, or gone on with, at any time.
 */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import { messageStateSchema, type MessageState } from '../../../shared/domain/message.ts';
import type { ImportedMessage } from '../../store/message-import.ts';
import { goneAccountId } from '../../store/accounts.ts';
import type { Store } from '../../store/store.ts';
import { safeFileName } from '../file-name.ts';
import type { Attachments } from './attachments.ts';
import { ExportError } from './export-error.ts';
import type { ExportLine } from './export-format.ts';
import { openExport } from './export-source.ts';

export interface ImportOptions {
  readonly store: Store;
  /** The export: its folder, or an archive. */
  readonly from: string;
  /** Of an archive that has one. */
  readonly passphrase?: string | undefined;
  /** Where files of messages go. */
  readonly filesFolder: string;
  readonly receiveProgress?: (progress: { readonly messages: number }) => void;
}

export interface ImportResult {
  readonly conversations: number;
  /** Read, and of these new. */
  readonly messages: number;
  readonly added: number;
}

type MessageLine = Extract<ExportLine, { type: 'message' }>;

/** Messages of one call: whoever asks for something else waits for no more than these. */
const BATCH = 1_000;
/** Calls under way: the store puts several into one commit, and never waits for the next. */
const MAX_UNDER_WAY = 32;

/** Imports. Rejects with ExportError when a line is not as it was written; what came before it is in. */
export async function importHistory(options: ImportOptions): Promise<ImportResult> {
  const { store, from, passphrase } = options;
  await using source = await openExport(from, passphrase);
  const conversations = new Map<string, ConversationId>();
  let batch: ImportedMessage[] = [];
  const underWay: { readonly count: number; readonly added: Promise<number> }[] = [];
  let messages = 0;
  let added = 0;
  const settleFirst = async (): Promise<void> => {
    const first = underWay.shift();
    if (first === undefined) return;
    added += await first.added;
    messages += first.count;
    options.receiveProgress?.({ messages });
  };
  const hand = async (): Promise<void> => {
    const call = store.call('importMessages', batch);
    // It is looked at when its turn comes.
    call.catch(() => undefined);
    underWay.push({ count: batch.length, added: call });
    batch = [];
    if (underWay.length >= MAX_UNDER_WAY) await settleFirst();
  };
  try {
    for await (const line of source.lines()) {
      if (line.type === 'conversation') conversations.set(line.id, await openConversation(store, line));
      if (line.type !== 'message') continue;
      const conversationId = conversations.get(line.conversation);
      if (conversationId === undefined) throw new ExportError(`${line.conversation}: no such conversation`);
      batch.push(await toNewMessage(options, source.attachments, line, conversationId));
      if (batch.length >= BATCH) await hand();
    }
    if (batch.length > 0) await hand();
    while (underWay.length > 0) await settleFirst();
  } finally {
    // Nothing goes on behind the back of who has asked for it.
    await Promise.allSettled(underWay.map((call) => call.added));
  }
  return { conversations: conversations.size, messages, added };
}

async function openConversation(
  store: Store,
  line: Extract<ExportLine, { type: 'conversation' }>,
): Promise<ConversationId> {
  const accountId =
    (await store.call('selectAccountIdOf', { address: line.account })) ?? goneAccountId(line.account);
  const { conversation } = await store.call('openConversation', {
    id: randomUUID() as ConversationId,
    accountId,
    peerAddress: line.peerAddress,
    peerName: line.peerName,
    standing: line.standing,
    nowMs: 0,
  });
  // The server is asked whether it is still one of ours when somebody joins it again.
  if (line.kind === 'group' && conversation.kind !== 'group') {
    await store.call('updateGroup', { conversationId: conversation.id, membership: 'left' });
  }
  return conversation.id;
}

/** Nothing that is taken in goes out again. */
function importedState(state: string): MessageState {
  const known = messageStateSchema.options.find((option) => option === state) ?? 'read';
  if (known === 'queued' || known === 'waiting') return 'failed';
  return known === 'received' ? 'read' : known;
}

async function toNewMessage(
  { filesFolder }: ImportOptions,
  attachments: Attachments,
  line: MessageLine,
  conversationId: ConversationId,
): Promise<ImportedMessage> {
  const { direction, wireId, text, headers, file } = line;
  const message: ImportedMessage = {
    // An outgoing message is known by the same id to both sides; an incoming one gets one of ours.
    ...(direction === 'out' ? { id: wireId as MessageId } : {}),
    conversationId,
    direction,
    wireId,
    text,
    sentAtMs: Date.parse(line.sentAt),
    storedAtMs: Date.parse(line.storedAt),
    state: importedState(line.state),
    displayReportWanted: false,
    ...(line.group === undefined ? {} : { group: line.group }),
    ...(line.replyTo === undefined ? {} : { replyTo: line.replyTo }),
    ...(line.changes === undefined
      ? {}
      : { changes: line.changes.map(({ at, ...change }) => ({ ...change, atMs: Date.parse(at) })) }),
    headers,
  };
  if (file === null) return message;
  let path: string | null = null;
  if (file.path !== null) {
    const target = join(filesFolder, safeFileName(`${wireId.slice(0, 16)}-${file.name}`));
    if (await copyTo(target, file.path, attachments)) path = target;
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

/** False: the export has not got it. Rejects with the error of the system, as when the disk is full. */
async function copyTo(target: string, path: string, attachments: Attachments): Promise<boolean> {
  await mkdir(dirname(target), { recursive: true });
  try {
    await pipeline(attachments(path), createWriteStream(target));
    return true;
  } catch (error) {
    await rm(target, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}
