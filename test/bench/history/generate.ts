/**
 * Owns: a history of made-up messages for the bench, filled as an import fills it. Called by: measure.ts.
 * Calls: corpus.ts, main/store.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { formatCpim } from '../../../main/base/cpim.ts';
import { imdnRequestHeaders } from '../../../main/base/imdn.ts';
import { BulkWork } from '../../../main/store/bulk-work.ts';
import { openDatabase, type Database } from '../../../main/store/database.ts';
import { indexMerger } from '../../../main/store/index-merging.ts';
import { messageImporter, type PreparedImport } from '../../../main/store/message-import.ts';
import { messagePreparer } from '../../../main/store/message-preparing.ts';
import type { NewMessage } from '../../../main/store/messages.ts';
import { messengerProcedures } from '../../../main/store/messenger-tables.ts';
import { messengerMigrations } from '../../../main/store/migrations/messenger.ts';
import type { AccountId, ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import { Corpus } from './corpus.ts';

const CONVERSATIONS = 1_000;
/** Messages of a call, and calls that are made together. */
const PART = 1_000;
const PARTS = 32;
const FILE_EVERY = 211;
const UNREAD_EVERY = 503;
export const STEP_MS = 20_000;
export const FIRST_MS = Date.UTC(2016, 0, 1);

/** The id of a conversation, from 0: those of low numbers have most of the messages. */
export function conversationOf(index: number): ConversationId {
  return `conversation-${String(index).padStart(4, '0')}` as ConversationId;
}

/** A few conversations have most of the messages. */
function pickConversation(corpus: Corpus): ConversationId {
  return conversationOf(Math.min(CONVERSATIONS - 1, Math.floor(CONVERSATIONS ** corpus.random()) - 1));
}

/** The message of a number: a few have a file, a few are unread. */
export function makeMessage(corpus: Corpus, number: number): NewMessage {
  const direction = corpus.random() < 0.5 ? 'in' : 'out';
  const id = `${Math.floor(corpus.random() * 2 ** 48)
    .toString(16)
    .padStart(12, '0')}${number.toString(16).padStart(20, '0')}`;
  const sentAtMs = FIRST_MS + number * STEP_MS;
  const conversationId = pickConversation(corpus);
  return {
    id: id as MessageId,
    conversationId,
    direction,
    wireId: id,
    text: corpus.text(),
    sentAtMs,
    storedAtMs: direction === 'out' ? sentAtMs : sentAtMs + 150,
    state: direction === 'out' ? 'displayed' : number % UNREAD_EVERY === 0 ? 'received' : 'read',
    displayReportWanted: false,
    headers: headersOf(conversationId, id, direction, sentAtMs),
    ...(number % FILE_EVERY === 0 ? { file: fileOf(id) } : {}),
  };
}

function fileOf(transferId: string): NonNullable<NewMessage['file']> {
  return {
    transferId,
    name: 'picture.jpg',
    type: 'image/jpeg',
    size: 250_000,
    sha1: null,
    sha256: null,
    modifiedMs: null,
    state: 'done',
    accepted: true,
    bytesDone: 250_000,
    path: null,
    partPath: null,
    preview: null,
    failure: null,
  };
}

/** What a Parley writes around a text. */
function headersOf(conversation: string, messageId: string, direction: 'in' | 'out', atMs: number): string {
  const parties = [conversation, 'me'].map((user) => ({ uri: `sip:${user}@example.org` }));
  const [from = parties[0], to] = direction === 'in' ? parties : parties.reverse();
  const extensions = imdnRequestHeaders({ messageId, dispositions: ['display'] });
  return formatCpim({
    from: { displayName: 'A Person', uri: from?.uri ?? '' },
    to: [to ?? { uri: '' }],
    dateTime: new Date(atMs).toISOString(),
    extensions,
    contentType: 'text/plain; charset="utf8"',
    content: Buffer.alloc(0),
  }).toString();
}

/** What is done in idle time. */
function keepUp(database: Database): void {
  const mergeIndex = indexMerger(database, 1_000);
  while (mergeIndex());
  database.pragma('incremental_vacuum');
  database.pragma('optimize');
  database.pragma('wal_checkpoint(TRUNCATE)');
}

/** What a history was made of. */
export interface Generated {
  /** Rate of the store's thread in an import, with index, each commit forced to the disk. */
  readonly perSecond: number;
  readonly textBytes: number;
  /** Goes on behind the last message. */
  readonly corpus: Corpus;
}

/** Fills a new history, or takes one that is there. */
export async function generate(
  path: string,
  messages: number,
  key: Uint8Array | undefined,
): Promise<Generated> {
  const notes = `${path}.json`;
  if (existsSync(notes)) {
    const { perSecond, textBytes } = JSON.parse(readFileSync(notes, 'utf8')) as Generated;
    const kept = await openDatabase(path, messengerMigrations, undefined, key);
    keepUp(kept);
    kept.close();
    return { perSecond, textBytes, corpus: new Corpus() };
  }
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
  const corpus = new Corpus();
  const database = await openDatabase(path, messengerMigrations, undefined, key);
  const imports = messageImporter(database);
  const procedures = messengerProcedures(database, undefined, imports);
  database.transaction(() => {
    for (let index = 0; index < CONVERSATIONS; index += 1) {
      procedures.openConversation({
        id: conversationOf(index),
        accountId: 'bench' as AccountId,
        peerAddress: `person${index}@example.org`,
        peerName: `${corpus.word(index)} ${corpus.word(index + 50)}`,
        standing: 'accepted',
        nowMs: FIRST_MS,
      });
    }
  })();
  const prepare = messagePreparer();
  const bulk = new BulkWork(
    database,
    ({ id, input }) => ({
      id,
      ok: true,
      value: procedures.importPrepared(input as PreparedImport),
      tookMs: 0,
    }),
    () => undefined,
    imports,
  );
  let textBytes = 0;
  let spentMs = 0;
  for (let number = 0; number < messages;) {
    const parts = Array.from({ length: PARTS }, () => {
      const count = Math.min(PART, messages - number);
      const part = Array.from({ length: count }, (_, at) => makeMessage(corpus, number + at));
      number += count;
      return part;
    });
    for (const part of parts) for (const { text } of part) textBytes += Buffer.byteLength(text);
    // What the thread that reads an export does; here only that of the store is measured.
    const ready = parts.map(prepare);
    const began = performance.now();
    // As the store's thread does it: they share a commit.
    for (const messages of ready) {
      bulk.add({ id: 0, procedure: 'importPrepared', input: { conversations: [], messages } });
    }
    bulk.finish();
    spentMs += performance.now() - began;
  }
  bulk[Symbol.dispose]();
  keepUp(database);
  database.close();
  const perSecond = (messages / spentMs) * 1_000;
  writeFileSync(notes, JSON.stringify({ perSecond, textBytes }));
  return { perSecond, textBytes, corpus };
}
