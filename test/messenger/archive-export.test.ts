/**
 * A history as one file: written, checked, taken in again; whole, one conversation, or what a search finds.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { exportArchive, unfinishedArchiveIn } from '../../main/messenger/history/archive-export.ts';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { importHistory } from '../../main/messenger/history/import.ts';
import { archiveKeyOf } from '../../main/messenger/history/passphrase.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { Store } from '../../main/store/store.ts';
import type { ConversationId, MessageId, SessionId } from '../../shared/domain/ids.ts';
import { contentOf, openFilledHistory } from '../support/filled-history.ts';

const CLI = join(import.meta.dirname, '../../main/hosts/headless/history.ts');
const PASSPHRASE = 'correct horse Ünïcode';

// Threads and programs are started again and again.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: string;
let path: string;
let store: Store;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-archive-test-'));
  path = join(folder, 'all.parley');
  store = await openFilledHistory(folder);
  await store.call('upsertSession', {
    id: 's' as SessionId,
    conversationId: 'with-tom' as ConversationId,
    direction: 'outgoing',
    state: 'ended',
    mediaPath: 'relay',
    encrypted: true,
    startedMs: 1_700_000_000_000,
    openedMs: 1_700_000_000_100,
    endedMs: 1_700_000_900_000,
    end: { code: 'idle', message: 'Nothing was said.' },
  });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type More = Partial<Parameters<typeof exportArchive>[0]>;

const exported = (more: More = {}) =>
  exportArchive({ store, path, selection: { conversations: null }, program: 'test', now: () => 0, ...more });

const opened = (at = path, key?: Uint8Array) => Store.openArchive(at, { folder, key });

/** Changes an archive as nobody should. */
async function tamper(sql: string): Promise<void> {
  const database = await openDatabase(path, messengerMigrations);
  database.exec(sql);
  database.pragma('journal_mode = DELETE');
  database.close();
}

const problems = async () => (await verifyExport(path)).problems;

