/**
 * Whatever is stored, taken in or deleted, and however much of it the index has: a search finds what somebody who reads
 * every message would find.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../main/store/database.ts';
import { indexAnew } from '../../main/store/index-anew.ts';
import { messengerProcedures, type MessengerProcedures } from '../../main/store/messenger-tables.ts';
import type { NewMessage } from '../../main/store/messages.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { pairsOf, runsOf, foldText, toIndexText } from '../../main/store/search-text.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

const PEERS = ['ana', 'tom', 'zoë'] as const;
const WORDS = [
  'a',
  'an',
  'ant',
  'ante',
  'antenna',
  'be',
  'bee',
  'been',
  'Zürich',
  'ZURICH',
  'über',
  'naïve',
  'x',
  'x1',
  'привет',
  'при',
  '今天',
  '天气很好',
  '天',
  'ไทยแลนด์',
  '𐐨𐐩𐐪𐐫',
  'https://example.org/ant',
  'don’t',
  'b.e',
] as const;
const YEARS = [2019, 2020, 2021] as const;

interface Written {
  readonly peer: (typeof PEERS)[number];
  readonly isOut: boolean;
  readonly words: readonly string[];
  readonly year: number;
  readonly month: number;
  readonly isFile: boolean;
}

const written: fc.Arbitrary<Written> = fc.record({
  peer: fc.constantFrom(...PEERS),
  isOut: fc.boolean(),
  words: fc.array(fc.constantFrom(...WORDS), { maxLength: 6 }),
  year: fc.constantFrom(...YEARS),
  month: fc.integer({ min: 0, max: 11 }),
  isFile: fc.boolean(),
});

/** What is asked, in the words of the search field, and who agrees when he reads a message. */
interface Asked {
  readonly text: string;
  readonly isMet: (message: Written) => boolean;
}

function textOf({ words, isFile }: Written): string {
  return isFile ? `${words.join(' ')}.png` : words.join(' ');
}

function folded(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

const UNSPACED = /[\p{Script=Han}\p{Script=Thai}]/u;

/** The words of a text, those of scripts without spaces left out. */
function wordsIn(text: string): string[] {
  return folded(text)
    .split(/[^\p{L}\p{N}]+|[\p{Script=Han}\p{Script=Thai}]+/u)
    .filter((word) => word !== '');
}

function hasBeginning(message: Written, beginning: string): boolean {
  const wanted = folded(beginning);
  if (UNSPACED.test(wanted)) return folded(textOf(message)).includes(wanted);
  const isWhole = Array.from(wanted).length < 2;
  return wordsIn(textOf(message)).some((word) => (isWhole ? word === wanted : word.startsWith(wanted)));
}

const beginning = fc
  .tuple(
    fc.constantFrom(...WORDS.filter((word) => /^[\p{L}\p{M}\p{N}]+$/u.test(word))),
    fc.integer({ min: 1, max: 9 }),
  )
  .map(([word, count]) => Array.from(word).slice(0, count).join(''));

const asked: fc.Arbitrary<Asked> = fc.oneof(
  {
    weight: 5,
    arbitrary: beginning.map((text) => ({ text, isMet: (one: Written) => hasBeginning(one, text) })),
  },
  beginning
    .filter((text) => !UNSPACED.test(text))
    .map((text) => ({
      text: `-${text}`,
      isMet: (one: Written) => !wordsIn(textOf(one)).includes(folded(text)),
    })),
  fc
    .constantFrom(...PEERS)
    .map((peer) => ({ text: `in:${peer}`, isMet: (one: Written) => one.peer === peer })),
  fc
    .constantFrom(...PEERS)
    .map((peer) => ({ text: `from:${peer}`, isMet: (one: Written) => one.peer === peer && !one.isOut })),
  fc.constant({ text: 'from:me', isMet: (one: Written) => one.isOut }),
  fc.constant({ text: 'has:file', isMet: (one: Written) => one.isFile }),
  fc.constant({
    text: 'has:link',
    isMet: (one: Written) => !one.isFile && one.words.some((word) => word.startsWith('https:')),
  }),
  fc.constantFrom(...YEARS).map((year) => ({
    text: `before:${year}-07`,
    isMet: (one: Written) => one.year < year || (one.year === year && one.month < 6),
  })),
  fc
    .constantFrom(...YEARS)
    .map((year) => ({ text: `after:${year}`, isMet: (one: Written) => one.year > year })),
  fc
    .tuple(fc.constantFrom('ant', 'be', 'при', 'x1'), fc.constantFrom('an', 'bee', 'zurich', 'x'))
    .map(([first, second]) => ({
      text: `"${first} ${second}"`,
      // Words that stand side by side, with nothing of a script without spaces between them.
      isMet: (one: Written) =>
        folded(textOf(one))
          .split(/[\p{Script=Han}\p{Script=Thai}]/u)
          .some((part) => ` ${wordsIn(part).join(' ')} `.includes(` ${first} ${second} `)),
    })),
);

let folder: string;
let database: Database;
let store: MessengerProcedures;
let next = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-search-'));
  database = await openDatabase(join(folder, 'history.sqlite'), messengerMigrations);
  database.pragma('synchronous = OFF');
  store = messengerProcedures(database);
  for (const peer of PEERS) {
    store.openConversation({
      id: peer as string as ConversationId,
      accountId: 'account' as AccountId,
      peerAddress: `${foldText(peer)}@example.org`,
      peerName: peer,
      standing: 'accepted',
      nowMs: 1,
    });
  }
});

