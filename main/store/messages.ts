/**
 * Owns: statements on messages. Called by: messenger-tables.ts, search.ts. Calls: SQLite.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message, MessageState } from '../../shared/domain/message.ts';
import type { Database } from './database.ts';
import type { IndexBatch, SearchIndex } from './search-index.ts';
import {
  toShownTransfer,
  TRANSFER_COLUMNS,
  TRANSFER_JOIN,
  transferProcedures,
  type StoredTransfer,
  type TransferColumns,
} from './transfers.ts';

/** A message to store. `wireId` is its id between the two messengers: the key by which duplicates are dropped. */
export interface NewMessage {
  readonly id: MessageId;
  readonly conversationId: ConversationId;
  readonly direction: 'in' | 'out';
  readonly wireId: string;
  readonly text: string;
  readonly sentAtMs: number;
  readonly storedAtMs: number;
  readonly state: MessageState;
  /** Incoming: its author wants to know when it has been displayed. */
  readonly displayReportWanted: boolean;
  /** The message is a file. */
  readonly file?: Omit<StoredTransfer, 'messageId'>;
}

export interface MessageRow extends TransferColumns {
  position: number;
  id: string;
  conversation_id: string;
  direction: string;
  wire_id: string;
  text: string;
  sent_at_ms: number;
  state: string;
  kind: string;
  failure_code: string | null;
  failure_message: string | null;
}

/** The columns of a message, with its file; append WHERE and ORDER BY. */
const MESSAGE_SELECT = `SELECT m.*, ${TRANSFER_COLUMNS} FROM messages m ${TRANSFER_JOIN}`;

export function toMessage(row: MessageRow): Message {
  const file = toShownTransfer(row);
  return {
    id: row.id as MessageId,
    conversationId: row.conversation_id as ConversationId,
    position: row.position,
    direction: row.direction as 'in' | 'out',
    text: row.text,
    sentAtMs: row.sent_at_ms,
    state: row.state as MessageState,
    failure:
      row.failure_code === null ? null : { code: row.failure_code, message: row.failure_message ?? '' },
    ...(file === null ? {} : { file }),
  };
}

/**
 * From which states an outgoing message may come to each: a late or repeated report never takes it back.
 * `queued` again: it was handed on but not confirmed when the way broke.
 */
const MAY_BECOME: Readonly<
  Record<'queued' | 'waiting' | 'sent' | 'delivered' | 'displayed' | 'failed', readonly MessageState[]>
> = {
  queued: ['queued', 'failed'],
  waiting: ['queued', 'failed'],
  sent: ['queued', 'waiting', 'failed'],
  delivered: ['queued', 'waiting', 'sent', 'failed'],
  displayed: ['queued', 'waiting', 'sent', 'delivered', 'failed'],
  failed: ['queued', 'waiting'],
};

export type OutgoingState = keyof typeof MAY_BECOME;