describe('an archive', () => {
  it('is one file with everything: list, pages, days, figures, search, files, sessions, as they were', async () => {
    const manifest = await exported();
    expect(manifest.counts).toEqual({ conversations: 3, sessions: 1, messages: 910, files: 1 });
    expect((await readdir(folder)).filter((name) => name.includes('.parley'))).toEqual(['all.parley']);
    await using archive = await opened();
    expect(archive.archive).toEqual({ isArchive: true, copy: null });
    expect(await contentOf(archive)).toEqual(await contentOf(store));
    const conversationId = 'with-ana' as ConversationId;
    for (const input of [
      { conversationId, limit: 50 },
      { conversationId, before: 450, limit: 50 },
    ]) {
      const [page, original] = await Promise.all([
        archive.call('selectMessagePage', input),
        store.call('selectMessagePage', input),
      ]);
      expect(page).toEqual(original);
    }
    const days = { conversationId, fromDay: 0, toDay: 100_000 };
    expect(await archive.call('selectDays', days)).toEqual(await store.call('selectDays', days));
    expect(await archive.call('selectFigures', { conversationId })).toEqual(
      await store.call('selectFigures', { conversationId }),
    );
    for (const text of ['今天', 'number 7', 'from:me "number 8"', 'has:file', 'in:zoe first']) {
      const found = await archive.search({ text, limit: 50 });
      const original = await store.search({ text, limit: 50 });
      expect(found.length).toBeGreaterThan(0);
      expect(found.map(({ message, snippet }) => ({ message, snippet }))).toEqual(
        original.map(({ message, snippet }) => ({ message, snippet })),
      );
    }
    const sessions = { conversationId: 'with-tom' as ConversationId };
    expect(await archive.call('selectSessions', sessions)).toEqual(
      await store.call('selectSessions', sessions),
    );
    // Nothing of the account goes along but its address.
    expect(await archive.call('selectAccounts', null)).toEqual([]);
    const [first] = await archive.call('selectConversations', null);
    expect(first?.accountId).toBe('gone-bob@example.org');
  });

  it('has the chain that its lines would have, and comes back the same, once', async () => {
    await exported();
    expect(await verifyExport(path)).toMatchObject({ problems: [], manifest: { format: 'parley' } });
    await using other = await Store.open(join(folder, 'other.sqlite'));
    const filesFolder = join(folder, 'files');
    const options = { store: other, from: path, filesFolder };
    expect(await importHistory(options)).toEqual({ conversations: 3, messages: 910, added: 910 });
    expect(await contentOf(other)).toEqual(await contentOf(store));
    expect(await importHistory(options)).toEqual({ conversations: 3, messages: 910, added: 0 });
    const [name = ''] = await readdir(filesFolder);
    expect(await readFile(join(filesFolder, name), 'utf8')).toBe('the plan');
    // One conversation has the same lines in a folder and in an archive.
    const conversations = ['with-ana' as ConversationId];
    const one = await exported({ path: join(folder, 'ana.parley'), selection: { conversations } });
    const lines = join(folder, 'lines');
    const same = await exportHistory({
      store,
      folder: lines,
      format: 'jsonl',
      conversations,
      program: 'test',
      now: () => 0,
    });
    expect(one.chain).toBe(same.chain);
    expect(one.counts).toEqual(same.counts);
  });

  it('of some conversations has these only; of a search what was found, newest first still', async () => {
    const two: ConversationId[] = ['with-ana' as ConversationId, 'with-zoe' as ConversationId];
    const manifest = await exported({ selection: { conversations: two } });
    expect(manifest.counts).toEqual({ conversations: 2, sessions: 0, messages: 607, files: 1 });
    expect(await problems()).toEqual([]);
    const found = join(folder, 'found.parley');
    const selection = { search: 'number 12', conversationId: null };
    const searched = await exported({ path: found, selection });
    expect(searched.counts).toMatchObject({ conversations: 3, messages: 33 });
    expect((await verifyExport(found)).problems).toEqual([]);
    await using archive = await opened(found);
    const hits = await archive.search({ text: 'number', limit: 50 });
    const original = await store.search({ text: 'number 12', limit: 50 });
    expect(hits.map(({ message }) => message)).toEqual(original.map(({ message }) => message));
    const within = { search: 'number 12', conversationId: 'with-tom' as ConversationId };
    const tom = await exported({ path: join(folder, 'tom.parley'), selection: within });
    expect(tom.counts).toMatchObject({ conversations: 1, messages: 11 });
  });

  it('of files of several pieces has every byte; one that is not there any more is left out', async () => {
    const bytes = randomBytes(3 * 256 * 1024 + 17);
    await writeFile(join(folder, 'large.bin'), bytes);
    const conversationId = 'with-zoe' as ConversationId;
    const file = {
      transferId: 't',
      name: '../large.png',
      type: 'image/png',
      size: bytes.length,
      sha1: null,
      sha256: null,
      modifiedMs: 5,
      state: 'done' as const,
      accepted: true,
      bytesDone: bytes.length,
      path: join(folder, 'large.bin'),
      partPath: null,
      preview: Buffer.from('small'),
      failure: null,
    };
    const message = {
      conversationId,
      direction: 'in' as const,
      sentAtMs: 5,
      storedAtMs: 5,
      text: 'large.png',
    };
    const more = { state: 'read' as const, displayReportWanted: false };
    await store.insertMessage({ ...message, ...more, wireId: 'large', file });
    const gone = { ...file, path: join(folder, 'gone.bin'), state: 'transferring' as const };
    await store.insertMessage({ ...message, ...more, wireId: 'gone', file: gone });
    const { counts } = await exported();
    expect(counts.files).toBe(2);
    expect(await problems()).toEqual([]);
    await using archive = await opened();
    const shown = await archive.search({ text: 'has:image large', limit: 2 });
    expect(shown.map(({ message: { file: one } }) => [one?.state, one?.available])).toEqual([
      ['cancelled', false],
      ['done', true],
    ]);
    const filesFolder = join(folder, 'files');
    await using other = await Store.open(join(folder, 'other.sqlite'));
    await importHistory({ store: other, from: path, filesFolder });
    const taken = (await readdir(filesFolder)).find((name) => name.includes('large'));
    expect((await readFile(join(filesFolder, taken ?? ''))).equals(bytes)).toBe(true);
  });

  it('that was stopped goes on, and ends as if nothing had been', async () => {
    const whole = await exported({ path: join(folder, 'whole.parley') });
    const stop = new AbortController();
    const stopped = exported({
      signal: stop.signal,
      receiveProgress: () => {
        stop.abort(new Error('stopped by the test'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by the test');
    expect(existsSync(path)).toBe(false);
    await expect(verifyExport(`${path}.part`)).rejects.toThrow('was not written to its end');
    await expect(opened(`${path}.part`)).rejects.toMatchObject({ code: 'STORE_UNFINISHED' });
    expect(await unfinishedArchiveIn(folder, { conversations: null })).toBe(path);
    expect(await unfinishedArchiveIn(folder, { conversations: [] })).toBeUndefined();
    const other = exported({ selection: { conversations: ['with-tom' as ConversationId] } });
    await expect(other).rejects.toThrow('unfinished export of something else');
    // What comes meanwhile is not part of it.
    await store.insertMessage({
      id: 'late' as MessageId,
      conversationId: 'with-tom' as ConversationId,
      direction: 'out',
      wireId: 'late',
      text: 'late',
      sentAtMs: 1,
      storedAtMs: 1,
      state: 'sent',
      displayReportWanted: false,
    });
    const manifest = await exported();
    expect(manifest).toEqual(whole);
    expect(await problems()).toEqual([]);
    expect(existsSync(`${path}.part`)).toBe(false);
    await expect(exported()).rejects.toThrow('is there already');
  });

  it('says what was changed, left out, cut off or damaged in it, and where', async () => {
    await exported();
    const whole = await readFile(path);
    const after = async (sql: string): Promise<string> => {
      await writeFile(path, whole);
      await tamper(sql);
      return (await problems()).join('; ');
    };
    expect(await after("UPDATE messages SET text = 'other' WHERE position = 700")).toBe(
      'messages 501 to 910: changed, or some are missing',
    );
    expect(await after('DELETE FROM messages WHERE position = 30')).toBe(
      'messages 1 to 500: changed, or some are missing; 909 messages instead of 910',
    );
    expect(await after('DELETE FROM messages WHERE position > 500')).toMatch(
      /its end is missing after message 500/,
    );
    expect(await after("UPDATE conversations SET peer_name = 'Eve' WHERE key = 1")).toMatch(
      /^messages 1 to 500/,
    );
    expect(await after("UPDATE archive_pieces SET content = x'00'")).toMatch(
      /^files\/.*plan\.txt: was changed \(1 bytes/,
    );
    expect(await after('DELETE FROM archive_files')).toMatch(/^0 files instead of 1/);
    const torn = Buffer.from(whole);
    const database = await openDatabase(path, messengerMigrations);
    const page = database
      .prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'archive_pieces'")
      .pluck()
      .get();
    database.pragma('journal_mode = DELETE');
    database.close();
    torn.fill(0xa5, (Number(page) - 1) * 8_192, Number(page) * 8_192);
    await writeFile(path, torn);
    expect((await problems()).join()).toMatch(/^the file is damaged/);
    await writeFile(path, whole.subarray(0, whole.length - 50_000));
    await expect(problems()).rejects.toThrow('all.parley is damaged. Get another copy of it.');
    await writeFile(path, whole);
    expect(await problems()).toEqual([]);
  });
});

describe('with a passphrase', () => {
  it('nobody reads it without; with it everything is there', async () => {
    await exported({ passphrase: PASSPHRASE });
    const bytes = await readFile(path);
    expect(bytes.includes('number 77')).toBe(false);
    expect(bytes.includes('the plan')).toBe(false);
    await expect(opened()).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await expect(opened(path, await archiveKeyOf(path, 'wrong'))).rejects.toMatchObject({
      code: 'STORE_WRONG_KEY',
    });
    await expect(verifyExport(path)).rejects.toMatchObject({ kind: 'locked' });
    await expect(verifyExport(path, 'wrong')).rejects.toMatchObject({ kind: 'locked' });
    // The same letters, composed in another way.
    expect((await verifyExport(path, PASSPHRASE.normalize('NFD'))).problems).toEqual([]);
    await using archive = await opened(path, await archiveKeyOf(path, PASSPHRASE));
    expect(await archive.search({ text: '今天', limit: 9 })).toHaveLength(3);
  });

  it('an unfinished one goes on with the same passphrase only', async () => {
    const stop = new AbortController();
    const receiveProgress = () => {
      stop.abort(new Error('stopped'));
    };
    const passphrase = PASSPHRASE;
    await expect(exported({ passphrase, signal: stop.signal, receiveProgress })).rejects.toThrow('stopped');
    await expect(exported({ passphrase: 'other' })).rejects.toThrow('Delete it to begin anew');
    await exported({ passphrase });
    expect((await verifyExport(path, passphrase)).problems).toEqual([]);
  });

  it('two with the same passphrase do not look alike', async () => {
    const second = join(folder, 'second.parley');
    await exported({ passphrase: PASSPHRASE });
    await exported({ passphrase: PASSPHRASE, path: second });
    const [one, other] = await Promise.all([readFile(path), readFile(second)]);
    expect(one.subarray(0, 16).equals(other.subarray(0, 16))).toBe(false);
    expect(one.subarray(8_192, 16_384).equals(other.subarray(8_192, 16_384))).toBe(false);
  });
});

describe('from the command line', () => {
  const run = (args: string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [CLI, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, ...env },
    });

  it('exports, verifies and imports archives, with and without a passphrase', async () => {
    await store[Symbol.asyncDispose]();
    const all = run(['export', path, '--profile', folder]);
    expect([all.status, all.stdout]).toEqual([0, `910 messages of 3 conversations and 1 files in ${path}\n`]);
    const verified = run(['verify', path]);
    expect([verified.status, verified.stdout]).toEqual([
      0,
      'complete and as it was written: 910 messages, 3 conversations, 1 files\n',
    ]);
    const imported = run(['import', path, '--profile', join(folder, 'fresh')]);
    expect(imported.stdout).toBe('910 messages of 3 conversations, 910 of them new.\n');
    const secret = { PARLEY_ARCHIVE_PASSPHRASE: PASSPHRASE };
    const locked = join(folder, 'tom.parley');
    const args = ['export', locked, '--with', 'tom@example.org', '--encrypt', '--profile', folder];
    expect(run(args).stderr).toContain('set PARLEY_ARCHIVE_PASSPHRASE');
    expect(run(args, secret).stdout).toContain('303 messages of 1 conversations');
    const refused = run(['verify', locked]);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      'tom.parley is encrypted, and its key was not given.\n',
    ]);
    expect(run(['verify', locked], secret).status).toBe(0);
    const again = run(['import', locked, '--profile', join(folder, 'fresh')], secret);
    expect(again.stdout).toBe('303 messages of 1 conversations, 0 of them new.\n');
    const misnamed = run(['export', join(folder, 'x'), '--format', 'parley', '--profile', folder]);
    expect([misnamed.status, misnamed.stderr]).toEqual([
      2,
      `The name of an archive ends with .parley: ${join(folder, 'x')}.parley\n`,
    ]);
    const key = await openHistoryKey(folder, filePermissionSecrets);
    store = await Store.open(join(folder, 'history.sqlite'), { key });
  });
});
