/**
 * Owns: statements that write an archive, from its first row to the moment at which it is one file.
 * Called by: worker.ts. Calls: archive-tables.ts, search-index.ts, transfers.ts, SQLite.
 *
 * Each step is one commit and notes how far it has come: an archive that was begun is gone on with from there.
 */
import type { Conversation, Session } from '../../shared/domain/conversation.ts';
import type { GroupPerson } from '../../shared/domain/group.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { goneAccountId } from './accounts.ts';
import type { PlacedMessage } from './archive-reading.ts';
import { addArchiveTables, type ArchivedFile } from './archive-tables.ts';
import type { Database } from './database.ts';
import { groupMessages, groupPeople, groupProcedures, personName, type StoredGroup } from './groups.ts';
import { headerKeeper, type KeepHeaders } from './header-shapes.ts';
import { indexMerger } from './index-merging.ts';
import { changeKeeper, replyKeeper } from './message-changes.ts';
import { packId, placeId, SAME_AS_WIRE, wireKey, type PackedId } from './message-keys.ts';
import { timeKeeper } from './message-states.ts';
import { FILE, formatFailure, IN, OUT, stateNumber, TEXT } from './message-rows.ts';
import { searchIndexProcedures } from './search-index.ts';
import { sessionProcedures } from './sessions.ts';
import { transferProcedures, type StoredTransfer } from './transfers.ts';

/** A file of a page, with where its pieces lie. */
export interface WrittenFile extends ArchivedFile {
  readonly firstPiece: number;
  readonly pieces: number;
}

/** A conversation with what an archive has beside its messages. */
export interface ArchivedConversation {
  readonly conversation: Conversation;
  /** The address of its account. */
  readonly account: string;
  readonly sessions: readonly Session[];
  /** Null: with one person. */
  readonly group: StoredGroup | null;
}

/** Messages that are written in one step. */
interface ArchivePage {
  messages: readonly PlacedMessage[];
  files: readonly WrittenFile[];
  progress: string;
  /** The chain behind the last of them. */
  chain: string;
}

/** Pages of the index that are merged in one step. */
const MERGE_PAGES = 500;
/** Empty pages that are given back in one step. */
const SHRINK_PAGES = 2_000;

