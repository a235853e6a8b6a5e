/**
 * Owns: statements that read a history from end to end. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { MessageState, MessageTime } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';
import {
  EXPORTED_CHANGE_COLUMNS,
  toExportedChanges,
  type ExportedChange,
  type ExportedChangeColumns,
} from './change-columns.ts';
import { readStoredHeaders, SHAPE_JOIN, type StoredHeaders } from './header-shapes.ts';
import { GROUP_COLUMNS, GROUP_JOIN, toMessageGroup, type GroupColumns } from './groups.ts';
import { messageIdOf, unpackId, type IdColumns } from './message-keys.ts';
import { TIME_COLUMN, toMessageTimes } from './message-states.ts';
import { CONVERSATION_KEY, directionOf, parseFailure, stateOf, VALUE } from './message-rows.ts';

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
  /** When it came into its states after it was stored, the first one first; empty: none is known. */
  readonly times: readonly MessageTime[];
  readonly failure: { readonly code: string; readonly message: string } | null;
  /** The headers that it had on the wire; null when it had none, or they were not kept. */
  readonly headers: string | null;
  /** In a group: who wrote it, or what has happened. */
  readonly group: MessageGroup | undefined;
  /** The wire id of the message that it answers; null: of none. */
  readonly replyTo: string | null;
  /** What has happened to it, the oldest first. */
  readonly changes: readonly ExportedChange[];
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

/** What `toExported` reads. */
export interface ExportRow extends IdColumns, GroupColumns, ExportedChangeColumns {
  direction: number;
  text: string;
  sent_at_ms: number;
  stored_after_ms: number;
  state: number;
  state_times: string | null;
  failure: string | null;
  headers: StoredHeaders;
  shape: string | null;
  name: string | null;
  type: string | null;
  size: number | null;
  sha256: string | null;
  path: string | null;
}

export function toExported(row: ExportRow): ExportedMessage {
  const { name, type } = row;
  const wireId = unpackId(row.wire_id);
  return {
    position: row.position,
    id: messageIdOf(row),
    direction: directionOf(row.direction),
    wireId,
    text: row.text,
    sentAtMs: row.sent_at_ms,
    storedAtMs: row.sent_at_ms + row.stored_after_ms,
    state: stateOf(row.state),
    times: toMessageTimes(row.state_times),
    failure: parseFailure(row.failure),
    group: toMessageGroup(row),
    replyTo: row.reply_to,
    changes: toExportedChanges(row),
    headers: readStoredHeaders(row.headers, row.shape, { wireId, sentAtMs: row.sent_at_ms }),
    file:
      name === null || type === null
        ? null
        : { name, type, size: row.size, sha256: row.sha256, path: row.path },
  };
}

/** After FROM that joins `messages m` and what follows. */
export const EXPORT_COLUMNS = `m.position, m.wire_id, m.id AS own_id, m.direction, m.text, m.sent_at_ms, m.stored_after_ms,
  m.state, m.failure, m.headers, h.shape, t.name, t.type, t.size, t.sha256, t.path, ${GROUP_COLUMNS},
  ${EXPORTED_CHANGE_COLUMNS}, ${TIME_COLUMN}`;
export const EXPORT_JOIN = `LEFT JOIN transfers t ON t.position = m.position ${SHAPE_JOIN} ${GROUP_JOIN}`;

export function exportProcedures(database: Database) {
  const page = database.prepare<[string, number, number], ExportRow>(
    `SELECT ${EXPORT_COLUMNS} FROM messages m INDEXED BY messages_by_conversation ${EXPORT_JOIN}
     WHERE m.conversation = ${CONVERSATION_KEY} AND m.position > ${VALUE} ORDER BY m.position LIMIT ?`,
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
  >(`SELECT * FROM sessions WHERE conversation = ${CONVERSATION_KEY} ORDER BY started_ms`);
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
