/**
 * A window that only reads, as its host serves it: archives and copied profiles. Not a byte of them changes.
 */
import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { plainLook, ReadingApp } from '../../main/hosts/reading.ts';
import { exportArchive } from '../../main/messenger/history/archive-export.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { openDatabase } from '../../main/store/database.ts';
import { messengerMigrations } from '../../main/store/migrations/messenger.ts';
import { callInputs, type CallInput, type CallName, type CallOutput } from '../../shared/ipc/contract.ts';
import { readingCalls } from '../../shared/ipc/reading-calls.ts';
import type { ConversationId, MessageId } from '../../shared/domain/ids.ts';
import { openFilledHistory } from '../support/filled-history.ts';
import { eventually } from '../support/eventually.ts';

const PASSPHRASE = 'correct horse Ünïcode';
const TOM = 'with-tom' as ConversationId;

// Threads are started again and again, and passphrases take their time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let folder: string;
/** Where what is read lies, and nothing else. */
let place: string;
let archive: string;
let windows: Window[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-reader-'));
  place = join(folder, 'place #1?');
  archive = join(place, 'all.parley');
  windows = [];
  await mkdir(place);
});

afterEach(async () => {
  for (const window of windows) await window.close();
  await chmod(place, 0o700);
  await rm(folder, { recursive: true, force: true });
});

/** What a window would call and hear. */
class Window {
  readonly app: ReadingApp;
  readonly events: string[] = [];

  constructor(path: string) {
    this.app = new ReadingApp({
      path,
      host: 'browser',
      secrets: filePermissionSecrets,
      log: silentLog,
      profile: join(folder, 'profile'),
      look: () => plainLook,
    });
    this.app.api.subscribe(({ event }) => this.events.push(event));
    windows.push(this);
  }

  async call<Name extends CallName>(call: Name, input: CallInput<Name>): Promise<CallOutput<Name>> {
    const answer = await this.app.api.receiveCall({ id: 1, call, input });
    if (!answer.ok) throw Object.assign(new Error(answer.message), { code: answer.code });
    return answer.value as CallOutput<Name>;
  }

  async becomes(state: string) {
    await eventually(async () => expect((await this.call('opening.status', {})).state).toBe(state));
    return this.call('opening.status', {});
  }

  async checked() {
    await eventually(async () => {
      expect((await this.call('reading.status', {}))?.check.state).not.toBe('checking');
    });
    return (await this.call('reading.status', {}))?.check;
  }

  async close(): Promise<void> {
    await this.app[Symbol.asyncDispose]();
  }
}

async function opened(path: string): Promise<Window> {
  const window = new Window(path);
  await window.becomes('open');
  return window;
}

/** `flood`: as many messages of Tom at once, behind all others. */
async function writeArchive(passphrase?: string, flood = 0): Promise<void> {
  await using store = await openFilledHistory(folder);
  await Promise.all(
    Array.from({ length: flood }, (_, nth) =>
      store.insertMessage({
        conversationId: TOM,
        direction: 'in',
        wireId: `spam-${nth}`,
        text: `spam ${nth}`,
        sentAtMs: 1_900_000_000_000 + nth,
        storedAtMs: 1_900_000_000_000 + nth,
        state: 'read',
        displayReportWanted: false,
      }),
    ),
  );
  await exportArchive({
    store,
    path: archive,
    passphrase,
    selection: { conversations: null },
    program: 'Parley test',
    now: () => Date.UTC(2026, 0, 31),
  });
}

/** A profile that has been copied: its history with its key, and the files that it has received. */
async function writeProfile(): Promise<string> {
  const profile = join(place, 'old profile');
  await mkdir(join(profile, 'files'), { recursive: true });
  const key = await openHistoryKey(profile, filePermissionSecrets);
  await using store = await openFilledHistory(folder, key);
  await store.call('markRead', { conversationId: TOM, position: 1 });
  for (const end of ['', '-wal']) {
    await copyFile(join(folder, `history.sqlite${end}`), join(profile, `history.sqlite${end}`));
  }
  await writeFile(join(profile, 'files', 'plan.txt'), 'the plan, copied');
  return profile;
}

/** Names, bytes and times of everything where it lies; long ago, so that whatever touches it changes them. */
async function stateOf(): Promise<string[]> {
  const names = ['.', ...(await readdir(place, { recursive: true })).sort()];
  return Promise.all(
    names.map(async (name) => {
      const path = join(place, name);
      const { mtimeMs } = await stat(path);
      const bytes = (await stat(path)).isFile() ? await readFile(path) : '';
      return `${name} ${mtimeMs} ${createHash('sha256').update(bytes).digest('hex')}`;
    }),
  );
}

async function settle(): Promise<string[]> {
  for (const name of await readdir(place, { recursive: true })) await utimes(join(place, name), 1e9, 1e9);
  await utimes(place, 1e9, 1e9);
  return stateOf();
}

