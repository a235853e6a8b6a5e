/**
 * Owns: statements on what happens to messages after they were stored: answers, reactions, other texts, taken back.
 * Called by: messenger-tables.ts, messages.ts. Calls: search-index.ts, SQLite.
 */
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import type { Message } from '../../shared/domain/message.ts';
import type { GroupPerson } from '../../shared/domain/group.ts';
import {
  CHANGE_KINDS,
  EDIT,
  NO_REACTION,
  REACTION,
  TAKE_BACK,
  type ExportedChange,
} from './change-columns.ts';
import { copyKeeper } from './copy-keeper.ts';
import type { Database } from './database.ts';
import { groupPeople } from './groups.ts';
import { messagePositions, packId, unpackId, wireKey, type PackedId } from './message-keys.ts';
import { directionOf, FILE, IN, OUT } from './message-kinds.ts';
import { MESSAGE_SELECT, toMessage, VALUE, type MessageRow } from './message-rows.ts';
import type { SearchIndex } from './search-index.ts';

/** What may happen to a message. `text`: in a change the new one. */
export type MessageChange =
  | { readonly kind: 'reaction'; readonly emoji: string }
  | { readonly kind: 'no-reaction' }
  | { readonly kind: 'edit'; readonly text: string }
  | { readonly kind: 'takeBack' };

const [WAITS, HAS_LEFT, WAS_REFUSED] = [0, 1, 2] as const;

/** What is remembered of a message beside what counts: somebody may change his mind without end. */
const MAX_PAST_CHANGES = 100;

/** A change of ours that has not left yet. */
export interface WaitingChange {
  readonly key: number;
  readonly wireId: string;
  readonly atMs: number;
  readonly change: MessageChange;
  /** Of the message that it is about. */
  readonly targetWireId: string;
  /** In a group the message went to this person only. */
  readonly to: GroupPerson | null;
}

/** The numbers of conversations in which changes of ours have not left. */
export const CONVERSATIONS_WITH_CHANGES = `SELECT m.conversation FROM message_changes x
  JOIN messages m ON m.position = x.target WHERE x.state = ${WAITS}`;

/** Remembers that a message answers another one of its conversation. */
export function replyKeeper(
  database: Database,
): (position: number, conversation: number, targetWireId: string) => void {
  const find = targetFinder(database);
  const insert = database.prepare<[number, string, number | null]>(
    'INSERT INTO replies (position, wire_id, target) VALUES (?, ?, ?)',
  );
  return (position, conversation, targetWireId) =>
    insert.run(position, targetWireId, find(conversation, targetWireId)?.position ?? null);
}

