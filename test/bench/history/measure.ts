/**
 * Owns: how a history of many messages behaves: start, pages, jumps, searches, inserts, import, export, size.
 * Called by: ../main.ts with the number of messages. Calls: main/store, main/messenger/history.
 *
 * Times are seen from the caller's thread, with the way to the store's thread and back; beside them what the bare
 * statements need. The history is encrypted, with `--plain` it is not.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../../main/store/database.ts';
import { messengerProcedures } from '../../../main/store/messenger-tables.ts';
import type { NewMessage } from '../../../main/store/messages.ts';
import { messengerMigrations } from '../../../main/store/migrations/messenger.ts';
import { Store } from '../../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../../shared/domain/ids.ts';
import { formatCpim } from '../../../main/base/cpim.ts';
import { exportArchive } from '../../../main/messenger/history/archive-export.ts';
import { exportHistory } from '../../../main/messenger/history/export.ts';
import { imdnRequestHeaders } from '../../../main/messenger/imdn.ts';
import { summarise, type Figure } from '../summary.ts';
import { Corpus } from './corpus.ts';
import { measureRawInserts, RawHistory } from './raw.ts';

const CONVERSATIONS = 1_000;
const BATCH = 2_000;
const STEP_MS = 20_000;
const FIRST_MS = Date.UTC(2016, 0, 1);
const ROUNDS = 200;
const KEY = process.argv.includes('--plain') ? undefined : new Uint8Array(32).fill(7);

function conversationOf(index: number): ConversationId {
  return `conversation-${String(index).padStart(4, '0')}` as ConversationId;
}

/** A few conversations have most of the messages. */
function pickConversation(corpus: Corpus): ConversationId {
  return conversationOf(Math.min(CONVERSATIONS - 1, Math.floor(CONVERSATIONS ** corpus.random()) - 1));
}

function makeMessage(corpus: Corpus, number: number): NewMessage {
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
    state: direction === 'in' ? 'read' : 'displayed',
    displayReportWanted: false,
    headers: headersOf(conversationId, id, direction, sentAtMs),
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

/** Fills a new history. Returns the rate of import, with index and each batch forced to the disk, and the text's bytes. */
async function generate(
  path: string,
  messages: number,
): Promise<{ perSecond: number; textBytes: number; corpus: Corpus }> {
  const corpus = new Corpus();
  const database = await openDatabase(path, messengerMigrations, undefined, KEY);
  const procedures = messengerProcedures(database);
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
  let textBytes = 0;
  let spentMs = 0;
  for (let number = 0; number < messages; number += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, messages - number) }, (_, index) =>
      makeMessage(corpus, number + index),
    );
    for (const { text } of batch) textBytes += Buffer.byteLength(text);
    const began = performance.now();
    procedures.importMessages(batch);
    spentMs += performance.now() - began;
  }
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return { perSecond: (messages / spentMs) * 1_000, textBytes, corpus };
}

async function times(
  work: (round: number) => unknown,
  rounds = ROUNDS,
): Promise<{ p50: number; p95: number }> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    await work(round);
    taken.push(performance.now() - began);
  }
  return summarise(taken);
}

/** What people type: whole words and beginnings of several ranks, phrases, filters, scripts without spaces. */
function searches(corpus: Corpus): Record<string, (round: number) => string> {
  const word = (round: number, spread: number): string => corpus.word((round * 37) % spread);
  return {
    'a beginning of 2 to 4 letters': (round) => word(round, 300).slice(0, 2 + (round % 3)),
    'a common word': (round) => word(round, 50),
    'a rare word': (round) => word(round + 9_000, 20_000),
    'two words': (round) => `${word(round, 100)} ${word(round + 3, 1_000)}`,
    'a phrase': (round) => `"${word(round, 30)} ${word(round + 1, 30)}"`,
    'three characters without spaces': (round) =>
      String.fromCodePoint(0x4e00 + (round % 7), 0x4e00 + (round % 5), 0x4e00 + (round % 3)),
    'from one person': (round) => `from:person${round % 40} ${word(round, 50)}`,
    'links before a year': (round) => `has:link before:${2017 + (round % 5)} ${word(round, 50)}`,
  };
}

