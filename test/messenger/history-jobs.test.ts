/** Exports and imports as the window asks for them. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../main/base/log.ts';
import { ChosenFiles } from '../../main/messenger/chosen-files.ts';
import { Feed } from '../../main/messenger/feed.ts';
import { HistoryJobs } from '../../main/messenger/history-jobs.ts';
import { noFileDesktop } from '../../main/messenger/transfer-commands.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import type { HistoryJob } from '../../shared/domain/history.ts';
import type { AccountId, ConversationId } from '../../shared/domain/ids.ts';
import { StoreFixture } from '../store/fixture.ts';

let fixture: StoreFixture;
let profile: string;
let jobs: HistoryJobs;
let chosen: ChosenFiles;
let feed: Feed;
/** What the user chooses when he is asked. */
let choice: string | undefined;
const withTom = 'with-tom' as ConversationId;

beforeEach(async () => {
  fixture = await StoreFixture.open();
  profile = await mkdtemp(join(tmpdir(), 'parley-jobs-'));
  await addAccount(fixture);
  for (const peer of ['tom', 'ana', 'zoe']) {
    const id = await fixture.conversation(`with-${peer}`, peer);
    for (let nth = 0; nth < 20; nth += 1) await fixture.incoming(id, `${peer} ${nth}`, `${peer}-${nth}`);
  }
  chosen = new ChosenFiles();
  feed = new Feed();
  jobs = create(false);
});

afterEach(async () => {
  await jobs[Symbol.asyncDispose]();
  await fixture[Symbol.asyncDispose]();
  await rm(profile, { recursive: true, force: true });
});

async function addAccount({ store }: StoreFixture): Promise<void> {
  await store.call('insertAccount', {
    id: 'account' as AccountId,
    address: 'bob@example.org',
    displayName: 'Bob',
    server: '',
    kind: 'server',
    secret: Buffer.from('x'),
    secretBackend: 'file-permissions',
    transport: 'auto',
    proxies: [],
    createdMs: 1,
  });
}

function create(hasDesktop: boolean): HistoryJobs {
  return new HistoryJobs({
    store: fixture.store,
    feed,
    chosen,
    log: silentLog,
    profile,
    program: 'Parley 0',
    ...(hasDesktop ? { desktop: { ...noFileDesktop, chooseFolder: () => Promise.resolve(choice) } } : {}),
  });
}

/** Resolves when what runs has ended, with every state that the window was told. */
async function ended(begin: () => Promise<unknown>): Promise<HistoryJob[]> {
  const told: HistoryJob[] = [];
  const end = Promise.withResolvers<HistoryJob[]>();
  const release = feed.subscribe((event) => {
    if (event.event !== 'job.changed' || event.data.job === null) return;
    told.push(event.data.job);
    if (event.data.job.state !== 'running') end.resolve(told);
  });
  try {
    await begin();
    return await end.promise;
  } finally {
    release();
  }
}

/** As a window in a browser does it: file by file, each under an id. */
async function stageFolder(folder: string): Promise<void> {
  for (const [place, path] of ['manifest.json', 'messages.jsonl'].entries()) {
    const copy = join(profile, `handed-in-${place}`);
    await cp(join(folder, path), copy);
    const fileId = chosen.add({ path: copy, name: path, type: '' });
    await jobs.stage({ fileId, path, first: place === 0 });
  }
}

it('everything goes into a folder of its own, and another store takes it in once', async () => {
  const told = await ended(() => jobs.export({ format: 'jsonl' }));
  const done = told.at(-1);
  expect(done).toMatchObject({ state: 'done', conversations: 3, messages: 60, total: 60, failure: null });
  const folder = done?.folder ?? '';
  expect(folder.startsWith(join(profile, 'exports', 'Parley '))).toBe(true);
  expect((await verifyExport(folder)).problems).toEqual([]);

  await stageFolder(folder);
  expect((await ended(() => jobs.import(true))).at(-1)).toMatchObject({
    state: 'done',
    messages: 60,
    added: 0,
  });
  await using other = await StoreFixture.open();
  await jobs[Symbol.asyncDispose]();
  const before = fixture;
  fixture = other;
  jobs = create(false);
  await stageFolder(folder);
  expect((await ended(() => jobs.import(true))).at(-1)).toMatchObject({
    messages: 60,
    added: 60,
    conversations: 3,
  });
  fixture = before;
  expect(await readdir(join(profile, 'imports'))).toEqual([]);
});

