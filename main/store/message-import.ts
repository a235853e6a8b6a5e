/**
 * Owns: taking many messages in at once. Called by: messenger-tables.ts. Calls: message-keys.ts, search-index.ts,
 * header-shapes.ts, SQLite.
 *
 * The same as messages.ts does for one; what is looked up there for each is looked up here for all of them together.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import type { ExportedChange } from './change-columns.ts';
import type { Database } from './database.ts';
import { groupMessages } from './groups.ts';
import { headerKeeper } from './header-shapes.ts';
import { changeKeeper, replyKeeper } from './message-changes.ts';
import {
  messagePositions,
  packId,
  positionOfPlaceId,
  SAME_AS_WIRE,
  unpackId,
  wireKey,
  type PackedId,
} from './message-keys.ts';
import { FILE, IN, OUT, stateNumber, TEXT } from './message-rows.ts';
import type { NewMessage } from './messages.ts';
import type { SearchIndex } from './search-index.ts';
import { transferProcedures } from './transfers.ts';

/** A message that is taken in, with what has happened to it already. */
export interface ImportedMessage extends NewMessage {
  readonly changes?: readonly ExportedChange[] | undefined;
}

/** A message with that id on the wire; `hasItsId`: its own id is the same. */
interface Known {
  readonly conversation: number;
  readonly direction: number;
  readonly hasItsId: boolean;
  /** Another one with that id. */
  readonly next: Known | undefined;
}

interface KnownRow {
  wire_id: PackedId;
  own_id: PackedId | number | null;
  conversation: number;
  direction: number;
}

export function importProcedures(database: Database, index: Pick<SearchIndex, 'openBatch'>) {
  const transfers = transferProcedures(database);
  const positionOf = messagePositions(database);
  const headers = headerKeeper(database);
  const putGroup = groupMessages(database);
  const keepReply = replyKeeper(database);
  const keepChanges = changeKeeper(database);
  const insert = database.prepare(
    `INSERT INTO messages (conversation, direction, state, kind, wire_key, wire_id, id, text, sent_at_ms, stored_after_ms,
       headers)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const knownOnes = database.prepare<[string], KnownRow>(
    `SELECT m.wire_id, m.id AS own_id, m.conversation, m.direction FROM json_each(?) k
     CROSS JOIN messages m INDEXED BY messages_by_wire_key ON m.wire_key = k.value`,
  );
  const anyOwnId = database.prepare<[], { there: number }>(
    `SELECT EXISTS (SELECT 1 FROM messages INDEXED BY messages_by_id WHERE id IS NOT NULL AND id <> 0) AS there`,
  );
  const conversationKey = database.prepare<[string], { key: number }>(
    'SELECT key FROM conversations WHERE id = ?',
  );
  const touch = database.prepare<[number, number]>(
    'UPDATE conversations SET last_activity_ms = max(last_activity_ms, ?) WHERE key = ?',
  );

  /** What is here of them already, by id on the wire. The keys in order: neighbours lie on the same page of the index. */
  function findKnown(keys: Int32Array): Map<string, Known> {
    const known = new Map<string, Known>();
    for (const row of knownOnes.all(`[${keys.toSorted().join(',')}]`)) {
      const { conversation, direction, own_id: ownId } = row;
      const wireId = unpackId(row.wire_id);
      const hasItsId = typeof ownId === 'number';
      known.set(wireId, { conversation, direction, hasItsId, next: known.get(wireId) });
    }
    return known;
  }

  /** Looks up each conversation once. */
  function conversationKeys(): (id: ConversationId) => number {
    const keys = new Map<ConversationId, number>();
    return (id) => {
      let key = keys.get(id);
      if (key === undefined) {
        key = conversationKey.get(id)?.key;
        if (key === undefined) throw new Error(`no conversation ${id}`);
        keys.set(id, key);
      }
      return key;
    };
  }

  function takeIn(input: readonly ImportedMessage[]): number {
    const wireKeys = Int32Array.from(input, ({ wireId }) => wireKey(wireId));
    const known = findKnown(wireKeys);
    const keyOf = conversationKeys();
    let hasOwnIds = anyOwnId.get()?.there === 1;
    const newest = new Map<number, number>();
    const keepHeaders = headers.openBatch();
    const batch = index.openBatch();
    let added = 0;

    /** What stands in the column of the own id: another message may have it. */
    const ownId = ({ id, wireId }: NewMessage, others: Known | undefined): PackedId | bigint | null => {
      if (id === undefined || positionOfPlaceId(id) !== undefined) return null;
      if (id === wireId && some(others, ({ hasItsId }) => hasItsId)) return null;
      // Who has it as his id on the wire is known; ids of another kind are rare.
      if ((id !== wireId || hasOwnIds) && positionOf(id) !== undefined) return null;
      hasOwnIds ||= id !== wireId;
      // A plain number would be stored as a fraction, in eight bytes.
      return id === wireId ? BigInt(SAME_AS_WIRE) : packId(id);
    };

    for (const [at, message] of input.entries()) {
      const conversation = keyOf(message.conversationId);
      const direction = message.direction === 'in' ? IN : OUT;
      const others = known.get(message.wireId);
      if (some(others, (one) => one.conversation === conversation && one.direction === direction)) continue;
      const id = ownId(message, others);
      known.set(message.wireId, {
        conversation,
        direction,
        hasItsId: typeof id === 'bigint',
        next: others,
      });
      const { group, file, text, sentAtMs, storedAtMs } = message;
      const { lastInsertRowid } = insert.run(
        conversation,
        direction,
        stateNumber(message.state, message.displayReportWanted),
        file === undefined ? TEXT : FILE,
        wireKeys[at],
        packId(message.wireId),
        id,
        text,
        sentAtMs,
        storedAtMs - sentAtMs,
        keepHeaders(message.headers, message, 2 * conversation + direction),
      );
      const position = Number(lastInsertRowid);
      const person = putGroup(position, conversation, group);
      if (message.replyTo !== undefined) keepReply(position, conversation, message.replyTo);
      if (message.changes !== undefined) keepChanges(position, conversation, message.changes);
      // What has happened is shown, and neither searched nor counted.
      if ((group?.notice ?? null) === null) {
        const isFile = file !== undefined;
        batch.insert({
          position,
          conversation,
          direction: message.direction,
          text,
          sentAtMs,
          person,
          isFile,
        });
      }
      if (file !== undefined) transfers.insertTransfer({ position, transfer: file });
      added += 1;
      newest.set(conversation, Math.max(newest.get(conversation) ?? 0, storedAtMs));
    }
    batch.flush();
    for (const [conversation, newestMs] of newest) touch.run(newestMs, conversation);
    return added;
  }
  const takeInAlone = database.transaction(takeIn);

  return {
    /** Takes many in, in one commit. Returns how many were new. */
    importMessages: (input: readonly ImportedMessage[]): number =>
      // A savepoint for each part of a longer import would make a piece of index of its own for each.
      database.inTransaction ? takeIn(input) : takeInAlone(input),
  };
}

function some(first: Known | undefined, is: (one: Known) => boolean): boolean {
  for (let one = first; one !== undefined; one = one.next) if (is(one)) return true;
  return false;
}