/** Puts back what has happened to a message that is taken in. */
export function changeKeeper(
  database: Database,
): (position: number, conversation: number, changes: readonly ExportedChange[]) => void {
  const personKey = groupPeople(database);
  const insert = database.prepare(
    `INSERT INTO message_changes (target, kind, direction, person, text, at_ms, wire_id, live, state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return (position, conversation, changes) => {
    for (const { kind, direction, by, text, atMs, wireId, counts } of changes) {
      const person = by === null ? null : personKey(conversation, { address: by, name: userOf(by) });
      const number = direction === 'out' ? OUT : IN;
      const state = direction === 'out' ? HAS_LEFT : null;
      insert.run(
        position,
        CHANGE_KINDS.indexOf(kind),
        number,
        person,
        text,
        atMs,
        wireId,
        counts ? 1 : 0,
        state,
      );
    }
  };
}

/** Of an address, until its person is known by name. */
function userOf(address: string): string {
  return address.slice(0, Math.max(0, address.lastIndexOf('@')));
}

interface TargetRow {
  position: number;
  conversation: number;
  direction: number;
  kind: number;
  text: string;
  sent_at_ms: number;
  person: number | null;
}

function targetFinder(database: Database): (conversation: number, wireId: string) => TargetRow | undefined {
  const find = database.prepare<[number, PackedId, number], TargetRow>(
    `SELECT m.position, m.conversation, m.direction, m.kind, m.text, m.sent_at_ms,
       (SELECT g.person FROM group_messages g WHERE g.position = m.position) AS person
     FROM messages m WHERE m.wire_key = ? AND m.wire_id = ? AND m.conversation = ?`,
  );
  return (conversation, wireId) => find.get(wireKey(wireId), packId(wireId), conversation);
}

/** What became of a change: `unknown`: its message is not here; `forbidden`: the message is another one's. */
export type ChangeOutcome =
  | { readonly outcome: 'changed'; readonly message: Message }
  | { readonly outcome: 'there' }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'forbidden' };

export function messageChangeProcedures(database: Database, index: Pick<SearchIndex, 'openBatch'>) {
  const positionOf = messagePositions(database);
  const find = targetFinder(database);
  const personKey = groupPeople(database);
  const copies = copyKeeper(database);
  const keyOf = database.prepare<[string], { key: number }>('SELECT key FROM conversations WHERE id = ?');
  const byPosition = database.prepare<[number], { wire_id: PackedId; id: string; text: string }>(
    'SELECT m.wire_id, m.text, c.id FROM messages m JOIN conversations c ON c.key = m.conversation WHERE m.position = ?',
  );
  const whole = database.prepare<[number], MessageRow>(`${MESSAGE_SELECT} WHERE m.position = ${VALUE}`);
  const there = database.prepare<[number, string, number], { key: number; state: number | null }>(
    'SELECT key, state FROM message_changes WHERE target = ? AND wire_id = ? AND direction = ?',
  );
  const isTakenBack = database.prepare<[number]>(
    `SELECT 1 FROM message_changes WHERE target = ? AND kind = ${TAKE_BACK}`,
  );
  const endReactions = database.prepare<[number, number, number | null]>(
    `UPDATE message_changes SET live = 0
     WHERE target = ? AND kind IN (${REACTION}, ${NO_REACTION}) AND direction = ? AND person IS ?`,
  );
  const endEdits = database.prepare<[number]>(
    `UPDATE message_changes SET live = 0 WHERE target = ? AND kind = ${EDIT}`,
  );
  const forget = database.prepare<[number]>(
    `DELETE FROM message_changes WHERE target = ? AND kind <> ${TAKE_BACK}`,
  );
  const insert = database.prepare(
    `INSERT INTO message_changes (target, kind, direction, person, text, at_ms, wire_id, live, state)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const forgetOldest = database.prepare<[number, number]>(
    `DELETE FROM message_changes WHERE target = ? AND live = 0 AND coalesce(state, ${HAS_LEFT}) <> ${WAITS}
       AND key NOT IN (SELECT key FROM message_changes WHERE target = ? AND live = 0
         ORDER BY key DESC LIMIT ${MAX_PAST_CHANGES})`,
  );
  const setText = database.prepare<[string, number]>('UPDATE messages SET text = ? WHERE position = ?');
  const waiting = database.prepare<
    [string, number],
    {
      key: number;
      kind: number;
      text: string;
      now_text: string;
      at_ms: number;
      wire_id: string;
      target_wire_id: PackedId;
      private: number | null;
      address: string | null;
      name: string | null;
    }
  >(
    `SELECT x.key, x.kind, x.text, m.text AS now_text, x.at_ms, x.wire_id, m.wire_id AS target_wire_id, g.private,
       p.address, p.name
     FROM message_changes x JOIN messages m ON m.position = x.target
     LEFT JOIN group_messages g ON g.position = m.position LEFT JOIN group_people p ON p.key = g.person
     WHERE x.state = ${WAITS} AND m.conversation = (SELECT key FROM conversations WHERE id = ?)
     ORDER BY x.key LIMIT ?`,
  );
  const setState = database.prepare<[number, number]>('UPDATE message_changes SET state = ? WHERE key = ?');

  /** The text in the table and in the index. */
  function putText(target: TargetRow, text: string): void {
    const { position, conversation, sent_at_ms: sentAtMs, person } = target;
    const direction = directionOf(target.direction);
    const indexed = {
      position,
      conversation,
      direction,
      sentAtMs,
      person,
      isFile: target.kind === FILE,
    } as const;
    const batch = index.openBatch();
    batch.remove({ ...indexed, text: target.text });
    setText.run(text, position);
    batch.insert({ ...indexed, text });
    batch.flush();
  }

  function textOf(change: MessageChange, target: TargetRow): string {
    if (change.kind === 'reaction') return change.emoji;
    return change.kind === 'edit' ? target.text : '';
  }

  return {
    /**
     * Carries a change out and remembers it; the same one a second time changes nothing. Of what is taken back nothing
     * stays, and what still waits to be said of it is not said any more, unless `keepsText`: under a legal hold the last
     * text is remembered where only the file shows it.
     */
    applyMessageChange: database.transaction(
      (input: {
        conversationId: ConversationId;
        targetWireId: string;
        change: MessageChange;
        direction: 'in' | 'out';
        person: GroupPerson | null;
        atMs: number;
        wireId: string;
        /** Ours waits to be sent; one that a room gives back to us has left. */
        waits: boolean;
        keepsText: boolean;
        /** Another device of our user has told us. */
        isCopy?: boolean | undefined;
      }): ChangeOutcome => {
        const conversation = keyOf.get(input.conversationId)?.key;
        const target = conversation === undefined ? undefined : find(conversation, input.targetWireId);
        if (conversation === undefined || target === undefined) return { outcome: 'unknown' };
        const { position } = target;
        const direction = input.direction === 'out' ? OUT : IN;
        const known = there.get(position, input.wireId, direction);
        if (known !== undefined) {
          if (known.state === WAITS && !input.waits) setState.run(HAS_LEFT, known.key);
          return { outcome: 'there' };
        }
        const { change } = input;
        const person = input.person === null ? null : personKey(conversation, input.person);
        const isReaction = change.kind === 'reaction' || change.kind === 'no-reaction';
        const isAuthor = target.direction === direction && (direction === OUT || target.person === person);
        if (!isReaction && (!isAuthor || target.kind === FILE)) return { outcome: 'forbidden' };
        // Nothing can be done any more to what was taken back.
        if (isTakenBack.get(position) !== undefined) return { outcome: 'there' };
        const kept = change.kind === 'takeBack' && input.keepsText ? target.text : textOf(change, target);
        if (isReaction) endReactions.run(position, direction, person);
        else if (change.kind === 'edit') endEdits.run(position);
        else if (!input.keepsText) forget.run(position);
        const state = direction === OUT ? (input.waits ? WAITS : HAS_LEFT) : null;
        const live = change.kind === 'no-reaction' ? 0 : 1;
        const kind = CHANGE_KINDS.indexOf(change.kind);
        const { lastInsertRowid } = insert.run(
          ...([position, kind, direction, person, kept, input.atMs, input.wireId, live, state] as const),
        );
        if (input.isCopy !== true) copies.receiveChange(Number(lastInsertRowid), conversation);
        forgetOldest.run(position, position);
        if (change.kind === 'edit') putText(target, change.text);
        else if (change.kind === 'takeBack') putText(target, '');
        const row = whole.get(position);
        if (row === undefined) throw new Error('the message is gone');
        return { outcome: 'changed', message: toMessage(row) };
      },
    ),

    /** Where a message of ours, or of others, is known by on both sides. */
    selectWireId(input: { id: MessageId }): { wireId: string; conversationId: ConversationId } | null {
      const position = positionOf(input.id);
      const row = position === undefined ? undefined : byPosition.get(position);
      return row === undefined
        ? null
        : { wireId: unpackId(row.wire_id), conversationId: row.id as ConversationId };
    },

    /** What a message answers: by which id both sides know it, and what it says. Null: it is not here any more. */
    selectQuoted(input: { position: number }): { wireId: string; text: string } | null {
      const row = byPosition.get(input.position);
      return row === undefined ? null : { wireId: unpackId(row.wire_id), text: row.text };
    },

    /** Our changes in a conversation that have not left, the oldest first. */
    selectWaitingChanges(input: { conversationId: ConversationId; limit: number }): WaitingChange[] {
      return waiting.all(input.conversationId, input.limit).map((row) => ({
        key: row.key,
        wireId: row.wire_id,
        atMs: row.at_ms,
        change: toChange(row.kind, row.text, row.now_text),
        targetWireId: unpackId(row.target_wire_id),
        to: row.private === 1 && row.address !== null ? { address: row.address, name: row.name ?? '' } : null,
      }));
    },
    updateWaitingChange(input: { key: number; refused: boolean }): null {
      setState.run(input.refused ? WAS_REFUSED : HAS_LEFT, input.key);
      return null;
    },
  };
}

/** Of several edits that wait the last one says it all: the message has its text now. */
export function toChange(kind: number, text: string, nowText: string): MessageChange {
  if (kind === REACTION) return { kind: 'reaction', emoji: text };
  if (kind === NO_REACTION) return { kind: 'no-reaction' };
  return kind === EDIT ? { kind: 'edit', text: nowText } : { kind: 'takeBack' };
}
