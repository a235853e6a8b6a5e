/**
 * Owns: statements on groups: where we stand with each, who belongs to it, who wrote which of its messages.
 * Called by: messenger-tables.ts, messages.ts, search.ts, change-columns.ts. Calls: SQLite.
 */
import type {
  GroupMember,
  GroupMembership,
  GroupNotice,
  GroupPerson,
  MessageGroup,
} from '../../shared/domain/group.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import type { Database } from './database.ts';

/** A group as it lies on disk. */
export interface StoredGroup {
  readonly conversationId: ConversationId;
  readonly membership: GroupMembership;
  readonly isOpen: boolean;
  /** Addresses that are to be invited when the room is there. */
  readonly pending: readonly string[];
  readonly members: readonly GroupMember[];
}

/** A member as a server tells of him. */
export type ToldMember = Omit<GroupMember, 'roomName'>;

/** The name that our user has for the person with this address; NULL: none. Both are SQL. */
const contactName = (conversation: string, address: string): string =>
  `(SELECT nullif(k.display_name, '') FROM conversations d CROSS JOIN contacts k
    ON k.account_id = d.account_id AND k.address = ${address} WHERE d.key = ${conversation})`;

/** What others read as the name of a row of `group_people`. */
const ROOM_NAME = (person: string): string => `coalesce(nullif(${person}.nickname, ''), ${person}.name)`;

/** What our user reads as its name: whom he knows has the name that he has given him. */
export const personName = (person: string): string =>
  `coalesce(${contactName(`${person}.conversation`, `${person}.address`)}, ${ROOM_NAME(person)})`;

/** What he reads now as the name of the person with this address in the conversation of `messages m`; NULL: nobody knows. */
const nameNow = (address: string): string =>
  `coalesce((SELECT ${personName('q')} FROM group_people q WHERE q.conversation = m.conversation AND q.address = ${address}),
    ${contactName('m.conversation', address)})`;

/** The columns that a message row brings along when it is in a group. */
export interface GroupColumns {
  group_private: number | null;
  group_notice: string | null;
  /** JSON: what our user reads now as the names of who did it and whom it is about. */
  notice_names: string | null;
  person_address: string | null;
  person_name: string | null;
}

/** After `messages m`: what `toMessageGroup` reads. */
export const GROUP_COLUMNS = `g.private AS group_private, g.notice AS group_notice, gp.address AS person_address,
  CASE WHEN gp.key IS NOT NULL THEN ${personName('gp')} END AS person_name,
  CASE WHEN g.notice IS NOT NULL
    THEN json_array(${nameNow("g.notice ->> '$.by.address'")}, ${nameNow("g.notice ->> '$.who.address'")})
  END AS notice_names`;
export const GROUP_JOIN =
  'LEFT JOIN group_messages g ON g.position = m.position LEFT JOIN group_people gp ON gp.key = g.person';

/** Undefined for a message of no group. */
export function toMessageGroup(row: GroupColumns): MessageGroup | undefined {
  if (row.group_private === null) return undefined;
  const { person_address: address, person_name: name } = row;
  return {
    person: address === null ? null : { address, name: name ?? '' },
    isPrivate: row.group_private === 1,
    notice: row.group_notice === null ? null : toNotice(row.group_notice, row.notice_names),
  };
}

/** People have the names that our user reads now, else those of that time. */
function toNotice(stored: string, names: string | null): GroupNotice {
  const notice = JSON.parse(stored) as GroupNotice;
  const [by, who] = JSON.parse(names ?? '[]') as (string | null)[];
  const named = (person: GroupPerson | null, name: string | null | undefined): GroupPerson | null =>
    person === null ? null : { ...person, name: name ?? person.name };
  return { ...notice, by: named(notice.by, by), who: named(notice.who, who) };
}

interface GroupRow {
  conversation: number;
  id: string;
  membership: string;
  is_open: number;
  pending: string;
}

interface PersonRow {
  address: string;
  shown: string;
  name: string;
  nickname: string;
  role: string;
  state: string;
}

/** Finds or makes the row of somebody who says something. */
export function groupPeople(
  database: Database,
): (conversation: number, person: GroupPerson) => number | null {
  const find = database.prepare<[number, string], { key: number }>(
    'SELECT key FROM group_people WHERE conversation = ? AND address = ?',
  );
  const insert = database.prepare<[number, string, string]>(
    `INSERT INTO group_people (conversation, address, name, nickname, role, state) VALUES (?, ?, ?, '', 'member', 'gone')`,
  );
  return (conversation, { address, name }) =>
    find.get(conversation, address)?.key ?? Number(insert.run(conversation, address, name).lastInsertRowid);
}

/** Notes who wrote a message in a group, or to whom alone it went, and returns his number; null for a message of no group. */
export function groupMessages(
  database: Database,
): (position: number, conversation: number, group: MessageGroup | undefined) => number | null {
  const personKey = groupPeople(database);
  const insert = database.prepare<[number, number | null, number, string | null]>(
    'INSERT INTO group_messages (position, person, private, notice) VALUES (?, ?, ?, ?)',
  );
  return (position, conversation, group) => {
    if (group === undefined) return null;
    const person = group.person === null ? null : personKey(conversation, group.person);
    const notice = group.notice === null ? null : JSON.stringify(group.notice);
    insert.run(position, person, group.isPrivate ? 1 : 0, notice);
    return person;
  };
}