export function archiveWritingProcedures(database: Database) {
  addArchiveTables(database);
  const index = searchIndexProcedures(database);
  const sessions = sessionProcedures(database);
  const transfers = transferProcedures(database);
  const groups = groupProcedures(database);
  const personKey = groupPeople(database);
  const nameOf = database.prepare<[number], { name: string }>(
    `SELECT ${personName('p')} AS name FROM group_people p WHERE p.key = ?`,
  );
  const putGroup = groupMessages(database);
  const headers = headerKeeper(database);
  const keepReply = replyKeeper(database);
  const keepChanges = changeKeeper(database);
  const keepTime = timeKeeper(database);
  const part = database.prepare<[], { plan: string; progress: string }>('SELECT plan, progress FROM archive');
  const begin = database.prepare<[string, string]>(
    'INSERT INTO archive (id, plan, progress) VALUES (1, ?, ?)',
  );
  const setProgress = database.prepare<[string]>('UPDATE archive SET progress = ?');
  const finish = database.prepare<[string]>('UPDATE archive SET plan = NULL, progress = NULL, manifest = ?');
  const insertConversation = database.prepare<[string, string, string, string, string, number, number]>(
    `INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, read_position, last_activity_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const keyOf = database.prepare<[string], { key: number }>('SELECT key FROM conversations WHERE id = ?');
  const insertMessage = database.prepare(
    `INSERT INTO messages (position, conversation, direction, state, kind, wire_key, wire_id, id, text, sent_at_ms,
       stored_after_ms, failure, headers)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertFile = database.prepare<[number, string, number, number, number, string]>(
    'INSERT INTO archive_files (position, path, first_piece, pieces, bytes, sha256) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const insertPiece = database.prepare<[Uint8Array]>('INSERT INTO archive_pieces (content) VALUES (?)');
  const dropLoosePieces = database.prepare(
    `DELETE FROM archive_pieces
     WHERE id >= (SELECT coalesce(max(first_piece + pieces), 0) FROM archive_files)`,
  );
  const insertMark = database.prepare<[number, string]>(
    'INSERT INTO archive_marks (position, chain) VALUES (?, ?)',
  );
  const merge = indexMerger(database, MERGE_PAGES);
  // The sign says that everything is to become one piece.
  const mergeAll = database.prepare(
    `INSERT INTO message_words (message_words, rank) VALUES ('merge', -${MERGE_PAGES})`,
  );
  const shrink = () => database.pragma(`incremental_vacuum(${SHRINK_PAGES})`);
  let mergeBegun = false;

  function insert(
    placed: PlacedMessage,
    path: string | null,
    keepHeaders: KeepHeaders,
  ): { conversation: number; person: number | null } {
    const { conversationId, message, transfer } = placed;
    const { position, direction, wireId, text, sentAtMs, storedAtMs, failure } = message;
    const conversation = keyOf.get(conversationId)?.key;
    if (conversation === undefined) throw new Error(`no conversation ${conversationId}`);
    insertMessage.run(
      position,
      conversation,
      direction === 'in' ? IN : OUT,
      stateNumber(message.state),
      transfer === null ? TEXT : FILE,
      wireKey(wireId),
      packId(wireId),
      ownId(placed),
      text,
      sentAtMs,
      storedAtMs - sentAtMs,
      formatFailure(failure),
      keepHeaders(message.headers, message, 2 * conversation + (direction === 'in' ? IN : OUT)),
    );
    if (message.replyTo !== null) keepReply(position, conversation, message.replyTo);
    keepChanges(position, conversation, message.changes);
    for (const { state, atMs } of message.times) keepTime(position, stateNumber(state), atMs);
    if (transfer !== null) transfers.insertTransfer({ position, transfer: archived(transfer, path) });
    return { conversation, person: putGroup(position, conversation, message.group) };
  }

  function insertGroupOf(conversationId: ConversationId, { isOpen, membership, members }: StoredGroup): void {
    groups.updateGroup({ conversationId, isOpen, membership });
    // An archive has no contacts: whom our user knows has the name there under which he knows him.
    const named = members.map((member) => ({ ...member, nickname: '' }));
    groups.updateGroupPeople({ conversationId, whole: true, members: named, removed: [] });
  }

  function insertPage(input: ArchivePage): null {
    const keepHeaders = headers.openBatch();
    const batch = index.openBatch();
    for (const file of input.files) {
      insertFile.run(file.position, file.path, file.firstPiece, file.pieces, file.bytes, file.sha256);
    }
    const paths = new Map(input.files.map(({ position, path }) => [position, path]));
    for (const placed of input.messages) {
      const { position, direction, text, sentAtMs, group } = placed.message;
      const put = insert(placed, paths.get(position) ?? null, keepHeaders);
      const isFile = placed.transfer !== null;
      // As in a history: what has happened is shown, and neither searched nor counted.
      if ((group?.notice ?? null) !== null) continue;
      batch.insert({ ...put, position, direction, text, sentAtMs, isFile });
    }
    batch.flush();
    setProgress.run(input.progress);
    const last = input.messages.at(-1)?.message.position;
    if (last !== undefined) insertMark.run(last, input.chain);
    return null;
  }
  const insertPageAlone = database.transaction(insertPage);

  return {
    /** What was begun; null for a new file. */
    selectArchivePart(_input: null): { plan: string; progress: string } | null {
      dropLoosePieces.run();
      return part.get() ?? null;
    },
    beginArchive: database.transaction(
      (input: { plan: string; progress: string; conversations: readonly ArchivedConversation[] }): null => {
        begin.run(input.plan, input.progress);
        for (const { conversation, account, sessions: past, group } of input.conversations) {
          const { id, peerAddress, peerName, standing, readPosition, lastActivityMs } = conversation;
          const owner = goneAccountId(account);
          insertConversation.run(id, owner, peerAddress, peerName, standing, readPosition, lastActivityMs);
          for (const session of past) sessions.upsertSession(session);
          if (group !== null) insertGroupOf(id, group);
        }
        return null;
      },
    ),
    /** The names that people of groups have in the archive: the first by which they were met, in all of it. */
    settleNames: database.transaction(
      (input: readonly { conversationId: ConversationId; person: GroupPerson }[]): string[] =>
        input.map(({ conversationId, person }) => {
          const conversation = keyOf.get(conversationId)?.key;
          const key = conversation === undefined ? null : personKey(conversation, person);
          return (key === null ? undefined : nameOf.get(key)?.name) ?? person.name;
        }),
    ),
    /** Returns where it lies. */
    insertArchivePiece: (input: { content: Uint8Array }): number =>
      Number(insertPiece.run(input.content).lastInsertRowid),
    insertArchivePage: (page: ArchivePage): null =>
      // A savepoint for each page of those that share a commit would make a piece of index of its own for each.
      database.inTransaction ? insertPage(page) : insertPageAlone(page),
    /** Makes one piece of the index, in steps. False: it is done. */
    mergeArchiveIndex(_input: null): boolean {
      if (mergeBegun) return merge();
      mergeBegun = true;
      mergeAll.run();
      return true;
    },
    /** Gives back what merging has emptied, in steps. False: it is done. */
    shrinkArchive(_input: null): boolean {
      const before = Number(database.pragma('freelist_count', { simple: true }));
      shrink();
      const left = Number(database.pragma('freelist_count', { simple: true }));
      return left > 0 && left < before;
    },
    /** Nothing is written to it after this: it is one file, without a log beside it. */
    finishArchive(input: { manifest: string }): null {
      finish.run(input.manifest);
      database.pragma('optimize');
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.pragma('journal_mode = DELETE');
      return null;
    },
  };
}

export type ArchiveWritingProcedures = ReturnType<typeof archiveWritingProcedures>;

/** What stands in the column of the own id. */
function ownId({ message: { id, position, wireId } }: PlacedMessage): PackedId | bigint | null {
  if (id === placeId(position)) return null;
  // A plain number would be stored as a fraction.
  return id === wireId ? BigInt(SAME_AS_WIRE) : packId(id);
}

/** In an archive nothing is under way any more. */
function archived(
  transfer: Omit<StoredTransfer, 'messageId'>,
  path: string | null,
): Omit<StoredTransfer, 'messageId'> {
  const isOver = ['done', 'declined', 'cancelled', 'failed'].includes(transfer.state);
  return { ...transfer, state: isOver ? transfer.state : 'cancelled', path, partPath: null };
}