afterAll(async () => {
  database.close();
  await rm(folder, { recursive: true, force: true });
});

function toNewMessage(message: Written): NewMessage {
  next += 1;
  const id = `m${next}` as MessageId;
  const sentAtMs = new Date(message.year, message.month, 15).getTime();
  return {
    id,
    conversationId: message.peer as string as ConversationId,
    direction: message.isOut ? 'out' : 'in',
    wireId: id,
    text: textOf(message),
    sentAtMs,
    storedAtMs: sentAtMs,
    state: message.isOut ? 'sent' : 'read',
    displayReportWanted: false,
    ...(message.isFile
      ? {
          file: {
            transferId: id,
            name: textOf(message),
            type: 'image/png',
            size: 1,
            sha1: null,
            sha256: null,
            modifiedMs: null,
            state: 'done',
            accepted: true,
            bytesDone: 1,
            path: null,
            partPath: null,
            preview: null,
            failure: null,
          },
        }
      : {}),
  };
}

describe('a search', () => {
  it('finds what a reader of every message would find, newest first', () => {
    fc.assert(
      fc.property(
        fc.array(written, { minLength: 1, maxLength: 40 }),
        fc.array(fc.array(asked, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(39), { maxLength: 5 }),
        fc.nat(40),
        fc.option(fc.nat(40), { nil: undefined }),
        (messages, questions, deleted, alone, indexed) => {
          database.exec('DELETE FROM messages');
          indexAnew(database);
          while (store.continueIndexing({ limit: 100 }));
          const rows = messages.map(toNewMessage);
          // Some come one by one, the others are taken in together.
          for (const row of rows.slice(0, alone)) store.insertMessage(row);
          store.importMessages(rows.slice(alone));
          if (indexed !== undefined) {
            indexAnew(database);
            store.continueIndexing({ limit: indexed + 1 });
          }
          const gone = new Set(deleted);
          for (const [at, { conversationId, id }] of rows.entries()) {
            if (gone.has(at) && id !== undefined) store.deleteMessages({ conversationId, ids: [id] });
          }
          while (store.continueIndexing({ limit: 7 }));
          const left = messages.flatMap((message, at) =>
            gone.has(at) ? [] : [{ message, id: rows[at]?.id }],
          );
          for (const parts of questions) {
            // What only excludes asks for nothing.
            if (parts.every(({ text }) => text.startsWith('-'))) continue;
            const isFrom = (text: string) => text.startsWith('from:');
            // Two senders of one message would be one or the other.
            if (parts.filter(({ text }) => isFrom(text)).length > 1) continue;
            if (parts.filter(({ text }) => text.startsWith('in:')).length > 1) continue;
            const text = parts.map((part) => part.text).join(' ');
            const found = store.searchMessages({ text, limit: 100 }).map(({ message }) => message.id);
            const expected = left
              .filter(({ message }) => parts.every(({ isMet }) => isMet(message)))
              .map(({ id }) => id)
              .reverse();
            expect(found, text).toEqual(expected);
            const first = store.searchMessages({ text, limit: 2 }).map(({ message }) => message.id);
            expect(first, text).toEqual(expected.slice(0, 2));
          }
          // The days count each message once, whatever the index has of it.
          const { incoming, outgoing } = store.selectTotals(null);
          expect(outgoing).toBe(left.filter(({ message }) => message.isOut).length);
          expect(incoming).toBe(left.length - outgoing);
        },
      ),
      { numRuns: 120 },
    );
  });

  it('finds what lies behind many messages that begin almost alike', () => {
    database.exec('DELETE FROM messages');
    indexAnew(database);
    while (store.continueIndexing({ limit: 100 }));
    const written = (word: string): Written => ({
      peer: 'ana',
      isOut: false,
      words: [word],
      year: 2020,
      month: 0,
      isFile: false,
    });
    store.importMessages(Array.from({ length: 30 }, () => toNewMessage(written('antenna'))));
    store.importMessages(Array.from({ length: 2_000 }, () => toNewMessage(written('antelope'))));
    const find = (text: string) =>
      store.searchMessages({ text, limit: 50 }).map(({ message }) => message.text);
    expect(find('antenn')).toEqual(Array.from({ length: 30 }, () => 'antenna'));
    expect(find('ante')).toEqual(Array.from({ length: 50 }, () => 'antelope'));
    expect(find('ante -antelope')).toHaveLength(30);
    // Every second one matches, then none for long, then the rest: a page that is nearly full is not all there is.
    const mixed = Array.from({ length: 300 }, (_, at) => (at % 2 === 0 ? 'antenna' : 'antelope'));
    store.importMessages(mixed.map((word) => toNewMessage(written(word))));
    for (const limit of [50, 120, 150, 165, 200]) {
      const found = store.searchMessages({ text: 'antenn', limit }).map(({ message }) => message);
      expect(found.map(({ text }) => text)).toEqual(Array(Math.min(limit, 180)).fill('antenna'));
      const positions = found.map(({ position }) => position);
      expect(positions).toEqual(positions.toSorted((a, b) => b - a));
      expect(new Set(positions).size).toBe(positions.length);
    }
  });

  it.each([
    ['one of two words is rare', []],
    ['both are common, and rare together', ['antelope budget']],
  ])('finds two words behind many messages that begin alike: %s', (_name, more) => {
    database.exec('DELETE FROM messages');
    indexAnew(database);
    while (store.continueIndexing({ limit: 100 }));
    const write = (text: string, count: number): void => {
      const message: Written = {
        peer: 'ana',
        isOut: false,
        words: [text],
        year: 2020,
        month: 0,
        isFile: false,
      };
      store.importMessages(Array.from({ length: count }, () => toNewMessage(message)));
    };
    write('antenna budget', 20);
    write('budget and antenna', 20);
    for (const text of [...more, 'antelope budgie', 'antenna budgie']) write(text, 2_500);
    const expected = [
      ...Array<string>(20).fill('budget and antenna'),
      ...Array<string>(20).fill('antenna budget'),
    ];
    for (const limit of [1, 30, 50]) {
      for (const text of ['antenna budget', 'budget ante -antelope', 'in:ana antenn budge -budgie']) {
        const found = store.searchMessages({ text, limit }).map(({ message }) => message);
        expect(
          found.map(({ text: each }) => each),
          text,
        ).toEqual(expected.slice(0, limit));
        const positions = found.map(({ position }) => position);
        expect(positions).toEqual(positions.toSorted((a, b) => b - a));
      }
    }
  });

  it('has in its index the words of a text, their beginnings, and characters and pairs where there are no spaces', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme', maxLength: 60 }),
          fc
            .array(fc.constantFrom(...WORDS, '…', '한국어', 'ｶﾅ', 'ß'), { maxLength: 8 })
            .map((words) => words.join('')),
        ),
        (text) => {
          const expected = runsOf(foldText(text)).flatMap(({ kind, text: run }) => {
            const characters = Array.from(run);
            if (kind === 'unspaced')
              return characters.length > 1 ? [...characters, ...pairsOf(run)] : characters;
            const beginnings = [2, 3].filter((count) => count < characters.length);
            return [run, ...beginnings.map((count) => `\ue000${characters.slice(0, count).join('')}`)];
          });
          const words = toIndexText(text)
            .split(' ')
            .filter((word) => word !== '');
          expect(words.sort()).toEqual([...new Set(expected)].sort());
        },
      ),
      { numRuns: 500 },
    );
  });
});
