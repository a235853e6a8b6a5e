/**
 * Owns: the search of message text. Called by: messenger-tables.ts. Calls: SQLite's FTS5.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import { conversationProcedures } from './conversations.ts';
import type { Database } from './database.ts';
import { toMessage, type MessageRow } from './messages.ts';
import { TRANSFER_COLUMNS, TRANSFER_JOIN } from './transfers.ts';

/** Around a match in a snippet: private-use characters that no keyboard writes. */
const MARK_START = '\uE000';
const MARK_END = '\uE001';
const SNIPPET_TOKENS = 16;

/** One match. `snippet` alternates plain and matching text, beginning with plain. */
export interface FoundMessage {
  readonly message: Message;
  readonly conversation: Conversation;
  readonly snippet: readonly string[];
}

/**
 * What the user typed as an FTS5 query: every word has to be there, the last of each as a beginning.
 * Undefined when nothing is left to look for.
 */
export function toMatchQuery(text: string, conversationId?: ConversationId): string | undefined {
  const words = text.match(/[\p{L}\p{N}\p{M}]+/gu);
  if (words === null) return undefined;
  const terms = words.slice(0, 16).map((word) => `"${word}"*`);
  const inText = `text : (${terms.join(' AND ')})`;
  if (conversationId === undefined) return inText;
  return `(${inText}) AND conversation : "c${conversationId.replace(/[^A-Za-z0-9]/g, '')}"`;
}

/** Takes a marked snippet apart into plain and matching text. */
export function splitSnippet(marked: string): string[] {
  return marked.split(new RegExp(`${MARK_START}|${MARK_END}`, 'u'));
}

export function searchProcedures(database: Database) {
  const reader = conversationProcedures(database);
  const find = database.prepare<[string, number], MessageRow & { snippet: string }>(
    `SELECT m.*, ${TRANSFER_COLUMNS}, snippet(message_search, 0, '${MARK_START}', '${MARK_END}', '…', ${SNIPPET_TOKENS}) AS snippet
     FROM message_search JOIN messages m ON m.position = message_search.rowid ${TRANSFER_JOIN}
     WHERE message_search MATCH ? ORDER BY message_search.rowid DESC LIMIT ?`,
  );
  return {
    /** Newest first. */
    searchMessages(input: {
      text: string;
      conversationId?: ConversationId | undefined;
      limit: number;
    }): FoundMessage[] {
      const query = toMatchQuery(input.text, input.conversationId);
      if (query === undefined) return [];
      const conversations = new Map<string, Conversation | null>();
      const found: FoundMessage[] = [];
      for (const row of find.all(query, input.limit)) {
        const message = toMessage(row);
        const known = conversations.get(row.conversation_id);
        const conversation =
          known === undefined ? reader.selectConversation({ id: message.conversationId }) : known;
        conversations.set(row.conversation_id, conversation);
        if (conversation !== null) found.push({ message, conversation, snippet: splitSnippet(row.snippet) });
      }
      return found;
    },
  };
}