it('one conversation has its name on its folder; a second export of the same minute does not write into it', async () => {
  const one = await ended(() => jobs.export({ format: 'text', conversationId: withTom }));
  expect(one.at(-1)).toMatchObject({ state: 'done', conversations: 1, messages: 20 });
  expect(basename(one.at(-1)?.folder ?? '')).toMatch(/^Parley tom \d{4}-\d\d-\d\d \d{4}$/);
  const two = await ended(() => jobs.export({ format: 'text', conversationId: withTom }));
  expect(two.at(-1)?.folder).not.toBe(one.at(-1)?.folder);
  await expect(
    jobs.export({ format: 'text', conversationId: 'gone' as ConversationId }),
  ).rejects.toMatchObject({ code: 'not-found' });
});

it('an export is stopped, nothing else runs beside it, and it goes on to the end', async () => {
  const stopped = await ended(async () => {
    await jobs.export({ format: 'jsonl' });
    await expect(jobs.export({ format: 'html' })).rejects.toMatchObject({ code: 'too-many' });
    await expect(jobs.import(true)).rejects.toMatchObject({ code: 'too-many' });
    await jobs.stop();
  });
  expect(stopped.at(-1)).toMatchObject({ state: 'stopped', failure: null });
  const done = await ended(() => Promise.resolve(jobs.resume()));
  expect(done.at(-1)).toMatchObject({ state: 'done', messages: 60, folder: stopped.at(-1)?.folder });
  expect((await verifyExport(done.at(-1)?.folder ?? '')).problems).toEqual([]);
  jobs.dismiss();
  expect(jobs.current).toBeNull();
});

it('what a search finds is exported with its conversations, as lines that can be checked and taken in, or as a page', async () => {
  const found = (await ended(() => jobs.export({ format: 'jsonl', search: '7' }))).at(-1);
  expect(found).toMatchObject({ state: 'done', conversations: 3, messages: 3 });
  const { manifest, problems } = await verifyExport(found?.folder ?? '');
  expect([problems, manifest.counts.messages]).toEqual([[], 3]);
  await stageFolder(found?.folder ?? '');
  expect((await ended(() => jobs.import(true))).at(-1)).toMatchObject({ messages: 3, added: 0 });
  const one = await ended(() => jobs.export({ format: 'html', search: 'tom', conversationId: withTom }));
  expect(one.at(-1)).toMatchObject({ state: 'done', conversations: 1, messages: 20 });
  const page = await readFile(join(one.at(-1)?.folder ?? '', '0001 tom.html'), 'utf8');
  expect(page.match(/class="m in"/g)).toHaveLength(20);
  expect(page.indexOf('tom 0<')).toBeLessThan(page.indexOf('tom 19<'));
});

it('all that a search finds is exported, and what was stopped goes on when its folder is chosen again', async () => {
  const messages = Array.from({ length: 1_500 }, (_, nth) => ({
    conversationId: withTom,
    direction: 'in' as const,
    wireId: `many-${nth}`,
    text: `harbour ${nth}`,
    sentAtMs: nth,
    storedAtMs: nth,
    state: 'read' as const,
    displayReportWanted: false,
  }));
  await fixture.store.call('importMessages', messages);
  const stopped = await ended(async () => {
    await jobs.export({ format: 'jsonl', search: 'harbour' });
    await jobs.stop();
  });
  expect(stopped.at(-1)).toMatchObject({ state: 'stopped' });
  const place = stopped.at(-1)?.folder ?? '';
  await jobs[Symbol.asyncDispose]();
  jobs = create(true);
  choice = place;
  const done = (await ended(() => jobs.export({ format: 'jsonl', search: 'harbour' }))).at(-1);
  expect(done).toMatchObject({ state: 'done', folder: place, conversations: 1, messages: 1_500 });
  const { manifest, problems } = await verifyExport(place);
  expect([problems, manifest.counts.messages]).toEqual([[], 1_500]);
  choice = profile;
  const archive = (await ended(() => jobs.export({ format: 'parley', search: 'harbour' }))).at(-1);
  expect(archive).toMatchObject({ state: 'done', conversations: 1, messages: 1_500 });
});

it('with a desktop the user is asked where, and may change his mind', async () => {
  jobs = create(true);
  choice = undefined;
  expect(await jobs.export({ format: 'html' })).toBeNull();
  expect(await jobs.import(false)).toBeNull();
  choice = profile;
  const done = await ended(() => jobs.export({ format: 'html' }));
  expect(await readdir(done.at(-1)?.folder ?? '')).toContain('index.html');
  // A chosen file is the user's own there: it is never moved.
  const own = join(profile, 'own.txt');
  await writeFile(own, 'mine');
  const fileId = chosen.add({ path: own, name: 'own.txt', type: '' });
  await expect(jobs.stage({ fileId, path: 'manifest.json', first: true })).rejects.toMatchObject({
    code: 'not-allowed',
  });
  expect(await readFile(own, 'utf8')).toBe('mine');
});

