/**
 * Owns: what every export is made of: whose a conversation is, its lines, the files of its messages.
 * Called by: export.ts, search-export.ts. Calls: store.ts, export-format.ts, node:fs.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Conversation } from '../../../shared/domain/conversation.ts';
import type { AccountId } from '../../../shared/domain/ids.ts';
import { addressOfGone } from '../../store/accounts.ts';
import type { ExportedMessage } from '../../store/export-rows.ts';
import type { Store } from '../../store/store.ts';
import { safeFileName } from '../file-name.ts';
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

/** A message as a line; `path` is that of its file in the export. */
export function messageLine(conversation: string, message: ExportedMessage, path: string | null): ExportLine {
  const { direction, id, wireId, state, failure, text, headers, file } = message;
  return {
    type: 'message',
    conversation,
    direction,
    id,
    wireId,
    sentAt: new Date(message.sentAtMs).toISOString(),
    storedAt: new Date(message.storedAtMs).toISOString(),
    state,
    failure,
    text,
    ...(message.group === undefined ? {} : { group: message.group }),
    headers,
    file:
      file === null ? null : { name: file.name, type: file.type, size: file.size, sha256: file.sha256, path },
  };
}

/** Copies the file of a message into the export and adds it to `files`. Returns its path in it; null when it has none, or it is not here any more. */
export async function copyAttachment(
  folder: string,
  message: ExportedMessage,
  files: Manifest['files'],
): Promise<string | null> {
  const from = message.file?.path ?? null;
  if (message.file === null || from === null) return null;
  const path = `${FILES_FOLDER}/${message.position}-${safeFileName(message.file.name)}`;
  const hash = createHash('sha256');
  let bytes = 0;
  const target = await open(join(folder, path), 'w');
  try {
    await pipeline(createReadStream(from), async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.length;
        await target.write(chunk);
      }
    });
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
