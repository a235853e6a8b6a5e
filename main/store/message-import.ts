/**
 * Owns: taking many messages in at once. Called by: messenger-tables.ts, bulk-work.ts. Calls: message-preparing.ts,
 * message-keys.ts, search-index.ts, header-shapes.ts, SQLite.
 *
 * The same as messages.ts does for one; what is looked up there for each is looked up here for all of them together,
 * and for all parts of one transaction.
 */
import type { ConversationId } from '../../shared/domain/ids.ts';
import { conversationProcedures, type ConversationToOpen } from './conversations.ts';
import type { Database } from './database.ts';
import { groupMessages, groupProcedures } from './groups.ts';
import { shapeKeys, toStoredHeaders, type StoredHeaders } from './header-shapes.ts';
import { changeKeeper, replyKeeper } from './message-changes.ts';
import { messagePositions, packId, SAME_AS_WIRE, unpackId, type PackedId } from './message-keys.ts';
import {
  ID_OF_PLACE,
  ID_OF_WIRE,
  messagePreparer,
  type ImportedMessage,
  type PreparedMessages,
} from './message-preparing.ts';
import { IN } from './message-rows.ts';
import { timeKeeper } from './message-states.ts';
import {
  searchIndexProcedures,
  type IndexBatch,
  type PreparedForIndex,
  type SearchIndex,
} from './search-index.ts';
import { transferProcedures } from './transfers.ts';

/** A conversation of an export. */
export interface ImportedConversation extends ConversationToOpen {
  /** How messages name it. */
  readonly exportedId: ConversationId;
  readonly isGroup: boolean;
}

/** A part of an import, with the conversations that it names or brings along; those that it does not have are ours. */
export interface PreparedImport {
  readonly conversations: readonly ImportedConversation[];
  readonly messages: PreparedMessages;
}

/** A message with that id on the wire; `hasItsId`: its own id is the same. */
interface Known {
  readonly wireId: string;
  readonly conversation: number;
  readonly direction: number;
  readonly hasItsId: boolean;
  /** Another one with the same number for its id. */
  readonly next: Known | undefined;
}

/** In the column of the own id: a plain number would be stored as a fraction, in eight bytes. */
const ID_OF_THE_WIRE = BigInt(SAME_AS_WIRE);
const NOTHING_OPEN: readonly string[] = [];

/** What the parts of one transaction have in common. */
interface OpenImport {
  readonly index: IndexBatch;
  readonly keyOfShape: (shape: string) => number;
  readonly keyOfConversation: (id: ConversationId) => number;
  /** Opens a conversation of an export, or finds ours. Returns its number. */
  readonly openConversation: (from: ImportedConversation) => number;
  /** Of each conversation the time of its newest message. */
  readonly newestMs: Map<number, number>;
}

interface KnownRow {
  wire_key: number;
  wire_id: PackedId;
  own_id: PackedId | number | null;
  conversation: number;
  direction: number;
}

