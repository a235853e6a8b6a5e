/**
 * A history that is damaged, and the backups beside it.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BACKUP_FOLDER,
  backupNameAt,
  listBackups,
  outdatedBackups,
  stageRestore,
} from '../../main/store/backups.ts';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { AccountId, ConversationId, MessageId } from '../../shared/domain/ids.ts';

const PAGE = 8_192;
const COUNT = 4_000;
const conversationId = 'c-1' as ConversationId;

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-recovery-'));
  path = join(folder, 'history.sqlite');
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function fill(count = COUNT): Promise<void> {
  await using store = await Store.open(path);
  await store.call('openConversation', {
    id: conversationId,
    accountId: 'a' as AccountId,
    peerAddress: 'tom@example.org',
    peerName: 'Tom',
    standing: 'accepted',
    nowMs: 1,
  });
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      store.insertMessage({
        id: `m${index}` as MessageId,
        conversationId,
        direction: 'in',
        wireId: `m${index}`,
        text: `message number ${index} ${'with some more text '.repeat(4)}`,
        sentAtMs: index + 1,
        storedAtMs: index + 1,
        state: 'read',
        displayReportWanted: false,
      }),
    ),
  );
}

/** Overwrites pages with nonsense. */
async function damage(pages: readonly number[]): Promise<void> {
  const file = await open(path, 'r+');
  for (const page of pages) await file.write(Buffer.alloc(PAGE, 0xa5), 0, PAGE, page * PAGE);
  await file.close();
}

async function leafPages(table = 'messages'): Promise<number[]> {
  const database = await openDatabase(path, messengerMigrations);
  const rows = database
    .prepare(`SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno`)
    .all(table) as { pageno: number }[];
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
  return rows.map(({ pageno }) => pageno - 1);
}

async function textsOf(store: Store): Promise<string[]> {
  const texts: string[] = [];
  let after: number | undefined = 0;
  while (after !== undefined) {
    const page: { messages: readonly { position: number; text: string }[] } = await store.call(
      'selectMessagePage',
      { conversationId, after, limit: 200 },
    );
    texts.push(...page.messages.map(({ text }) => text));
    after = page.messages.at(-1)?.position;
  }
  return texts;
}

describe('a damaged history', () => {
  it('is found by the look through the whole file, and what can be read is saved at the next start', async () => {
    await fill();
    const deleted = 5;
    {
      await using store = await Store.open(path);
      await store.call('clearConversation', { conversationId, limit: deleted });
    }
    const pages = await leafPages();
    const broken = [10, 11, 40].map((index) => pages[index] ?? 0);
    await damage(broken);
    {
      await using store = await Store.open(path);
      expect(await store.findDamage()).toEqual(expect.any(String));
    }
    await using store = await Store.open(path);
    const { recovered } = store.opened;
    const texts = await textsOf(store);
    expect(recovered).toMatchObject({
      source: 'file',
      messages: texts.length,
      // What was deleted on purpose is not missing.
      missing: COUNT - deleted - texts.length,
    });
    // Three pages of about forty messages are gone, not more.
    expect(texts.length).toBeGreaterThan(COUNT - 3 * 120);
    expect(texts.length).toBeLessThan(COUNT);
    expect(texts[0]).toMatch(/^message number 5 /);
    expect(texts.at(-1)).toMatch(`message number ${COUNT - 1} `);
    while ((await store.call('selectSearchBacklog', null)) > 0);
    const found = await store.call('searchMessages', { text: `"number ${COUNT - 1}"`, limit: 5 });
    expect(found).toHaveLength(1);
    const kept = await readFile(recovered?.setAside ?? '');
    expect(kept.includes(Buffer.alloc(PAGE, 0xa5))).toBe(true);
    expect(await store.findDamage()).toBeUndefined();
  });

  it('that cannot even be opened comes from the newest backup that is whole', async () => {
    await fill(50);
    {
      await using store = await Store.open(path);
      await store.backUp(join(folder, BACKUP_FOLDER, backupNameAt(Date.UTC(2026, 0, 1))));
    }
    await writeFile(join(folder, BACKUP_FOLDER, backupNameAt(Date.UTC(2026, 0, 2))), 'not a history');
    await damage([0]);
    await using store = await Store.open(path);
    expect(store.opened.recovered).toMatchObject({ source: 'backup', messages: 50 });
    expect(await textsOf(store)).toHaveLength(50);
  });

  it('that shows only when it is read at the start is repaired at once', async () => {
    await fill(300);
    await damage(await leafPages('search_backlog'));
    await using store = await Store.open(path);
    expect(store.opened.recovered).toMatchObject({ source: 'file', messages: 300, missing: 0 });
    expect(await store.search({ text: '"number 77"', limit: 9 })).toHaveLength(1);
  });

  it('of which nobody can say where its messages lie comes from a backup as well', async () => {
    await fill(300);
    {
      await using store = await Store.open(path);
      await store.backUp(join(folder, BACKUP_FOLDER, backupNameAt(1)));
    }
    await damage(await leafPages('sqlite_schema'));
    await using store = await Store.open(path);
    expect(store.opened.recovered).toMatchObject({ source: 'backup', messages: 300 });
    expect(await textsOf(store)).toHaveLength(300);
  });

  it('without a backup begins anew, says so, and keeps the damaged file', async () => {
    await writeFile(path, Buffer.alloc(3 * PAGE, 1));
    await using store = await Store.open(path);
    expect(store.opened.recovered).toMatchObject({ source: 'nothing', messages: 0, missing: -1 });
    expect(await stat(store.opened.recovered?.setAside ?? '')).toMatchObject({ size: 3 * PAGE });
  });

  it('cut short: what is before the cut is saved', async () => {
    await fill();
    await leafPages();
    const { size } = await stat(path);
    await truncate(path, Math.floor(size / PAGE / 2) * PAGE);
    await using store = await Store.open(path);
    const saved = store.opened.recovered ?? (await store.findDamage());
    expect(saved).toBeTruthy();
    await store[Symbol.asyncDispose]();
    await using again = await Store.open(path);
    const report = store.opened.recovered ?? again.opened.recovered;
    expect(report?.source).toBe('file');
    expect(report?.messages).toBeGreaterThan(100);
    expect(await textsOf(again)).toHaveLength(report?.messages ?? -1);
  });

  it('a repair that was interrupted between its two renames goes on', async () => {
    await fill(10);
    const { rename } = await import('node:fs/promises');
    await rename(path, `${path}.recovered`);
    await using store = await Store.open(path);
    expect(await textsOf(store)).toHaveLength(10);
    expect(existsSync(`${path}.recovered`)).toBe(false);
  });

  it('knows whether it was closed', async () => {
    await fill(1);
    await using store = await Store.open(path);
    expect(store.opened).toMatchObject({ wasOpen: false, recovered: null, replaced: null });
    await store[Symbol.asyncDispose]();
    await writeFile(`${path}.open`, '');
    await using again = await Store.open(path);
    expect(again.opened.wasOpen).toBe(true);
    expect(await again.findDamage()).toBeUndefined();
  });
});

