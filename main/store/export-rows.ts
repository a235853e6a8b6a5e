/**
 * Owns: statements that read a history from end to end. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { MessageState } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';

/** A message with everything that is kept of it. */
export interface ExportedMessage {
  readonly position: number;
  readonly id: MessageId;
  readonly direction: 'in' | 'out';
  readonly wireId: string;
  readonly text: string;
  readonly sentAtMs: number;
  readonly storedAtMs: number;
  readonly state: MessageState;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly file: {
    readonly name: string;
    readonly type: string;
    readonly size: number | null;
    readonly sha256: string | null;
    /** Where it lies, when it is here. */
    readonly path: string | null;
  } | null;
}

/** A session that is over. Times in ms since 1970. */
export interface ExportedSession {
  readonly direction: string;
  readonly startedMs: number;
  readonly openedMs: number | null;
  readonly endedMs: number | null;
  readonly endCode: string | null;
}

interface Row {
  position: number;
  id: string;
  direction: string;
  wire_id: string;
  text: string;
  sent_at_ms: number;
  stored_at_ms: number;
  state: string;
  failure_code: string | null;
  failure_message: string | null;
  name: string | null;
  type: string | null;
  size: number | null;
  sha256: string | null;
  path: string | null;
}

function toExported(row: Row): ExportedMessage {
  const { failure_code: code, failure_message: message, name, type } = row;
  return {
    position: row.position,
    id: row.id as MessageId,
    direction: row.direction as 'in' | 'out',
    wireId: row.wire_id,
    text: row.text,
    sentAtMs: row.sent_at_ms,
    storedAtMs: row.stored_at_ms,
    state: row.state as MessageState,
    failure: code === null ? null : { code, message: message ?? '' },
    file:
      name === null || type === null
        ? null
        : { name, type, size: row.size, sha256: row.sha256, path: row.path },
  };
}

export function exportProcedures(database: Database) {
  const page = database.prepare<[string, number, number], Row>(
    `SELECT m.*, t.name, t.type, t.size, t.sha256, t.path FROM messages m LEFT JOIN transfers t ON t.message_id = m.id
     WHERE m.conversation_id = ? AND m.position > ? ORDER BY m.position LIMIT ?`,
  );
  const sessions = database.prepare<
    [string],
    {
      direction: string;
      started_ms: number;
      opened_ms: number | null;
      ended_ms: number | null;
      end_code: string | null;
    }
  >('SELECT * FROM sessions WHERE conversation_id = ? ORDER BY started_ms');
  const account = database.prepare<[string], { id: string }>('SELECT id FROM accounts WHERE address = ?');
  return {
    /** Oldest first. */
    selectExportPage(input: {
      conversationId: ConversationId;
      after: number;
      limit: number;
    }): ExportedMessage[] {
      return page.all(input.conversationId, input.after, input.limit).map(toExported);
    },
    selectExportSessions(input: { conversationId: ConversationId }): ExportedSession[] {
      return sessions.all(input.conversationId).map((row) => ({
        direction: row.direction,
        startedMs: row.started_ms,
        openedMs: row.opened_ms,
        endedMs: row.ended_ms,
        endCode: row.end_code,
      }));
    },
    selectAccountIdOf(input: { address: string }): AccountId | null {
      return (account.get(input.address)?.id as AccountId | undefined) ?? null;
    },
  };
}
