import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase, type Database } from '../../main/store/database.ts';
import { keptFileProcedures } from '../../main/store/kept-files.ts';
import { imserverMigrations } from '../../main/store/migrations/imserver.ts';
import { roomFileProcedures, type NewRoomFile } from '../../main/store/room-files.ts';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-room-files-'));
  path = join(folder, 'store.sqlite');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function planOf(database: Database, sql: string, ...values: unknown[]): string {
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as { detail: string }[];
  return rows.map(({ detail }) => detail).join('\n');
}

it('imserver 0008: files that wait stay and count beside those of rooms; a file is found by what its room calls it', async () => {
  const before = await openDatabase(path, imserverMigrations, 7);
  before.exec(`
    INSERT INTO kept_files (id, sender, recipient, transfer_id, name, type, size, expires_ms)
      VALUES ('a', 'bob', 'tom', 't', 'plan.pdf', 'application/pdf', 9, 99)`);
  before.close();
  const database = await openDatabase(path, imserverMigrations);
  database.exec(`
    INSERT INTO room_files (id, room, sender, transfer_id, name, type, size, expires_ms)
      VALUES ('b', 1, 'bob', 't', 'plan.pdf', 'application/pdf', 20, 99)`);
  const kept = keptFileProcedures(database);
  expect(kept.selectKeptFileIds(null).sort()).toEqual(['a', 'b']);
  const file = { sender: 'bob', recipient: 'eve', size: 1 };
  const ceilings = { maxBytesPerRecipient: 99, maxPerRecipient: 9, maxPerSender: 9 };
  const hasRoom = (maxBytes: number) => kept.hasRoomForFile({ file, ceilings: { ...ceilings, maxBytes } });
  expect([hasRoom(30), hasRoom(29)]).toEqual([true, false]);
  const wanted = 'SELECT * FROM room_files WHERE room = 1 AND transfer_id = ? AND expires_ms > 1';
  expect(planOf(database, wanted, 't')).toMatch(/room=\? AND transfer_id=\?/);
  database.close();
});

it('a file of a room that has ended meanwhile is not kept; those of one that ends are told, to be taken off the disk', async () => {
  const database = await openDatabase(path, imserverMigrations);
  database.exec(
    `INSERT INTO rooms (key, name, title, named, created_ms, active_ms) VALUES (1, 'trip', 'Trip', 1, 1, 1)`,
  );
  const files = roomFileProcedures(database);
  const file = (room: number, id: string): NewRoomFile => ({
    file: {
      ...{ id, room, sender: 'bob', transferId: id, name: 'plan.pdf', type: 'application/pdf', size: 9 },
      ...{ sha1: null, sha256: null, expiresMs: 99 },
    },
    ceilings: { maxBytes: 99, maxBytesPerSender: 99, maxPerSender: 9 },
    message: {
      ...{ kind: 'file', sender: 'bob', device: '', recipient: null, messageId: id, storedMs: 1 },
      body: Buffer.from('offer'),
    },
  });
  expect(files.insertRoomFile(file(1, 'a'))).toMatchObject({ isNew: true });
  expect(files.insertRoomFile(file(2, 'b'))).toBeNull();
  const find = () => files.selectRoomFiles({ room: 1, transferId: 'a', nowMs: 98 }).map(({ id }) => id);
  expect(find()).toEqual(['a']);
  database.exec('DELETE FROM rooms');
  expect(files.deleteRoomFiles({ room: 1 })).toEqual(['a']);
  expect(find()).toEqual([]);
  database.close();
});
