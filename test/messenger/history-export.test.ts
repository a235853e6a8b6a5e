/**
 * A history as files: written, checked, taken in again.
 */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportHistory } from '../../main/messenger/history/export.ts';
import { openHistoryKey } from '../../main/messenger/history/history-key.ts';
import { importHistory } from '../../main/messenger/history/import.ts';
import { verifyExport } from '../../main/messenger/history/verify.ts';
import { filePermissionSecrets } from '../../main/messenger/secrets.ts';
import { Store } from '../../main/store/store.ts';
import { contentOf, openFilledHistory } from '../support/filled-history.ts';

const CLI = join(import.meta.dirname, '../../main/hosts/headless/history.ts');

let folder: string;
let out: string;
let store: Store;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-export-'));
  out = join(folder, 'export');
  store = await openFilledHistory(folder);
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const exported = (format: 'jsonl' | 'html' | 'text' = 'jsonl', more = {}) =>
  exportHistory({ store, folder: out, format, program: 'test', now: () => 0, ...more });

describe('JSON Lines', () => {
  it('hold everything, and come back the same, once', async () => {
    const manifest = await exported();
    expect(manifest.counts).toEqual({ conversations: 3, sessions: 0, messages: 910, files: 1 });
    expect(await verifyExport(out)).toMatchObject({ problems: [] });
    const path = join(folder, 'other', 'history.sqlite');
    await using other = await Store.open(join(folder, 'other.sqlite'));
    const options = { store: other, from: out, filesFolder: join(folder, 'other', 'files') };
    expect(await importHistory(options)).toEqual({ conversations: 3, messages: 910, added: 910 });
    expect(await contentOf(other)).toEqual(await contentOf(store));
    const [, second] = (await contentOf(other))['tom@example.org'] ?? [];
    const times = ['delivered', 'displayed'].map((state) => expect.objectContaining({ state }) as unknown);
    expect(second).toContainEqual(times);
    const [copy = ''] = await readdir(options.filesFolder);
    const { ino } = await stat(join(options.filesFolder, copy));
    expect(await importHistory(options)).toEqual({ conversations: 3, messages: 910, added: 0 });
    // Its file is there as well: the same one.
    expect(await readdir(options.filesFolder)).toEqual([copy]);
    expect((await stat(join(options.filesFolder, copy))).ino).toBe(ino);
    await writeFile(join(options.filesFolder, copy), 'the pla');
    await importHistory(options);
    expect(await readFile(join(options.filesFolder, copy), 'utf8')).toBe('the plan');
    const found = await other.search({ text: '今天', limit: 9 });
    expect(found).toHaveLength(3);
    const file = await other.search({ text: 'has:file plan', limit: 9 });
    expect(file.map(({ message }) => message.file)).toMatchObject([{ state: 'done', available: true }]);
    expect(path).toBeTruthy();
  });

  it('a line that is changed, left out or cut off is noticed, and where', async () => {
    await exported();
    const path = join(out, 'messages.jsonl');
    const whole = await readFile(path, 'utf8');
    const lines = whole.split('\n');
    const problemsOf = async (text: string) => {
      await writeFile(path, text);
      return (await verifyExport(out)).problems.join('; ');
    };
    expect(await problemsOf(whole.replace('number 7"', 'number 8"'))).toMatch(
      /messages\.jsonl, line \d+: was changed/,
    );
    expect(await problemsOf(lines.toSpliced(5, 1).join('\n'))).toMatch(
      /line 6: was changed, or one before it/,
    );
    expect(await problemsOf(`${lines.slice(0, 50).join('\n')}\n`)).toMatch(/end is missing after line 50/);
    expect(await problemsOf(whole)).toBe('');
    await writeFile(join(out, 'files', (await readdir(join(out, 'files')))[0] ?? ''), 'another plan');
    expect((await verifyExport(out)).problems).toEqual([
      expect.stringMatching(/^files\/.*plan\.txt: was changed/),
    ]);
  });

  it('an export that was stopped goes on, and ends as if nothing had been', async () => {
    await exported();
    const whole = await readFile(join(out, 'messages.jsonl'), 'utf8');
    await rm(out, { recursive: true });
    const stop = new AbortController();
    const stopped = exported('jsonl', {
      signal: stop.signal,
      receiveProgress: () => {
        stop.abort(new Error('stopped by the test'));
      },
    });
    await expect(stopped).rejects.toThrow('stopped by the test');
    await expect(verifyExport(out)).rejects.toThrow('Is the export finished?');
    // What was begun and not finished is written anew.
    await writeFile(join(out, 'messages.jsonl'), 'half a li', { flag: 'a' });
    await exported();
    expect(await readFile(join(out, 'messages.jsonl'), 'utf8')).toBe(whole);
    expect(await verifyExport(out)).toMatchObject({ problems: [] });
  });

  it('only the conversations that are named', async () => {
    const manifest = await exported('jsonl', { conversations: ['with-ana'] });
    expect(manifest.counts).toMatchObject({ conversations: 1, messages: 304 });
  });

  it('of others lead nowhere outside', async () => {
    await exported();
    const path = join(out, 'manifest.json');
    const manifest = JSON.parse(await readFile(path, 'utf8')) as { files: { path: string }[] };
    for (const file of manifest.files) if (file.path.startsWith('files/')) file.path = '../plan.txt';
    await writeFile(path, JSON.stringify(manifest));
    expect((await verifyExport(out)).problems).toContain('../plan.txt: lies outside of the export');
  });
});

