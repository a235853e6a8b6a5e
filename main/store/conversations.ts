/**
 * Owns: statements on conversations. Called by: messenger-tables.ts, messages.ts, search.ts. Calls: SQLite.
 */
import type { Conversation } from '../../shared/domain/conversation.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';
import { GROUP_COLUMNS, GROUP_JOIN, toMessageGroup, type GroupColumns } from './groups.ts';
import { messageIdOf, type PackedId } from './message-keys.ts';
import { directionOf, stateOf, UNREAD, VALUE } from './message-rows.ts';

/** A conversation with its newest message and its count of unread ones, as one row. */
export interface ConversationRow extends GroupColumns {
  id: string;
  account_id: string;
  peer_address: string;
  peer_name: string;
  standing: string;
  read_position: number;
  last_activity_ms: number;
  unread_count: number;
  last_position: number | null;
  last_wire_id: PackedId | null;
  last_own_id: PackedId | number | null;
  last_direction: number | null;
  last_text: string | null;
  last_state: number | null;
  last_sent_at_ms: number | null;
  is_group: number;
  takes_changes: number;
}

/** Characters of the newest message that the list shows. */
const PREVIEW_CHARS = 200;

/** The conversation columns; append WHERE and ORDER BY. */
const CONVERSATION_SELECT = `
SELECT c.*,
  (SELECT count(*) FROM messages u INDEXED BY messages_unread WHERE u.conversation = c.key AND u.state >= ${UNREAD}) AS unread_count,
  m.position AS last_position, m.wire_id AS last_wire_id, m.id AS last_own_id, m.direction AS last_direction, substr(m.text, 1, ${PREVIEW_CHARS}) AS last_text,
  m.state AS last_state, m.sent_at_ms AS last_sent_at_ms,
  EXISTS (SELECT 1 FROM groups r WHERE r.conversation = c.key) AS is_group,
  ${GROUP_COLUMNS}
FROM conversations c
LEFT JOIN messages m ON m.position =
  (SELECT max(position) FROM messages n INDEXED BY messages_by_conversation WHERE n.conversation = c.key)
${GROUP_JOIN}`;

function toLastMessage(row: ConversationRow): Conversation['lastMessage'] {
  const { last_position: position, last_wire_id: wire_id, last_own_id: own_id } = row;
  if (position === null || wire_id === null) return null;
  const group = toMessageGroup(row);
  return {
    id: messageIdOf({ position, wire_id, own_id }),
    direction: directionOf(row.last_direction ?? 0),
    text: row.last_text ?? '',
    state: stateOf(row.last_state ?? 0),
    sentAtMs: row.last_sent_at_ms ?? 0,
    ...(group === undefined ? {} : { group }),
  };
}

function toConversation(row: ConversationRow): Conversation {
  return {
    id: row.id as ConversationId,
    accountId: row.account_id as AccountId,
    ...(row.is_group === 1 ? { kind: 'group' as const } : {}),
    ...(row.takes_changes === 1 ? { takesChanges: true } : {}),
    peerAddress: row.peer_address,
    peerName: row.peer_name,
    standing: row.standing as Conversation['standing'],
    unreadCount: row.unread_count,
    readPosition: row.read_position,
    lastActivityMs: row.last_activity_ms,
    lastMessage: toLastMessage(row),
  };
}

/** A conversation with a person; `id` and what follows count when there is none yet. */
export interface ConversationToOpen {
  readonly id: ConversationId;
  readonly accountId: AccountId;
  readonly peerAddress: string;
  readonly peerName: string;
  readonly standing: Conversation['standing'];
  readonly nowMs: number;
}

/** Whom a conversation is with, and nothing of what was said. */
export interface ConversationPeer {
  readonly accountId: AccountId;
  readonly peerAddress: string;
  readonly standing: Conversation['standing'];
  readonly lastActivityMs: number;
}