export function groupProcedures(database: Database) {
  const GROUP = `SELECT g.*, c.id FROM groups g CROSS JOIN conversations c ON c.key = g.conversation`;
  const byId = database.prepare<[string], GroupRow>(`${GROUP} WHERE c.id = ?`);
  const ofAccount = database.prepare<[string], GroupRow>(`${GROUP} WHERE c.account_id = ?`);
  const people = database.prepare<[number], PersonRow>(
    `SELECT p.*, ${personName('p')} AS shown FROM group_people p
     WHERE p.conversation = ? AND p.state <> 'gone' ORDER BY p.key`,
  );
  const groupsWith = database.prepare<[string, string, string], { id: string }>(
    `SELECT c.id FROM groups g CROSS JOIN conversations c ON c.key = g.conversation AND c.account_id = ?
     WHERE EXISTS (SELECT 1 FROM group_people p WHERE p.conversation = g.conversation AND p.address = ?)
       OR (SELECT instr(e.notice, json_quote(?)) FROM group_messages e WHERE e.position =
         (SELECT max(position) FROM messages n INDEXED BY messages_by_conversation
          WHERE n.conversation = g.conversation)) > 0`,
  );
  const nameInGroups = database.prepare<[string, string], { name: string }>(
    `SELECT ${ROOM_NAME('p')} AS name FROM groups g
     CROSS JOIN conversations c ON c.key = g.conversation AND c.account_id = ?
     CROSS JOIN group_people p ON p.conversation = g.conversation AND p.address = ?
     ORDER BY p.key DESC LIMIT 1`,
  );
  const keyOf = database.prepare<[string], { key: number }>('SELECT key FROM conversations WHERE id = ?');
  const upsert = database.prepare<[number, string, number, string]>(
    `INSERT INTO groups (conversation, membership, is_open, pending) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET membership = excluded.membership, is_open = excluded.is_open, pending = excluded.pending`,
  );
  const setTitle = database.prepare<[string, number]>('UPDATE conversations SET peer_name = ? WHERE key = ?');
  const upsertPerson = database.prepare<[number, string, string, string, string, string]>(
    `INSERT INTO group_people (conversation, address, name, nickname, role, state) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (conversation, address) DO UPDATE SET name = excluded.name, nickname = excluded.nickname,
       role = excluded.role, state = excluded.state`,
  );
  const allGone = database.prepare<[number]>("UPDATE group_people SET state = 'gone' WHERE conversation = ?");
  const gone = database.prepare<[number, string]>(
    "UPDATE group_people SET state = 'gone' WHERE conversation = ? AND address = ?",
  );
  const allAway = database.prepare("UPDATE group_people SET state = 'away' WHERE state = 'here'");

  function toMember({ address, shown, name, nickname, role, state }: PersonRow): GroupMember {
    const roomName = nickname || name;
    return {
      address,
      name: shown,
      ...(shown === roomName ? {} : { roomName }),
      nickname,
      role: role as GroupMember['role'],
      state: state as GroupMember['state'],
    };
  }

  function toGroup(row: GroupRow): StoredGroup {
    return {
      conversationId: row.id as ConversationId,
      membership: row.membership as GroupMembership,
      isOpen: row.is_open === 1,
      pending: JSON.parse(row.pending) as string[],
      members: people.all(row.conversation).map(toMember),
    };
  }

  return {
    selectGroup(input: { conversationId: ConversationId }): StoredGroup | null {
      const row = byId.get(input.conversationId);
      return row === undefined ? null : toGroup(row);
    },
    selectGroups(input: { accountId: AccountId }): StoredGroup[] {
      return ofAccount.all(input.accountId).map(toGroup);
    },
    /** Those to which this person belongs or belonged, or whose last line is about him. */
    selectGroupsWith({ accountId, address }: { accountId: AccountId; address: string }): ConversationId[] {
      return groupsWith.all(accountId, address, address).map(({ id }) => id as ConversationId);
    },
    /** What others have read last as the name of this person in any group; null: nobody has told one. */
    selectNameInGroups(input: { accountId: AccountId; peerAddress: string }): string | null {
      return nameInGroups.get(input.accountId, input.peerAddress)?.name ?? null;
    },
    /** A conversation is a group, and where we stand with it; what is absent stays, or is as for a new one. */
    updateGroup: database.transaction(
      (input: {
        conversationId: ConversationId;
        membership?: GroupMembership | undefined;
        isOpen?: boolean | undefined;
        pending?: readonly string[] | undefined;
        title?: string | undefined;
      }): StoredGroup | null => {
        const key = keyOf.get(input.conversationId)?.key;
        if (key === undefined) return null;
        const before = byId.get(input.conversationId);
        const membership = input.membership ?? before?.membership ?? 'member';
        const isOpen = input.isOpen ?? before?.is_open === 1;
        const pending =
          input.pending === undefined ? (before?.pending ?? '[]') : JSON.stringify(input.pending);
        upsert.run(key, membership, isOpen ? 1 : 0, pending);
        if (input.title !== undefined) setTitle.run(input.title, key);
        const row = byId.get(input.conversationId);
        return row === undefined ? null : toGroup(row);
      },
    ),
    /** Who belongs to it: everybody (`whole`), or who has changed. */
    updateGroupPeople: database.transaction(
      (input: {
        conversationId: ConversationId;
        whole: boolean;
        members: readonly ToldMember[];
        removed: readonly string[];
      }): StoredGroup | null => {
        const key = keyOf.get(input.conversationId)?.key;
        if (key === undefined) return null;
        if (input.whole) allGone.run(key);
        for (const { address, name, nickname, role, state } of input.members) {
          upsertPerson.run(key, address, name, nickname, role, state);
        }
        for (const address of input.removed) gone.run(key, address);
        const row = byId.get(input.conversationId);
        return row === undefined ? null : toGroup(row);
      },
    ),
    /** Nobody is known to be there before a server has said so. */
    forgetWhoIsHere(_input: null): null {
      allAway.run();
      return null;
    },
  };
}
