/**
 * Owns: statements that read a history in the order in which it was stored, and what an archive says of itself.
 * Called by: messenger-tables.ts. Calls: export-rows.ts, transfers.ts, archive-tables.ts, SQLite.
 */
import type { Session } from '../../shared/domain/conversation.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { hasArchiveTables, type ArchivedFile } from './archive-tables.ts';
import type { Database } from './database.ts';
import {
  EXPORT_COLUMNS,
  EXPORT_JOIN,
  toExported,
  type ExportedMessage,
  type ExportRow,
} from './export-rows.ts';
import { FILE, VALUE } from './message-rows.ts';
import { toEndedSession, type SessionRow } from './sessions.ts';
import { transferReader, type StoredTransfer } from './transfers.ts';

/** A message with its place and, when it is a file, all that is known of it. */
export interface PlacedMessage {
  readonly conversationId: ConversationId;
  readonly message: ExportedMessage;
  readonly transfer: Omit<StoredTransfer, 'messageId'> | null;
}

interface PlacedRow extends ExportRow {
  conversation_id: string;
  kind: number;
}

/** Text of one page: a few long messages are a page as well. */
const MAX_PAGE_CHARS = 1024 * 1024;

const PLACED = `SELECT ${EXPORT_COLUMNS}, c.id AS conversation_id, m.kind`;

export function archiveReadingProcedures(database: Database) {
  const inOrder = database.prepare<[number, number, number], PlacedRow>(
    `${PLACED} FROM messages m CROSS JOIN conversations c ON c.key = m.conversation ${EXPORT_JOIN}
     WHERE m.position > ${VALUE} AND m.position <= ${VALUE} ORDER BY m.position LIMIT ?`,
  );
  const ofOne = database.prepare<[string, number, number, number], PlacedRow>(
    `${PLACED} FROM conversations c CROSS JOIN messages m INDEXED BY messages_by_conversation ON m.conversation = c.key
     ${EXPORT_JOIN} WHERE c.id = ${VALUE} AND m.position > ${VALUE} AND m.position <= ${VALUE} ORDER BY m.position LIMIT ?`,
  );
  const at = database.prepare<[number], PlacedRow>(
    `${PLACED} FROM messages m CROSS JOIN conversations c ON c.key = m.conversation ${EXPORT_JOIN}
     WHERE m.position = ${VALUE}`,
  );
  const newest = database.prepare<[], { position: number | null }>(
    'SELECT max(position) AS position FROM messages',
  );
  const sessions = database.prepare<[string], SessionRow>(
    `SELECT s.*, c.id AS conversation_id FROM sessions s JOIN conversations c ON c.key = s.conversation
     WHERE c.id = ? ORDER BY s.started_ms, s.id`,
  );
  const order = database.prepare<[], { id: string }>('SELECT id FROM conversations ORDER BY key');
  const transferAt = transferReader(database);
  const archive = hasArchiveTables(database) ? archiveStatements(database) : undefined;

  function toPlaced(row: PlacedRow): PlacedMessage {
    return {
      conversationId: row.conversation_id as ConversationId,
      message: toExported(row),
      transfer: row.kind === FILE ? transferAt(row.position) : null,
    };
  }

  return {
    selectNewestPosition: (_input: null): number => newest.get()?.position ?? 0,
    /**
     * Messages behind `after`, up to `upTo`, in the order in which they were stored: of all conversations, or of these.
     * `last`: where the next page begins; null at the end.
     */
    selectHistoryPage(input: {
      after: number;
      upTo: number;
      limit: number;
      conversations?: readonly ConversationId[] | undefined;
    }): { messages: PlacedMessage[]; last: number | null } {
      const { after, upTo, limit, conversations } = input;
      const [only] = conversations ?? [];
      const isOne = conversations?.length === 1 && only !== undefined;
      const wanted = conversations === undefined || isOne ? undefined : new Set<string>(conversations);
      const rows = isOne ? ofOne.iterate(only, after, upTo, limit) : inOrder.iterate(after, upTo, limit);
      const messages: PlacedMessage[] = [];
      const found: PlacedRow[] = [];
      let last: number | null = null;
      let chars = 0;
      for (const row of rows) {
        last = row.position;
        if (wanted?.has(row.conversation_id) === false) continue;
        found.push(row);
        chars += row.text.length;
        if (chars >= MAX_PAGE_CHARS) break;
      }
      // Another statement may run only when this one is through.
      for (const row of found) messages.push(toPlaced(row));
      return { messages, last };
    },
    /** Those of them that are still there. */
    selectHistoryMessages(input: { positions: readonly number[] }): PlacedMessage[] {
      return input.positions.flatMap((position) => {
        const row = at.get(position);
        return row === undefined ? [] : [toPlaced(row)];
      });
    },
    selectSessions: (input: { conversationId: ConversationId }): Session[] =>
      sessions.all(input.conversationId).map(toEndedSession),

    /** What an archive says of itself; null when this is none. */
    selectArchiveManifest: (_input: null): string | null => archive?.manifest.get()?.manifest ?? null,
    selectArchiveFiles: (input: { after: number; limit: number }): ArchivedFile[] =>
      archive?.files.all(input.after, input.limit) ?? [],
    /** A piece of a file, counted from 0; null behind the last. */
    selectArchivePiece: (input: { path: string; piece: number }): Uint8Array | null =>
      archive?.piece.get(input.piece, input.path, input.piece)?.content ?? null,
    /** How many there are; undefined when there is no such file. */
    selectArchiveFile: (input: { path: string }): { pieces: number; bytes: number } | undefined =>
      archive?.file.get(input.path),
    /** The next place at which the chain was noted; null behind the last. */
    selectArchiveMark: (input: { after: number }): { position: number; chain: string } | null =>
      archive?.mark.get(input.after) ?? null,
    /** Conversations in the order in which they were made. */
    selectConversationOrder: (_input: null): ConversationId[] =>
      order.all().map(({ id }) => id as ConversationId),
    /** Looks through the whole file. What is wrong, in the words of SQLite; null when all is well. */
    selectDamage(_input: null): string | null {
      const [row] = database.pragma('quick_check(1)') as { quick_check: string }[];
      return row?.quick_check === 'ok' ? null : (row?.quick_check ?? 'no answer');
    },
  };
}

function archiveStatements(database: Database) {
  return {
    manifest: database.prepare<[], { manifest: string | null }>('SELECT manifest FROM archive'),
    files: database.prepare<[number, number], ArchivedFile>(
      'SELECT position, path, bytes, sha256 FROM archive_files WHERE position > ? ORDER BY position LIMIT ?',
    ),
    file: database.prepare<[string], { pieces: number; bytes: number }>(
      'SELECT pieces, bytes FROM archive_files WHERE path = ?',
    ),
    piece: database.prepare<[number, string, number], { content: Uint8Array }>(
      `SELECT p.content FROM archive_files f JOIN archive_pieces p ON p.id = f.first_piece + ?
       WHERE f.path = ? AND f.pieces > ?`,
    ),
    mark: database.prepare<[number], { position: number; chain: string }>(
      'SELECT position, chain FROM archive_marks WHERE position > ? ORDER BY position LIMIT 1',
    ),
  };
}
