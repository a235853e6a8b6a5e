/**
 * Owns: how a history of many messages behaves: start, pages, jumps, searches, inserts, export, size.
 * Called by: ../main.ts with the number of messages. Calls: generate.ts, raw.ts, main/store, main/messenger/history.
 *
 * Times are those of the store's thread: its procedures, run where nobody else asks for anything; beside them what the bare
 * statements need. The history is encrypted, with `--plain` it is not.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { exportArchive } from '../../../main/messenger/history/archive-export.ts';
import { exportHistory } from '../../../main/messenger/history/export.ts';
import { importHistory } from '../../../main/messenger/history/import.ts';
import { openDatabase } from '../../../main/store/database.ts';
import { messengerProcedures, type MessengerProcedures } from '../../../main/store/messenger-tables.ts';
import { messengerMigrations } from '../../../main/store/migrations/messenger.ts';
import { Store } from '../../../main/store/store.ts';
import { summarise, type Figure, type Summary } from '../summary.ts';
import type { Corpus } from './corpus.ts';
import { conversationOf, FIRST_MS, generate, makeMessage, STEP_MS } from './generate.ts';
import { measureRawInserts, RawHistory } from './raw.ts';

const ROUNDS = 200;
const DAY_MS = 86_400_000;
/** A larger history is not exported: that grows with its length and nothing else. */
const MAX_EXPORTED = 100_000;
const KEY = process.argv.includes('--plain') ? undefined : new Uint8Array(32).fill(7);

function times(work: (round: number) => unknown, rounds = ROUNDS): Summary {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const began = performance.now();
    work(round);
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
    'in one conversation': (round) => `in:person${round % 40} ${word(round, 50)}`,
    'files of one person': (round) => `has:file from:person${round % 40}`,
    'links before a year': (round) => `has:link before:${2017 + (round % 5)} ${word(round, 50)}`,
  };
}

/** Finding one's way, by the name of the question. */
function ways(
  store: MessengerProcedures,
  place: (round: number) => number,
): Record<string, (round: number) => unknown> {
  const of = (round: number) => conversationOf(round % 20);
  const rare = (round: number) => conversationOf(700 + (round % 300));
  return {
    'the list of conversations': () => store.selectConversations(null),
    'a page': (round) =>
      store.selectMessagePage({ conversationId: of(round), before: place(round), limit: 50 }),
    'a page forwards': (round) =>
      store.selectMessagePage({ conversationId: of(round), after: place(round), limit: 50 }),
    'a page of a conversation of few messages': (round) =>
      store.selectMessagePage({ conversationId: rare(round), before: place(round), limit: 50 }),
    'a message by its id, and its page': (round) => {
      const { messages } = store.selectMessagePage({
        conversationId: of(round),
        before: place(round),
        limit: 1,
      });
      const [one] = messages;
      const found = one === undefined ? null : store.selectMessage({ id: one.id });
      if (found === null || one === undefined) return;
      store.selectMessagePage({ conversationId: of(round), around: one.position, limit: 50 });
    },
    'a jump to a date, and its page': (round) => {
      const conversationId = of(round);
      const sentAtMs = FIRST_MS + place(round) * STEP_MS;
      const around = store.selectPositionAt({ conversationId, sentAtMs });
      if (around !== null) store.selectMessagePage({ conversationId, around, limit: 50 });
    },
    'the days of a month': (round) => {
      const fromDay = Math.floor((FIRST_MS + place(round) * STEP_MS) / DAY_MS);
      return store.selectDays({ conversationId: of(round), fromDay, toDay: fromDay + 31 });
    },
    'the first unread': (round) => store.selectFirstUnread({ conversationId: of(round) }),
    'links of a conversation': (round) =>
      store.selectWithTrait({ conversationId: of(round), trait: 'link', limit: 50 }),
    'files of a conversation': (round) =>
      store.selectWithTrait({ conversationId: of(round), trait: 'file', limit: 50 }),
    'pictures of a conversation': (round) =>
      store.selectWithTrait({ conversationId: of(round), trait: 'image', limit: 50 }),
    'links of a conversation of few messages': (round) =>
      store.selectWithTrait({ conversationId: rare(round), trait: 'link', limit: 50 }),
    'figures of a conversation': (round) => store.selectFigures({ conversationId: of(round) }),
  };
}

/**
 * Measures a history of so many messages in `folder`. `keep`: a folder in which it stays, and from which it is taken when it
 * is there.
 */