async function usedByItsWindow(window: Window, messages = 303): Promise<void> {
  const list = await window.call('conversation.list', {});
  expect(list.map(({ peerName }) => peerName).sort()).toEqual(['../Tom <b>', 'ana', 'zoe']);
  const page = await window.call('message.list', { conversationId: TOM, limit: 200 });
  expect(page).toMatchObject({ hasBefore: true, hasAfter: false });
  expect(page.messages).toHaveLength(200);
  expect((await window.call('search.query', { text: '今天' })).hits).toHaveLength(3);
  const figures = await window.call('browse.figures', { conversationId: TOM });
  expect(figures.incoming + figures.outgoing).toBe(messages);
  expect(
    await window.call('browse.days', { conversationId: TOM, fromDay: 19_600, toDay: 19_700 }),
  ).toHaveLength(1);
  const [message] = page.messages;
  const details = await window.call('message.details', { messageId: message?.id ?? '' });
  expect(details.wireId).toMatch(/^tom-/);
  expect(await window.call('account.list', {})).toEqual([]);
  expect(await window.call('settings.get', {})).toEqual(plainLook.settings);
}

describe('an archive', () => {
  it('is listed, paged, searched and counted, and whole; nothing of it is touched, on a folder that cannot be written', async () => {
    await writeArchive();
    const before = await settle();
    await chmod(place, 0o500);
    const window = await opened(archive);
    await usedByItsWindow(window);
    expect(await window.checked()).toMatchObject({ state: 'whole', problems: [] });
    expect(await window.call('reading.status', {})).toMatchObject({
      name: 'all.parley',
      kind: 'archive',
      madeAtMs: Date.UTC(2026, 0, 31),
      program: 'Parley test',
      messages: 910,
      conversations: 3,
    });
    expect(await stateOf()).toEqual(before);
    await window.close();
    expect(await stateOf()).toEqual(before);
  });

  it('refuses every call that changes something, at the border', async () => {
    await writeArchive();
    const window = await opened(archive);
    const valid: Partial<Record<CallName, object>> = {
      'conversation.markRead': { conversationId: TOM, position: 5 },
      'message.send': { conversationId: TOM, text: 'hello' },
      'message.delete': { conversationId: TOM, ids: ['tom-1'] },
      'conversation.clear': { conversationId: TOM },
      'draft.set': { conversationId: TOM, text: 'x' },
      'settings.set': { key: 'appearance.language', value: 'de' },
      'job.import': { staged: false },
      'demo.start': {},
      'history.backUp': {},
      'session.start': { conversationId: TOM },
    };
    for (const [call, input] of Object.entries(valid)) {
      const answer = await window.app.api.receiveCall({ id: 1, call, input });
      expect(answer, call).toMatchObject({ ok: false, code: 'read-only' });
    }
    // The others are refused before or after their input is looked at.
    const writing = Object.keys(callInputs).filter((call) => !readingCalls.includes(call as never));
    for (const call of writing) {
      const answer = await window.app.api.receiveCall({ id: 1, call, input: {} });
      expect(answer.ok, call).toBe(false);
    }
  });

  it('gives out the files inside it, and nothing that is not', async () => {
    await writeArchive();
    const window = await opened(archive);
    const { messages } = await window.call('browse.withTrait', {
      conversationId: 'with-ana',
      trait: 'file',
    });
    const [message] = messages;
    if (message === undefined) throw new Error('no file');
    const file = await window.app.files.fileOf(message.id);
    expect(file).toMatchObject({ name: 'plan.txt', size: 8 });
    expect(await text(file!.bytes())).toBe('the plan');
    await expect(window.app.files.fileOf('tom-1' as MessageId)).rejects.toMatchObject({ code: 'not-found' });
  });

  it('has its floods collapsed as well, and opens them', async () => {
    await writeArchive(undefined, 200);
    const window = await opened(archive);
    const spam = async (floods: CallInput<'message.list'>['floods']) => {
      const page = await window.call('message.list', { conversationId: TOM, limit: 40, floods });
      return { ...page, spam: page.messages.filter(({ text: said }) => said.startsWith('spam')).length };
    };
    const page = await spam([]);
    expect([page.spam, page.messages.at(-1)?.text, page.hasAfter]).toEqual([5, 'spam 4', false]);
    expect(page.floods).toMatchObject([{ count: 200, open: false }]);
    const all = await spam(page.floods.map((flood) => ({ ...flood, open: true })));
    expect([all.spam, all.messages.at(-1)?.text]).toEqual([40, 'spam 199']);
  });

  it('is exported from: pages with the files, and an archive of one conversation', async () => {
    await writeArchive();
    const before = await settle();
    const window = await opened(archive);
    for (const wish of [
      { format: 'html' } as const,
      { format: 'parley', conversationId: TOM } as const,
      { format: 'jsonl', search: 'number' } as const,
    ]) {
      await window.call('job.export', wish);
      await eventually(async () => expect((await window.call('job.current', {}))?.state).toBe('done'));
    }
    const exports = join(folder, 'profile', 'exports');
    const names = await readdir(exports, { recursive: true });
    expect(names.some((name) => name.endsWith('plan.txt'))).toBe(true);
    const made = names.find((name) => name.endsWith('.parley'));
    const second = await opened(join(exports, made ?? ''));
    expect(await second.call('conversation.list', {})).toHaveLength(1);
    expect(await second.checked()).toMatchObject({ state: 'whole' });
    expect(await stateOf()).toEqual(before);
  });

  it('asks for its passphrase; a wrong one says so, and those who guess wait', async () => {
    await writeArchive(PASSPHRASE);
    const before = await settle();
    const window = new Window(archive);
    expect(await window.becomes('locked')).toMatchObject({
      what: 'archive',
      name: 'all.parley',
      failures: 0,
    });
    await expect(window.call('conversation.list', {})).rejects.toMatchObject({ code: 'not-open' });
    for (const wrong of ['no', 'neither', 'nor this']) {
      await expect(window.call('opening.unlock', { passphrase: wrong })).rejects.toMatchObject({
        code: 'wrong-password',
      });
    }
    const status = await window.becomes('locked');
    if (status.state !== 'locked') throw new Error('open');
    expect(status.failures).toBe(3);
    expect(status.againAtMs).toBeGreaterThan(Date.now());
    await expect(window.call('opening.unlock', { passphrase: PASSPHRASE })).rejects.toMatchObject({
      code: 'too-many',
    });
    // Another window begins anew.
    const other = new Window(archive);
    await other.becomes('locked');
    await other.call('opening.unlock', { passphrase: PASSPHRASE });
    await other.becomes('open');
    await usedByItsWindow(other);
    expect(await other.checked()).toMatchObject({ state: 'whole' });
    await expect(other.call('opening.unlock', { passphrase: PASSPHRASE })).rejects.toMatchObject({
      code: 'not-allowed',
    });
    expect(await stateOf()).toEqual(before);
  });

  it('of which something was changed is shown, and said to be not what was written', async () => {
    await writeArchive();
    const database = await openDatabase(archive, messengerMigrations);
    database.exec("UPDATE messages SET text = 'never said' WHERE position = 7");
    database.pragma('journal_mode = DELETE');
    database.close();
    const window = await opened(archive);
    await usedByItsWindow(window);
    const check = await window.checked();
    expect(check?.state).toBe('broken');
    expect(check?.problems.join()).toMatch(/changed, or some are missing/);
    expect(window.events).toContain('reading.changed');
  });

  it('that cannot be opened says why: not there, none, unfinished, newer, damaged', async () => {
    await writeArchive();
    const failure = async (path: string) => {
      const status = await new Window(path).becomes('failed');
      return status.state === 'failed' ? status.code : status.state;
    };
    expect(await failure(join(place, 'gone.parley'))).toBe('not-a-history');
    const text = join(place, 'text.parley');
    await writeFile(text, 'This is no database at all, but a text that is long enough.'.repeat(10));
    expect(await failure(text)).toBe('not-a-history');
    const change = async (name: string, sql: string) => {
      const path = join(place, name);
      await copyFile(archive, path);
      const database = await openDatabase(path, messengerMigrations);
      database.exec(sql);
      database.pragma('journal_mode = DELETE');
      database.close();
      return failure(path);
    };
    expect(await change('unfinished.parley', 'UPDATE archive SET manifest = NULL')).toBe('unfinished');
    expect(await change('newer.parley', 'PRAGMA user_version = 9999')).toBe('too-new');
    const damaged = join(place, 'damaged.parley');
    const bytes = await readFile(archive);
    bytes.fill(0x55, 100, 8_192);
    await writeFile(damaged, bytes);
    expect(await failure(damaged)).toBe('damaged');
    const empty = join(place, 'folder');
    await mkdir(empty);
    expect(await failure(empty)).toBe('not-a-history');
  });
});

describe('a copied profile', () => {
  it('is read with the key beside it and the newest messages of its log, and stays as it is', async () => {
    const profile = await writeProfile();
    const before = await settle();
    const window = await opened(profile);
    await usedByItsWindow(window);
    expect(await window.call('reading.status', {})).toMatchObject({
      name: 'old profile',
      kind: 'history',
      madeAtMs: null,
      messages: 910,
    });
    expect(await window.checked()).toMatchObject({ state: 'sound' });
    const file = await window.app.files.fileOf('file' as MessageId);
    expect(await text(file!.bytes())).toBe('the plan, copied');
    await window.close();
    expect(await stateOf()).toEqual(before);
    const byItsFile = await opened(join(profile, 'history.sqlite'));
    await usedByItsWindow(byItsFile);
  });

  it('without its key says what is missing', async () => {
    const profile = await writeProfile();
    await rm(join(profile, 'history.key'));
    const status = await new Window(profile).becomes('failed');
    expect(status).toMatchObject({ code: 'locked' });
    expect((status as { message: string }).message).toMatch(/its key does not lie beside it/);
  });
});
