/**
 * Owns: writing a history, or a part of it, into an archive: streaming, with progress, to be stopped and gone on with.
 * Called by: history-jobs.ts, hosts/headless/history.ts. Calls: store.ts, store/archive-writer.ts, export-parts.ts.
 *
 * It grows as `NAME.parley.part`, which notes how far it is, and gets its name when it is whole and on the disk.
 */
import { createHash } from 'node:crypto';
import { access, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import { ArchiveWriter } from '../../store/archive-writer.ts';
import type { PlacedMessage } from '../../store/archive-reading.ts';
import { PIECE_BYTES } from '../../store/archive-tables.ts';
import type { ArchivedConversation, WrittenFile } from '../../store/archive-writing.ts';
import { isPlainDatabase, StoreError } from '../../store/database.ts';
import type { Store } from '../../store/store.ts';
import { syncPath } from '../../store/sync-path.ts';
import { filesOnDisk, type Attachments } from './attachments.ts';
import { ExportError } from './export-error.ts';
import { chainOf, FIRST_CHAIN, type Manifest } from './export-format.ts';
import {
  accountAddresses,
  attachmentPath,
  conversationLine,
  messageLine,
  sessionLine,
} from './export-parts.ts';
import { archiveKeyOf, newArchiveKey } from './passphrase.ts';
import { foundPlaces, hasFound } from './found-messages.ts';
import { ahead } from './read-ahead.ts';

/** What goes into it: all, some conversations, or what a search finds. */
export type ArchiveSelection =
  | { readonly conversations: readonly ConversationId[] | null }
  | { readonly search: string; readonly conversationId: ConversationId | null };

export interface ArchiveExportOptions {
  readonly store: Store;
  /** `….parley`; nothing may be there. */
  readonly path: string;
  readonly selection: ArchiveSelection;
  /** With one, nobody reads the archive without it. */
  readonly passphrase?: string | undefined;
  readonly attachments?: Attachments;
  readonly program: string;
  readonly signal?: AbortSignal;
  readonly receiveProgress?: (progress: { messages: number; conversations: number; files: number }) => void;
  readonly now?: () => number;
}

/** Written when it begins; whoever goes on has to want the same. */
interface Plan {
  readonly selection: ArchiveSelection;
  readonly madeAt: string;
  readonly program: string;
  /** What is stored later is not part of it. */
  readonly upTo: number;
  /** Of a search: the conversations in which it has found something. */
  readonly found: readonly ConversationId[] | null;
}

interface Progress {
  readonly after: number;
  readonly chain: string;
  readonly counts: Manifest['counts'];
}

const PAGE = 500;
/** Pages that are being written: the thread of the archive never waits for the next, and those that wait share a commit. */
const MAX_UNDER_WAY = 24;

/** The name under which it grows. */
export function unfinishedArchive(path: string): string {
  return `${path}.part`;
}

/**
 * Exports. Rejects with ExportError, StoreError, the error of the system or the reason of the signal; then it can be gone
 * on with by the same call.
 */
export async function exportArchive(options: ArchiveExportOptions): Promise<Manifest> {
  const { path, signal } = options;
  const part = unfinishedArchive(path);
  if (await exists(path)) throw new ExportError(`${path} is there already. Choose another name.`);
  const manifest = await write(options, part);
  signal?.throwIfAborted();
  syncPath(part);
  await rename(part, path);
  syncPath(dirname(path));
  return manifest;
}

async function write(options: ArchiveExportOptions, part: string): Promise<Manifest> {
  const { store, signal } = options;
  await using writer = await openPart(part, options.passphrase);
  const { plan, progress: begun } = await beginOrGoOn(options, writer, part);
  let progress = begun;
  const underWay: Promise<unknown>[] = [];
  try {
    for await (const messages of ahead(pagesOf(store, plan, progress))) {
      signal?.throwIfAborted();
      const page = await writePage(options, writer, messages, progress);
      ({ progress } = page);
      underWay.push(page.written);
      if (underWay.length >= MAX_UNDER_WAY) await underWay.shift();
      options.receiveProgress?.(progress.counts);
    }
    while (underWay.length > 0) await underWay.shift();
  } finally {
    await Promise.allSettled(underWay);
  }
  do signal?.throwIfAborted();
  while (await writer.call('mergeArchiveIndex', null));
  do signal?.throwIfAborted();
  while (await writer.call('shrinkArchive', null));
  const { chain, counts } = progress;
  const { madeAt, program } = plan;
  const manifest: Manifest = { version: 1, madeAt, program, format: 'parley', counts, chain, files: [] };
  await writer.call('finishArchive', { manifest: JSON.stringify(manifest) });
  return manifest;
}

async function openPart(part: string, passphrase: string | undefined): Promise<ArchiveWriter> {
  const isNew = !(await exists(part));
  const secret = passphrase ?? '';
  const key = secret === '' ? undefined : await (isNew ? newArchiveKey(secret) : archiveKeyOf(part, secret));
  try {
    return await ArchiveWriter.open(part, key);
  } catch (error) {
    if (isNew || !(error instanceof StoreError) || error.code !== 'STORE_DAMAGED') throw error;
    throw new ExportError(
      `${part} cannot be gone on with: it has another passphrase, or is damaged. Delete it to begin anew.`,
    );
  }
}

async function beginOrGoOn(
  options: ArchiveExportOptions,
  writer: ArchiveWriter,
  part: string,
): Promise<{ plan: Plan; progress: Progress }> {
  const { selection } = options;
  const begun = await writer.call('selectArchivePart', null);
  if (begun === null) return begin(options, writer);
  const plan = JSON.parse(begun.plan) as Plan;
  if (JSON.stringify(plan.selection) !== JSON.stringify(selection)) {
    throw new ExportError(
      `${part} is an unfinished export of something else. Delete it, or choose another name.`,
    );
  }
  return { plan, progress: JSON.parse(begun.progress) as Progress };
}

async function begin(
  options: ArchiveExportOptions,
  writer: ArchiveWriter,
): Promise<{ plan: Plan; progress: Progress }> {
  const { store, selection, program, now = Date.now } = options;
  const selected = await select(store, selection);
  const wanted = selected === null ? undefined : new Set(selected);
  const isSearch = 'search' in selection;
  const plan: Plan = {
    selection,
    madeAt: new Date(now()).toISOString(),
    program,
    upTo: await store.call('selectNewestPosition', null),
    found: isSearch ? selected : null,
  };
  const addressOf = await accountAddresses(store);
  const { add, chain } = chainOf(FIRST_CHAIN);
  add({ type: 'export', version: 1, madeAt: plan.madeAt, program });
  const conversations: ArchivedConversation[] = [];
  const counts = { conversations: 0, sessions: 0, messages: 0, files: 0 };
  for (const conversation of await store.call('selectConversations', null)) {
    if (wanted?.has(conversation.id) === false) continue;
    const account = addressOf(conversation.accountId);
    // What was found is not the course of a conversation.
    const sessions = isSearch ? [] : await store.call('selectSessions', { conversationId: conversation.id });
    const isGroup = conversation.kind === 'group';
    const group = isGroup ? await store.call('selectGroup', { conversationId: conversation.id }) : null;
    conversations.push({ conversation, account, sessions, group });
    add(conversationLine(conversation, account));
    for (const session of sessions) {
      add(sessionLine(conversation.id, { ...session, endCode: session.end?.code ?? null }));
    }
    counts.conversations += 1;
    counts.sessions += sessions.length;
  }
  const progress: Progress = { after: 0, chain: chain(), counts };
  await writer.call('beginArchive', {
    plan: JSON.stringify(plan),
    progress: JSON.stringify(progress),
    conversations,
  });
  return { plan, progress };
}

/** Which conversations; null for all. */
async function select(store: Store, selection: ArchiveSelection): Promise<readonly ConversationId[] | null> {
  if (!('search' in selection)) return selection.conversations;
  const { search: text, conversationId } = selection;
  const found: ConversationId[] = [];
  for (const { id } of await store.call('selectConversations', null)) {
    if (conversationId !== null && conversationId !== id) continue;
    if (await hasFound(store, text, id)) found.push(id);
  }
  return found;
}

async function* pagesOf(
  store: Store,
  plan: Plan,
  { after: begun }: Progress,
): AsyncGenerator<PlacedMessage[]> {
  const { selection, found, upTo } = plan;
  if ('search' in selection) {
    const { search: text, conversationId } = selection;
    const wanted = new Set(found);
    const within = { after: begun, upTo };
    for await (const positions of foundPlaces(store, text, conversationId ?? undefined, within)) {
      const placed = await store.call('selectHistoryMessages', { positions });
      // What has been changed meanwhile may be found where nothing was.
      const messages = placed.filter((one) => wanted.has(one.conversationId));
      if (messages.length > 0) yield messages;
    }
    return;
  }
  const conversations = selection.conversations ?? undefined;
  for (let after: number | null = begun; after !== null;) {
    const page: Awaited<ReturnType<typeof readPage>> = await readPage(store, after, upTo, conversations);
    if (page.messages.length > 0) yield page.messages;
    after = page.last;
  }
}

function readPage(
  store: Store,
  after: number,
  upTo: number,
  conversations: readonly ConversationId[] | undefined,
) {
  return store.call('selectHistoryPage', { after, upTo, limit: PAGE, conversations });
}

async function writePage(
  options: ArchiveExportOptions,
  writer: ArchiveWriter,
  page: readonly PlacedMessage[],
  before: Progress,
): Promise<{ progress: Progress; written: Promise<unknown> }> {
  const messages = await withSettledNames(writer, page);
  const { add, chain } = chainOf(before.chain);
  const files: WrittenFile[] = [];
  for (const { conversationId, message } of messages) {
    options.signal?.throwIfAborted();
    const path = await copyFile(options, writer, message, files);
    add(messageLine(conversationId, message, path));
  }
  const counts = {
    ...before.counts,
    messages: before.counts.messages + messages.length,
    files: before.counts.files + files.length,
  };
  const after = messages.at(-1)?.message.position ?? before.after;
  const progress: Progress = { after, chain: chain(), counts };
  const written = writer.call('insertArchivePage', {
    messages,
    files,
    progress: JSON.stringify(progress),
    chain: progress.chain,
  });
  // It is looked at when its turn comes.
  written.catch(() => undefined);
  return { progress, written };
}

/** Somebody may be called otherwise from one page to the next: in one archive he has one name. */
async function withSettledNames(
  writer: ArchiveWriter,
  messages: readonly PlacedMessage[],
): Promise<readonly PlacedMessage[]> {
  const people = messages.flatMap(({ conversationId, message: { group } }) => {
    const person = group?.person ?? null;
    return person === null ? [] : [{ conversationId, person }];
  });
  if (people.length === 0) return messages;
  const names = (await writer.call('settleNames', people)).values();
  return messages.map((placed) => {
    const { group } = placed.message;
    const person = group?.person ?? null;
    if (group === undefined || person === null) return placed;
    const settled = { ...person, name: names.next().value ?? person.name };
    return { ...placed, message: { ...placed.message, group: { ...group, person: settled } } };
  });
}

/** Copies the file of a message, piece by piece. Null: it has none, or it is not here any more. */
async function copyFile(
  { attachments = filesOnDisk, signal }: ArchiveExportOptions,
  writer: ArchiveWriter,
  message: PlacedMessage['message'],
  files: WrittenFile[],
): Promise<string | null> {
  const from = message.file?.path ?? null;
  const path = attachmentPath(message);
  if (from === null || path === null) return null;
  const hash = createHash('sha256');
  let bytes = 0;
  let pieces = 0;
  let firstPiece = 1;
  const write = async (content: Uint8Array): Promise<void> => {
    signal?.throwIfAborted();
    const at = await writer.call('insertArchivePiece', { content });
    if (pieces === 0) firstPiece = at;
    pieces += 1;
    hash.update(content);
    bytes += content.length;
  };
  try {
    for await (const piece of inPieces(attachments(from))) await write(piece);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    return null;
  }
  files.push({ position: message.position, path, firstPiece, pieces, bytes, sha256: hash.digest('hex') });
  return path;
}

async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const taken = chunk.subarray(at, at + PIECE_BYTES - bytes);
      held.push(taken);
      bytes += taken.length;
      at += taken.length;
      if (bytes < PIECE_BYTES) continue;
      yield Buffer.concat(held);
      held = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield Buffer.concat(held);
}

/**
 * An unfinished archive in a folder that wants the same, by the name that it will have; undefined when there is none, or
 * it has a passphrase.
 */
export async function unfinishedArchiveIn(
  folder: string,
  selection: ArchiveSelection,
): Promise<string | undefined> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => each.endsWith('.parley.part'))) {
    const part = join(folder, name);
    if (!isPlainDatabase(part)) continue;
    await using writer = await ArchiveWriter.open(part).catch(() => undefined);
    const begun = await writer?.call('selectArchivePart', null);
    const plan = begun ? (JSON.parse(begun.plan) as Plan) : undefined;
    if (JSON.stringify(plan?.selection) === JSON.stringify(selection)) return part.slice(0, -'.part'.length);
  }
  return undefined;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