export function conversationProcedures(database: Database) {
  const byId = database.prepare<[string], ConversationRow>(`${CONVERSATION_SELECT} WHERE c.id = ${VALUE}`);
  const byKey = database.prepare<[number], ConversationRow>(`${CONVERSATION_SELECT} WHERE c.key = ${VALUE}`);
  const byPeer = database.prepare<[string, string], ConversationRow>(
    `${CONVERSATION_SELECT} WHERE c.account_id = ${VALUE} AND c.peer_address = ${VALUE}`,
  );
  const all = database.prepare<[], ConversationRow>(
    `${CONVERSATION_SELECT} ORDER BY c.last_activity_ms DESC`,
  );
  const peers = database.prepare<[], ConversationPeer>(
    `SELECT account_id AS accountId, peer_address AS peerAddress, standing, last_activity_ms AS lastActivityMs
     FROM conversations c WHERE NOT EXISTS (SELECT 1 FROM groups r WHERE r.conversation = c.key)`,
  );
  const insert = database.prepare<[string, string, string, string, string, number]>(
    `INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
     VALUES (?, ?, ?, ?, ?, ?)`,
  );
  const setStanding = database.prepare<[string, string]>(
    'UPDATE conversations SET standing = ? WHERE id = ?',
  );
  const setTakes = database.prepare<[number, string]>(
    'UPDATE conversations SET takes_changes = ? WHERE id = ?',
  );
  const setName = database.prepare<[string, string]>('UPDATE conversations SET peer_name = ? WHERE id = ?');
  const setRead = database.prepare<[number, string]>(
    'UPDATE conversations SET read_position = max(read_position, ?) WHERE id = ?',
  );

  function select(id: ConversationId): Conversation | null {
    const row = byId.get(id);
    return row === undefined ? null : toConversation(row);
  }

  function open(input: ConversationToOpen): { conversation: Conversation; created: boolean } {
    const row = byPeer.get(input.accountId, input.peerAddress);
    if (row !== undefined) return { conversation: toConversation(row), created: false };
    insert.run(input.id, input.accountId, input.peerAddress, input.peerName, input.standing, input.nowMs);
    const conversation = select(input.id);
    if (conversation === null) throw new Error('the conversation was not inserted');
    return { conversation, created: true };
  }
  const openAlone = database.transaction(open);

  return {
    selectConversation(input: { id: ConversationId }): Conversation | null {
      return select(input.id);
    },
    selectConversationByKey(input: { key: number }): Conversation | null {
      const row = byKey.get(input.key);
      return row === undefined ? null : toConversation(row);
    },
    selectConversationWith(input: { accountId: AccountId; peerAddress: string }): Conversation | null {
      const row = byPeer.get(input.accountId, input.peerAddress);
      return row === undefined ? null : toConversation(row);
    },
    selectConversations(_input: null): Conversation[] {
      return all.all().map(toConversation);
    },
    /** Of conversations with one person each: what looks at no message is quick in a long history. */
    selectConversationPeers(_input: null): ConversationPeer[] {
      return peers.all();
    },
    /** Finds the conversation with a person or makes it; an existing one keeps its standing and name. */
    openConversation: (input: ConversationToOpen): { conversation: Conversation; created: boolean } =>
      // A savepoint among many messages would make a piece of index of its own.
      database.inTransaction ? open(input) : openAlone(input),
    updateStanding(input: { id: ConversationId; standing: Conversation['standing'] }): Conversation | null {
      setStanding.run(input.standing, input.id);
      return select(input.id);
    },
    /** Whether the other side follows changes of messages. */
    updateTakesChanges(input: { conversationId: ConversationId; takes: boolean }): Conversation | null {
      setTakes.run(input.takes ? 1 : 0, input.conversationId);
      return select(input.conversationId);
    },
    updatePeerName(input: { id: ConversationId; peerName: string }): Conversation | null {
      setName.run(input.peerName, input.id);
      return select(input.id);
    },
    updateReadPosition(input: { id: ConversationId; position: number }): null {
      setRead.run(input.position, input.id);
      return null;
    },
  };
}
