/** Dictionaries for the spelling: which files of a folder count, and who gets them. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../main/base/log.ts';
import {
  DICTIONARY_LIMITS,
  findDictionaries,
  readDictionary,
} from '../../../main/hosts/electron/dictionary-folder.ts';
import { DictionaryServer } from '../../../main/hosts/electron/dictionary-server.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-dictionaries-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

const dictionary = (words = 'words') => `BDic${words}`;
const put = (name: string, bytes = dictionary()) => writeFile(join(folder, name), bytes);
const names = async () => (await findDictionaries(folder)).map(({ name }) => name);

describe('a folder of dictionaries', () => {
  it('offers files that are named as Chromium names them, in whatever case', async () => {
    for (const name of ['en-US-10-1.bdic', 'DE-de-3-0.BDIC', 'hy-1-0.bdic', 'en-GB-oxendict-10-1.bdic'])
      await put(name);
    expect((await findDictionaries(folder)).map(({ name, region }) => [name, region])).toEqual([
      ['de-de-3-0.bdic', 'de-de'],
      ['en-gb-oxendict-10-1.bdic', 'en-gb-oxendict'],
      ['en-us-10-1.bdic', 'en-us'],
      ['hy-1-0.bdic', 'hy'],
    ]);
  });

  it('offers nothing else that lies there, links and pipes neither', async () => {
    const outside = join(folder, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'en-US-10-1.bdic'), dictionary());
    for (const name of ['en-US.bdic', 'en-US-10-1.bdic.exe', '-10-1.bdic', 'x-1-1.bdic', 'en_US-10-1.bdic'])
      await put(name);
    for (const name of ['en-US-10-1.bdic\n', '..en-US-10-1.bdic', 'en-US-10-1.bdic ', 'en\u202e-1-0.bdic'])
      await put(name);
    await put('fa-IR-9-0.bdic', '');
    await symlink(join(outside, 'en-US-10-1.bdic'), join(folder, 'en-US-10-1.bdic'));
    await mkdir(join(folder, 'fr-FR-3-0.bdic'));
    execFileSync('mkfifo', [join(folder, 'de-DE-3-0.bdic')]);
    expect(await names()).toEqual([]);
  });

  it('offers a file of the greatest size, and none that is a byte larger', async () => {
    await put('en-US-10-1.bdic');
    await truncate(join(folder, 'en-US-10-1.bdic'), DICTIONARY_LIMITS.maxBytes);
    expect(await names()).toEqual(['en-us-10-1.bdic']);
    await truncate(join(folder, 'en-US-10-1.bdic'), DICTIONARY_LIMITS.maxBytes + 1);
    expect(await names()).toEqual([]);
  });

  it('offers so many and no more, and one for two names that differ in their case', async () => {
    for (let n = 0; n <= DICTIONARY_LIMITS.maxFiles; n += 1) await put(`en-${n + 10}-1-0.bdic`);
    await put('EN-10-1-0.bdic');
    const offered = await names();
    expect(offered).toHaveLength(DICTIONARY_LIMITS.maxFiles);
    expect(new Set(offered).size).toBe(offered.length);
  });

  it('may not be there', async () => {
    expect(await findDictionaries(join(folder, 'none'))).toEqual([]);
    await put('file');
    expect(await findDictionaries(join(folder, 'file'))).toEqual([]);
  });

  it('gives the bytes of dictionaries only, however they have changed since', async () => {
    await put('en-US-10-1.bdic');
    const [found] = await findDictionaries(folder);
    const path = found?.path ?? '';
    expect((await readDictionary(path))?.toString()).toBe('BDicwords');
    await writeFile(path, '#!/bin/sh');
    expect(await readDictionary(path)).toBeUndefined();
    await rm(path);
    expect(await readDictionary(path)).toBeUndefined();
    await symlink('/etc/passwd', path);
    expect(await readDictionary(path)).toBeUndefined();
    await rm(path);
    execFileSync('mkfifo', [path]);
    expect(await readDictionary(path)).toBeUndefined();
  });
});

describe('the address of dictionaries', () => {
  async function served(): Promise<{ server: DictionaryServer; base: string }> {
    const server = new DictionaryServer(await findDictionaries(folder), silentLog);
    return { server, base: await server.start() };
  }

  it('is one of this computer that nobody guesses, another one each time', async () => {
    const one = await served();
    await using _one = one.server;
    const two = await served();
    await using _two = two.server;
    expect(one.base).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{64}\/$/);
    expect(two.base.slice(-65)).not.toBe(one.base.slice(-65));
  });

  it('gives a dictionary by its name in small letters, and nothing else', async () => {
    await put('en-US-10-1.bdic', dictionary('x'.repeat(100_000)));
    await put('notes.txt');
    const { server, base } = await served();
    await using _server = server;
    const given = await fetch(`${base}en-us-10-1.bdic`);
    expect(given.status).toBe(200);
    expect(await given.text()).toBe(dictionary('x'.repeat(100_000)));
    const { origin } = new URL(base);
    for (const url of [
      base,
      `${base}notes.txt`,
      `${base}de-de-3-0.bdic`,
      `${base}%2e%2e/en-us-10-1.bdic`,
      `${base}en-us-10-1.bdic?x`,
      `${origin}/en-us-10-1.bdic`,
      `${origin}/${'0'.repeat(64)}/en-us-10-1.bdic`,
    ]) {
      expect((await fetch(url)).status, url).toBe(404);
    }
    expect((await fetch(`${base}en-us-10-1.bdic`, { method: 'POST' })).status).toBe(404);
  });

  it('ends with a connection open that says nothing', async () => {
    const { server, base } = await served();
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    await server[Symbol.asyncDispose]();
    await closed;
  });
});
