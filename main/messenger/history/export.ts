/**
 * Owns: writing a history, or a part of it, into a folder: streaming, with progress, to be stopped and gone on with.
 * Called by: hosts/headless/history.ts. Calls: store.ts, export-format.ts, export-page.ts, node:fs.
 *
 * Which conversations are finished is noted in `export.part.json`, once a second and when it is stopped. Whoever starts
 * again in the same folder goes on behind the last one that is noted.
 */
import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, truncate, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { FolderFormat } from '../../../shared/domain/history.ts';
import type { ConversationId } from '../../../shared/domain/ids.ts';
import type { ExportedMessage } from '../../store/export-rows.ts';
import type { Store } from '../../store/store.ts';
import { safeFileName } from '../file-name.ts';
import type { Attachments } from './attachments.ts';
import {
  FILES_FOLDER,
  FIRST_CHAIN,
  formatLine,
  hashFile,
  LINES_FILE,
  MANIFEST_FILE,
  type ExportLine,
  type Manifest,
} from './export-format.ts';
import {
  accountAddresses,
  conversationLine,
  copyAttachment,
  messageLine,
  sessionLine,
} from './export-parts.ts';
import {
  escapeHtml,
  indexEnd,
  indexStart,
  messageHtml,
  messageText,
  pageEnd,
  pageStart,
  searchedMessage,
  type PageHead,
} from './export-page.ts';
import { ExportSearch, NO_SEARCH, SEARCH_INDEX, type SearchNote } from './export-search.ts';
import { foundPagesOf, hasFound } from './found-messages.ts';
import { ahead } from './read-ahead.ts';

export interface ExportOptions {
  readonly store: Store;
  readonly folder: string;
  readonly format: FolderFormat;
  /** Undefined: all. */
  readonly conversations?: readonly ConversationId[] | undefined;
  /** Only messages that this finds, and conversations with such. */
  readonly search?: string | undefined;
  /** Where files of messages are read. Default: the disk. */
  readonly attachments?: Attachments;
  /** Written into the manifest: name and version. */
  readonly program: string;
  readonly signal?: AbortSignal;
  readonly receiveProgress?: (progress: {
    readonly messages: number;
    readonly conversations: number;
  }) => void;
  readonly now?: () => number;
}

/** What has been finished so far. */
interface Part {
  madeAt: string;
  format: FolderFormat;
  /** What was asked for; null: everything that is there. */
  search: string | null;
  /** Conversations that are through, also those of which nothing was found. */
  done: string[];
  chain: string;
  linesBytes: number;
  counts: Manifest['counts'];
  files: { path: string; bytes: number; sha256: string }[];
  /** Of each conversation that has a page of its own. */
  pages: { path: string; title: string }[];
  /** Of pages. */
  index: SearchNote;
}

/** Noted by an export in its folder until it is finished. */
export const PART_FILE = 'export.part.json';
const PAGE = 500;
/** How far it is is noted, and all of it brought to the disk, no more often than this. */
const NOTE_MS = 1_000;
/** Written at once. */
const CHUNK_CHARS = 256 * 1024;

/** A file that is written from front to back; its hash goes along. */
class Sheet {
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #pending = '';
  bytes = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(path: string): Promise<Sheet> {
    return new Sheet(await open(path, 'w'));
  }

