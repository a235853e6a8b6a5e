/**
 * Owns: taking an exported history in. Called by: history-jobs.ts, hosts/headless/history.ts. Calls: import-reader.ts,
 * store.ts.
 *
 * What is there already (same conversation, same side, same id between the messengers) stays as it is, so that an import
 * can be repeated, or gone on with, at any time.
 */
import { randomUUID } from 'node:crypto';
import type { AccountId, ConversationId } from '../../../shared/domain/ids.ts';
import { goneAccountId } from '../../store/accounts.ts';
import type { ImportedConversation } from '../../store/message-import.ts';
import type { Store } from '../../store/store.ts';
import { MAX_AHEAD, type ConversationLine } from './import-protocol.ts';
import { ImportReader } from './import-reader.ts';

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

/** Imports. Rejects with ExportError when a line is not as it was written; what came before it is in. */
export async function importHistory(options: ImportOptions): Promise<ImportResult> {
  const { store, from, passphrase, filesFolder } = options;
  await using reader = new ImportReader({ from, passphrase, filesFolder });
  const conversationOf = conversationFinder(store);
  const conversations = new Map<string, ImportedConversation>();
  const underWay: { readonly count: number; readonly added: Promise<number> }[] = [];
  let messages = 0;
  let added = 0;
  const settleFirst = async (): Promise<void> => {
    const first = underWay.shift();
    if (first === undefined) return;
    added += await first.added;
    messages += first.count;
    reader.settle();
    options.receiveProgress?.({ messages });
  };
  try {
    for await (const part of reader.parts()) {
      const named = new Set<string>(part.messages.conversations);
      for (const line of part.conversations) {
        conversations.set(line.id, await conversationOf(line));
        named.add(line.id);
      }
      const call = store.call('importPrepared', {
        conversations: [...named].flatMap((id) => conversations.get(id) ?? []),
        messages: part.messages,
      });
      // It is looked at when its turn comes.
      call.catch(() => undefined);
      underWay.push({ count: part.messages.texts.length, added: call });
      if (underWay.length >= MAX_AHEAD) await settleFirst();
    }
    while (underWay.length > 0) await settleFirst();
  } finally {
    // Nothing goes on behind the back of who has asked for it.
    await Promise.allSettled(underWay.map((call) => call.added));
  }
  return { conversations: conversations.size, messages, added };
}

/** Reads the line of a conversation; whose it is is asked once for each account. */
function conversationFinder(store: Store): (line: ConversationLine) => Promise<ImportedConversation> {
  const accounts = new Map<string, AccountId>();
  return async ({ id, account, peerAddress, peerName, standing, kind }) => {
    const accountId =
      accounts.get(account) ??
      (await store.call('selectAccountIdOf', { address: account })) ??
      goneAccountId(account);
    accounts.set(account, accountId);
    return {
      exportedId: id as ConversationId,
      id: randomUUID() as ConversationId,
      accountId,
      peerAddress,
      peerName,
      standing,
      nowMs: 0,
      isGroup: kind === 'group',
    };
  };
}
