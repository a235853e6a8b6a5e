/**
 * The index of words in its third form, over a history that has the second.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-lean-index-'));
  path = join(folder, 'store.sqlite');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

it('0011: a long history is found anew, newest first, while it is in use; days stay counted, the old index leaves', async () => {
  const before = await openDatabase(path, messengerMigrations, 10);
  before.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES ('a-1', 'account', 'tom@example.org', 'Tom', 'accepted', 1);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO messages (conversation, direction, state, wire_key, wire_id, text, sent_at_ms, stored_after_ms)
      SELECT 1, 0, 6, wire_key('n' || i), 'n' || i, 'number ' || i, 86400000, 0 FROM n;
    INSERT INTO message_words (rowid, words) SELECT position, text FROM messages;
    INSERT INTO message_days VALUES (1, 1, 1, 5000, 0);
    UPDATE search_backlog SET below = 0;`);
  before.close();
  const conversationId = 'a-1' as ConversationId;
  {
    await using store = await Store.open(path);
    const find = async (text: string) =>
      (await store.call('searchMessages', { text, limit: 10 })).map(({ message }) => message.text);
    expect(await find('number 5000')).toEqual(['number 5000']);
    // Not in the index yet, but on its day.
    await store.call('deleteMessages', { conversationId, ids: ['at-1' as MessageId] });
    expect(await store.call('selectFigures', { conversationId })).toMatchObject({ incoming: 4_999 });
  }
  {
    // It may end at any time, and goes on from there.
    await using store = await Store.open(path);
    while ((await store.call('selectSearchBacklog', null)) > 0);
    // 17, 170 to 179, 1700 to 1799.
    const found = await store.call('searchMessages', { text: 'numb 17', limit: 200 });
    expect(found).toHaveLength(111);
    expect(await store.call('selectFigures', { conversationId })).toMatchObject({ incoming: 4_999 });
    while (await store.call('dropWornIndex', { limit: 1 }));
  }
  const after = await openDatabase(path, messengerMigrations);
  expect(after.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'message_words_10%'").all()).toEqual(
    [],
  );
  const search = 'SELECT rowid FROM message_words WHERE message_words MATCH ? ORDER BY rowid DESC';
  const plan = JSON.stringify(after.prepare(`EXPLAIN QUERY PLAN ${search}`).all('number'));
  expect(plan).toMatch(/VIRTUAL TABLE INDEX/);
  expect(plan).not.toMatch(/TEMP B-TREE/);
  after.close();
});