it('says what is wrong with a folder', async () => {
  jobs = create(true);
  choice = profile;
  const noExport = await ended(() => jobs.import(false));
  expect(noExport.at(-1)).toMatchObject({ state: 'failed', failure: { code: 'not-an-export' } });
  choice = join(profile, 'a-file');
  await writeFile(choice, '');
  const noFolder = await ended(() => jobs.export({ format: 'html' }));
  expect(noFolder.at(-1)).toMatchObject({ state: 'failed', failure: { code: 'not-written' } });
});

it('keeps nothing where no export has anything', async () => {
  const elsewhere = [
    '../../history.sqlite',
    '/etc/passwd',
    'files/../../x',
    'files/a/b',
    'files/',
    'other.json',
  ];
  for (const path of [...elsewhere, 'files/..']) {
    const copy = join(profile, 'handed-in');
    await writeFile(copy, 'bytes');
    const fileId = chosen.add({ path: copy, name: 'x', type: '' });
    await jobs.stage({ fileId, path, first: true });
    expect(await readdir(profile), path).toEqual([]);
    await expect(jobs.stage({ fileId, path, first: false })).rejects.toMatchObject({ code: 'not-found' });
  }
});

/** As a window in a browser does it with an archive. */
async function stageArchive(path: string): Promise<void> {
  const copy = join(profile, 'handed-in.parley');
  await cp(path, copy);
  await jobs.stage({
    fileId: chosen.add({ path: copy, name: basename(path), type: '' }),
    path: 'archive.parley',
    first: true,
  });
}

it('everything, one conversation or what was found becomes an archive of one file, and is taken in', async () => {
  const all = (await ended(() => jobs.export({ format: 'parley' }))).at(-1);
  expect(all).toMatchObject({ state: 'done', conversations: 3, messages: 60, total: 60 });
  expect(basename(all?.folder ?? '')).toMatch(/^Parley \d{4}-\d\d-\d\d \d{4}\.parley$/);
  expect((await verifyExport(all?.folder ?? '')).problems).toEqual([]);
  const one = (await ended(() => jobs.export({ format: 'parley', conversationId: withTom }))).at(-1);
  expect(one).toMatchObject({ conversations: 1, messages: 20 });
  expect(basename(one?.folder ?? '')).toMatch(/^Parley tom .*\.parley$/);
  const found = (await ended(() => jobs.export({ format: 'parley', search: 'zoe' }))).at(-1);
  expect(found).toMatchObject({ conversations: 1, messages: 20 });
  await stageArchive(all?.folder ?? '');
  expect((await ended(() => jobs.import(true))).at(-1)).toMatchObject({ messages: 60, added: 0 });
});

it('an archive with a passphrase is taken in as soon as somebody knows it', async () => {
  const locked = (await ended(() => jobs.export({ format: 'parley', passphrase: 'open sesame' }))).at(-1);
  await stageArchive(locked?.folder ?? '');
  const asked = (await ended(() => jobs.import(true))).at(-1);
  expect(asked).toMatchObject({ state: 'failed', failure: { code: 'locked' } });
  const wrong = (await ended(() => Promise.resolve(jobs.resume('open barley')))).at(-1);
  expect(wrong).toMatchObject({ state: 'failed', failure: { code: 'locked' } });
  const right = (await ended(() => Promise.resolve(jobs.resume('open sesame')))).at(-1);
  expect(right).toMatchObject({ state: 'done', messages: 60, added: 0 });
  expect(await readdir(join(profile, 'imports'))).toEqual([]);
});

it('an archive that was stopped goes on, here or when its folder is chosen again', async () => {
  const stopped = await ended(async () => {
    await jobs.export({ format: 'parley' });
    await jobs.stop();
  });
  const place = stopped.at(-1)?.folder ?? '';
  expect(stopped.at(-1)).toMatchObject({ state: 'stopped' });
  await jobs[Symbol.asyncDispose]();
  choice = join(profile, 'exports');
  jobs = create(true);
  const done = (await ended(() => jobs.export({ format: 'parley' }))).at(-1);
  expect(done).toMatchObject({ state: 'done', messages: 60 });
  if ((await readdir(choice)).length === 1) expect(done?.folder).toBe(place);
  expect((await verifyExport(done?.folder ?? '')).problems).toEqual([]);
});
