/**
 * Owns: a message as it lies on disk, and how it is read: columns, numbers of states, ids.
 * Called by: messages.ts, search.ts, browse.ts, export-rows.ts, conversations.ts. Calls: message-keys.ts, transfers.ts, groups.ts.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { Message, MessageState } from '../../shared/domain/message.ts';
import { GROUP_COLUMNS, GROUP_JOIN, toMessageGroup, type GroupColumns } from './groups.ts';
import { directionOf } from './message-kinds.ts';
import { CHANGE_COLUMNS, toMessageChanges, type ChangeColumns } from './change-columns.ts';
import { messageIdOf, type IdColumns } from './message-keys.ts';
import { toShownTransfer, TRANSFER_COLUMNS, TRANSFER_JOIN, type TransferColumns } from './transfers.ts';

/** Each at its number; the last stands for a received message whose author wants to know when it is displayed. */
const STATES = [
  'queued',
  'waiting',
  'sent',
  'delivered',
  'displayed',
  'failed',
  'read',
  'received',
  'received',
] as const satisfies readonly MessageState[];

export const QUEUED = STATES.indexOf('queued');
export const READ = STATES.indexOf('read');
/** From here on a message is unread. */
export const UNREAD = STATES.indexOf('received');
const RECEIVED_TELL = UNREAD + 1;

export function stateNumber(state: MessageState, displayReportWanted = false): number {
  if (state === 'received') return displayReportWanted ? RECEIVED_TELL : UNREAD;
  return (STATES as readonly MessageState[]).indexOf(state);
}

export function stateOf(number: number): MessageState {
  const state = STATES[number];
  if (state === undefined) throw new Error(`no state ${number}`);
  return state;
}

export function wantsDisplayReport(number: number): boolean {
  return number === RECEIVED_TELL;
}

export { directionOf, FILE, IN, OUT, TEXT } from './message-kinds.ts';

/** What `toMessage` reads. */
export interface MessageRow extends TransferColumns, GroupColumns, ChangeColumns, IdColumns {
  conversation: number;
  conversation_id: string;
  direction: number;
  state: number;
  kind: number;
  text: string;
  sent_at_ms: number;
  failure: string | null;
}

/** After FROM that joins `messages m`, `conversations c` and the transfer. */
export const MESSAGE_COLUMNS = `m.position, m.conversation, m.direction, m.state, m.kind, m.wire_id, m.id AS own_id, m.text,
  m.sent_at_ms, m.failure, c.id AS conversation_id, ${TRANSFER_COLUMNS}, ${GROUP_COLUMNS}, ${CHANGE_COLUMNS}`;

/** After `messages m`. */
export const MESSAGE_JOIN = `CROSS JOIN conversations c ON c.key = m.conversation ${TRANSFER_JOIN} ${GROUP_JOIN}`;

/** A message with its conversation and file; append WHERE and ORDER BY. */
export const MESSAGE_SELECT = `SELECT ${MESSAGE_COLUMNS} FROM messages m ${MESSAGE_JOIN}`;

/** The same by one of the indexes that lead to a conversation; figures of few rows make SQLite choose badly. */
export function selectMessagesBy(
  index: 'messages_by_conversation' | 'messages_outbox' | 'messages_unread',
): string {
  return `SELECT ${MESSAGE_COLUMNS} FROM messages m INDEXED BY ${index} ${MESSAGE_JOIN}
    WHERE m.conversation = ${CONVERSATION_KEY}`;
}

/**
 * A parameter in a statement with a join. A bare one makes SQLite plan the statement again whenever another value is
 * bound to it, which takes ten times as long as to look a row up.
 */
export const VALUE = '(SELECT ?)';

/** In a WHERE: the number of the conversation whose id is the parameter. */
export const CONVERSATION_KEY = '(SELECT key FROM conversations WHERE id = ?)';

export function formatFailure(failure: Message['failure'] | undefined): string | null {
  return failure === null || failure === undefined ? null : `${failure.code} ${failure.message}`;
}

export function parseFailure(stored: string | null): Message['failure'] {
  if (stored === null) return null;
  const end = stored.indexOf(' ');
  return end < 0
    ? { code: stored, message: '' }
    : { code: stored.slice(0, end), message: stored.slice(end + 1) };
}

export function toMessage(row: MessageRow): Message {
  const file = toShownTransfer(row);
  const group = toMessageGroup(row);
  return {
    id: messageIdOf(row),
    conversationId: row.conversation_id as ConversationId,
    position: row.position,
    direction: directionOf(row.direction),
    text: row.text,
    sentAtMs: row.sent_at_ms,
    state: stateOf(row.state),
    failure: parseFailure(row.failure),
    ...(file === null ? {} : { file }),
    ...(group === undefined ? {} : { group }),
    ...toMessageChanges(row),
  };
}