/** Measures a history of so many messages in `folder`. */
export async function measureHistory(folder: string, messages: number): Promise<Figure[]> {
  const path = join(folder, 'history.sqlite');
  const { perSecond, textBytes, corpus } = await generate(path, messages);
  const label = (what: string): string => `${messages.toLocaleString('en')}: ${what}`;
  const rawInserts = await measureRawInserts(folder, corpus, KEY);
  const figures: Figure[] = [
    {
      name: label('import, with index, 2,000 a commit'),
      unit: 'messages/s',
      p50: perSecond,
      ratio: { of: 'raw rows and words', value: perSecond / rawInserts.bulkPerSecond },
    },
    { name: label('file, bytes a byte of text'), unit: '×', p50: statSync(path).size / textBytes },
  ];
  const add = (what: string, { p50, p95 }: { p50: number; p95: number }, rawMs?: number): void => {
    const ratio = rawMs === undefined ? {} : { ratio: { of: 'the bare statement', value: p50 / rawMs } };
    figures.push({ name: label(`${what} (p50, p95)`), unit: 'ms', p50, p99: p95, ...ratio });
  };
  const place = (round: number) => Math.floor((((round * 7_919) % 10_000) / 10_000) * messages);
  const queries = searches(corpus);
  const rawMs = new Map<string, number>();
  {
    using raw = await RawHistory.open(path, KEY);
    rawMs.set('page', raw.page(place));
    for (const [what, query] of Object.entries(queries)) {
      if (!query(0).includes(':')) rawMs.set(what, raw.search(query));
    }
  }
  const began = performance.now();
  await using store = await Store.open(path, { key: KEY });
  const conversations = await store.call('selectConversations', null);
  const newest = conversations[0]?.id ?? conversationOf(0);
  await store.call('selectMessagePage', { conversationId: newest, limit: 50 });
  figures.push({ name: label('open, list and first page'), unit: 'ms', p50: performance.now() - began });
  add('the list of conversations', await times(() => store.call('selectConversations', null), 20));
  const page = await times((round) =>
    store.call('selectMessagePage', {
      conversationId: conversationOf(round % 20),
      before: place(round),
      limit: 50,
    }),
  );
  add('a page', page, rawMs.get('page'));
  add(
    'a jump to a date, and its page',
    await times(async (round) => {
      const conversationId = conversationOf(round % 20);
      const sentAtMs = FIRST_MS + place(round) * STEP_MS;
      const around = await store.call('selectPositionAt', { conversationId, sentAtMs });
      if (around !== null) await store.call('selectMessagePage', { conversationId, around, limit: 50 });
    }),
  );
  add(
    'the days of a month',
    await times((round) => {
      const fromDay = Math.floor((FIRST_MS + place(round) * STEP_MS) / 86_400_000);
      return store.call('selectDays', {
        conversationId: conversationOf(round % 20),
        fromDay,
        toDay: fromDay + 31,
      });
    }),
  );
  add(
    'links of a conversation',
    await times((round) =>
      store.call('selectWithTrait', { conversationId: conversationOf(round % 20), trait: 'link', limit: 50 }),
    ),
  );
  add(
    'figures of a conversation',
    await times((round) => store.call('selectFigures', { conversationId: conversationOf(round % 20) })),
  );
  for (const [what, query] of Object.entries(queries)) {
    const found = await times((round) => store.search({ text: query(round), limit: 50 }), 100);
    add(`search: ${what}`, found, rawMs.get(what));
  }
  const within = conversationOf(30);
  add(
    'search: a common word in one conversation',
    await times(
      (round) => store.search({ text: corpus.word(round % 30), conversationId: within, limit: 50 }),
      100,
    ),
  );
  const insert = await times((round) => store.insertMessage(makeMessage(corpus, messages + round)), 100);
  add('store one message, forced to the disk', insert, rawInserts.singleMs);
  if (messages <= 100_000) {
    const start = performance.now();
    await exportHistory({ store, folder: join(folder, 'export'), format: 'jsonl', program: 'bench' });
    const perSecondOut = ((messages + 100) / (performance.now() - start)) * 1_000;
    figures.push({ name: label('export as JSON Lines'), unit: 'messages/s', p50: perSecondOut });
    const began = performance.now();
    const archive = join(folder, 'bench.parley');
    await exportArchive({ store, path: archive, selection: { conversations: null }, program: 'bench' });
    const perSecondArchived = ((messages + 100) / (performance.now() - began)) * 1_000;
    figures.push(
      { name: label('export as an archive, with index'), unit: 'messages/s', p50: perSecondArchived },
      {
        name: label('archive, bytes a byte of text'),
        unit: '×',
        p50: statSync(archive).size / textBytes,
      },
    );
  }
  figures.push({ name: label('memory of the process (RSS)'), unit: 'bytes', p50: process.memoryUsage().rss });
  return figures;
}
