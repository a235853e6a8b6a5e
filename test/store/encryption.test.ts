/**
 * A history that nobody can read without its key: its bytes, what is made of a plain one, what happens without the key.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { filePermissionSecrets, type SecretBox } from '../../main/messenger/secrets.ts';
import { BACKUP_FOLDER, backupNameAt, stageRestore } from '../../main/store/backups.ts';
import { isEncryptedDatabase, isPlainDatabase, openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';

const key = Uint8Array.from({ length: 32 }, (_, index) => index * 7);
const conversationId = 'c-1' as ConversationId;
const SECRETS = ['zanzibar', 'Thomasina', 'thomasina@example.org', 'blueprint.pdf', 'wire-of-the-message'];

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-encryption-'));
  path = join(folder, 'history.sqlite');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function fill(store: Store, count: number, more = ''): Promise<void> {
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'a' as AccountId,
    peerAddress: 'thomasina@example.org',
    peerName: 'Thomasina',
    standing: 'accepted',
    nowMs: 1,
  });
  const one = (index: number) => ({
    conversationId,
    direction: 'in' as const,
    wireId: `wire-of-the-message-${index}`,
    text: index === 0 ? 'blueprint.pdf' : `we meet in zanzibar, number ${index}${more}`,
    sentAtMs: index + 1,
    storedAtMs: index + 1,
    state: 'received' as const,
    displayReportWanted: false,
  });
  await store.call(
    'importMessages',
    Array.from({ length: count }, (_, index) => one(index)),
  );
}

/** Which of the secrets stand in any file of the folder. */
async function readable(): Promise<string[]> {
  const found = new Set<string>();
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const bytes = await readFile(join(file.parentPath, file.name));
    for (const secret of SECRETS) if (bytes.includes(secret)) found.add(secret);
  }
  return [...found].sort();
}

async function countOf(store: Store): Promise<number> {
  const [only] = await store.call('selectConversations', null);
  return only?.unreadCount ?? -1;
}