export async function measureHistory(folder: string, messages: number, keep = folder): Promise<Figure[]> {
  const path = join(keep, `history-${messages}.sqlite`);
  const { perSecond, textBytes, corpus } = await generate(path, messages, KEY);
  const rawInserts = await measureRawInserts(folder, corpus, KEY);
  const figures: Figure[] = [
    {
      name: "import, with index: the store's thread",
      unit: 'messages/s',
      p50: perSecond,
      ratio: { of: 'raw rows and words', value: perSecond / rawInserts.bulkPerSecond },
    },
    { name: 'file, bytes a byte of text', unit: '×', p50: statSync(path).size / textBytes },
  ];
  const add = (name: string, { p50, p95 }: Summary, rawMs?: number): void => {
    const ratio = rawMs === undefined ? {} : { ratio: { of: 'the bare statement', value: p50 / rawMs } };
    figures.push({ name, unit: 'ms', p50, p99: p95, ...ratio });
  };
  const place = (round: number) => Math.floor((((round * 7_919) % 10_000) / 10_000) * messages);
  figures.push({ name: 'open, list and first page', unit: 'ms', p50: await openAndShow(path) });
  const queries = searches(corpus);
  const rawMs = rawTimes(await RawHistory.open(path, KEY), queries, place);
  const database = await openDatabase(path, messengerMigrations, undefined, KEY);
  const store = messengerProcedures(database);
  for (const [name, way] of Object.entries(ways(store, place))) add(name, times(way), rawMs.get(name));
  for (const [name, query] of Object.entries(queries)) {
    const search = (round: number) => store.searchMessages({ text: query(round), limit: 50 });
    add(`search: ${name}`, times(search, 100), rawMs.get(name));
  }
  const within = conversationOf(30);
  const inOne = (round: number) =>
    store.searchMessages({ text: corpus.word(round % 30), conversationId: within, limit: 50 });
  add('search: a common word in one conversation', times(inOne, 100));
  // Ids of their own: a history that was kept has those of the last run.
  const insert = (round: number) =>
    store.insertMessage({ ...makeMessage(corpus, messages + round), wireId: randomUUID() });
  add('store one message, forced to the disk', times(insert, 100), rawInserts.singleMs);
  database.close();
  if (messages <= MAX_EXPORTED) figures.push(...(await measureExports(folder, path, textBytes)));
  // A process of its own: this one has made up a history.
  const script = join(import.meta.dirname, 'resident.ts');
  const key = KEY === undefined ? '' : Buffer.from(KEY).toString('hex');
  const words = Array.from({ length: 50 }, (_, rank) => corpus.word(rank));
  const rss = execFileSync(process.execPath, [script, path, key, ...words], { encoding: 'utf8' });
  figures.push({ name: 'memory of a process with the store in use', unit: 'bytes', p50: Number(rss) });
  if (keep === folder) rmSync(path);
  return figures;
}

/** Seen from outside: the thread, the file, the list, and a page of what is first in it. */
async function openAndShow(path: string): Promise<number> {
  const began = performance.now();
  await using store = await Store.open(path, { key: KEY });
  const [newest] = await store.call('selectConversations', null);
  await store.call('selectMessagePage', { conversationId: newest?.id ?? conversationOf(0), limit: 50 });
  return performance.now() - began;
}

function rawTimes(
  history: RawHistory,
  queries: Record<string, (round: number) => string>,
  place: (round: number) => number,
): Map<string, number> {
  using raw = history;
  const rawMs = new Map([
    ['the list of conversations', raw.conversations()],
    ['a page', raw.page(place)],
    ['the days of a month', raw.days((round) => Math.floor((FIRST_MS + place(round) * STEP_MS) / DAY_MS))],
    ['the first unread', raw.firstUnread()],
  ]);
  for (const [what, query] of Object.entries(queries)) {
    if (!query(0).includes(':')) rawMs.set(what, raw.search(query));
  }
  return rawMs;
}

/** From the folder of an export to the disk, into a new history: messages a second. */
async function measureImport(folder: string, from: string): Promise<number> {
  const path = join(folder, 'imported.sqlite');
  const store = await Store.open(path, { key: KEY });
  const began = performance.now();
  const { added } = await importHistory({ store, from, filesFolder: join(folder, 'files') });
  const spentMs = performance.now() - began;
  await store[Symbol.asyncDispose]();
  rmSync(path);
  return (added / spentMs) * 1_000;
}

async function measureExports(folder: string, path: string, textBytes: number): Promise<Figure[]> {
  await using store = await Store.open(path, { key: KEY });
  const rate = (count: number, began: number) => (count / (performance.now() - began)) * 1_000;
  let began = performance.now();
  const target = join(folder, 'export');
  const { counts } = await exportHistory({ store, folder: target, format: 'jsonl', program: 'bench' });
  const lines = rate(counts.messages, began);
  const imported = await measureImport(folder, target);
  rmSync(target, { recursive: true });
  began = performance.now();
  const archive = join(folder, 'bench.parley');
  await exportArchive({ store, path: archive, selection: { conversations: null }, program: 'bench' });
  const archived = rate(counts.messages, began);
  const { size } = statSync(archive);
  rmSync(archive);
  return [
    { name: 'export as JSON Lines', unit: 'messages/s', p50: lines },
    { name: 'import of JSON Lines, checked and with index', unit: 'messages/s', p50: imported },
    { name: 'export as an archive, with index', unit: 'messages/s', p50: archived },
    { name: 'archive, bytes a byte of text', unit: '×', p50: size / textBytes },
  ];
}