describe('pages and texts', () => {
  it('pages show text as text, link to files, and ask nothing of the network', async () => {
    await exported('html');
    const names = await readdir(out);
    expect(names).toContain('index.html');
    const tom = names.find((name) => name.includes('Tom')) ?? '';
    expect(tom).not.toMatch(/[/\\<>]/);
    const page = await readFile(join(out, tom), 'utf8');
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot;');
    expect(page).not.toContain('<script>alert');
    expect(page).toContain("default-src 'none'");
    const ana = await readFile(join(out, names.find((name) => name.endsWith('ana.html')) ?? ''), 'utf8');
    expect(ana).toMatch(/<a href="files\/\d+-plan\.txt">plan\.txt<\/a>/);
    expect(await verifyExport(out)).toMatchObject({ problems: [] });
  });

  it('texts have a line for each message, further lines indented', async () => {
    await exported('text');
    const name = (await readdir(out)).find((each) => each.endsWith('zoe.txt')) ?? '';
    const text = await readFile(join(out, name), 'utf8');
    expect(text).toContain('2023-11-14 22:13 zoe: first\n');
    expect(text).toContain('bob@example.org: <script>alert(1)</script> & "quotes"\n    second line');
  });
});

describe('from the command line', () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', timeout: 60_000 });

  it('exports, verifies and imports; says what is wrong', async () => {
    await store[Symbol.asyncDispose]();
    const all = run('export', out, '--profile', folder);
    expect([all.status, all.stdout]).toEqual([0, `910 messages of 3 conversations and 1 files in ${out}\n`]);
    const verified = run('verify', out);
    expect([verified.status, verified.stdout]).toEqual([
      0,
      'complete and as it was written: 910 messages, 3 conversations, 1 files\n',
    ]);
    const imported = run('import', out, '--profile', join(folder, 'fresh'));
    expect(imported.stderr).toBe('');
    expect(imported.stdout).toBe('910 messages of 3 conversations, 910 of them new.\n');
    await writeFile(join(out, 'messages.jsonl'), '{}\n');
    expect(run('verify', out).status).toBe(1);
    const unknown = run('export', join(folder, 'x'), '--profile', folder, '--with', 'nobody@example.org');
    expect([unknown.status, unknown.stderr]).toEqual([
      2,
      '--with nobody@example.org: there is no conversation with this address.\n',
    ]);
    // What the command has opened is encrypted from then on.
    const key = await openHistoryKey(folder, filePermissionSecrets);
    store = await Store.open(join(folder, 'history.sqlite'), { key });
  });
});
