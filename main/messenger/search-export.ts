/**
 * Owns: writing what a search finds into a folder, as a history is written: pages, text, or lines with their chain.
 * Called by: history-jobs.ts. Calls: store.ts, history/export-format.ts, history/export-parts.ts,
 * history/export-page.ts.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { FolderFormat } from '../../shared/domain/history.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { IPC_LIMITS } from '../base/limits.ts';
import type { ExportedMessage } from '../store/export-rows.ts';
import type { Store } from '../store/store.ts';
import type { Attachments } from './history/attachments.ts';
import {
  FILES_FOLDER,
  FIRST_CHAIN,
  formatLine,
  hashFile,
  LINES_FILE,
  MANIFEST_FILE,
  type ExportLine,
  type Manifest,
} from './history/export-format.ts';
import { accountAddresses, conversationLine, copyAttachment, messageLine } from './history/export-parts.ts';
import { escapeHtml, messageHtml, messageText, pageEnd, pageStart } from './history/export-page.ts';

export interface SearchExportOptions {
  readonly store: Store;
  readonly folder: string;
  readonly format: FolderFormat;
  readonly text: string;
  readonly conversationId?: ConversationId | undefined;
  readonly program: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly attachments?: Attachments;
  readonly receiveProgress: (progress: { messages: number; total: number }) => void;
}

interface Found {
  readonly conversation: Conversation;
  readonly messages: ExportedMessage[];
}

/** Exports at most the newest thousand. Rejects with the error of the system, or with the reason of the signal. */
export async function exportFound(options: SearchExportOptions): Promise<Manifest> {
  const { store, folder, format, program, now } = options;
  await mkdir(join(folder, FILES_FOLDER), { recursive: true });
  const found = await select(options);
  const addressOf = await accountAddresses(store);
  const madeAt = new Date(now()).toISOString();
  const files: Manifest['files'] = [];
  const counts = { conversations: found.length, sessions: 0, messages: 0, files: 0 };
  const total = found.reduce((sum, { messages }) => sum + messages.length, 0);
  let chain = FIRST_CHAIN;
  const parts: string[] = [];
  const addLine = (line: ExportLine): void => {
    const formatted = formatLine(line, chain);
    ({ chain } = formatted);
    parts.push(formatted.text);
  };
  if (format === 'jsonl') addLine({ type: 'export', version: 1, madeAt, program });
  else parts.push(format === 'html' ? pageStart(options.text) : `${options.text}\n`);
  for (const { conversation, messages } of found) {
    const { id, peerAddress, peerName, accountId } = conversation;
    const account = addressOf(accountId);
    const title = `${peerName} (${peerAddress})`;
    if (format === 'jsonl') addLine(conversationLine(conversation, account));
    else parts.push(format === 'html' ? `<h2>${escapeHtml(title)}</h2>\n` : `\n${title}\n\n`);
    for (const message of messages) {
      options.signal.throwIfAborted();
      const path = await copyAttachment(folder, message, files, options.attachments);
      counts.messages += 1;
      if (format === 'jsonl') addLine(messageLine(id, message, path));
      else {
        const show = format === 'html' ? messageHtml : messageText;
        parts.push(show(message, { account, peerName, peerAddress }, path));
      }
      options.receiveProgress({ messages: counts.messages, total });
    }
  }
  if (format === 'html') parts.push(pageEnd());
  counts.files = files.length;
  const name = { jsonl: LINES_FILE, html: 'index.html', text: 'found.txt' }[format];
  await writeFile(join(folder, name), parts.join(''), { flush: true });
  files.push({ path: name, ...(await hashFile(join(folder, name))) });
  const manifest: Manifest = {
    version: 1,
    madeAt,
    program,
    format,
    counts,
    chain: format === 'jsonl' ? chain : null,
    files,
  };
  await writeFile(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`, { flush: true });
  return manifest;
}

/** What is found with everything that is kept of it, by conversation, oldest first. */
async function select({ store, text, conversationId, signal }: SearchExportOptions): Promise<Found[]> {
  const limit = IPC_LIMITS.maxExportedHits;
  const hits = await store.call('searchMessages', { text, conversationId, limit });
  const found = new Map<ConversationId, Found>();
  for (const { conversation, message } of hits.reverse()) {
    signal.throwIfAborted();
    const of = found.get(conversation.id) ?? { conversation, messages: [] };
    found.set(conversation.id, of);
    const [kept] = await store.call('selectExportPage', {
      conversationId: conversation.id,
      after: message.position - 1,
      limit: 1,
    });
    // It may have been deleted meanwhile.
    if (kept?.id === message.id) of.messages.push(kept);
  }
  return [...found.values()];
}
