/**
 * Owns: statements on the record of sessions. Called by: messenger-tables.ts. Calls: SQLite.
 */
import type { ConversationId, SessionId } from '../../shared/domain/ids.ts';
import type { Session, SessionEndCode } from '../../shared/domain/conversation.ts';
import type { Database } from './database.ts';

/** A row with the id of its conversation. */
export interface SessionRow {
  id: string;
  conversation_id: string;
  direction: string;
  media_path: string;
  encrypted: number;
  started_ms: number;
  opened_ms: number | null;
  ended_ms: number | null;
  end_code: string | null;
  end_message: string | null;
}

/** As one that is over. */
export function toEndedSession(row: SessionRow): Session {
  return {
    id: row.id as SessionId,
    conversationId: row.conversation_id as ConversationId,
    direction: row.direction as Session['direction'],
    state: 'ended',
    mediaPath: row.media_path as Session['mediaPath'],
    encrypted: row.encrypted === 1,
    startedMs: row.started_ms,
    openedMs: row.opened_ms,
    endedMs: row.ended_ms,
    end:
      row.end_code === null ? null : { code: row.end_code as SessionEndCode, message: row.end_message ?? '' },
  };
}

export function sessionProcedures(database: Database) {
  const upsert = database.prepare(
    `INSERT INTO sessions (id, conversation, direction, started_ms, opened_ms, ended_ms, end_code, end_message,
       media_path, encrypted)
     VALUES (?, (SELECT key FROM conversations WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET opened_ms = excluded.opened_ms, ended_ms = excluded.ended_ms,
       end_code = excluded.end_code, end_message = excluded.end_message,
       media_path = excluded.media_path, encrypted = excluded.encrypted`,
  );
  const last = database.prepare<[], SessionRow>(
    `SELECT s.*, c.id AS conversation_id FROM sessions s JOIN conversations c ON c.key = s.conversation WHERE s.started_ms =
       (SELECT max(started_ms) FROM sessions t WHERE t.conversation = s.conversation AND t.ended_ms IS NOT NULL)
     AND s.ended_ms IS NOT NULL`,
  );
  const closeOrphans = database.prepare<[number]>(
    `UPDATE sessions SET ended_ms = max(started_ms, ?), end_code = 'shutdown', end_message = 'Parley was closed.'
     WHERE ended_ms IS NULL`,
  );

  return {
    upsertSession(session: Session): null {
      upsert.run(
        session.id,
        session.conversationId,
        session.direction,
        session.startedMs,
        session.openedMs,
        session.endedMs,
        session.end?.code ?? null,
        session.end?.message ?? null,
        session.mediaPath,
        Number(session.encrypted),
      );
      return null;
    },
    /** The last ended session of each conversation. */
    selectLastSessions(_input: null): Session[] {
      return last.all().map(toEndedSession);
    },
    /** Sessions that were open when the program last stopped without a chance to say so. */
    endOrphanedSessions(input: { nowMs: number }): null {
      closeOrphans.run(input.nowMs);
      return null;
    },
  };
}