  async write(text: string): Promise<void> {
    this.#pending += text;
    if (this.#pending.length >= CHUNK_CHARS) await this.#flush();
  }

  async finish(): Promise<{ bytes: number; sha256: string }> {
    await this.#flush();
    await this.#handle.sync();
    await this.#handle.close();
    return { bytes: this.bytes, sha256: this.#hash.digest('hex') };
  }

  async drop(): Promise<void> {
    await this.#handle.close();
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    this.#hash.update(bytes);
    this.bytes += bytes.length;
    await this.#handle.write(bytes);
  }
}

/** Exports. Rejects with the error of the system, or with the reason of the signal; then it can be gone on with. */
export async function exportHistory(options: ExportOptions): Promise<Manifest> {
  const { store, folder, format, program, signal } = options;
  await mkdir(join(folder, FILES_FOLDER), { recursive: true });
  const wanted = options.conversations === undefined ? undefined : new Set(options.conversations);
  const all = await store.call('selectConversations', null);
  const addressOf = await accountAddresses(store);
  const part = await readPart(options);
  const search = format === 'html' ? await ExportSearch.open(folder, part.index) : undefined;
  const note = async (): Promise<void> => {
    if (search !== undefined) {
      const noted = await search.note();
      part.index = noted.note;
      part.files.push(...noted.files);
    }
    await writePart(folder, part);
  };
  const done = new Set(part.done);
  let notedAt = performance.now();
  try {
    for (const conversation of all) {
      if (done.has(conversation.id) || wanted?.has(conversation.id) === false) continue;
      signal?.throwIfAborted();
      const account = addressOf(conversation.accountId);
      await exportConversation(options, part, conversation, account, search);
      part.done.push(conversation.id);
      options.receiveProgress?.({ messages: part.counts.messages, conversations: part.counts.conversations });
      if (performance.now() - notedAt < NOTE_MS) continue;
      await note();
      notedAt = performance.now();
    }
  } catch (error) {
    // Whoever is stopped is gone on with behind the last that is finished; what stopped him is what counts.
    await search?.dropPage().then(note, () => undefined);
    if (search === undefined) await note().catch(() => undefined);
    throw error;
  }
  await note();
  if (format === 'html') {
    part.files.push({ path: SEARCH_INDEX, ...(await hashFile(join(folder, SEARCH_INDEX))) });
    part.files.push(await writeIndex(folder, part.pages, options.search));
  }
  if (format === 'jsonl') {
    part.files.push({ path: LINES_FILE, ...(await hashFile(join(folder, LINES_FILE))) });
  }
  const manifest: Manifest = {
    version: 1,
    madeAt: part.madeAt,
    program,
    format,
    counts: part.counts,
    chain: format === 'jsonl' ? part.chain : null,
    files: part.files,
  };
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  await rm(join(folder, PART_FILE), { force: true });
  return manifest;
}

/** Whether an export of this search, or (null) of what is there, has been begun in a folder and can be gone on with. */
export async function isUnfinished(folder: string, search: string | null): Promise<boolean> {
  try {
    const part = JSON.parse(await readFile(join(folder, PART_FILE), 'utf8')) as Part;
    return part.search === search;
  } catch {
    return false;
  }
}

async function readPart({ folder, format, search: wanted, now = Date.now }: ExportOptions): Promise<Part> {
  const search = wanted ?? null;
  try {
    const part = JSON.parse(await readFile(join(folder, PART_FILE), 'utf8')) as Part;
    if (part.format !== format) throw new Error(`this folder has an unfinished export as ${part.format}`);
    if (part.search !== search) throw new Error('this folder has an unfinished export of something else');
    if (format === 'jsonl') await truncate(join(folder, LINES_FILE), part.linesBytes);
    return part;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const madeAt = new Date(now()).toISOString();
  if (format === 'jsonl') await writeFile(join(folder, LINES_FILE), '', { flag: 'wx' });
  const counts = { conversations: 0, sessions: 0, messages: 0, files: 0 };
  const part: Part = {
    madeAt,
    format,
    search,
    done: [],
    chain: FIRST_CHAIN,
    linesBytes: 0,
    counts,
    files: [],
    pages: [],
    index: NO_SEARCH,
  };
  // Whoever is stopped in the first conversation can be gone on with as well.
  await writePart(folder, part);
  return part;
}

/** Notes what is finished, when it is on the disk. */
async function writePart(folder: string, part: Part): Promise<void> {
  if (part.format === 'jsonl') {
    await using lines = await open(join(folder, LINES_FILE), 'r+');
    await lines.sync();
  }
  const path = join(folder, PART_FILE);
  await writeFile(`${path}.new`, JSON.stringify(part), { flush: true });
  await rename(`${path}.new`, path);
}

async function exportConversation(
  options: ExportOptions,
  part: Part,
  conversation: Conversation,
  account: string,
  search: ExportSearch | undefined,
): Promise<void> {
  const { store, folder, format, attachments } = options;
  if (
    options.search !== undefined &&
    !(await hasFound(store, options.search, conversation.id, options.signal))
  )
    return;
  const head: PageHead = { account, peerName: conversation.peerName, peerAddress: conversation.peerAddress };
  const counts = { ...part.counts };
  const files: Part['files'] = [];
  if (format === 'jsonl') {
    let { chain } = part;
    const handle = await open(join(folder, LINES_FILE), 'a');
    let pending = '';
    let { linesBytes } = part;
    const flush = async (): Promise<void> => {
      const bytes = Buffer.from(pending);
      pending = '';
      linesBytes += bytes.length;
      await handle.write(bytes);
    };
    const add = (line: ExportLine): void => {
      const formatted = formatLine(line, chain);
      ({ chain } = formatted);
      pending += formatted.text;
    };
    try {
      if (linesBytes === 0)
        add({ type: 'export', version: 1, madeAt: part.madeAt, program: options.program });
      add(conversationLine(conversation, account));
      // What was found is not the course of a conversation.
      const sessions =
        options.search === undefined
          ? await store.call('selectExportSessions', { conversationId: conversation.id })
          : [];
      counts.sessions += sessions.length;
      for (const session of sessions) add(sessionLine(conversation.id, session));
      for await (const message of messagesOf(options, part, conversation.id)) {
        const path = await copyAttachment(folder, message, files, attachments);
        if (path !== null) counts.files += 1;
        counts.messages += 1;
        add(messageLine(conversation.id, message, path));
        if (pending.length >= CHUNK_CHARS) await flush();
      }
      await flush();
    } finally {
      await handle.close();
    }
    Object.assign(part, { chain, linesBytes });
  } else {
    const name = `${String(part.pages.length + 1).padStart(4, '0')} ${safeFileName(conversation.peerName)}`;
    const path = `${name}.${format === 'html' ? 'html' : 'txt'}`;
    const title = `${head.peerName} (${head.peerAddress})`;
    const sheet = await Sheet.open(join(folder, path));
    try {
      await sheet.write(format === 'html' ? pageStart(title) : `${title}\n\n`);
      for await (const message of messagesOf(options, part, conversation.id)) {
        const attachment = await copyAttachment(folder, message, files, attachments);
        if (attachment !== null) counts.files += 1;
        counts.messages += 1;
        const show = format === 'html' ? messageHtml : messageText;
        await sheet.write(show(message, head, attachment));
        const searched = search === undefined ? undefined : searchedMessage(message, head);
        if (searched !== undefined) await search?.add(searched);
      }
      if (format === 'html') await sheet.write(pageEnd());
    } catch (error) {
      await sheet.drop();
      throw error;
    }
    files.push({ path, ...(await sheet.finish()) });
    part.pages.push({ path, title });
    await search?.finishPage(path, title);
  }
  counts.conversations += 1;
  part.counts = counts;
  part.files.push(...files);
}

async function* messagesOf(
  { store, search, signal, receiveProgress }: ExportOptions,
  { counts }: Part,
  conversationId: ConversationId,
): AsyncGenerator<ExportedMessage> {
  let { messages } = counts;
  const pages =
    search === undefined ? pagesOf(store, conversationId) : foundPagesOf(store, search, conversationId);
  for await (const page of ahead(pages)) {
    signal?.throwIfAborted();
    yield* page;
    messages += page.length;
    receiveProgress?.({ messages, conversations: counts.conversations });
  }
}

async function* pagesOf(store: Store, conversationId: ConversationId): AsyncGenerator<ExportedMessage[]> {
  for (let after = 0; ;) {
    const page = await store.call('selectExportPage', { conversationId, after, limit: PAGE });
    const last = page.at(-1);
    if (last !== undefined) yield page;
    if (last === undefined || page.length < PAGE) return;
    after = last.position;
  }
}

async function writeIndex(
  folder: string,
  pages: Part['pages'],
  search: string | undefined,
): Promise<Part['files'][number]> {
  const path = 'index.html';
  const sheet = await Sheet.open(join(folder, path));
  await sheet.write(indexStart(search ?? 'Conversations'));
  for (const { path: page, title } of pages) {
    await sheet.write(`<li><a href="${encodeURIComponent(page)}">${escapeHtml(title)}</a></li>\n`);
  }
  await sheet.write(indexEnd());
  return { path, ...(await sheet.finish()) };
}