describe('an encrypted history', () => {
  it('no file of it shows a text, a name or an address, and everything of it works', async () => {
    const store = await Store.open(path, { key });
    await fill(store, 500);
    const backup = join(folder, BACKUP_FOLDER, backupNameAt(1));
    await store.backUp(backup);
    // While it is open: the file, its log, the backup.
    expect(await readdir(folder)).toContain('history.sqlite-wal');
    expect(await readable()).toEqual([]);
    expect(await store.search({ text: 'zanzi 499', limit: 9 })).toHaveLength(1);
    expect(await store.findDamage()).toBeUndefined();
    await store[Symbol.asyncDispose]();
    expect(await readable()).toEqual([]);
    expect([isPlainDatabase(path), isEncryptedDatabase(path)]).toEqual([false, true]);
    {
      await using again = await Store.open(path, { key });
      await again.call('markRead', { conversationId, position: 400 });
      await stageRestore(path, backup);
    }
    await using restored = await Store.open(path, { key });
    expect(existsSync(restored.opened.replaced ?? '')).toBe(true);
    expect(await countOf(restored)).toBe(500);
    expect(await restored.search({ text: '"number 77"', limit: 9 })).toHaveLength(1);
  });

  it('of a program of before, which used another cipher, is gone on with as it is', async () => {
    const plain = join(folder, 'plain.sqlite');
    {
      await using store = await Store.open(plain);
      await fill(store, 500);
    }
    const made = await openDatabase(plain, messengerMigrations);
    const hex = Buffer.from(key).toString('hex');
    made.exec(`VACUUM INTO '${pathToFileURL(path).href}?cipher=chacha20&key=raw:${hex}'`);
    made.close();
    await rm(plain);
    expect([isPlainDatabase(path), isEncryptedDatabase(path)]).toEqual([false, true]);
    const wrongKey = key.map((byte) => byte + 1);
    await expect(openDatabase(path, messengerMigrations, undefined, wrongKey)).rejects.toThrow('damaged');
    const backup = join(folder, BACKUP_FOLDER, backupNameAt(1));
    {
      await using store = await Store.open(path, { key });
      expect(await countOf(store)).toBe(500);
      await store.call('markRead', { conversationId, position: 400 });
      await store.backUp(backup);
      await stageRestore(path, backup);
    }
    await using restored = await Store.open(path, { key });
    expect(await countOf(restored)).toBe(100);
    expect(await restored.search({ text: '"number 77"', limit: 9 })).toHaveLength(1);
    expect(await restored.findDamage()).toBeUndefined();
    expect(await readable()).toEqual([]);
  });

  it('gets smaller when messages have gone and nobody asks for anything', async () => {
    await using store = await Store.open(path, { key });
    await fill(store, 3_000, ' and more'.repeat(300));
    const reader = await openDatabase(path, messengerMigrations, undefined, key);
    const pages = (): number => Number(reader.pragma('page_count', { simple: true }));
    const before = pages();
    while ((await store.call('clearConversation', { conversationId, limit: 500 })).positions.length > 0);
    await expect.poll(pages, { timeout: 15_000 }).toBeLessThan(before / 2);
    reader.close();
    expect(await store.findDamage()).toBeUndefined();
  });

  it('is left alone when the key is not given', async () => {
    await fillAndClose(key);
    const before = await readFile(path);
    await expect(Store.open(path)).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    expect((await readFile(path)).equals(before)).toBe(true);
    expect((await readdir(folder)).filter((name) => name.includes('damaged'))).toEqual([]);
  });

  it('that is damaged, or cut short, is repaired as far as it can be read, and is encrypted again', async () => {
    await fillAndClose(key, 4_000);
    const file = await open(path, 'r+');
    for (const page of [9, 30]) await file.write(Buffer.alloc(8_192, 0xa5), 0, 8_192, page * 8_192);
    await file.close();
    const whole = await readFile(path);
    {
      await using store = await Store.open(path, { key });
      const found = store.opened.recovered ?? (await store.findDamage());
      expect(found).toBeTruthy();
    }
    await using store = await Store.open(path, { key });
    expect(await countOf(store)).toBeGreaterThan(3_500);
    expect(await countOf(store)).toBeLessThanOrEqual(4_000);
    await store[Symbol.asyncDispose]();
    await writeFile(path, whole);
    await truncate(path, Math.floor(whole.length / 8_192 / 2) * 8_192);
    await using short = await Store.open(path, { key });
    expect(short.opened.recovered).toMatchObject({ source: 'file' });
    expect(short.opened.recovered?.messages).toBeGreaterThan(100);
    expect(await readable()).toEqual([]);
  });

  it('whose first page is gone comes from a backup, and the file is kept', async () => {
    await fillAndClose(key);
    {
      await using store = await Store.open(path, { key });
      await store.backUp(join(folder, BACKUP_FOLDER, backupNameAt(1)));
    }
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(8_192, 0xa5), 0, 8_192, 0);
    await file.close();
    await using store = await Store.open(path, { key });
    expect(store.opened.recovered).toMatchObject({ source: 'backup', messages: 500 });
    expect(existsSync(store.opened.recovered?.setAside ?? '')).toBe(true);
  });
});

async function fillAndClose(with_: Uint8Array | undefined, count = 500): Promise<void> {
  await using store = await Store.open(path, { key: with_ });
  await fill(store, count);
}

