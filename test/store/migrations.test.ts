/**
 * Each migration: the schema before is filled, migrated, and rows and query plans are looked at.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, StoreError, type Database } from '../../main/store/database.ts';
import { imserverMigrations } from '../../main/store/migrations/imserver.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-migrations-'));
  path = join(folder, 'store.sqlite');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function planOf(database: Database, sql: string, ...values: unknown[]): string {
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
  return rows.map(({ detail }) => detail).join('; ');
}

function fill(database: Database): void {
  database.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES ('a-1', 'account', 'tom@example.org', 'Tom', 'accepted', 1);
    INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state)
      VALUES ('m1', 'a-1', 'in', 'w1', 'Grüße aus Köln', 1, 1, 'received'),
             ('m2', 'a-1', 'out', 'm2', 'second message', 2, 2, 'queued');`);
}

describe('the messenger store', () => {
  it('counts its migrations from 1 without a gap', () => {
    expect(messengerMigrations.map(({ version }) => version)).toEqual(
      messengerMigrations.map((_, index) => index + 1),
    );
    expect(imserverMigrations.map(({ version }) => version)).toEqual(
      imserverMigrations.map((_, index) => index + 1),
    );
  });

  it('0001: pages by key, finds the outbox and the unread by an index', async () => {
    const database = await openDatabase(path, messengerMigrations, 1);
    fill(database);
    const page =
      'SELECT * FROM messages WHERE conversation_id = ? AND position < ? ORDER BY position DESC LIMIT 50';
    expect(planOf(database, page, 'a-1', 9)).toMatch(
      /messages_by_conversation \(conversation_id=\? AND position<\?\)/,
    );
    expect(planOf(database, page, 'a-1', 9)).not.toMatch(/TEMP B-TREE/);
    const queued =
      "SELECT * FROM messages WHERE conversation_id = ? AND state = 'queued' ORDER BY position LIMIT 9";
    expect(planOf(database, queued, 'a-1')).toMatch(/messages_outbox/);
    const unread =
      "SELECT count(*) FROM messages WHERE conversation_id = ? AND direction = 'in' AND state = 'received'";
    expect(planOf(database, unread, 'a-1')).toMatch(/messages_unread/);
    database.close();
  });

  it('0002: what was stored before is in the index', async () => {
    const before = await openDatabase(path, messengerMigrations, 1);
    fill(before);
    before.close();
    const after = await openDatabase(path, messengerMigrations, 2);
    const search =
      'SELECT rowid FROM message_search WHERE message_search MATCH ? ORDER BY rowid DESC LIMIT 50';
    expect(after.prepare(search).all('koln')).toEqual([{ rowid: 1 }]);
    expect(planOf(after, search, 'second')).toMatch(/VIRTUAL TABLE INDEX/);
    expect(planOf(after, search, 'second')).not.toMatch(/TEMP B-TREE/);
    after.close();
  });

  it('0003: an account of before finds its server by itself, and keeps what is stored of it', async () => {
    const before = await openDatabase(path, messengerMigrations, 2);
    before.exec(`
      INSERT INTO accounts (id, address, display_name, server, kind, secret, secret_backend, created_ms)
        VALUES ('a', 'bob@example.org', 'Bob', 'sip:192.0.2.1;transport=tcp', 'server', x'00', 'file', 1);`);
    before.close();
    const store = await Store.open(path);
    const [old] = await store.call('selectAccounts', null);
    expect(old).toMatchObject({ address: 'bob@example.org', transport: 'auto', proxies: [] });
    expect(old?.lastTransport).toBeUndefined();
    if (old === undefined) throw new Error('the account is gone');
    await store.call('updateAccountTransport', { id: old.id, transport: 'tls' });
    const added = { ...old, id: 'b' as typeof old.id, address: 'tom@example.org' };
    const proxies = ['edge1.example.org', 'sip:edge2.example.org:5080;transport=tcp'];
    await store.call('insertAccount', { ...added, transport: 'tcp', proxies, createdMs: 2 });
    const all = await store.call('selectAccounts', null);
    expect(all.map(({ transport, proxies, lastTransport }) => [transport, proxies, lastTransport])).toEqual([
      ['auto', [], 'tls'],
      ['tcp', proxies, undefined],
    ]);
    await store[Symbol.asyncDispose]();
    const after = await openDatabase(path, messengerMigrations);
    expect(planOf(after, 'UPDATE accounts SET last_transport = ? WHERE id = ?', 'tls', 'a')).toMatch(
      /SEARCH accounts USING (PRIMARY KEY|INDEX)/,
    );
    after.close();
  });

  it('0004: messages of before are texts and still go out; a file keeps its way and is no text to send', async () => {
    const before = await openDatabase(path, messengerMigrations, 3);
    fill(before);
    before.close();
    const store = await Store.open(path);
    const [conversationId] = await store.call('selectConversationsWithQueued', null);
    if (conversationId === undefined) throw new Error('the outbox is empty');
    const file = {
      transferId: 'f1',
      name: 'Pläne.txt',
      type: 'text/plain',
      size: 5,
      sha1: 'a9',
      sha256: null,
      modifiedMs: 7,
      state: 'waiting',
      accepted: false,
      bytesDone: 0,
      path: '/somewhere/Pläne.txt',
      partPath: null,
      preview: new Uint8Array([1, 2]),
      failure: null,
    } as const;
    const { message } = await store.insertMessage({
      id: 'f1' as MessageId,
      conversationId,
      direction: 'out',
      wireId: 'f1',
      text: file.name,
      sentAtMs: 3,
      storedAtMs: 3,
      state: 'queued',
      displayReportWanted: false,
      file,
    });
    expect(message.file).toEqual({
      name: 'Pläne.txt',
      type: 'text/plain',
      size: 5,
      state: 'waiting',
      bytesDone: 0,
      failure: null,
      preview: 'AQI=',
      available: true,
    });
    const queued = await store.call('selectQueued', { conversationId, limit: 9 });
    expect(queued.map(({ id }) => id)).toEqual(['m2']);
    const page = await store.call('selectMessagePage', { conversationId, limit: 9 });
    expect(page.messages.map(({ id, file: kept }) => [id, kept?.name])).toEqual([
      ['m1', undefined],
      ['m2', undefined],
      ['f1', 'Pläne.txt'],
    ]);
    const failure = { code: 'disk-full', message: 'Full.' } as const;
    const [open] = await store.call('selectOpenTransfers', null);
    expect(open).toMatchObject({
      ...file,
      messageId: 'f1',
      conversationId,
      direction: 'out',
      preview: expect.anything() as Uint8Array,
    });
    if (open === undefined) throw new Error('the file is gone');
    await store.call('upsertTransfer', { ...open, state: 'failed', failure });
    const failed = await store.call('selectTransfer', { messageId: 'f1' as MessageId });
    expect(failed).toMatchObject({ state: 'failed', failure, direction: 'out' });
    expect(await store.call('selectOpenTransfers', null)).toEqual([]);
    const found = await store.call('searchMessages', { text: 'plane', limit: 10 });
    expect(found.map((hit) => hit.message.file?.state)).toEqual(['failed']);
    await store[Symbol.asyncDispose]();
    const after = await openDatabase(join(folder, 'new.sqlite'), messengerMigrations, 4);
    const outbox =
      "SELECT * FROM messages WHERE conversation_id = ? AND state = 'queued' AND kind = 'text' ORDER BY position LIMIT 9";
    expect(planOf(after, outbox, 'a-1')).toMatch(/messages_outbox/);
    const unfinished =
      "SELECT * FROM transfers WHERE state IN ('preparing', 'waiting', 'offered', 'transferring')";
    expect(planOf(after, unfinished)).toMatch(/transfers_open/);
    after.close();
  });

  it('0005: what was stored before is found and counted, a long history newest first while the store is in use', async () => {
    const before = await openDatabase(path, messengerMigrations, 4);
    fill(before);
    before.exec(`
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state)
        SELECT 'n' || i, 'a-1', 'in', 'n' || i, 'number ' || i, 3, 3, 'read' FROM n;`);
    before.close();
    const store = await Store.open(path);
    const find = async (text: string) =>
      (await store.call('searchMessages', { text, limit: 10 })).map(({ message }) => message.id);
    expect(await find('number 5000')).toEqual(['n5000']);
    while ((await store.call('selectSearchBacklog', null)) > 0);
    expect(await find('koln')).toEqual(['m1']);
    expect(await find('from:me second')).toEqual(['m2']);
    const figures = await store.call('selectFigures', { conversationId: 'a-1' as ConversationId });
    expect(figures).toMatchObject({ incoming: 5_001, outgoing: 1, files: 0 });
    await store[Symbol.asyncDispose]();
    const after = await openDatabase(join(folder, 'new.sqlite'), messengerMigrations, 5);
    const search = 'SELECT rowid FROM message_words WHERE message_words MATCH ? ORDER BY rowid DESC';
    expect(planOf(after, search, 'second')).toMatch(/VIRTUAL TABLE INDEX/);
    expect(planOf(after, search, 'second')).not.toMatch(/TEMP B-TREE/);
    const days = 'SELECT * FROM message_days WHERE conversation_id = ? AND day BETWEEN ? AND ? ORDER BY day';
    expect(planOf(after, days, 'a-1', 1, 2)).toMatch(/SEARCH message_days USING PRIMARY KEY/);
    after.close();
  });

  it('0006: what was is as it was shown; how a session went and what an account chooses is kept', async () => {
    const before = await openDatabase(path, messengerMigrations, 5);
    fill(before);
    before.exec(`
      INSERT INTO sessions (id, conversation_id, direction, started_ms, ended_ms, end_code, end_message)
        VALUES ('s1', 'a-1', 'outgoing', 1, 2, 'you-ended', 'Over.');
      INSERT INTO accounts (id, address, display_name, server, kind, secret, secret_backend, created_ms)
        VALUES ('a', 'bob@example.org', 'Bob', '', 'server', x'00', 'file', 1);`);
    before.close();
    const store = await Store.open(path);
    const [old] = await store.call('selectLastSessions', null);
    expect(old).toMatchObject({ id: 's1', mediaPath: 'direct', encrypted: false });
    if (old === undefined) throw new Error('the session is gone');
    const relayed = { mediaPath: 'relay', encrypted: true } as const;
    // As it was at first, and when it had opened.
    await store.call('upsertSession', { ...old, id: 's2' as typeof old.id, startedMs: 3 });
    await store.call('upsertSession', { ...old, id: 's2' as typeof old.id, startedMs: 3, ...relayed });
    expect(await store.call('selectLastSessions', null)).toMatchObject([{ id: 's2', ...relayed }]);
    const [bob] = await store.call('selectAccounts', null);
    expect(bob).toMatchObject({ mediaPath: 'settings', relays: [] });
    if (bob === undefined) throw new Error('the account is gone');
    const relays = ['msrps://relay.example.org:2855', 'relay2.example.org'];
    await store.call('updateAccountMedia', { id: bob.id, mediaPath: 'relay', relays });
    const added = { ...bob, id: 'b' as typeof bob.id, address: 'tom@example.org' };
    await store.call('insertAccount', { ...added, mediaPath: 'direct', relays: ['r.example'], createdMs: 2 });
    const all = await store.call('selectAccounts', null);
    expect(all.map(({ mediaPath, relays: kept }) => [mediaPath, kept])).toEqual([
      ['relay', relays],
      ['direct', ['r.example']],
    ]);
    await store[Symbol.asyncDispose]();
    const after = await openDatabase(path, messengerMigrations);
    expect(planOf(after, 'UPDATE accounts SET media_path = ?, relays = ? WHERE id = ?', '', '', 'a')).toMatch(
      /SEARCH accounts USING (PRIMARY KEY|INDEX)/,
    );
    after.close();
  });

  it('0007: every message, session and file is there as it was, found by its id and by its words', async () => {
    const before = await openDatabase(path, messengerMigrations, 6);
    const uuid = '0b1e0000-0000-4000-8000-0000000000aa';
    const hex = 'aa'.repeat(16);
    before.exec(`
      INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, read_position, last_activity_ms)
        VALUES ('a-1', 'account', 'tom@example.org', 'Tom', 'accepted', 2, 9),
               ('b-1', 'account', 'ana@example.org', 'Ana', 'asked', 0, 8);
      INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state,
          failure_code, failure_message, display_report_wanted, kind)
        VALUES ('${uuid}', 'a-1', 'in', 'w 1', 'Grüße aus Köln', 1, 9, 'received', NULL, NULL, 1, 'text'),
               ('${hex}', 'a-1', 'out', '${hex}', 'budget 今天', 5, 5, 'failed', 'declined', 'Tom said no.', 0, 'text'),
               ('old', 'b-1', 'in', '${hex}', 'from ana', 7, 6, 'read', NULL, NULL, 0, 'text'),
               ('next', 'b-1', 'out', 'next', 'waits', 8, 8, 'queued', NULL, NULL, 0, 'text'),
               ('file', 'b-1', 'in', 'file', 'plan.png', 8, 8, 'received', NULL, NULL, 0, 'file');
      DELETE FROM messages WHERE id = 'gone';
      UPDATE sqlite_sequence SET seq = 50 WHERE name = 'messages';
      INSERT INTO transfers (message_id, transfer_id, name, type, size, state)
        VALUES ('file', 't', 'plan.png', 'image/png', 7, 'offered');
      INSERT INTO sessions (id, conversation_id, direction, started_ms, ended_ms, end_code, end_message, encrypted)
        VALUES ('s1', 'b-1', 'incoming', 1, 2, 'ended-by-us', 'Over.', 1);`);
    before.close();
    const store = await Store.open(path);
    const [tom, ana] = ['a-1', 'b-1'] as [ConversationId, ConversationId];
    const ofTom = await store.call('selectExportPage', { conversationId: tom, after: 0, limit: 9 });
    expect(ofTom).toEqual([
      {
        position: 1,
        id: uuid,
        direction: 'in',
        wireId: 'w 1',
        text: 'Grüße aus Köln',
        sentAtMs: 1,
        storedAtMs: 9,
        state: 'received',
        failure: null,
        headers: null,
        replyTo: null,
        changes: [],
        times: [],
        file: null,
      },
      {
        position: 2,
        id: hex,
        direction: 'out',
        wireId: hex,
        text: 'budget 今天',
        sentAtMs: 5,
        storedAtMs: 5,
        state: 'failed',
        failure: { code: 'declined', message: 'Tom said no.' },
        headers: null,
        replyTo: null,
        changes: [],
        times: [],
        file: null,
      },
    ]);
    const ofAna = await store.call('selectMessagePage', { conversationId: ana, limit: 9 });
    expect(ofAna.messages.map(({ id, state, file }) => [id, state, file?.state])).toEqual([
      ['old', 'read', undefined],
      ['next', 'queued', undefined],
      ['file', 'received', 'offered'],
    ]);
    for (const [id, text] of [
      [uuid, 'Grüße aus Köln'],
      [hex, 'budget 今天'],
      ['old', 'from ana'],
      ['next', 'waits'],
    ] as const) {
      expect((await store.call('selectMessage', { id: id as MessageId }))?.text).toBe(text);
    }
    for (const id of ['w 1', 'at-1', 'gone']) {
      expect(await store.call('selectMessage', { id: id as MessageId })).toBeNull();
    }
    expect(await store.call('selectConversationsWithQueued', null)).toEqual([ana]);
    expect(await store.call('selectLastSessions', null)).toMatchObject([
      { id: 's1', conversationId: ana, encrypted: true },
    ]);
    expect((await store.call('selectConversations', null)).map((one) => [one.id, one.unreadCount])).toEqual([
      [tom, 1],
      [ana, 1],
    ]);
    const read = await store.call('markRead', { conversationId: tom, position: 9 });
    expect(read).toMatchObject({ messages: [{ id: uuid, state: 'read' }], reportWireIds: ['w 1'] });
    const find = async (text: string) =>
      (await store.call('searchMessages', { text, limit: 10 })).map(({ message }) => message.id);
    expect(await find('kol')).toEqual([uuid]);
    expect(await find('budge 今天')).toEqual([hex]);
    expect(await find('has:image from:ana')).toEqual(['file']);
    // What comes is new to the store: after the last number, with an id of its own unless it brings one.
    const next = { conversationId: tom, text: 'x', sentAtMs: 1, storedAtMs: 1, displayReportWanted: false };
    const came = await store.insertMessage({ ...next, direction: 'in', wireId: 'w2', state: 'received' });
    expect(came.message).toMatchObject({ id: 'at-51', position: 51 });
    expect(await store.call('selectMessage', { id: came.message.id })).toEqual(came.message);
    const again = { ...next, direction: 'in', wireId: 'w 1', state: 'received' } as const;
    expect(await store.insertMessage(again)).toMatchObject({ duplicate: true, message: { id: uuid } });
    const taken = { ...next, id: hex as MessageId, direction: 'out', wireId: 'w3', state: 'queued' } as const;
    expect((await store.insertMessage(taken)).message.id).toBe('at-52');
    await store[Symbol.asyncDispose]();
    const after = await openDatabase(path, messengerMigrations);
    expect(after.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(after.pragma('foreign_key_check')).toEqual([]);
    const key = '(SELECT key FROM conversations WHERE id = ?)';
    const page = `SELECT * FROM messages m INDEXED BY messages_by_conversation WHERE m.conversation = ${key} AND m.position < ? ORDER BY m.position DESC LIMIT 9`;
    expect(planOf(after, page, 'a-1', 9)).toMatch(
      /messages_by_conversation \(conversation=\? AND rowid<\?\)/,
    );
    expect(planOf(after, page, 'a-1', 9)).not.toMatch(/TEMP B-TREE/);
    const outbox = `SELECT * FROM messages INDEXED BY messages_outbox WHERE conversation = ${key} AND state = 0 AND kind = 0 ORDER BY position`;
    expect(planOf(after, outbox, 'a-1')).toMatch(/messages_outbox/);
    const unread = `SELECT count(*) FROM messages INDEXED BY messages_unread WHERE conversation = ${key} AND state >= 7`;
    expect(planOf(after, unread, 'a-1')).toMatch(/COVERING INDEX messages_unread/);
    const files = `SELECT count(*) FROM messages INDEXED BY messages_files WHERE conversation = ${key} AND kind = 1`;
    expect(planOf(after, files, 'a-1')).toMatch(/messages_files/);
    const known = 'SELECT position FROM messages WHERE wire_key = ? AND wire_id = ?';
    expect(planOf(after, known, 1, 'x')).toMatch(/messages_by_wire_key/);
    const byId = 'SELECT position FROM messages WHERE id = ? AND id IS NOT NULL AND id <> 0';
    expect(planOf(after, byId, 'x')).toMatch(/messages_by_id/);
    after.close();
  });

  it('refuses a file of a newer program and leaves every byte of it', async () => {
    const database = await openDatabase(path, messengerMigrations);
    database.pragma('user_version = 999');
    database.pragma('journal_mode = DELETE');
    database.close();
    const before = await readFile(path);
    await expect(Store.open(path)).rejects.toMatchObject({
      code: 'STORE_TOO_NEW',
      message: expect.stringContaining('Update Parley') as string,
    });
    expect((await readFile(path)).equals(before)).toBe(true);
  });

  it('sets a file that is no database aside, says so, and begins anew', async () => {
    await writeFile(path, 'this is not a database, whatever its name says'.repeat(100));
    await using store = await Store.open(path);
    const { recovered } = store.opened;
    expect(recovered).toMatchObject({ source: 'nothing', missing: -1 });
    expect(await readFile(recovered?.setAside ?? '', 'utf8')).toMatch(/^this is not a database/);
    expect(await store.call('selectConversations', null)).toEqual([]);
  });

  it('says so when the folder cannot be used', async () => {
    const error = await Store.open(join(folder, 'missing', 'store.sqlite')).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).code).toMatch(/^STORE_(READ_ONLY|FAILED)$/);
  });

  it('commits to the disk, not to a cache: WAL with FULL', async () => {
    const database = await openDatabase(path, messengerMigrations);
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(database.pragma('synchronous', { simple: true })).toBe(2);
    expect(database.pragma('foreign_keys', { simple: true })).toBe(1);
    database.close();
  });
});

it('the IM Server store finds what waits for a user by an index', async () => {
  const database = await openDatabase(path, imserverMigrations);
  const waiting = 'SELECT * FROM deferred_messages WHERE recipient = ? ORDER BY id LIMIT 20';
  expect(planOf(database, waiting, 'tom')).toMatch(/deferred_by_recipient/);
  expect(planOf(database, waiting, 'tom')).not.toMatch(/TEMP B-TREE/);
  database.close();
});

it('imserver 0007: files that wait stay, and nobody has fetched them', async () => {
  const before = await openDatabase(path, imserverMigrations, 6);
  before.exec(`
    INSERT INTO kept_files (id, sender, recipient, transfer_id, name, type, size, expires_ms)
      VALUES ('a', 'bob', 'tom', 't', 'plan.pdf', 'application/pdf', 9, 99)`);
  before.close();
  const database = await openDatabase(path, imserverMigrations);
  expect(database.prepare('SELECT id, name, fetched FROM kept_files').all()).toEqual([
    { id: 'a', name: 'plan.pdf', fetched: 0 },
  ]);
  database.close();
});

it('imserver 0003: registrations and waiting messages stay; rooms are read by an index', async () => {
  const before = await openDatabase(path, imserverMigrations, 2);
  before.exec(`
    INSERT INTO bindings (user, contact, call_id, cseq, source, expires_ms) VALUES ('bob', 'sip:bob@x', 'c', 1, 's', 9);
    INSERT INTO deferred_messages (recipient, sender, content_type, body, received_ms, expires_ms)
      VALUES ('tom', 'bob', 'text/plain', x'61', 1, 9);`);
  before.close();
  const database = await openDatabase(path, imserverMigrations);
  const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get();
  expect([count('bindings'), count('deferred_messages'), count('rooms')]).toEqual([
    { n: 1 },
    { n: 1 },
    { n: 0 },
  ]);
  const page = 'SELECT * FROM room_messages WHERE room = ? AND position > ? ORDER BY position LIMIT 9';
  expect(planOf(database, page, 1, 1)).toMatch(/room_messages_by_room \(room=\? AND position>\?\)/);
  const known = 'SELECT position FROM room_messages WHERE room = ? AND sender = ? AND message_id = ?';
  expect(planOf(database, known, 1, 'bob', 'x')).toMatch(/room_messages_by_id/);
  expect(planOf(database, 'SELECT * FROM room_places WHERE user = ?', 'bob')).toMatch(/room_places_by_user/);
  // Whoever leaves takes his places with him; a room everything.
  database.exec(`
    INSERT INTO rooms (name, title, named, created_ms, active_ms) VALUES ('kitchen', 'Kitchen', 1, 1, 1);
    INSERT INTO room_members VALUES (1, 'bob', 'owner', 'joined', '', '', 0);
    INSERT INTO room_places VALUES (1, 'bob', 'phone', 7, 1);
    INSERT INTO room_messages (room, kind, sender, device, message_id, body, stored_ms) VALUES (1, 0, 'bob', '', 'm', x'61', 1);
    DELETE FROM room_members;`);
  expect([count('room_places'), count('room_messages')]).toEqual([{ n: 0 }, { n: 1 }]);
  database.exec('DELETE FROM rooms');
  expect(count('room_messages')).toEqual({ n: 0 });
  database.close();
});

it('0010: messages of before are those of two people; who wrote one in a group is found by its place', async () => {
  const before = await openDatabase(path, messengerMigrations, 9);
  before.exec(`
    INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
      VALUES ('a-1', 'account', 'tom@example.org', 'Tom', 'accepted', 1);`);
  before.close();
  const database = await openDatabase(path, messengerMigrations);
  const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get();
  expect([count('conversations'), count('groups')]).toEqual([{ n: 1 }, { n: 0 }]);
  const author = 'SELECT person FROM group_messages WHERE position = ?';
  expect(planOf(database, author, 1)).toMatch(/INTEGER PRIMARY KEY/);
  const person = 'SELECT key FROM group_people WHERE conversation = ? AND address = ?';
  expect(planOf(database, person, 1, 'x')).toMatch(
    /INDEX sqlite_autoindex_group_people_1 \(conversation=\? AND address=\?\)/,
  );
  database.exec(`
    INSERT INTO groups VALUES (1, 'member', 0, '[]');
    INSERT INTO group_people (conversation, address, name, nickname, role, state) VALUES (1, 'a', '', '', 'member', 'here');
    DELETE FROM conversations;`);
  expect([count('groups'), count('group_people')]).toEqual([{ n: 0 }, { n: 0 }]);
  database.close();
});
