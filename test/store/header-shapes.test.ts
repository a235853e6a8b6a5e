/**
 * The header block of a message: kept small, given back as it was, whatever stood in it.
 */
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../main/store/database.ts';
import { fromShape, toShape } from '../../main/store/header-shapes.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { ConversationId } from '../../shared/domain/ids.ts';
import { StoreFixture } from './fixture.ts';

const SENT = Date.UTC(2026, 0, 31, 23, 59, 58, 250);
const source = { wireId: 'a1b2', sentAtMs: SENT };

function parleys(id: string, atMs: number): string {
  return (
    `From: "Tom" <sip:tom@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: ${new Date(atMs).toISOString()}\r\n` +
    `NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ${id}\r\nimdn.Disposition-Notification: display\r\n\r\n` +
    'Content-Type: text/plain; charset="utf8"\r\n\r\n'
  );
}

describe('a header block', () => {
  it('of a Parley leaves nothing to be kept but its shape, the same for all messages', () => {
    const first = toShape(parleys('a1b2', SENT), source);
    expect(first.values).toEqual([]);
    const later = { wireId: 'ffff', sentAtMs: SENT + 86_400_000 };
    expect(toShape(parleys(later.wireId, later.sentAtMs), later)).toEqual(first);
    expect(fromShape(first.shape, [], later)).toBe(parleys(later.wireId, later.sentAtMs));
  });

  it.each([
    ['a time without fractions, in another zone', 'DateTime: 2026-02-01T01:59:58+02:00\r\n\r\n', 0],
    ['a time west of Greenwich', 'DateTime: 2026-01-31T20:29:58.2-03:30\r\n\r\n', 0],
    ['a time that the row does not know', 'DateTime: 2026-01-31T23:59:58.250123+00:00\r\n\r\n', 1],
    ['no time at all', 'DateTime: yesterday\r\n\r\n', 1],
    ['folded lines and lone line feeds', 'From: "A\r\n B" <sip:a@b>\nX-Odd:  two  blanks \r\n\n', 1],
    ['values of its own', 'Subject: secret\r\nX-Trace: 1\r\nX-Trace: 2\r\n\r\nContent-Length: 12\r\n\r\n', 4],
    ['the marks of a shape', 'From: \u0001v\u0001i\r\n\u0001x\u0001: \u0001i\u0001d3Z;\r\n\r\n', 1],
    ['no line end, no colon', 'nothing', 0],
    ['an empty one', '', 0],
  ])('comes back as it was: %s', (_what, block, values) => {
    const taken = toShape(block, source);
    expect(fromShape(taken.shape, taken.values, source)).toBe(block);
    expect(taken.values.length).toBe(values);
    // What a message says of itself is not left behind when it is deleted.
    expect(taken.shape).not.toContain('secret');
  });
});

describe('in the history', () => {
  it('the block of each message is there, and a thousand take one shape', async () => {
    await using fixture = await StoreFixture.open();
    const conversationId = await fixture.conversation('c');
    const messages = Array.from({ length: 1_000 }, (_, index) => ({
      conversationId,
      direction: 'in' as const,
      wireId: `w${index}`,
      text: `text ${index}`,
      sentAtMs: SENT + index,
      storedAtMs: SENT + index + 1,
      state: 'read' as const,
      displayReportWanted: false,
      headers: parleys(`w${index}`, SENT + index),
    }));
    await fixture.store.call('importMessages', messages);
    const odd = 'X-Odd: 7\r\n\r\n';
    const [plain] = messages as [(typeof messages)[number]];
    await fixture.store.insertMessage({ ...plain, wireId: 'odd', headers: odd });
    await fixture.store.insertMessage({ ...plain, wireId: 'none', headers: null });
    const page = { conversationId, after: 0, limit: 2_000 };
    const kept = await fixture.store.call('selectExportPage', page);
    expect(kept.map(({ headers }) => headers)).toEqual([
      ...messages.map(({ headers }) => headers),
      odd,
      null,
    ]);
    await fixture.store[Symbol.asyncDispose]();
    const database = await openDatabase(fixture.path, messengerMigrations);
    expect(database.prepare('SELECT count(*) AS n FROM header_shapes').get()).toEqual({ n: 2 });
    expect(
      database.prepare('SELECT DISTINCT typeof(headers) AS t FROM messages ORDER BY t').pluck().all(),
    ).toEqual(['integer', 'null', 'text']);
    database.close();
  });

  it('what a message of ours went out with is kept, also when a report was quicker', async () => {
    await using fixture = await StoreFixture.open();
    const conversationId = await fixture.conversation('c');
    const { message } = await fixture.outgoing(conversationId, 'hello', 'a1b2');
    const { id } = message;
    await fixture.store.call('updateMessageState', { id, state: 'delivered' });
    const headers = parleys('a1b2', 1);
    expect(await fixture.store.call('updateMessageState', { id, state: 'sent', headers })).toBeNull();
    const [kept] = await fixture.store.call('selectExportPage', { conversationId, after: 0, limit: 1 });
    expect(kept).toMatchObject({ state: 'delivered', headers });
  });

  it('a history of before gets the place for them', async () => {
    await using fixture = await StoreFixture.open();
    await fixture.store[Symbol.asyncDispose]();
    const path = `${fixture.path}.old`;
    const old = await openDatabase(path, messengerMigrations, 8);
    old.exec(`
      INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
        VALUES ('c', 'a', 'tom@example.org', 'Tom', 'accepted', 1);
      INSERT INTO messages VALUES (5, 1, 0, 6, 0, 1, 'w', NULL, 'from before', 1, 1, NULL);
    `);
    old.close();
    await using store = await Store.open(path);
    const conversationId = 'c' as ConversationId;
    const page = await store.call('selectExportPage', { conversationId, after: 0, limit: 9 });
    expect(page).toMatchObject([{ text: 'from before', headers: null, position: 5 }]);
    await store[Symbol.asyncDispose]();
    const now = await openDatabase(path, messengerMigrations);
    const plan = now.prepare('EXPLAIN QUERY PLAN SELECT key FROM header_shapes WHERE hash = 1').all();
    expect(JSON.stringify(plan)).toContain('header_shapes_by_hash');
    now.close();
  });
});