export function messageProcedures(database: Database, index: Pick<SearchIndex, 'openBatch'>) {
  const transfers = transferProcedures(database);
  const insert = database.prepare(
    `INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state, display_report_wanted, kind)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (conversation_id, direction, wire_id) DO NOTHING`,
  );
  const touch = database.prepare<[number, string]>(
    'UPDATE conversations SET last_activity_ms = max(last_activity_ms, ?) WHERE id = ?',
  );
  const byId = database.prepare<[string], MessageRow>(`${MESSAGE_SELECT} WHERE m.id = ?`);
  const byWireId = database.prepare<[string, string, string], MessageRow>(
    `${MESSAGE_SELECT} WHERE m.conversation_id = ? AND m.direction = ? AND m.wire_id = ?`,
  );
  const before = database.prepare<[string, number, number], MessageRow>(
    `${MESSAGE_SELECT} WHERE m.conversation_id = ? AND m.position < ? ORDER BY m.position DESC LIMIT ?`,
  );
  const after = database.prepare<[string, number, number], MessageRow>(
    `${MESSAGE_SELECT} WHERE m.conversation_id = ? AND m.position > ? ORDER BY m.position LIMIT ?`,
  );
  const queued = database.prepare<[string, number], MessageRow>(
    `${MESSAGE_SELECT} WHERE m.conversation_id = ? AND m.state = 'queued' AND m.kind = 'text' ORDER BY m.position LIMIT ?`,
  );
  const conversationsQueued = database.prepare<[], { conversation_id: string }>(
    `SELECT DISTINCT conversation_id FROM messages WHERE state = 'queued' AND kind = 'text'`,
  );
  const setState = database.prepare<[string, string | null, string | null, string]>(
    'UPDATE messages SET state = ?, failure_code = ?, failure_message = ? WHERE id = ?',
  );
  const unread = database.prepare<[string, number], MessageRow & { display_report_wanted: number }>(
    `${MESSAGE_SELECT} WHERE m.conversation_id = ? AND m.direction = 'in' AND m.state = 'received' AND m.position <= ?
     ORDER BY m.position`,
  );
  const setRead = database.prepare<[string, number]>(
    `UPDATE messages SET state = 'read' WHERE conversation_id = ? AND direction = 'in' AND state = 'received' AND position <= ?`,
  );
  const setReadPosition = database.prepare<[number, string]>(
    'UPDATE conversations SET read_position = max(read_position, ?) WHERE id = ?',
  );

  /** Returns whether it is new. */
  function store(input: NewMessage, batch: IndexBatch): boolean {
    const { changes, lastInsertRowid } = insert.run(
      input.id,
      input.conversationId,
      input.direction,
      input.wireId,
      input.text,
      input.sentAtMs,
      input.storedAtMs,
      input.state,
      input.displayReportWanted ? 1 : 0,
      input.file === undefined ? 'text' : 'file',
    );
    if (changes === 0) return false;
    batch.insert({ ...input, position: Number(lastInsertRowid), isFile: input.file !== undefined });
    if (input.file !== undefined) transfers.upsertTransfer({ ...input.file, messageId: input.id });
    return true;
  }

  function insertOne(input: NewMessage): { message: Message; duplicate: boolean } {
    const batch = index.openBatch();
    const isNew = store(input, batch);
    batch.flush();
    if (isNew) touch.run(input.storedAtMs, input.conversationId);
    const row = byWireId.get(input.conversationId, input.direction, input.wireId);
    if (row === undefined) throw new Error('the message was not inserted');
    return { message: toMessage(row), duplicate: !isNew };
  }
  const insertAlone = database.transaction(insertOne);

  function select(id: MessageId): Message | null {
    const row = byId.get(id);
    return row === undefined ? null : toMessage(row);
  }

  return {
    /** Stores a message, or finds that it is there already (same wire id from the same side of a conversation). */
    insertMessage: (input: NewMessage): { message: Message; duplicate: boolean } =>
      // A savepoint for each message would make a piece of index of its own for each.
      database.inTransaction ? insertOne(input) : insertAlone(input),

    /** Takes many in, in one commit. Returns how many were new. */
    importMessages: database.transaction((input: readonly NewMessage[]): number => {
      const batch = index.openBatch();
      const newest = new Map<ConversationId, number>();
      let added = 0;
      for (const message of input) {
        if (!store(message, batch)) continue;
        added += 1;
        const { conversationId, storedAtMs } = message;
        newest.set(conversationId, Math.max(storedAtMs, newest.get(conversationId) ?? 0));
      }
      batch.flush();
      for (const [conversationId, storedAtMs] of newest) touch.run(storedAtMs, conversationId);
      return added;
    }),

    selectMessage(input: { id: MessageId }): Message | null {
      return select(input.id);
    },

    /** A page in ascending order, by key: never by offset. `around` puts its message in the middle. */
    selectMessagePage(input: {
      conversationId: ConversationId;
      before?: number | undefined;
      after?: number | undefined;
      around?: number | undefined;
      limit: number;
    }): { messages: Message[]; hasBefore: boolean; hasAfter: boolean } {
      const { conversationId, limit } = input;
      const older = (key: number, count: number) => before.all(conversationId, key, count).reverse();
      let rows: MessageRow[];
      if (input.around !== undefined) {
        const half = Math.floor(limit / 2);
        rows = [...older(input.around, half), ...after.all(conversationId, input.around - 1, limit - half)];
      } else if (input.after !== undefined) rows = after.all(conversationId, input.after, limit);
      else rows = older(input.before ?? Number.MAX_SAFE_INTEGER, limit);
      // An empty page lies between what is before and what is after the place that was asked for.
      const { before: end = Number.MAX_SAFE_INTEGER, after: start = end - 1 } = input;
      const first = rows[0]?.position ?? start + 1;
      const last = rows.at(-1)?.position ?? start;
      return {
        messages: rows.map(toMessage),
        hasBefore: before.get(conversationId, first, 1) !== undefined,
        hasAfter: after.get(conversationId, last, 1) !== undefined,
      };
    },

    /** The outbox of a conversation, in the order of writing. */
    selectQueued(input: { conversationId: ConversationId; limit: number }): Message[] {
      return queued.all(input.conversationId, input.limit).map(toMessage);
    },

    selectConversationsWithQueued(_input: null): ConversationId[] {
      return conversationsQueued.all().map((row) => row.conversation_id as ConversationId);
    },

    /** Moves an outgoing message on. Null when it is unknown or further already: then nothing has changed. */
    updateMessageState: database.transaction(
      (input: {
        id: MessageId;
        state: OutgoingState;
        failure?: { code: string; message: string } | undefined;
      }): Message | null => {
        const row = byId.get(input.id);
        if (row?.direction !== 'out') return null;
        if (!MAY_BECOME[input.state].includes(row.state as MessageState)) return null;
        setState.run(input.state, input.failure?.code ?? null, input.failure?.message ?? null, input.id);
        return select(input.id);
      },
    ),

    /** Everything up to `position` has been seen. Returns what changed, and whose authors asked to be told. */
    markRead: database.transaction(
      (input: {
        conversationId: ConversationId;
        position: number;
      }): { messages: Message[]; reportWireIds: string[] } => {
        const rows = unread.all(input.conversationId, input.position);
        setRead.run(input.conversationId, input.position);
        setReadPosition.run(input.position, input.conversationId);
        return {
          messages: rows.map((row) => ({ ...toMessage(row), state: 'read' })),
          reportWireIds: rows.filter((row) => row.display_report_wanted === 1).map((row) => row.wire_id),
        };
      },
    ),
  };
}
