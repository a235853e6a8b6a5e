/**
 * Owns: statements on messages. Called by: messenger-tables.ts, search.ts. Calls: SQLite.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { MessageGroup } from '../../shared/domain/group.ts';
import type { Message, MessageState } from '../../shared/domain/message.ts';
import { copyKeeper } from './copy-keeper.ts';
import type { Database } from './database.ts';
import {
  messagePositions,
  packId,
  positionOfPlaceId,
  SAME_AS_WIRE,
  unpackId,
  wireKey,
  type PackedId,
} from './message-keys.ts';
import {
  CONVERSATION_KEY,
  FILE,
  formatFailure,
  IN,
  MESSAGE_SELECT,
  OUT,
  QUEUED,
  READ,
  selectMessagesBy,
  stateNumber,
  stateOf,
  TEXT,
  toMessage,
  UNREAD,
  VALUE,
  wantsDisplayReport,
  type MessageRow,
} from './message-rows.ts';
import { stateKeeper } from './message-states.ts';
import { groupMessages } from './groups.ts';
import { CONVERSATIONS_WITH_CHANGES, replyKeeper } from './message-changes.ts';
import { headerKeeper, type StoredHeaders } from './header-shapes.ts';
import type { IndexBatch, SearchIndex } from './search-index.ts';
import { transferProcedures, type StoredTransfer } from './transfers.ts';

/** A message to store. `wireId` is its id between the two messengers: the key by which duplicates are dropped. */
export interface NewMessage {
  /** When it is absent, or another message has it, the store gives one. */
  readonly id?: MessageId | undefined;
  readonly conversationId: ConversationId;
  readonly direction: 'in' | 'out';
  readonly wireId: string;
  readonly text: string;
  readonly sentAtMs: number;
  readonly storedAtMs: number;
  readonly state: MessageState;
  /** Incoming: its author wants to know when it has been displayed. */
  readonly displayReportWanted: boolean;
  /** The headers that it had on the wire, as they stood there. */
  readonly headers?: string | null | undefined;
  /** It answers the message with this wire id. */
  readonly replyTo?: string | undefined;
  /** In a group. */
  readonly group?: MessageGroup | undefined;
  /** The message is a file. */
  readonly file?: Omit<StoredTransfer, 'messageId'>;
  /** Another device of our user has told us: the others know it. */
  readonly isCopy?: boolean | undefined;
  /** The copy is of the offer of a file that our user has answered nowhere. */
  readonly isOpenOffer?: boolean | undefined;
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
  const positionOf = messagePositions(database);
  const transfers = transferProcedures(database);
  const keepHeaders = headerKeeper(database).keep;
  const putGroup = groupMessages(database);
  const keepReply = replyKeeper(database);
  const copies = copyKeeper(database);
  const keepState = stateKeeper(database);
  const insert = database.prepare(
    `INSERT INTO messages (conversation, direction, state, kind, wire_key, wire_id, id, text, sent_at_ms, stored_after_ms,
       headers)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const known = database.prepare<[number, PackedId, number, number], { position: number }>(
    'SELECT position FROM messages WHERE wire_key = ? AND wire_id = ? AND conversation = ? AND direction = ?',
  );
  const conversationKey = database.prepare<[string], { key: number }>(
    'SELECT key FROM conversations WHERE id = ?',
  );
  const touch = database.prepare<[number, string]>(
    'UPDATE conversations SET last_activity_ms = max(last_activity_ms, ?) WHERE id = ?',
  );
  const byPosition = database.prepare<[number], MessageRow>(`${MESSAGE_SELECT} WHERE m.position = ${VALUE}`);
  const inConversation = selectMessagesBy('messages_by_conversation');
  const before = database.prepare<[string, number, number], MessageRow>(
    `${inConversation} AND m.position < ${VALUE} ORDER BY m.position DESC LIMIT ?`,
  );
  const after = database.prepare<[string, number, number], MessageRow>(
    `${inConversation} AND m.position > ${VALUE} ORDER BY m.position LIMIT ?`,
  );
  const queued = database.prepare<[string, number], MessageRow>(
    `${selectMessagesBy('messages_outbox')} AND m.state = ${QUEUED} AND m.kind = ${TEXT} ORDER BY m.position LIMIT ?`,
  );
  const conversationsQueued = database.prepare<[], { id: string }>(
    `SELECT id FROM conversations WHERE key IN
       (SELECT conversation FROM messages WHERE state = ${QUEUED} AND kind = ${TEXT})
       OR key IN (${CONVERSATIONS_WITH_CHANGES})`,
  );
  const setState = database.prepare<[number, string | null, StoredHeaders, number]>(
    'UPDATE messages SET state = ?, failure = ?, headers = coalesce(?, headers) WHERE position = ?',
  );
  const setHeaders = database.prepare<[StoredHeaders, number]>(
    'UPDATE messages SET headers = ? WHERE position = ?',
  );
  const unread = database.prepare<[string, number], MessageRow>(
    `${selectMessagesBy('messages_unread')} AND m.state >= ${UNREAD} AND m.position <= ${VALUE} ORDER BY m.position`,
  );
  const setRead = database.prepare<[string, number]>(
    `UPDATE messages INDEXED BY messages_unread SET state = ${READ} WHERE conversation = ${CONVERSATION_KEY} AND state >= ${UNREAD} AND position <= ?`,
  );
  const newest = database.prepare<[string], { position: number | null }>(
    `SELECT max(position) AS position FROM messages INDEXED BY messages_by_conversation WHERE conversation = ${CONVERSATION_KEY}`,
  );
  const endReadAhead = database.prepare<[number, string], { id: string }>(
    'UPDATE conversations SET read_ahead = NULL WHERE key = ? AND read_ahead = ? RETURNING id',
  );
  const setReadPosition = database.prepare<[number, string]>(
    'UPDATE conversations SET read_position = max(read_position, ?) WHERE id = ?',
  );

  function keyOf(id: ConversationId): number {
    const row = conversationKey.get(id);
    if (row === undefined) throw new Error(`no conversation ${id}`);
    return row.key;
  }

  /** What stands in the column of the own id. */
  function ownId({ id, wireId }: NewMessage): PackedId | bigint | null {
    if (id === undefined || positionOfPlaceId(id) !== undefined || positionOf(id) !== undefined) return null;
    // A plain number would be stored as a fraction, in eight bytes.
    return id === wireId ? BigInt(SAME_AS_WIRE) : packId(id);
  }

  /** It was read on another device before it came here, and with it all that is older. */
  function readAhead({ wireId }: NewMessage, position: number, conversation: number): void {
    const ended = endReadAhead.get(conversation, wireId);
    if (ended === undefined) return;
    setRead.run(ended.id, position);
    setReadPosition.run(position, ended.id);
  }

  /** Another device has told of it. */
  function receiveCopy(position: number, conversation: number, { isOpenOffer }: NewMessage): void {
    if (isOpenOffer === true) copies.receiveOffer(position, conversation);
    else copies.forgetMessage(position, conversation);
  }

  /** Where it lies, and whether it is new. */
  function store(
    input: NewMessage,
    conversation: number,
    batch: IndexBatch,
  ): { position: number; isNew: boolean } {
    const direction = input.direction === 'in' ? IN : OUT;
    const [key, wire] = [wireKey(input.wireId), packId(input.wireId)];
    const there = known.get(key, wire, conversation, direction);
    if (there !== undefined) {
      if (input.isCopy === true) receiveCopy(there.position, conversation, input);
      return { position: there.position, isNew: false };
    }
    const { lastInsertRowid } = insert.run(
      conversation,
      direction,
      stateNumber(input.state, input.displayReportWanted),
      input.file === undefined ? TEXT : FILE,
      key,
      wire,
      ownId(input),
      input.text,
      input.sentAtMs,
      input.storedAtMs - input.sentAtMs,
      keepHeaders(input.headers, input),
    );
    const position = Number(lastInsertRowid);
    const person = putGroup(position, conversation, input.group);
    if (input.replyTo !== undefined) keepReply(position, conversation, input.replyTo);
    // What has happened is shown, and neither searched nor counted.
    if ((input.group?.notice ?? null) === null) {
      batch.insert({ ...input, conversation, position, person, isFile: input.file !== undefined });
    }
    if (input.file !== undefined) transfers.insertTransfer({ position, transfer: input.file });
    if (input.isCopy === true) receiveCopy(position, conversation, input);
    else copies.receiveMessage(position, conversation);
    if (input.direction === 'in') readAhead(input, position, conversation);
    return { position, isNew: true };
  }

  function insertOne(input: NewMessage): { message: Message; duplicate: boolean } {
    const batch = index.openBatch();
    const { position, isNew } = store(input, keyOf(input.conversationId), batch);
    batch.flush();
    if (isNew && (input.group?.notice ?? null) === null) touch.run(input.storedAtMs, input.conversationId);
    const row = byPosition.get(position);
    if (row === undefined) throw new Error('the message was not inserted');
    return { message: toMessage(row), duplicate: !isNew };
  }
  const insertAlone = database.transaction(insertOne);

  /** A text that has never left has not been told of, and keeps its place. */
  function tellCopies({ position, conversation, state, kind }: MessageRow, next: OutgoingState): void {
    const isAgain = next === 'queued' && (state !== QUEUED || kind === FILE);
    if (isAgain) copies.receiveAgain(position, conversation);
    else copies.receiveState(position, conversation, state);
  }

  function select(id: MessageId): MessageRow | undefined {
    const position = positionOf(id);
    return position === undefined ? undefined : byPosition.get(position);
  }

  return {
    /** Stores a message, or finds that it is there already (same wire id from the same side of a conversation). */
    insertMessage: (input: NewMessage): { message: Message; duplicate: boolean } =>
      // A savepoint for each message would make a piece of index of its own for each.
      database.inTransaction ? insertOne(input) : insertAlone(input),

    selectMessage(input: { id: MessageId }): Message | null {
      const row = select(input.id);
      return row === undefined ? null : toMessage(row);
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
      return conversationsQueued.all().map(({ id }) => id as ConversationId);
    },

    /** Moves an outgoing message on. Null when it is unknown or further already: then its state has not changed. */
    updateMessageState: database.transaction(
      (input: {
        id: MessageId;
        state: OutgoingState;
        failure?: { code: string; message: string } | undefined;
        /** What it has gone out with. */
        headers?: string | null | undefined;
        isCopy?: boolean | undefined;
      }): Message | null => {
        const row = select(input.id);
        if (row?.direction !== OUT) return null;
        const source = { wireId: unpackId(row.wire_id), sentAtMs: row.sent_at_ms };
        const headers = keepHeaders(input.headers, source);
        if (!MAY_BECOME[input.state].includes(stateOf(row.state))) {
          // A report was quicker than the answer: with what it went out is worth keeping all the same.
          if (headers !== null) setHeaders.run(headers, row.position);
          return null;
        }
        const changed = {
          ...row,
          state: stateNumber(input.state),
          failure: formatFailure(input.failure),
        };
        setState.run(changed.state, changed.failure, headers, row.position);
        keepState(row.position, changed.state);
        if (input.isCopy !== true) tellCopies(row, input.state);
        return toMessage(changed);
      },
    ),

    /** Everything up to `position`, or all of it, has been seen. Returns what changed, and whose authors asked to be told. */
    markRead: database.transaction(
      (input: {
        conversationId: ConversationId;
        position?: number | undefined;
        isCopy?: boolean | undefined;
      }): { messages: Message[]; reportWireIds: string[] } => {
        const upTo = input.position ?? newest.get(input.conversationId)?.position ?? 0;
        const rows = unread.all(input.conversationId, upTo);
        for (const { position } of rows) keepState(position, READ);
        setRead.run(input.conversationId, upTo);
        setReadPosition.run(upTo, input.conversationId);
        const last = rows.at(-1);
        if (last !== undefined && input.isCopy !== true) copies.receiveRead(last.position, last.conversation);
        return {
          messages: rows.map((row) => ({ ...toMessage(row), state: 'read' })),
          reportWireIds: rows
            .filter(({ state }) => wantsDisplayReport(state))
            .map(({ wire_id }) => unpackId(wire_id)),
        };
      },
    ),
  };
}