describe('a history of before', () => {
  it('of any schema is encrypted when it is opened with a key, and so is a backup', async () => {
    const before = await openDatabase(path, messengerMigrations, 6);
    before.exec(`
      INSERT INTO conversations (id, account_id, peer_address, peer_name, standing, last_activity_ms)
        VALUES ('c-1', 'a', 'thomasina@example.org', 'Thomasina', 'accepted', 1);
      INSERT INTO messages (id, conversation_id, direction, wire_id, text, sent_at_ms, stored_at_ms, state)
        VALUES ('m', 'c-1', 'in', 'wire-of-the-message', 'in zanzibar', 1, 1, 'received');
      UPDATE sqlite_sequence SET seq = 7;
      INSERT INTO settings VALUES ('k', '1');`);
    before.close();
    const backup = join(folder, 'old.sqlite');
    await copyFile(path, backup);
    expect(await readable()).not.toEqual([]);
    await using store = await Store.open(path, { key });
    expect(await store.search({ text: 'zanzi', limit: 2 })).toHaveLength(1);
    expect(await store.call('selectSettings', null)).toEqual({ k: '1' });
    const figures = await store.call('selectFigures', { conversationId });
    expect(figures).toMatchObject({ incoming: 1, outgoing: 0 });
    await fill(store, 3);
    const page = await store.call('selectMessagePage', { conversationId, limit: 9 });
    expect(page.messages.map(({ position }) => position)).toEqual([1, 8, 9, 10]);
    await store.encryptFile(backup);
    await using copy = await Store.open(backup, { key });
    expect(await countOf(copy)).toBe(1);
    expect(await readable()).toEqual([]);
  });

  it('is whole, plain or encrypted, whenever the program is killed', async () => {
    await fillAndClose(undefined, 2_000);
    const plain = await readFile(path);
    const script = fileURLToPath(new URL('./encrypt-forever.ts', import.meta.url));
    let isOver = false;
    const seen = new Set<boolean>();
    // Each round is killed a little later than the one before, until one gets to its end.
    for (let waitMs = 0; !isOver; waitMs = waitMs * 2 + 60) {
      for (const end of ['-wal', '-shm', '.open']) await rm(path + end, { force: true });
      await writeFile(path, plain);
      const child = spawn(process.execPath, [script, path, Buffer.from(key).toString('hex')]);
      const exited = new Promise<void>((done) => child.once('exit', () => done()));
      const began = new Promise<void>((done) => {
        child.stdout.on('data', (chunk: Buffer) => {
          if (chunk.includes('encrypted')) isOver = true;
          done();
        });
      });
      await Promise.race([began, exited]);
      const timer = setTimeout(() => child.kill('SIGKILL'), waitMs);
      await exited;
      clearTimeout(timer);
      seen.add(isPlainDatabase(path));
      await using store = await Store.open(path, { key });
      expect(store.opened.recovered).toBeNull();
      expect(await countOf(store)).toBe(2_000);
      await store[Symbol.asyncDispose]();
      expect((await readdir(folder)).sort()).toEqual(['history.sqlite']);
    }
    expect([...seen].sort()).toEqual([false, true]);
  }, 60_000);
});

describe('the key', () => {
  const keyring: SecretBox = {
    backend: 'keyring',
    protect: (secret) => Buffer.from(Array.from(secret).reverse().join('')),
    reveal: (secret) => Array.from(Buffer.from(secret).toString()).reverse().join(''),
  };

  it('is made once, for its owner only, and stands in no file as it is when there is a keyring', async () => {
    const made = await openHistoryKey(folder, keyring);
    expect(made).toHaveLength(32);
    expect(await openHistoryKey(folder, keyring)).toEqual(made);
    const file = await open(join(folder, 'history.key'));
    if (process.platform !== 'win32') expect((await file.stat()).mode & 0o777).toBe(0o600);
    const written = await file.readFile('utf8');
    await file.close();
    const { secret } = JSON.parse(written) as { secret: string };
    const hex = Buffer.from(made).toString('hex');
    expect(Buffer.from(secret, 'base64').toString()).not.toContain(hex);
    expect(written).not.toContain(hex);
  });

  it('that is missing, damaged, of another or behind a keyring that is not here: says what to do, changes nothing', async () => {
    const mine = await openHistoryKey(folder, keyring);
    await using store = await Store.open(path, { key: mine });
    await fill(store, 5);
    await store[Symbol.asyncDispose]();
    const [history, kept] = [await readFile(path), await readFile(join(folder, 'history.key'))];
    const locked = (message: RegExp): unknown =>
      expect.objectContaining({ code: 'STORE_LOCKED', message: expect.stringMatching(message) as string });
    await expect(openHistoryKey(folder, filePermissionSecrets)).rejects.toEqual(locked(/kept by keyring/));
    const shut = {
      ...keyring,
      reveal: (): string => {
        throw new Error('locked');
      },
    };
    await expect(openHistoryKey(folder, shut)).rejects.toEqual(locked(/Unlock it/));
    await writeFile(join(folder, 'history.key'), kept.subarray(0, 50));
    await expect(openHistoryKey(folder, keyring)).rejects.toEqual(locked(/damaged. Put it back/));
    await rm(join(folder, 'history.key'));
    await expect(openHistoryKey(folder, keyring)).rejects.toEqual(locked(/put history.key back/));
    expect((await readFile(path)).equals(history)).toBe(true);
    await writeFile(join(folder, 'history.key'), kept);
    await using again = await Store.open(path, { key: await openHistoryKey(folder, keyring) });
    expect(await countOf(again)).toBe(5);
  });
});
