/**
 * Owns: what every export is made of: whose a conversation is, its lines, the files of its messages.
 * Called by: export.ts, archive-export.ts. Calls: store.ts, export-format.ts, node:fs.
 */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { AccountId } from '../../../shared/domain/ids.ts';
import { addressOfGone } from '../../store/accounts.ts';
import type { ExportedMessage, ExportedSession } from '../../store/export-rows.ts';
import type { Store } from '../../store/store.ts';
import { safeFileName } from '../file-name.ts';
import { filesOnDisk, type Attachments } from './attachments.ts';
import { FILES_FOLDER, type ExportLine, type Manifest } from './export-format.ts';

/** Finds the address of an account, also of one that is not here; empty when nobody knows it any more. */
export async function accountAddresses(store: Store): Promise<(id: AccountId) => string> {
  const accounts = await store.call('selectAccounts', null);
  const addresses = new Map(accounts.map(({ id, address }) => [id, address]));
  return (id) => addresses.get(id) ?? addressOfGone(id) ?? '';
}

/** A conversation as a line. */
export function conversationLine(conversation: Conversation, account: string): ExportLine {
  const { id, peerAddress, peerName, standing, kind } = conversation;
  const group = kind === 'group' ? { kind } : {};
  return { type: 'conversation', id, account, peerAddress, peerName, standing, ...group };
}

/** A session as a line. */
export function sessionLine(conversation: string, session: ExportedSession): ExportLine {
  const { direction, startedMs, openedMs, endedMs, endCode } = session;
  return {
    type: 'session',
    conversation,
    direction,
    startedAt: iso(startedMs),
    openedAt: openedMs === null ? null : iso(openedMs),
    endedAt: endedMs === null ? null : iso(endedMs),
    end: endCode,
  };
}

/** A message as a line; `path` is that of its file in the export. */
export function messageLine(conversation: string, message: ExportedMessage, path: string | null): ExportLine {
  const { direction, id, wireId, state, failure, text, headers, file } = message;
  return {
    type: 'message',
    conversation,
    direction,
    id,
    wireId,
    sentAt: iso(message.sentAtMs),
    storedAt: iso(message.storedAtMs),
    state,
    ...(message.times.length === 0
      ? {}
      : { times: message.times.map(({ atMs, ...one }) => ({ ...one, at: iso(atMs) })) }),
    failure,
    text,
    ...(message.group === undefined ? {} : { group: message.group }),
    ...(message.replyTo === null ? {} : { replyTo: message.replyTo }),
    ...(message.changes.length === 0
      ? {}
      : { changes: message.changes.map(({ atMs, ...change }) => ({ ...change, at: iso(atMs) })) }),
    headers,
    file:
      file === null ? null : { name: file.name, type: file.type, size: file.size, sha256: file.sha256, path },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Where the file of a message lies in an export; null when it has none. */
export function attachmentPath({ position, file }: ExportedMessage): string | null {
  return file === null ? null : `${FILES_FOLDER}/${position}-${safeFileName(file.name)}`;
}

/** Copies the file of a message into the export and adds it to `files`. Returns its path in it; null when it has none, or it is not here any more. */
export async function copyAttachment(
  folder: string,
  message: ExportedMessage,
  files: Manifest['files'],
  attachments: Attachments = filesOnDisk,
): Promise<string | null> {
  const from = message.file?.path ?? null;
  const path = attachmentPath(message);
  if (from === null || path === null) return null;
  const hash = createHash('sha256');
  let bytes = 0;
  const target = await open(join(folder, path), 'w');
  try {
    for await (const chunk of attachments(from)) {
      hash.update(chunk);
      bytes += chunk.length;
      await target.write(chunk);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await rm(join(folder, path), { force: true });
    return null;
  } finally {
    await target.close();
  }
  files.push({ path, bytes, sha256: hash.digest('hex') });
  return path;
}
