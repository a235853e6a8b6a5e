/**
 * Many messages at once are the same history as the same messages one by one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../main/store/database.ts';
import { packId, unpackId } from '../../main/store/message-keys.ts';
import { messengerProcedures, type MessengerProcedures } from '../../main/store/messenger-tables.ts';
import type { NewMessage } from '../../main/store/messages.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

const CONVERSATIONS = ['c-ana', 'c-tom'] as const;
const IDS = ['x', 'y', '0123456789abcdef0123456789abcdef', 'at-1', 'at-3'] as const;

const message: fc.Arbitrary<NewMessage> = fc.record({
  id: fc.option(
    fc.constantFrom(...IDS).map((id) => id as string as MessageId),
    { nil: undefined },
  ),
  conversationId: fc.constantFrom(...CONVERSATIONS).map((id) => id as string as ConversationId),
  direction: fc.constantFrom('in', 'out'),
  wireId: fc.constantFrom(...IDS),
  text: fc.constantFrom('one', 'two words', '今天'),
  sentAtMs: fc.integer({ min: 0, max: 3 }).map((day) => day * 86_400_000),
  storedAtMs: fc.integer({ min: 0, max: 9 }),
  state: fc.constantFrom('read', 'displayed'),
  displayReportWanted: fc.boolean(),
  headers: fc.option(
    fc
      .constantFrom('ana', 'tom')
      .map((name) => `From: <sip:${name}@example.org>\r\nTo: <sip:me@example.org>\r\n`),
    { nil: null },
  ),
});

let folder: string;
const databases: Database[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-import-'));
});

afterAll(async () => {
  for (const database of databases) database.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(name: string): Promise<{ database: Database; store: MessengerProcedures }> {
  const database = await openDatabase(join(folder, name), messengerMigrations);
  databases.push(database);
  database.pragma('synchronous = OFF');
  return { database, store: messengerProcedures(database) };
}

function empty({ database, store }: { database: Database; store: MessengerProcedures }): void {
  database.exec("DELETE FROM conversations; DELETE FROM sqlite_sequence WHERE name = 'messages'");
  for (const id of CONVERSATIONS) {
    store.openConversation({
      id: id as string as ConversationId,
      accountId: 'account' as AccountId,
      peerAddress: `${id}@example.org`,
      peerName: id,
      standing: 'accepted',
      nowMs: 1,
    });
  }
}

function contentOf(database: Database): unknown[] {
  return [
    database.prepare('SELECT * FROM messages ORDER BY position').all(),
    database.prepare('SELECT * FROM message_days ORDER BY conversation, day').all(),
    database.prepare('SELECT id, last_activity_ms FROM conversations ORDER BY id').all(),
  ];
}

it('takes in what one by one would be stored, duplicates and ids that are taken included', async () => {
  const [alone, together] = [await open('alone.sqlite'), await open('together.sqlite')];
  fc.assert(
    fc.property(fc.array(fc.array(message, { maxLength: 6 }), { maxLength: 3 }), (batches) => {
      empty(alone);
      empty(together);
      for (const batch of batches) {
        const added = batch.filter((one) => !alone.store.insertMessage(one).duplicate).length;
        expect(together.store.importMessages(batch)).toBe(added);
      }
      expect(contentOf(together.database)).toEqual(contentOf(alone.database));
    }),
    { numRuns: 200 },
  );
});

it('keeps headers of a transaction that was undone as they are', async () => {
  const { database, store } = await open('undone.sqlite');
  empty({ database, store });
  const one = (wireId: string, name: string): NewMessage => ({
    conversationId: 'c-ana' as ConversationId,
    direction: 'in',
    wireId,
    text: 'text',
    sentAtMs: 1,
    storedAtMs: 1,
    state: 'read',
    displayReportWanted: false,
    headers: `From: <sip:${name}@example.org>\r\nTo: <sip:me@example.org>\r\n`,
  });
  database.exec('BEGIN');
  store.importMessages([one('undone', 'ana')]);
  database.exec('ROLLBACK');
  store.importMessages([one('1', 'tom')]);
  store.importMessages([one('2', 'ana'), one('3', 'tom')]);
  const page = store.selectExportPage({ conversationId: 'c-ana' as ConversationId, after: 0, limit: 9 });
  expect(page.map(({ headers }) => headers?.slice(0, 15))).toEqual([
    'From: <sip:tom@',
    'From: <sip:ana@',
    'From: <sip:tom@',
  ]);
});

it('ids are read back as they were, whatever they are', () => {
  const digits = (characters: string, length: number) =>
    fc
      .array(fc.constantFrom(...Array.from(characters)), { minLength: length, maxLength: length })
      .map((all) => all.join(''));
  const ids = fc.oneof(
    digits('0123456789abcdef', 32),
    digits('0123456789abcdefgF\u00e9\u4eca', 32),
    fc.uuid(),
    fc.string(),
  );
  fc.assert(
    fc.property(ids, (id) => {
      expect(unpackId(packId(id))).toBe(id);
    }),
  );
});