export function messageImporter(
  database: Database,
  index: Pick<SearchIndex, 'openBatch'> = searchIndexProcedures(database),
) {
  const transfers = transferProcedures(database);
  const positionOf = messagePositions(database);
  const keyOfShape = shapeKeys(database);
  const { openConversation } = conversationProcedures(database);
  const { updateGroup } = groupProcedures(database);
  const prepare = messagePreparer();
  const putGroup = groupMessages(database);
  const keepReply = replyKeeper(database);
  const keepChanges = changeKeeper(database);
  const keepTime = timeKeeper(database);
  const insert = database.prepare(
    `INSERT INTO messages (conversation, direction, state, kind, wire_key, wire_id, id, text, sent_at_ms, stored_after_ms,
       headers)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const knownOnes = database.prepare<[string], KnownRow>(
    `SELECT m.wire_key, m.wire_id, m.id AS own_id, m.conversation, m.direction FROM json_each(?) k
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

  /** What is here of them already, by number of the id on the wire. The keys in order: neighbours lie on the same page of the index. */
  function findKnown(keys: Int32Array): Map<number, Known> {
    const known = new Map<number, Known>();
    for (const row of knownOnes.all(`[${keys.toSorted().join(',')}]`)) {
      const { wire_key: key, conversation, direction, own_id: ownId } = row;
      const wireId = unpackId(row.wire_id);
      const hasItsId = typeof ownId === 'number';
      known.set(key, { wireId, conversation, direction, hasItsId, next: known.get(key) });
    }
    return known;
  }

  function keyOfConversation(id: ConversationId): number {
    const key = conversationKey.get(id)?.key;
    if (key === undefined) throw new Error(`no conversation ${id}`);
    return key;
  }

  // A transaction that was undone has taken its shapes and conversations with it: none is remembered for longer.
  const openImport = (): OpenImport => ({
    index: index.openBatch(),
    keyOfShape: remembered(keyOfShape),
    keyOfConversation: remembered(keyOfConversation),
    openConversation: remembered(open, ({ accountId, peerAddress }) => `${accountId} ${peerAddress}`),
    newestMs: new Map(),
  });

  function finishImport({ index, newestMs }: OpenImport): void {
    index.flush();
    for (const [conversation, ms] of newestMs) touch.run(ms, conversation);
  }

  function open(from: ImportedConversation): number {
    const { conversation } = openConversation(from);
    // The server is asked whether it is still one of ours when somebody joins it again.
    if (from.isGroup && conversation.kind !== 'group') {
      updateGroup({ conversationId: conversation.id, membership: 'left' });
    }
    return keyOfConversation(conversation.id);
  }

  function takeIn({ conversations, messages: input }: PreparedImport, shared: OpenImport): number {
    const { wireKeys, wireIds, packedIds, packedEnd, texts, sentAtMs, storedAtMs, shapes, shape, rare } =
      input;
    const { newestMs } = shared;
    const opened = new Map(conversations.map((from) => [from.exportedId, shared.openConversation(from)]));
    const known = findKnown(wireKeys);
    const keys = input.conversations.map((id) => opened.get(id) ?? shared.keyOfConversation(id));
    const keysOfShapes = shapes.map(shared.keyOfShape);
    const closedShapes = keysOfShapes.map((key) => toStoredHeaders(key, NOTHING_OPEN));
    let hasOwnIds = anyOwnId.get()?.there === 1;
    const toIndex: PreparedForIndex[] = [];
    let added = 0;

    /** What stands in the column of the own id: another message may have it. */
    const ownId = (at: number, wireId: string, others: Known | undefined): PackedId | bigint | null => {
      const kind = input.ids[at];
      if (kind === ID_OF_PLACE) return null;
      const isOfWire = kind === ID_OF_WIRE;
      if (isOfWire && some(others, (one) => one.hasItsId && one.wireId === wireId)) return null;
      const id = isOfWire ? wireId : (rare.get(at)?.id ?? '');
      // Who has it as his id on the wire is known; ids of another kind are rare.
      if ((!isOfWire || hasOwnIds) && positionOf(id) !== undefined) return null;
      hasOwnIds ||= !isOfWire;
      return isOfWire ? ID_OF_THE_WIRE : packId(id);
    };

    const storedHeaders = (place: number, values: readonly string[] | undefined): StoredHeaders =>
      values === undefined
        ? (closedShapes[place] ?? null)
        : toStoredHeaders(keysOfShapes[place] ?? 0, values);

    for (const [at, wireId] of wireIds.entries()) {
      const packedStart = at === 0 ? 0 : packedEnd[at - 1];
      const conversation = keys[input.conversation[at] ?? 0] ?? 0;
      const direction = input.direction[at] ?? IN;
      const wireNumber = wireKeys[at] ?? 0;
      const others = known.get(wireNumber);
      const isSame = (one: Known): boolean =>
        one.wireId === wireId && one.conversation === conversation && one.direction === direction;
      if (some(others, isSame)) continue;
      const id = ownId(at, wireId, others);
      known.set(wireNumber, {
        wireId,
        conversation,
        direction,
        hasItsId: id === ID_OF_THE_WIRE,
        next: others,
      });
      const [sentMs = 0, storedMs = 0, place = -1] = [sentAtMs[at], storedAtMs[at], shape[at]];
      const { lastInsertRowid } = insert.run(
        conversation,
        direction,
        input.state[at],
        input.kind[at],
        wireNumber,
        packedEnd[at] === packedStart ? wireId : packedIds.subarray(packedStart, packedEnd[at]),
        id,
        texts[at],
        sentMs,
        storedMs - sentMs,
        place < 0 ? null : storedHeaders(place, input.openValues.get(at)),
      );
      const position = Number(lastInsertRowid);
      const parts = rare.get(at);
      const person = putGroup(position, conversation, parts?.group);
      if (parts?.replyTo !== undefined) keepReply(position, conversation, parts.replyTo);
      if (parts?.changes !== undefined) keepChanges(position, conversation, parts.changes);
      const timesEnd = input.timesEnd[at] ?? 0;
      for (let nth = at === 0 ? 0 : (input.timesEnd[at - 1] ?? 0); nth < timesEnd; nth += 1) {
        keepTime(position, input.timeStates[nth] ?? 0, input.timesMs[nth] ?? 0);
      }
      // What has happened is shown, and neither searched nor counted.
      if ((parts?.group?.notice ?? null) === null) {
        toIndex.push({
          position,
          conversation,
          direction: direction === IN ? 'in' : 'out',
          person,
          words: input.words.subarray(at === 0 ? 0 : input.wordsEnd[at - 1], input.wordsEnd[at]),
          day: input.days[at] ?? 0,
        });
      }
      if (parts?.file !== undefined) transfers.insertTransfer({ position, transfer: parts.file });
      added += 1;
      newestMs.set(conversation, Math.max(newestMs.get(conversation) ?? 0, storedMs));
    }
    // One kind of work after the other: what each of them needs stays in the caches of the processor.
    for (const one of toIndex) shared.index.insertPrepared(one);
    return added;
  }
  const takeInAlone = database.transaction((input: PreparedImport): number => {
    const alone = openImport();
    const added = takeIn(input, alone);
    finishImport(alone);
    return added;
  });

  let shared: OpenImport | undefined;
  const importPrepared = (input: PreparedImport): number =>
    shared === undefined ? takeInAlone(input) : takeIn(input, shared);

  return {
    /** Takes many in, in one commit. Returns how many were new. */
    importMessages: (input: readonly ImportedMessage[]): number =>
      importPrepared({ conversations: [], messages: prepare(input) }),
    /** The same, made ready by another thread. */
    importPrepared,
    /** A transaction has begun; what is imported until it ends shares what it looks up and counts. */
    begin: (): void => {
      shared = openImport();
    },
    /** Before its commit. */
    finish: (): void => {
      if (shared !== undefined) finishImport(shared);
    },
    /** It is over. */
    end: (): void => {
      shared = undefined;
    },
  };
}

export type MessageImporter = ReturnType<typeof messageImporter>;

/** Asks once for each; `name` tells them apart. */
function remembered<Input>(
  find: (input: Input) => number,
  name: (input: Input) => unknown = (input) => input,
): (input: Input) => number {
  const found = new Map<unknown, number>();
  return (input) => {
    const key = name(input);
    const value = found.get(key) ?? find(input);
    found.set(key, value);
    return value;
  };
}

function some(first: Known | undefined, is: (one: Known) => boolean): boolean {
  for (let one = first; one !== undefined; one = one.next) if (is(one)) return true;
  return false;
}