describe('backups', () => {
  it('are made while messages come in, and are whole', async () => {
    await fill(2_000);
    await using store = await Store.open(path);
    const backup = join(folder, BACKUP_FOLDER, backupNameAt(Date.now()));
    const [made] = await Promise.all([
      store.backUp(backup),
      ...Array.from({ length: 200 }, (_, index) =>
        store.insertMessage({
          id: `late${index}` as MessageId,
          conversationId,
          direction: 'out',
          wireId: `late${index}`,
          text: 'late',
          sentAtMs: 5,
          storedAtMs: 5,
          state: 'queued',
          displayReportWanted: false,
        }),
      ),
    ]);
    expect(made).toBeUndefined();
    await using copy = await Store.open(backup);
    expect((await textsOf(copy)).length).toBeGreaterThanOrEqual(2_000);
    expect(await copy.findDamage()).toBeUndefined();
    expect(listBackups(join(folder, BACKUP_FOLDER)).map(({ name }) => name)).toHaveLength(1);
  });

  it('say why they cannot be made', async () => {
    await fill(1);
    await writeFile(join(folder, 'file'), '');
    await using store = await Store.open(path);
    await expect(store.backUp(join(folder, 'file', 'backup.sqlite'))).rejects.toMatchObject({
      name: 'StoreError',
    });
  });

  it('one for each of seven days and four weeks stays', () => {
    const day = 86_400_000;
    const now = Date.UTC(2026, 10, 22, 12);
    const backups = Array.from({ length: 60 * 2 }, (_, index) => {
      const madeAtMs = now - index * (day / 2);
      return { name: backupNameAt(madeAtMs), madeAtMs, bytes: 1 };
    });
    const gone = new Set(outdatedBackups(backups, { daily: 7, weekly: 4 }));
    const kept = backups.filter((backup) => !gone.has(backup)).map(({ madeAtMs }) => (now - madeAtMs) / day);
    // 22 November 2026 is a Sunday: of its week the newest is today's, of the weeks before their Sundays'.
    expect(kept).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 14, 21]);
    expect(outdatedBackups(backups, { daily: 0, weekly: 0 })).toHaveLength(backups.length);
  });

  it('the chosen one takes the place of the history at the next start; that is kept', async () => {
    await fill(5);
    await mkdir(join(folder, BACKUP_FOLDER));
    const backup = join(folder, BACKUP_FOLDER, backupNameAt(Date.now()));
    {
      await using store = await Store.open(path);
      await store.backUp(backup);
      await store.call('openConversation', {
        id: 'c-2' as ConversationId,
        accountId: 'a' as AccountId,
        peerAddress: 'ana@example.org',
        peerName: 'Ana',
        standing: 'accepted',
        nowMs: 2,
      });
      await stageRestore(path, backup);
    }
    await using store = await Store.open(path);
    expect(await store.call('selectConversations', null)).toHaveLength(1);
    expect(existsSync(store.opened.replaced ?? '')).toBe(true);
    expect((await readdir(folder)).filter((name) => name.endsWith('.restore'))).toEqual([]);
    await store[Symbol.asyncDispose]();
    await using again = await Store.open(path);
    expect(again.opened.replaced).toBeNull();
  });
});
